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
    found = gate_model(model).predict(x, batch_size=batch_size, verbose=0)
    # Keras sorts a dictionary by its keys.
    return {block.name: _by_channel(found[block.name]) for block in _gated_blocks(model)}


def gate_model(model: keras.Model) -> keras.Model:
    """Returns a model that maps the inputs of `model` to its gates, by the names of their blocks.

    It shares the weights of `model`: make it once, and call it at any time during training. Gates
    have the shapes in which they broadcast against their branches, one row per sample.

    Args:
        model: as in `gate_values`, like the errors.

    Example:
    >>> state = keras.Input((4,))
    >>> gated = stepkit.attention.ConstantGate()(keras.layers.Dense(4)(state), state)
    >>> model = keras.Model(state, keras.layers.Add(name="block")([state, gated]))
    >>> {name: tuple(gate.shape) for name, gate in gate_model(model)(np.ones((2, 4))).items()}
    {'block': (2, 4)}
    """
    blocks = _gated_blocks(model)
    gates = _Gates(blocks)([block.gate_inputs for block in blocks])
    names = [block.name for block in blocks]
    return keras.Model(blocks[0].inputs, dict(zip(names, gates, strict=True)))


def _gated_blocks(model):
    blocks = [block for block in residual_blocks(model) if block.attention is not None]
    if not blocks:
        raise ValueError(
            "`model` must have a residual block whose branch ends with a layer that has a method "
            f"`gate`. Received: model={model!r}"
        )
    return blocks


def _by_channel(gate):
    """Returns the gate without its places, where it is the same at all of them."""
    spatial = gate.shape[1:-1] if gate.shape[-1] != 1 else gate.shape[2:]
    return gate.reshape(len(gate), -1) if set(spatial) <= {1} else gate


class _Gates(keras.Layer):
    """The gates alone, one row per sample, also where they do not depend on the sample."""

    def __init__(self, blocks: list) -> None:
        super().__init__(autocast=False)
        self.attentions = [block.attention for block in blocks]

    def build(self, input_shape):
        pass

    def call(self, inputs):
        pairs = zip(self.attentions, inputs, strict=True)
        return [_rows(ops.convert_to_tensor(layer.gate(*x)), x[0]) for layer, x in pairs]


def _rows(gate, branch):
    return ops.broadcast_to(gate, (ops.shape(branch)[0], *gate.shape[1:]))
