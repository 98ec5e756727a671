"""LayerCase: fresh layers, inputs and models of the layer under test."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import tree


class LayerCase:
    """Makes what the checks of one layer need, each time anew.

    Args:
        layer_cls: subclass of `keras.Layer`.
        init_kwargs: dict, or a function that returns one.
        input_shape: tuple of ints, with the batch; or a list of them, for a layer of several
            tensors.
        seed: int or `None`.
        jit_modes: values of `jit_compile`.
    """

    def __init__(
        self,
        layer_cls: type[keras.Layer],
        init_kwargs: dict[str, Any] | Callable[[], dict[str, Any]],
        input_shape: tuple[int, ...] | list[tuple[int, ...]],
        seed: int | None,
        jit_modes: tuple,
    ) -> None:
        several = any(isinstance(size, (tuple, list)) for size in input_shape)
        self.shapes = tuple(tuple(s) for s in input_shape) if several else (tuple(input_shape),)
        sizes = [n for shape in self.shapes for n in shape]
        if not all(self.shapes) or not all(isinstance(n, int) and n > 0 for n in sizes):
            raise ValueError(
                "`input_shape` must be positive integers, the batch size first, or a list of such "
                f"shapes. Received: input_shape={input_shape}"
            )
        self.layer_cls, self.init_kwargs = layer_cls, init_kwargs
        self.jit_modes = jit_modes
        self.rng = np.random.default_rng(seed)

    def kwargs(self) -> dict[str, Any]:
        """Returns the constructor's arguments with fresh copies of the layers among them."""
        given = self.init_kwargs() if callable(self.init_kwargs) else dict(self.init_kwargs)
        return tree.map_structure(_copy, given)

    def layer(self, **more: Any) -> keras.Layer:
        """Returns a new layer."""
        return self.layer_cls(**{**self.kwargs(), **more})

    @property
    def batch_size(self) -> int:
        """The number of samples in the shape that was given."""
        return self.shapes[0][0]

    def inputs(self, batch: int | None = None) -> list[np.ndarray]:
        """Returns a batch of standard normal numbers in float32, for each tensor of the layer."""
        shapes = [(batch or shape[0], *shape[1:]) for shape in self.shapes]
        return [self.rng.normal(size=shape).astype("float32") for shape in shapes]

    def model(self, layer: keras.Layer) -> keras.Model:
        """Returns a functional model with an unknown batch size that holds the layer alone."""
        inputs = [keras.Input(shape[1:]) for shape in self.shapes]
        return keras.Model(inputs, layer(*inputs))


def _copy(value: Any) -> Any:
    if isinstance(value, keras.Layer):
        return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(value))
    return value
