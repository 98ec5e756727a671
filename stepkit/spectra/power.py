"""power_iteration: the eigenvalue of largest modulus."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from stepkit._backend import compiled
from stepkit.spectra._vectors import Frame, positive, start

WORTH_TRACING = 16  # a trace costs about as much as so many steps one by one


class Eigenpair(NamedTuple):
    """An approximate eigenvalue and its unit eigenvector.

    Attributes:
        eigenvalue: scalar, the Rayleigh quotient v . A v; `(batch,)` per sample.
        vector: v, of the structure and shape of the starting vector; |v| = 1.
        residual: |A v - eigenvalue v|, a scalar or `(batch,)`. A symmetric A has an eigenvalue
            within this distance.
        steps: int scalar, the iterations that were made.

    Example:
    >>> pair = stepkit.spectra.power_iteration(lambda v: 2.0 * v, np.ones(3), num_steps=5)
    >>> round(float(pair.eigenvalue), 6)
    2.0
    """

    eigenvalue: Any
    vector: Any
    residual: Any
    steps: Any


def power_iteration(
    matvec: Callable[[Any], Any],
    v0: Any = None,
    num_steps: int = 100,
    tol: float | None = None,
    *,
    per_sample: bool = False,
    seed: Any = 0,
) -> Eigenpair:
    """Finds the eigenvalue of largest modulus of a symmetric operator by repeated products.

        v <- A v / |A v|,    eigenvalue = v . A v

    The error of the eigenvalue falls by (l2 / l1)^2 a step, l1 and l2 being the two largest moduli.
    For A = J^T J the Rayleigh quotient never exceeds the largest eigenvalue, beyond rounding.

    A must be symmetric, or J^T J. Where it is not and its eigenvalue of largest modulus is real
    and simple, the iteration finds that one, though the error falls by l2 / l1 a step only. Where
    that eigenvalue belongs to a complex pair, or where l and -l tie, there is no limit:
    `residual` stays large. Use `arnoldi`, or `lanczos` for the tie.

    The gradient is that of the last product, with v held fixed: d eigenvalue = v . (dA) v, which is
    the derivative of a simple eigenvalue of a symmetric A once v has converged. None flows through
    the iteration, into `v0` or out of `vector`. With tensors, the function may be called within a
    compiled program.

    Args:
        matvec: callable v -> A v. It is called with NumPy arrays where `v0` is NumPy's, and with
            tensors, possibly in a traced program, where it is not.
        v0: starting vector, not zero: array, tensor, or list (or other structure) of them.
            Defaults to `None`: a normal draw, for operators that tell their shape (`matvec.like`).
        num_steps: int, the most iterations. Defaults to `100`.
        tol: float; the iteration ends where `residual <= tol * |eigenvalue|`, for all samples.
            Defaults to `None`: exactly `num_steps` iterations.
        per_sample: bool, whether A acts on each sample of a batch, the first axis, by itself: then
            there is one eigenvalue a sample. Defaults to `False`.
        seed: int, `keras.random.SeedGenerator` or `None`, for `v0=None`. Defaults to `0`: the same
            start each time.

    Returns:
        `Eigenpair`, in NumPy or in tensors as `v0` is.

    Raises:
        ValueError: where `matvec` changes the shape of its vector, where vectors are complex, or
            where `v0` is missing.

    Example:
    >>> A = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> pair = power_iteration(lambda v: A @ v, np.array([1.0, 0.0]), tol=1e-9)
    >>> round(float(pair.eigenvalue), 6)
    3.0

    Reference: G. Golub, C. Van Loan, *Matrix Computations*, 4th ed., section 8.2.
    """
    v0 = start(matvec, v0, seed)
    frame = Frame(v0, per_sample)
    apply = frame.operator(matvec)
    v, steps = dominant(apply, frame.flatten(v0), positive("num_steps", num_steps), tol, frame)
    w = apply(v)
    eigenvalue = frame.dot(v, w)
    residual = frame.norm(frame.detach(w - eigenvalue[..., None] * v))
    return Eigenpair(eigenvalue, frame.unflatten(v), residual, steps)


def dominant(
    apply: Callable, v: Any, num_steps: int, tol: float | None, frame: Frame
) -> tuple[Any, Any]:
    """Returns the unit vector after the iteration, without gradient, and the number of steps."""
    v = frame.detach(v)
    v = frame.unit(v, v)

    def body(i, v, _):
        w = frame.detach(apply(v))
        done = _is_done(frame, v, w, tol)
        # Where it is done v has been judged: to keep it makes the residual the one asked for.
        following = frame.unit(w, v)
        return i + 1, frame.xp.where(done[..., None], v, following), frame.xp.all(done)

    if frame.xp is np:
        i, done = 0, False
        while i < num_steps and not done:
            i, v, done = body(i, v, done)
        return v, i

    def loop(v):
        return ops.while_loop(
            lambda i, v, done: ops.logical_and(i < num_steps, ops.logical_not(done)),
            body,
            (ops.convert_to_tensor(0), v, ops.convert_to_tensor(False)),
            maximum_iterations=num_steps,
        )

    i, v, _ = (compiled(loop) if num_steps > WORTH_TRACING else loop)(v)
    return v, i


def _is_done(frame, v, w, tol):
    if tol is None:
        return v[..., 0] != v[..., 0]  # never, in the shape of one answer per sample
    eigenvalue = frame.dot(v, w)
    return frame.norm(w - eigenvalue[..., None] * v) <= tol * frame.xp.abs(eigenvalue)
