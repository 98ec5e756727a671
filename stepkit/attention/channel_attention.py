"""ChannelAttention: the protocol of a gate on the branch of a residual block."""

from typing import Any

import keras
from keras import ops

from stepkit import _axes


class ChannelAttention(keras.Layer):
    """A gate on the branch of a residual block, read as its step size: the base of all of them.

    ```
    y = x + a(f, x) * f          x: shortcut (the state), f: branch (the slope at x), a: gate
    ```

    without a gate this is an Euler step of size 1; the gate makes it one of size a, for each
    sample and channel. The layer is called `layer(branch, shortcut)` and returns `a * branch`: the
    addition is the caller's. A gate that does not look at the state may be called `layer(branch)`.

    To write one, subclass, create variables in `build(branch_shape, shortcut_shape=None)`, and
    return the step size from `gate`. The gate is computed in at least single precision, also
    under a half-precision policy; the product is taken in the compute dtype.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or `None` for that of Keras's
            configuration. Defaults to `None`.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        branch: tensor `(batch, ..., channels)`, or `(batch, channels, ...)` with channels first,
            of any rank from 2 on.
        shortcut: tensor of the same shape, what the branch will be added to. Defaults to `None`.

    Output shape:
        That of the branch.

    Raises:
        ValueError: where the number of channels is not known or the two shapes differ.

    Example: a gate that halves every step.
    >>> class Half(ChannelAttention):
    ...     def gate(self, branch, shortcut=None):
    ...         return keras.ops.full((1, 1), 0.5)
    >>> keras.ops.convert_to_numpy(Half()(keras.ops.ones((1, 2)))).tolist()
    [[0.5, 0.5]]

    Reference: Z. Huang et al., *Understanding Self-attention Mechanism via Dynamical System
    Perspective*, ICCV 2023.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        # Variables are read, and gates computed, in full precision; `call` casts.
        super().__init__(autocast=False, **kwargs)
        self.data_format = _axes.standardize_data_format(data_format)

    @property
    def gate_dtype(self) -> str:
        """The dtype in which the gate is computed: the compute dtype, or float32 where half."""
        return keras.backend.result_type(self.compute_dtype, "float32")

    @property
    def no_weight_decay(self) -> list[keras.Variable]:
        """The variables that the reference implementation leaves out of weight decay."""
        return []

    def gate(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns the step size: a tensor in `gate_dtype` that broadcasts against `branch`.

        Args:
            branch: as in the call, like `shortcut`. The layer must be built.
            shortcut: likewise.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must have a method `gate(self, branch, shortcut=None)` that "
            "returns the step size"
        )

    def call(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns the gated branch."""
        gate = ops.cast(self.gate(branch, shortcut), self.compute_dtype)
        return ops.cast(branch, self.compute_dtype) * gate

    def compute_output_shape(self, branch_shape: tuple, shortcut_shape: Any = None) -> tuple:
        """Returns the shape of the branch."""
        return tuple(branch_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "data_format": self.data_format}

    def channels(self, branch_shape: tuple, shortcut_shape: tuple | None = None) -> int:
        """Returns the number of channels, after a look at the shapes; for `build`.

        Args:
            branch_shape: shape with the batch, like `shortcut_shape`.
            shortcut_shape: shape or `None`, not to be compared.

        Raises:
            ValueError: where it is not known, or the shapes differ where both are known.
        """
        if len(branch_shape) < 2:
            raise ValueError(
                f"{self.name}: `branch` must have an axis for samples and one for channels. "
                f"Received: shape {tuple(branch_shape)}"
            )
        if shortcut_shape is not None and not _fits(branch_shape, shortcut_shape):
            raise ValueError(
                f"{self.name}: `shortcut` must have the shape of `branch`, since the two will be "
                f"added. Received: branch of shape {tuple(branch_shape)}, shortcut of shape "
                f"{tuple(shortcut_shape)}"
            )
        channels = branch_shape[_axes.channel_axis(self.data_format)]
        if channels is None:
            raise ValueError(
                f"{self.name}: the number of channels must be known ({self.data_format}). "
                f"Received: branch of shape {tuple(branch_shape)}"
            )
        return int(channels)

    def needs(self, value: Any, name: str) -> Any:
        """Returns an argument of the call that may not be left out; for `gate`.

        Raises:
            ValueError: where it is `None`.
        """
        if value is None:
            raise ValueError(
                f"{self.name}: `{name}` is needed, since this gate looks at it. "
                f"Expected: layer(branch, shortcut). Received: {name}=None"
            )
        return value

    def needs_map(self, branch_shape: tuple) -> None:
        """Raises `ValueError` where channels are single numbers; for `build`."""
        if len(branch_shape) < 3:
            raise ValueError(
                f"{self.name}: `branch` must have a map for each channel, (batch, ..., channels). "
                f"Received: shape {tuple(branch_shape)}"
            )


def _fits(a, b):
    return len(a) == len(b) and all(m == n or None in (m, n) for m, n in zip(a, b, strict=True))
