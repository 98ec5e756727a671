"""What stands in a master to prove the check of one exercise, as plain data for a worker."""

from __future__ import annotations

from dataclasses import dataclass

from stepkit.course import catalogue, masters
from stepkit.course.masters import Cell, Master


@dataclass(frozen=True)
class Wrong:
    """A named wrong answer: its code, the misconception that it shows, the outcome it must get."""

    source: str
    shows: str
    outcome: str


@dataclass(frozen=True)
class Variant:
    """A right answer in another style."""

    source: str
    style: str


@dataclass(frozen=True)
class Excuse:
    """Why a surviving mutant is no mistake."""

    mutant: str
    reason: str


@dataclass(frozen=True)
class Material:
    """Everything that `course verify` knows about one exercise."""

    id: str
    imports: str
    answer: str
    wrong: tuple[Wrong, ...]
    variants: tuple[Variant, ...]
    probe: str | None
    excuses: tuple[Excuse, ...]

    @property
    def solution(self) -> str:
        """The solved cell."""
        return masters.solution(self.answer)

    @property
    def stub(self) -> str:
        """The learner's cell, before they begin."""
        return masters.stub(self.answer)


def gather(master: Master, exercise_id: str) -> Material:
    """The material of one exercise.

    Raises:
        MasterError: if the master has no answer for it, or two probes.
    """
    name = catalogue.exercise(exercise_id).name
    probes = master.marked("probe", name)
    if len(probes) > 1:
        raise masters.MasterError(f'{master.path}: {len(probes)} cells are marked probe="{name}".')
    return Material(
        id=exercise_id,
        imports=master.imports(),
        answer=master.answer(name).source,
        wrong=tuple(_wrong(cell) for cell in master.marked("wrong", name)),
        variants=tuple(_variant(cell) for cell in master.marked("variant", name)),
        probe=probes[0].source if probes else None,
        excuses=tuple(_excuse(cell) for cell in master.marked("excuse", name)),
    )


def _wrong(cell: Cell) -> Wrong:
    return Wrong(cell.source, cell.words.get("shows", ""), cell.words.get("outcome", ""))


def _variant(cell: Cell) -> Variant:
    return Variant(cell.source, cell.words.get("style", ""))


def _excuse(cell: Cell) -> Excuse:
    reason = " ".join(line.lstrip("# ").rstrip() for line in cell.source.splitlines())
    return Excuse(cell.words.get("mutant", ""), reason.strip())
