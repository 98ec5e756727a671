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
    """Seconds of epochs without and with the monitor, seconds within it, and their share.

    Each is the second epoch of a `fit`: the first compiles. What the monitor does before and after
    the epochs is not in it. Epochs vary by more than it adds: the share is what was spent within.
    """
    keras.utils.set_random_seed(0)
    model = NETWORKS[kind]()
    x = np.random.default_rng(0).normal(size=(samples, *model.input_shape[1:])).astype("float32")
    y = np.zeros((samples, *model.output_shape[1:]), "float32")
    timer = EpochTimes()

    def epoch(*more: keras.callbacks.Callback) -> float:
        model.fit(x, y, epochs=2, batch_size=64, verbose=0, callbacks=[timer, *more])
        return timer.seconds[-1]

    plain, watched, within = [], [], []
    for _ in range(repeats):
        plain.append(epoch())
        monitor = TimedMonitor(x[:PROBE])
        watched.append(epoch(monitor))
        within.append(monitor.seconds)
    share = float(np.median(within) / np.median(plain))
    times = {"plain": plain, "watched": watched, "within": within}
    return {name: summary(values) for name, values in times.items()} | {"share": share}


class TimedMonitor(StiffnessMonitor):
    """A monitor that tells how long its last measurement took."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        began = time.perf_counter()
        super().on_epoch_end(epoch, logs)
        self.seconds = time.perf_counter() - began


class EpochTimes(keras.callbacks.Callback):
    """The time from the begin of each epoch to the next, or to the end of training."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.began, self.seconds = [], []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.began.append(time.perf_counter())

    def on_train_end(self, logs: dict | None = None) -> None:
        self.seconds = list(np.diff([*self.began, time.perf_counter()]))
