"""Remembers findings as long as nothing that they depend on has changed."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from stepkit.course import catalogue, store
from stepkit.course import exercises as _lessons
from stepkit.course.verification.findings import Findings
from stepkit.course.verification.material import Material

PACKAGE = Path(__file__).resolve().parents[2]
# Of the classroom only what judges and what verifies; of the library everything, since a lesson
# may import any room.
JUDGES = (
    "answers.py", "catalogue.py", "exercise.py", "judging.py", "limits.py", "masters.py",
    "outcome.py", "trial.py", "wording.py", "mutation/*.py", "verification/*.py",
)  # fmt: skip
LATER = ("demands.py", "memory.py", "report.py")  # they only read what was found


class Memory:
    """Findings by exercise, each with the fingerprint of what they were found for.

    Args:
        folder: where they are kept; no part of the repository.
        fresh: whether to forget what is there.
    """

    def __init__(self, folder: Path, *, fresh: bool = False):
        self._folder, self._fresh = folder, fresh

    def recall(self, material: Material) -> Findings | None:
        """The findings, if they were found for just this material, check and library."""
        if self._fresh:
            return None
        try:
            kept = json.loads(self._path(material).read_text(encoding="utf-8"))
            if kept["fingerprint"] == fingerprint(material):
                return Findings.from_record(kept["findings"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # nothing there, or written by another version: find it again
        return None

    def keep(self, material: Material, found: Findings) -> None:
        """Remember the findings."""
        record = {"fingerprint": fingerprint(material), "findings": found.record()}
        store.write_text(self._path(material), json.dumps(record, indent=1) + "\n")

    def _path(self, material: Material) -> Path:
        return self._folder / f"{material.id}.json"


def fingerprint(material: Material) -> str:
    """Hash of everything that the findings depend on."""
    exercise = catalogue.exercise(material.id)
    lessons = {exercise.lesson, *(need.partition(".")[0] for need in exercise.needs)}
    checks = [_lesson_file(number).read_bytes() for number in sorted(lessons)]
    parts = [repr(material).encode(), *checks, _library(), repr(_versions()).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _lesson_file(number: str) -> Path:
    folders = (Path(folder) for folder in _lessons.__path__)
    return next(file for folder in folders if (file := folder / f"lesson_{number}.py").exists())


@cache
def _library() -> bytes:
    classroom = PACKAGE / "course"
    rooms = [path for path in PACKAGE.rglob("*.py") if classroom not in path.parents]
    judges = [path for pattern in JUDGES for path in classroom.glob(pattern)]
    found = hashlib.sha256()
    for path in sorted([*rooms, *(path for path in judges if path.name not in LATER)]):
        found.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return found.digest()


def _versions() -> dict[str, Any]:
    backend = keras.backend.backend()
    packages = ("keras", "numpy", *([backend] if backend in ("jax", "torch") else []))
    return {"python": platform.python_version(), "backend": backend} | {
        name: version(name) for name in packages
    }
