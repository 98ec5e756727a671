"""Components of a solution over time."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import tree

from stepkit.ode import Solution
from stepkit.plots._style import DASHES, axes, styles, to_numpy


def trajectory(
    solution: Any,
    ys: Any = None,
    *,
    exact: Callable | None = None,
    labels: Sequence[str] | None = None,
    ax: Any = None,
) -> Any:
    """Draws each component of a solution over time: markers at the computed times, lines between.

    Args:
        solution: `ode.Solution`, or the times `ts` where `ys` is given.
        ys: array `(n,)` or `(n, ...)`, time first. Defaults to `None`: those of the solution.
        exact: callable of times, such as `problem.exact`; drawn as a dotted black line. Defaults to
            `None`.
        labels: names of the components. Default to y1, y2, ...
        ax: matplotlib Axes. Defaults to `None`: a new one.

    Returns:
        The Axes.

    Raises:
        ValueError: where times and states differ in number.

    Example:
    >>> from stepkit import ode
    >>> problem = ode.problems.Dahlquist()
    >>> solution = ode.odeint(problem.f, problem.y0, [0.0, 1.0, 2.0], solver="euler")
    >>> trajectory(solution, exact=problem.exact).get_xlabel()
    'time t'
    """
    if isinstance(solution, Solution):
        solution, ys = solution.ts, solution.ys
    ts = to_numpy(solution)
    columns = np.concatenate([_columns(leaf, ts) for leaf in tree.flatten(ys)], axis=1)
    count = columns.shape[1]
    names = [f"y{i + 1}" for i in range(count)] if labels is None else labels
    ax = axes(ax)
    for i, (column, name, style) in enumerate(zip(columns.T, names, styles(count), strict=True)):
        dash = DASHES[i % len(DASHES)]
        ax.plot(ts, column, linestyle=dash, markersize=4, label=name, **style)
    if exact is not None:
        _draw_exact(ax, exact, ts)
    if count > 1 or exact is not None:
        ax.legend()
    ax.set(xlabel="time t", ylabel="state y")
    return ax


def _columns(leaf: Any, ts: np.ndarray) -> np.ndarray:
    values = to_numpy(leaf)
    if values.ndim == 0 or len(values) != len(ts):
        raise ValueError(
            "`ys` must have one entry per time on its first axis. "
            f"Expected: {len(ts)}. Received: shape {values.shape}"
        )
    return values.reshape(len(ts), -1)


def _draw_exact(ax: Any, exact: Callable, ts: np.ndarray) -> None:
    fine = np.linspace(ts[0], ts[-1], 200)
    values = to_numpy(exact(fine)).reshape(len(fine), -1)
    for i, column in enumerate(values.T):
        label = "exact" if i == 0 else None
        ax.plot(fine, column, color="black", linestyle=":", linewidth=1, label=label)
