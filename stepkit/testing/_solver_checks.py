"""Checks of a fixed-step solver."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from stepkit import ode, stability
from stepkit._backend import has_float64, vjp
from stepkit.ode import problems
from stepkit.testing.conformance import expect

# A measured slope lies below the order where steps are coarse, above it where errors cancel. For
# high orders only coarse steps have errors above rounding, so that the slope is less sharp.
BELOW, ABOVE = 0.25, 0.5


def _below(order: int) -> float:
    return max(BELOW, 0.08 * order)


def _above(order: int) -> float:
    return max(ABOVE, 0.15 * order)


ROUNDING = 1e-11  # errors below this are noise in float64


@dataclass(frozen=True)
class SolverCase:
    """A solver and the order to expect of it.

    Args:
        solver: an object with `step`.
        given_order: int, or `None` for what the solver claims.
        given_interval: float, or `None` for what follows from the tableau.
    """

    solver: Any
    given_order: int | None
    given_interval: float | None = None

    @property
    def order(self) -> int | None:
        """The order given, else the one claimed."""
        if self.given_order is not None:
            return self.given_order
        return getattr(self.solver, "order", None)

    @property
    def interval(self) -> float | None:
        """The longest stable step of y' = -y: as given, or as the tableau has it."""
        if self.given_interval is not None or getattr(self.solver, "tableau", None) is None:
            return self.given_interval
        return -stability.stability_interval(self.solver)[0]


def tableau(case: SolverCase) -> None:
    """The order that follows from the tableau is the one claimed."""
    coefficients = getattr(case.solver, "tableau", None)
    if coefficients is None or case.order is None:
        return
    derived = ode.ButcherTableau(**coefficients.get_config()).order
    expect(derived == case.order, f"the tableau has order {derived}, claimed is {case.order}")


def order(case: SolverCase) -> None:
    """The smallest slope over the autonomous problems is the order."""
    _expect_slope(
        case,
        problems.Logistic(),
        problems.HarmonicOscillator(),
        problems.LinearSystem([[-0.5, 2.0], [-1.0, -0.7]]),
    )


def time(case: SolverCase) -> None:
    """The slope on a field that depends on time is the order."""
    _expect_slope(case, problems.SeasonalGrowth())


def reversal(case: SolverCase) -> None:
    """A step forward and a step back miss the start by O(h^(order + 1))."""
    problem, wanted = problems.Logistic(), (case.order or 1) + 1
    steps = 0.4 / 2.0 ** np.arange(4)
    misses = []
    for h in steps:
        there = _steps(case.solver, problem.f, problem.y0, [0.0, h]).ys[-1]
        back = _steps(case.solver, problem.f, there, [h, 0.0]).ys[-1]
        misses.append(float(np.max(np.abs(_numpy(back) - problem.y0))))
    slope = _slope(steps, np.array(misses))
    expect(
        slope >= wanted - _below(wanted),
        f"forward and back misses the start by O(h^{slope:.2f}), expected O(h^{wanted})",
    )


def interval(case: SolverCase) -> None:
    """A step of y' = -k y multiplies y by R(-h k), which leaves [-1, 1] at the interval's end."""
    lengths = np.random.default_rng().uniform(0.1, 5.0, size=3)
    for z in lengths:
        one, other = _growth(case.solver, z, 1.0), _growth(case.solver, z / 2, 2.0)
        expect(
            abs(one - other) <= 1e-6 * max(1.0, abs(one)),
            f"y' = -k y should grow by a factor of h k alone; for h k = {z:.3g} it grows by "
            f"{one:.6g} with h = 1 and by {other:.6g} with h = 2",
        )
    end = case.interval
    if end is None:
        return
    inside = [*(share * min(end, 1e6) for share in (0.999, 0.5, 0.1)), *lengths[lengths < end]]
    beyond = [1.001 * end, 1.01 * end] if np.isfinite(end) else []
    for z in (*inside, *beyond):
        size = abs(_growth(case.solver, z, 1.0))
        expect(
            size <= 1 + 1e-9 if z < end else size > 1,
            f"expected stable steps of y' = -y up to {end:.6g}; a step of {z:.6g} multiplies y by "
            f"{size:.6g}",
        )


