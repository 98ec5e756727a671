"""Solution: what a solve returns, with its statistics and its result code."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from keras import ops, tree


class Result(StrEnum):
    """How a solve ended; equal to its text, so `solution.result == "success"` works."""

    SUCCESS = "success"
    NOT_FINITE = "not finite"
    MAX_STEPS = "max steps reached"
    STEP_TOO_SMALL = "step too small"
    UNKNOWN = "unknown"  # inside tf.function or jax.jit no number is known yet


@dataclass(frozen=True)
class Statistics:
    """What a solve cost.

    Inside a compiled function the numbers of an adaptive solve are tensors.

    Args:
        num_steps: int, steps taken.
        num_evaluations: int, calls of the field; for a batch, one call serves all its samples.
        num_rejected: int, steps that were tried and not taken, since their error was too large.
            Defaults to 0.
    """

    num_steps: int
    num_evaluations: int
    num_rejected: int = 0


class SolveError(RuntimeError):
    """An adaptive solve did not reach its end; `solution` holds what was reached.

    Args:
        solution: `Solution`.

    Example: y' = y^2 from 1 grows beyond all bounds at t = 1.
    >>> from stepkit import ode
    >>> try:
    ...     ode.odeint(lambda t, y: y * y, 1.0, [0.0, 2.0])
    ... except ode.SolveError as error:
    ...     reached = error.solution.ending.t
    >>> round(reached, 3)
    1.0
    """

    def __init__(self, solution: "Solution") -> None:
        super().__init__(solution.message)
        self.solution = solution


@dataclass(frozen=True)
class Ending:
    """Where an adaptive solve stopped before its end.

    Args:
        result: why.
        t: float, the last time that was reached.
        h: float, the length of the step that was to follow.

    Example:
    >>> Ending(Result.MAX_STEPS, t=1.5, h=1e-4).result
    <Result.MAX_STEPS: 'max steps reached'>
    """

    result: Result
    t: float
    h: float

    def __str__(self) -> str:
        reasons = {
            Result.MAX_STEPS: "Raise `max_steps`, ask for less accuracy, or take a solver for "
            "stiff problems, such as 'kvaerno5'.",
            Result.STEP_TOO_SMALL: "The problem may be stiff (try 'kvaerno5'), its solution may "
            "end there, or the tolerance is below what the dtype can give.",
            Result.NOT_FINITE: "The field gives infinite values or no numbers there: look whether "
            "the exact solution stays finite.",
        }
        return (
            f"{self.result}: the solve stopped at t = {self.t:.6g} with a step of {self.h:.3g}. "
            f"{reasons[self.result]}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """The states of an initial value problem at given times.

    Inside a compiled function (`tf.function`, `jax.jit`) return `solution.ys`, not the object.

    Args:
        ts: float64 NumPy array of shape `(n,)`, the times as they were given.
        ys: structure of the initial state; each leaf has a leading time axis of length n. NumPy
            where everything was NumPy, tensors elsewhere.
        stats: `Statistics`.
        ending: `Ending` of an adaptive solve that stopped early; states at times that it did not
            reach are NaN. Defaults to `None`.

    Example:
    >>> from stepkit import ode
    >>> solution = ode.odeint(lambda t, y: -y, 1.0, [0.0, 0.5, 1.0], solver="rk4")
    >>> solution
    Solution(result='success', times=3, num_steps=2, num_evaluations=8)
    """

    ts: np.ndarray
    ys: Any
    stats: Statistics
    ending: Ending | None = None

    @cached_property
    def result(self) -> Result:
        """`"success"`, why it failed, or `"unknown"` while a compiled function is being traced."""
        if self.ending is not None:
            return self.ending.result
        last = self._first_not_finite
        return (
            Result.UNKNOWN if last is None else (Result.NOT_FINITE if last >= 0 else Result.SUCCESS)
        )

    @property
    def message(self) -> str:
        """What happened, in a sentence; for a failure, from which time on and what to try."""
        if self.ending is not None:
            return str(self.ending)
        if self.result != Result.NOT_FINITE:
            return str(self.result)
        t = self.ts[self._first_not_finite]
        return (
            f"{self.result}: infinite or not a number from t = {t:g} on. "
            "Try smaller steps, or look whether the exact solution stays finite."
        )

    @cached_property
    def _first_not_finite(self) -> int | None:
        """Index of the first time whose state is not finite; -1: none; `None`: not known."""
        try:
            leaves = [ops.convert_to_numpy(leaf) for leaf in tree.flatten(self.ys)]
        except Exception:  # each backend has its own error for a tensor without a value
            return None
        good = [_finite(leaf).reshape(len(self.ts), -1).all(axis=1) for leaf in leaves]
        bad = np.flatnonzero(~np.all(good, axis=0))
        return int(bad[0]) if bad.size else -1

    def __repr__(self) -> str:
        return (
            f"Solution(result='{self.result}', times={len(self.ts)}, "
            f"num_steps={self.stats.num_steps}, num_evaluations={self.stats.num_evaluations})"
        )


def _finite(leaf: np.ndarray) -> np.ndarray:
    # bfloat16 is no dtype of NumPy's own, and isfinite may not know it
    known = np.issubdtype(leaf.dtype, np.inexact)
    return np.isfinite(leaf if known else leaf.astype("float32"))
