"""odeint: initial value problems y' = f(t, y), y(ts[0]) = y0."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from keras import ops, tree

from stepkit._backend import saving_loop
from stepkit.ode import _state
from stepkit.ode._demands import Demands
from stepkit.ode._field import Field, NeedsTensorsError, call_with_tensors
from stepkit.ode._grid import TimeGrid
from stepkit.ode._reuse import reuse
from stepkit.ode.adaptive import adaptive_solution, estimates_error
from stepkit.ode.lookup import get
from stepkit.ode.solution import Solution, Statistics
from stepkit.ode.step_size import PIDController

STEP = "The solver's step"


def odeint(
    f: Callable[[Any, Any], Any],
    y0: Any,
    ts: Sequence[float],
    *,
    solver: Any = "dopri5",
    step_size: float | None = None,
    rtol: float = 1e-3,
    atol: float = 1e-6,
    max_steps: int = 4096,
    first_step: float | None = None,
    controller: PIDController | None = None,
    throw: bool = True,
    differentiable: bool = True,
) -> Solution:
    """Solves y' = f(t, y) from y(ts[0]) = y0 and returns the states at all of `ts`.

    A solver that estimates its error (`"bosh3"`, `"dopri5"`, `"tsit5"`, `"kvaerno5"`, `"auto"`)
    chooses its steps, so that the root mean square over all entries of
    `error / (atol + rtol * |y|)` is at most 1 in each step, and reads the states at `ts` off its
    dense output. For a batch, one step serves all samples. Other solvers, and all where `step_size`
    is given, take fixed steps.

    NumPy in, NumPy out: where `y0` and what `f` answers are numbers or NumPy arrays, the solve runs
    in NumPy, in double precision for Python numbers. Elsewhere it runs in tensors of the backend,
    in one loop that is not unrolled, inside `tf.function`, `jax.jit` and compiled models too, and
    gradients flow through it (discretise, then optimise). TensorFlow and JAX compile a solve at its
    first call. It is used again for the same field, solver and shapes, as long as the numbers that
    `f` reads from its closure, from globals and from attributes are the same; keras variables may
    change. What cannot be compared is compiled anew.

    The dtype of `y0` is kept. States in float16 or bfloat16 are summed in float32; `f` gets them,
    and `ys` returns them, in their own dtype.

    Args:
        f: callable `f(t, y)`, the slope, with the structure and shapes of `y`. `t` is a float
            (NumPy) or a scalar tensor of the dtype of the state.
        y0: nested structure (`keras.tree`) of numbers, arrays or tensors. A list of plain numbers
            is an array.
        ts: at least two times, strictly increasing or strictly decreasing; concrete numbers.
        solver: what `ode.get` takes: a name, a `ButcherTableau`, a solver, or a callable
            `step(f, t, y, h) -> y_next`. Defaults to `"dopri5"`.
        step_size: positive float, the largest step, in the unit of `ts`. Each interval of `ts` is
            cut into the fewest equal steps that respect it, so the solve lands on `ts`. Defaults to
            `None`: chosen by the solver; one step per interval where it has no error estimate.
        rtol: float, relative tolerance. Defaults to `1e-3`.
        atol: float or array that broadcasts against `y0`, absolute tolerance, in the unit of `y0`.
            Defaults to `1e-6`.
        max_steps: int, the most steps that an adaptive solve tries. Defaults to `4096`.
        first_step: positive float, the first step that an adaptive solve tries. Defaults to `None`:
            chosen from the slopes at the start, with one more evaluation.
        controller: `PIDController`, how steps follow errors. Defaults to `None`:
            `PIDController()`.
        throw: bool, whether an adaptive solve that stops early raises; if not, `Solution.result`
            and `Solution.message` say why. Inside a compiled function nothing can be raised, and
            states at times that were not reached are NaN. Defaults to `True`.
        differentiable: bool, whether gradients are to flow through an adaptive solve. Without them
            a compiled solve on JAX leaves its loop early. Defaults to `True`.

    Returns:
        `Solution`. A solve by fixed steps that overflows goes on to the end and says so in
        `Solution.result`.

    Raises:
        SolveError: where an adaptive solve stopped early: too many steps, a step that is too small,
            or no finite numbers; with the time, the step and what to try.
        ValueError: for times that are not monotone, a step size that is not positive, or an answer
            of `f` or of the solver that does not fit the state.
        TypeError: where NumPy meets a tensor inside a compiled function; it names the function of
            `keras.ops` to write instead.

    Example:
    >>> solution = odeint(lambda t, y: -y, 1.0, [0.0, 1.0, 2.0], solver="rk4", step_size=0.1)
    >>> [round(float(y), 4) for y in solution.ys]
    [1.0, 0.3679, 0.1353]
    >>> solution.stats.num_steps
    20

    Reference: Hairer, Norsett, Wanner, *Solving Ordinary Differential Equations I*.
    """
    solver, grid = get(solver), TimeGrid.make(ts, step_size)
    in_numpy, in_tensors = _in_numpy, trajectory
    if step_size is None and estimates_error(solver):
        demands = Demands(rtol, atol, max_steps, first_step, controller, differentiable)
        in_numpy = in_tensors = partial(adaptive_solution, demands=demands, throw=throw)
    refusal = None
    if _state.all_numpy(y0):
        try:
            return in_numpy(Field(f, numpy_only=True), _state.as_state(y0), grid, solver)
        except NeedsTensorsError as error:
            refusal = error.__cause__
    y0 = _state.as_tensors(y0)
    try:
        return in_tensors(Field(f, dtypes=_state.dtypes_of(y0)), y0, grid, solver)
    except Exception as error:
        if type(error) is type(refusal):  # the same mistake: show it without the detour
            raise refusal from None
        raise


def trajectory(field: Field, y0: Any, grid: TimeGrid, solver: Any) -> Solution:
    """Returns the `Solution` at `grid.ts` for a field and a state of tensors."""
    program = partial(_trajectory, solver=solver, save_after=grid.save_after)
    saved = reuse(program, field, (y0, *_clock(grid, y0)))

    def prepend(first, rest, dtype):
        return ops.concatenate([first[None], ops.cast(rest, dtype)])

    ys = tree.map_structure(prepend, y0, saved, field.dtypes)
    return Solution(grid.ts, ys, Statistics(grid.num_steps, field.calls))


def integrate(field: Field, y0: Any, grid: TimeGrid, solver: Any) -> Any:
    """Returns the state at the end of `grid`, in the dtypes in which steps are summed.

    Args:
        field: `Field`; its `memory` is carried along, and `calls` is set to evaluations in all.
        y0: structure of tensors, in the dtypes of `field.dtypes`.
        grid: `TimeGrid`.
        solver: an object with `step`.
    """
    return _steps(field, y0, *_clock(grid, y0), solver=solver, save_after=())[0]


def _clock(grid: TimeGrid, y0: Any) -> tuple[Any, Any]:
    dtype = _state.time_dtype(_state.summing_dtypes(_state.dtypes_of(y0)))
    return tuple(ops.convert_to_tensor(each, dtype=dtype) for each in (grid.starts, grid.sizes))


def _trajectory(field, y0, starts, sizes, solver, save_after):
    return _steps(field, y0, starts, sizes, solver, save_after)[1]


def _steps(field, y0, starts, sizes, solver, save_after):
    num_steps, traced = sizes.shape[0], 0

    def body(i, carry):
        nonlocal traced
        traced += 1
        y, field.memory = carry
        t, h = ops.take(starts, i), ops.take(sizes, i)
        y = _state.match(call_with_tensors(solver.step, field, t, y, h), y, STEP)
        return y, field.memory

    carry = (_state.cast(y0, _state.summing_dtypes(field.dtypes)), field.memory)
    (last, field.memory), saved = saving_loop(
        num_steps, body, carry, save_after, select=lambda carry: carry[0]
    )
    # A compiled loop enters its body once or twice, an eager one at each step.
    field.calls = field.calls * num_steps // traced
    return last, saved


def _in_numpy(field: Field, y: Any, grid: TimeGrid, solver: Any) -> Solution:
    kept, wanted = [y], set(grid.save_after)
    with np.errstate(all="ignore"):  # an overflow is told by Solution.result
        pairs = zip(grid.starts.tolist(), grid.sizes.tolist(), strict=True)
        for count, (t, h) in enumerate(pairs, start=1):
            answer = solver.step(field, t, y, h)
            if answer is not None and not _state.all_numpy(answer):
                raise NeedsTensorsError
            y = _state.match(answer, y, STEP)
            if count in wanted:
                kept.append(y)
    ys = tree.map_structure(lambda *leaves: np.stack(leaves), *kept)
    return Solution(grid.ts, ys, Statistics(grid.num_steps, field.calls))
