"""Do the blocks of a trained residual network lie in the stability region of Euler's method?

A residual network is trained on a small, noisy set of digits, without and with a penalty on the
Jacobians of its branches. Before and after training, each block is placed in the region of Euler's
step h = 1 for each of some test images: eigenvalues, logarithmic norm and operator norm of the
Jacobian of the branch. A block outside of the region is no defect: a classifier need not contract.

    python -m experiments.blocks_in_the_region --seeds 8

The penalty is that of J. Hoffman, D. Roberts, S. Yaida, "Robust Learning with Jacobian
Regularization", arXiv:1908.02729 (2019). Task, networks and numbers here are our own.
"""

from __future__ import annotations

import time

import keras
import numpy as np

from experiments.record import circumstances, detectable, parser, spread, write
from experiments.solver_swap import BATCH, LEARNING_RATE, NOISE, TRAIN_IMAGES, data
from stepkit.layers import ResidualStep
from stepkit.stability import JacobianPenalty, block_margin

WIDTH, DEPTH, EPOCHS, IMAGES = 16, 8, 40, 100
STRENGTHS = {"plain": 0.0, "light": 0.01, "heavy": 0.1}


def network(strength: float, seed: int, depth: int = DEPTH) -> keras.Sequential:
    """Returns stem, residual steps with tanh branches of one layer, and a linear head."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((64,)), keras.layers.Dense(WIDTH)]
    for _ in range(depth):
        branch = keras.layers.Dense(WIDTH, activation="tanh")
        if strength:
            branch = JacobianPenalty(branch, strength=strength, seed=seed)
        layers.append(ResidualStep(branch))
    return keras.Sequential([*layers, keras.layers.Dense(10)])


def placed(model: keras.Model, x: np.ndarray) -> dict[str, float]:
    """Returns where the blocks lie: shares and medians over samples and blocks."""
    found = block_margin(model, x)
    return {
        "outside": float(np.mean(~found.stable)),
        "left": float(np.mean(found.abscissa < 0)),
        "radius": float(np.median(found.radius)),
        "amplification": float(np.median(found.amplification)),
        "abscissa": float(np.median(found.abscissa)),
        "logarithmic_norm": float(np.median(found.logarithmic_norm)),
        "contracting": float(np.mean(found.logarithmic_norm < 0)),
        "departure": float(np.nanmedian(found.departure)),
    }


def one_run(strength: float, seed: int) -> dict[str, dict[str, float]]:
    """Trains once; returns what was measured before and after, and the accuracy."""
    x_test = data(seed)[1][0]
    model = network(strength, seed)
    before = placed(model, x_test[:IMAGES])
    accuracy = trained_accuracy(model, seed)
    return {"before": before, "after": placed(model, x_test[:IMAGES]) | {"accuracy": accuracy}}


def trained_accuracy(model: keras.Sequential, seed: int) -> float:
    """Trains the model; returns its accuracy on images that it has not seen."""
    (x_train, y_train), (x_test, y_test) = data(seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss)
    model.fit(x_train, y_train, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    labels = keras.ops.convert_to_numpy(model(x_test)).argmax(axis=1)
    return float(np.mean(labels == y_test))


def main(arguments: list[str] | None = None) -> None:
    """Runs all configurations and writes the numbers."""
    options = parser(__doc__.partition("\n")[0], 8).parse_args(arguments)
    start, runs = time.perf_counter(), {}
    for name, strength in STRENGTHS.items():
        runs[name] = [one_run(strength, seed) for seed in range(options.seeds)]
        last = [run["after"] for run in runs[name]]
        print(name, {key: round(float(np.median([r[key] for r in last])), 3) for key in last[0]})
    networks = {
        name: {
            when: {key: spread([run[when][key] for run in each]) for key in each[0][when]}
            for when in ("before", "after")
        }
        for name, each in runs.items()
    }
    plain = networks["plain"]["after"]["accuracy"]["values"]
    for name, found in networks.items():
        cost = np.subtract(plain, found["after"]["accuracy"]["values"]).tolist()
        found["cost"] = {**spread(cost), "mean": float(np.mean(cost))}
        if name != "plain":
            found["cost"]["detectable"] = detectable(cost)
    linear = [trained_accuracy(network(0.0, s, depth=0), s) for s in range(options.seeds)]
    options.out.mkdir(parents=True, exist_ok=True)
    record = {
        **circumstances(f"python -m experiments.blocks_in_the_region --seeds {options.seeds}"),
        "seeds": options.seeds,
        "seconds": round(time.perf_counter() - start),
        "task": {
            "train_images": TRAIN_IMAGES,
            "test_images": 1797 - TRAIN_IMAGES,
            "images_placed": IMAGES,
            "noise": NOISE,
            "epochs": EPOCHS,
            "width": WIDTH,
            "blocks": DEPTH,
            "accuracy": "of the last epoch, on images that were not trained on",
        },
        "networks": networks,
        "gain": {name: -found["cost"]["mean"] for name, found in networks.items()},
        "no_blocks": {"accuracy": spread(linear)},
    }
    write(options.out / "blocks_in_the_region.json", record)


if __name__ == "__main__":
    main()
