"""Judges one attempt: from an exercise's id and the learner's names to an `Outcome`."""

from __future__ import annotations

import contextlib
import functools
import io
import linecache
import re
import sys
import traceback
import types
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from stepkit.course import answers, catalogue
from stepkit.course.exercise import Exercise
from stepkit.course.limits import TimeLimit, run_with_limit
from stepkit.course.outcome import Kind, LearnerError, NotYet, Outcome
from stepkit.course.trial import Trial
from stepkit.course.wording import message_of, one_line


def judge(
    exercise_id: str,
    namespace: dict[str, Any],
    *,
    seed: int | None = None,
    limit: float | None = None,
    with_helpers: bool = True,
) -> Outcome:
    """Judge the object in `namespace` that has the exercise's name.

    Args:
        exercise_id: such as `"01.euler_step"`.
        namespace: the learner's names: the globals of their notebook.
        seed: of the random draws; fresh ones if not given.
        limit: seconds until the answer is stopped; the exercise's own if not given.
        with_helpers: whether earlier pieces that the answer may use are the library's; if not, it
            is judged as it stands, with the learner's own pieces.

    Raises:
        UnknownId: if the course has no such exercise.
    """
    exercise = catalogue.exercise(exercise_id)
    answer = answers.find(exercise, namespace)
    seconds = limit or exercise.limit
    say = functools.partial(print, file=sys.stdout, flush=True)  # where `quiet` does not reach
    try:
        if answer is answers.MISSING:
            return _not_attempted(
                exercise,
                f"There is nothing called {exercise.name} in this notebook.\n"
                f"Run the cell that defines it, or bring it back with: course reset {exercise.id}",
            )
        if answers.is_from_stepkit(exercise, answer):
            return _not_attempted(
                exercise,
                f"{exercise.name} is stepkit's own. Write yours: that is the exercise.",
            )
        needs = exercise.needs if with_helpers else ()
        with quiet(), answers.helpers_in_place(needs, namespace):
            run_with_limit(lambda: _try(exercise, answer, seed), seconds, say)
    except NotYet as verdict:
        return Outcome(exercise.id, Kind.NOT_YET, str(verdict), verdict.misconception)
    except LearnerError as error:
        return _after_their_error(exercise, error, namespace)
    except TimeLimit:
        message = f"It was still running after {seconds:g} s and was stopped. "
        return Outcome(exercise.id, Kind.CRASHED, message + "Is there a loop that never ends?")
    except Exception as error:
        return _our_fault(exercise, error)
    return Outcome(exercise.id, Kind.CORRECT)


def _try(exercise: Exercise, answer: Any, seed: int | None) -> None:
    answers.expect_kind(exercise, answer)
    trial = Trial(answer, np.random.default_rng(seed), exercise.name, exercise.arguments)
    exercise.judge(trial)
    if trial.changed is not None:
        trial.fail(
            f"The results are right, but the input {trial.changed} was changed on the way: "
            f"the caller still needs it.",
            "mutates-input",
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Prints, warnings and floating-point complaints of the answer cost nothing."""
    filtering = keras.config.is_traceback_filtering_enabled()
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.disable_traceback_filtering()  # else Keras rewrites the learner's exceptions
    sink = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        if filtering:
            keras.config.enable_traceback_filtering()
        keras.config.set_floatx(floatx)  # an answer may have set them
        keras.config.set_dtype_policy(policy)


def _not_attempted(exercise: Exercise, message: str) -> Outcome:
    return Outcome(exercise.id, Kind.NOT_ATTEMPTED, message)


def _after_their_error(exercise: Exercise, error: LearnerError, namespace: dict) -> Outcome:
    original = error.original
    frames = list(_frames_of(original))
    theirs = [place for place in frames if place[0].f_globals is namespace]
    if _is_stub(original, frames, theirs):
        method = theirs[-1][0].f_code.co_name
        where = f" in {method}" if method != exercise.name else ""
        return _not_attempted(
            exercise, f"Replace the line `raise NotImplementedError`{where} and run the cell again."
        )
    lines = [f"Your code raised {one_line(original)}"]
    if theirs:
        lines.append(_their_line(*theirs[-1]))
    lines.append(f"It was asked: {error.asked}")
    if hint := _numpy_on_tensor(original, lines):
        lines.append(hint)
    return Outcome(exercise.id, Kind.CRASHED, "\n".join(lines))


def _chain(error: BaseException | None) -> list[BaseException]:
    """An exception, what caused it, and so on; `raise e from e` does not go round for ever."""
    chain: list[BaseException] = []
    while error is not None and not any(error is each for each in chain):
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _frames_of(error: BaseException) -> Iterator[tuple[types.FrameType, int]]:
    """Frames of an exception, those of the exceptions that caused it first."""
    for each in reversed(_chain(error)):
        yield from traceback.walk_tb(each.__traceback__)


def _is_stub(original: BaseException, frames: list, theirs: list) -> bool:
    """Whether the learner's own frame raised `NotImplementedError`, perhaps inside Keras."""
    for each in _chain(original):
        last = list(traceback.walk_tb(each.__traceback__))[-1:]
        if isinstance(each, NotImplementedError) and last and last[0] in theirs:
            return True
    return False


def _their_line(frame: types.FrameType, number: int) -> str:
    source = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    return f"  in your {frame.f_code.co_name}, line {number} of its cell: {source}"


def _numpy_on_tensor(original: BaseException, lines: list[str]) -> str | None:
    """For NumPy used on tensors in a compiled model: the replacement in `keras.ops`."""
    traced = ("symbolic", "KerasTensor", "TracerArray", "Tracer", "requires grad")
    used = re.search(r"\bnp\.(\w+)", "\n".join(lines))
    if not used or not any(
        word in message_of(original) + type(original).__name__ for word in traced
    ):
        return None
    if hasattr(keras.ops, used[1]) and used[1] not in ("array", "asarray"):
        return f"NumPy cannot work on a model's tensors: write keras.ops.{used[1]} there."
    return "NumPy cannot work on a model's tensors: use the functions of keras.ops there."


def _our_fault(exercise: Exercise, error: Exception) -> Outcome:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Outcome(
        exercise.id,
        Kind.NOT_CHECKED,
        f"This is a fault in the check, not yours, and costs nothing.\n"
        f"Please report: {one_line(error)} ({place.name}, line {place.lineno})",
    )
