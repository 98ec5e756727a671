"""Problem: an initial value problem that carries its exact solution."""

from typing import Any

import numpy as np


class Problem:
    """An initial value problem y' = f(t, y), y(t_span[0]) = y0.

    `f` works on NumPy arrays and on tensors of any backend; states lie on the last axis, so a batch
    of states is fine. `f` is a method: pass `problem.f` to `odeint`.

    Attributes:
        y0: float64 NumPy array, the initial state.
        t_span: `(t0, t1)`, floats.
    """

    y0: np.ndarray
    t_span: tuple[float, float]

    def f(self, t: Any, y: Any) -> Any:
        """Returns the slope at time `t` and state `y`."""
        raise NotImplementedError

    def exact(self, t: Any) -> np.ndarray:
        """Returns the exact state at `t`: shape `y0.shape`, or `(n, *y0.shape)` for n times.

        Raises:
            NotImplementedError: where no closed form is known.
        """
        raise NotImplementedError(f"{type(self).__name__} has no exact solution in closed form.")

    def _elapsed(self, t: Any) -> np.ndarray:
        """Returns `t - t0` with one axis for each axis of the state."""
        t = np.asarray(t, dtype=float) - self.t_span[0]
        return t.reshape(t.shape + (1,) * np.ndim(self.y0))
