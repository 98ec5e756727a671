"""What layers do with a sub-layer that they were given."""

import inspect
from typing import Any

import keras


def check_layer(name: str, layer: Any) -> None:
    """Raises `TypeError` where the argument called `name` is not a Keras layer."""
    if not isinstance(layer, keras.Layer):
        raise TypeError(
            f"`{name}` must be a keras.Layer (a lambda cannot be saved). Received: {name}={layer!r}"
        )


def takes(layer: keras.Layer, argument: str) -> bool:
    """Whether `layer.call` has an argument of that name."""
    return argument in inspect.signature(layer.call).parameters


def context(layer: keras.Layer, training: bool | None, mask: Any) -> dict[str, Any]:
    """Returns those of `training` and `mask` that are set and that the layer takes."""
    given = {"training": training, "mask": mask}
    return {k: v for k, v in given.items() if v is not None and takes(layer, k)}


def build(layer: keras.Layer, *shapes: tuple, dtype: str) -> None:
    """Creates all variables of a sub-layer, also of one that leaves that to its first call."""
    if layer.built:
        return
    arguments = inspect.signature(layer.build).parameters
    if type(layer).build is keras.Layer.build:
        # No `build` of its own: it may hold children that are not built. A trace builds them.
        layer.compute_output_spec(*(keras.KerasTensor(s, dtype) for s in shapes))
    layer.build(*(shapes if len(shapes) == len(arguments) else shapes[-1:]))


def output_shape(layer: keras.Layer, *shapes: tuple, dtype: str) -> tuple:
    """Returns the shape of what a layer answers, by tracing it where it does not tell."""
    return tuple(layer.compute_output_spec(*(keras.KerasTensor(s, dtype) for s in shapes)).shape)


def check_output_shape(owner: str, name: str, expected: tuple, received: tuple) -> None:
    """Raises `ValueError` where a sub-layer does not keep the shape, as far as shapes are known."""
    fits = len(expected) == len(received) and all(
        a == b or None in (a, b) for a, b in zip(expected, received, strict=False)
    )
    if not fits:
        raise ValueError(
            f"{owner}: `{name}` must keep the shape of its input, because its output is added to "
            f"it. Expected: {tuple(expected)}. Received: {tuple(received)}"
        )
