"""Every wrong answer must get its declared outcome, and be told its own misconception."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from stepkit.course import answers, judging, trial
from stepkit.course.exercise import Exercise
from stepkit.course.mutation.edits import called
from stepkit.course.outcome import Kind
from stepkit.course.verification.findings import Findings
from stepkit.course.verification.material import Material, Wrong
from stepkit.course.verification.worker import Died, Hung

SEEDS = 10
DECLARED = (Kind.NOT_YET, Kind.CRASHED, Kind.NOT_ATTEMPTED)


def try_all(material: Material, bench: Any, exercise: Exercise, found: Findings) -> None:
    """Judge each wrong answer on a few seeds; all must agree with what is declared."""
    for answer in material.wrong:
        named = answer.shows in _names_of(exercise)
        record, fault = _try(answer, bench, exercise, named)
        facts = {"shows": answer.shows, "declared": answer.outcome, "named": named}
        found.wrong.append(facts | record)
        if fault:
            found.faults.append(f"wrong answer {answer.shows!r} {fault}")


def _try(answer: Wrong, bench: Any, exercise: Exercise, named: bool) -> tuple[dict, str]:
    record: dict[str, Any] = {"outcome": None, "misconception": None, "message": ""}
    if answer.outcome not in DECLARED:
        return record, f"declares the outcome {answer.outcome!r}; it should be one of " + ", ".join(
            repr(kind.value) for kind in DECLARED
        )
    for seed in range(SEEDS):
        try:
            tried = bench.judge(answer.source, seed, exercise.limit)
        except Hung:
            return record | {"outcome": "hung"}, "did not end and could not be stopped"
        except Died:
            return record | {"outcome": "died"}, "ended its process"
        if fault := _fault(answer, tried, named):
            return _record(tried), f"{fault} (seed {seed})"
        record = _record(tried) if seed == 0 else record
    return record, ""


def _record(tried: Any) -> dict[str, Any]:
    facts = {"outcome": tried.kind, "misconception": tried.misconception}
    return facts | {"message": tried.message}


def _fault(answer: Wrong, tried: Any, named: bool) -> str:
    said = f"{tried.kind}: {' '.join(tried.message.split())}".rstrip(": ")
    if tried.kind != answer.outcome:
        return f"should be {answer.outcome}, but is {said}"
    if tried.kind != Kind.NOT_YET or tried.misconception == answer.shows:
        return ""
    if tried.misconception is not None:
        return f"is told {tried.misconception!r} instead; declare that, or tell them apart: {said}"
    return f"is not told so, although the check knows that name: {said}" if named else ""


def _names_of(exercise: Exercise) -> frozenset[str]:
    """Misconceptions that the check may name: texts in its lesson's file and the shared ones."""
    lesson = sys.modules[inspect.unwrap(exercise.judge).__module__]
    return frozenset().union(*(_texts(each) for each in (lesson, answers, judging, trial)))


@cache
def _texts(module: Any) -> frozenset[str]:
    """Texts in the code of a module, but not those of its questions, which no check says."""
    return frozenset(_texts_in(ast.parse(inspect.getsource(module))))


def _texts_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if not (isinstance(node, ast.Call) and called(node) in ("question", "Option")):
        for child in ast.iter_child_nodes(node):
            yield from _texts_in(child)
