"""get: a channel attention by name, class or object."""

from typing import Any

import keras

from stepkit._registry import Names

ATTENTION = Names("attention")


def get(attention: Any) -> keras.Layer:
    """Returns a new layer that gates a branch: each block of a network needs one of its own.

    Args:
        attention: a name (`"squeeze_excite"` or `"se"`, `"efficient_channel_attention"` or
            `"eca"`, `"conv_block_attention"` or `"cbam"`, `"style_recalibration"` or `"srm"`,
            `"gated_channel_transform"` or `"gct"`, `"constant_gate"` or `"constant"`,
            `"step_net_attention"` or `"stepnet"`, a reconstruction); a class or a function that
            makes a layer without arguments; or a layer, of which a copy with new weights is made.

    Raises:
        ValueError: for an unknown name.
        TypeError: for anything else, and where what was called made no layer.

    Example:
    >>> get("eca").name != get("eca").name
    True
    """
    if isinstance(attention, str):
        return ATTENTION.make(attention)
    if isinstance(attention, keras.Layer):
        config = {k: v for k, v in attention.get_config().items() if k != "name"}
        return type(attention).from_config(config)
    made = attention() if callable(attention) else attention
    if not isinstance(made, keras.Layer):
        raise TypeError(
            "`attention` must be a name, a keras.Layer, or a class or function that makes one "
            f"without arguments. Received: attention={attention!r}"
        )
    return made
