"""Code that never ends is stopped, or the learner is told that it cannot be."""

import contextlib
import threading
import time

import pytest

from stepkit.course.limits import TimeLimit, run_with_limit


def test_a_python_loop_is_stopped():
    def forever():
        while True:
            pass

    with pytest.raises(TimeLimit):
        run_with_limit(forever, 0.1)


def test_a_result_in_time_is_returned():
    assert run_with_limit(lambda: 3, 5.0) == 3


def test_nothing_is_raised_late():
    for _ in range(200):
        with contextlib.suppress(TimeLimit):
            run_with_limit(lambda: None, 1e-4)
        time.sleep(0.0005)  # a limit that strikes here fails the test
    time.sleep(0.2)


def test_a_compiled_loop_is_admitted_to_be_beyond_reach():
    said, release = [], threading.Lock()
    release.acquire()

    def deaf():  # waits inside one C call, as a compiled loop does
        release.acquire()

    def say(message):
        said.append(message)
        release.release()

    with pytest.raises(TimeLimit):
        run_with_limit(deaf, 0.05, say)
    assert "cannot be stopped" in said[0] and "Restart" in said[0]


def test_it_works_in_another_thread_too():
    result = []

    def work():
        try:
            run_with_limit(lambda: [None for _ in iter(int, 1)], 0.1)
        except TimeLimit:
            result.append("stopped")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert result == ["stopped"]
