"""How many small mistakes the check sees, and what became of those that it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepkit.course.mutation import Mutant, NoRegion, mutants
from stepkit.course.outcome import Kind
from stepkit.course.verification.bench import NOT_RUN
from stepkit.course.verification.findings import Findings
from stepkit.course.verification.material import Material
from stepkit.course.verification.worker import Died, Hung

SEEDS = (0, 1, 2)  # a mutant survives if the check accepts it on all of them
TIMES, SHORTEST = 5.0, 1.0  # the limit of a mutant: so many times the solution's seconds
PATIENCE = 5.0  # more, if others kept the machine busy until the limit
DRAWS, PROBE_SECONDS = 1000, 600.0  # a busy machine needs several times as long


@dataclass(frozen=True)
class Pace:
    """The limit of a mutant: on the clock, and in seconds of the processor."""

    seconds: float
    busy: float


def try_all(
    material: Material,
    bench: Any,
    right: list[Any],
    found: Findings,
    say: Callable[[str], None],
) -> None:
    """Judge every mutant; compare those that survive with the solution.

    Args:
        material: what the master holds.
        bench: where code is tried.
        right: what came of the solution on all seeds: its seconds set the limit.
        found: where the findings go.
        say: called with words of progress.
    """
    try:
        made = mutants(material.answer)
    except NoRegion as error:
        found.faults.append(str(error))
        return
    found.mutants = len(made)
    pace = Pace(
        max(SHORTEST, TIMES * max(tried.seconds for tried in right)),
        TIMES * max(tried.busy for tried in right),
    )
    for place, mutant in enumerate(made, start=1):
        say(f"mutant {place} of {len(made)}")
        end = _end(mutant, bench, pace, found)
        found.killed += end != "survived"
        found.killed_by_crash += end == "crashed"
        found.killed_by_timeout += end == "timeout"
        if end in ("timeout", "crashed"):
            _still_sane(material, bench, pace)
        if end == "survived":
            found.survivors.append(_survivor(mutant, material, bench, found))
    _excuses_that_fit_nothing(material, found)


def _end(mutant: Mutant, bench: Any, pace: Pace, found: Findings) -> str:
    """How a mutant ended: told, crashed, timeout or survived."""
    try:
        for seed in SEEDS:
            tried = _patiently(mutant, bench, seed, pace)
            if tried.kind == Kind.NOT_CHECKED:
                said = " ".join(tried.message.split())
                found.faults.append(f"the check failed on a mutant ({mutant.description}): {said}")
            if tried.too_long:
                return "timeout"
            if tried.kind != Kind.CORRECT:
                return "crashed" if tried.kind in (Kind.CRASHED, NOT_RUN) else "told"
    except Hung:
        return "timeout"
    except Died:
        return "crashed"
    return "survived"


def _patiently(mutant: Mutant, bench: Any, seed: int, pace: Pace) -> Any:
    """Judge a mutant; if it was stopped before it had its share of the processor, once more."""
    tried = bench.judge(mutant.source, seed, pace.seconds)
    if tried.too_long and tried.busy < pace.busy:
        tried = bench.judge(mutant.source, seed, PATIENCE * pace.seconds)
    return tried


def _still_sane(material: Material, bench: Any, pace: Pace) -> None:
    """Replace a worker in which code that was stopped left Keras in pieces."""
    stop = getattr(bench, "stop", None)
    if stop and bench.judge(material.solution, 0, PATIENCE * pace.seconds).kind != Kind.CORRECT:
        stop()


def _survivor(mutant: Mutant, material: Material, bench: Any, found: Findings) -> dict[str, Any]:
    """A survivor's line in the record: shown equal, excused, or a hole in the check."""
    record = {
        "line": mutant.line,
        "operator": mutant.operator,
        "description": mutant.description,
        "status": "open",
        "reason": "",
    }
    excuse = next((each for each in material.excuses if _fits(each.mutant, mutant)), None)
    if excuse and excuse.reason:
        found.excused += 1
        return record | {"status": "excused", "reason": excuse.reason}
    shown, why = _shown_equal(mutant, material, bench, found)
    if not shown:
        return record | {"reason": why}
    found.equal += 1
    return record | {"status": "equal", "reason": f"equal on {DRAWS} draws"}


def _shown_equal(
    mutant: Mutant, material: Material, bench: Any, found: Findings
) -> tuple[bool, str]:
    if material.probe is None:
        return False, "there is no probe"
    try:
        comparison = bench.compare(mutant.source, DRAWS, PROBE_SECONDS)
    except (Hung, Died):
        return False, "the probe did not end"
    if comparison.fault:
        found.faults.append(f"the probe shows nothing: {comparison.why}")
    return comparison.equal, f"differs on draw {comparison.draws}: {comparison.why}"


def _fits(description: str, mutant: Mutant) -> bool:
    return _words(description) == _words(mutant.description)


def _words(text: str) -> str:
    return "".join(text.replace('"', "'").split())


def _excuses_that_fit_nothing(material: Material, found: Findings) -> None:
    excused = {_words(s["description"]) for s in found.survivors if s["status"] == "excused"}
    for excuse in material.excuses:
        if not excuse.reason:
            found.faults.append(f"the excuse for {excuse.mutant!r} gives no reason")
        elif _words(excuse.mutant) not in excused:
            found.faults.append(f"the excuse for {excuse.mutant!r} fits no open survivor")
