"""The stretches of the real and the imaginary axis that a method can bear."""

from typing import Any

from stepkit.stability._polynomials import difference, nonnegative_until, square_along
from stepkit.stability.stability_function import StabilityFunction, stability_function


def stability_interval(solver: Any) -> tuple[float, float]:
    """Returns the ends (-x, 0) of the largest real interval at zero on which |R| <= 1.

    For decay y' = -k y it bounds the step: h <= x / k. The ends are roots of the polynomial
    |d|^2 - |n|^2, n and d being numerator and denominator of R; touching |R| = 1 inside does not
    end the interval.

    Args:
        solver: what `stability_function` takes.

    Returns:
        Two floats; the first is `-inf` where every step is stable.

    Raises:
        ValueError, TypeError: as `stability_function`.

    Example:
    >>> stability_interval("euler")
    (-2.0, 0.0)
    >>> round(stability_interval("rk4")[0], 6)
    -2.785294

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.2.
    """
    return -stable_until(stability_function(solver), -1.0), 0.0


def imaginary_stability_interval(solver: Any) -> tuple[float, float]:
    """Returns the ends (-y, y) of the largest interval at zero of the imaginary axis with |R| <= 1.

    For an oscillation y'' = -w^2 y it bounds the step: h <= y / w. Methods of low order have none.

    Args:
        solver: what `stability_function` takes.

    Returns:
        Two floats, imaginary parts; `(0.0, 0.0)` where no step is stable, `(-inf, inf)` where each
        is.

    Raises:
        ValueError, TypeError: as `stability_function`.

    Example:
    >>> imaginary_stability_interval("euler")
    (0.0, 0.0)
    >>> round(imaginary_stability_interval("rk4")[1], 6)
    2.828427

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.2.
    """
    end = stable_until(stability_function(solver), 1j)
    return 0.0 - end, end  # not -end, which makes -0.0 of 0.0


def stable_until(function: StabilityFunction, direction: complex) -> float:
    """Returns the largest t such that |R(s z)| <= 1 for all s in [0, t], z being the direction."""
    numerator, denominator = (square_along(p, direction) for p in function.rounded)
    return nonnegative_until(difference(denominator, numerator))
