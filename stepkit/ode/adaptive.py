"""Adaptive solves: steps chosen from their estimated error."""

from functools import partial
from typing import Any

import numpy as np
from keras import ops, tree

from stepkit._backend import while_loop
from stepkit.ode import _state
from stepkit.ode._adaptive_loop import NOT_FINITE, RUNNING, TOO_SMALL, AdaptiveLoop
from stepkit.ode._demands import Demands
from stepkit.ode._field import Field
from stepkit.ode._grid import TimeGrid
from stepkit.ode._reuse import reuse
from stepkit.ode._scalars import is_plain
from stepkit.ode.solution import Ending, Result, Solution, SolveError, Statistics


def estimates_error(solver: Any) -> bool:
    """Whether a solver can choose its steps."""
    tableau = getattr(solver, "tableau", None)
    return tableau is not None and tableau.b_err is not None and hasattr(solver, "attempt")


def adaptive_solution(
    field: Field, y0: Any, grid: TimeGrid, solver: Any, *, demands: Demands, throw: bool
) -> Solution:
    """Returns the `Solution` at `grid.ts`.

    Raises:
        SolveError: if it stopped early, unless `throw` is false or a function is being compiled.
    """
    plain = _state.all_numpy(y0)
    dtypes = None if plain else field.dtypes
    start = y0 if plain else _state.cast(y0, _state.summing_dtypes(dtypes))
    with np.errstate(all="ignore"):
        saved, last = solve(field, start, grid.ts, solver, demands)
    ys = _prepended(y0, saved, dtypes)
    stats = Statistics(*(_known(last[key]) for key in ("accepted", "evaluations", "rejected")))
    solution = Solution(grid.ts, ys, stats, _ending(last, len(grid.ts) - 1))
    if throw and solution.ending is not None:
        raise SolveError(solution)
    return solution


def _prepended(y0: Any, saved: Any, dtypes: Any) -> Any:
    if dtypes is None:
        return tree.map_structure(lambda a, b: np.concatenate([np.asarray(a)[None], b]), y0, saved)
    return tree.map_structure(
        lambda a, b, dtype: ops.concatenate([a[None], ops.cast(b, dtype)]), y0, saved, dtypes
    )


def _known(value: Any) -> Any:
    """Returns a number where it has a value, else the tensor."""
    try:
        return value if is_plain(value) else ops.convert_to_numpy(value).item()
    except Exception:  # each backend has its own error for a tensor without a value
        return value


def _ending(last: dict[str, Any], slots: int) -> Ending | None:
    slot, status, t, h = (_known(last[key]) for key in ("slot", "status", "t", "h"))
    if not is_plain(slot, status, t, h) or slot >= slots:
        return None
    why = {
        RUNNING: Result.MAX_STEPS,
        NOT_FINITE: Result.NOT_FINITE,
        TOO_SMALL: Result.STEP_TOO_SMALL,
    }
    return Ending(why[status], t, h)


def solve(
    field: Field, y0: Any, ts: np.ndarray, solver: Any, demands: Demands
) -> tuple[Any, dict[str, Any]]:
    """Returns the states at `ts[1:]` and the last carry of the loop, as far as it is of use.

    Args:
        field: `Field`.
        y0: structure of arrays or tensors, in the dtypes in which steps are summed.
        ts: float64 array of shape `(n,)`.
        solver: a solver with `attempt` and a tableau with `b_err`.
        demands: `Demands`.
    """
    direction = 1.0 if ts[-1] > ts[0] else -1.0
    program = partial(_saved, solver=solver, demands=demands, direction=direction)
    if _state.all_numpy(y0) or while_loop.runs_in_python():
        while_loop.check_not_exported()
        return program(field, y0, ts)
    clock = _state.time_dtype(_state.dtypes_of(y0))
    return reuse(program, field, (y0, ops.convert_to_tensor(ts, dtype=clock)))


def _saved(field, y0, ts, solver, demands, direction):
    run = AdaptiveLoop(field, y0, ts, solver, demands, direction)
    like = y0 if run.dense else ()
    loop = (demands.max_steps + run.slots, run.running, run.body, run.start(), run.slots, like)
    if run.plain:
        stack = np.stack if run.numpy else ops.stack
        last, table = while_loop.in_python(*loop, stack=stack)
    else:
        last, table = while_loop.saving_while(*loop, demands.differentiable)
    field.memory = last["memory"]
    told = ("slot", "status", "t", "h", "accepted", "rejected", "evaluations")
    return run.states(table, last), {key: last[key] for key in told}
