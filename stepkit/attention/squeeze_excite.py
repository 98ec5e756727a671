"""SqueezeExcite: a gate from the means of all channels."""

from typing import Any

from keras import ops

from stepkit.attention import _linear
from stepkit.attention._pooling import Pooling
from stepkit.attention.channel_attention import ChannelAttention
from stepkit.attention.lookup import ATTENTION

SOURCES = ("branch", "shortcut")


@ATTENTION.register("se")
class SqueezeExcite(ChannelAttention):
    """Squeeze-and-excitation: `a = sigmoid(W2 relu(W1 mean(f) + b1) + b2)`.

    The mean is over each channel's map; W1 leads from C channels to C / reduction, W2 back. This
    makes 2 C^2 / r + C / r + C weights, all with weight decay. Weights and biases are drawn as
    PyTorch's `Linear` draws them, uniform within 1 / sqrt(number of inputs), so that gates start
    around 0.5.

    Args:
        reduction: positive number r; the hidden width is C / r, rounded, at least 1. Defaults to
            `16`.
        use_bias: bool. Both forms are in use; the works on CIFAR that this library follows have
            biases. Defaults to `True`.
        source: `"branch"`, or `"shortcut"` to look at the state instead of the branch: a control
            for StepNet. Defaults to `"branch"`.
        data_format: as in `ChannelAttention`, like `**kwargs`, call arguments and errors.
        **kwargs: likewise.

    Example:
    >>> layer = SqueezeExcite(reduction=4)
    >>> tuple(layer(keras.ops.ones((2, 8, 8, 16))).shape), layer.count_params()
    ((2, 8, 8, 16), 148)

    Reference: J. Hu, L. Shen, G. Sun, *Squeeze-and-Excitation Networks*, CVPR 2018.
    """

    def __init__(
        self,
        reduction: float = 16,
        use_bias: bool = True,
        source: str = "branch",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        _linear.check_reduction(reduction)
        if source not in SOURCES:
            raise ValueError(f"`source` must be one of {SOURCES}. Received: source={source!r}")
        self.reduction, self.use_bias, self.source = reduction, use_bias, source

    def build(self, branch_shape: tuple, shortcut_shape: tuple | None = None) -> None:
        """Creates the two dense layers."""
        channels = self.channels(branch_shape, shortcut_shape)
        hidden = _linear.hidden_units(channels, self.reduction)
        self.squeeze, self.excite = _linear.squeeze_and_excite(
            channels, hidden, channels, self.gate_dtype, self.use_bias
        )

    def gate(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns a, in (0, 1), one number per sample and channel."""
        x = branch if self.source == "branch" else self.needs(shortcut, "shortcut")
        pooling = Pooling(x, self.data_format, self.gate_dtype)
        return pooling.unpool(ops.sigmoid(self.excite(self.squeeze(pooling.mean(x)))))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"reduction": self.reduction, "use_bias": self.use_bias, "source": self.source}
        return {**super().get_config(), **own}
