"""stability_region: |R| on a grid of the complex plane."""

from typing import Any, NamedTuple

import numpy as np

from stepkit.stability.stability_function import StabilityFunction, stability_function


class StabilityRegion(NamedTuple):
    """|R(x + iy)| on a grid.

    Attributes:
        real: array `(columns,)`, the real parts x, ascending.
        imaginary: array `(rows,)`, the imaginary parts y, ascending.
        amplification: array `(rows, columns)`, |R|; infinite at a pole.
        stable: bool array `(rows, columns)`, where |R| <= 1.

    Example:
    >>> region = stepkit.stability.stability_region("euler", (-2, 0, -1, 1), resolution=3)
    >>> region.stable.astype(int).tolist()
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """

    real: np.ndarray
    imaginary: np.ndarray
    amplification: np.ndarray
    stable: np.ndarray


def stability_region(
    solver: Any,
    extent: tuple[float, float, float, float] | None = None,
    resolution: int | tuple[int, int] = 201,
) -> StabilityRegion:
    """Returns the amplification |R(z)| on a grid, and where it is at most 1.

    Args:
        solver: what `stability_function` takes.
        extent: `(left, right, bottom, top)` of the grid. Defaults to `None`: a box, symmetric to
            the real axis, around the boundary |R| = 1, as far as that is near.
        resolution: int, or pair `(columns, rows)`, the number of points. Defaults to `201`.

    Returns:
        `StabilityRegion` with `real`, `imaginary`, `amplification` and `stable`.

    Raises:
        ValueError: for a box without area or fewer than two points a side; and as
            `stability_function`.

    Example: RK4 bears some oscillations, Euler's method none.
    >>> [bool(stability_region(name, (-1, 1, 0, 2), 3).stable[2, 1]) for name in ("rk4", "euler")]
    [True, False]

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.2.
    """
    function = stability_function(solver)
    left, right, bottom, top = _box(function) if extent is None else _checked(extent)
    columns, rows = _counts(resolution)
    real, imaginary = np.linspace(left, right, columns), np.linspace(bottom, top, rows)
    size = np.abs(function(real + 1j * imaginary[:, None]))
    size = np.where(np.isnan(size), np.inf, size)
    return StabilityRegion(real, imaginary, size, size <= 1.0 + 64 * np.finfo(float).eps)


def boundary(solver: Any, num_angles: int = 64) -> np.ndarray:
    """Returns points with |R| = 1: the roots of n(z) = exp(i angle) d(z), a row for each angle."""
    (n, _), (d, _) = stability_function(solver).rounded
    length = max(len(n), len(d))
    n, d = (np.pad(coef, (0, length - len(coef)))[::-1] for coef in (n, d))
    # Angle 0 is left out: there R - 1 may vanish at infinity, and does so at 0.
    turns = np.exp(2j * np.pi * (np.arange(num_angles) + 0.5) / num_angles)
    return np.array([np.roots(n - turn * d) for turn in turns])


def _box(function: StabilityFunction) -> tuple[float, float, float, float]:
    points = boundary(function).ravel()
    degree = max(function.numerator.degree(), function.denominator.degree())
    points = np.append(points[np.abs(points) <= 4.0 * (degree + 1)], [-1.0, 0.5])
    margin = 0.1 * max(np.ptp(points.real), np.ptp(points.imag))
    top = np.abs(points.imag).max() + margin
    return points.real.min() - margin, points.real.max() + margin, -top, top


def _checked(extent):
    try:
        left, right, bottom, top = map(float, extent)
    except (TypeError, ValueError):
        left = right = bottom = top = np.nan
    if not (np.all(np.isfinite([left, right, bottom, top])) and left < right and bottom < top):
        raise ValueError(
            "`extent` must be four finite numbers (left, right, bottom, top) with left < right and "
            f"bottom < top. Received: extent={extent!r}"
        )
    return left, right, bottom, top


def _counts(resolution):
    pair = resolution if isinstance(resolution, (tuple, list)) else (resolution, resolution)
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in pair)
    if len(pair) != 2 or not whole or min(pair) < 2:
        raise ValueError(
            f"`resolution` must be an int >= 2 or a pair of such. Received: {resolution!r}"
        )
    return pair
