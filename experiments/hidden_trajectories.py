"""Measures how samples move through residual networks of several depths and step sizes.

    python -m experiments.hidden_trajectories --seeds 5

The task is scikit-learn's digits with few training images and noise on every image, so that
accuracy does not saturate. Each seed draws its own split, noise and initial weights, and all
networks of a seed see the same data. It writes `hidden_trajectories.json` and
`hidden_trajectories.png` to `experiments/results`. About 3 minutes on 2 CPU cores.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import keras
import numpy as np

from experiments.record import circumstances, detectable, figure, parser, spread, write
from stepkit import datasets
from stepkit.course.exercises.lesson_01 import hidden_states, residual_net

DEPTHS, WIDTH = (4, 8, 16), 16
TRAINING_IMAGES, NOISE = 300, 0.25  # noise: standard deviation, where pixels lie between 0 and 1
EPOCHS, BATCH, LEARNING_RATE = 30, 64, 3e-3
RULES = {"step_1": lambda depth: 1.0, "step_1_over_depth": lambda depth: 1.0 / depth}


def main(arguments: list[str] | None = None) -> None:
    """Train all networks, and write numbers and picture."""
    given = parser(__doc__.partition("\n")[0], 5).parse_args(arguments)
    start = time.process_time()
    runs = [one_seed(seed) for seed in range(given.seeds)]
    record = {
        **circumstances(f"python -m experiments.hidden_trajectories --seeds {given.seeds}"),
        "seeds": given.seeds,
        "task": task(),
        **summary(runs),
        "differences": differences(runs),
        "cpu_seconds": round(time.process_time() - start),
    }
    record["caption"] = caption(record)
    given.out.mkdir(parents=True, exist_ok=True)
    write(given.out / "hidden_trajectories.json", record)
    draw(given.out / "hidden_trajectories.png", record, runs[0])
    print(json.dumps(record["differences"], indent=1), record["caption"], sep="\n")


def one_seed(seed: int) -> dict:
    """All networks on the data of one seed, as `{rule: {depth: measurements}}`."""
    data = noisy_digits(seed)
    found = {"no_blocks": {0: trained(seed, 0, 1.0, data)}}
    for rule, step_size in RULES.items():
        found[rule] = {depth: trained(seed, depth, step_size(depth), data) for depth in DEPTHS}
        print(f"seed {seed}, {rule}: done", file=sys.stderr)
    return found


def noisy_digits(seed: int) -> tuple[np.ndarray, ...]:
    """Training and test images `(n, 64)` around 0, with noise, and their labels."""
    (x, y), (x_test, y_test) = datasets.digits(test_fraction=0.5, flat=True, seed=seed)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(x))[:TRAINING_IMAGES]
    x, y = x[chosen], y[chosen]
    x, x_test = (v + rng.normal(0, NOISE, v.shape).astype("float32") - 0.5 for v in (x, x_test))
    return x, y, x_test, y_test


def trained(seed: int, depth: int, step_size: float, data: tuple) -> dict:
    """Train one network and measure it on the test images, after the last epoch."""
    x, y, x_test, y_test = data
    keras.utils.set_random_seed(seed)
    net = residual_net(depth, WIDTH, step_size)
    before = hidden_states(net, x_test)
    net.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
    net.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    states = hidden_states(net, x_test)
    weights = [net.get_layer(f"block_{k + 1}").get_weights() for k in range(depth)]
    head = net.get_layer("head").get_weights()
    guessed = labels(states[-1], head)
    found = {
        "accuracy": float(np.mean(guessed == y_test)),
        "training_accuracy": float(np.mean(labels(hidden_states(net, x)[-1], head) == y)),
    }
    if depth:
        found |= path_measures(states)
        found["straightness_before_training"] = path_measures(before)["straightness"]
        found["neighbour_distance"] = neighbour_distance(weights)
        finer = labels(with_half_steps(states[0], weights, step_size), head)
        found["same_label_with_half_steps"] = float(np.mean(finer == guessed))
        found["accuracy_with_half_steps"] = float(np.mean(finer == y_test))
    return found | {"states": states, "labels": y_test}


def labels(states: np.ndarray, head: list[np.ndarray]) -> np.ndarray:
    """What the head says of the last states."""
    return np.argmax(states @ head[0] + head[1], axis=1)


def path_measures(states: np.ndarray) -> dict:
    """Medians over samples: change per block over size, and end-to-end distance over path."""
    moves = np.linalg.norm(np.diff(states, axis=0), axis=-1)
    change = np.median(moves / np.linalg.norm(states[:-1], axis=-1), axis=1)
    straight = np.linalg.norm(states[-1] - states[0], axis=-1) / moves.sum(axis=0)
    return {
        "straightness": float(np.median(straight)),
        "path_length": float(np.median(moves.sum(axis=0))),
        "relative_change": float(np.median(change)),
        "relative_change_by_block": [float(v) for v in change],
    }


def neighbour_distance(weights: list) -> float:
    """Distance between the weights of neighbouring blocks, over that between any two blocks.

    Samples of a smooth field would give a number well below 1; unrelated blocks give 1.
    """
    flat = np.array([np.concatenate([w.ravel() for w in block]) for block in weights])
    apart = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    return float(np.diag(apart, 1).mean() / apart[np.triu_indices(len(flat), 1)].mean())


def with_half_steps(x: np.ndarray, weights: list, step_size: float) -> np.ndarray:
    """Last states if every block takes two steps of half the size with its own weights."""
    for kernel, bias in weights:
        for _ in range(2):
            x = x + 0.5 * step_size * np.tanh(x @ kernel + bias)
    return x


def summary(runs: list[dict]) -> dict:
    """Minimum, median and maximum over seeds of every number."""
    table: dict = {}
    for rule, nets in runs[0].items():
        for depth, found in nets.items():
            numbers = [key for key, value in found.items() if isinstance(value, float)]
            entry = {key: spread([run[rule][depth][key] for run in runs]) for key in numbers}
            if depth:
                changes = [run[rule][depth]["relative_change_by_block"] for run in runs]
                entry["relative_change_by_block"] = np.median(changes, axis=0).round(4).tolist()
            table.setdefault(rule, {})[f"depth_{depth}"] = entry
    return table


def differences(runs: list[dict]) -> dict:
    """Paired differences in test accuracy, and the smallest that so many seeds can detect."""
    found = {}
    for depth in DEPTHS:
        small, one = ("step_1_over_depth", depth), ("step_1", depth)
        found[f"depth_{depth}_small_step_minus_step_1"] = paired(runs, small, one)
    deepest = ("step_1_over_depth", DEPTHS[-1])
    found["depth_16_small_step_minus_no_blocks"] = paired(runs, deepest, ("no_blocks", 0))
    return found


def paired(runs: list[dict], first: tuple, second: tuple) -> dict:
    """Difference of two networks over the seeds, with what a paired t-test could detect."""
    values = [
        run[first[0]][first[1]]["accuracy"] - run[second[0]][second[1]]["accuracy"] for run in runs
    ]
    return {
        **spread(values),
        "mean": float(np.mean(values)),
        "detectable": detectable(values),
    }


def caption(record: dict) -> str:
    """What the picture shows, in a sentence with its numbers."""
    one, small = (record[rule][f"depth_{DEPTHS[-1]}"] for rule in RULES)
    a, b = one["straightness"], small["straightness"]
    return (
        f"Hidden states of test digits in two trained networks of {DEPTHS[-1]} residual blocks: "
        f"with step size 1 the paths are crooked (end-to-end distance {a['min']:.2f} to "
        f"{a['max']:.2f} of the path length over {record['seeds']} seeds), with step size "
        f"1/{DEPTHS[-1]} they are straighter ({b['min']:.2f} to {b['max']:.2f})."
    )


def draw(path: Path, record: dict, run: dict) -> None:
    """Paths of some test digits at both step sizes, and straightness against depth."""
    from stepkit import plots

    with figure(path, 1, 3, width=13, height=4.2) as (left, middle, right):
        names = {"step_1": "step size 1", "step_1_over_depth": "step size 1/depth"}
        for axis, rule in ((left, "step_1"), (middle, "step_1_over_depth")):
            net = run[rule][DEPTHS[-1]]
            shown = np.concatenate([np.flatnonzero(net["labels"] == k)[:12] for k in (0, 1, 4)])
            plots.hidden_trajectories(net["states"][:, shown], net["labels"][shown], ax=axis)
            axis.set_title(f"{DEPTHS[-1]} blocks, {names[rule]}")
        for rule, line in (("step_1", "o-"), ("step_1_over_depth", "s--")):
            cells = [record[rule][f"depth_{depth}"]["straightness"] for depth in DEPTHS]
            middle_values = np.array([cell["median"] for cell in cells])
            ends = np.array([[cell["min"] for cell in cells], [cell["max"] for cell in cells]])
            bars = np.abs(ends - middle_values)
            colour = "#0072B2" if rule == "step_1" else "#D55E00"
            right.errorbar(
                DEPTHS, middle_values, bars, fmt=line, capsize=4, color=colour, label=names[rule]
            )
        unrelated = 1 / np.sqrt(DEPTHS)
        right.plot(DEPTHS, unrelated, ":", color="0.4", label="1 / sqrt(blocks): unrelated moves")
        right.set(xlabel="blocks", ylabel="end-to-end distance / path length", ylim=(0, 1.1))
        right.set_xticks(DEPTHS)
        right.set_title(f"straightness, median and range of {record['seeds']} seeds")
        right.legend(loc="upper right")


def task() -> dict:
    """What was trained on what."""
    return {
        "data": "scikit-learn digits, half of them for the test",
        "training_images": TRAINING_IMAGES,
        "noise": NOISE,
        "width": WIDTH,
        "epochs": EPOCHS,
        "batch": BATCH,
        "optimizer": f"Adam, learning rate {LEARNING_RATE}",
        "measured": "test images, after the last epoch",
    }


if __name__ == "__main__":
    main()
