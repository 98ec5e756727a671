"""The harmonic oscillator."""

from typing import Any

import numpy as np

from stepkit.ode.problems._dispatch import stack
from stepkit.ode.problems.base import Problem


class HarmonicOscillator(Problem):
    """x' = v, v' = -frequency^2 x: eigenvalues on the imaginary axis, where Euler spirals outwards.

    Args:
        frequency: float, angular, in radians / time. Defaults to `1.0`.
        y0: pair `(x, v)`. Defaults to `(1.0, 0.0)`.
        t_span: `(t0, t1)`. Defaults to `(0.0, 3.0)`.

    Example: after a whole period it is where it was.
    >>> HarmonicOscillator().exact(2 * np.pi).round(6).tolist()
    [1.0, 0.0]
    """

    def __init__(
        self,
        frequency: float = 1.0,
        y0: tuple[float, float] = (1.0, 0.0),
        t_span: tuple[float, float] = (0.0, 3.0),
    ) -> None:
        self.frequency, self.t_span = frequency, t_span
        self.y0 = np.array(y0, dtype=float)

    def f(self, t: Any, y: Any) -> Any:
        """Returns `(v, -frequency^2 x)`."""
        return stack([y[..., 1], -(self.frequency**2) * y[..., 0]])

    def exact(self, t: Any) -> np.ndarray:
        """Returns position and velocity at `t`."""
        phase = self.frequency * self._elapsed(t)[..., 0]
        x, v = self.y0
        position = x * np.cos(phase) + v / self.frequency * np.sin(phase)
        velocity = v * np.cos(phase) - x * self.frequency * np.sin(phase)
        return np.stack([position, velocity], axis=-1)
