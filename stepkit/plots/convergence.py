"""Error against step size."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stepkit.plots._style import DASHES, axes, styles, to_numpy


def convergence(
    step_sizes: Any,
    errors: Any,
    *,
    orders: Sequence[int] = (),
    label: str | None = None,
    ax: Any = None,
) -> Any:
    """Draws errors over step sizes, both logarithmic: a method of order p is a line of slope p.

    Args:
        step_sizes: n positive numbers.
        errors: n positive numbers, or a mapping from names to such, one line each.
        orders: slopes of grey reference lines, drawn through the error at the largest step.
            Defaults to none.
        label: name of the line where `errors` is no mapping.
        ax: matplotlib Axes. Defaults to `None`: a new one.

    Returns:
        The Axes.

    Raises:
        ValueError: where numbers of steps and errors differ.

    Example:
    >>> convergence([0.1, 0.05], {"euler": [1e-1, 5e-2]}, orders=[1]).get_xscale()
    'log'
    """
    steps = to_numpy(step_sizes)
    lines = dict(errors) if isinstance(errors, Mapping) else {label: errors}
    ax = axes(ax)
    for (name, values), style in zip(lines.items(), styles(len(lines)), strict=True):
        values = to_numpy(values)
        if values.shape != steps.shape:
            raise ValueError(
                "`errors` must have one entry per step size. "
                f"Expected: shape {steps.shape}. Received: shape {values.shape}"
            )
        ax.plot(steps, values, label=name, **style)
    highest = max(to_numpy(v)[np.argmax(steps)] for v in lines.values())
    for i, order in enumerate(orders):
        dash = DASHES[1 + i % (len(DASHES) - 1)]
        guide = highest * (steps / steps.max()) ** order
        ax.plot(steps, guide, color="0.5", linestyle=dash, label=f"slope {order}", zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="step size h", ylabel="error")
    if any(name is not None for name in lines) or len(orders):
        ax.legend()
    return ax
