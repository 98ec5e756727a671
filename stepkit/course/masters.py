"""Reads a master: the one file in which a lesson is written.

A master is a percent script in `solutions/src`. Cells without a mark go to learners as they are.
The marks on a `# %%` line say what else a cell is; names are those of `course/exercises`:

    # %% [markdown] exercise="euler_step"     statement; heading and box are added from the record
    # %% answer="euler_step"                  the solution between `# BEGIN SOLUTION` and
                                              `# END SOLUTION`; learners get a stub instead
    # %% [markdown] help="euler_step"         hints, each under a `## ` heading; the last, headed
                                              `## Why`, explains the solution
    # %% [markdown] question="overshoot"      prompt and options are added from the record
    # %% wrong="euler_step" shows="sign" outcome="not yet"
    # %% variant="euler_step" style="NumPy functions"
    # %% probe="euler_step"                   `probe(answer, draw)`: outputs on a wide domain
    # %% excuse="euler_step" mutant="..."     a comment: why this surviving mutant is no mistake
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

import jupytext

MARKS = ("exercise", "answer", "help", "question", "wrong", "variant", "probe", "excuse")
HIDDEN = ("wrong", "variant", "probe", "excuse")
REGION = re.compile(
    r"^([ \t]*)# BEGIN SOLUTION[ \t]*\n(.*?)^[ \t]*# END SOLUTION[ \t]*$\n?",
    re.MULTILINE | re.DOTALL,
)
IN_STUB = re.compile(r"^([ \t]*)# STUB: ?(.*)\n?", re.MULTILINE)


class MasterError(ValueError):
    """A master that cannot be built; the message names the file and the cell."""


@dataclass(frozen=True)
class Cell:
    """One cell: its type, text, the mark that it bears and the mark's other words."""

    kind: str
    source: str
    mark: str | None = None
    name: str | None = None
    words: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Master:
    """A lesson's cells in order, with its number and slug."""

    path: Path
    cells: tuple[Cell, ...]

    @property
    def slug(self) -> str:
        """Such as `"01_euler_steps"`."""
        return self.path.stem

    @property
    def number(self) -> str:
        """Such as `"01"`."""
        return self.slug.partition("_")[0]

    def marked(self, mark: str, name: str | None = None) -> list[Cell]:
        """Cells with a mark, perhaps only those of one exercise."""
        return [c for c in self.cells if c.mark == mark and name in (None, c.name)]

    def answer(self, name: str) -> Cell:
        """The cell with the solution of an exercise."""
        found = self.marked("answer", name)
        if len(found) != 1:
            raise MasterError(f'{self.path}: {len(found)} cells are marked answer="{name}".')
        return found[0]

    def imports(self) -> str:
        """The import statements of the lesson, which answers may rely on."""
        cells = [c for c in self.cells if c.kind == "code" and c.mark is None]
        return "\n".join(c.source for c in cells if _is_only_imports(c.source))


def read(path: Path) -> Master:
    """Read a master from its file."""
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    return Master(path, tuple(_cell(path, each) for each in notebook.cells if each.source.strip()))


def read_all(folder: Path) -> list[Master]:
    """All masters in a folder, by number."""
    return [read(path) for path in sorted(folder.glob("[0-9][0-9]_*.py"))]


def solution(source: str) -> str:
    """The solved cell: without region marks and without lines meant for the stub."""
    return IN_STUB.sub("", REGION.sub(lambda m: m[2], source)).rstrip("\n")


def stub(source: str) -> str:
    """The learner's cell: every solution region becomes `raise NotImplementedError`."""
    return IN_STUB.sub(r"\1\2\n", REGION.sub(_region_as_stub, source)).rstrip("\n")


def solution_lines(source: str) -> list[str]:
    """Lines that only a solution has, for the leak scan."""
    kept = set(stub(source).splitlines())
    return [line for line in solution(source).splitlines() if line not in kept and line.strip()]


def _region_as_stub(match: re.Match) -> str:
    said = "".join(f"{m[1]}{m[2]}\n" for m in IN_STUB.finditer(match[2]))
    return f"{said}{match[1]}raise NotImplementedError\n"


def _cell(path: Path, cell) -> Cell:
    words = {key: str(value) for key, value in cell.metadata.items() if key in _known_words()}
    marks = [key for key in MARKS if key in words]
    if len(marks) > 1:
        raise MasterError(f"{path}: a cell has two marks, {marks[0]} and {marks[1]}.")
    unknown = set(cell.metadata) - set(_known_words()) - {"lines_to_next_cell", "tags"}
    if unknown:
        raise MasterError(f"{path}: unknown mark {sorted(unknown)[0]!r} on a cell.")
    mark = marks[0] if marks else None
    return Cell(cell.cell_type, cell.source, mark, words.pop(mark, None) if mark else None, words)


def _known_words() -> tuple[str, ...]:
    return (*MARKS, "shows", "outcome", "style", "mutant")


def _is_only_imports(source: str) -> bool:
    body = ast.parse(source).body
    return bool(body) and all(isinstance(node, ast.Import | ast.ImportFrom) for node in body)
