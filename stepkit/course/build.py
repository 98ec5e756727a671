"""Writes the notebooks of learners and the solution notebooks from the masters."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepkit import __version__
from stepkit.course import catalogue, masters, results
from stepkit.course.exercise import Exercise
from stepkit.course.masters import Cell, Master, MasterError

FIRST = """\
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # fewer messages from TensorFlow
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
try:
    from stepkit.course import check, checkpoint, lesson, predict, use
except ImportError as problem:
    print("This kernel cannot use stepkit:", problem)
    print("In VS Code: choose the kernel in the course's folder .venv (top right of this page).")
    print("In Colab: run %pip install with the address of the course, then restart.")
else:
    lesson("{number}", version="{version}")"""
SOLVED = "*Solutions. This file is made from `solutions/src/{slug}.py`: edit that one.*"
CHECK = re.compile(r'^check\("(\d\d)\.(\w+)"\)$')


@dataclass(frozen=True)
class Tree:
    """Where masters, notebooks and results stand in a checkout."""

    root: Path

    @property
    def masters(self) -> Path:
        """Folder of the masters."""
        return self.root / "solutions" / "src"

    @property
    def results(self) -> Path:
        """Folder of the numbers that experiments wrote."""
        return self.root / "experiments" / "results"

    @property
    def times(self) -> Path:
        """File of the measured seconds of every code cell."""
        return self.root / "benchmarks" / "results" / "cell_times.json"


def notebooks(tree: Tree) -> Iterator[tuple[Path, str]]:
    """Path and content of every generated notebook."""
    times = json.loads(tree.times.read_text(encoding="utf-8")) if tree.times.exists() else {}
    for master in masters.read_all(tree.masters):
        for folder, solved in (("lessons", False), ("solutions", True)):
            cells = list(_cells(master, tree, times.get("seconds", {}), solved))
            yield tree.root / folder / f"{master.slug}.ipynb", _as_json(cells)


def differs(path: Path, text: str) -> bool:
    """Whether the file on disk is not what the build makes."""
    return not path.exists() or path.read_bytes() != text.encode("utf-8")


def _cells(master: Master, tree: Tree, times: dict[str, float], solved: bool) -> Iterator[dict]:
    taken: set[str] = set()
    if solved:
        yield _notebook_cell("markdown", SOLVED.format(slug=master.slug), "edit-the-master")
    lines = _lines_of(master, solved)
    for kind, source, name, extra in lines:
        fill = results.fill if kind == "markdown" else results.fill_code
        text = fill(source, tree.results)
        cell_id = name or _content_id(source, taken)
        if cell_id in taken:
            raise MasterError(f"{master.path}: two cells have the id {cell_id}.")
        taken.add(cell_id)
        note = _time_note(times.get(f"{master.number}-{cell_id}")) if kind == "code" else ""
        yield _notebook_cell(kind, note + text, f"{master.number}-{cell_id}", extra)


def _lines_of(master: Master, solved: bool) -> Iterator[tuple[str, str, str | None, dict]]:
    """Type, text, id and metadata of each cell, before numbers and times are filled in."""
    lesson = catalogue.lesson(master.number)
    order = {each: place for place, each in enumerate(lesson.exercises, start=1)}
    first = True
    for cell in master.cells:
        if cell.mark in masters.HIDDEN:
            continue
        yield _converted(master, cell, order, solved)
        if first:  # the title comes first, then the cell that says whether all is well
            source = FIRST.format(number=master.number, version=__version__)
            yield "code", source, "start", {}
            first = False


def _converted(master: Master, cell: Cell, order: dict[str, int], solved: bool):
    name, record_id = cell.name, f"{master.number}.{cell.name}"
    if cell.mark == "question":
        question = catalogue.question(record_id)
        return "markdown", f"{cell.source}\n\n{question.markdown()}", f"{name}-question", {}
    if cell.mark == "exercise":
        exercise = catalogue.exercise(record_id)
        heading = _heading(exercise, order[record_id])
        return "markdown", f"{heading}\n\n{cell.source}", f"{name}-statement", {}
    if cell.mark == "help":
        return "markdown", _help(master, cell, solved), f"{name}-help", {}
    if cell.mark == "answer":
        source = masters.solution(cell.source) if solved else masters.stub(cell.source)
        return "code", source, f"{name}-answer", _gradebook(name, solution=True)
    if found := CHECK.match(cell.source.strip()):
        points = catalogue.exercise(f"{found[1]}.{found[2]}").points
        extra = _gradebook(f"{found[2]}-check", points=points)
        return "code", cell.source.strip(), f"{found[2]}-check", extra
    return cell.kind, cell.source, None, {}


def _heading(exercise: Exercise, place: int) -> str:
    points = "1 point" if exercise.points == 1 else f"{exercise.points} points"
    optional = ", optional" if exercise.optional else ""
    return (
        f"### Exercise {int(exercise.lesson)}.{place} · {exercise.title}\n"
        f"*difficulty {exercise.difficulty} of 5 · importance {exercise.importance} of 5 · "
        f"about {exercise.minutes} minutes · {points}{optional}*"
    )


def _help(master: Master, cell: Cell, solved: bool) -> str:
    """Hints as folds; the last fold of a learner's notebook holds the solution and why."""
    parts = [part.partition("\n") for part in re.split(r"^## ", cell.source, flags=re.M)[1:]]
    if not parts or parts[-1][0].strip() != "Why":
        raise MasterError(f'{master.path}: help="{cell.name}" must end with a part "## Why".')
    folds = [
        _fold(f"Hint {place}: {title.strip()}", text.strip())
        for place, (title, _, text) in enumerate(parts[:-1], start=1)
    ]
    why = parts[-1][2].strip()
    if solved:
        return "\n\n".join([*folds, why])
    code = masters.solution(master.answer(cell.name).source)
    return "\n\n".join([*folds, _fold("Solution, and why", f"```python\n{code}\n```\n\n{why}")])


def _fold(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _gradebook(name: str, *, points: int | None = None, solution: bool = False) -> dict[str, Any]:
    """Marks that an instructor's gradebook reads; learners need nothing of it."""
    facts = {"grade": points is not None, "grade_id": name, "locked": not solution,
             "schema_version": 3, "solution": solution, "task": False}  # fmt: skip
    return {"nbgrader": facts | ({} if points is None else {"points": points})}


def _content_id(source: str, taken: set[str]) -> str:
    """An id that stays when other cells are added or moved."""
    base = hashlib.sha256(source.encode()).hexdigest()[:8]
    repeats = (f"{base}-{n}" for n in range(2, 99))
    return base if base not in taken else next(each for each in repeats if each not in taken)


def _time_note(seconds: float | None) -> str:
    if seconds is None or seconds < 2:
        return ""
    return f"# takes about {_rounded(seconds)} s on 2 CPU cores\n"


def _rounded(seconds: float) -> int:
    return round(seconds) if seconds < 10 else int(-(-seconds // 5) * 5)


def _notebook_cell(kind: str, source: str, cell_id: str, extra: dict | None = None) -> dict:
    cell = {"cell_type": kind, "id": cell_id, "metadata": extra or {}, "source": _split(source)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _split(source: str) -> list[str]:
    return source.splitlines(keepends=True)


def _as_json(cells: list[dict]) -> str:
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
