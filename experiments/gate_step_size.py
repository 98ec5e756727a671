"""Holds a gate against the step that an adaptive solver would take at the same state.

    python -m experiments.gate_step_size --seeds 5

In a network whose middle is one ODE, y' = a(f(y), y) * f(y), the weights are the same at all
times: only the state decides what the gate a answers. Along the trajectories of test images this
compares the mean gate over channels with the step that Dopri5 would accept on the ungated field f,
the step at which its error estimate is the tolerance. If a gate were a step-size controller, the
two would rise and fall together. Rank correlations are taken over samples at each time, and over
samples and times; the null exchanges samples at each time. It writes `gate_step_size.json` and
`.png` to `experiments/results`. About 12 minutes on 2 CPU cores, 7 with `--seeds 3`.

A normalisation inside a gate ("statistics") has running averages, which all times of the block
share: at test time they fit none of them, and such networks answer badly.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from matplotlib.ticker import NullFormatter

from experiments.hidden_trajectories import noisy_digits, task
from experiments.record import circumstances, figure, parser, spread, write
from experiments.training.arms import ARMS, WORDS
from stepkit.models import ode_net
from stepkit.ode import get
from stepkit.stiffness import permutation_test, rank_correlation

GATES = ("squeeze_excite", "stepnet_pair", "stepnet_statistics", "stepnet_index")
WIDTH, STEPS, REDUCTION, T_END = 16, 8, 4, 2.0
EPOCHS, BATCH, LEARNING_RATE = 60, 50, 0.005
SAMPLES, RTOL, ATOL = 200, 1e-3, 1e-6
PERMUTATIONS = 999


def main(arguments: list[str] | None = None) -> None:
    """Train networks with each gate on all seeds, and write numbers and picture."""
    given = parser(__doc__.partition("\n")[0], 5).parse_args(arguments)
    found = {arm: [one_run(arm, seed) for seed in range(given.seeds)] for arm in GATES}
    record = {
        **circumstances(f"python -m experiments.gate_step_size --seeds {given.seeds}"),
        "seeds": given.seeds,
        "task": task() | {"epochs": EPOCHS, "batch": BATCH, "learning_rate": LEARNING_RATE},
        "network": {"width": WIDTH, "steps": STEPS, "t_end": T_END, "reduction": REDUCTION},
        "samples": SAMPLES,
        "rtol": RTOL,
        "permutations": PERMUTATIONS,
        "arms": {arm: summary(runs) for arm, runs in found.items()},
    }
    record["caption"] = caption(record)
    write(given.out / "gate_step_size.json", record)
    draw(given.out / "gate_step_size.png", {arm: runs[0] for arm, runs in found.items()})
    print(record["caption"])


def one_run(arm: str, seed: int) -> dict[str, Any]:
    """Train one network, and look at its gate and at the steps of a solver."""
    x, y, x_test, y_test = noisy_digits(seed)
    x, x_test = x.reshape(-1, 8, 8, 1), x_test.reshape(-1, 8, 8, 1)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = ode_net(
        attention=ARMS[arm](REDUCTION),
        width=WIDTH,
        num_steps=STEPS,
        t_span=(0.0, T_END),
        input_shape=(8, 8, 1),
    )
    adam = keras.optimizers.Adam(LEARNING_RATE)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    accuracy = model.evaluate(x_test, y_test, batch_size=500, verbose=0)[1]
    gate, step = along(model, x_test[:SAMPLES])
    times = np.tile(np.arange(gate.shape[1]), len(gate))
    test = permutation_test(
        lambda a, b: within_times(a.reshape(gate.shape), b.reshape(gate.shape)),
        gate.ravel(),
        step.ravel(),
        PERMUTATIONS,
        seed=seed,
        within=times,
    )
    result = {
        "accuracy": accuracy,
        "within_times": float(test.statistic),
        "p_value": test.p_value,
        "pooled": float(rank_correlation(gate.ravel(), step.ravel())),
        "over_times": float(np.nanmean(rank_correlation(gate, step))),
        "gate": gate,
        "step": step,
    }
    print(
        f"{arm}, seed {seed}: accuracy {accuracy:.3f}, correlation within times "
        f"{result['within_times']:+.2f} (p = {result['p_value']:.3f})",
        file=sys.stderr,
    )
    return result


def within_times(gate: np.ndarray, step: np.ndarray) -> float:
    """Rank correlation over samples at each time, mean over times."""
    return float(np.mean(rank_correlation(gate.T, step.T)))


def along(model: keras.Model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean gate and accepted step, `(samples, times)`, at the states of the network's own solve."""
    block, stem = model.get_layer("ode"), model.get_layer("stem")
    field = block.field
    slope = keras.Model(field.inputs, field.layers[-1].input[0])
    gate = field.get_layer("field_attention")
    states = ops.convert_to_numpy(block.trajectory(stem(images)).ys)[:-1]
    gates, steps = [], []
    for state in states:
        state = ops.convert_to_tensor(state)
        values = ops.convert_to_numpy(gate.gate(slope(state), state))
        gates.append(values.reshape(len(values), -1).mean(axis=1))
        steps.append(accepted_step(slope, state))
    return np.stack(gates, axis=1), np.stack(steps, axis=1)


