"""Stops code that runs too long, on every platform."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

STUCK = (
    "Still running after {seconds:.0f} s, inside compiled code that cannot be stopped from "
    "here.\nYour notebook is safe: save it, then use Kernel > Restart Kernel."
)


class TimeLimit(BaseException):
    """Raised inside the running code; not an `Exception`, so `except Exception` lets it pass."""


class _Watchdog:
    """A thread that raises `TimeLimit` in the thread that started it."""

    def __init__(self, seconds: float, say: Callable[[str], None]):
        self._seconds, self._say = seconds, say
        self._target = threading.get_ident()
        self._done, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._lock:
            self._done.set()
            self._raise_in_target(None)  # takes back what was not delivered yet

    def _watch(self) -> None:
        if self._done.wait(self._seconds):
            return
        # Again and again: a bare `except:` in a loop may swallow the first ones.
        for attempt in range(100):
            with self._lock:
                if self._done.is_set():
                    return
                self._raise_in_target(TimeLimit)
            if self._done.wait(0.05 * (attempt + 1)):
                return
            if attempt == 10:
                self._say(STUCK.format(seconds=self._seconds))

    def _raise_in_target(self, kind: type | None) -> None:
        error = None if kind is None else ctypes.py_object(kind)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._target), error)


def run_with_limit(action: Callable[[], Any], seconds: float, say=print) -> Any:
    """Run `action()` and return its result, or stop it after `seconds`.

    A loop in Python is stopped. A loop inside one compiled call (a TensorFlow graph, a BLAS
    routine) cannot be stopped from Python: the learner is told so while it runs.

    Args:
        action: callable without arguments.
        seconds: the limit.
        say: called with a message when the code cannot be stopped.

    Raises:
        TimeLimit: if the limit was reached.
    """
    watchdog = _Watchdog(seconds, say)
    try:
        try:
            watchdog.start()
            return action()
        finally:
            _surely(watchdog.stop)
    except TimeLimit:
        _surely(watchdog.stop)  # the limit may have struck on the way to the first stop
        raise


def _surely(action: Callable[[], None]) -> None:
    """Run `action` to its end, also if a late `TimeLimit` arrives in the middle of it."""
    while True:
        try:
            return action()
        except TimeLimit:
            continue
