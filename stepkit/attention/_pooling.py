"""Statistics of each channel over its map, `(batch, channels)`, and the way back."""

from typing import Any

from keras import ops

from stepkit import _axes


class Pooling:
    """Looks at maps of one rank and data format, in one dtype.

    Args:
        x: tensor with the batch; only its rank is used.
        data_format: str, resolved.
        dtype: str, of every statistic. Half precision would lose digits in long sums.
    """

    def __init__(self, x: Any, data_format: str, dtype: str) -> None:
        self.data_format, self.dtype, self.rank = data_format, dtype, len(x.shape)
        self.axes = _axes.spatial_axes(self.rank, data_format)

    def mean(self, x: Any) -> Any:
        """Returns the mean of each channel (global average pooling)."""
        return ops.mean(ops.cast(x, self.dtype), axis=self.axes)

    def sum_of_squares(self, x: Any) -> Any:
        """Returns the sum of squares of each channel."""
        return ops.sum(ops.square(ops.cast(x, self.dtype)), axis=self.axes)

    def mean_and_deviation(self, x: Any, epsilon: float) -> tuple[Any, Any]:
        """Returns the mean and sqrt(unbiased variance + epsilon) of each channel."""
        x = ops.cast(x, self.dtype)
        mean = ops.mean(x, axis=self.axes, keepdims=True)
        # A map of one pixel has no deviation: 0 / 1, not 0 / 0.
        count = ops.cast(ops.prod(ops.shape(x)[self.axes[0] : self.axes[-1] + 1]), self.dtype)
        spread = ops.sum(ops.square(x - mean), axis=self.axes) / ops.maximum(count - 1.0, 1.0)
        return ops.squeeze(mean, axis=self.axes), ops.sqrt(spread + epsilon)

    def unpool(self, gate: Any) -> Any:
        """Returns `(batch, channels)` as a tensor that broadcasts against the maps."""
        spatial = (1,) * (self.rank - 2)
        first = self.data_format == "channels_first"
        channels = gate.shape[-1]
        return ops.reshape(gate, (-1, channels, *spatial) if first else (-1, *spatial, channels))
