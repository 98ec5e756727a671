"""The stiffness ratio of a linear system."""

from typing import Any

import numpy as np


def stiffness_ratio(system: Any, tolerance: float | None = None) -> np.ndarray:
    """Returns the slowest time scale over the fastest: max |Re lambda| / min |Re lambda|.

    Over the stable eigenvalues, Re lambda < 0: those whose modes die out, which an explicit method
    must resolve long after they are gone. Left out: growing modes, Re lambda > 0, which accuracy
    must follow anyway, and real parts that are zero (conserved quantities, pure oscillations). The
    textbook definition assumes that all are stable.

    1 where all stable modes die out alike; NaN where no eigenvalue is stable: there is nothing to
    compare. A large ratio is stiff only over times that are long beside the fastest scale. The
    ratio may be 1 and the problem stiff: with one eigenvalue and a slow forcing
    (`ode.problems.ProtheroRobinson`), or on Van der Pol's slow branch, where the slow eigenvalue
    of the Jacobian is positive. Matrices far from normal are misjudged by eigenvalues altogether.

    Args:
        system: real or complex numbers: d eigenvalues `(d,)`, or matrices `(..., d, d)`, say
            Jacobians along a trajectory.
        tolerance: float >= 0; |Re lambda| up to it counts as zero. Defaults to `0.0` for
            eigenvalues, and for a matrix to d eps ||matrix||_F, what rounding does to them (eps
            of its own precision).

    Returns:
        float64: a number, or an array of shape `(...)` for matrices.

    Raises:
        ValueError: where `system` is neither, or not finite, or `tolerance` is negative.

    Example:
    >>> float(stiffness_ratio([-1000.0, -1.0, -5.0 + 7.0j]))
    1000.0
    >>> float(stiffness_ratio([[-100.0, 3.0], [0.0, -0.5]]))
    200.0

    Reference: J. D. Lambert, *Numerical Methods for Ordinary Differential Systems*, Wiley 1991,
    section 6.1, also for what is wrong with it.
    """
    system = _checked(system)
    if tolerance is not None and not tolerance >= 0:
        raise ValueError(f"`tolerance` must be >= 0. Received: tolerance={tolerance!r}")
    given = 0.0
    eigenvalues = system
    if system.ndim > 1:
        eps = np.finfo(system.dtype).eps if np.issubdtype(system.dtype, np.inexact) else 0.0
        system = system.astype(np.result_type(system.dtype, np.float64))
        given = system.shape[-1] * max(eps, np.finfo(float).eps)
        given = given * np.linalg.norm(system, axis=(-2, -1))[..., None]
        eigenvalues = np.linalg.eigvals(system)
    zero = given if tolerance is None else tolerance
    rates = -eigenvalues.real.astype(np.float64)
    stable = rates > zero
    fastest = np.max(rates, axis=-1, where=stable, initial=0.0)
    slowest = np.min(rates, axis=-1, where=stable, initial=np.inf)
    any_stable = stable.any(axis=-1)
    undefined = np.full(np.shape(fastest), np.nan)
    return np.divide(fastest, slowest, out=undefined, where=any_stable)[()]


def _checked(system):
    system = np.asarray(system)
    square = system.ndim == 1 or (system.ndim > 1 and system.shape[-1] == system.shape[-2])
    if not square or system.size == 0 or not np.issubdtype(system.dtype, np.number):
        raise ValueError(
            "`system` must be eigenvalues of shape (d,) or matrices of shape (..., d, d). "
            f"Received: shape {system.shape}, dtype {system.dtype}"
        )
    if not np.isfinite(system).all():
        raise ValueError("`system` must be finite. Received: infinite numbers or NaN in it")
    return system
