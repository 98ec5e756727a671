"""Points earned so far. A cache: `course check` can rebuild it from the notebooks."""

from __future__ import annotations

from datetime import datetime

from stepkit.course import catalogue
from stepkit.course.exercise import Exercise
from stepkit.course.outcome import Outcome
from stepkit.course.store import Shelf

SHELF = Shelf("progress")


def record(outcome: Outcome) -> None:
    """Remember an outcome; points once earned stay earned."""
    before = SHELF.load(outcome.exercise)
    SHELF.save(
        outcome.exercise,
        {
            "solved": outcome.correct or before.get("solved") is True,
            "last": outcome.kind.value,
            "checks": int(before.get("checks", 0)) + 1,
            "when": datetime.now().isoformat(timespec="seconds"),
        },
    )


def is_solved(exercise: Exercise) -> bool:
    """Whether a correct answer was seen."""
    return SHELF.load(exercise.id).get("solved") is True


def points_of(number: str) -> tuple[int, int]:
    """Points earned in a lesson, and points that it has; a bonus counts only as earned."""
    lesson = catalogue.lesson(number)
    earned = sum(each.points for each in lesson.exercises.values() if is_solved(each))
    return earned, lesson.points


def table() -> str:
    """Progress in all lessons as plain text, one line per exercise that was tried."""
    lines = []
    for number in catalogue.lesson_numbers():
        earned, total = points_of(number)
        lines.append(f"lesson {number}: {earned} of {total} points")
        for each in catalogue.lesson(number).exercises.values():
            lines.append(f"  {_mark(each):<14} {each.points} points  {each.id}")
    return "\n".join(lines)


def _mark(exercise: Exercise) -> str:
    seen = SHELF.load(exercise.id)
    if seen.get("solved") is True:
        return "solved"
    return str(seen.get("last", "not attempted"))
