"""Does a trained ODE block care which solver runs it? Train with one, test with others.

An ODE block is trained on a small, noisy set of digits with few steps of Euler's method. Then the
same weights are run with more steps, with RK4, and with 64 steps of RK4, which follow the flow of
the learned field closely. Nothing is trained again.

    python -m experiments.solver_swap --seeds 5

The idea of the test is that of K. Ott, P. Katiyar, P. Hennig, M. Tiemann, "ResNet After All: Neural
ODEs and Their Numerical Solution", ICLR 2021. Task, networks and numbers here are our own.
"""

from __future__ import annotations

import time
from pathlib import Path

import keras
import numpy as np

from experiments.record import circumstances, detectable, parser, spread, write
from stepkit.datasets import digits
from stepkit.layers import ODEBlock

TRAIN_IMAGES = 300
NOISE = 0.2  # standard deviation, of pixels in [0, 1]
HIDDEN, EPOCHS, BATCH, LEARNING_RATE = 64, 40, 32, 3e-3
TRAINED_WITH = (("euler", 1), ("euler", 2), ("euler", 4), ("euler", 8), ("rk4", 2))
FLOW_STEPS = 64


def data(seed: int) -> tuple[tuple, tuple]:
    """Returns noisy digits: few to train on, the others to test on."""
    train, test = digits(test_fraction=1 - TRAIN_IMAGES / 1797, flat=True, seed=seed)
    draw = np.random.default_rng(seed)

    def noisy(images):
        return images + draw.normal(scale=NOISE, size=images.shape).astype("float32")

    return (noisy(train[0]), train[1]), (noisy(test[0]), test[1])


def network(solver: str, num_steps: int) -> keras.Sequential:
    """Returns the model: an ODE block on the 64 pixels, and a linear readout."""
    field = keras.Sequential(
        [keras.layers.Dense(HIDDEN, activation="tanh"), keras.layers.Dense(64)]
    )
    block = ODEBlock(field, solver=solver, num_steps=num_steps)
    return keras.Sequential([keras.Input((64,)), block, keras.layers.Dense(10)])


def swaps(solver: str, num_steps: int) -> dict[str, tuple[str, int]]:
    """Returns the solvers with which a trained block is run, by name."""
    return {
        "twice": (solver, 2 * num_steps),
        "four_times": (solver, 4 * num_steps),
        "rk4": ("rk4", num_steps),
        "flow": ("rk4", FLOW_STEPS),
    }


def one_run(solver: str, num_steps: int, seed: int) -> dict[str, dict[str, float]]:
    """Trains once; returns accuracy, share of changed predictions and distance for each solver."""
    keras.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = data(seed)
    model = network(solver, num_steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss)
    model.fit(x_train, y_train, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    block, readout = model.layers

    def ends(one: ODEBlock) -> tuple[np.ndarray, np.ndarray]:
        states = one(x_test)
        to_numpy = keras.ops.convert_to_numpy
        return to_numpy(states), to_numpy(readout(states)).argmax(axis=1)

    states, labels = ends(block)
    accuracy = float(np.mean(labels == y_test))
    found = {"as_trained": {"accuracy": accuracy}}
    for name, (other, steps) in swaps(solver, num_steps).items():
        new_states, new_labels = ends(block.with_solver(other, num_steps=steps))
        new_accuracy = float(np.mean(new_labels == y_test))
        apart = np.linalg.norm(new_states - states, axis=1) / np.linalg.norm(states, axis=1)
        found[name] = {
            "accuracy": new_accuracy,
            "drop": accuracy - new_accuracy,
            "changed": float(np.mean(new_labels != labels)),
            "distance": float(np.median(apart)),
        }
    return found


def summary(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict]:
    """Returns the spread over seeds of everything that one configuration measured."""
    table = {
        name: {entry: spread([run[name][entry] for run in runs]) for entry in entries}
        for name, entries in runs[0].items()
    }
    for name in set(table) - {"as_trained"}:
        table[name]["drop"]["detectable"] = detectable(table[name]["drop"]["values"])
    return table


def figure(trained: dict[str, dict], path: Path) -> None:
    """Draws accuracy and distance against the number of steps in training."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    steps = [n for solver, n in TRAINED_WITH if solver == "euler"]
    control = next(n for solver, n in TRAINED_WITH if solver == "rk4")
    looks = {
        "as_trained": ("Euler, as trained", "#000000", "o", "-"),
        "twice": ("Euler, twice the steps", "#0072B2", "s", "--"),
        "rk4": ("RK4, as many steps", "#D55E00", "^", "-."),
        "flow": (f"RK4, {FLOW_STEPS} steps: the flow", "#009E73", "D", ":"),
    }
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for ax, entry in ((left, "accuracy"), (right, "distance")):
        for place, (name, (label, colour, marker, dash)) in enumerate(looks.items()):
            if entry not in trained[f"euler_{steps[0]}"][name]:
                continue
            at = np.array(steps) * 1.04 ** (place - 1.5)
            low, middle, high = (
                np.array([trained[f"euler_{n}"][name][entry][which] for n in steps])
                for which in ("min", "median", "max")
            )
            bars = np.array([middle - low, high - middle])
            ax.errorbar(at, middle, bars, label=label, color=colour, marker=marker,
                        linestyle=dash, capsize=3, markersize=7)  # fmt: skip
        one = trained[f"rk4_{control}"]["flow"][entry]
        bars = [[one["median"] - one["min"]], [one["max"] - one["median"]]]
        ax.errorbar([4 * control * 1.12], [one["median"]], bars, color="#CC79A7", marker="*",
                    markersize=13, linestyle="", capsize=3,
                    label=f"trained with RK4, {control} steps; flow")  # fmt: skip
        ax.set(xscale="log", xlabel="evaluations of the field in training")
        ax.set_xticks(steps, [str(n) for n in steps])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    left.set(ylabel="test accuracy", title="Another solver, the same weights")
    right.set(ylabel="relative distance of the end states", title="How far the answer moves")
    right.set_ylim(bottom=0)
    left.legend(fontsize=9)
    fig.savefig(path, dpi=130, metadata={"Software": None})


def main(arguments: list[str] | None = None) -> None:
    """Runs all configurations and writes numbers and figure."""
    options = parser(__doc__.partition("\n")[0], 5).parse_args(arguments)
    start, trained = time.perf_counter(), {}
    for solver, num_steps in TRAINED_WITH:
        runs = [one_run(solver, num_steps, seed) for seed in range(options.seeds)]
        trained[f"{solver}_{num_steps}"] = summary(runs)
        as_trained, flow = (
            [run[name]["accuracy"] for run in runs] for name in ("as_trained", "flow")
        )
        print(f"{solver} {num_steps}: {np.median(as_trained):.3f}, flow {np.median(flow):.3f}")
    options.out.mkdir(parents=True, exist_ok=True)
    record = {
        **circumstances(f"python -m experiments.solver_swap --seeds {options.seeds}"),
        "seeds": options.seeds,
        "seconds": round(time.perf_counter() - start),
        "task": {
            "train_images": TRAIN_IMAGES,
            "test_images": 1797 - TRAIN_IMAGES,
            "noise": NOISE,
            "epochs": EPOCHS,
            "accuracy": "of the last epoch, on images that were not trained on",
        },
        "trained": trained,
    }
    write(options.out / "solver_swap.json", record)
    figure(trained, options.out / "solver_swap.png")


if __name__ == "__main__":
    main()
