"""Finds what would give a solution away in the notebooks that learners get.

Every lesson is scanned against the solutions, wrong answers and variants of **all** lessons: a
later lesson may hand out an earlier piece by `use(...)` only, and an earlier one must not show
what is still to be written. Looked through is everything: code, text, hints, metadata, outputs.
The one allowed place is the fold "Solution, and why" below an exercise, for that exercise.

A line leaks if it stands anywhere in a text, also in the middle of a sentence or over two lines:
compared are characters without white space, with one kind of quotes, from 16 on. The expression
of a line (`y + h * f(t, y)` of `return y + h * f(t, y)`) is looked for too, as Python writes it
without needless brackets.

A line that some stub shows is no secret, nor is what every Keras layer says; a line of a wrong
answer or a variant is none if it also stands in a cell of demonstration. A line of a solution
stays one: a demonstration that needs it takes the piece by `use`, or the stub hands the line out
(outside of the solution region).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from stepkit.course import masters as _masters
from stepkit.course.masters import Master

SHORTEST = 16
FOLD = re.compile(r"<details>\s*<summary>Solution, and why</summary>.*?</details>", re.DOTALL)
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
PROTOCOL = (  # what Keras layers and models have to say, whatever they compute
    "super().__init__(**kwargs)", "super().build(input_shape)", "super().get_config()",
    "config = super().get_config()", "return super().get_config() | {", "return input_shape",
    "def build(self, input_shape):", "def call(self, inputs):", "def call(self, x):",
    "def call(self, inputs, training=None):", "def call(self, inputs, training=False):",
    "def get_config(self):", "def compute_output_shape(self, input_shape):",
    "raise NotImplementedError", "keras.Model(inputs, outputs)",
    "model = keras.Model(inputs, outputs)",
    "return keras.Model(inputs, outputs)", "return {**super().get_config(),",
    "config.update(super().get_config())", "return dict(super().get_config(),",
)  # fmt: skip
INPUT = re.compile(r"(\w+=)?keras\.(layers\.)?Input\(.*\)")  # where every model begins


@dataclass(frozen=True)
class Secret:
    """A line that learners must not be shown."""

    exercise: str
    what: str
    line: str
    key: str


@dataclass(frozen=True)
class Place:
    """A text in a notebook: where it is, and what of it is not allowed to hold secrets."""

    where: str
    text: str
    fold: str | None = None
    is_code: bool = False


def find(lessons: dict[str, dict[str, Any]], masters: list[Master]) -> list[str]:
    """What gives a solution away, each in one line: notebook, cell, line, and of what.

    Args:
        lessons: parsed notebooks of learners, by file name.
        masters: all masters.
    """
    secrets, solved = list(_secrets(masters)), _solved(masters)
    found: list[str] = []
    for name, notebook in lessons.items():
        places = list(_places(notebook))
        everything = "\n".join(_views(each) for each in places)
        near = [secret for secret in secrets if secret.key in everything]
        found += [f"{name}, {line}" for line in _results(notebook)]
        for place in places:
            found += [f"{name}, {line}" for line in _leaks(place, near, solved)]
    return list(dict.fromkeys(found))


def normalised(text: str) -> str:
    """Without white space, and with one kind of quotes."""
    return re.sub(r"\s+", "", text).replace("'", '"')


def _secrets(masters: list[Master]) -> Iterator[Secret]:
    answers = [cell.source for master in masters for cell in master.marked("answer")]
    stubs = normalised("\n".join([*map(_masters.stub, answers), *PROTOCOL]))
    shown = stubs + normalised("\n".join(_demonstrations(masters)))
    for master in masters:
        for cell in master.marked("answer"):
            lines = _masters.solution_lines(cell.source)
            yield from _of(f"{master.number}.{cell.name}", "the solution", lines, stubs)
        for mark, what in (("wrong", "a wrong answer"), ("variant", "a variant")):
            for cell in master.marked(mark):
                lines = cell.source.splitlines()
                yield from _of(f"{master.number}.{cell.name}", what, lines, shown)


def _of(exercise: str, what: str, lines: Iterable[str], shown: str) -> Iterator[Secret]:
    for line in lines:
        for key in {normalised(line), normalised(_expression(line))}:
            if len(key) >= SHORTEST and key not in shown and not INPUT.fullmatch(key):
                yield Secret(exercise, what, line.strip(), key)


def _solved(masters: list[Master]) -> dict[str, str]:
    """Solutions by exercise: what the fold below each of them may show."""
    return {
        f"{master.number}.{cell.name}": normalised(_masters.solution(cell.source))
        for master in masters
        for cell in master.marked("answer")
    }


def _demonstrations(masters: list[Master]) -> Iterator[str]:
    for master in masters:
        yield from (cell.source for cell in master.cells if cell.mark is None)


def _expression(line: str) -> str:
    """The value that a line computes, without needless brackets; nothing for other lines."""
    try:
        body = ast.parse(line.strip()).body
    except SyntaxError:
        return ""
    value = getattr(body[0], "value", None) if len(body) == 1 else None
    return ast.unparse(value) if isinstance(value, ast.BinOp | ast.Call) else ""


def _places(notebook: dict[str, Any]) -> Iterator[Place]:
    for number, cell in enumerate(notebook.get("cells", []), start=1):
        where = f"cell {cell.get('id', number)}"
        text = _joined(cell.get("source", ""))
        if cell.get("cell_type") == "code":
            yield Place(where, text, is_code=True)
        else:
            yield from _texts(where, str(cell.get("id", "")), text)
        for part in sorted(set(cell) - {"source", "id", "cell_type"}):
            for found in _strings(cell[part]):
                yield Place(f"{where}, {part}", found)
    for found in _strings(notebook.get("metadata", {})):
        yield Place("metadata of the notebook", found)


def _texts(where: str, cell_id: str, text: str) -> Iterator[Place]:
    """A markdown cell; the fold below an exercise apart, with the name of its exercise."""
    asked = re.fullmatch(r"(\d\d)-(\w+)-help", cell_id)
    if asked is None:
        yield Place(where, text)
        return
    for fold in FOLD.findall(text):
        yield Place(f"{where}, solution fold", fold, fold=f"{asked[1]}.{asked[2]}")
    yield Place(where, FOLD.sub(lambda match: "\n" * match[0].count("\n"), text))


def _results(notebook: dict[str, Any]) -> Iterator[str]:
    """Outputs and counts: what a run left behind, and what makes two builds differ."""
    for number, cell in enumerate(notebook.get("cells", []), start=1):
        where = f"cell {cell.get('id', number)}"
        if cell.get("outputs"):
            yield f"{where}: has outputs"
        if cell.get("execution_count") is not None:
            yield f"{where}: has an execution count"
        if cell.get("attachments"):
            yield f"{where}: has attachments"


def _leaks(place: Place, secrets: list[Secret], solved: dict[str, str]) -> Iterator[str]:
    views, own = _views(place), solved.get(place.fold or "", "")
    for secret in secrets:
        allowed = secret.exercise == place.fold or secret.key in own
        if secret.key in views and not allowed:
            line = _line_of(secret.key, place.text)
            yield f"{place.where}{line}: shows {secret.what} of {secret.exercise}: {secret.line}"


def _views(place: Place) -> str:
    """A text without white space, and its code once more as Python writes it."""
    found = CODE.findall(place.text)
    pieces = [place.text] if place.is_code else ["".join(each) for each in found]
    return "\n".join([normalised(place.text), *(_unparsed(each) for each in pieces)])


def _unparsed(code: str) -> str:
    try:
        return normalised(ast.unparse(ast.parse(code)))
    except SyntaxError:
        return ""


def _line_of(key: str, text: str) -> str:
    """Where a secret begins, such as `, line 3`; nothing if it is there in other words."""
    ends, whole = [], ""
    for line in text.splitlines():
        whole += normalised(line)
        ends.append(len(whole))
    start = whole.find(key)
    if start < 0:
        return ""
    return f", line {next(i for i, end in enumerate(ends, start=1) if end > start)}"


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _strings(value: Any) -> Iterator[str]:
    """Every text in a part of the notebook; a list of texts is read as one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _strings(each)
    elif isinstance(value, list):
        if value and all(isinstance(each, str) for each in value):
            yield "".join(value)
        else:
            for each in value:
                yield from _strings(each)
