"""Records of exercises and questions, and the decorator that makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KINDS = ("function", "layer", "value")


@dataclass(frozen=True)
class Exercise:
    """One graded exercise: what the learner is told about it, and how it is judged.

    Args:
        id: lesson and name, such as `"01.euler_step"`; the name is what the learner defines.
        title: the words in the heading.
        points: what a correct answer earns.
        minutes: how long it takes a learner, roughly.
        difficulty: 1 to 5.
        importance: 1 to 5; 5 is needed in many later lessons.
        judge: the check, a function of a `Trial`, that returns for a right answer.
        reference: stepkit's own object of the same signature, handed out by `use`.
        kind: `"function"`, `"layer"` (a subclass of `keras.layers.Layer`) or `"value"`.
        signature: positional arguments of a function, as in the stub.
        needs: ids of earlier exercises whose names the answer may use.
        limit: seconds after which a check is stopped.
        optional: whether the points count as a bonus.
    """

    id: str
    title: str
    points: int
    minutes: int
    difficulty: int
    importance: int
    judge: Callable[[Any], None]
    reference: Any
    kind: str = "function"
    signature: str = ""
    needs: tuple[str, ...] = ()
    limit: float = 10.0
    optional: bool = False

    @property
    def lesson(self) -> str:
        """Number of the lesson, such as `"01"`."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """The name that the learner defines, such as `"euler_step"`."""
        return self.id.partition(".")[2]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the positional arguments."""
        return tuple(part.strip() for part in self.signature.split(",") if part.strip())


@dataclass(frozen=True)
class Option:
    """One choice of a question: its text, the reply to it, the misconception it shows."""

    text: str
    reply: str
    misconception: str | None = None


@dataclass(frozen=True)
class Question:
    """A multiple-choice question, asked by `predict` or `checkpoint`; it carries no marks.

    Args:
        id: lesson and name, such as `"01.overshoot"`.
        prompt: the question.
        options: letters to choices.
        right: letter of the right choice.
    """

    id: str
    prompt: str
    options: dict[str, Option]
    right: str

    def markdown(self) -> str:
        """The question as it stands in the notebook."""
        lines = [f"- **({key})** {option.text}" for key, option in self.options.items()]
        return "\n".join([self.prompt, "", *lines])


@dataclass
class Lesson:
    """Everything gradable in one lesson, in the order in which it is taught."""

    number: str
    exercises: dict[str, Exercise] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)

    def exercise(self, name: str, **facts: Any) -> Callable[[Callable], Callable]:
        """Decorator: the function judges exercise `name` of this lesson."""
        if facts.get("kind", "function") not in KINDS:
            raise ValueError(f"`kind` must be one of {KINDS}. Received: kind={facts['kind']!r}")

        def register(judge: Callable[[Any], None]) -> Callable[[Any], None]:
            record = Exercise(id=f"{self.number}.{name}", judge=judge, **facts)
            self.exercises[record.id] = record
            return judge

        return register

    def question(self, name: str, prompt: str, right: str, **options: Option) -> Question:
        """Add a multiple-choice question; the options are given as `a=Option(...), b=...`."""
        if right not in options:
            raise ValueError(f"`right` must be one of {list(options)}. Received: right={right!r}")
        record = Question(f"{self.number}.{name}", prompt, dict(options), right)
        self.questions[record.id] = record
        return record

    @property
    def points(self) -> int:
        """Sum of the points that are not a bonus."""
        return sum(each.points for each in self.exercises.values() if not each.optional)
