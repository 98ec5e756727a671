"""What was found about one exercise: plain data, for the table, the JSON file and the cache."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Findings:
    """Everything that `course verify` found about one exercise.

    Args:
        id: of the exercise.
        lesson: its number.
        points: of the exercise.
        minutes: of the exercise.
        stub: outcome and message of the untouched stub.
        solution: outcome and message of the solution.
        wrong: each wrong answer: `shows`, `declared`, `outcome`, `misconception`, `message`,
            and `named`: whether the check names this misconception.
        variants: each right variant: `style`, `outcome`, `message`, `rejections`.
        rejections: how often the solution or a variant was rejected over the seeds.
        seeds: over how many seeds each of them was judged.
        mutants: how many mistakes were made on purpose.
        killed: how many the check saw, in whatever way.
        killed_by_crash: those of them that raised.
        killed_by_timeout: those of them that ran too long.
        equal: survivors that the probe shows equal to the solution.
        excused: survivors with a reason in the master.
        slowest_seconds: of the check on the solution, without the first call.
        median_seconds: the same, typically.
        survivors: each with `line`, `operator`, `description`, `status` and `reason`.
        faults: what does not meet the demands, in sentences.
    """

    id: str
    lesson: str
    points: int
    minutes: int
    stub: dict[str, Any] = field(default_factory=dict)
    solution: dict[str, Any] = field(default_factory=dict)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    variants: list[dict[str, Any]] = field(default_factory=list)
    rejections: int = 0
    seeds: int = 0
    mutants: int = 0
    killed: int = 0
    killed_by_crash: int = 0
    killed_by_timeout: int = 0
    equal: int = 0
    excused: int = 0
    slowest_seconds: float = 0.0
    median_seconds: float = 0.0
    survivors: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def counted(self) -> int:
        """Mutants that are mistakes: all but those shown equal to the solution."""
        return self.mutants - self.equal

    @property
    def rate(self) -> float:
        """Share of the mistakes that the check sees."""
        return self.killed / self.counted if self.counted else 1.0

    def record(self) -> dict[str, Any]:
        """As it stands in the JSON file."""
        return asdict(self) | {"rate": round(self.rate, 4)}

    @staticmethod
    def from_record(record: dict[str, Any]) -> Findings:
        """The findings that `record` wrote."""
        return Findings(**{key: value for key, value in record.items() if key != "rate"})
