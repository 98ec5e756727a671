"""Which exercises to verify, and their material from the masters."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stepkit.course import catalogue, masters
from stepkit.course.masters import Master
from stepkit.course.trouble import Trouble
from stepkit.course.verification.material import Material, gather
from stepkit.course.wording import one_line


def materials(folder: Path, ids: Iterable[str]) -> tuple[list[Material], list[str]]:
    """Material of the chosen exercises, and what is wrong with those that have none.

    Args:
        folder: of the masters.
        ids: of lessons or exercises; none means all.

    Raises:
        Trouble: if an id is unknown.
    """
    wanted = list(ids)
    numbers = sorted({each.partition(".")[0] for each in wanted}) or catalogue.lesson_numbers()
    found: list[Material] = []
    faults: list[str] = []
    for number in numbers:
        chosen = {each for each in wanted if "." in each and each.startswith(f"{number}.")}
        everything = not wanted or number in wanted
        try:
            _of_lesson(folder, number, None if everything else chosen, found, faults)
        except catalogue.UnknownId as error:
            raise Trouble(str(error)) from None
        except Exception as error:  # a lesson or a master that cannot be read: go on with others
            faults.append(f"lesson {number}: {one_line(error)}")
    return found, faults


def _of_lesson(
    folder: Path, number: str, chosen: set[str] | None, found: list[Material], faults: list[str]
) -> None:
    known = list(catalogue.lesson(number).exercises)
    ids = known if chosen is None else [catalogue.exercise(each).id for each in sorted(chosen)]
    master = _master(folder, number)
    for each in ids:
        try:
            found.append(gather(master, each))
        except masters.MasterError as error:
            faults.append(f"{each}: {error}")
    if chosen is None:
        faults += _without_record(master, known)


def _without_record(master: Master, known: list[str]) -> list[str]:
    """Marks in a master for which the lesson has no exercise, such as after a misspelling."""
    marks = ("exercise", "answer", "help", "wrong", "variant", "probe", "excuse")
    cells = (cell for mark in marks for cell in master.marked(mark))
    names = sorted({cell.name for cell in cells if f"{master.number}.{cell.name}" not in known})
    return [f"{master.path.name}: there is no exercise {name!r} in the lesson" for name in names]


def _master(folder: Path, number: str) -> Master:
    paths = sorted(folder.glob(f"{number}_*.py"))
    if len(paths) != 1:
        raise masters.MasterError(f"{len(paths)} masters {number}_*.py in {folder}.")
    return masters.read(paths[0])
