"""Choices and comparisons of scalars, for Python numbers and for tensors alike.

A solve runs in Python where values are at hand (NumPy, torch) and is traced elsewhere. The
algorithm is written once, in these words.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops, tree

PLAIN = (bool, int, float, np.generic)


def is_plain(*values: Any) -> bool:
    """Whether all values are Python or NumPy numbers."""
    return all(isinstance(value, PLAIN) for value in values)


def minimum(a: Any, b: Any) -> Any:
    """Returns the smaller number."""
    if is_plain(a, b):
        return min(a, b)
    return ops.where(a < b, a, b)  # not ops.minimum, which rounds float64 to float32 on torch


def maximum(a: Any, b: Any) -> Any:
    """Returns the larger number, entry by entry where they are arrays of tensors."""
    return max(a, b) if is_plain(a, b) else ops.where(a > b, a, b)


def clip(x: Any, low: float, high: float) -> Any:
    """Returns `x` between `low` and `high`; what is not a number becomes `high`."""
    if is_plain(x):
        return high if np.isnan(x) else min(max(x, low), high)
    return ops.where(ops.isnan(x), high, ops.clip(x, low, high))


def both(a: Any, b: Any) -> Any:
    """Returns `a and b`."""
    return bool(a and b) if is_plain(a, b) else ops.logical_and(a, b)


def either(a: Any, b: Any) -> Any:
    """Returns `a or b`."""
    return bool(a or b) if is_plain(a, b) else ops.logical_or(a, b)


def finite(x: Any) -> Any:
    """Whether a scalar is a finite number."""
    return bool(np.isfinite(x)) if is_plain(x) else ops.isfinite(x)


def choose(condition: Any, yes: Any, no: Any) -> Any:
    """Returns `yes` or `no`, two nested structures of the same shapes."""
    if is_plain(condition):
        return yes if condition else no
    return tree.map_structure(lambda a, b: ops.where(condition, a, b), yes, no)


def branch(condition: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """Returns `yes()` or `no()`; a traced program keeps both and runs one."""
    if is_plain(condition):
        return yes() if condition else no()
    return ops.cond(condition, yes, no)
