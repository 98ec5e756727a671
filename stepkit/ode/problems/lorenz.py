"""The Lorenz system."""

from typing import Any

import numpy as np

from stepkit.ode.problems._dispatch import stack
from stepkit.ode.problems.base import Problem


class Lorenz(Problem):
    """x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z: chaotic at the defaults.

    Args:
        sigma, rho, beta: floats. Default to `10.0`, `28.0` and `8 / 3`.
        y0: triple. Defaults to ones.
        t_span: `(t0, t1)`. Defaults to `(0.0, 20.0)`.

    Example: the origin is an equilibrium.
    >>> Lorenz().f(0.0, np.zeros(3)).tolist()
    [0.0, 0.0, 0.0]

    Reference: E. N. Lorenz, J. Atmos. Sci. 20 (1963) 130-141.
    """

    def __init__(
        self,
        sigma: float = 10.0,
        rho: float = 28.0,
        beta: float = 8 / 3,
        y0: tuple[float, float, float] = (1.0, 1.0, 1.0),
        t_span: tuple[float, float] = (0.0, 20.0),
    ) -> None:
        self.sigma, self.rho, self.beta, self.t_span = sigma, rho, beta, t_span
        self.y0 = np.array(y0, dtype=float)

    def f(self, t: Any, y: Any) -> Any:
        """Returns the three slopes."""
        a, b, c = y[..., 0], y[..., 1], y[..., 2]
        return stack([self.sigma * (b - a), a * (self.rho - c) - b, a * b - self.beta * c])
