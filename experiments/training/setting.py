"""Setting: task, network and schedule of a training run, and those that have names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """All that a run depends on but attention, seed and backend.

    Args:
        task: str, a name in `tasks.TASKS`.
        depth: int, like `block` and `width` as in `stepkit.models.cifar_resnet`.
        block: str.
        width: int.
        reduction: float, of the hidden layers of gates.
        epochs: int.
        milestones: epochs after which the learning rate is a tenth.
        learning_rate: float, at the start.
        momentum: float.
        weight_decay: float lambda, added to the gradient as lambda times the weight.
        batch_size: int; the last, smaller batch of an epoch is left out.
        padding: int, pixels of the random crops; 0 for none.
        flip: bool, whether images are mirrored at random.
        steps_per_execution: int, batches between two looks at the host; for accelerators.
    """

    task: str
    depth: int
    block: str
    width: int
    epochs: int
    milestones: tuple[int, ...]
    reduction: float = 16
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch_size: int = 128
    padding: int = 4
    flip: bool = True
    steps_per_execution: int = 1

    def words(self) -> dict[str, Any]:
        """Returns the setting as it stands in a record."""
        return {**self.__dict__, "milestones": list(self.milestones)}


# The group's recipe on CIFAR: 164 epochs, 0.1 to 0.001, batch 128, coupled weight decay 1e-4.
_GROUP = {"block": "bottleneck", "width": 16, "epochs": 164, "milestones": (81, 122)}

SETTINGS = {
    # Some seconds on 2 CPU cores: 8 x 8 digits with noise, 300 for training.
    "digits": Setting(
        "noisy_digits",
        depth=20,
        block="basic",
        width=16,
        reduction=4,  # 16 channels and this: hidden layers as wide as those of ResNet-164
        epochs=30,
        milestones=(20, 27),
        learning_rate=0.1,
        batch_size=60,
        padding=1,
        flip=False,
    ),
    # To see in a minute that all parts work; its numbers mean nothing.
    "smoke": Setting(
        "noisy_digits", 14, "basic", width=4, epochs=2, milestones=(1,), reduction=2, batch_size=60
    ),
    "cifar10": Setting("cifar10", depth=164, **_GROUP),
    "cifar100": Setting("cifar100", depth=164, **_GROUP),
    # A quarter of the epochs, at ResNet-83.
    "cifar10_short": Setting("cifar10", 83, "bottleneck", width=16, epochs=40, milestones=(20, 32)),
}
