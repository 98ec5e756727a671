"""block_margin: the residual blocks of a network as steps that may be too long."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from stepkit.layers import residual_blocks
from stepkit.stability import _branch_spectrum
from stepkit.stability.block_margins import BlockMargins
from stepkit.stability.stability_function import stability_function


def block_margin(
    model: keras.Model,
    x: Any,
    solver: Any = "euler",
    frozen_gate: bool = False,
    *,
    max_dense: int = 128,
    order: int = 24,
    num_probes: int = 4,
    seed: int = 0,
) -> BlockMargins:
    """Places each residual block of a network in the stability region of a solver.

    A block x -> x + h f(x) is one Euler step. Near a state its update has the Jacobian I + hJ, hJ
    being that of the whole branch: gate and step size, and the derivative of the gate, included;
    an activation after the sum is not. Each eigenvalue z of hJ is placed in the region:

    ```
    amplification = max |R(z)|        margin = 1 - amplification        R(z) = 1 + z for Euler
    ```

    With another solver the same slope is looked at as if that solver made the step. The eigenvalues
    describe repeated steps with one Jacobian. A single step from x can grow differences although
    the margin is positive, if hJ is not normal: `logarithmic_norm`, `departure` and `commutator`
    say how far it is from that.

    States with at most `max_dense` numbers get their whole Jacobian, at the price of that many
    products per sample. Larger ones get Ritz values: those at the rim of the spectrum come first,
    so that amplification and logarithmic norm are mostly a little too small.

    Args:
        model: functional or sequential `keras.Model`; `layers.residual_blocks` says what a block
            is. Blocks with a projection shortcut are left out: they are no steps. A block must
            treat the samples of a batch apart, as networks do at inference.
        x: array, tensor or structure of them, a batch of inputs; all samples at once.
        solver: what `stability_function` takes. Defaults to `"euler"`.
        frozen_gate: bool, whether a gate counts as a constant: the ratio of what is added to what
            the branch gave, entry by entry (0 where that is 0). Defaults to `False`.
        max_dense: int, the largest state that gets its whole Jacobian. Defaults to `128`.
        order: int, the number of Ritz values. Defaults to `24`.
        num_probes: int, random vectors per estimate of the commutator. Defaults to `4`.
        seed: int, for starting vectors and probes. Defaults to `0`: the same each time.

    Returns:
        `BlockMargins`, each number `(samples, blocks)`.

    Raises:
        TypeError: where `model` is no Keras model.
        ValueError: for a model without a graph or without such blocks, a branch that is not finite,
            or a count that is not positive.

    Example: a block whose step of 0.5 is stable, and one whose step of 2.5 is not.
    >>> steps = [stepkit.layers.ResidualStep(keras.layers.Rescaling(-1.0), h) for h in (0.5, 2.5)]
    >>> model = keras.Sequential([keras.Input((3,)), *steps])
    >>> block_margin(model, np.ones((1, 3))).margin.tolist()
    [[0.5, -0.5]]

    Reference: E. Haber, L. Ruthotto, *Stable architectures for deep neural networks*, Inverse
    Problems 34 (2018) 014004; L. Trefethen, M. Embree, *Spectra and Pseudospectra* (2005).
    """
    for name, value in (("order", order), ("num_probes", num_probes)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    function = stability_function(solver)
    blocks = _steps(model)
    found = []
    for block, state in zip(blocks, _states(blocks, x), strict=True):
        branch = _branch(block, state, frozen_gate)
        if np.prod(state.shape[1:]) <= max_dense:
            found.append(_branch_spectrum.dense(branch, state))
        else:
            found.append(_branch_spectrum.matrix_free(branch, state, order, num_probes, seed))
    values = tuple(spectrum.eigenvalues for spectrum in found)
    amplification = _columns(np.abs(function(z)).max(axis=-1) for z in values)
    return BlockMargins(
        names=tuple(block.name for block in blocks),
        eigenvalues=values,
        dense=tuple(bool(np.prod(b.local.state.shape[1:]) <= max_dense) for b in blocks),
        abscissa=_columns(z.real.max(axis=-1) for z in values),
        radius=_columns(np.abs(z).max(axis=-1) for z in values),
        amplification=amplification,
        margin=1.0 - amplification,
        logarithmic_norm=_columns(spectrum.logarithmic_norm for spectrum in found),
        departure=_columns(spectrum.departure for spectrum in found),
        commutator=_columns(spectrum.commutator for spectrum in found),
    )


def _steps(model):
    found = residual_blocks(model)
    steps = [block for block in found if not block.projection]
    if not steps:
        raise ValueError(
            "`model` must have residual blocks with an identity shortcut: `ResidualStep` layers, "
            f"or sums of a state and a branch. Received: model={model!r} with {len(found)} blocks "
            f"with a projection, and layers {[type(layer).__name__ for layer in model.layers]}"
        )
    return steps


def _states(blocks, x):
    """Returns the states that the blocks are given, from one pass through the network."""
    inputs = blocks[0].inputs
    if not tree.is_nested(inputs) and isinstance(x, (list, tuple)):
        x = np.array(x)
    x = tree.map_structure(lambda k, v: ops.convert_to_tensor(v, dtype=k.dtype), inputs, x)
    states = keras.Function(inputs, [block.tensors.state for block in blocks])(x)
    return [_precise(state) for state in states]


def _precise(tensor):
    """Returns a tensor in single precision at least: the layers round to half by themselves."""
    half = "float16" in keras.backend.standardize_dtype(tensor.dtype)
    return ops.cast(tensor, "float32") if half else tensor


def _branch(block, state, frozen_gate) -> Callable:
    """Returns what a block adds, as a function of states and of the samples they belong to."""
    raw, applied = _precise(block.raw_branch(state)), _precise(block.branch(state))
    if not np.all(np.isfinite(ops.convert_to_numpy(applied))):
        raise ValueError(
            f"Block '{block.name}' must add finite numbers. Received: inf or NaN among them"
        )
    if not frozen_gate or block.attention is None:
        return lambda x, rows: ops.cast(block.branch(x), x.dtype)
    zero = raw == 0
    gate = ops.where(zero, ops.zeros_like(raw), applied / ops.where(zero, ops.ones_like(raw), raw))
    return lambda x, rows: ops.take(gate, rows, axis=0) * ops.cast(block.raw_branch(x), x.dtype)


def _columns(values):
    return np.stack([np.asarray(value, dtype=float) for value in values], axis=1)
