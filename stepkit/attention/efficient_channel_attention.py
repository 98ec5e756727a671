"""EfficientChannelAttention: a gate from each channel and its neighbours."""

import math
from typing import Any

from keras import ops

from stepkit.attention._linear import uniform
from stepkit.attention._pooling import Pooling
from stepkit.attention.channel_attention import ChannelAttention
from stepkit.attention.lookup import ATTENTION


@ATTENTION.register("eca")
class EfficientChannelAttention(ChannelAttention):
    """ECA: `a_c = sigmoid(sum_j w_j mean(f)_{c + j})`, j = -(k - 1) / 2 ... (k - 1) / 2.

    One filter of k weights along the channels, with zeros beyond the first and the last, and no
    bias. The size follows from the number of channels C: t = |(log2 C + 1) / 2|, cut to an
    integer, and k = t, or t + 1 where t is even: 3 for 64 channels, 5 for 128 to 1,024. The
    filter is drawn as PyTorch's convolution draws it, uniform within 1 / sqrt(k).

    Args:
        kernel_size: odd int k, or `None` for the rule above. Defaults to `None`.
        data_format: as in `ChannelAttention`, like `**kwargs`, call arguments and errors.
        **kwargs: likewise.

    Raises:
        ValueError: where `kernel_size` is no odd positive integer.

    Example:
    >>> layer = EfficientChannelAttention()
    >>> tuple(layer(keras.ops.ones((2, 8, 8, 64))).shape), layer.count_params()
    ((2, 8, 8, 64), 3)

    Reference: Q. Wang et al., *ECA-Net: Efficient Channel Attention for Deep Convolutional Neural
    Networks*, CVPR 2020.
    """

    def __init__(
        self, kernel_size: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        odd = isinstance(kernel_size, int) and kernel_size > 0 and kernel_size % 2 == 1
        if kernel_size is not None and (not odd or isinstance(kernel_size, bool)):
            raise ValueError(
                "`kernel_size` must be an odd positive integer, or None. "
                f"Received: kernel_size={kernel_size!r}"
            )
        self.kernel_size = kernel_size

    def build(self, branch_shape: tuple, shortcut_shape: tuple | None = None) -> None:
        """Creates the filter."""
        size = self.kernel_size or _size(self.channels(branch_shape, shortcut_shape))
        self.kernel = self.add_weight(shape=(size,), initializer=uniform(size), name="kernel")

    def gate(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns a, in (0, 1), one number per sample and channel."""
        pooling = Pooling(branch, self.data_format, self.gate_dtype)
        mean, size = pooling.mean(branch), self.kernel.shape[0]
        channels, half = mean.shape[-1], size // 2
        padded, kernel = ops.pad(mean, [[0, 0], [half, half]]), ops.cast(self.kernel, mean.dtype)
        return pooling.unpool(
            ops.sigmoid(sum(kernel[j] * padded[:, j : j + channels] for j in range(size)))
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "kernel_size": self.kernel_size}


def _size(channels):
    size = int(abs((math.log2(channels) + 1) / 2))
    return size if size % 2 else size + 1
