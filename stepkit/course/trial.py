"""One attempt at an exercise: how a check calls the answer and compares what comes back."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from stepkit.course.outcome import LearnerError, NotYet
from stepkit.course.wording import SMALL, call_in_words, first_difference, show, show_both

ROUNDING = 256  # units of the last place that a differently ordered computation may lose
INTEGERS = "The result was cut down to whole numbers, because whole numbers came in."
SHOULD = "the result should be {want}; yours is {got}"


@dataclass(frozen=True)
class Suspect:
    """What a known misunderstanding would have returned, and the sentence that names it."""

    value: Any
    misconception: str
    why: str


class Trial:
    """The learner's answer, fresh random numbers, and the ways to ask and to compare.

    Args:
        answer: the object that the learner defined.
        draw: generator of the random numbers of this check.
        name: the learner's name for the object.
        arguments: names of its positional arguments.
    """

    def __init__(self, answer: Any, draw: np.random.Generator, name: str, arguments=()):
        self.answer, self.draw = answer, draw
        self._name, self._arguments = name, arguments
        self.changed: str | None = None
        self._last: Any = None

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the answer on copies of the arguments; their exceptions become `LearnerError`."""
        given = tuple(_copied(arg) for arg in args)
        asked = call_in_words(self._name, args, kwargs)
        result = self.run(lambda: self.answer(*given, **kwargs), asked)
        for index, (before, after) in enumerate(zip(args, given, strict=True)):
            if self.changed is None and not _same(before, after):
                self.changed = self._argument_name(index)
        self._expect_an_array_of_its_own(result, given)
        return result

    def run(self, action: Callable[[], Any], asked: str) -> Any:
        """Run something that enters the learner's code; `asked` says what, in words."""
        try:
            return action()
        except (NotYet, LearnerError):
            raise
        except BaseException as error:
            if type(error).__name__ in ("TimeLimit", "KeyboardInterrupt"):
                raise
            raise LearnerError(error, asked) from error

    def fail(self, message: str, misconception: str | None = None) -> None:
        """The answer is wrong: say why."""
        raise NotYet(message, misconception)

    def expect(
        self,
        got: Any,
        want: Any,
        case: str,
        should: str = SHOULD,
        suspects: tuple[Suspect, ...] | list[Suspect] = (),
        *,
        dtype: str | None = None,
        tolerance: float | None = None,
        scale: float = 0.0,
    ) -> None:
        """Compare a result with the oracle's; return if they agree, else say how they differ.

        Args:
            got: what the learner's code returned; arrays, numbers, lists or tensors.
            want: what the oracle says.
            case: what was asked, such as `"From y = 1.0 with slope -1.0 and h = 0.1"`.
            should: the rest of the sentence, with the places `{want}` and `{got}`, such as
                `"a step should land at {want}; yours landed at {got}"`.
            suspects: values of known misunderstandings.
            dtype: what the dtype must be, where that matters.
            tolerance: relative tolerance; from the dtype if not given.
            scale: size of the numbers that went into the result, where they may cancel.
        """
        want = np.asarray(want)
        if isinstance(got, list | tuple) and want.ndim:
            self.fail(
                f"{case} the result should be an array; yours is a {type(got).__name__} of "
                f"{len(got)}. np.array(...) makes an array of it.",
                "not-an-array",
            )
        got = _as_array(got, case)
        if got.dtype.kind == "c" and want.dtype.kind != "c":
            self.fail(f"{case} the result should be real; yours is complex.", "wrong-dtype")
        close = _closeness(got, want, tolerance, scale)
        if got.shape == want.shape and close(got, want).all():
            return self._expect_dtype(got, dtype, case)
        sentence = f"{case} {_difference(got, want, should, close)}."
        for suspect in suspects:
            value = np.asarray(suspect.value)
            if value.shape == got.shape and close(got, value).all():
                self.fail(f"{sentence} {suspect.why}", suspect.misconception)
        if got.shape != want.shape:
            self.fail(
                f"{case} the result should have shape {want.shape}; yours has {got.shape}.",
                "wrong-shape",
            )
        if not np.isfinite(got).all() and np.isfinite(want).all():
            kind = "NaN (not a number)" if np.isnan(got).any() else "an infinite value"
            self.fail(f"{sentence} Somewhere in your computation arises {kind}.", "not-finite")
        return self.fail(sentence)

    def expect_of_whole_numbers(
        self, ask: Callable[[], Any], want: Any, case: str, should: str = SHOULD
    ) -> None:
        """As `expect`, where whole numbers go in and fractions should come out.

        An exception is let pass: TensorFlow and NumPy's `+=` refuse to mix the two, and say so.
        """
        try:
            got = ask()
        except LearnerError:
            return
        cut = [Suspect(rule(want), "integer-result", INTEGERS) for rule in (np.trunc, np.floor)]
        self.expect(got, want, case, should, cut)

    def _expect_dtype(self, got: np.ndarray, dtype: str | None, case: str) -> None:
        if dtype is not None and got.dtype.name != np.dtype(dtype).name:
            self.fail(
                f"{case} the values are right, but their dtype is {got.dtype.name}; "
                f"it should be {dtype}.",
                "wrong-dtype",
            )

    def _expect_an_array_of_its_own(self, result: Any, given: tuple) -> None:
        """A result that shares its memory with another array changes when that one does."""
        if self.changed is not None or not isinstance(result, np.ndarray):
            return
        for index, arg in enumerate(given):
            if isinstance(arg, np.ndarray) and np.may_share_memory(result, arg):
                self.fail(
                    f"The result should be a new array; yours is the {self._argument_name(index)} "
                    f"that came in, or a part of it: a change of one is a change of both.",
                    "result-shared",
                )
        if isinstance(self._last, np.ndarray) and np.may_share_memory(result, self._last):
            self.fail(
                "Each call should return a new array; yours hands out the same one again and "
                "again, so that earlier results change.",
                "result-shared",
            )
        self._last = result

    def _argument_name(self, index: int) -> str:
        names = self._arguments or tuple(inspect.signature(self.answer).parameters)
        return names[index] if index < len(names) else f"argument {index + 1}"


