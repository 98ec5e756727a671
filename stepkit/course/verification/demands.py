"""What is demanded, in numbers, and which exercises do not meet it."""

from __future__ import annotations

from stepkit.course.verification.findings import Findings

WRONG, VARIANTS, FEW_MUTANTS = 4, 3, 8
SECONDS = 1.0
RATE, RATE_OF_ALL, EXCUSED = 0.90, 0.98, 0.02


def faults(found: Findings) -> list[str]:
    """Every demand on one exercise that is not met, in sentences.

    An excused survivor counts neither for nor against the rate of its exercise; how many may be
    excused is a demand on all exercises together.
    """
    lines = list(found.faults)
    if len(found.wrong) < WRONG and found.mutants:
        lines.append(f"{len(found.wrong)} wrong answers; at least {WRONG} are needed")
    if len(found.variants) < VARIANTS and found.mutants:
        lines.append(f"{len(found.variants)} right variants; at least {VARIANTS} are needed")
    if found.slowest_seconds > SECONDS:
        lines.append(
            f"the check took {found.slowest_seconds:.2f} s; it must answer in {SECONDS:g} s"
        )
    if rate([found]) < RATE:
        lines.append(f"the check sees {rate([found]):.1%} of the mutants; {RATE:.0%} are needed")
    return lines


def faults_of_all(everything: list[Findings]) -> list[str]:
    """Demands on the course as a whole."""
    lines = []
    if rate(everything) < RATE_OF_ALL:
        lines.append(
            f"the checks see {rate(everything):.1%} of all mutants; {RATE_OF_ALL:.0%} are needed"
        )
    counted, excused = (sum(getattr(f, k) for f in everything) for k in ("counted", "excused"))
    if excused > EXCUSED * counted:
        lines.append(f"{excused} of {counted} mutants are excused; at most {EXCUSED:.0%} may be")
    return lines


def few(everything: list[Findings]) -> list[str]:
    """Exercises with so few mutants that their rate says little; they are named, not failed."""
    return [f"{f.id} ({f.mutants})" for f in everything if 0 < f.mutants < FEW_MUTANTS]


def accepted(found: Findings) -> list[str]:
    """Mutants that the check accepts and nothing explains, each as one line to look at."""
    left = (each for each in found.survivors if each["status"] == "open")
    return [
        f"line {each['line']}, {each['operator']}: {each['description']} ({each['reason']})"
        for each in left
    ]


def rate(everything: list[Findings]) -> float:
    """Share of the mistakes seen, over some exercises; equal and excused mutants are none."""
    judged = sum(found.counted - found.excused for found in everything)
    return sum(found.killed for found in everything) / judged if judged else 1.0
