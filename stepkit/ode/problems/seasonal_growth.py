"""Seasonal growth: a field that depends on time."""

from typing import Any

import numpy as np

from stepkit.ode.problems.base import Problem


class SeasonalGrowth(Problem):
    """y' = (1 - t^2) y: growth until t = 1, then decay; a solver with wrong stage times fails here.

    The rate is a polynomial on purpose: `keras.ops.cos` rounds float64 to float32 on JAX, and no
    order could be measured.

    Args:
        y0: float. Defaults to `1.0`.
        t_span: `(t0, t1)`. Defaults to `(0.0, 2.0)`.

    Example:
    >>> round(float(SeasonalGrowth().exact(1.0)[0]), 4)
    1.9477
    """

    def __init__(self, y0: float = 1.0, t_span: tuple[float, float] = (0.0, 2.0)) -> None:
        self.t_span = t_span
        self.y0 = np.array([y0], dtype=float)

    def f(self, t: Any, y: Any) -> Any:
        """Returns `(1 - t^2) y`."""
        return (1.0 - t * t) * y

    def exact(self, t: Any) -> np.ndarray:
        """Returns `y0 exp((t - t^3 / 3) - (t0 - t0^3 / 3))`."""
        t0 = self.t_span[0]
        t = self._elapsed(t) + t0
        return self.y0 * np.exp(t - t**3 / 3 - (t0 - t0**3 / 3))
