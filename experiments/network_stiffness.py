"""Measures the neural stiffness index of residual networks before and after training.

    python -m experiments.network_stiffness --seeds 5

The task is that of `experiments.hidden_trajectories`: digits with few training images and noise.
Three networks of 16 blocks: steps of size 1, steps of size 1/16, and steps of size 1 whose branch
begins with batch normalisation. It writes `network_stiffness.json` and `network_stiffness.png` to
`experiments/results`. About 3 minutes on 2 CPU cores.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import keras
import numpy as np

from experiments.hidden_trajectories import BATCH, EPOCHS, LEARNING_RATE, noisy_digits, task
from experiments.record import circumstances, figure, parser, spread, write
from stepkit.layers import ResidualStep
from stepkit.stiffness import neural_stiffness_index, peak_to_median, total_variation

DEPTH, WIDTH = 16, 16
NETWORKS = {
    "step_1": (1.0, False),
    "step_1_over_depth": (1.0 / DEPTH, False),
    "normalised": (1.0, True),
}
SAMPLES = 200  # test images on which the index is measured


def main(arguments: list[str] | None = None) -> None:
    """Train all networks, and write numbers and picture."""
    given = parser(__doc__.partition("\n")[0], 5).parse_args(arguments)
    start = time.process_time()
    runs = [one_seed(seed) for seed in range(given.seeds)]
    record = {
        **circumstances(f"python -m experiments.network_stiffness --seeds {given.seeds}"),
        "seeds": given.seeds,
        "task": task() | {"blocks": DEPTH, "width": WIDTH, "samples": SAMPLES},
        **{name: summary([run[name] for run in runs]) for name in NETWORKS},
        "cpu_seconds": round(time.process_time() - start),
    }
    record["caption"] = caption(record)
    given.out.mkdir(parents=True, exist_ok=True)
    write(given.out / "network_stiffness.json", record)
    draw(given.out / "network_stiffness.png", record, runs[0])
    print(record["caption"])


def one_seed(seed: int) -> dict:
    """All networks on the data of one seed."""
    data = noisy_digits(seed)
    found = {}
    for name, (step_size, normalised) in NETWORKS.items():
        found[name] = trained(seed, step_size, normalised, data)
        print(f"seed {seed}, {name}: done", file=sys.stderr)
    return found


def network(step_size: float, normalised: bool) -> keras.Model:
    """Stem, equal steps with a tanh layer as residual, head."""
    inputs = keras.Input((64,))
    x = keras.layers.Dense(WIDTH, name="stem")(inputs)
    for k in range(DEPTH):
        dense = keras.layers.Dense(WIDTH, "tanh")
        branch = [keras.layers.BatchNormalization(), dense] if normalised else [dense]
        residual = keras.Sequential(branch) if normalised else dense
        x = ResidualStep(residual, step_size, name=f"block_{k + 1}")(x)
    return keras.Model(inputs, keras.layers.Dense(10, "softmax", name="head")(x))


def trained(seed: int, step_size: float, normalised: bool, data: tuple) -> dict:
    """Train one network; measure the raw index, ||branch|| / ||state||, before and after."""
    x, y, x_test, y_test = data
    keras.utils.set_random_seed(seed)
    net = network(step_size, normalised)
    before = neural_stiffness_index(net, x_test[:SAMPLES], "raw").values
    adam = keras.optimizers.Adam(LEARNING_RATE)
    net.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    net.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    after = neural_stiffness_index(net, x_test[:SAMPLES], "raw").values
    accuracy = net.evaluate(x_test, y_test, batch_size=256, verbose=0)[1]
    return {"accuracy": accuracy, "before": before, "after": after}


def measures(index: np.ndarray) -> dict:
    """One number for each way to look at an index `(samples, blocks)`."""
    by_block = np.median(index, axis=0)
    return {
        "index": float(np.median(index)),
        "total_variation": float(np.median(total_variation(index))),
        "peak_to_median": float(np.median(peak_to_median(index))),
        "peak_block": float(1 + np.argmax(by_block)),
        "first_over_rest": float(by_block[0] / np.median(by_block[1:])),
        "spread_of_samples": float(np.median(index.std(axis=0) / index.mean(axis=0))),
    }


def summary(runs: list[dict]) -> dict:
    """Minimum, median and maximum over seeds of every number, before and after training."""
    table: dict = {"accuracy": spread([run["accuracy"] for run in runs])}
    for when in ("before", "after"):
        found = [measures(run[when]) for run in runs]
        table[when] = {key: spread([each[key] for each in found]) for key in found[0]}
        blocks = np.median([np.median(run[when], axis=0) for run in runs], axis=0)
        table[when]["index_by_block"] = [float(v) for v in blocks]
    return table


def caption(record: dict) -> str:
    """What the picture shows, in a sentence with its numbers."""
    parts = []
    for name, words in WORDS.items():
        cell = record[name]["after"]["peak_to_median"]
        parts.append(f"{cell['min']:.1f} to {cell['max']:.1f} with {words}")
    return (
        f"Raw index by block of trained networks of {DEPTH} blocks on test digits: the peak "
        f"over the median of the blocks is {', '.join(parts)} (range over {record['seeds']} seeds)."
    )


WORDS = {
    "step_1": "step size 1",
    "step_1_over_depth": "step size 1/16",
    "normalised": "step size 1 and normalisation",
}


def draw(path: Path, record: dict, run: dict) -> None:
    """The index of 100 images by block in each network, trained and not."""
    with figure(path, 1, 3, width=13, height=4) as axes:
        blocks = np.arange(1, DEPTH + 1)
        for axis, (name, words) in zip(axes, WORDS.items(), strict=True):
            axis.plot(blocks, run[name]["after"][:100].T, color="#0072B2", alpha=0.08, linewidth=1)
            for when, line, colour in (("before", "s--", "#D55E00"), ("after", "o-", "#0072B2")):
                axis.plot(
                    blocks,
                    np.median(run[name][when], axis=0),
                    line,
                    color=colour,
                    label=f"{when} training, median",
                )
            axis.set(
                xlabel="block", ylabel="raw index, ||f(x)|| / ||x||", title=words, ylim=(0, None)
            )
            axis.set_xticks(blocks[::3])
            axis.legend()


if __name__ == "__main__":
    main()
