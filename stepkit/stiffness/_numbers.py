"""NumPy in, NumPy out; tensors in, tensors out. Norms that neither overflow nor underflow."""

from types import ModuleType
from typing import Any

import keras
import numpy as np
from keras import ops


def namespace(*values: Any) -> ModuleType:
    """Returns `numpy` where nothing is a tensor, else `keras.ops`: they share what is used here."""
    return ops if any(keras.ops.is_tensor(v) for v in values) else np


def floating(x: Any, xp: ModuleType) -> Any:
    """Returns `x` as an array or tensor in at least single precision; whole numbers as floats."""
    x = np.asarray(x) if xp is np else ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    if dtype in ("float16", "bfloat16"):
        return x.astype("float32") if xp is np else ops.cast(x, "float32")
    if "int" in dtype or dtype == "bool":
        return x.astype("float64") if xp is np else ops.cast(x, keras.config.floatx())
    return x


def norm(x: Any, axis: tuple[int, ...], xp: ModuleType) -> Any:
    """Returns the Euclidean norm over `axis`, by way of numbers of size 1."""
    size = xp.abs(x)
    if not axis:
        return size
    peak = xp.max(size, axis=axis, keepdims=True)
    scale = xp.where((peak > 0) & (peak < np.inf), peak, xp.ones_like(peak))
    if xp is ops:
        scale = ops.stop_gradient(scale)  # the norm does not depend on it
    scaled = size / scale
    return xp.squeeze(scale, axis) * xp.sqrt(xp.sum(scaled * scaled, axis=axis))


def quotient(change: Any, state: Any, xp: ModuleType) -> Any:
    """Returns `change / state` of sizes >= 0: 0 / 0 is 0, anything else over 0 is infinite."""
    infinite = xp.full_like(change, np.inf)
    over_zero = xp.where(change > 0, infinite, change)  # NaN stays NaN
    return xp.where(state == 0, over_zero, change / xp.where(state == 0, state + 1, state))


def relative_size(change: Any, state: Any, axis: Any, xp: ModuleType) -> Any:
    """Returns ||change|| / ||state||, norms over `axis`, or over all axes but the first."""
    if axis is None:
        axis = range(1, len(state.shape))
    axis = (axis,) if isinstance(axis, int) else tuple(axis)
    return quotient(norm(change, axis, xp), norm(state, axis, xp), xp)
