"""Newton: the equation of an implicit stage, solved."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from stepkit._backend import while_loop
from stepkit.ode._scalars import both, choose, finite
from stepkit.ode._vector import Vector


@dataclass(frozen=True)
class Newton:
    """Newton's iteration for `z = base + w f(z)`.

    An adaptive solve keeps the Jacobian at the start of the step for all iterations of all stages;
    where that does not converge, the step is tried again and shorter. A step on its own cannot be
    made shorter: it takes the Jacobian anew in each iteration.

    Args:
        max_iterations: int, after which the step counts as failed. Defaults to `10`.
        tolerance: float, how small the last correction must be, in units of the tolerance of the
            solve. Defaults to `0.03`.

    Raises:
        ValueError: for values that are not positive.

    Example: a solver that gives up earlier.
    >>> from stepkit import ode
    >>> ode.Kvaerno5(newton=Newton(max_iterations=4)).newton.max_iterations
    4

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.8.
    """

    max_iterations: int = 10
    tolerance: float = 0.03

    def __post_init__(self) -> None:
        if self.max_iterations < 1 or not self.tolerance > 0:
            raise ValueError(
                f"Newton needs max_iterations >= 1 and tolerance > 0. Received: {self}"
            )

    def solve(
        self,
        function: Callable,
        base: Any,
        weight: Any,
        guess: Any,
        inverse: Any,
        norm: Callable,
        worth: Any = True,
    ) -> tuple[Any, Any, Any]:
        """Returns `(z, converged, evaluations)`; no gradient flows.

        Args:
            function: `f` on flat states.
            base: flat state.
            weight: scalar w.
            guess: flat state to start from.
            inverse: callable of a flat state that returns the inverse of `1 - w J`, matrices
                `(*batch, n, n)`: always the same ones, or those at that state.
            norm: callable `(correction, z) -> scalar` in units of the solve's tolerance.
            worth: bool or scalar tensor, whether to iterate at all. Defaults to `True`.
        """
        plain = isinstance(norm(guess, guess), float)
        large = 1e8 if plain else norm(guess, guess) * 0 + 1e8
        count = 0 if plain else ops.cast(0, "int32")

        def running(carry: tuple) -> Any:
            _, size, rate, _ = carry
            return both(both(_ahead(size, rate) > self.tolerance, finite(size)), rate < 10.0)

        def body(carry: tuple) -> tuple:
            z, size, _, done = carry
            residual = z - base - weight * function(z)
            correction = apply(inverse(z), residual)
            new = norm(correction, z)
            rate = choose(done > 0, new / size, 0.0 * new + 0.5)
            return z - correction, new, rate, done + 1

        start = (guess, choose(worth, large, large * 0), large * 0 + 0.5, count)
        run = _in_python if plain else while_loop.plain_while
        z, size, rate, done = run(self.max_iterations, running, body, start)
        return z, both(_ahead(size, rate) <= self.tolerance, finite(size)), done


def _ahead(size: Any, rate: Any) -> Any:
    """What is still to come, if each correction goes on to shrink by `rate`."""
    shrinks = rate < 0.99
    return size * choose(shrinks, rate / (1.0 - choose(shrinks, rate, 0.5 + 0.0 * rate)), 1e2)


def _in_python(limit: int, running: Callable, body: Callable, state: tuple) -> tuple:
    for _ in range(limit):
        if not running(state):
            break
        state = body(state)
    return state


def apply(matrix: Any, vector: Any) -> Any:
    """Returns `matrix @ vector` on the last axes."""
    return (matrix @ vector[..., None])[..., 0]


def inverse_of(vector: Vector, weight: Any, jacobian: Any) -> Any:
    """Returns the inverse of `1 - weight * jacobian`."""
    if vector.numpy:
        matrix = np.eye(vector.size) - weight * jacobian
        if not np.all(np.isfinite(matrix)):
            return np.full_like(matrix, np.nan)
        return np.linalg.inv(matrix)
    eye = ops.eye(vector.size, dtype=jacobian.dtype)
    return ops.inv(eye - weight * jacobian)
