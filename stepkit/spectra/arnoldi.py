"""arnoldi: complex eigenvalues of an operator without symmetry."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import tree

from stepkit.spectra._krylov import Krylov, krylov, residuals
from stepkit.spectra._vectors import Frame, positive, start, to_numpy
from stepkit.spectra.ritz import Ritz


def arnoldi(
    matvec: Callable[[Any], Any],
    v0: Any = None,
    order: int = 20,
    *,
    per_sample: bool = False,
    seed: Any = 0,
) -> Ritz:
    """Finds Ritz values of a square operator, symmetric or not, in the Krylov space of a vector.

    With Q an orthonormal basis of span(v0, A v0, ..., A^(order - 1) v0), the Ritz values are the
    eigenvalues of H = Q^T A Q, which is upper Hessenberg: all within the numerical range of A, and
    with `order` equal to the dimension its eigenvalues. The eigenvalues of H are computed on the
    host in NumPy, so this function cannot be called within a traced program. Where the Krylov space
    turns out to be invariant before, `steps` says so, and the basis goes on at random.

    The eigenvalues of a matrix that is far from normal move far under small changes: a small
    residual then does not mean a small error.

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
        `Ritz` in complex NumPy arrays, the value of largest modulus first.

    Raises:
        ValueError: where `matvec` changes the shape of its vector or gives numbers that are not
            finite, where vectors are complex, or where `v0` is missing.

    Example: a rotation by a right angle.
    >>> A = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> values = arnoldi(lambda v: A @ v, np.array([1.0, 0.0]), order=2).values
    >>> np.sort(np.round(values.imag, 6)).tolist()
    [-1.0, 1.0]

    Reference: Y. Saad, *Numerical Methods for Large Eigenvalue Problems*, SIAM 2011, chapter 6.
    """
    v0 = start(matvec, v0, seed)
    frame = Frame(v0, per_sample)
    flat, order = frame.detach(frame.flatten(v0)), positive("order", order)
    decomposition = krylov(frame.operator(matvec), flat, order, frame, seed)
    decomposition = Krylov(*map(to_numpy, decomposition))
    if not np.all(np.isfinite(decomposition.matrix)):
        raise ValueError("`matvec` must give finite numbers. Received: inf or NaN among them")
    values, vectors = _eigen(decomposition.matrix)
    host = Frame(tree.map_structure(to_numpy, v0), per_sample)
    return Ritz(
        values=values,
        vectors=_complex(host, np.swapaxes(vectors, -1, -2) @ decomposition.basis),
        residuals=residuals(host, decomposition, values, vectors),
        weights=np.abs(vectors[..., 0, :]) ** 2,
        steps=decomposition.steps,
    )


def _eigen(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eig(matrix)
    order = np.argsort(-np.abs(values), axis=-1, kind="stable")
    values = np.take_along_axis(values, order, axis=-1)
    vectors = np.take_along_axis(vectors, order[..., None, :], axis=-1)
    return values.astype(complex), vectors.astype(complex)


def _complex(frame: Frame, flat: np.ndarray) -> Any:
    """Returns the structure of complex vectors, whose parts a frame lays out one by one."""
    parts = frame.unflatten(flat.real), frame.unflatten(flat.imag)
    return tree.map_structure(lambda re, im: re + 1j * im, *parts)