def accepted_step(slope: Any, state: Any, rounds: int = 12) -> np.ndarray:
    """For each sample the step of Dopri5 whose error estimate is the tolerance, by iteration."""
    solver = get("dopri5")
    h = np.full(len(state), 0.05, "float32")
    first = slope(state)
    for _ in range(rounds):
        size = ops.convert_to_tensor(h[:, None, None, None])
        attempt = solver.attempt(lambda t, y: slope(y), 0.0, state, size, first)
        largest = ops.maximum(ops.abs(state), ops.abs(attempt.y))
        scaled = ops.square(attempt.error / (ATOL + RTOL * largest))
        error = np.sqrt(ops.convert_to_numpy(ops.mean(scaled, axis=(1, 2, 3))))
        h = h * np.clip(error, 1e-6, 1e6) ** -0.2
    return h


def summary(runs: list[dict]) -> dict[str, Any]:
    """Correlations over seeds."""
    keys = ("accuracy", "within_times", "p_value", "pooled", "over_times")
    return {key: spread([run[key] for run in runs]) for key in keys}


def caption(record: dict) -> str:
    """The correlations, in words."""
    parts = []
    for arm, cell in record["arms"].items():
        each, right = cell["within_times"], cell["accuracy"]["median"]
        parts.append(f"{WORDS[arm]} {each['min']:+.2f} to {each['max']:+.2f} ({right:.2f})")
    return (
        "Rank correlation over test images, at equal times, between the mean gate and the step "
        f"that Dopri5 accepts on the ungated field, {record['seeds']} seeds, and median accuracy: "
        f"{'; '.join(parts)}."
    )


def draw(path: Path, runs: dict) -> None:
    """Gate against step, one dot per image and time."""
    with figure(path, 1, len(runs), width=13, height=3.8) as axes:
        for axis, (arm, run) in zip(axes, runs.items(), strict=True):
            count = run["gate"].shape[1]
            for k, mark in ((0, "o"), (count // 2, "s"), (count - 1, "^")):
                axis.plot(
                    run["step"][:, k],
                    run["gate"][:, k],
                    mark,
                    alpha=0.4,
                    markersize=3,
                    label=f"step {k + 1} of {count}",
                )
            axis.set(
                xlabel="step accepted by Dopri5",
                title=WORDS[arm].replace(" (reconstruction)", ""),
                xscale="log",
            )
            axis.xaxis.set_minor_formatter(NullFormatter())  # they would run into each other
        axes[0].set(ylabel="mean gate")
        axes[0].legend(fontsize=8)


if __name__ == "__main__":
    main()
