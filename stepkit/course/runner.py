"""Runs a notebook in a clean kernel and checks every exercise of its lesson."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from stepkit.course import catalogue, folders
from stepkit.course.trouble import Trouble
from stepkit.course.view import RECORD

ONLY_CHECK = re.compile(r"^\s*check\(.*\)\s*$")
NUMBER = re.compile(r"""(?:lesson\(|check\()["'](\d\d)[".']""")


@dataclass
class Report:
    """What a run of a notebook showed: outcomes by exercise id, and what went wrong around them."""

    outcomes: dict[str, str] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def check(target: str, seconds: float) -> int:
    """The `course check` command; returns 0 if every exercise that counts is correct."""
    path = Path(target)
    if path.suffix != ".ipynb" and not path.exists():
        path = folders.work_file(target)
    notebook = folders.read_notebook(path)
    number = _lesson_of(notebook, path)
    print(f"Running {path} ...", flush=True)
    report = run(notebook, path.parent, number, seconds)
    for remark in report.remarks:
        print(remark)
    for exercise in catalogue.lesson(number).exercises.values():
        print(report.messages.get(exercise.id) or f"{exercise.id}: could not check.")
    lesson = catalogue.lesson(number)
    right = [e for e in lesson.exercises.values() if report.outcomes.get(e.id) == "correct"]
    earned = sum(each.points for each in right)
    print(f"lesson {number}: {earned} of {lesson.points} points in this notebook.")
    needed = [each for each in lesson.exercises.values() if not each.optional]
    return 0 if all(each in right for each in needed) else 1


def run(notebook: dict[str, Any], folder: Path, number: str, seconds: float) -> Report:
    """Execute the notebook's cells, then check each exercise of the lesson."""
    node = _node(notebook)
    node.cells = [cell for cell in node.cells if not _is_only_check(cell)]
    own = len(node.cells)
    ids = list(catalogue.lesson(number).exercises)
    node.cells.append(nbformat.v4.new_code_cell("from stepkit.course import check"))
    node.cells += [nbformat.v4.new_code_cell(f"check({each!r})") for each in ids]
    report = Report()
    _execute(node, folder, seconds, report)
    for place, cell in enumerate(node.cells):
        for output in cell.get("outputs", []):
            if place < own and output.output_type == "error":
                report.remarks.append(f"Cell {place + 1} raised {_first_line(output)}")
            elif RECORD in output.get("data", {}):
                record = output.data[RECORD]
                report.outcomes[record["exercise"]] = record["outcome"]
                report.messages[record["exercise"]] = output.data["text/plain"]
    return report


class ThisPython(AsyncKernelManager):
    """Starts the kernel with the Python that runs this command, whatever else is installed."""

    @property
    def kernel_spec(self):
        """The installed specification, with our own Python in it."""
        spec = super().kernel_spec
        launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec.argv = [*launch, "--log-level=CRITICAL"]  # its warnings are not for learners
        return spec


def _execute(node, folder: Path, seconds: float, report: Report) -> None:
    manager = ThisPython(kernel_name="python3")
    client = nbclient.NotebookClient(
        node,
        km=manager,
        timeout=seconds,
        allow_errors=True,
        interrupt_on_timeout=True,
        resources={"metadata": {"path": str(folder.resolve())}},
    )
    try:
        client.execute()
    except DeadKernelError:
        place = next((i for i, c in enumerate(node.cells) if not _has_run(c)), 0)
        report.remarks.append(f"Python ended while cell {place} was running. Does it call exit?")
    except CellTimeoutError:
        report.remarks.append(f"A cell ran longer than {seconds:g} s and could not be interrupted.")


def _node(notebook: dict[str, Any]):
    """The notebook as nbformat knows it, whatever its version."""
    try:
        return nbformat.reads(json.dumps(notebook), as_version=4)
    except Exception as error:
        raise Trouble(f"The notebook's format is not understood: {error}") from None


def _lesson_of(notebook: dict[str, Any], path: Path) -> str:
    text = "\n".join("".join(cell.get("source", "")) for cell in notebook["cells"])
    found = NUMBER.findall(text) or re.findall(r"^(\d\d)_", path.name)
    for number in found:
        if number in catalogue.lesson_numbers():
            return number
    known = ", ".join(catalogue.lesson_numbers())
    raise Trouble(f"{path} has no check of this course in it. Lessons: {known}.")


def _is_only_check(cell) -> bool:
    return cell.cell_type == "code" and bool(ONLY_CHECK.match(cell.source))


def _has_run(cell) -> bool:
    return cell.cell_type != "code" or cell.get("execution_count") is not None


def _first_line(output) -> str:
    return f"{output.ename}: {str(output.evalue).splitlines()[0] if output.evalue else ''}"
