"""The table, the list of what failed, and the JSON file."""

from __future__ import annotations

import json
from pathlib import Path

from stepkit.course import store
from stepkit.course.verification import demands
from stepkit.course.verification.findings import Findings

HEAD = (
    f"{'exercise':<32}{'wrong':>6}{'variants':>9}{'rejected':>9}{'mutants':>8}{'killed':>7}"
    f"{'crash':>6}{'time':>5}{'equal':>6}{'excused':>8}{'rate':>8}{'slowest':>9}"
)


def table(everything: list[Findings]) -> str:
    """One line for each exercise."""
    return "\n".join([HEAD, "-" * len(HEAD), *(_row(found) for found in everything)])


def failures(everything: list[Findings], other: list[str], *, whole: bool) -> list[str]:
    """What is not as demanded, each in a line that says enough to mend it.

    Args:
        everything: the findings.
        other: what else went wrong, such as a master without a record.
        whole: whether these are all exercises, so that demands on the whole course hold.
    """
    lines = [f"{f.id}: {fault}" for f in everything for fault in demands.faults(f)]
    return [*other, *lines, *(demands.faults_of_all(everything) if whole else [])]


def text(everything: list[Findings], failed: list[str], seconds: float) -> str:
    """All that is printed."""
    parts = [table(everything)]
    if few := demands.few(everything):
        parts.append(f"Fewer than {demands.FEW_MUTANTS} mutants: {', '.join(few)}")
    accepted = [f"{f.id}: {line}" for f in everything for line in demands.accepted(f)]
    parts += _list("Mutants that a check accepts:", accepted) + _list("Failed:", failed)
    return _plain("\n\n".join([*parts, _closing(everything, failed, seconds)]))


def write(path: Path, everything: list[Findings], failed: list[str]) -> None:
    """The JSON file, whole or not at all."""
    totals = {
        "exercises": len(everything),
        "mutants": sum(found.mutants for found in everything),
        "killed": sum(found.killed for found in everything),
        "equal": sum(found.equal for found in everything),
        "excused": sum(found.excused for found in everything),
        "rate": round(demands.rate(everything), 4),
    }
    exercises = [found.record() | {"faults": demands.faults(found)} for found in everything]
    record = {"totals": totals, "failed": failed, "exercises": exercises}
    store.write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _row(found: Findings) -> str:
    verdict = "" if not demands.faults(found) else "  FAILED"
    return (
        f"{found.id:<32}{len(found.wrong):>6}{len(found.variants):>9}{found.rejections:>9}"
        f"{found.mutants:>8}{found.killed:>7}{found.killed_by_crash:>6}"
        f"{found.killed_by_timeout:>5}{found.equal:>6}{found.excused:>8}{found.rate:>8.1%}"
        f"{found.slowest_seconds:>7.3f} s{verdict}"
    )


def _list(title: str, lines: list[str]) -> list[str]:
    return ["\n".join([title, *(f"  {line}" for line in lines)])] if lines else []


def _closing(everything: list[Findings], failed: list[str], seconds: float) -> str:
    mutants = sum(found.mutants for found in everything)
    verdict = f"{len(failed)} demands are not met" if failed else "every demand is met"
    return (
        f"verify: {len(everything)} exercises, {mutants} mutants, {demands.rate(everything):.1%} "
        f"of the mistakes seen, {seconds:.0f} s: {verdict}."
    )


def _plain(words: str) -> str:
    """Readable on a terminal of any encoding."""
    return words.encode("ascii", "backslashreplace").decode("ascii")
