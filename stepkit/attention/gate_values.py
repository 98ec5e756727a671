"""gate_values: the step sizes that the gates of a network choose."""

from typing import Any

import keras
import numpy as np
from keras import ops

from stepkit.layers import residual_blocks


def gate_values(model: keras.Model, x: Any, batch_size: int = 128) -> dict[str, np.ndarray]:
    """Returns what each gate of a network answers, at inference, by the name of its block.

    Blocks with a projection shortcut are there too; blocks without a gate are not.

    Args:
        model: functional or sequential `keras.Model`; `layers.residual_blocks` says what a
            residual block and its gate are.
        x: what `model.predict` takes.
        batch_size: int, samples at a time. Defaults to `128`.

    Returns:
        Dictionary in the order of computation. Values are float32 arrays `(samples, channels)`, or
        of the shape of the branch for a gate that also depends on the place, as in CBAM.

    Raises:
        ValueError: where the model has no residual block with a gate.

    Example:
    >>> state = keras.Input((4,))
    >>> slope = keras.layers.Dense(4)(state)
    >>> gated = stepkit.attention.ConstantGate()(slope, state)
    >>> model = keras.Model(state, keras.layers.Add(name="block")([state, gated]))
    >>> gate_values(model, np.ones((2, 4)))["block"].tolist()
    [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]]
    """
    blocks = [block for block in residual_blocks(model) if block.attention is not None]
    if not blocks:
        raise ValueError(
            "`model` must have a residual block whose branch ends with a layer that has a method "
            f"`gate`. Received: model={model!r}"
        )
    gates = [_Gate(block.attention)(block.gate_inputs) for block in blocks]
    # A list with one member would come back as an array.
    values = keras.Model(blocks[0].inputs, dict(zip(_keys(blocks), gates, strict=True)))
    found = values.predict(x, batch_size=batch_size, verbose=0)
    names = (block.name for block in blocks)
    return {name: _by_channel(found[k]) for name, k in zip(names, _keys(blocks), strict=True)}


def _keys(blocks):
    return [f"gate{i}" for i in range(len(blocks))]  # names of blocks may hold a slash


def _by_channel(gate):
    """Returns the gate without its places, where it is the same at all of them."""
    spatial = gate.shape[1:-1] if gate.shape[-1] != 1 else gate.shape[2:]
    return gate.reshape(len(gate), -1) if set(spatial) <= {1} else gate


class _Gate(keras.Layer):
    """The gate alone, one row per sample, also where it does not depend on the sample."""

    def __init__(self, attention: keras.Layer) -> None:
        super().__init__(autocast=False)
        self.attention = attention

    def build(self, input_shape):
        pass

    def call(self, inputs):
        gate = ops.convert_to_tensor(self.attention.gate(*inputs))
        return ops.broadcast_to(gate, (ops.shape(inputs[0])[0], *gate.shape[1:]))
