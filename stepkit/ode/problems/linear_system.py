"""Linear systems with constant coefficients."""

from typing import Any

import numpy as np

from stepkit.ode.problems._dispatch import apply
from stepkit.ode.problems.base import Problem


class LinearSystem(Problem):
    """y' = matrix @ y; y(t) = expm(matrix (t - t0)) y0.

    Args:
        matrix: d x d real numbers, in 1 / time. Defaults to a damped rotation.
        y0: d numbers. Defaults to ones.
        t_span: `(t0, t1)`. Defaults to `(0.0, 2.0)`.

    Raises:
        ValueError: where `matrix` is not square or `y0` does not fit it.

    Example:
    >>> LinearSystem([[0.0, 1.0], [0.0, 0.0]], y0=[0.0, 3.0]).exact(2.0).tolist()
    [6.0, 3.0]
    """

    def __init__(
        self,
        matrix: Any = ((-0.5, 2.0), (-2.0, -0.5)),
        y0: Any = None,
        t_span: tuple[float, float] = (0.0, 2.0),
    ) -> None:
        self.matrix, self.t_span = np.array(matrix, dtype=float), t_span
        if self.matrix.ndim != 2 or self.matrix.shape[0] != self.matrix.shape[1]:
            raise ValueError(f"`matrix` must be square. Received: shape {self.matrix.shape}")
        size = len(self.matrix)
        self.y0 = np.ones(size) if y0 is None else np.array(y0, dtype=float)
        if self.y0.shape != (size,):
            raise ValueError(f"`y0` must have shape ({size},). Received: shape {self.y0.shape}")

    def f(self, t: Any, y: Any) -> Any:
        """Returns `matrix @ y`."""
        return apply(self.matrix, y)

    def exact(self, t: Any) -> np.ndarray:
        """Returns `expm(matrix (t - t0)) y0`."""
        elapsed = self._elapsed(t)[..., None]
        return _expm(self.matrix * elapsed) @ self.y0


def _expm(matrix: np.ndarray) -> np.ndarray:
    """Returns the exponential of the matrices on the last two axes: Taylor, scaling and squaring.

    No eigenvectors: a matrix without a full set of them is no exception.
    """
    norm = max(1e-300, float(np.abs(matrix).sum(axis=-1).max()))
    squarings = max(0, int(np.ceil(np.log2(norm))) + 2)
    scaled = matrix / 2.0**squarings
    total = term = np.broadcast_to(np.eye(matrix.shape[-1]), matrix.shape)
    for k in range(1, 20):  # norm of `scaled` <= 1/4: the 20th term is below rounding
        term = term @ scaled / k
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total
