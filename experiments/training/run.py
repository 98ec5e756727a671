"""One training run, from seed to trained network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from experiments.training.batches import Batches
from experiments.training.checkpoint import Checkpoint
from experiments.training.optimizer import CoupledSGD
from experiments.training.setting import Setting
from experiments.training.tasks import TASKS, Data
from stepkit.models import cifar_resnet


@dataclass
class Run:
    """A network with its data; `train` brings it to the end of its schedule.

    Args:
        setting: `Setting`.
        attention: what `cifar_resnet` takes.
        seed: int, of weights, batches and, where the task draws, images.
        attention_blocks: as in `cifar_resnet`.
        data: path of a local file of the data set, or `None`.
        precision: str, a Keras dtype policy.
        jit_compile: bool or `"auto"`, as in `compile`.
    """

    setting: Setting
    attention: Any = None
    seed: int = 0
    attention_blocks: Sequence[bool] | None = None
    data: Path | None = None
    precision: str = "float32"
    jit_compile: bool | str = "auto"

    def __post_init__(self) -> None:
        load, self.classes = TASKS[self.setting.task]
        self.arrays: Data = load(self.seed, self.data)
        keras.utils.set_random_seed(self.seed)
        self.model = self.network()
        self.model.compile(
            self._optimizer(),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=self.jit_compile,
            steps_per_execution=self.setting.steps_per_execution,
        )

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return len(self.arrays[0]) // self.setting.batch_size

    def network(self, **changes: Any) -> keras.Model:
        """Returns a new network of this run; `changes` are arguments of `cifar_resnet`."""
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.precision)
        s = self.setting
        arguments = {"block": s.block, "width": s.width, "input_shape": self.arrays[0].shape[1:]}
        arguments |= {"attention": self.attention, "attention_blocks": self.attention_blocks}
        try:
            return cifar_resnet(
                s.depth,
                num_classes=self.classes,
                classifier_activation=None,
                **{**arguments, **changes},
            )
        finally:
            keras.config.set_dtype_policy(policy)

    def train(
        self,
        folder: Path | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        verbose: int = 0,
        validate: bool = False,
    ) -> keras.Model:
        """Trains to the end, from where the checkpoint in `folder` stopped; returns the network.

        Args:
            folder: for checkpoint and `log.csv`; nothing is written without one.
            callbacks: more of them.
            verbose: as in `fit`.
            validate: whether test loss and accuracy are logged after each epoch. They choose
                nothing: what counts is the last epoch.
        """
        x, y, x_test, y_test = self.arrays
        s, first, own = self.setting, 0, []
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            checkpoint = Checkpoint(folder, self.steps_per_epoch)
            first = checkpoint.restore(self.model)
            own = [keras.callbacks.CSVLogger(checkpoint.log, append=True), checkpoint]
        if first < s.epochs:
            self.model.fit(
                Batches(
                    x, y, s.batch_size, self.seed, s.padding, s.flip, first * self.steps_per_epoch
                ),
                steps_per_epoch=self.steps_per_epoch,
                initial_epoch=first,
                epochs=s.epochs,
                validation_data=(x_test, y_test) if validate else None,
                validation_batch_size=500,
                callbacks=[*callbacks, *own],
                shuffle=False,  # the batches do that
                verbose=verbose,
            )
        return self.model

    def accuracy(self, model: keras.Model | None = None) -> float:
        """Returns the share of test images that a network, the run's own by default, gets right."""
        _, _, x_test, y_test = self.arrays
        model, right = model or self.model, 0
        # Called as it is: to compile `predict` takes longer than to do without, for small networks.
        for start in range(0, len(x_test), 500):
            part = slice(start, start + 500)
            answers = keras.ops.convert_to_numpy(model(x_test[part], training=False))
            right += int((answers.argmax(axis=-1) == y_test[part]).sum())
        return right / len(x_test)

    def _optimizer(self) -> CoupledSGD:
        s = self.setting
        drops = [epoch * self.steps_per_epoch - 1 for epoch in s.milestones]
        rates = [s.learning_rate * 0.1**i for i in range(len(drops) + 1)]
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay
        rate = schedule(drops, rates) if drops else s.learning_rate
        layers = (getattr(layer, "no_weight_decay", ()) for layer in self.model.layers)
        free = [variable for variables in layers for variable in variables]
        return CoupledSGD(rate, s.momentum, s.weight_decay, free)
