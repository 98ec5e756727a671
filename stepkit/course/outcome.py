"""What a check can say, and how it is worded."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from enum import StrEnum

LINES = 8
WIDTH = 92


class Kind(StrEnum):
    """The five outcomes of a check."""

    NOT_ATTEMPTED = "not attempted"
    CRASHED = "crashed"
    NOT_YET = "not yet"
    CORRECT = "correct"
    NOT_CHECKED = "could not check"


@dataclass(frozen=True)
class Outcome:
    """The answer of a check to one attempt.

    Args:
        exercise: id of the exercise, such as `"01.euler_step"`.
        kind: one of the five outcomes.
        message: plain sentences for the learner, without the id and the outcome.
        misconception: name of the misunderstanding that the answer shows, if it is a known one.
    """

    exercise: str
    kind: Kind
    message: str = ""
    misconception: str | None = None

    def __str__(self) -> str:
        """The whole answer as plain text, at most 8 lines of 92 characters."""
        lines = []
        for part in f"{self.exercise}: {self.kind.value}. {self.message}".strip().splitlines():
            indent = part[: len(part) - len(part.lstrip())]
            lines += textwrap.wrap(part, WIDTH, subsequent_indent=indent) or [""]
        if len(lines) > LINES:
            lines = [*lines[: LINES - 1], lines[LINES - 1][: WIDTH - 4] + " ..."]
        return "\n".join(lines)

    @property
    def correct(self) -> bool:
        """Whether the exercise is solved."""
        return self.kind is Kind.CORRECT


class NotYet(Exception):
    """Raised by an exercise's check: the answer is wrong, and this is why."""

    def __init__(self, message: str, misconception: str | None = None):
        super().__init__(message)
        self.misconception = misconception


class LearnerError(Exception):
    """Raised when the learner's own code raised; `original` is their exception."""

    def __init__(self, original: BaseException, asked: str):
        super().__init__(asked)
        self.original = original
        self.asked = asked


class CheckFailed(Exception):
    """Raised by `check` under grading for anything but a correct answer."""

    def __init__(self, outcome: Outcome):
        super().__init__(str(outcome))
        self.outcome = outcome

    def _render_traceback_(self) -> list[str]:
        """IPython prints the message alone, not the insides of the check."""
        return str(self.outcome).splitlines()
