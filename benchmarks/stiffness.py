"""Measures what the stiffness monitor adds to an epoch, and what `import stepkit` adds to Keras.

    python -m benchmarks.stiffness           into benchmarks/results/stiffness.json
    python -m benchmarks.stiffness --quick   a small network, printed only

Epochs with and without the monitor alternate in one process, each after a first one that compiles.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

GOALS = {"monitor_share": 0.03, "import_seconds": 0.3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    found = {
        "goals": GOALS,
        "import": import_seconds(3 if quick else 9),
        "monitor": monitor_share(
            32 if quick else 128, 2048 if quick else 20_000, 3 if quick else 9
        ),
    }
    print(found, file=sys.stderr)
    if not quick:
        from experiments import record

        around = record.circumstances("python -m benchmarks.stiffness")
        path = Path("benchmarks/results/stiffness.json")
        record.write(path, {"circumstances": around, **found})


def import_seconds(repeats: int) -> dict[str, float]:
    """Seconds that `import stepkit` takes in a fresh process after `import keras`."""
    clock = "time.perf_counter()"
    code = f"import keras, time; start = {clock}; import stepkit; print({clock} - start)"
    command = [sys.executable, "-c", code]
    answers = [
        subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(repeats)
    ]
    return summary([float(answer.stdout.split()[-1]) for answer in answers])


def monitor_share(width: int, samples: int, repeats: int) -> dict[str, dict[str, float] | float]:
    """Seconds of epochs without and with the monitor, and the part that it adds."""
    import keras

    from stepkit.callbacks import StiffnessMonitor

    x = np.random.default_rng(0).normal(size=(samples, width)).astype("float32")
    model = residual_network(width)
    timer = EpochTimes()

    def epochs(monitor: bool) -> float:
        """The second epoch of a `fit`: the first compiles."""
        callbacks = [timer] + ([StiffnessMonitor(x[:64])] if monitor else [])
        model.fit(x, 0 * x, epochs=2, batch_size=64, verbose=0, callbacks=callbacks)
        return timer.seconds[-1]

    keras.utils.set_random_seed(0)
    plain, watched = [], []
    for _ in range(repeats):
        plain.append(epochs(False))
        watched.append(epochs(True))
    share = float(np.median(watched) / np.median(plain)) - 1.0
    return {"plain": summary(plain), "watched": summary(watched), "share": share}


def residual_network(width: int, depth: int = 6):
    """A stack of residual blocks of two dense layers."""
    import keras

    from stepkit.layers import ResidualStep

    layers = [keras.Input((width,))]
    for i in range(depth):
        block = [keras.layers.Dense(4 * width, "tanh"), keras.layers.Dense(width)]
        layers.append(ResidualStep(keras.Sequential(block), name=f"step_{i}"))
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    return model


class EpochTimes:
    """Made into a callback where Keras is known: the time from one epoch's begin to the next's."""

    def __new__(cls):
        import keras

        class Times(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                self.seconds = []

            def on_epoch_begin(self, epoch, logs=None):
                self.began = time.perf_counter()
                self.seconds.append(0.0)

            def on_train_end(self, logs=None):
                self.seconds[-1] = time.perf_counter() - self.began

        return Times()


def summary(values: list[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {"median": float(np.median(values)), "min": min(values), "max": max(values)}


if __name__ == "__main__":
    main()
