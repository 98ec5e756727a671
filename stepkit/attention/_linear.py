"""The two-layer network of gates, drawn as the reference implementations draw it."""

from typing import Any

import keras


def uniform(fan_in: int) -> keras.initializers.Initializer:
    """Returns PyTorch's initialiser of kernels and biases: uniform within 1 / sqrt(fan_in)."""
    bound = fan_in**-0.5
    return keras.initializers.RandomUniform(-bound, bound)


def linear(inputs: int, units: int, use_bias: bool = True, **kwargs: Any) -> keras.layers.Dense:
    """Returns a built dense layer from `inputs` to `units`, drawn as PyTorch draws it."""
    initial = {"kernel_initializer": uniform(inputs), "bias_initializer": uniform(inputs)}
    layer = keras.layers.Dense(units, use_bias=use_bias, **initial, **kwargs)
    layer.build((None, inputs))
    return layer


def squeeze_and_excite(
    inputs: int, hidden: int, outputs: int, dtype: str, use_bias: bool = True
) -> tuple[keras.layers.Dense, keras.layers.Dense]:
    """Returns the two built layers: down to `hidden` units with a relu, and up to the gates."""
    down = linear(inputs, hidden, use_bias, activation="relu", dtype=dtype, name="squeeze")
    return down, linear(hidden, outputs, use_bias, dtype=dtype, name="excite")


def hidden_units(channels: int, reduction: float) -> int:
    """Returns the width of the hidden layer: `channels / reduction`, rounded, at least 1."""
    return max(1, round(channels / reduction))


def check_reduction(reduction: Any) -> None:
    """Raises `ValueError` where the ratio is no positive number."""
    number = isinstance(reduction, (int, float)) and not isinstance(reduction, bool)
    if not number or not 0 < reduction < float("inf"):
        raise ValueError(
            f"`reduction` must be a positive number. Received: reduction={reduction!r}"
        )
