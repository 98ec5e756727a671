"""OperatorNormConstraint: a bound on how much a dense or convolution layer can stretch."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from stepkit._registry import serializable
from stepkit.spectra import power_iteration, vjp


@serializable
class OperatorNormConstraint(keras.constraints.Constraint):
    """Scales a kernel so that the operator norm of its layer is at most `max_norm`.

    ```
    w <- w * min(1, max_norm / |L_w|)        |L_w| = max |L_w x| / |x|
    ```

    L_w is the linear map that the layer makes of its input: x -> x w for a dense kernel, and for
    the kernel of a convolution the convolution itself, with its stride, padding, dilation and
    groups, on inputs of the given size. That is not the norm of the kernel reshaped to a matrix,
    which may be too large by a factor of the root of the number of places that a kernel covers, or
    too small.

    The norm is found by power iteration from a fixed random start. It never exceeds the true one;
    after 30 steps it is seldom more than a few per cent below it, and so may the norm of the layer
    exceed the bound. Each update of the weights costs `num_steps` convolutions of one sample
    and as many transposed ones.

    Args:
        max_norm: float > 0. Defaults to `1.0`.
        input_shape: ints, the shape of one sample that the layer gets, without the batch:
            `(height, width, channels)`, or with the channels first. To be left out for a dense
            layer. Defaults to `None`.
        strides: int or ints, as in the layer. Defaults to `1`.
        padding: `"valid"` or `"same"`, likewise. Defaults to `"valid"`, as in Keras.
        dilation_rate: int or ints, likewise. Defaults to `1`.
        groups: int, likewise. Defaults to `1`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `None`: Keras's setting.
        num_steps: int, steps of the power iteration. Defaults to `30`.

    Raises:
        ValueError: for arguments out of range, or a kernel that does not go with `input_shape`.

    Example: the sum of nine neighbours stretches a constant image ninefold, less at the border.
    >>> constraint = OperatorNormConstraint(2.0, (32, 32, 1), padding="same", num_steps=100)
    >>> kernel = constraint(keras.ops.ones((3, 3, 1, 1)))
    >>> bool(2 / 9 <= kernel[0, 0, 0, 0] < 2 / 8.9)
    True

    Reference: H. Sedghi, V. Gupta, P. Long, *The Singular Values of Convolutional Layers*, ICLR
    2019; H. Gouk et al., *Regularisation of neural networks by enforcing Lipschitz continuity*,
    Machine Learning 110 (2021) 393-416.
    """

    def __init__(
        self,
        max_norm: float = 1.0,
        input_shape: Sequence[int] | None = None,
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        dilation_rate: int | Sequence[int] = 1,
        groups: int = 1,
        data_format: str | None = None,
        num_steps: int = 30,
    ) -> None:
        self.max_norm = _positive("max_norm", max_norm, float)
        self.input_shape = None if input_shape is None else _whole("input_shape", input_shape)
        self.strides, self.dilation_rate = strides, dilation_rate
        for name, value in (("strides", strides), ("dilation_rate", dilation_rate)):
            _whole(name, value if isinstance(value, Sequence) else (value,))
        self.groups = _positive("groups", groups, int)
        self.num_steps = _positive("num_steps", num_steps, int)
        self.padding = _one_of("padding", padding, ("valid", "same"))
        self.data_format = _one_of(
            "data_format",
            keras.config.image_data_format() if data_format is None else data_format,
            ("channels_last", "channels_first"),
        )

    def __call__(self, w: Any) -> Any:
        """Returns the kernel, scaled where its operator norm is above the bound."""
        w = ops.convert_to_tensor(w)
        norm = ops.cast(self.norm(w), w.dtype)
        return w * (self.max_norm / ops.maximum(norm, ops.cast(self.max_norm, w.dtype)))

    def norm(self, w: Any) -> Any:
        """Returns the operator norm of the layer with kernel `w`, a scalar tensor."""
        w = ops.convert_to_tensor(w)
        if "float16" in keras.backend.standardize_dtype(w.dtype):
            w = ops.cast(w, "float32")
        self._check(tuple(w.shape))
        if self.input_shape is None:
            return self._norm(lambda x: x @ w, (1, w.shape[0]), w.dtype)
        # Groups do not touch each other: the norm is the largest of theirs. One by one, since
        # TensorFlow's CPU kernels have no derivative of a grouped convolution.
        parts = ops.split(w, self.groups, axis=-1)
        return ops.max(ops.stack([self._convolution_norm(part) for part in parts]))

    def _convolution_norm(self, w):
        spatial = self._spatial()
        sizes = (w.shape[-2], *spatial) if self._channels_first() else (*spatial, w.shape[-2])
        return self._norm(lambda x: self._convolve(x, w), (1, *sizes), w.dtype)

    def _convolve(self, x, w):
        return ops.conv(
            x,
            w,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )

    def _norm(self, apply: Callable, shape: tuple, dtype: str) -> Any:
        def gram(v):
            # The map is linear: its derivative at v, transposed, is the same everywhere.
            image, pull = vjp(apply, v)
            return pull(image)[0]

        start = keras.random.normal(shape, dtype=dtype, seed=0)
        square = power_iteration(gram, start, self.num_steps).eigenvalue
        return ops.sqrt(ops.maximum(square, ops.zeros_like(square)))

    def _channels_first(self) -> bool:
        return self.data_format == "channels_first"

    def _spatial(self) -> tuple:
        return self.input_shape[1:] if self._channels_first() else self.input_shape[:-1]

    def _check(self, kernel: tuple) -> None:
        if self.input_shape is None:
            if len(kernel) != 2:
                raise ValueError(
                    "`input_shape` may be left out for the kernel (inputs, units) of a dense layer "
                    f"only. Received: input_shape=None, kernel of shape {kernel}"
                )
            return
        channels = self.input_shape[0 if self._channels_first() else -1]
        fits = len(kernel) == len(self.input_shape) + 1 and channels == kernel[-2] * self.groups
        if not fits or kernel[-1] % self.groups:
            raise ValueError(
                "`input_shape` must be the shape of one sample for a kernel of shape (sizes..., "
                f"channels / groups, filters). Received: input_shape={self.input_shape}, "
                f"data_format='{self.data_format}', groups={self.groups}, kernel of shape {kernel}"
            )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return dict(vars(self))


def _positive(name, value, kind):
    kinds = (int, float, np.integer, np.floating) if kind is float else (int, np.integer)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < np.inf:
        what = "a number" if kind is float else "an integer"
        raise ValueError(f"`{name}` must be {what} > 0. Received: {name}={value!r}")
    return kind(value)


def _whole(name, values):
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ValueError(f"`{name}` must be integers > 0. Received: {name}={values!r}")
    return tuple(_positive(name, value, int) for value in values)


def _one_of(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {allowed}. Received: {name}={value!r}")
    return value
