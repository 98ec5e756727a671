"""The blocks of a CIFAR ResNet, as calls on the tensors of a functional model."""

from dataclasses import dataclass, field
from typing import Any

import keras
from keras import layers

from stepkit import _axes
from stepkit.layers import ODEBlock
from stepkit.models._gated import gated


def conv(x: Any, filters: int, size: int, strides: int = 1, name: str | None = None) -> Any:
    """Returns a convolution without bias, padded so that a stride of 1 keeps the size.

    With stride 2 PyTorch pads both sides by 1, Keras's "same" the right side alone; this pads as
    PyTorch does, so that weights mean the same there.
    """
    padding = "same"
    if strides > 1 and size > 1:
        x, padding = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x), "valid"
    return layers.Conv2D(
        filters,
        size,
        strides,
        padding,
        use_bias=False,
        # N(0, 2 / (k^2 C_out)), as in the group's code. A new one each time: an initialiser without
        # a seed draws it once, and would give all convolutions of one shape the same weights.
        kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
        name=name,
    )(x)


def norm(x: Any, name: str) -> Any:
    """Returns batch normalisation as in PyTorch: epsilon 1e-5, momentum 0.1, which is 0.9 here."""
    axis = _axes.channel_axis(keras.config.image_data_format())
    return layers.BatchNormalization(axis=axis, momentum=0.9, epsilon=1e-5, name=name)(x)


@dataclass
class BlockMaker:
    """Makes residual blocks of one kind.

    Args:
        bottleneck: bool; kernels 1, 3, 1 with four times the channels at the end, or 3, 3.
        solver: str or solver, the step of a block with an identity shortcut.
        step_size: float, its size.
    """

    bottleneck: bool
    solver: Any = "euler"
    step_size: float = 1.0
    expansion: int = field(init=False)

    def __post_init__(self) -> None:
        self.expansion = 4 if self.bottleneck else 1

    def block(self, x: Any, planes: int, strides: int, gate: Any, name: str) -> Any:
        """Returns the state after one block.

        Args:
            x: `KerasTensor`, the state.
            planes: int, channels within; `planes * expansion` after it.
            strides: int, of the first convolution of width 3.
            gate: what `attention.get` takes, or `None`.
            name: str, of the addition; layers are called `name_conv1` and so on.
        """
        channels = x.shape[_axes.channel_axis(keras.config.image_data_format())]
        if strides != 1 or channels != planes * self.expansion:
            y = self._projection(x, planes, strides, gate, name)
        elif self.solver == "euler":
            slope = self._slope(x, planes, gate, name)
            y = layers.Add(name=name)([x, self._scaled(slope, name)])
        else:
            y = self._solved(x, planes, gate, name)
        return layers.ReLU(name=f"{name}_relu")(y)

    def _projection(self, x, planes, strides, gate, name):
        """Returns a change of space, which is no step: neither solver nor step size apply."""
        shortcut = conv(x, planes * self.expansion, 1, strides, name=f"{name}_shortcut")
        shortcut = norm(shortcut, name=f"{name}_shortcut_bn")
        branch = gated(self._branch(x, planes, strides, name), shortcut, gate, name)
        return layers.Add(name=name)([shortcut, branch])

    def _scaled(self, slope, name):
        if self.step_size == 1.0:
            return slope
        return layers.Rescaling(self.step_size, name=f"{name}_step")(slope)

    def _solved(self, x, planes, gate, name):
        """Returns one step of the solver along a field with the weights of the block."""
        state = keras.Input(x.shape[1:], name=f"{name}_state")
        slope = keras.Model(state, self._slope(state, planes, gate, name), name=f"{name}_field")
        span = (0.0, self.step_size)
        return ODEBlock(slope, self.solver, num_steps=1, t_span=span, name=name)(x)

    def _slope(self, x, planes, gate, name):
        return gated(self._branch(x, planes, 1, name), x, gate, name)

    def _branch(self, x, planes, strides, name):
        """Returns convolutions with normalisation, a relu between them, none after the last."""
        widths = [(planes, 3, strides), (planes, 3, 1)]
        if self.bottleneck:
            widths = [(planes, 1, 1), (planes, 3, strides), (planes * self.expansion, 1, 1)]
        for i, (filters, size, stride) in enumerate(widths, start=1):
            if i > 1:
                x = layers.ReLU(name=f"{name}_relu{i - 1}")(x)
            x = norm(conv(x, filters, size, stride, name=f"{name}_conv{i}"), name=f"{name}_bn{i}")
        return x
