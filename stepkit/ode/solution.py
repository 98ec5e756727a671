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
    UNKNOWN = "unknown"  # inside tf.function or jax.jit no number is known yet


@dataclass(frozen=True)
class Statistics:
    """What a solve cost.

    Args:
        num_steps: int, steps taken.
        num_evaluations: int, calls of the field; for a batch, one call serves all its samples.
    """

    num_steps: int
    num_evaluations: int


@dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """The states of an initial value problem at given times.

    Inside a compiled function (`tf.function`, `jax.jit`) return `solution.ys`, not the object.

    Args:
        ts: float64 NumPy array of shape `(n,)`, the times as they were given.
        ys: structure of the initial state; each leaf has a leading time axis of length n. NumPy
            where everything was NumPy, tensors elsewhere.
        stats: `Statistics`.

    Example:
    >>> from stepkit import ode
    >>> solution = ode.odeint(lambda t, y: -y, 1.0, [0.0, 0.5, 1.0], solver="rk4")
    >>> solution
    Solution(result='success', times=3, num_steps=2, num_evaluations=8)
    """

    ts: np.ndarray
    ys: Any
    stats: Statistics

    @cached_property
    def result(self) -> Result:
        """`"success"`, `"not finite"`, or `"unknown"` while a compiled function is being traced."""
        last = self._first_not_finite
        return (
            Result.UNKNOWN if last is None else (Result.NOT_FINITE if last >= 0 else Result.SUCCESS)
        )

    @property
    def message(self) -> str:
        """What happened, in a sentence; for a failure, from which time on and what to try."""
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
