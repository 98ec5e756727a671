"""ConformanceError, and how a list of checks is run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


class ConformanceError(Exception):
    """Some checks failed; the message lists them all.

    Attributes:
        failures: dict from the name of a check to what went wrong in it.
    """

    def __init__(self, subject: str, failures: Mapping[str, str]) -> None:
        self.failures = dict(failures)
        lines = [f"  {name}: {reason}" for name, reason in self.failures.items()]
        super().__init__("\n".join([f"{subject} fails {len(lines)} check(s):", *lines]))


class CheckFailure(Exception):
    """What a check raises where the subject answers, but wrongly."""


def expect(condition: bool, reason: str) -> None:
    """Raises `CheckFailure` with the reason where the condition does not hold."""
    if not condition:
        raise CheckFailure(reason)


def run_checks(
    subject: str, checks: Mapping[str, Callable], case: Any, skip: Iterable[str]
) -> tuple[str, ...]:
    """Runs all checks on a case, also after a failure, and returns the names of those it ran.

    Raises:
        ConformanceError: where any failed.
        ValueError: where `skip` names no check.
    """
    unknown = set(skip) - set(checks)
    if unknown:
        raise ValueError(f"`skip` must name some of {sorted(checks)}. Received: {sorted(unknown)}")
    names = [name for name in checks if name not in skip]
    failures = {}
    for name in names:
        try:
            checks[name](case)
        except CheckFailure as failure:
            failures[name] = str(failure)
        except Exception as error:  # whatever a stranger's code raises is a finding
            failures[name] = f"raised {type(error).__name__}: {error}"
    if failures:
        raise ConformanceError(subject, failures)
    return tuple(names)
