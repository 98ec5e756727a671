"""Examines the check of one exercise: stub, solution, wrong answers, variants, mutants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from stepkit.course import catalogue
from stepkit.course.exercise import Exercise
from stepkit.course.outcome import Kind
from stepkit.course.verification import mutated, wrong
from stepkit.course.verification.findings import Findings
from stepkit.course.verification.material import Material
from stepkit.course.verification.worker import Died, Hung

SEEDS = 200
RETIMED = 5  # slow calls that are timed again: a busy machine is no slow check
SECONDS = 1.0
HUNG = "it did not end and could not be stopped"
DIED = "it ended the process"


class Tries(Protocol):
    """A `Bench` or a `Worker`."""

    def judge(self, source: str, seed: int, limit: float) -> Any:
        """Judge a cell."""

    def compare(self, source: str, draws: int, seconds: float) -> Any:
        """Compare a mutant with the solution."""


def examine(
    material: Material, bench: Tries, say: Callable[[str], None], *, seeds: int = SEEDS
) -> Findings:
    """Everything that is demanded of one exercise, tried once.

    Args:
        material: what its master holds.
        bench: where code is tried.
        say: called with a few words of progress.
        seeds: over how many the solution and the variants are judged.
    """
    exercise = catalogue.exercise(material.id)
    found = Findings(exercise.id, exercise.lesson, exercise.points, exercise.minutes, seeds=seeds)
    say("stub and solution")
    found.stub = _stub(material, bench, exercise, found)
    found.solution, tries = _right(material.solution, "the solution", bench, exercise, found)
    if found.solution["outcome"] != Kind.CORRECT:
        return found  # nothing else can be learned while this is so
    found.slowest_seconds, found.median_seconds = _pace(tries, material, bench, exercise)
    for variant in material.variants:
        say(f"variant: {variant.style}")
        record, _ = _right(variant.source, f"variant {variant.style!r}", bench, exercise, found)
        found.variants.append({"style": variant.style, **record})
    say("wrong answers")
    wrong.try_all(material, bench, exercise, found)
    mutated.try_all(material, bench, tries, found, say)
    return found


def _stub(material: Material, bench: Tries, exercise: Exercise, found: Findings) -> dict:
    try:
        tried = bench.judge(material.stub, 0, exercise.limit)
    except (Hung, Died):
        found.faults.append(f"the stub: {HUNG}")
        return {"outcome": "hung", "message": ""}
    if tried.kind != Kind.NOT_ATTEMPTED:
        found.faults.append(f"the stub is {_said(tried)}; it should be {Kind.NOT_ATTEMPTED.value}")
    return {"outcome": tried.kind, "message": tried.message}


def _right(
    source: str, what: str, bench: Tries, exercise: Exercise, found: Findings
) -> tuple[dict[str, Any], list[Any]]:
    """Judge right code over all seeds; a rejection is a fault, the first one is quoted."""
    rejected, tries, first = 0, [], None
    for seed in range(found.seeds):
        try:
            tried = bench.judge(source, seed, exercise.limit)
        except (Hung, Died) as end:
            found.faults.append(f"{what}: {HUNG if isinstance(end, Hung) else DIED}, seed {seed}")
            found.rejections += rejected + 1
            return {"outcome": "hung", "message": "", "rejections": rejected + 1}, tries
        tries.append(tried)
        if tried.kind != Kind.CORRECT:
            rejected += 1
            first = first or (seed, tried)
    found.rejections += rejected
    if first is None:
        return {"outcome": Kind.CORRECT.value, "message": "", "rejections": 0}, tries
    seed, tried = first
    count = f"rejected on {rejected} of {found.seeds} seeds"
    found.faults.append(f"{what} is {count}; on seed {seed} it is {_said(tried)}")
    return {"outcome": tried.kind, "message": tried.message, "rejections": rejected}, tries


def _pace(
    tries: list[Any], material: Material, bench: Tries, exercise: Exercise
) -> tuple[float, float]:
    """Longest and typical seconds of the check, without the first call.

    While other programs keep the machine busy the clock runs on, so the processor's seconds are
    taken where they are fewer; what took over a second is timed once more.
    """
    taken = {seed: _seconds(tried) for seed, tried in enumerate(tries) if seed > 0}
    for seed in sorted(taken, key=taken.get, reverse=True)[:RETIMED]:
        if taken[seed] > SECONDS:
            again = bench.judge(material.solution, seed, exercise.limit)
            taken[seed] = min(taken[seed], _seconds(again))
    values = sorted(taken.values()) or [0.0]
    return round(values[-1], 4), round(values[len(values) // 2], 4)


def _seconds(tried: Any) -> float:
    return min(tried.seconds, tried.busy)


def _said(tried: Any) -> str:
    return f"{tried.kind}: {' '.join(tried.message.split())}"
