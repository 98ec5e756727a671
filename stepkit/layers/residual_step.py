"""ResidualStep: y + h f(y), a residual block read as one Euler step."""

from typing import Any

import keras
import numpy as np
from keras import ops

from stepkit._registry import serializable
from stepkit.layers import _child


@serializable
class ResidualStep(keras.Layer):
    """One Euler step along a sub-layer: `y + step_size * residual(y)`.

    With `step_size=1` this is the residual block of a ResNet. The residual may be any layer or
    model that keeps the shape of its input; batch normalisation and dropout inside it work as
    usual.

    Args:
        residual: `keras.Layer`, the slope f.
        step_size: float, the step h. Defaults to `1.0`.
        learn_step: bool, whether h is a trainable scalar that starts at `step_size`. Defaults to
            `False`.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Attributes:
        step: the step in use: the float, or the variable where it is learned.

    Call arguments:
        inputs: tensor `(batch, ...)`.
        training: bool, passed on to `residual` where it takes it.
        mask: mask of `inputs`, passed on likewise; the output keeps the mask.

    Output shape:
        That of the input; in the layer's compute dtype, whatever the dtype of `residual`.

    Raises:
        TypeError: where `residual` is not a layer or `step_size` not a number.
        ValueError: where it does not keep the shape.

    Example:
    >>> layer = ResidualStep(keras.layers.Dense(3, kernel_initializer="ones"), step_size=0.5)
    >>> keras.ops.convert_to_numpy(layer(keras.ops.ones((1, 3)))).tolist()
    [[2.5, 2.5, 2.5]]

    Reference: W. E, Commun. Math. Stat. 5 (2017) 1-11; K. He et al., *Identity Mappings in Deep
    Residual Networks*, ECCV 2016.
    """

    def __init__(
        self,
        residual: keras.Layer,
        step_size: float = 1.0,
        learn_step: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _child.check_layer("residual", residual)
        if isinstance(step_size, bool) or not isinstance(step_size, (int, float, np.number)):
            raise TypeError(f"`step_size` must be a number. Received: step_size={step_size!r}")
        self.residual, self.step_size, self.learn_step = residual, step_size, learn_step
        self.step = float(step_size)
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        """Builds the residual and, where it is learned, the step."""
        _child.build(self.residual, input_shape, dtype=self.compute_dtype)
        self.compute_output_shape(input_shape)  # a wrong shape is an error now, not in training
        if self.learn_step:
            initial = keras.initializers.Constant(self.step_size)
            self.step = self.add_weight(shape=(), initializer=initial, name="step")

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Returns `inputs + step * residual(inputs)`."""
        inputs = ops.cast(inputs, self.compute_dtype)
        slope = self.residual(inputs, **_child.context(self.residual, training, mask))
        _child.check_output_shape(self.name, "residual", tuple(inputs.shape), tuple(slope.shape))
        step = ops.cast(self.step, inputs.dtype) if self.learn_step else self.step
        # A given sub-layer has a dtype policy of its own.
        return inputs + step * ops.cast(slope, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Returns the input shape, after the residual has agreed."""
        output_shape = _child.output_shape(self.residual, input_shape, dtype=self.compute_dtype)
        _child.check_output_shape(self.name, "residual", input_shape, output_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, the residual serialised."""
        return {
            **super().get_config(),
            "residual": keras.saving.serialize_keras_object(self.residual),
            "step_size": float(self.step_size),
            "learn_step": self.learn_step,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ResidualStep":
        """Returns the layer that `get_config` described."""
        residual = keras.saving.deserialize_keras_object(config["residual"])
        return cls(**{**config, "residual": residual})
