"""Numbers in a lesson's prose come from the JSON files that experiments wrote.

`{{solver_swap.accuracy.euler.median|.1%}}` in a markdown cell is the entry `accuracy.euler.median`
of `experiments/results/solver_swap.json`, formatted by `.1%`. `measured("solver_swap.seeds")` in a
code cell becomes that entry, written out as Python: a notebook carries its numbers with it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PLACE = re.compile(r"\{\{(\w+)\.([\w.\-]+)(?:\|([^}]*))?\}\}")

CALL = re.compile(r'\bmeasured\("(\w+)\.([\w.\-]+)"\)')


class MissingResult(ValueError):
    """A lesson quotes a number that no experiment wrote."""


def fill(text: str, folder: Path) -> str:
    """Replace every `{{file.entry|format}}` in the text by its number."""
    return PLACE.sub(lambda match: _number(folder, *match.groups()), text)


def fill_code(text: str, folder: Path) -> str:
    """Replace every `measured("file.entry")` in a code cell by its value."""
    return CALL.sub(lambda match: repr(_entry(folder, *match.groups())), text)


def _number(folder: Path, name: str, entry: str, form: str | None) -> str:
    return format(_entry(folder, name, entry), form or "")


def _entry(folder: Path, name: str, entry: str) -> Any:
    try:
        value = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for key in entry.split("."):
            value = value[int(key)] if isinstance(value, list) else value[key]
    except (OSError, KeyError, IndexError, ValueError) as error:
        raise MissingResult(f"{name}.{entry}: no such number in {folder} ({error}).") from None
    return value
