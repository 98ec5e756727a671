"""Dahlquist's test equation."""

from typing import Any

import numpy as np

from stepkit.ode.problems.base import Problem


class Dahlquist(Problem):
    """Dahlquist's test equation y' = eigenvalue * y; y(t) = y0 exp(eigenvalue t).

    With a negative eigenvalue it is exponential decay. The state has shape `(1,)`; it is complex
    where the eigenvalue is.

    Args:
        eigenvalue: float or complex, in 1 / time. Defaults to `-1.0`.
        y0: float, the initial value. Defaults to `1.0`.
        t_span: `(t0, t1)`. Defaults to `(0.0, 2.0)`.

    Example:
    >>> round(float(Dahlquist(-1.0).exact(1.0)[0]), 4)
    0.3679

    Reference: G. Dahlquist, BIT 3 (1963) 27-43.
    """

    def __init__(
        self,
        eigenvalue: complex = -1.0,
        y0: float = 1.0,
        t_span: tuple[float, float] = (0.0, 2.0),
    ) -> None:
        self.eigenvalue, self.t_span = eigenvalue, t_span
        self.y0 = np.array([y0], dtype=complex if isinstance(eigenvalue, complex) else float)

    def f(self, t: Any, y: Any) -> Any:
        """Returns `eigenvalue * y`."""
        return self.eigenvalue * y

    def exact(self, t: Any) -> np.ndarray:
        """Returns `y0 exp(eigenvalue (t - t0))`."""
        return self.y0 * np.exp(self.eigenvalue * self._elapsed(t))
