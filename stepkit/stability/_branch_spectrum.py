"""Numbers of the Jacobian of a branch, sample by sample: dense, or by products with vectors."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from stepkit import spectra
from stepkit._backend import jvp, vjp

ROWS = 512  # samples in one product: enough to be quick, few enough for memory


class Spectrum(NamedTuple):
    """What is known of the Jacobians of a block, one row per sample."""

    eigenvalues: np.ndarray
    logarithmic_norm: np.ndarray
    departure: np.ndarray
    commutator: np.ndarray


def dense(function: Callable, states: Any) -> Spectrum:
    """Returns the numbers of the whole Jacobians.

    Args:
        function: callable `(x, rows)` of states x; `rows` tells to which samples they belong.
        states: tensor `(samples, ...)`, in single precision at least.
    """
    matrix = jacobians(function, states).astype("float64")
    values = np.linalg.eigvals(matrix).astype(complex)
    square = np.sum(matrix**2, axis=(-2, -1))
    transposed = np.swapaxes(matrix, -1, -2)
    commutator = np.sqrt(np.sum((transposed @ matrix - matrix @ transposed) ** 2, axis=(-2, -1)))
    beyond = np.maximum(square - np.sum(np.abs(values) ** 2, axis=-1), 0.0)
    return Spectrum(
        eigenvalues=values,
        logarithmic_norm=spectra.logarithmic_norm(matrix),
        departure=_relative(np.sqrt(beyond), np.sqrt(square)),
        commutator=_relative(commutator, square),
    )


def jacobians(function: Callable, states: Any) -> np.ndarray:
    """Returns the Jacobians `(samples, n, n)` of a function that keeps samples apart.

    Each product takes many pairs of a sample and a unit vector as its batch.
    """
    samples, *shape = states.shape
    n = int(np.prod(shape))
    columns = []
    for start in range(0, samples * n, ROWS):
        pairs = np.arange(start, min(start + ROWS, samples * n))
        rows, units = pairs // n, np.eye(n, dtype="float32")[pairs % n]
        x = ops.take(states, rows, axis=0)
        v = ops.cast(ops.reshape(ops.convert_to_tensor(units), x.shape), x.dtype)
        product = jvp(lambda x, rows=rows: function(x, rows), (x,), (v,))[1]
        columns.append(to_numpy(product).reshape(len(pairs), n))
    return np.swapaxes(np.concatenate(columns).reshape(samples, n, n), -1, -2)


def matrix_free(
    function: Callable, states: Any, order: int, num_probes: int, seed: int
) -> Spectrum:
    """Returns Ritz values, and estimates of the rest, by products with vectors.

    Args:
        function: as in `dense`.
        states: tensor `(samples, ...)`.
        order: int, the dimension of the Krylov spaces.
        num_probes: int, random vectors for the commutator.
        seed: int.
    """
    rows = np.arange(states.shape[0])

    def product(v):
        return jvp(lambda x: function(x, rows), (states,), (v,))[1]

    def transposed(u):
        return vjp(lambda x: function(x, rows), states)[1](u)[0]

    def symmetric(v):
        return (product(v) + transposed(v)) / 2

    start = keras.random.normal(states.shape, dtype=states.dtype, seed=seed)
    options = {"per_sample": True, "seed": seed}
    values = spectra.arnoldi(product, start, order, **options).values
    top = to_numpy(spectra.lanczos(symmetric, start, order, **options).values)[..., 0]
    return Spectrum(
        eigenvalues=values,
        logarithmic_norm=top.astype("float64"),
        departure=np.full(len(values), np.nan),
        commutator=_commutator(product, transposed, states, num_probes, seed),
    )


def _commutator(product, transposed, states, num_probes, seed):
    """Returns |J^T J - J J^T|_F / |J|_F^2, from E |A v|^2 = |A|_F^2 for random signs v."""
    above, below = 0.0, 0.0
    for i in range(num_probes):
        signs = keras.random.uniform(states.shape, seed=seed + 1 + i) < 0.5
        v = ops.where(signs, 1.0, -1.0)
        v = ops.cast(v, states.dtype)
        image = product(v)
        above = above + _squares(transposed(image) - product(transposed(v)))
        below = below + _squares(image)
    return _relative(np.sqrt(above / num_probes), below / num_probes)


def _squares(tensor):
    values = to_numpy(tensor).astype("float64")
    return np.sum(values.reshape(len(values), -1) ** 2, axis=-1)


def _relative(part, whole):
    """Returns part / whole, and 0 for a Jacobian that is zero."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def to_numpy(x: Any) -> np.ndarray:
    """Returns a tensor as an array."""
    return np.asarray(ops.convert_to_numpy(x))
