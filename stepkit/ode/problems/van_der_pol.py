"""Van der Pol's oscillator."""

from typing import Any

import numpy as np

from stepkit.ode.problems._dispatch import stack
from stepkit.ode.problems.base import Problem


class VanDerPol(Problem):
    """x' = v, v' = mu (1 - x^2) v - x: a limit cycle, stiff on its slow branches for large mu.

    Args:
        mu: float >= 0, the damping. Defaults to `1.0`; from about `100.0` on it is stiff.
        y0: pair `(x, v)`. Defaults to `(2.0, 0.0)`.
        t_span: `(t0, t1)`. Defaults to `(0.0, 10.0)`.

    Example:
    >>> VanDerPol(mu=1.0).f(0.0, np.array([2.0, 0.0])).tolist()
    [0.0, -2.0]

    Reference: B. van der Pol, Phil. Mag. 2 (1926) 978-992.
    """

    def __init__(
        self,
        mu: float = 1.0,
        y0: tuple[float, float] = (2.0, 0.0),
        t_span: tuple[float, float] = (0.0, 10.0),
    ) -> None:
        self.mu, self.t_span = mu, t_span
        self.y0 = np.array(y0, dtype=float)

    def f(self, t: Any, y: Any) -> Any:
        """Returns `(v, mu (1 - x^2) v - x)`."""
        x, v = y[..., 0], y[..., 1]
        return stack([v, self.mu * (1.0 - x * x) * v - x])
