"""Shares the exercises among worker processes."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from stepkit.course import catalogue
from stepkit.course.verification.examine import examine
from stepkit.course.verification.findings import Findings
from stepkit.course.verification.material import Material
from stepkit.course.verification.worker import Died, Hung, Worker, WorkerFault

MOST = 4  # processes: each holds Keras and its backend in memory


def examine_all(
    materials: list[Material],
    done: Callable[[Material, Findings], None],
    say: Callable[[str], None],
    make_bench: Callable[[Material], Any] = Worker,
) -> None:
    """Examine each exercise, as many at a time as there are cores.

    Args:
        materials: of the exercises.
        done: called with each exercise's findings as soon as they are there, one at a time.
        say: called with words of progress.
        make_bench: makes what tries code; a `Bench` works without a process.
    """
    count = max(1, min(os.cpu_count() or 1, MOST, len(materials)))
    waiting, alone = deque(materials), threading.Lock()
    workers: list[Worker] = []

    def work() -> None:
        bench = None
        try:
            for material in _drawn_from(waiting):
                bench = _next_bench(bench, material, make_bench)
                workers.extend(each for each in [bench] if isinstance(each, Worker))
                found = _one(material, bench, say)
                with alone:
                    done(material, found)
        finally:
            if isinstance(bench, Worker):
                bench.stop()

    with ThreadPoolExecutor(count if make_bench is Worker else 1) as threads:
        working = [threads.submit(work) for _ in range(count)]
        try:
            for each in as_completed(working):
                each.result()
        except BaseException:
            waiting.clear()
            for worker in workers:
                worker.close()
            raise


def _drawn_from(waiting: deque[Material]) -> Iterator[Material]:
    while True:
        try:
            yield waiting.popleft()
        except IndexError:  # another thread took the last
            return


def _next_bench(bench: Any, material: Material, make_bench: Callable) -> Any:
    """The same process for the next exercise: loading Keras takes longer than most checks."""
    if isinstance(bench, Worker):
        bench.take(material)
        return bench
    return make_bench(material)


def _one(material: Material, bench: Any, say: Callable[[str], None]) -> Findings:
    def told(words: str) -> None:
        say(f"{material.id}: {words}")

    try:
        return examine(material, bench, told)
    except (WorkerFault, Hung, Died) as error:
        exercise = catalogue.exercise(material.id)
        found = Findings(exercise.id, exercise.lesson, exercise.points, exercise.minutes)
        words = str(error) or "the solution did not end, or ended its process"
        found.faults.append(f"could not be examined: {words}")
        return found
