"""is_a_stable, is_l_stable: can a method bear every decaying problem, at every step?"""

from typing import Any

import numpy as np

from stepkit.stability.stability_function import stability_function
from stepkit.stability.stability_interval import stable_until


def is_a_stable(solver: Any) -> bool:
    """Returns whether |R(z)| <= 1 for all z with real part <= 0.

    Decided by the maximum principle: R has no pole with real part <= 0, and the polynomial
    E(y) = |d(iy)|^2 - |n(iy)|^2, n and d being numerator and denominator, is never negative. No
    explicit method passes.

    Args:
        solver: what `stability_function` takes.

    Raises:
        ValueError, TypeError: as `stability_function`.

    Example:
    >>> [is_a_stable(name) for name in ("rk4", "trapezoid", "implicit_euler")]
    [False, True, True]

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.3.
    """
    function = stability_function(solver)
    poles = function.denominator.roots()
    return bool(np.all(poles.real > 0) and np.isinf(stable_until(function, 1j)))


def is_l_stable(solver: Any) -> bool:
    """Returns whether a method is A-stable and R(z) tends to 0 at infinity.

    Components that decay fast then vanish in one long step; with R = -1 at infinity, as for the
    trapezoidal rule, they stay and change their sign.

    Args:
        solver: what `stability_function` takes.

    Raises:
        ValueError, TypeError: as `stability_function`.

    Example:
    >>> [is_l_stable(name) for name in ("trapezoid", "implicit_euler")]
    [False, True]

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.3.
    """
    function = stability_function(solver)
    return function.numerator.degree() < function.denominator.degree() and is_a_stable(function)
