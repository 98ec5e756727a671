"""The Prothero-Robinson problem: a smooth solution with a stiff field around it."""

from typing import Any

import numpy as np

from stepkit.ode.problems._dispatch import cos, sin
from stepkit.ode.problems.base import Problem


class ProtheroRobinson(Problem):
    """y' = eigenvalue (y - cos t) - sin t; from y0 = cos t0 the solution is cos t.

    It is so whatever the eigenvalue. The more negative that is, the stiffer the problem: the
    solution stays as smooth, and explicit steps must become shorter.

    Args:
        eigenvalue: float, in 1 / time. Defaults to `-1.0`.
        y0: float. Defaults to `1.0`, which is cos 0.
        t_span: `(t0, t1)`. Defaults to `(0.0, 2.0)`.

    Example:
    >>> ProtheroRobinson(-1e6).exact(0.0).tolist()
    [1.0]

    Reference: A. Prothero, A. Robinson, Math. Comp. 28 (1974) 145-162.
    """

    def __init__(
        self,
        eigenvalue: float = -1.0,
        y0: float = 1.0,
        t_span: tuple[float, float] = (0.0, 2.0),
    ) -> None:
        self.eigenvalue, self.t_span = eigenvalue, t_span
        self.y0 = np.array([y0], dtype=float)

    def f(self, t: Any, y: Any) -> Any:
        """Returns `eigenvalue (y - cos t) - sin t`."""
        return self.eigenvalue * (y - cos(t)) - sin(t)

    def exact(self, t: Any) -> np.ndarray:
        """Returns `cos t + (y0 - cos t0) exp(eigenvalue (t - t0))`."""
        elapsed, t0 = self._elapsed(t), self.t_span[0]
        transient = (self.y0 - np.cos(t0)) * np.exp(self.eigenvalue * elapsed)
        return np.cos(elapsed + t0) + transient
