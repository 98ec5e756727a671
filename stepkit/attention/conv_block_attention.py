"""ConvBlockAttention: a gate over channels, then one over places."""

from typing import Any

import keras
from keras import ops

from stepkit import _axes
from stepkit.attention import _linear
from stepkit.attention._pooling import Pooling
from stepkit.attention.channel_attention import ChannelAttention
from stepkit.attention.lookup import ATTENTION

CONVOLUTIONS = {3: keras.layers.Conv1D, 4: keras.layers.Conv2D, 5: keras.layers.Conv3D}
WIDTH = 7  # of the filter over places


@ATTENTION.register("cbam")
class ConvBlockAttention(ChannelAttention):
    """CBAM: `a = a_c * a_s`, a gate per channel and a gate per place.

    ```
    a_c = sigmoid(MLP(mean f) + MLP(max f))              MLP: C -> C / reduction -> C, relu, biases
    a_s = sigmoid(BN(conv7([max_c g, mean_c g])))        g = a_c f
    ```

    One MLP for both; mean and max are over maps in the first line and over channels in the second;
    the convolution has width 7, keeps the size and has no bias. Weights: 2 C^2 / r + C / r + C,
    and in two dimensions 98 + 2; all with weight decay, drawn as PyTorch draws them.

    Args:
        reduction: positive number r; the hidden width is C / r, rounded, at least 1. Defaults to
            `16`.
        data_format: as in `ChannelAttention`, like `**kwargs`, call arguments and errors.
        **kwargs: likewise.

    Raises:
        ValueError: where the branch has no map, or one of more than three dimensions.

    Example:
    >>> layer = ConvBlockAttention(reduction=4)
    >>> gated = layer(keras.ops.ones((2, 8, 8, 16)))
    >>> tuple(layer.gate(gated).shape), len(layer.trainable_weights)
    ((2, 8, 8, 16), 7)

    Reference: S. Woo et al., *CBAM: Convolutional Block Attention Module*, ECCV 2018.
    """

    def __init__(
        self, reduction: float = 16, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        _linear.check_reduction(reduction)
        self.reduction = reduction

    def build(self, branch_shape: tuple, shortcut_shape: tuple | None = None) -> None:
        """Creates the MLP, the convolution and its normalisation."""
        channels, rank = self.channels(branch_shape, shortcut_shape), len(branch_shape)
        self.needs_map(branch_shape)
        if rank not in CONVOLUTIONS:
            raise ValueError(
                f"{self.name}: `branch` must have 1 to 3 spatial axes. "
                f"Received: shape {tuple(branch_shape)}"
            )
        hidden, dtype = _linear.hidden_units(channels, self.reduction), self.gate_dtype
        self.squeeze, self.excite = _linear.squeeze_and_excite(channels, hidden, channels, dtype)
        self.conv = CONVOLUTIONS[rank](
            1,
            WIDTH,
            padding="same",
            use_bias=False,
            data_format="channels_last",
            kernel_initializer=_linear.uniform(2 * WIDTH ** (rank - 2)),
            dtype=dtype,
            name="conv",
        )
        self.norm = keras.layers.BatchNormalization(
            momentum=0.99, epsilon=1e-5, dtype=dtype, name="norm"
        )
        places = self._channels_last(branch_shape)[1:-1]
        self.conv.build((None, *places, 2))
        self.norm.build((None, *places, 1))

    def gate(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns a, in (0, 1), of the shape of the branch."""
        pooling = Pooling(branch, self.data_format, self.gate_dtype)
        branch = ops.cast(branch, self.gate_dtype)
        pooled = (pooling.mean(branch), ops.max(branch, axis=pooling.axes))
        channels = pooling.unpool(ops.sigmoid(sum(self.excite(self.squeeze(p)) for p in pooled)))
        gated, axis = branch * channels, _axes.channel_axis(self.data_format)
        # One or two channels: moving them last is cheap, and every kernel takes them there.
        summary = ops.stack([ops.max(gated, axis=axis), ops.mean(gated, axis=axis)], axis=-1)
        places = ops.sigmoid(self.norm(self.conv(summary)))
        return channels * ops.expand_dims(ops.squeeze(places, axis=-1), axis)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "reduction": self.reduction}

    def _channels_last(self, shape):
        if self.data_format == "channels_last":
            return tuple(shape)
        return (shape[0], *shape[2:], shape[1])
