"""Robertson's chemical reaction."""

from typing import Any

import numpy as np

from stepkit.ode.problems._dispatch import stack
from stepkit.ode.problems.base import Problem


class Robertson(Problem):
    """Three species, with reaction rates from 0.04 to 3e7: a stiff problem over eleven decades.

    ```
    a' = -0.04 a + 1e4 b c
    b' =  0.04 a - 1e4 b c - 3e7 b^2
    c' =                     3e7 b^2
    ```

    The sum a + b + c stays 1. Give an absolute tolerance far below 1e-5, which is the size of b.

    Args:
        y0: triple `(a, b, c)`. Defaults to `(1.0, 0.0, 0.0)`.
        t_span: `(t0, t1)`. Defaults to `(0.0, 1e11)`.

    Example:
    >>> Robertson().f(0.0, np.array([1.0, 0.0, 0.0])).tolist()
    [-0.04, 0.04, 0.0]

    Reference: H. H. Robertson, in *Numerical Analysis: An Introduction* (J. Walsh, ed., 1966)
    178-182; Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.1.
    """

    def __init__(
        self,
        y0: tuple[float, float, float] = (1.0, 0.0, 0.0),
        t_span: tuple[float, float] = (0.0, 1e11),
    ) -> None:
        self.y0, self.t_span = np.array(y0, dtype=float), t_span

    def f(self, t: Any, y: Any) -> Any:
        """Returns the rates of change of the three species."""
        a, b, c = y[..., 0], y[..., 1], y[..., 2]
        slow, back, fast = 0.04 * a, 1e4 * b * c, 3e7 * b * b
        return stack([back - slow, slow - back - fast, fast])
