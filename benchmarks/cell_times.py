"""Measures how long each code cell of each lesson takes; `course build` prints it in the cells.

    python -m benchmarks.cell_times          all lessons
    python -m benchmarks.cell_times 01       one lesson; the others keep their times

It runs the solution notebooks, each in a clean kernel.
"""

import argparse
import json
import os
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import nbclient
import nbformat

from experiments import record
from stepkit.course import build, catalogue, folders
from stepkit.course.runner import ThisPython


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="numbers of lessons (default: all)")
    wanted = parser.parse_args().lessons or list(catalogue.lesson_numbers())
    path = build.Tree(folders.root()).times
    old = json.loads(path.read_text("utf-8")) if path.exists() else {}
    kept = {k: v for k, v in old.get("seconds", {}).items() if k[:2] not in wanted}
    seconds = dict(sorted((kept | measured(wanted)).items()))
    command = f"python -m benchmarks.cell_times {' '.join(wanted)}"
    record.write(path, record.circumstances(command) | {"seconds": seconds})


def measured(lessons: list[str]) -> dict[str, float]:
    """Seconds of each code cell, by its id."""
    found = {}
    for number in lessons:
        name = folders.lesson_file(number).name
        path = folders.root() / "solutions" / name
        times = seconds_of(path)
        found |= times
        print(f"{name}: {sum(times.values()):.1f} s in {len(times)} code cells", file=sys.stderr)
    return found


def seconds_of(path: Path) -> dict[str, float]:
    """Run one notebook in a clean kernel and read off the times of its cells."""
    node = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STEPKIT_HOME"] = folder
        client = nbclient.NotebookClient(
            node,
            km=ThisPython(kernel_name="python3"),
            timeout=600,
            record_timing=True,
            resources={"metadata": {"path": folder}},
        )
        client.execute()
    return {cell.id: duration(cell) for cell in node.cells if cell.cell_type == "code"}


def duration(cell) -> float:
    """Seconds between the start and the end of a cell, as the kernel reported them."""
    times = cell.metadata.execution
    start, end = (
        datetime.fromisoformat(times[key].replace("Z", "+00:00"))
        for key in ("iopub.status.busy", "iopub.status.idle")
    )
    return round((end - start).total_seconds(), 2)


if __name__ == "__main__":
    main()
