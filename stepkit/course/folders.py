"""Where the course's files are, and how notebooks are read and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stepkit.course.store import home, stamp, write_text
from stepkit.course.trouble import Trouble


def root() -> Path:
    """The course's folder: the one that holds `lessons/` and `bootstrap.py`.

    Raises:
        Trouble: if stepkit is installed without the course and we stand outside of it.
    """
    here = Path(__file__).resolve().parents[2]
    for folder in (here, Path.cwd(), *Path.cwd().parents):
        if (folder / "lessons").is_dir() and (folder / "bootstrap.py").is_file():
            return folder
    raise Trouble("The course's folder is not here. Go to the folder that has lessons/ in it.")


def lesson_file(number: str) -> Path:
    """The course's own notebook of a lesson, from `"01"`, `"1"` or its whole name."""
    lessons = sorted((root() / "lessons").glob("[0-9][0-9]_*.ipynb"))
    wanted = number.removesuffix(".ipynb")
    wanted = wanted.zfill(2) if wanted.isdigit() else wanted
    for path in lessons:
        if wanted in (path.stem, path.stem[:2]):
            return path
    known = ", ".join(path.stem for path in lessons)
    raise Trouble(f"There is no lesson {number!r}. Lessons: {known}.")


def work_file(number: str) -> Path:
    """The learner's copy of a lesson in work/.

    Raises:
        Trouble: if it is not there.
    """
    path = root() / "work" / lesson_file(number).name
    if not path.exists():
        raise Trouble(
            f"{path} is not there. `course start {number}` makes a new copy; if you moved yours, "
            f"give its path."
        )
    return path


def read_notebook(path: Path) -> dict[str, Any]:
    """A notebook as a dictionary.

    Raises:
        Trouble: if the file cannot be read or is no notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(notebook["cells"], list):
            return notebook
    except FileNotFoundError:
        raise Trouble(f"There is no file {path}.") from None
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Trouble(
            f"{path} is damaged: it is not a notebook that can be read ({error}).\n"
            f"Nothing was changed. `course reset LESSON` gives a fresh copy and keeps the damaged "
            f"file as a backup."
        ) from None
    raise Trouble(f"{path} is not a notebook.")


def write_notebook(path: Path, notebook: dict[str, Any]) -> None:
    """Write a notebook as Jupyter does, whole or not at all."""
    try:
        write_text(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror or error}.") from None


def back_up(path: Path) -> Path:
    """Copy a file to the backups, which are outside the course's folder; returns the copy."""
    copy = home() / "backups" / stamp() / path.name
    number = 1
    while copy.exists():
        number += 1
        copy = copy.with_name(f"{path.stem}-{number}{path.suffix}")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    except OSError as error:
        raise Trouble(
            f"No backup could be made at {copy} ({error.strerror or error}); nothing was changed. "
            f"Set STEPKIT_HOME to a folder that you can write to."
        ) from None
    return copy
