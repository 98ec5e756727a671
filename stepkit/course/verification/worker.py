"""A process with Keras loaded that tries code; one that hangs is killed and replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import traceback
from multiprocessing.connection import Connection
from typing import Any

from stepkit.course.verification.material import Material

START = 300.0  # seconds for a process to load Keras
GRACE = 5.0  # seconds beyond its limit, after which code must be stuck in one compiled call
BUSY = 10.0  # the probe's seconds are those of the processor; on a busy machine they are longer
FIRST = 120.0  # limit of the first call, which imports and traces
ALONE = {  # several processes share the cores, and what TensorFlow logs is of no interest
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class Hung(Exception):
    """The code did not end and could not be stopped: its process was killed."""


class Died(Exception):
    """The code ended its process."""


class WorkerFault(Exception):
    """The worker itself failed: this is no verdict on the code that it was to try."""


class Worker:
    """Answers like a `Bench`, from another process, which is started when it is needed."""

    def __init__(self, material: Material):
        self._material, self._given = material, False
        self._closed = False
        self._process: Any = None
        self._pipe: Connection | None = None

    def take(self, material: Material) -> None:
        """Go on with another exercise, in the same process."""
        self._material, self._given = material, False

    def judge(self, source: str, seed: int, limit: float) -> Any:
        """As `Bench.judge`.

        Raises:
            Hung: if the code could not be stopped.
            Died: if the process ended.
        """
        return self._ask("judge", (source, seed, limit), 2 * limit + GRACE)

    def compare(self, source: str, draws: int, seconds: float) -> Any:
        """As `Bench.compare`; the same exceptions as `judge`."""
        return self._ask("compare", (source, draws, seconds), BUSY * seconds + GRACE)

    def close(self) -> None:
        """End the process, and start no other; for a stop by the keyboard, from any thread."""
        self._closed = True
        self.stop()

    def stop(self) -> None:
        """End the process, also one that hangs."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = self._pipe = None
        self._given = False

    def _ask(self, method: str, arguments: tuple, seconds: float) -> Any:
        if self._process is None:
            self._start()
        if not self._given:
            self._give()
        self._pipe.send((method, arguments))
        return self._receive(seconds)

    def _receive(self, seconds: float) -> Any:
        try:
            if not self._pipe.poll(seconds):
                self.stop()
                raise Hung
            fine, answer = self._pipe.recv()
        except (EOFError, OSError):
            self.stop()
            raise Died from None
        if not fine:
            raise WorkerFault(answer)
        return answer

    def _start(self) -> None:
        if self._closed:
            raise WorkerFault("The worker was stopped.")
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        for key, value in ALONE.items():
            os.environ.setdefault(key, value)
        self._process.start()
        theirs.close()

    def _give(self) -> None:
        """Hand over the exercise and judge its solution once: then Keras has traced it."""
        self._given = True
        self._pipe.send(("material", (self._material,)))
        self._receive(START)
        self._ask("judge", (self._material.solution, 0, FIRST), FIRST + GRACE)


def _serve(pipe: Connection) -> None:
    """Answer requests until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    _hush()
    bench = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            method, arguments = pipe.recv()
            try:
                if method == "material":
                    bench, answer = _bench(*arguments), None
                else:
                    answer = getattr(bench, method)(*arguments)
                pipe.send((True, answer))
            except BaseException:
                pipe.send((False, traceback.format_exc(limit=-4)))


def _bench(material: Material) -> Any:
    from stepkit.course.verification.bench import Bench

    return Bench(material)


def _hush() -> None:
    """Nothing that a framework or an answer prints reaches the table; no progress is kept."""
    os.environ["STEPKIT_HOME"] = tempfile.gettempdir() + "/stepkit-verify"
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
