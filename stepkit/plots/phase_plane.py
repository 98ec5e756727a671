"""The vector field of a planar system, and solutions in it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stepkit.plots._style import axes, styles, to_numpy


def phase_plane(
    f: Callable,
    *,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    solutions: Sequence[Any] = (),
    labels: Sequence[str] | None = None,
    t: float = 0.0,
    ax: Any = None,
) -> Any:
    """Draws the directions of a planar field y' = f(t, y), and solutions, marked at their start.

    Args:
        f: callable `f(t, y)` of a state with two components.
        xlim: pair, the range of the first component.
        ylim: pair, the range of the second component.
        solutions: `ode.Solution` objects, or arrays `(n, 2)`. Default to none.
        labels: one name per solution. Defaults to `None`: no legend.
        t: float, the time at which the field is drawn. Defaults to `0.0`.
        ax: matplotlib Axes. Defaults to `None`: a new one.

    Returns:
        The Axes.

    Example:
    >>> from stepkit import ode
    >>> oscillator = ode.problems.HarmonicOscillator()
    >>> phase_plane(oscillator.f, xlim=(-1, 1), ylim=(-1, 1)).get_xlabel()
    'y1'
    """
    ax = axes(ax)
    x, y = np.meshgrid(np.linspace(*xlim, 17), np.linspace(*ylim, 17))
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    slopes = np.array([to_numpy(f(t, point)) for point in points])
    # Only the direction: the long arrows of a stiff field would hide all others.
    length = np.linalg.norm(slopes, axis=1, keepdims=True)
    u, v = (slopes / np.where(length == 0, 1.0, length)).T
    ax.quiver(*points.T, u, v, angles="xy", color="0.6", width=0.003, pivot="mid")
    names = [None] * len(solutions) if labels is None else labels
    for solution, name, style in zip(solutions, names, styles(len(solutions)), strict=True):
        path = to_numpy(getattr(solution, "ys", solution))
        ax.plot(*path.T, label=name, markevery=[0], **style)
    if labels is not None:
        ax.legend()
    ax.set(xlim=xlim, ylim=ylim, xlabel="y1", ylabel="y2")
    return ax
