"""Finds lessons, exercises and questions by their ids."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from stepkit.course import exercises as _folder
from stepkit.course.exercise import Exercise, Lesson, Question


class UnknownId(KeyError):
    """An id that the course does not have; the message lists those that exist."""

    def __str__(self) -> str:
        return str(self.args[0])


@cache
def lesson_numbers() -> tuple[str, ...]:
    """Numbers of the lessons that have exercises, such as `("00", "01")`."""
    names = (module.name for module in pkgutil.iter_modules(_folder.__path__))
    return tuple(sorted(name.removeprefix("lesson_") for name in names if "lesson_" in name))


@cache
def lesson(number: str) -> Lesson:
    """The record of one lesson.

    Raises:
        UnknownId: if there is no such lesson.
    """
    if number not in lesson_numbers():
        known = ", ".join(lesson_numbers())
        raise UnknownId(f"There is no lesson {number!r}. Lessons: {known}.")
    return importlib.import_module(f"{_folder.__name__}.lesson_{number}").LESSON


def exercise(exercise_id: str) -> Exercise:
    """The record of one exercise, by an id such as `"01.euler_step"`."""
    return _find(exercise_id, "exercise", lambda found: found.exercises)


def question(question_id: str) -> Question:
    """The record of one question, by an id such as `"01.overshoot"`."""
    return _find(question_id, "question", lambda found: found.questions)


def exercise_ids() -> list[str]:
    """Ids of all exercises, lesson by lesson."""
    return [each for number in lesson_numbers() for each in lesson(number).exercises]


def _find(wanted: str, word: str, table_of):
    number = str(wanted).partition(".")[0]
    table = table_of(lesson(number))
    if wanted not in table:
        raise UnknownId(f"There is no {word} {wanted!r}. Lesson {number} has: {', '.join(table)}.")
    return table[wanted]
