"""Residual networks to be looked at."""

from __future__ import annotations

import keras

from stepkit.layers import ResidualStep


def dense(width: int = 128, depth: int = 6) -> keras.Model:
    """Blocks of two dense layers, the first four times as wide as the state."""
    blocks = (
        keras.Sequential([keras.layers.Dense(4 * width, "tanh"), keras.layers.Dense(width)])
        for _ in range(depth)
    )
    return _compiled([keras.Input((width,)), *map(ResidualStep, blocks)])


def convolutional(filters: int = 16, depth: int = 6, side: int = 32) -> keras.Model:
    """Blocks of two convolutions, on images."""

    def convolution() -> keras.Layer:
        return keras.layers.Conv2D(filters, 3, padding="same", activation="tanh")

    blocks = (keras.Sequential([convolution(), convolution()]) for _ in range(depth))
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
    return _compiled(
        [keras.Input((side, side, 3)), convolution(), *map(ResidualStep, blocks), *head]
    )


def _compiled(layers: list) -> keras.Model:
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    return model


NETWORKS = {"dense": dense, "convolutional": convolutional}
