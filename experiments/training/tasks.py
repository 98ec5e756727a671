"""The images that networks are trained on, standardised, `(n, height, width, channels)`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.hidden_trajectories import noisy_digits
from stepkit import datasets

Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
# Mean and deviation of the three colours over the training images, as the literature uses them.
CIFAR_MEAN = np.array([0.4914, 0.4822, 0.4465], "float32")
CIFAR_DEVIATION = np.array([0.2023, 0.1994, 0.2010], "float32")


def _noisy_digits(seed: int, path: Path | None) -> Data:
    x, y, x_test, y_test = noisy_digits(seed)
    return x.reshape(-1, 8, 8, 1), y, x_test.reshape(-1, 8, 8, 1), y_test


def _cifar(load):
    def task(seed: int, path: Path | None) -> Data:
        (x, y), (x_test, y_test) = load(path)
        x, x_test = ((v / np.float32(255) - CIFAR_MEAN) / CIFAR_DEVIATION for v in (x, x_test))
        return x, y, x_test, y_test

    return task


# Name: function (seed, path) and number of classes. A seed draws noise and the choice of images.
TASKS = {
    "noisy_digits": (_noisy_digits, 10),
    "cifar10": (_cifar(datasets.cifar10), 10),
    "cifar100": (_cifar(datasets.cifar100), 100),
}
