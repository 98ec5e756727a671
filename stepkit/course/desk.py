"""The learner's own copies in work/: making them, and putting exercises back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from stepkit.course import catalogue, folders
from stepkit.course.exercise import Exercise
from stepkit.course.trouble import Trouble

RELOAD = "If it is open in JupyterLab: File > Reload Notebook from Disk."


def start(lessons: list[str]) -> int:
    """Copy lessons to work/, but only those that are not there yet."""
    wanted = [folders.lesson_file(each) for each in lessons] or _all_lessons()
    work = folders.root() / "work"
    for path in wanted:
        copy = work / path.name
        if copy.exists():
            print(f"work/{path.name} is there already; it stays as it is.")
        else:
            folders.write_notebook(copy, folders.read_notebook(path))
            print(f"work/{path.name} is new.")
    return 0


def reset(target: str, notebook: str | None = None) -> int:
    """Put an exercise (`"01.euler_step"`) or a whole lesson (`"01"`) back; a backup is kept."""
    if "." not in target.removesuffix(".ipynb"):
        return _reset_lesson(target)
    try:
        exercise = catalogue.exercise(target)
    except catalogue.UnknownId as error:
        raise Trouble(str(error)) from None
    path = Path(notebook) if notebook else folders.work_file(exercise.lesson)
    mine = folders.read_notebook(path)
    pristine = _pristine_cell(exercise)
    copy = folders.back_up(path)
    _put_back(mine["cells"], exercise, pristine)
    folders.write_notebook(path, mine)
    print(f"{exercise.id} in {path} is back to how it was.\nYour version is kept: {copy}\n{RELOAD}")
    return 0


def answer_cells(cells: list[dict[str, Any]], exercise: Exercise) -> list[int]:
    """Places of the cells that hold an answer: by the cell's id, else by what they define."""
    wanted = f"{exercise.lesson}-{exercise.name}-answer"
    by_id = [place for place, cell in enumerate(cells) if cell.get("id") == wanted]
    return by_id or [place for place, cell in enumerate(cells) if _defines(cell, exercise.name)]


def _reset_lesson(number: str) -> int:
    source = folders.lesson_file(number)
    path = folders.root() / "work" / source.name
    kept = f"\nYour version is kept: {folders.back_up(path)}\n{RELOAD}" if path.exists() else ""
    folders.write_notebook(path, folders.read_notebook(source))
    print(f"{path} is a fresh copy.{kept}")
    return 0


def _put_back(cells: list[dict[str, Any]], exercise: Exercise, pristine: dict[str, Any]) -> None:
    places = answer_cells(cells, exercise)
    if places:
        cells[places[0]] = pristine
        return
    call = f'check("{exercise.id}")'
    checks = [place for place, cell in enumerate(cells) if call in _text(cell)]
    cells.insert(checks[0] if checks else len(cells), pristine)


def _pristine_cell(exercise: Exercise) -> dict[str, Any]:
    lesson = folders.read_notebook(folders.lesson_file(exercise.lesson))
    return lesson["cells"][answer_cells(lesson["cells"], exercise)[0]]


def _defines(cell: dict[str, Any], name: str) -> bool:
    pattern = rf"^(def\s+{name}\s*\(|class\s+{name}\b|{name}\s*=)"
    return cell.get("cell_type") == "code" and bool(re.search(pattern, _text(cell), re.MULTILINE))


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _all_lessons() -> list[Path]:
    return sorted((folders.root() / "lessons").glob("[0-9][0-9]_*.ipynb"))
