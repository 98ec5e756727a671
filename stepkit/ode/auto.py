"""AutoSwitch: an explicit method while the problem is easy, an implicit one while it is stiff."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops, tree

from stepkit.ode._attempt import Attempt
from stepkit.ode._field import Field, same_structure
from stepkit.ode._scalars import branch, choose, is_plain, maximum
from stepkit.ode.embedded import Tsit5
from stepkit.ode.explicit import SOLVERS
from stepkit.ode.implicit import Kvaerno5
from stepkit.ode.tableau import ButcherTableau

EXPLICIT, IMPLICIT = 0, 1


@SOLVERS.register("auto")
class AutoSwitch:
    """Tsit5 where the problem is not stiff, Kvaerno5 where it is; it finds out by itself.

    The last two stages of a Tsit5 step lie at the same time. How far their slopes part, relative to
    their states, estimates the fastest rate of the field, at no cost:

    ```
    rate = ||k_7 - k_6|| / ||g_7 - g_6||
    ```

    Steps with h * rate beyond `limit` of the stability interval count up, others count down. At
    `patience` the explicit method is held back by stability, and the implicit one takes over. It
    gives back in the same way at a third of `patience`, where h times the norm of the Jacobian,
    which it has anyway, is below half of that limit.

    Args:
        batch_axes: int, how many leading axes of the state count samples, for the implicit method.
            Defaults to `0`.
        patience: int >= 1, steps. Defaults to `10`.
        limit: float in (0, 1], the share of the stability interval. Defaults to `0.65`: a step that
            stability holds back may come to rest at less than three quarters of it.

    Raises:
        ValueError: for values outside of these ranges.

    Example: Robertson's problem by the name `"auto"`.
    >>> problem = stepkit.ode.problems.Robertson(t_span=(0.0, 1e4))
    >>> solution = stepkit.ode.odeint(problem.f, problem.y0, problem.t_span, solver="auto")
    >>> solution.result, solution.stats.num_steps < 300
    (<Result.SUCCESS: 'success'>, True)

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.2.
    """

    START = (EXPLICIT, 0)

    def __init__(self, batch_axes: int = 0, patience: int = 10, limit: float = 0.65) -> None:
        if patience < 1 or not 0 < limit <= 1:
            raise ValueError(
                "`patience` must be at least 1 and `limit` in (0, 1]. "
                f"Received: patience={patience!r}, limit={limit!r}"
            )
        self.batch_axes, self.patience, self.limit = batch_axes, patience, limit
        self._explicit, self._implicit = Tsit5(), Kvaerno5(batch_axes=batch_axes)
        self._interval = limit * real_interval(self._explicit.tableau)

    @property
    def tableau(self) -> ButcherTableau:
        """The coefficients of the explicit method, whose orders are those of the implicit one."""
        return self._explicit.tableau

    @property
    def order(self) -> int:
        """The order of both methods."""
        return self._explicit.order

    def step(self, f: Callable, t: Any, y: Any, h: Any) -> Any:
        """Returns one step of fixed size, by the explicit method."""
        return self._explicit.step(f, t, y, h)

    def attempt(
        self,
        field: Field,
        t: Any,
        y: Any,
        h: Any,
        slope: Any,
        norm: Callable,
        state: Any,
        dense: bool = True,
    ) -> Attempt:
        """Returns one step by the method in charge; `state` is `(method, count)`."""
        method, count = state

        def explicitly() -> tuple:
            tried = self._explicit.attempt(field, t, y, h, slope, norm, dense=dense)
            (k0, k1), (g0, g1) = tried.last
            apart = [same_structure(lambda a, b: a - b, *pair) for pair in ((k1, k0), (g1, g0))]
            rate = norm(apart[0], y) / maximum(norm(apart[1], y), 1e-30)
            return _packed(tried, tried.coefficients, rate)

        def implicitly() -> tuple:
            tried = self._implicit.attempt(field, t, y, h, slope, norm, dense=dense)
            more = (tree.map_structure(lambda leaf: 0 * leaf, y),) if dense else ()
            return _packed(tried, tried.coefficients + more, tried.rate)

        stepped = branch(method == EXPLICIT, explicitly, implicitly)
        *parts, rate = stepped
        share = choose(method == EXPLICIT, 1.0 + 0.0 * rate, 0.5 + 0.0 * rate)
        fast = abs(h) * rate > share * self._interval
        return Attempt(*parts, state=self._next(method, count, fast))

    def _next(self, method: Any, count: Any, fast: Any) -> tuple[Any, Any]:
        """Which method comes next, and how often the other one was asked for of late."""
        explicit = method == EXPLICIT
        asked = choose(choose(explicit, fast, _not(fast)), count + 1, maximum(count - 1, 0 * count))
        enough = choose(explicit, self.patience + 0 * count, max(1, self.patience // 3) + 0 * count)
        switch = asked >= enough
        return choose(switch, 1 - method, method), choose(switch, 0 * count, asked)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"batch_axes": self.batch_axes, "patience": self.patience, "limit": self.limit}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AutoSwitch":
        """Returns the solver that `get_config` described."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((type(self), *self.get_config().values()))

    def __repr__(self) -> str:
        return f"AutoSwitch(batch_axes={self.batch_axes})"


def real_interval(tableau: ButcherTableau) -> float:
    """Returns the largest x such that |R| <= 1 on [-x, 0], by bisection; for explicit tableaux."""
    a, b, ones = np.array(tableau.a), np.array(tableau.b), np.ones(tableau.stages)

    def stable(x: float) -> bool:
        return abs(1 - x * b @ np.linalg.solve(np.eye(len(b)) + x * a, ones)) <= 1 + 1e-12

    inside, step = 0.0, 0.01
    while stable(inside + step):
        inside += step
    for _ in range(40):
        step /= 2
        inside += step if stable(inside + step) else 0.0
    return inside


def _packed(tried: Attempt, coefficients: tuple, rate: Any) -> tuple:
    """The parts of an attempt, alike for both methods, as the two sides of a branch must be."""
    evaluations, converged = tried.evaluations, tried.converged
    if not is_plain(rate):
        evaluations = ops.cast(evaluations, "int32")
        converged = ops.cast(converged, "bool")
    return (tried.y, tried.error, tried.slope, coefficients, evaluations, converged, rate)


def _not(value: Any) -> Any:
    return not value if is_plain(value) else ops.logical_not(value)
