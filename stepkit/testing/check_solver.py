"""check_solver: is this a solver of the order it claims?"""

from collections.abc import Callable, Iterable
from typing import Any

from stepkit import ode
from stepkit.testing import _solver_checks
from stepkit.testing._solver_checks import SolverCase
from stepkit.testing.conformance import run_checks

CHECKS: dict[str, Callable] = {
    "tableau": _solver_checks.tableau,
    "order": _solver_checks.order,
    "time": _solver_checks.time,
    "reversal": _solver_checks.reversal,
    "interval": _solver_checks.interval,
    "states": _solver_checks.states,
    "gradient": _solver_checks.gradient,
}


def check_solver(
    solver: Any,
    *,
    order: int | None = None,
    interval: float | None = None,
    skip: Iterable[str] = (),
) -> tuple[str, ...]:
    """Checks a fixed-step solver against problems with exact solutions, in float64.

    - `tableau`: where there is one, its derived order is the order that the solver claims.
    - `order`: the slope of log error over log step on three autonomous problems.
    - `time`: the same on a field that depends on time: wrong stage times fail here.
    - `reversal`: a step and the step back miss the start by O(h^(order + 1)).
    - `interval`: what a step makes of y' = -k y depends on h k alone, is bounded by 1 up to the end
      of the stability interval and larger beyond it.
    - `states`: keeps float32, nested states and negative steps.
    - `gradient`: the derivative of a solve agrees with finite differences, in tensors; skip it for
      a step that is written in NumPy.

    Args:
        solver: what `ode.get` takes.
        order: int, the order to expect. Defaults to `None`: what the solver claims; for a callable,
            which claims nothing, at least 1.
        interval: float, the longest stable step of y' = -y to expect, `inf` where there is none.
            Defaults to `None`: what follows from the tableau; for a callable nothing is expected.
        skip: names of checks to leave out.

    Returns:
        The names of the checks that ran.

    Raises:
        ConformanceError: listing each check that failed, and how.

    Example:
    >>> check_solver("heun")
    ('tableau', 'order', 'time', 'reversal', 'interval', 'states', 'gradient')
    """
    solver = ode.get(solver)
    return run_checks(repr(solver), CHECKS, SolverCase(solver, order, interval), skip)
