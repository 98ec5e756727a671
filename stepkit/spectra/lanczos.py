"""lanczos: eigenvalues at both ends of the spectrum of a symmetric operator."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from stepkit.spectra._krylov import krylov, residuals
from stepkit.spectra._vectors import Frame, positive, start
from stepkit.spectra.ritz import Ritz


def lanczos(
    matvec: Callable[[Any], Any],
    v0: Any = None,
    order: int = 20,
    *,
    per_sample: bool = False,
    seed: Any = 0,
) -> Ritz:
    """Finds Ritz values of a symmetric operator in the Krylov space of a vector.

    With Q an orthonormal basis of span(v0, A v0, ..., A^(order - 1) v0), the Ritz values are the
    eigenvalues of Q^T A Q, which is tridiagonal. Those at the ends of the spectrum converge first;
    with `order` equal to the dimension they are the eigenvalues. Each new direction is made
    orthogonal to all earlier ones, twice: there are no ghost copies of eigenvalues, at the price of
    `order` vectors in memory and O(order^2 n) operations.

    A must be symmetric, or J^T J. Where it is not, the values are those of its symmetric part
    (A + A^T) / 2 in the Krylov space of A, bounds within the numerical range and no eigenvalues;
    `residuals`, which do not rest on the symmetry, stay large. Use `arnoldi` there.

    Args:
        matvec: callable v -> A v. It is called with NumPy arrays where `v0` is NumPy's, and with
            tensors, in a traced program, where it is not.
        v0: starting vector: array, tensor, or list (or other structure) of them. Defaults to
            `None`: a normal draw, for operators that tell their shape (`matvec.like`).
        order: int, the dimension k of the space; the dimension n of the vectors where that is less.
            Defaults to `20`.
        per_sample: bool, whether A acts on each sample of a batch, the first axis, by itself.
            Defaults to `False`.
        seed: int, `keras.random.SeedGenerator` or `None`, for `v0=None` and for the directions
            after a breakdown. Defaults to `0`.

    Returns:
        `Ritz`, the largest value first, in NumPy or in tensors as `v0` is.

    Raises:
        ValueError: where `matvec` changes the shape of its vector, where vectors are complex, or
            where `v0` is missing.

    Example:
    >>> A = np.diag([5.0, 1.0, -2.0])
    >>> np.round(lanczos(lambda v: A @ v, np.ones(3), order=3).values, 6).tolist()
    [5.0, 1.0, -2.0]

    Reference: B. Parlett, *The Symmetric Eigenvalue Problem*, SIAM 1998, chapter 13.
    """
    v0 = start(matvec, v0, seed)
    frame = Frame(v0, per_sample)
    flat = frame.detach(frame.flatten(v0))
    order = positive("order", order)
    return ritz_of(frame.operator(matvec), flat, order, frame, seed)


def ritz_of(apply: Callable, flat: Any, order: int, frame: Frame, seed: Any) -> Ritz:
    """Returns the Ritz pairs for an operator on flat vectors."""
    xp = frame.xp
    decomposition = krylov(apply, flat, order, frame, seed)
    matrix = decomposition.matrix
    eigh = np.linalg.eigh if xp is np else ops.eigh
    values, vectors = eigh((matrix + xp.swapaxes(matrix, -1, -2)) / 2)
    values, vectors = xp.flip(values, axis=-1), xp.flip(vectors, axis=-1)
    return Ritz(
        values=values,
        vectors=frame.unflatten(xp.swapaxes(vectors, -1, -2) @ decomposition.basis),
        residuals=residuals(frame, decomposition, values, vectors),
        weights=vectors[..., 0, :] ** 2,
        steps=decomposition.steps,
    )
