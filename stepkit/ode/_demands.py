"""Demands: what is asked of an adaptive solve, checked before it starts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from stepkit.ode.step_size import PIDController


@dataclass(frozen=True)
class Demands:
    """What is asked of an adaptive solve.

    Attributes:
        rtol, atol: floats (or arrays that broadcast against a leaf): an error counts in units of
            `atol + rtol * |y|`.
        max_steps: int, the most attempts.
        first_step: float or `None`, the first step's length; `None`: chosen from the slopes.
        controller: `PIDController`.
        differentiable: bool, whether gradients are to flow.
    """

    rtol: Any
    atol: Any
    max_steps: int
    first_step: float | None
    controller: PIDController | None
    differentiable: bool

    def __post_init__(self) -> None:
        for name in ("rtol", "atol"):
            value = np.asarray(getattr(self, name))
            if value.dtype.kind not in "fiu" or not np.all(np.isfinite(value) & (value >= 0)):
                raise ValueError(f"`{name}` must be at least 0. Received: {name}={value!r}")
        if np.any((np.asarray(self.atol) + self.rtol) <= 0):
            raise ValueError("`rtol` and `atol` must not both be 0. Received: rtol=0, atol=0")
        if (
            isinstance(self.max_steps, bool)
            or int(self.max_steps) != self.max_steps
            or self.max_steps < 1
        ):
            raise ValueError(
                f"`max_steps` must be an integer >= 1. Received: max_steps={self.max_steps!r}"
            )
        if self.first_step is not None and not 0 < self.first_step < np.inf:
            raise ValueError(
                f"`first_step` must be positive. Received: first_step={self.first_step!r}"
            )
