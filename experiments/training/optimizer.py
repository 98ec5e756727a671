"""CoupledSGD: momentum and weight decay as in PyTorch's SGD."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="experiments")
class CoupledSGD(keras.optimizers.SGD):
    """`m = mu m + (g + lambda w)`, `w = w - eta m`, with PyTorch's order of operations.

    The decay is part of the gradient (coupled), hence of the momentum. Keras's own `weight_decay`
    shrinks the weights beside the step (decoupled), and its momentum keeps the old learning rate
    for a while after a drop; both lead elsewhere.

    Args:
        learning_rate: float or schedule eta.
        momentum: float mu.
        coupled_decay: float lambda. Defaults to `0.0`.
        undecayed: variables without decay. They are not part of the configuration.
        **kwargs: as in `keras.optimizers.SGD`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.1,
        momentum: float = 0.9,
        coupled_decay: float = 0.0,
        undecayed: Iterable[keras.Variable] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, momentum=momentum, **kwargs)
        self.coupled_decay = coupled_decay
        # Only their keys: an optimizer takes a list of variables for its own.
        self._undecayed = tuple(self._var_key(variable) for variable in undecayed)

    def build(self, variables: list) -> None:
        """Creates the momenta, and notes the places of the variables without decay."""
        super().build(variables)
        # By place: TensorFlow hands other objects to `update_step`.
        self._free = {self._trainable_variables_indices[key] for key in self._undecayed}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        place = self._get_variable_index(variable)
        if self.coupled_decay and place not in self._free:
            gradient = gradient + self.coupled_decay * variable
        if self.momentum != 0:
            velocity = self.momentums[place]
            gradient = self.momentum * velocity + gradient
            self.assign(velocity, gradient)
        self.assign_sub(variable, rate * gradient)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, without `undecayed`."""
        return {**super().get_config(), "coupled_decay": self.coupled_decay}
