"""ButcherTableau: the coefficients of a Runge-Kutta method, which check themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stepkit._registry import serializable
from stepkit.ode.order_conditions import order_of


@serializable
@dataclass(frozen=True)
class ButcherTableau:
    """The coefficients of a Runge-Kutta method with s stages.

    ```
    k_i    = f(t + c_i h, y + h sum_j a_ij k_j)        i = 1, ..., s
    y_next = y + h sum_i b_i k_i
    error  =     h sum_i b_err_i k_i                   where the method is embedded
    y(t + theta h) = y + h sum_i k_i sum_j interpolant_ij theta^j      j = 1, ..., d
    ```

    The tableau checks itself: shapes, finite numbers, row sums of `a` equal `c`, `b` sums to 1,
    `b_err` sums to 0, the interpolant ends at `b`. What follows from the numbers is derived, never
    told: `order`, `embedded_order`, `explicit`, `fsal`. Two tableaux with the same numbers are
    equal.

    Args:
        a: s x s numbers, the weights of the stages within a step.
        b: s numbers, the weights of the result.
        c: s numbers, the times of the stages in units of the step.
        b_err: s numbers, `b` minus the weights of the embedded method. Defaults to `None`: there is
            none.
        interpolant: s x d numbers, the powers of theta in the dense output. Defaults to `None`:
            a solve takes the cubic Hermite polynomial.

    Raises:
        ValueError: where the numbers do not make a Runge-Kutta method.

    Example: Heun's method.
    >>> heun = ButcherTableau(a=[[0, 0], [1, 0]], b=[1 / 2, 1 / 2], c=[0, 1])
    >>> heun.stages, heun.order, heun.explicit
    (2, 2, True)

    Reference: J. C. Butcher, *Numerical Methods for Ordinary Differential Equations* (2016).
    """

    a: Sequence[Sequence[float]]
    b: Sequence[float]
    c: Sequence[float]
    b_err: Sequence[float] | None = None
    interpolant: Sequence[Sequence[float]] | None = None

    def __post_init__(self) -> None:
        b = _numbers("b", self.b, ndim=1)
        stages = len(b)
        a = _numbers("a", self.a, ndim=2, shape=(stages, stages))
        c = _numbers("c", self.c, ndim=1, shape=(stages,))
        _check_sums("each row of `a` to sum to the entry of `c`", a.sum(axis=1), c, a)
        _check_sums("`b` to sum to 1", b.sum(), 1.0, b)
        if self.b_err is not None:
            b_err = _numbers("b_err", self.b_err, ndim=1, shape=(stages,))
            _check_sums("`b_err` to sum to 0", b_err.sum(), 0.0, b_err)
            self._store("b_err", b_err.tolist())
        if self.interpolant is not None:
            powers = _numbers("interpolant", self.interpolant, ndim=2)
            if len(powers) != stages:
                raise ValueError(
                    f"`interpolant` must have one row for each of the {stages} stages. "
                    f"Received: {len(powers)} rows"
                )
            _check_sums("each row of `interpolant` to sum to `b`", powers.sum(axis=1), b, powers)
            self._store("interpolant", [tuple(row) for row in powers.tolist()])
        # Python floats: a NumPy scalar would promote half-precision states on JAX.
        self._store("a", [tuple(row) for row in a.tolist()])
        self._store("b", b.tolist())
        self._store("c", c.tolist())

    def _store(self, name: str, value: list) -> None:
        object.__setattr__(self, name, tuple(value))

    @property
    def stages(self) -> int:
        """The number of evaluations of the field in one step."""
        return len(self.b)

    @cached_property
    def explicit(self) -> bool:
        """Whether each stage needs earlier stages only: `a` is strictly lower triangular."""
        return not np.any(np.triu(np.array(self.a)))

    @cached_property
    def diagonally_implicit(self) -> bool:
        """Whether a stage needs itself and earlier stages only: `a` is lower triangular."""
        return not np.any(np.triu(np.array(self.a), 1))

    @cached_property
    def fsal(self) -> bool:
        """Whether the last slope is the first one of the next step.

        It is where the first stage is explicit and the last row of `a` equals `b`.
        """
        explicit_start = not any(self.a[0])
        ends = self.a[-1] == self.b and self.c[-1] == 1.0
        return self.stages > 1 and self.diagonally_implicit and explicit_start and ends

    @cached_property
    def order(self) -> int:
        """The order of `b`, from the conditions of the rooted trees; told apart up to 8."""
        return order_of(np.array(self.a), np.array(self.b))

    @cached_property
    def embedded_order(self) -> int | None:
        """The order of the embedded method `b - b_err`, or `None` where there is none."""
        if self.b_err is None:
            return None
        return order_of(np.array(self.a), np.array(self.b) - np.array(self.b_err))

    def get_config(self) -> dict[str, Any]:
        """Returns the numbers as plain lists."""
        config = {"a": [list(row) for row in self.a], "b": list(self.b), "c": list(self.c)}
        if self.b_err is not None:
            config["b_err"] = list(self.b_err)
        if self.interpolant is not None:
            config["interpolant"] = [list(row) for row in self.interpolant]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ButcherTableau":
        """Returns the tableau that `get_config` described."""
        return cls(**config)


def _numbers(name: str, value: Any, ndim: int, shape: tuple | None = None) -> np.ndarray:
    """Returns `value` as a float64 array, or says what is wrong with it."""
    wanted = f"of shape {shape}" if shape else f"with {ndim} axis"
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        array = None
    fits = array is not None and array.ndim == ndim and array.size and shape in (None, array.shape)
    if not fits or not np.all(np.isfinite(array)):
        raise ValueError(f"`{name}` must be finite numbers {wanted}. Received: {name}={value!r}")
    return array


def _check_sums(what: str, sums: Any, expected: Any, terms: np.ndarray) -> None:
    tolerance = 8 * np.finfo(float).eps * (1 + np.abs(terms).sum())
    if np.any(np.abs(sums - expected) > tolerance):
        raise ValueError(
            f"A Butcher tableau needs {what}. "
            f"Expected: {np.asarray(expected).tolist()}. Received: {np.asarray(sums).tolist()}"
        )
