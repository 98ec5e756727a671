"""Small JSON files in the user's data folder: progress and predictions, each in its own file.

One file per exercise, written atomically: two kernels cannot overwrite each other's points.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import platformdirs


def home() -> Path:
    """The folder for progress and backups: `STEPKIT_HOME`, or the user's data folder."""
    chosen = os.environ.get("STEPKIT_HOME")
    return Path(chosen) if chosen else platformdirs.user_data_path("stepkit", appauthor=False)


def stamp() -> str:
    """Date and time as it stands in file names, such as `2026-11-21_093005`."""
    return datetime.now().strftime("%Y-%m-%d_%H%M%S")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, and only ever replace it by a complete one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class Shelf:
    """A folder of JSON records by id.

    Args:
        name: the folder's name under `home()`, such as `"progress"`.
        say: called with a sentence when something is amiss.
    """

    def __init__(self, name: str, say=print):
        self.name, self._say = name, say

    def path(self, key: str) -> Path:
        """Where the record of `key` is kept."""
        return home() / self.name / f"{key}.json"

    def load(self, key: str) -> dict[str, Any]:
        """The record of `key`, or an empty one; a damaged file is set aside, not lost."""
        path = self.path(key)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(record, dict):
                return record
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._say(f"The {self.name} of {key} cannot be read ({error}).")
            return {}
        except ValueError:
            pass
        self._set_aside(path, key)
        return {}

    def save(self, key: str, record: dict[str, Any]) -> bool:
        """Keep the record; if the folder cannot be written, say so and go on."""
        try:
            write_text(self.path(key), json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            self._say(
                f"The {self.name} of {key} could not be saved ({error.strerror or error}). "
                f"Set STEPKIT_HOME to a folder that you can write to."
            )
            return False
        return True

    def _set_aside(self, path: Path, key: str) -> None:
        aside = path.with_name(f"{path.name}.damaged_{stamp()}")
        try:
            path.replace(aside)
            kept = f"It is kept as {aside}."
        except OSError:
            kept = f"It is still at {path}."
        self._say(
            f"The {self.name} file of {key} was damaged. {kept} Check the exercise again "
            f"to get its points back."
        )
