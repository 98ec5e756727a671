"""ExplicitRungeKutta: the one algorithm behind every explicit tableau."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from stepkit._backend.autodiff import unrecorded
from stepkit._registry import serializable
from stepkit.ode._attempt import Attempt, hermite
from stepkit.ode._field import Field, same_structure
from stepkit.ode._state import as_state, is_numpy
from stepkit.ode.tableau import ButcherTableau


@serializable
class ExplicitRungeKutta:
    """An explicit Runge-Kutta method: its tableau, and one step with it.

    Solvers are immutable, hashable, and equal when class and configuration are.

    Args:
        tableau: `ButcherTableau` with strictly lower triangular `a`.

    Example: Ralston's method of order 3, which has no class here.
    >>> tableau = ButcherTableau(
    ...     a=[[0, 0, 0], [1 / 2, 0, 0], [0, 3 / 4, 0]],
    ...     b=[2 / 9, 3 / 9, 4 / 9],
    ...     c=[0, 1 / 2, 3 / 4],
    ... )
    >>> solver = ExplicitRungeKutta(tableau)
    >>> solver.order
    3
    >>> float(solver.step(lambda t, y: -y, 0.0, 1.0, 0.5))
    0.6041666666666667

    Reference: Hairer, Norsett, Wanner, *Solving Ordinary Differential Equations I*, section II.1.
    """

    def __init__(self, tableau: ButcherTableau) -> None:
        if not isinstance(tableau, ButcherTableau):
            raise TypeError(f"`tableau` must be a ButcherTableau. Received: tableau={tableau!r}")
        if not tableau.explicit:
            raise ValueError(
                "`tableau` must be explicit: `a` strictly lower triangular. "
                f"Received: a={tableau.a}"
            )
        self._tableau = tableau

    @property
    def tableau(self) -> ButcherTableau:
        """The coefficients."""
        return self._tableau

    @property
    def order(self) -> int:
        """The order p: the error after a fixed time shrinks as h^p."""
        return self.tableau.order

    def step(self, f: Callable, t: Any, y: Any, h: Any) -> Any:
        """Returns the state one step of size `h` after `y`.

        Args:
            f: callable `f(t, y)`, the slope.
            t: number or scalar tensor, the time at `y`.
            y: nested structure of numbers, NumPy arrays or tensors. NumPy in, NumPy out.
            h: number or scalar tensor; negative to step back.
        """
        field = f if isinstance(f, Field) else Field(f)
        y = y if isinstance(f, Field) else as_state(y)
        h = float(h) if is_numpy(h) else h
        slopes = []
        for row, c in zip(self.tableau.a, self.tableau.c, strict=True):
            slopes.append(field(t + c * h, advance(y, h, row, slopes)))
        return advance(y, h, self.tableau.b, slopes)

    def attempt(
        self,
        field: Field,
        t: Any,
        y: Any,
        h: Any,
        slope: Any,
        norm: Callable | None = None,
        state: tuple = (),
        dense: bool = True,
    ) -> Attempt:
        """Returns one step with its error estimate; only for a tableau with `b_err`.

        Args:
            field: `Field`.
            t: number or scalar tensor, the time at `y`.
            y: structure of arrays or tensors.
            h: number or scalar tensor, the signed step.
            slope: the slope at `t` and `y`, which is known from the step before.
            norm: not used here; implicit stages need it.
            state: not used here; this solver remembers nothing.
            dense: whether the coefficients of the dense output are wanted.
        """
        tableau, slopes, before, last = self.tableau, [slope], y, y
        for row, c in zip(tableau.a[1:], tableau.c[1:], strict=True):
            before, last = last, advance(y, h, row, slopes)
            slopes.append(field(t + c * h, last))
        evaluations = len(slopes) - 1
        if not tableau.fsal:
            last = advance(y, h, tableau.b, slopes)
            slopes.append(field(t + h, last))
            evaluations += 1
        with unrecorded():
            error = combination(h, tableau.b_err, slopes)
        coefficients = dense_output(tableau, y, last, h, slopes) if dense else ()
        ends = (tuple(slopes[-2:]), (before, last))
        return Attempt(last, error, slopes[-1], coefficients, evaluations, last=ends)

    def get_config(self) -> dict[str, Any]:
        """Returns the tableau, serialised."""
        return {"tableau": keras.saving.serialize_keras_object(self.tableau)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ExplicitRungeKutta":
        """Returns the solver that `get_config` described."""
        return cls(keras.saving.deserialize_keras_object(config["tableau"]))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.tableau == other.tableau

    def __hash__(self) -> int:
        return hash((type(self), self.tableau))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.tableau!r})"


def advance(y: Any, h: Any, weights: Sequence[float], slopes: Sequence[Any]) -> Any:
    """Returns `y + h sum_i w_i k_i`, leaf by leaf, in the dtype of the leaf."""
    terms = [(w, k) for w, k in zip(weights, slopes, strict=False) if w != 0.0]
    if not terms:
        return y
    used = [w for w, _ in terms]

    def add_up(leaf, *leaf_slopes):
        total = _weighted(used, leaf_slopes)
        if is_numpy(total):
            return np.asarray(leaf + h * total, dtype=np.asarray(leaf).dtype)[()]
        return ops.convert_to_tensor(leaf, dtype=total.dtype) + _step(h, total) * total

    return same_structure(add_up, y, *(k for _, k in terms))


def combination(h: Any, weights: Sequence[float], slopes: Sequence[Any]) -> Any:
    """Returns `h sum_i w_i k_i`, leaf by leaf."""
    terms = [(w, k) for w, k in zip(weights, slopes, strict=False) if w != 0.0]
    used = [w for w, _ in terms]

    def add_up(*leaf_slopes):
        total = _weighted(used, leaf_slopes)
        return _step(h, total) * total

    return same_structure(add_up, *(k for _, k in terms))


def dense_output(tableau: ButcherTableau, y: Any, last: Any, h: Any, slopes: list) -> tuple:
    """Returns structures c_1, ..., c_d with y(t + theta h) = y + sum_j c_j theta^j."""
    if tableau.interpolant is not None:
        powers = zip(*tableau.interpolant, strict=True)
        return tuple(combination(h, weights, slopes) for weights in powers)
    ends = [same_structure(lambda k: _step(h, k) * k, slopes[i]) for i in (0, -1)]
    if not tree.is_nested(y):
        return hermite(y, last, *ends)
    leaves = [hermite(*each) for each in zip(*map(tree.flatten, (y, last, *ends)), strict=True)]
    return tuple(tree.pack_sequence_as(y, list(each)) for each in zip(*leaves, strict=True))


def _weighted(weights: Sequence[float], slopes: Sequence[Any]) -> Any:
    return reduce(add, (w * k for w, k in zip(weights, slopes, strict=True)))


def _step(h: Any, leaf: Any) -> Any:
    """Returns `h` so that it keeps the dtype of `leaf`."""
    return h if is_numpy(h) else ops.cast(h, leaf.dtype)
