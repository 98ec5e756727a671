"""Logistic growth."""

from typing import Any

import numpy as np

from stepkit.ode.problems.base import Problem


class Logistic(Problem):
    """Logistic growth y' = rate * y (1 - y / capacity): the simplest nonlinear problem.

    Args:
        rate: float, in 1 / time. Defaults to `1.0`.
        capacity: float, the stable equilibrium, in the unit of y. Defaults to `1.0`.
        y0: float, between 0 and `capacity` for growth. Defaults to `0.1`.
        t_span: `(t0, t1)`. Defaults to `(0.0, 4.0)`.

    Example:
    >>> round(float(Logistic().exact(100.0)[0]), 6)
    1.0

    Reference: P.-F. Verhulst, Corresp. math. phys. 10 (1838) 113-121.
    """

    def __init__(
        self,
        rate: float = 1.0,
        capacity: float = 1.0,
        y0: float = 0.1,
        t_span: tuple[float, float] = (0.0, 4.0),
    ) -> None:
        self.rate, self.capacity, self.t_span = rate, capacity, t_span
        self.y0 = np.array([y0], dtype=float)

    def f(self, t: Any, y: Any) -> Any:
        """Returns `rate * y (1 - y / capacity)`."""
        return self.rate * y * (1.0 - y / self.capacity)

    def exact(self, t: Any) -> np.ndarray:
        """Returns `capacity / (1 + (capacity / y0 - 1) exp(-rate (t - t0)))`."""
        decay = np.exp(-self.rate * self._elapsed(t))
        return self.capacity / (1.0 + (self.capacity / self.y0 - 1.0) * decay)
