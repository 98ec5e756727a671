"""Attempt: what a solver makes of one step before it is accepted."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """One step, its estimated error, and what its dense output needs.

    Attributes:
        y: structure, the state at the end of the step.
        error: structure, the estimated local error in the unit of `y`.
        slope: structure, the slope at the end.
        coefficients: structures c_1, ..., c_d: y(t + theta h) = y_start + sum_j c_j theta^j; `()`
            where no dense output was wanted.
        evaluations: int or scalar tensor, calls of the field.
        converged: bool or scalar tensor; false where an implicit stage found no solution.
        state: what the solver remembers if the step is accepted.
        last: slopes and states of the last two stages; `()` where they are of no use.
        rate: scalar, a bound of the field's rates by its Jacobian, where the step has one.
    """

    y: Any
    error: Any
    slope: Any
    coefficients: tuple
    evaluations: Any
    converged: Any = True
    state: tuple = ()
    last: tuple = ()
    rate: Any = None


def hermite(y0: Any, y1: Any, increment0: Any, increment1: Any) -> tuple:
    """Returns the coefficients of the cubic through both ends with their slopes.

    Args:
        y0: leaf, the state at the start.
        y1: leaf, the state at the end.
        increment0: leaf, h times the slope at the start.
        increment1: leaf, h times the slope at the end.
    """
    rise = y1 - y0
    second = 3.0 * rise - 2.0 * increment0 - increment1
    third = increment0 + increment1 - 2.0 * rise
    return increment0, second, third
