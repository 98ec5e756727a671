"""Epochs with and without the monitor, alternating in one process."""

from __future__ import annotations

import time

import keras
import numpy as np

from benchmarks.stiffness.networks import NETWORKS
from benchmarks.timing import summary
from stepkit.callbacks import StiffnessMonitor

PROBE = 64  # samples that the monitor measures


def monitor_share(kind: str, samples: int, repeats: int) -> dict[str, dict[str, float] | float]:
    """Seconds of epochs without and with the monitor, and the part that it adds.

    Each is the second epoch of a `fit`: the first compiles. What the monitor does before and after
    the epochs is not in it.
    """
    keras.utils.set_random_seed(0)
    model = NETWORKS[kind]()
    x = np.random.default_rng(0).normal(size=(samples, *model.input_shape[1:])).astype("float32")
    y = np.zeros((samples, *model.output_shape[1:]), "float32")
    timer = EpochTimes()

    def epoch(*more: keras.callbacks.Callback) -> float:
        model.fit(x, y, epochs=2, batch_size=64, verbose=0, callbacks=[timer, *more])
        return timer.seconds[-1]

    plain, watched = [], []
    for _ in range(repeats):
        plain.append(epoch())
        watched.append(epoch(StiffnessMonitor(x[:PROBE])))
    share = float(np.median(watched) / np.median(plain)) - 1.0
    return {"plain": summary(plain), "watched": summary(watched), "share": share}


class EpochTimes(keras.callbacks.Callback):
    """The time from the begin of each epoch to the next, or to the end of training."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.began, self.seconds = [], []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.began.append(time.perf_counter())

    def on_train_end(self, logs: dict | None = None) -> None:
        self.seconds = list(np.diff([*self.began, time.perf_counter()]))
