"""StepNetAttention: a gate from the state and a first estimate of the next one."""

from typing import Any

from stepkit.attention import _linear
from stepkit.attention._estimates import ESTIMATES
from stepkit.attention._pooling import Pooling
from stepkit.attention.channel_attention import ChannelAttention
from stepkit.attention.lookup import ATTENTION


@ATTENTION.register("stepnet")
class StepNetAttention(ChannelAttention):
    """A step size from the two states that stiffness is made of: a **reconstruction** of StepNet.

    Stiffness of a step shows in the state x and the state after it. The branch f gives a first
    estimate of that one, the Euler step x + f; the gate looks at both:

    ```
    "pair"        a = sigmoid(W2 relu(W1 [mean(x), mean(x + f)] + b1) + b2)
    "statistics"  a_c = sigmoid(BN(w_c . [mean, std of x_c, mean, std of (x + f)_c]))
    "index"       a_c = sigmoid(w_c z_c + b_c),  z = LN(log(s + eps)),  s_c = |f_c| / (|x_c| + eps)
    ```

    Means and deviations are over each channel's map, as in `StyleRecalibration`; |.| is the norm
    of a map, eps = 1e-3, LN the layer normalisation over channels without weights (epsilon 1e-5).
    s is the raw stiffness index of one channel. In "statistics" and "index" the weights start at
    0, so that gates start at 0.5; there, and nowhere in "pair", weights have no weight decay.
    Weights, for C channels and reduction r:

    ```
    "pair" 3 C^2 / r + C / r + C        "statistics" 6 C        "index" 2 C
    ```

    **The published module was not at hand**, and we found no public code of it. What we know of
    StepNet is its purpose, from the paper's abstract: to extract fine-grained stiffness
    information. These three are readings of it, not the module of the paper.

    Means add up, mean(x + f) = mean(x) + mean(f): "pair" knows what `SqueezeExcite` knows, and the
    state. Only a statistic that does not add up, such as a deviation, tells more.

    Args:
        variant: `"pair"`, `"statistics"` or `"index"`. Defaults to `"pair"`.
        reduction: positive number r, of "pair"; the hidden width is C / r, rounded, at least 1.
            Defaults to `16`.
        data_format: as in `ChannelAttention`, like `**kwargs`.
        **kwargs: likewise.

    Call arguments:
        branch: as in `ChannelAttention`.
        shortcut: tensor of the same shape, the state x; needed here.

    Raises:
        ValueError: for another variant, without `shortcut`, where the shapes differ, and where
            "statistics" meets a branch without a map.

    Example:
    >>> state, slope = keras.ops.ones((2, 8, 8, 16)), keras.ops.ones((2, 8, 8, 16))
    >>> layer = StepNetAttention("index")
    >>> next_state = state + layer(slope, state)
    >>> float(next_state[0, 0, 0, 0]), layer.count_params()
    (1.5, 32)

    Reference: Z. Huang, M. Liang, J. Qin, S. Zhong, L. Lin, *Understanding Self-attention
    Mechanism via Dynamical System Perspective*, ICCV 2023 (the idea; see above).
    """

    def __init__(
        self,
        variant: str = "pair",
        reduction: float = 16,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        if variant not in ESTIMATES:
            raise ValueError(
                f"`variant` must be one of {tuple(ESTIMATES)}. Received: variant={variant!r}"
            )
        _linear.check_reduction(reduction)
        self.variant, self.reduction = variant, reduction

    def build(self, branch_shape: tuple, shortcut_shape: tuple | None = None) -> None:
        """Creates the weights of the variant."""
        channels = self.channels(branch_shape, shortcut_shape)
        if self.variant == "statistics":
            self.needs_map(branch_shape)
        self.estimate = ESTIMATES[self.variant](channels, self.reduction, self.gate_dtype)

    @property
    def no_weight_decay(self) -> list:
        """All variables of "statistics" and "index", none of "pair"."""
        return [] if self.variant == "pair" else list(self.trainable_variables)

    def gate(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns a, in (0, 1), one number per sample and channel."""
        shortcut = self.needs(shortcut, "shortcut")
        pooling = Pooling(branch, self.data_format, self.gate_dtype)
        return pooling.unpool(self.estimate(branch, shortcut, pooling=pooling))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "variant": self.variant, "reduction": self.reduction}
