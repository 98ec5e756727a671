"""The few functions that fields need, for NumPy and for tensors of any backend."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from stepkit._backend import elementwise
from stepkit.ode._state import is_numpy


def sin(x: Any) -> Any:
    """Returns the sine, NumPy in, NumPy out."""
    return np.sin(x) if is_numpy(x) else elementwise("sin", x)


def cos(x: Any) -> Any:
    """Returns the cosine, NumPy in, NumPy out."""
    return np.cos(x) if is_numpy(x) else elementwise("cos", x)


def stack(parts: Sequence[Any]) -> Any:
    """Returns the parts stacked along a new last axis."""
    return np.stack(parts, axis=-1) if is_numpy(parts[0]) else ops.stack(parts, axis=-1)


def apply(matrix: np.ndarray, y: Any) -> Any:
    """Returns `matrix @ y` for states on the last axis, in the dtype of `y`."""
    if is_numpy(y):
        return y @ matrix.T
    # The operator, not ops.matmul, which rounds float64 to float32 on torch.
    return (y[..., None, :] @ ops.convert_to_tensor(matrix.T, dtype=y.dtype))[..., 0, :]
