"""States: nested structures of numbers, NumPy arrays or tensors, told apart and brought in line."""

from typing import Any

import keras
import numpy as np
from keras import ops, tree

HALF = ("float16", "bfloat16")


def is_numpy(leaf: Any) -> bool:
    """Whether a leaf is a Python number, a NumPy scalar or a NumPy array."""
    return isinstance(leaf, (bool, int, float, complex, np.ndarray, np.generic))


def all_numpy(state: Any) -> bool:
    """Whether no leaf of a state is a tensor."""
    return all(map(is_numpy, tree.flatten(state)))


def as_state(y: Any) -> Any:
    """Returns a state whose NumPy leaves are fresh arrays (or scalars) of an inexact dtype.

    A list of plain numbers is an array, as everywhere in NumPy; other lists, tuples and dicts are
    structures. Integers become float64.
    """
    if isinstance(y, list) and _is_number_table(y):
        y = np.array(y)
    return tree.map_structure(lambda leaf: _inexact(leaf) if is_numpy(leaf) else leaf, y)


def as_tensors(y: Any) -> Any:
    """Returns a state of tensors; Python numbers take `keras.config.floatx()`, as in Keras."""
    if isinstance(y, list) and _is_number_table(y):
        return _tensor(np.array(y), plain=not np.iscomplexobj(np.array(y)))
    return tree.map_structure(lambda leaf: _tensor(leaf, isinstance(leaf, (int, float))), y)


def _tensor(leaf: Any, plain: bool) -> Any:
    if is_numpy(leaf):
        # np.float64 is a float, too, and Keras on torch would make it a float32 tensor
        plain = plain and not isinstance(leaf, np.generic)
        leaf = np.asarray(leaf)
    leaf = ops.convert_to_tensor(leaf)
    exact = keras.backend.standardize_dtype(leaf.dtype).startswith(("int", "uint", "bool"))
    return ops.cast(leaf, keras.config.floatx()) if plain or exact else leaf


def dtypes_of(y: Any) -> Any:
    """Returns the structure of `y` with the name of each tensor's dtype."""
    return tree.map_structure(lambda leaf: keras.backend.standardize_dtype(leaf.dtype), y)


def cast(y: Any, dtypes: Any) -> Any:
    """Returns the state with each leaf in its dtype."""
    return tree.map_structure(lambda leaf, dtype: ops.cast(leaf, dtype), y, dtypes)


def summing_dtypes(dtypes: Any) -> Any:
    """Returns the dtypes in which steps are added up: float32 where the state is in half precision.

    A half-precision sum stops moving once a step is below its last digit.
    """
    return tree.map_structure(lambda dtype: "float32" if dtype in HALF else dtype, dtypes)


def time_dtype(dtypes: Any) -> str:
    """Returns the real dtype of the widest leaf, in which the field gets the time."""
    real = {"complex64": "float32", "complex128": "float64"}
    names = {real.get(dtype, dtype) for dtype in tree.flatten(dtypes)}
    # not keras.backend.result_type, which has no float64 on JAX and torch
    return next((wide for wide in ("float64", "float32") if wide in names), min(names))


def match(value: Any, state: Any, what: str) -> Any:
    """Returns `value` in the structure, shapes and dtypes of `state`.

    Args:
        value: a slope or a next state, as a user's function answered it.
        state: the state it belongs to.
        what: str, who answered, for the error.

    Raises:
        ValueError: where structure or shape differ. Numbers without shape fit everywhere.
    """
    if not tree.is_nested(state):
        if isinstance(value, (list, tuple)):
            value = np.array(value) if all_numpy(value) else ops.stack(value)
        if not tree.is_nested(value):
            return _match_leaf(value, state, what)
    try:
        tree.assert_same_structure(state, value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what} must answer with the structure of the state. "
            f"Expected: {_outline(state)}. Received: {_outline(value)}"
        ) from error
    return tree.map_structure(lambda v, s: _match_leaf(v, s, what), value, state)


def _match_leaf(value: Any, leaf: Any, what: str) -> Any:
    if value is None:
        raise ValueError(f"{what} answered None: is a `return` missing?")
    known = type(value) is type(leaf) and hasattr(leaf, "dtype")
    if known and value.dtype == leaf.dtype and value.shape == leaf.shape:
        return value  # the usual case, without the detours: a solve comes here at each stage
    shape, expected = tuple(np.shape(value)), tuple(np.shape(leaf))
    same = len(shape) == len(expected) and all(
        a == b or None in (a, b) for a, b in zip(shape, expected, strict=False)
    )
    if not same and shape != ():
        raise ValueError(
            f"{what} must answer with the shape of the state. "
            f"Expected: {expected}. Received: {shape}"
        )
    if is_numpy(leaf) and is_numpy(value):
        if np.iscomplexobj(value) and not np.iscomplexobj(leaf):
            raise ValueError(
                f"{what} answered with complex numbers for a real state. Give a complex "
                f"initial state, such as y0 + 0j. Received: dtype {np.asarray(value).dtype}"
            )
        value = np.asarray(value, dtype=np.asarray(leaf).dtype)
        return value[()] if shape == expected else np.full(expected, value)
    dtype = keras.backend.standardize_dtype(leaf.dtype if hasattr(leaf, "dtype") else type(leaf))
    value = ops.cast(ops.convert_to_tensor(value), dtype)
    return value if shape == expected or same else ops.broadcast_to(value, ops.shape(leaf))


def _inexact(leaf: Any) -> Any:
    array = np.array(leaf)
    array = array if np.issubdtype(array.dtype, np.inexact) else array.astype(float)
    return array[()]


def _is_number_table(y: Any) -> bool:
    if isinstance(y, list):
        return len(y) > 0 and all(map(_is_number_table, y))
    return isinstance(y, (int, float, complex, np.generic)) and not isinstance(y, np.ndarray)


def _outline(state: Any) -> Any:
    return tree.map_structure(lambda leaf: tuple(getattr(leaf, "shape", ())), state)
