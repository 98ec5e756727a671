"""The networks whose branches are gated."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from stepkit.models import cifar_resnet
from stepkit.models._residual_stage import BlockMaker, conv, norm

# Name: depth or blocks per stage, width, image, batch. ResNet-50's four stages, thin ones for CPUs.
SHAPES = {
    "cifar_20": (20, 16, (32, 32, 3), 32),
    "cifar_83": (83, 16, (32, 32, 3), 128),
    "cifar_164": (164, 16, (32, 32, 3), 128),
    "resnet_50_thin": ((3, 4, 6, 3), 16, (64, 64, 3), 16),
    "resnet_50": ((3, 4, 6, 3), 64, (224, 224, 3), 128),
}


def network(shape: str, attention: Any) -> keras.Model:
    """Returns a network that ends in logits."""
    depth, width, image, _ = SHAPES[shape]
    if isinstance(depth, int):
        return cifar_resnet(
            depth,
            attention,
            10,
            width=width,
            input_shape=image,
            classifier_activation=None,
        )
    return resnet(depth, width, image, attention)


def resnet(blocks: tuple[int, ...], width: int, image: tuple, attention: Any) -> keras.Model:
    """The network for large images: a stem of width 7 and stride 2, pooling, stages, classifier."""
    maker = BlockMaker(bottleneck=True)
    inputs = keras.Input(image)
    x = layers.ReLU()(norm(conv(inputs, width, 7, 2, name="stem"), name="stem_bn"))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, count in enumerate(blocks):
        for i in range(count):
            strides = 2 if stage and not i else 1
            name = f"stage{stage + 1}_block{i + 1}"
            x = maker.block(x, width * 2**stage, strides, attention, name)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(1000, dtype="float32")(x))
