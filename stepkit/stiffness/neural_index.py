"""The neural stiffness index of the residual blocks of a network."""

from typing import Any
from weakref import WeakKeyDictionary

import keras
from keras import ops

from stepkit.layers import residual_blocks
from stepkit.stiffness import _numbers
from stepkit.stiffness.block_index import BlockIndex

WHICH = ("raw", "applied", "change")
# What has been made for a model: a second look at it compiles nothing.
_MADE: WeakKeyDictionary[keras.Model, dict] = WeakKeyDictionary()


def neural_stiffness_index(
    model: keras.Model, x: Any, which: str = "raw", batch_size: int = 128
) -> BlockIndex:
    """Returns how much each residual block moves its state, relative to its size, per sample.

    ```
    raw      ||f(x_t)||             / ||x_t||
    applied  ||f(x_t) * a_t||       / ||x_t||   gate or step size a_t
    change   ||x_{t+1} - x_t||      / ||x_t||   x_{t+1} after the activation that follows the sum
    ```

    f is the branch of the block, x_t its state: what the block is given, so after the activation
    of the block before, where there is one (`after_activation` of the result tells). Norms are
    over all axes but the first, in at least single precision; zero states as in
    `stiffness_aware_index`. Networks are at inference: normalisation uses its moving averages.

    Without a gate raw and applied are one; without an activation applied and change are one. The
    applied index contains the gate: it goes with attention even where attention is random. A
    statement that relates attention to stiffness needs the raw index, and `permutation_test`.

    It is a relative speed, a proxy for stiffness; `stiffness_aware_index` says where the two part
    ways. The printed formula of the paper was not at hand: these three are a reading of its
    figures.

    Args:
        model: functional or sequential `keras.Model`; `layers.residual_blocks` says what a
            residual block is. Blocks with a projection shortcut are left out.
        x: what `model.predict` takes.
        which: `"raw"`, `"applied"` or `"change"`. Defaults to `"raw"`.
        batch_size: int, samples at a time; only the index is kept. Defaults to `128`.

    Returns:
        `BlockIndex` with `values` `(samples, blocks)`, NumPy, and `names`.

    Raises:
        ValueError: for another `which`, or a model without residual blocks.

    Example: a block that adds half of its state, then one that takes a quarter away.
    >>> steps = [stepkit.layers.ResidualStep(keras.layers.Identity(), h) for h in (0.5, -0.25)]
    >>> model = keras.Sequential([keras.Input((2,)), *steps])
    >>> neural_stiffness_index(model, np.ones((1, 2)), "applied").values.tolist()
    [[0.5, 0.25]]

    Reference: Z. Huang, M. Liang, J. Qin, S. Zhong, L. Lin, *Understanding Self-attention
    Mechanism via Dynamical System Perspective*, ICCV 2023.
    """
    blocks, stages, probe = _probe(model, which)
    return BlockIndex(
        probe.predict(x, batch_size=batch_size, verbose=0),
        tuple(block.name for block in blocks),
        which,
        tuple(block.activation is not None for block in blocks),
        stages,
    )


def index_model(model: keras.Model, which: str = "raw") -> keras.Model:
    """Returns a model that maps the inputs of `model` to its index, `(samples, blocks)`.

    It shares the weights of `model`: make it once and call it, or `predict`, at any time.

    Args:
        model: as in `neural_stiffness_index`, like the errors.
        which: likewise. Defaults to `"raw"`.

    Example:
    >>> step = stepkit.layers.ResidualStep(keras.layers.Identity(), 0.5)
    >>> index_model(keras.Sequential([keras.Input((2,)), step])).output_shape
    (None, 1)
    """
    if which not in WHICH:
        raise ValueError(f"`which` must be one of {WHICH}. Received: which={which!r}")
    return _index_of(identity_blocks(model)[0], which)


def _index_of(blocks, which):
    moved = "output" if which == "change" else which
    pairs = [(getattr(b.tensors, moved), b.tensors.state) for b in blocks]
    return keras.Model(blocks[0].inputs, _RelativeSizes(which == "change")(pairs))


def identity_blocks(model: keras.Model) -> tuple[tuple, tuple[int, ...]]:
    """Returns the blocks without a projection, and the stage of each.

    Raises:
        ValueError: where there is none.
    """
    found, kept, stages, stage = residual_blocks(model), [], [], 0
    for block in found:
        if block.projection:
            stage += bool(kept) and stages[-1] == stage  # a stage begins with its first block
            continue
        if kept and kept[-1].tensors.state.shape != block.tensors.state.shape:
            stage += stages[-1] == stage
        kept.append(block)
        stages.append(stage)
    if not kept:
        raise ValueError(
            "`model` must have residual blocks with an identity shortcut: `ResidualStep` layers, "
            f"or sums of a state and a branch. Received: model={model!r} with {len(found)} blocks "
            f"with a projection, and layers {[type(layer).__name__ for layer in model.layers]}"
        )
    return tuple(kept), tuple(stages)


def _probe(model, which):
    """Returns blocks, stages and index model; the same ones while the graph is the same."""
    graph = (getattr(model, "outputs", None) or [None])[0]
    made = _MADE.setdefault(model, {}) if graph is not None else {}
    if which not in made or made[which][0] is not graph:
        probe = index_model(model, which)
        made[which] = (graph, *identity_blocks(model), probe)
    return made[which][1:]


class _RelativeSizes(keras.Layer):
    """||moved|| / ||state||, or ||moved - state|| / ||state||, for many pairs, side by side."""

    def __init__(self, subtract: bool) -> None:
        super().__init__(autocast=False)
        self.subtract = subtract

    def call(self, pairs):
        sizes = []
        for moved, state in pairs:
            moved, state = (_numbers.floating(value, ops) for value in (moved, state))
            moved = moved - state if self.subtract else moved
            sizes.append(_numbers.relative_size(moved, state, None, ops))
        return ops.stack(sizes, axis=-1)
