"""Field: a user's f(t, y), with its answers brought in line and its mistakes explained."""

import linecache
import re
from collections.abc import Callable
from typing import Any

from keras import ops, tree

from stepkit.ode import _state


class NeedsTensorsError(Exception):
    """The field does not work on NumPy arrays, or answers them with tensors."""


class Field:
    """Calls `f(t, y)` and returns slopes with the structure, shapes and dtypes of `y`.

    Args:
        f: callable `(t, y) -> slope`.
        dtypes: the dtypes that `f` gets, where they are not those in which steps are summed.
        numpy_only: bool, whether to raise `NeedsTensorsError` where `f` is not at home in NumPy.

    Attributes:
        calls: int, how often Python entered `f`.
        differentiable: bool, whether gradients are to flow through what is made of the slopes.
        memory: tensors that `f` reads and replaces at each call, and that a loop must carry along;
            `()` for an ordinary function.
    """

    def __init__(self, f: Callable, dtypes: Any = None, numpy_only: bool = False) -> None:
        if not callable(f):
            raise TypeError(f"`f` must be a callable `f(t, y)`. Received: f={f!r}")
        self.f, self.dtypes, self.numpy_only = f, dtypes, numpy_only
        self._clock = None if dtypes is None else _state.time_dtype(dtypes)
        self._half = dtypes is not None and dtypes != _state.summing_dtypes(dtypes)
        self.calls, self.memory = 0, ()
        self.differentiable = True

    def __call__(self, t: Any, y: Any) -> Any:
        """Returns the slope at time `t` and state `y`."""
        self.calls += 1
        return _state.match(self._evaluate(t, y), y, "The field `f(t, y)`")

    def _evaluate(self, t, y):
        if self.numpy_only:
            return self._evaluate_numpy(t, y)
        if self.dtypes is not None:
            t = ops.cast(t, self._clock)
            y = _state.cast(y, self.dtypes) if self._half else y
        return self.f(t, y) if _state.all_numpy(y) else call_with_tensors(self.f, t, y)

    def _evaluate_numpy(self, t, y):
        try:
            slope = self.f(t, y)
        except Exception as error:
            if self.calls == 1:  # it may want tensors; later on it is the user's own error
                raise NeedsTensorsError from error
            raise
        if slope is not None and not _state.all_numpy(slope):
            raise NeedsTensorsError
        return slope


def call_with_tensors(function: Callable, *args: Any) -> Any:
    """Returns `function(*args)`; where NumPy met a tensor that has no value yet, says what to use.

    Raises:
        TypeError: naming the function of `keras.ops` to use.
    """
    try:
        return function(*args)
    except Exception as error:
        call = _numpy_call(error) if _is_numpy_on_tensor(error) else None
        if call is None:
            raise
        name = call.rpartition(".")[2]
        known = hasattr(ops, name)
        remedy = f"`keras.ops.{name}`" if known else "a function of `keras.ops`"
        raise TypeError(
            f"NumPy's `{call}` cannot work on a tensor inside a compiled or differentiated "
            f"function. Expected: {remedy}. Received: `{call}` on a tensor"
        ) from error


def _is_numpy_on_tensor(error: BaseException) -> bool:
    """Whether the message is one of those by which a backend refuses to become a NumPy array."""
    signs = r"(?i)numpy|__array__|symbolic|abstract tracer|KerasTensor|unsupported operand"
    return re.search(signs, f"{type(error).__name__} {error}") is not None


def _numpy_call(error: BaseException) -> str | None:
    """Returns the last `np.name` in the user's lines of the traceback, or `None`."""
    found, traceback = None, error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        line = linecache.getline(code.co_filename, traceback.tb_lineno)
        if "site-packages" not in code.co_filename:
            calls = re.findall(r"\b(?:np|numpy)(?:\.[a-z_]\w*)+(?=\()", line)
            found = calls[0] if calls else found
        traceback = traceback.tb_next
    return found


def same_structure(function: Callable, state: Any, *others: Any) -> Any:
    """Returns `function` mapped over the leaves; without the detour where the state is one leaf."""
    if tree.is_nested(state):
        return tree.map_structure(function, state, *others)
    return function(state, *others)
