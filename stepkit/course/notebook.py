"""What a notebook calls: lesson, check, use, predict, checkpoint."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from stepkit.course import answers, catalogue, progress
from stepkit.course.exercise import Exercise, Question
from stepkit.course.judging import judge
from stepkit.course.outcome import CheckFailed, Kind, Outcome
from stepkit.course.store import Shelf
from stepkit.course.view import Message, show

PREDICTIONS = Shelf("predictions")
_passed: dict[str, Any] = {}


def grading() -> bool:
    """Whether a gradebook is at work: then `check` raises for anything but a correct answer."""
    return os.environ.get("STEPKIT_GRADING", "") not in ("", "0")


def lesson(number: str, version: str) -> None:
    """First line of every notebook: says that all is well, or the one thing that mends it.

    Args:
        number: of the lesson, such as `"01"`.
        version: of stepkit, for which the notebook was made.
    """
    here = _installed_version()
    try:
        earned, total = progress.points_of(number)
    except catalogue.UnknownId as error:
        print(f"{error} The notebook is for stepkit {version}; this kernel has {here}.")
        return
    if here.split(".")[:2] != version.split(".")[:2]:
        print(
            f"This notebook is for stepkit {version}, but this kernel has {here}. In a terminal, "
            f"in the course's folder: make env, then restart the kernel."
        )
        return
    import keras

    print(f"OK. Lesson {number}: stepkit {here}, Keras {keras.__version__} on {_backend()}.")
    print(
        f"Points so far: {earned} of {total}. Cells take less than 2 s on 2 CPU cores, or say so."
    )
    if Path.cwd().name == "lessons" and (Path.cwd().parent / "bootstrap.py").exists():
        print("This is the course's own copy. `course start` makes one for you in work/.")


def check(exercise_id: str) -> None:
    """Judge your answer to an exercise and print what was found.

    It never raises in a notebook, so that all cells can run. Under grading it raises
    `CheckFailed` unless the answer is correct.

    Args:
        exercise_id: such as `"01.euler_step"`.

    Example:
        ```python
        check("01.euler_step")
        ```
    """
    try:
        outcome = _judged(exercise_id, _namespace())
    except catalogue.UnknownId as error:
        if grading():
            raise
        print(error)
        return
    show(Message(str(outcome), outcome.kind.value, _record_for_tools(outcome)))
    if grading() and not outcome.correct:
        raise CheckFailed(outcome)


def use(exercise_id: str) -> Any:
    """An earlier piece: yours if it is correct, else stepkit's. It says which.

    Args:
        exercise_id: such as `"01.euler_step"`.

    Returns:
        The function or class, with the signature that the exercise asks for.
    """
    exercise = catalogue.exercise(exercise_id)
    mine = answers.find(exercise, _namespace())
    if mine is answers.MISSING:
        why = "there is none of yours here"
    elif not _is_correct(exercise, mine):
        why = "yours is not ready yet"
    elif not _stands_alone(exercise):
        pieces = " or ".join(each.partition(".")[2] for each in exercise.needs)
        why = f"yours is right, but it calls your {pieces}, which is not ready yet"
    else:
        print(f"Using your {exercise.name}.")
        return mine
    print(f"Using stepkit's {exercise.name}: {why}.")
    return exercise.reference


def predict(question_id: str, answer: Any = None) -> None:
    """Write down what you expect, before you run; call it again without an answer to compare.

    Args:
        question_id: such as `"01.overshoot"`.
        answer: a letter. `...` means that you have not chosen; that costs nothing.
    """
    question = catalogue.question(question_id)
    if answer is None:
        _compare(question)
    elif answer is ...:
        print("No prediction yet. Put a letter in place of the three dots, or go on without.")
    elif (letter := _letter(question, answer)) is not None:
        PREDICTIONS.save(question.id, {"answer": letter})
        print(f"Noted: ({letter}) {question.options[letter].text}. Now run the next cell.")


def checkpoint(question_id: str, answer: Any) -> None:
    """Answer a question about what you just read; the reply comes at once, without marks.

    Args:
        question_id: such as `"01.which_step"`.
        answer: a letter. `...` means that you have not chosen.
    """
    question = catalogue.question(question_id)
    if answer is ...:
        print("Put a letter in place of the three dots, or go on without.")
    elif (letter := _letter(question, answer)) is not None:
        word = "Yes" if letter == question.right else "Not quite"
        print(f"({letter}) {word}. {question.options[letter].reply}")


def _judged(exercise_id: str, namespace: dict[str, Any]) -> Outcome:
    outcome = judge(exercise_id, namespace)
    exercise = catalogue.exercise(exercise_id)
    if outcome.kind is not Kind.NOT_CHECKED:
        progress.record(outcome)
    _passed.pop(exercise_id, None)
    if not outcome.correct:
        return outcome
    _passed[exercise_id] = namespace[exercise.name]
    earned, total = progress.points_of(exercise.lesson)
    points = f"{exercise.points} of {exercise.points} points"
    message = f"{points}; lesson {exercise.lesson}: {earned} of {total}."
    return Outcome(outcome.exercise, outcome.kind, message)


def _is_correct(exercise: Exercise, mine: Any) -> bool:
    if _passed.get(exercise.id, answers.MISSING) is mine:
        return True
    return _judged(exercise.id, _namespace()).correct


def _stands_alone(exercise: Exercise) -> bool:
    """Whether the answer works here, with the learner's own earlier pieces."""
    if not exercise.needs:
        return True
    return judge(exercise.id, _namespace(), with_helpers=False).correct


def _compare(question: Question) -> None:
    letter = PREDICTIONS.load(question.id).get("answer")
    right = question.options[question.right]
    if letter not in question.options:
        print(f"It is ({question.right}) {right.text}. {right.reply}")
    elif letter == question.right:
        print(f"You said ({letter}) {right.text}: right. {right.reply}")
    else:
        chosen = question.options[letter]
        print(f"You said ({letter}) {chosen.text}. It is ({question.right}) {right.text}.")
        print(chosen.reply)


def _letter(question: Question, answer: Any) -> str | None:
    letter = str(answer).strip().strip("()").lower()
    if letter in question.options:
        return letter
    print(f"The answer should be one of {', '.join(question.options)}. Received: {answer!r}")
    return None


def _namespace() -> dict[str, Any]:
    """The learner's names: the notebook's, or the globals of the script that called."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        return shell.user_ns
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("stepkit.course"):
        frame = frame.f_back
    return frame.f_globals


def _record_for_tools(outcome: Outcome) -> dict[str, Any]:
    return {
        "exercise": outcome.exercise,
        "outcome": outcome.kind.value,
        "misconception": outcome.misconception,
    }


def _installed_version() -> str:
    try:
        return version("stepkit")
    except PackageNotFoundError:
        from stepkit import __version__

        return __version__


def _backend() -> str:
    import keras

    return keras.backend.backend()