def _growth(solver: Any, k: float, h: float) -> float:
    solution = _steps(solver, lambda t, y: -k * y, np.ones(1), [0.0, h])
    return float(_numpy(solution.ys)[-1, 0])


def states(case: SolverCase) -> None:
    """Dtype and structure are kept, and components do not mix."""
    y0 = {"a": np.array([1.0, 2.0], "float32"), "b": (np.array([[3.0]]),)}
    solution = _steps(case.solver, _decay, y0, [1.0, 0.5, 0.25])
    alone = _steps(case.solver, lambda t, y: -y, y0["b"][0], [1.0, 0.5, 0.25])
    dtype = str(_numpy(solution.ys["a"]).dtype)
    expect(dtype == "float32", f"a float32 state became {dtype}")
    mixed = np.max(np.abs(_numpy(solution.ys["b"][0]) - _numpy(alone.ys)))
    expect(mixed < ROUNDING, f"a part of a nested state changes by {mixed:.2g} with its siblings")


def gradient(case: SolverCase) -> None:
    """The derivative in the initial state agrees with central differences."""
    problem = problems.Logistic()
    dtype = "float64" if has_float64() else "float32"
    eps = float(np.finfo(dtype).eps)
    h = eps ** (1 / 3)

    def end(y0):
        return _steps(case.solver, problem.f, y0, np.linspace(0.0, 1.0, 6)).ys[-1]

    y0 = ops.convert_to_tensor(problem.y0, dtype=dtype)
    value, pullback = vjp(end, y0)
    received = float(_numpy(pullback(ops.ones_like(value))[0])[0])
    expected = float((_numpy(end(y0 + h)) - _numpy(end(y0 - h)))[0]) / (2 * h)
    expect(
        abs(received - expected) <= 100 * eps ** (2 / 3) * (1 + abs(expected)),
        f"derivative in the initial state {received:.8g}, finite differences {expected:.8g}",
    )


def _steps(solver: Any, f: Any, y0: Any, ts: Any) -> ode.Solution:
    """One step for each interval, also by a solver that would choose its own."""
    return ode.odeint(f, y0, ts, solver=solver, step_size=float(np.max(np.abs(np.diff(ts)))))


def _decay(t, y):
    return {"a": -y["a"], "b": (-y["b"][0],)}


def _expect_slope(case: SolverCase, *trials: problems.Problem) -> None:
    slopes = {type(p).__name__: _measured_order(case.solver, p) for p in trials}
    least = min(slopes.values())
    told = ", ".join(f"{name} {slope:.2f}" for name, slope in slopes.items())
    if case.order is None:
        expect(least >= 1 - BELOW, f"expected order 1 at least, measured {told}")
        return
    expect(
        case.order - _below(case.order) <= least <= case.order + _above(case.order),
        f"expected order {case.order}, measured {told}",
    )


def _measured_order(solver: Any, problem: problems.Problem) -> float:
    steps = 2 ** np.arange(4, 9)
    t0, t1 = problem.t_span
    errors = []
    for n in steps:
        ts = np.linspace(t0, t1, n + 1)
        solution = _steps(solver, problem.f, problem.y0, ts)
        # over all times: at one time alone the leading term may vanish and flatter the solver
        errors.append(float(np.max(np.abs(_numpy(solution.ys) - problem.exact(ts)))))
    return _slope((t1 - t0) / steps, np.array(errors))


def _slope(steps: np.ndarray, errors: np.ndarray) -> float:
    """Returns the slope of log error over log step, without errors that are rounding."""
    expect(bool(np.all(np.isfinite(errors))), "the solve is not finite")
    used = errors > ROUNDING
    if used.sum() < 2:
        return np.inf  # exact to rounding: no order is too high for that
    return float(np.polyfit(np.log(steps[used]), np.log(errors[used]), 1)[0])


def _numpy(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))