def _copied(value: Any) -> Any:
    return copy.deepcopy(value) if isinstance(value, np.ndarray | list | dict) else value


def _same(before: Any, after: Any) -> bool:
    if not isinstance(before, np.ndarray | list | dict):
        return True
    if isinstance(before, np.ndarray):
        return before.shape == after.shape and np.array_equal(before, after, equal_nan=True)
    return repr(before) == repr(after)


def _as_array(got: Any, case: str) -> np.ndarray:
    """The learner's result as a NumPy array, or `NotYet` that names what it is instead."""
    if got is None:
        raise NotYet(f"{case} yours returned None. Is there a `return`?", "no-return")
    try:
        array = keras.ops.convert_to_numpy(got) if keras.ops.is_tensor(got) else np.asarray(got)
    except Exception:  # a ragged list, a symbolic tensor, anything that is not numbers
        array = np.asarray(None)
    if array.dtype.name == "bfloat16":
        array = array.astype("float32")
    if array.dtype.kind not in "biufc":
        what = f"{show(got)}, of type {type(got).__name__}"
        raise NotYet(f"{case} the result should be numbers; yours is {what}.", "wrong-type")
    return array


def _closeness(got: np.ndarray, want: np.ndarray, tolerance: float | None, scale: float):
    """Elementwise comparison with a tolerance from the coarser of the two dtypes."""
    floats = [array.dtype for array in (got, want) if array.dtype.kind in "fc"]
    epsilon = max((float(np.finfo(dtype).eps) for dtype in floats), default=0.0)
    if want.dtype.name != "float16":  # who returns half precision is not judged more mildly
        epsilon = min(epsilon, float(np.finfo("float32").eps))
    relative = ROUNDING * epsilon if tolerance is None else tolerance
    finite = want[np.isfinite(want)]
    size = max(float(np.max(np.abs(finite), initial=0.0)), scale)

    def close(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            return (first == second) | (np.abs(first - second) <= relative * size)

    return close


def _difference(got: np.ndarray, want: np.ndarray, should: str, close) -> str:
    """`should` with both values; for larger arrays with those of the first entry that differs."""
    if got.shape == want.shape and want.size > SMALL:
        index, one, other = first_difference(got, want, ~close(got, want))
        return f"{should.format(got=one, want=other)} (at index {index}, the first that differs)"
    one, other = show_both(got, want)
    return should.format(got=one, want=other)
