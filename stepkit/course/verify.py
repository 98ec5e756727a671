"""The `course verify` command: proves that the checks tell right from wrong."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from stepkit.course import catalogue
from stepkit.course.build import Tree
from stepkit.course.trouble import Trouble
from stepkit.course.verification import choice, crew, report
from stepkit.course.verification.findings import Findings
from stepkit.course.verification.material import Material
from stepkit.course.verification.memory import Memory
from stepkit.course.verification.worker import Worker

WIDTH = 100


def run(
    ids: Iterable[str] = (),
    json_path: Path | None = None,
    *,
    fresh: bool = False,
    root: Path | None = None,
    make_bench: Callable[[Material], Any] = Worker,
) -> int:
    """Verify exercises, print what was found, and return the exit code.

    Args:
        ids: of lessons or exercises, such as `"01"` or `"01.euler_step"`; none means all.
        json_path: where to write everything that was found.
        fresh: whether to find anew what is remembered from an earlier run.
        root: of the checkout.
        make_bench: makes what tries code; by default a worker process.

    Raises:
        Trouble: if an id is unknown, or there are no masters here.
    """
    wanted, start = list(ids), time.monotonic()
    tree = Tree(root or Path(__file__).resolve().parents[2])
    if not tree.masters.is_dir():
        raise Trouble(f"There are no masters in {tree.masters}: verify works in a checkout.")
    materials, other = choice.materials(tree.masters, wanted)
    memory = Memory(tree.root / "build" / "verify-cache", fresh=fresh)
    everything = _findings(materials, memory, make_bench)
    failed = report.failures(everything, other, whole=not wanted)
    print(report.text(everything, failed, time.monotonic() - start))
    if json_path is not None:
        report.write(Path(json_path), everything, failed)
    return 1 if failed else 0


def _findings(materials: list[Material], memory: Memory, make_bench: Callable) -> list[Findings]:
    """What is remembered, and what is found now for the others, in the order of the course."""
    found = {each.id: memory.recall(each) for each in materials}
    missing = [each for each in materials if found[each.id] is None]

    def done(material: Material, findings: Findings) -> None:
        found[material.id] = findings
        if findings.seeds:  # it could be examined
            memory.keep(material, findings)

    if missing:
        for each in missing:
            catalogue.exercise(each.id)  # lessons are imported here once, not in each thread
        try:
            crew.examine_all(missing, done, _say, make_bench)
        finally:
            _say("")
    return [found[each.id] for each in materials]


def _say(words: str) -> None:
    """Progress in one line that is overwritten, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r{words[:WIDTH]:<{WIDTH}}\r", end="", file=sys.stderr, flush=True)
