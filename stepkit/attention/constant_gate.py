"""ConstantGate: a learned step size for each channel that looks at nothing."""

from typing import Any

from keras import ops

from stepkit.attention._pooling import Pooling
from stepkit.attention.channel_attention import ChannelAttention
from stepkit.attention.lookup import ATTENTION


@ATTENTION.register("constant")
class ConstantGate(ChannelAttention):
    """`a = sigmoid(w)`, one w per channel, from 0: the control of every gate that adapts.

    The same step for all inputs. It could be folded into the normalisation before it, so a network
    can do nothing with it that it could not do without; what an adaptive gate does better than
    this one is what adapting is worth.

    Args:
        data_format: as in `ChannelAttention`, like `**kwargs`, call arguments and errors.
        **kwargs: likewise.

    Example:
    >>> layer = ConstantGate()
    >>> float(layer(keras.ops.ones((2, 8, 8, 16)))[0, 0, 0, 0]), layer.count_params()
    (0.5, 16)

    Reference: S. Zhong et al. measured that gates of trained networks come close to constants:
    *ASR: Attention-alike Structural Re-parameterization*, arXiv 2304.06345.
    """

    def build(self, branch_shape: tuple, shortcut_shape: tuple | None = None) -> None:
        """Creates the weights."""
        shape = (self.channels(branch_shape, shortcut_shape),)
        self.logit = self.add_weight(shape=shape, initializer="zeros", name="logit")

    def gate(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns a, in (0, 1), one number per channel, for all samples."""
        pooling = Pooling(branch, self.data_format, self.gate_dtype)
        return pooling.unpool(ops.sigmoid(ops.cast(self.logit, self.gate_dtype)))
