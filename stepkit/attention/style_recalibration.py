"""StyleRecalibration: a gate from mean and standard deviation of each channel."""

from typing import Any

from keras import ops

from stepkit.attention._pooling import Pooling
from stepkit.attention._style import EPSILON, StyleIntegration
from stepkit.attention.channel_attention import ChannelAttention
from stepkit.attention.lookup import ATTENTION


@ATTENTION.register("srm")
class StyleRecalibration(ChannelAttention):
    """SRM: `a_c = sigmoid(BN(w_c1 mean(f)_c + w_c2 std(f)_c))`.

    Each channel has two weights of its own; batch normalisation follows, then the sigmoid. The
    deviation is sqrt(v + 1e-5) with the unbiased variance v of the map. The 2 C weights start at
    0, so that gates start at 0.5; with the scales and offsets of the normalisation there are 4 C,
    all of them without weight decay.

    Args:
        data_format: as in `ChannelAttention`, like `**kwargs`, call arguments and errors.
        **kwargs: likewise.

    Raises:
        ValueError: where there is no map, for a branch `(batch, channels)`.

    Example:
    >>> layer = StyleRecalibration()
    >>> y = layer(keras.ops.ones((2, 8, 8, 16)))
    >>> float(y[0, 0, 0, 0]), sum(w.shape[-1] for w in layer.trainable_weights if w.ndim == 1)
    (0.5, 32)

    Reference: H. Lee, H.-E. Kim, H. Nam, *SRM: A Style-based Recalibration Module for
    Convolutional Neural Networks*, ICCV 2019.
    """

    def build(self, branch_shape: tuple, shortcut_shape: tuple | None = None) -> None:
        """Creates the weights and the normalisation."""
        channels = self.channels(branch_shape, shortcut_shape)
        self.needs_map(branch_shape)
        self.integration = StyleIntegration(dtype=self.gate_dtype, name="integration")
        self.integration.build((None, channels, 2))

    @property
    def no_weight_decay(self) -> list:
        """All variables."""
        return list(self.trainable_variables)

    def gate(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns a, in (0, 1), one number per sample and channel."""
        pooling = Pooling(branch, self.data_format, self.gate_dtype)
        style = ops.stack(pooling.mean_and_deviation(branch, EPSILON), axis=-1)
        return pooling.unpool(ops.sigmoid(self.integration(style)))
