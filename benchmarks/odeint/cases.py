"""The problems, their batches of initial states, and reference answers by SciPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from scipy import integrate

from stepkit.ode import problems

CHECKED = 2  # samples of a batch whose reference is computed


@dataclass(frozen=True)
class Case:
    """One initial value problem; every solver calls the same `f`."""

    name: str
    f: Callable[[Any, Any], Any]
    y0: np.ndarray
    end: float
    stiff: bool = False
    atol: float = 1.0  # in units of rtol

    def batch(self, size: int) -> np.ndarray:
        """Initial states of shape `(size, n)`, each up to 1 % away from `y0`."""
        near = np.random.default_rng(7).uniform(0.99, 1.01, (size, len(self.y0)))
        return self.y0 * near

    def reference(self, size: int, count: int = CHECKED) -> np.ndarray:
        """States at the end of the first samples, by Radau or DOP853 at rtol 1e-11."""
        method = "Radau" if self.stiff else "DOP853"
        tight = {"method": method, "rtol": 1e-11, "atol": 1e-13 * self.atol}
        rows = self.batch(size)[:count]
        return np.stack(
            [integrate.solve_ivp(self.f, (0.0, self.end), y, **tight).y[:, -1] for y in rows]
        )


class NeuralField:
    """y' = tanh(y A) B - 0.1 y with fixed random weights."""

    def __init__(self, width: int = 16, hidden: int = 64) -> None:
        draw = np.random.default_rng(3)
        self.a = draw.normal(size=(width, hidden)) / width**0.5
        self.b = draw.normal(size=(hidden, width)) / hidden**0.5

    def __call__(self, t: Any, y: Any) -> Any:
        if isinstance(y, np.ndarray):
            return np.tanh(y @ self.a) @ self.b - 0.1 * y
        a, b = (ops.convert_to_tensor(each, dtype=y.dtype) for each in (self.a, self.b))
        return ops.tanh(y @ a) @ b - 0.1 * y  # ops.matmul loses float64 on torch


def cases() -> dict[str, Case]:
    """Every problem, by its name."""
    lorenz, robertson = problems.Lorenz(), problems.Robertson()
    oscillators = {mu: problems.VanDerPol(float(mu)) for mu in (1, 10, 1000)}
    found = [
        Case("lorenz", lorenz.f, lorenz.y0, 2.0),
        Case("van_der_pol_1", oscillators[1].f, np.array([2.0, 0.1]), 10.0),
        Case("van_der_pol_10", oscillators[10].f, np.array([2.0, 0.1]), 20.0),
        Case("van_der_pol_1000", oscillators[1000].f, oscillators[1000].y0, 500.0, stiff=True),
        Case("robertson", robertson.f, robertson.y0, 1e4, stiff=True, atol=1e-4),
        Case("neural", NeuralField(), np.linspace(-1.0, 1.0, 16), 5.0),
    ]
    return {case.name: case for case in found}
