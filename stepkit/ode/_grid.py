"""TimeGrid: the steps of a fixed-step solve, laid out before it starts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops


@dataclass(frozen=True, eq=False)
class TimeGrid:
    """The steps between given times, equal within each interval, in float64.

    Attributes:
        ts: the given times, shape `(n,)`.
        starts, sizes: time at the start of each step and its signed size, shape `(num_steps,)`.
        counts: steps in each interval, shape `(n - 1,)`.
    """

    ts: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    counts: np.ndarray

    @classmethod
    def make(cls, ts: Any, step_size: float | None) -> "TimeGrid":
        """Lays out one step per interval, or the fewest equal ones that are at most `step_size`."""
        ts = _times(ts)
        widths = np.diff(ts)
        counts = np.ones(len(widths), int)
        if step_size is not None:
            # 1 / 0.1 steps are ten: the difference of two rounded times must not make it eleven
            ratio = np.abs(widths) / _positive(step_size) * (1 - 1e-9)
            counts = np.maximum(1, np.ceil(ratio)).astype(int)
        sizes = np.repeat(widths / counts, counts)
        within = np.concatenate([np.arange(n) for n in counts])
        return cls(ts, np.repeat(ts[:-1], counts) + within * sizes, sizes, counts)

    @property
    def num_steps(self) -> int:
        """Steps in all."""
        return len(self.sizes)

    @property
    def save_after(self) -> tuple[int, ...]:
        """Steps taken when each of `ts[1:]` is reached."""
        return tuple(np.cumsum(self.counts).tolist())


def _times(ts: Any) -> np.ndarray:
    try:
        array = np.array(ops.convert_to_numpy(ts), dtype=float)
    except Exception as error:  # each backend has its own error for a tensor without a value
        raise TypeError(
            "`ts` must be concrete numbers, not tensors of a compiled function. "
            f"Received: ts={ts!r}"
        ) from error
    if array.ndim != 1 or len(array) < 2 or not np.all(np.isfinite(array)):
        raise ValueError(f"`ts` must be at least two finite times on one axis. Received: ts={ts!r}")
    steps = np.diff(array)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise ValueError(f"`ts` must be strictly increasing or decreasing. Received: ts={ts!r}")
    return array


def _positive(step_size: Any) -> float:
    valid = isinstance(step_size, (int, float, np.number)) and not isinstance(step_size, bool)
    if not valid or not np.isfinite(step_size) or step_size <= 0:
        raise ValueError(
            "`step_size` must be a positive number, also where `ts` decreases. "
            f"Received: step_size={step_size!r}"
        )
    return float(step_size)
