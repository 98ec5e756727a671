"""The Krylov decomposition on which Lanczos and Arnoldi rest."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from stepkit._backend import bounded_loop
from stepkit.spectra._vectors import Frame, draw, seeds


class Krylov(NamedTuple):
    """An orthonormal basis Q and the matrix H of the operator in it: A Q = Q H + beta q e_k^T.

    Attributes:
        basis: array `(..., k, n)`; its rows are the basis.
        matrix: array `(..., k, k)`, upper Hessenberg.
        beta: array `(...)`, the norm of what leads out of the basis.
        steps: int array `(...)`, the dimension of the Krylov space of the starting vector.
    """

    basis: Any
    matrix: Any
    beta: Any
    steps: Any


def krylov(apply: Callable, q: Any, order: int, frame: Frame, seed: Any) -> Krylov:
    """Returns the decomposition of order `min(order, n)`.

    Where the space that `q` spans is exhausted before (an invariant subspace), the basis goes on
    with a random direction orthogonal to it: H then has a zero below its diagonal, and its
    eigenvalues are still those of the operator in the basis. Shapes stay fixed, as a traced program
    needs them, and each sample of a batch may break down where it will.

    Args:
        apply: callable on flat vectors.
        q: flat vector, not zero.
        order: int.
        frame: how vectors are laid out.
        seed: for the random directions.
    """
    xp, order = frame.xp, order if frame.size is None else min(order, frame.size)
    eye = np.eye(order, dtype=frame.dtype)
    eye = eye if xp is np else xp.convert_to_tensor(eye)
    spare = frame.flatten(draw(frame.unflatten(q), seeds(seed, 3)[2], "normal"))
    spare = frame.unit(spare, spare)
    zero = 0 * q[..., 0]
    q = frame.unit(q, spare)
    state = Krylov(
        basis=zero[..., None, None] + 0 * eye[:, :1] * q[..., None, :],
        matrix=zero[..., None, None] + 0 * eye,
        beta=zero,
        steps=zero,
    )
    # Below this, what is left of A q is rounding of the product and of the projections.
    rounding = 10 * float(np.finfo(frame.dtype).eps) * (frame.size or 1) ** 0.5

    def body(i, state):
        (basis, matrix, _, steps), q, alive, scale = state
        row = eye[i]
        basis = basis + row[:, None] * q[..., None, :]
        w = apply(q)
        size = frame.norm(w)
        scale = xp.where(size > scale, size, scale)
        w, h = _project(xp, basis, w)
        beta = frame.norm(w)
        broke = beta <= rounding * scale
        beta = xp.where(broke, 0 * beta, beta)
        below = eye[(i + 1) % order] * (beta * (1 - eye[i, order - 1]))[..., None]
        matrix = matrix + (h + below)[..., :, None] * row
        fresh = xp.roll(spare, i + 1, axis=-1)
        q = _orthonormal(frame, basis, xp.where(broke[..., None], fresh, w))
        steps, alive = steps + alive, xp.where(broke, 0 * alive, alive)
        return Krylov(basis, matrix, beta, steps), q, alive, scale

    run = _in_python if xp is np else bounded_loop
    result = run(order, body, (state, q, zero + 1, zero))[0]
    steps = result.steps.astype("int32") if xp is np else xp.cast(result.steps, "int32")
    return result._replace(steps=steps)


def residuals(frame: Frame, decomposition: Krylov, values: Any, vectors: Any) -> Any:
    """Returns |A y - value y| of unit Ritz vectors y = Q s, s the columns of `vectors`.

    As A Q s - value Q s = Q (H s - value s) + beta s_k q, this is exact for any operator, also for
    one that lacks the symmetry by which `values` were found.
    """
    xp = frame.xp
    inside = decomposition.matrix @ vectors - vectors * values[..., None, :]
    outside = decomposition.beta[..., None] * vectors[..., -1, :]
    return xp.sqrt(xp.sum(xp.abs(inside) ** 2, axis=-2) + xp.abs(outside) ** 2)


def _project(xp, basis, w):
    """Returns w without its part in the basis, and the coefficients of that part."""
    h = basis @ w[..., None]
    return w - (xp.swapaxes(basis, -1, -2) @ h)[..., 0], h[..., 0]


def _orthonormal(frame, basis, w):
    """Returns a unit vector orthogonal to the basis, even where w is nearly all rounding.

    For a new direction it is the second projection: twice is enough.
    """
    w, _ = _project(frame.xp, basis, frame.unit(w, w))
    return frame.unit(w, w)


def _in_python(num_steps, body, state):
    for i in range(num_steps):
        state = body(i, state)
    return state
