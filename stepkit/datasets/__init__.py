"""Data sets: digits without a download, CIFAR by Keras's loader or from a local file."""

from stepkit.datasets.cifar import cifar10, cifar100
from stepkit.datasets.digits import digits

__all__ = ["cifar10", "cifar100", "digits"]
