"""Puts values and arguments into words that fit in one line."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np

SMALL = 6


def show(value: Any, digits: int = 4) -> str:
    """One value, short: numbers and small arrays in full, larger arrays by their shape."""
    if isinstance(value, str | bool | type(None)) or callable(value):
        return getattr(value, "__name__", None) or repr(value)
    try:
        array = np.asarray(value)
    except Exception:  # a ragged list, a symbolic tensor: its type says enough
        return f"a {type(value).__name__}"
    if array.dtype.kind not in "biufc":
        text = repr(value)
        return text if len(text) <= 60 else f"a {type(value).__name__}"
    if array.ndim == 0:
        return f"{array[()]:.{digits}g}" if array.dtype.kind in "fc" else str(array[()])
    if array.size <= SMALL:
        rounded = {"float_kind": lambda x: f"{x:.{digits}g}"}
        return np.array2string(array, separator=", ", formatter=rounded)
    return f"an array of shape {array.shape}"


def show_both(got: Any, want: Any) -> tuple[str, str]:
    """Two values, with as many digits as it takes to tell them apart."""
    for digits in (4, 8, 17):
        pair = show(got, digits), show(want, digits)
        if pair[0] != pair[1]:
            break
    return pair


def first_difference(got: np.ndarray, want: np.ndarray, wrong: np.ndarray) -> tuple[str, str, str]:
    """The place of the first wrong entry, and the two numbers there."""
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    index = place[0] if len(place) == 1 else place
    return str(index), *show_both(got[place], want[place])


def call_in_words(name: str, args: tuple, kwargs: dict) -> str:
    """A call as the learner would write it, such as `euler_step(f, 0.5, np.array([1, 2]), 0.1)`."""
    parts = [_argument(arg) for arg in args]
    parts += [f"{key}={_argument(value)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(parts)})"


def _argument(value: Any) -> str:
    if keras.ops.is_tensor(value):
        inner = _argument(keras.ops.convert_to_numpy(value))
        return inner.replace("np.array(", "keras.ops.array(").replace("an array of", "a tensor of")
    if isinstance(value, np.ndarray) and 0 < value.size <= SMALL and value.ndim:
        return f"np.array({show(value)})"
    if isinstance(value, float) and float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.1f}"
    return "f" if callable(value) else show(value)


def message_of(error: BaseException) -> str:
    """An exception's message; one that cannot tell its own has none."""
    try:
        return str(error)
    except Exception:
        return ""


def one_line(error: BaseException, width: int = 240) -> str:
    """Type and first line of an exception's message."""
    said = re.sub(r"\{\{function_node [^}]*\}\} ?", "", message_of(error))  # by TensorFlow
    text = next((line.strip() for line in said.splitlines() if line.strip()), "")
    text = text if len(text) <= width else text[: width - 4] + " ..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
