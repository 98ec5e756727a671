"""Tries one piece of code after the other on one exercise; in a worker, or here in a test."""

from __future__ import annotations

import linecache
import time
from dataclasses import dataclass
from typing import Any

import keras

from stepkit.course import catalogue
from stepkit.course.judging import judge, quiet
from stepkit.course.limits import TimeLimit, run_with_limit
from stepkit.course.verification import equality
from stepkit.course.verification.material import Material
from stepkit.course.wording import one_line

NOT_RUN = "the cell raised"  # beside the outcomes of a check: there was nothing to check


@dataclass(frozen=True)
class Tried:
    """What came of one attempt: the outcome, or that its cell raised, and how long it took.

    Args:
        kind: the outcome.
        message: what the learner would read.
        misconception: which is named.
        seconds: on the clock, which also runs while the machine is busy with others.
        busy: seconds of the processor; on an idle machine nearly the same.
        too_long: whether it was stopped.
    """

    kind: str
    message: str = ""
    misconception: str | None = None
    seconds: float = 0.0
    busy: float = 0.0
    too_long: bool = False


class Bench:
    """The exercise on the bench, and the last piece of code that was run for it."""

    def __init__(self, material: Material):
        keras.backend.clear_session()  # of what the last exercise left behind
        self._material = material
        self._exercise = catalogue.exercise(material.id)
        self._ready: tuple[str, dict[str, Any], Tried | None] | None = None

    def judge(self, source: str, seed: int, limit: float) -> Tried:
        """Run a cell, if it is not the last one, and let the check judge it.

        Keras's own randomness starts from the seed too, so that a result can be repeated.
        """
        namespace, failure = self._run(source, limit)
        if failure is not None:
            return failure
        keras.utils.set_random_seed(seed)
        start, began = time.perf_counter(), time.process_time()
        outcome = judge(self._material.id, namespace, seed=seed, limit=limit)
        seconds, busy = time.perf_counter() - start, time.process_time() - began
        too_long = outcome.kind == "crashed" and seconds >= limit
        told = (outcome.kind.value, outcome.message, outcome.misconception)
        return Tried(*told, seconds, busy, too_long)

    def compare(self, source: str, draws: int, seconds: float) -> equality.Comparison:
        """Whether a mutant gives what the solution gives on the probe's wide domain."""
        spaces = [self._namespace() for _ in range(3)]
        cells = (self._material.probe or "", self._material.solution, source)
        with quiet():
            for space, cell in zip(spaces, cells, strict=True):
                execute(cell, space, f"<{self._material.id}, probe>")
            probe, name = spaces[0]["probe"], self._exercise.name
            return equality.compare(probe, spaces[1][name], spaces[2][name], draws, seconds)

    def _run(self, source: str, limit: float) -> tuple[dict[str, Any], Tried | None]:
        if self._ready is None or self._ready[0] != source:
            namespace = self._namespace()
            self._ready = (source, namespace, self._execute(source, namespace, limit))
        return self._ready[1:]

    def _execute(self, source: str, namespace: dict[str, Any], limit: float) -> Tried | None:
        start, began = time.perf_counter(), time.process_time()
        try:
            with quiet():
                run_with_limit(lambda: execute(source, namespace, "<answer>"), limit, _nothing)
        except NotImplementedError:
            return None  # a stub at the top of a cell: the name is missing, says the check
        except TimeLimit:
            seconds, busy = time.perf_counter() - start, time.process_time() - began
            return Tried(NOT_RUN, "It was still running.", None, seconds, busy, too_long=True)
        except Exception as error:
            return Tried(NOT_RUN, one_line(error))
        return None

    def _namespace(self) -> dict[str, Any]:
        """A fresh notebook: the lesson's imports, and correct earlier pieces."""
        needed = [catalogue.exercise(each) for each in self._exercise.needs]
        namespace = {"__name__": "__main__"} | {each.name: each.reference for each in needed}
        execute(self._material.imports, namespace, f"<{self._material.id}, imports>")
        return namespace


def execute(source: str, namespace: dict[str, Any], name: str) -> None:
    """Run a cell; messages can quote its lines."""
    lines = source.splitlines(keepends=True)
    linecache.cache[name] = (len(source), None, lines, name)
    exec(compile(source, name, "exec"), namespace)


def _nothing(_: str) -> None:
    """Takes the message for a learner, of whom there is none here."""
