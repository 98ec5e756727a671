"""Vector: a nested state as one vector of numbers (per sample), and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops, tree

from stepkit._backend import jvp
from stepkit.ode import _state


def _dtypes(leaves: list, numpy: bool) -> list:
    return [np.asarray(leaf).dtype for leaf in leaves] if numpy else _state.dtypes_of(leaves)


def _shape(leaf: Any) -> tuple[int | None, ...]:
    return tuple(leaf.shape) if hasattr(leaf, "shape") else np.shape(leaf)


def _check_known(shapes: list[tuple], batch_axes: int) -> None:
    within = [size for shape in shapes for size in shape[batch_axes:]]
    if None in within or any(shape[:batch_axes].count(None) > 1 for shape in shapes):
        raise ValueError(
            "An implicit solver must know how many equations it solves. Expected: a solver that "
            "takes each sample for a system of its own, such as `Kvaerno5(batch_axes=1)`, or a "
            f"state of known shape. Received: shapes {shapes} with batch_axes={batch_axes}"
        )


class Vector:
    """How states of one structure are laid out on one last axis.

    Args:
        like: a state; leaves of NumPy or of tensors.
        batch_axes: int, how many leading axes of each leaf count samples.

    Raises:
        ValueError: where the number of equations is not known, as in a model that leaves its batch
            size open and a solver that takes the batch for one system.
    """

    def __init__(self, like: Any, batch_axes: int) -> None:
        self.like, self.numpy = like, _state.all_numpy(like)
        leaves = tree.flatten(like)
        shapes = [_shape(leaf) for leaf in leaves]
        _check_known(shapes, batch_axes)
        self.batch = tuple(-1 if size is None else size for size in shapes[0][:batch_axes])
        self.shapes = [shape[batch_axes:] for shape in shapes]
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.dtypes = _dtypes(leaves, self.numpy)
        self.widest = None if self.numpy else _state.time_dtype(self.dtypes)
        self.size = sum(self.sizes)

    def flat(self, state: Any) -> Any:
        """Returns the state with shape `(*batch, size)`."""
        leaves = tree.flatten(state)
        parts = [
            self._reshape(leaf, (*self.batch, size))
            for leaf, size in zip(leaves, self.sizes, strict=True)
        ]
        if len(parts) == 1:
            return parts[0]
        if not self.numpy:
            parts = [ops.cast(part, self.widest) for part in parts]
        return np.concatenate(parts, axis=-1) if self.numpy else ops.concatenate(parts, axis=-1)

    def state(self, flat: Any) -> Any:
        """Returns the structure of a flat state."""
        places = np.cumsum([0, *self.sizes])
        leaves = [
            self._reshape(flat[..., places[i] : places[i + 1]], (*self.batch, *shape))
            for i, shape in enumerate(self.shapes)
        ]
        cast = np.asarray if self.numpy else ops.cast
        leaves = [cast(leaf, dtype) for leaf, dtype in zip(leaves, self.dtypes, strict=True)]
        return tree.pack_sequence_as(self.like, leaves)

    def _reshape(self, leaf: Any, shape: tuple) -> Any:
        return np.reshape(leaf, shape) if self.numpy else ops.reshape(leaf, shape)

    def jacobian(self, function: Callable[[Any], Any], at: Any) -> tuple[Any, int]:
        """Returns the Jacobians `(*batch, size, size)` of a function of flat states, and its cost.

        Tensors: `size` products J v. NumPy: `size` differences, which is what SciPy does as well.
        """
        basis = np.eye(self.size)
        if self.numpy:
            value, step = function(at), np.sqrt(np.finfo(np.asarray(at).dtype).eps)
            width = step * np.maximum(np.abs(at), 1e-5)
            columns = [
                (function(at + width * unit) - value) / np.sum(width * unit, axis=-1, keepdims=True)
                for unit in basis
            ]
            return np.stack(columns, axis=-1), self.size + 1
        zeros = ops.zeros_like(at)

        def product(unit):
            return jvp(function, (at,), (zeros + unit,))[1]

        units = ops.convert_to_tensor(basis, dtype=at.dtype)
        return ops.stack([product(units[i]) for i in range(self.size)], axis=-1), self.size
