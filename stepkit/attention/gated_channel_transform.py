"""GatedChannelTransform: a gate around 1 from the competition of channels."""

from typing import Any

from keras import ops

from stepkit.attention._pooling import Pooling
from stepkit.attention.channel_attention import ChannelAttention
from stepkit.attention.lookup import ATTENTION

EPSILON = 1e-5


@ATTENTION.register("gct")
class GatedChannelTransform(ChannelAttention):
    """GCT: `a = 1 + tanh(gamma e / r + beta)`, how large a channel is beside the others.

    ```
    e = alpha sqrt(sum f^2 + eps),    r = sqrt(mean_c e^2 + eps)
    ```

    The sum is over a channel's map, the mean over the channels, eps = 1e-5. Each channel has an
    alpha (from 1), a gamma and a beta (from 0): 3 C weights, beta without weight decay. Gates lie
    in (0, 2) and start at 1: a step size around that of the network without attention.

    The original sits before convolutions. Here it gates the branch, like its siblings.

    Args:
        data_format: as in `ChannelAttention`, like `**kwargs`, call arguments and errors.
        **kwargs: likewise.

    Example:
    >>> layer = GatedChannelTransform()
    >>> y = layer(keras.ops.full((2, 8, 8, 16), 3.0))
    >>> float(y[0, 0, 0, 0]), layer.count_params()
    (3.0, 48)

    Reference: Z. Yang et al., *Gated Channel Transformation for Visual Recognition*, CVPR 2020.
    """

    def build(self, branch_shape: tuple, shortcut_shape: tuple | None = None) -> None:
        """Creates alpha, gamma and beta."""
        shape = (self.channels(branch_shape, shortcut_shape),)
        self.alpha = self.add_weight(shape=shape, initializer="ones", name="alpha")
        self.gamma = self.add_weight(shape=shape, initializer="zeros", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    @property
    def no_weight_decay(self) -> list:
        """Beta."""
        return [self.beta]

    def gate(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns a, in (0, 2), one number per sample and channel."""
        pooling = Pooling(branch, self.data_format, self.gate_dtype)
        alpha, gamma, beta = (
            ops.cast(v, self.gate_dtype) for v in (self.alpha, self.gamma, self.beta)
        )
        size = alpha * ops.sqrt(pooling.sum_of_squares(branch) + EPSILON)
        scale = ops.sqrt(ops.mean(ops.square(size), axis=-1, keepdims=True) + EPSILON)
        return pooling.unpool(1.0 + ops.tanh(gamma * size / scale + beta))
