"""Stability regions of solvers, and eigenvalues in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from stepkit import stability
from stepkit.plots._style import COLOURS, DASHES, axes

ON_THE_LINE = 1e-8  # as far off as the eigenvalues of a computed matrix may well be


def stability_region(
    solver: Any,
    eigenvalues: Any = None,
    *,
    extent: tuple[float, float, float, float] | None = None,
    resolution: int = 301,
    labels: Sequence[str] | None = None,
    ax: Any = None,
) -> Any:
    """Draws where |R(z)| <= 1: the steps h times eigenvalue that a solver can bear.

    The region of one solver is shaded and bounded by a line; of several, each has the colour and
    the dashes of its line. Eigenvalues inside the region are circles, those outside are crosses.

    Args:
        solver: what `stability.stability_function` takes, or a list or tuple of such.
        eigenvalues: complex numbers z = h lambda, array or tensor of any shape. Defaults to
            `None`: none.
        extent: `(left, right, bottom, top)`. Defaults to `None`: all regions and eigenvalues.
        resolution: int, points on a side of the grid. Defaults to `301`.
        labels: one name per solver. Defaults to `None`: their names, where there are several.
        ax: matplotlib Axes. Defaults to `None`: a new one.

    Returns:
        The Axes.

    Raises:
        ValueError: for unknown solvers, or eigenvalues beside more than one solver.

    Example:
    >>> stability_region(["euler", "rk4"]).get_xlabel()
    'Re z'
    >>> ax = stability_region("euler", [-1.0, -2.5])
    >>> [line.get_label() for line in ax.lines if not line.get_label().startswith("_")]
    ['stable', 'unstable']
    """
    several = isinstance(solver, (list, tuple))
    functions = [stability.stability_function(s) for s in (solver if several else [solver])]
    names = [_name(s) for s in solver] if several and labels is None else labels
    points = None if eigenvalues is None else _complex(eigenvalues)
    if points is not None and len(functions) != 1:
        raise ValueError(
            "`eigenvalues` are drawn for one solver, in whose region they lie or not. "
            f"Received: {len(functions)} solvers"
        )
    ax = axes(ax)
    extent = _extent(functions, points) if extent is None else extent
    for i, function in enumerate(functions):
        region = stability.stability_region(function, extent, resolution)
        colour, dash = COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)]
        size = np.minimum(region.amplification, 4.0)  # a pole is no number to draw a line by
        grid = region.real, region.imaginary, size
        ax.contourf(*grid, levels=[0.0, 1.0], colors=[colour], alpha=0.2, zorder=0)
        ax.contour(*grid, levels=[1.0], colors=[colour], linestyles=[dash])
        if names is not None:
            ax.plot([], [], color=colour, linestyle=dash, label=names[i])
    if points is not None:
        _draw(ax, points, np.abs(functions[0](points)) <= 1.0 + ON_THE_LINE)
    for line in (ax.axhline, ax.axvline):
        line(0.0, color="0.6", linewidth=0.8, zorder=0)
    ax.set(xlim=extent[:2], ylim=extent[2:], xlabel="Re z", ylabel="Im z")
    ax.set_aspect("equal")
    if names is not None or points is not None:
        ax.legend()
    return ax


def _draw(ax, points, stable):
    for chosen, label, colour, marker in (
        (stable, "stable", COLOURS[2], "o"),
        (~stable, "unstable", COLOURS[1], "X"),
    ):
        if np.any(chosen):
            z = points[chosen]
            style = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4}
            ax.plot(z.real, z.imag, label=label, **style)


def _extent(functions, points):
    """Returns a box around all regions and points, symmetric to the real axis."""
    grids = [stability.stability_region(function, resolution=2) for function in functions]
    real = np.concatenate([grid.real for grid in grids])
    imaginary = np.concatenate([grid.imaginary for grid in grids])
    left, right, top = real.min(), real.max(), imaginary.max()
    if points is not None and points.size:
        margin = 0.05 * (np.ptp(points.real) + np.ptp(points.imag))
        left = min(left, points.real.min() - margin)
        right = max(right, points.real.max() + margin)
        top = max(top, np.abs(points.imag).max() + margin)
    return left, right, -top, top


def _complex(eigenvalues):
    tensor = ops.is_tensor(eigenvalues)
    values = ops.convert_to_numpy(eigenvalues) if tensor else eigenvalues
    return np.asarray(values, dtype=complex).ravel()


def _name(solver):
    if isinstance(solver, str):
        return solver
    return getattr(solver, "__name__", type(solver).__name__)
