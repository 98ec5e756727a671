"""The benchmark compares like with like, and its ratios mean what they say."""

import json

import keras
import numpy as np
import pytest

from benchmarks import controllers, report, timing
from benchmarks.odeint import __main__ as command
from benchmarks.odeint import measure, sides
from benchmarks.odeint.cases import CHECKED, cases
from benchmarks.timing import at_equal_error, side_by_side
from stepkit import ode


def curve(factor, errors):
    """Work that grows as error to the power -1/5."""
    return [{"error": e, "work": factor * e**-0.2} for e in errors]


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_ratio_at_equal_error_of_power_laws_is_the_ratio_of_their_factors(factor):
    ours, theirs = curve(factor, [1e-3, 1e-5, 1e-8]), curve(1.0, [3e-4, 2e-7])
    assert at_equal_error(ours, theirs, "work") == pytest.approx(factor, rel=1e-12)


def test_no_ratio_where_curves_share_no_error_or_a_number_is_missing():
    far, near = curve(1.0, [1e-9, 1e-8]), curve(1.0, [1e-4, 1e-3])
    assert at_equal_error(far, near, "work") is None
    assert at_equal_error(near, [{"error": 5e-4, "work": None}], "work") is None


def test_repeats_alternate_in_blocks_after_first_calls(monkeypatch):
    monkeypatch.setattr(timing, "BLOCK", 0.0)
    calls = []
    side_by_side({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3)
    assert "".join(calls) == "ab" * 32  # one compiles, one is probed; short runs ten times as often


def test_short_calls_are_timed_in_a_row(monkeypatch):
    def seconds(run, calls=1):
        return sum(run() for _ in range(calls)) / calls

    monkeypatch.setattr(timing, "seconds", seconds)
    counts = {"a": 0, "b": 0}

    def run(name, each):
        counts[name] += 1
        return each

    times = side_by_side({"a": lambda: run("a", 0.001), "b": lambda: run("b", 0.1)}, repeats=1)
    rounds = 10  # 0.11 s each, one second in all
    assert counts == {"a": 2 + 10 * rounds, "b": 2 + rounds}
    assert times["a"]["median"] == pytest.approx(0.001)


@pytest.mark.parametrize(("each", "rounds"), [(0.01, 30), (0.4, 3), (4.0, 2), (100.0, 1)])
def test_long_runs_are_repeated_less_often(monkeypatch, each, rounds):
    monkeypatch.setattr(timing, "seconds", lambda run, calls=1: run())
    calls = []
    times = side_by_side({name: lambda: calls.append(0) or each for name in "ab"}, repeats=3)
    assert len(calls) == 4 + 2 * rounds
    assert times["a"]["median"] == each


@pytest.mark.parametrize("name", ["lorenz", "van_der_pol_10", "neural"])
def test_every_side_gives_the_reference_and_more_accuracy_less_error(name):
    case = cases()[name]
    y0, truth = case.batch(CHECKED), case.reference(CHECKED)
    makers = [sides.ours, sides.scipy_side]
    if sides.peer_name(case):
        makers.append(sides.peer)
    for maker in makers:
        misses = []
        for rtol in (1e-4, 1e-8):
            end, _ = sides.plain(maker(case, y0, rtol)())
            misses.append(np.linalg.norm(end - truth) / np.linalg.norm(truth))
        assert misses[1] < 1e-5, maker.__name__
        assert misses[1] < misses[0] / 10, maker.__name__


def test_gradient_of_each_side_is_that_of_central_differences():
    case = cases()["neural"]
    y0 = case.batch(2)
    makers = [sides.ours] + ([sides.peer] if sides.peer_name(case) else [])
    direction = np.random.default_rng().normal(size=y0.shape)
    ends = [
        sides.scipy_side(case, y0 + sign * 1e-4 * direction, 1e-10)()[0] for sign in (1.0, -1.0)
    ]
    slope = (np.sum(ends[0] ** 2) - np.sum(ends[1] ** 2)) / 2e-4
    size = np.linalg.norm(direction)
    for maker in makers:
        gradient, _ = sides.plain(maker(case, y0, 1e-8, gradient=True)())
        # Third derivatives times 1e-8, and the solve's own error: far below 1e-5 of the sizes.
        assert abs(np.sum(gradient * direction) - slope) < 1e-5 * np.linalg.norm(gradient) * size


def test_forward_row_has_a_curve_and_a_ratio_for_each_side():
    row = measure.forward(cases()["lorenz"], 2, (3, 5), repeats=1)
    others = set(row["curves"]) - {"ours"}
    assert "scipy" in others
    assert set(row["ratios"]) == others
    for points in row["curves"].values():
        assert points[1]["error"] < points[0]["error"]
        assert all(p["min"] <= p["median"] <= p["max"] for p in points)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="tells no such number")
def test_memory_grows_with_the_batch():
    case = cases()["lorenz"]
    small, large = (measure.memory(case, size, 64)["ours"] for size in (1, 64))
    assert 0 < small < large


def test_report_shows_every_ratio_and_marks_what_is_missing():
    ratios = {"scipy": {"time": 1.25, "evaluations": None}}
    around = {"backend": "jax", "command": "run", "hardware": "box"}
    forward = [{"problem": "lorenz", "batch": 64, "ratios": ratios}]
    gradient = [{"problem": "lorenz", "batch": 1, "ratio": 0.5, "disagreement": 1e-6}]
    record = {
        "forward": {"circumstances": around, "rows": forward},
        "gradient": {"circumstances": around, "rows": gradient},
    }
    text = report.solvers(record)
    assert "| lorenz | 64 | scipy | **1.25** | - |" in text
    assert "| lorenz | 1 | 0.5 | 1e-06 |" in text
    assert "memory" not in text


def test_a_controller_needs_as_much_as_itself_and_less_than_one_that_overreacts():
    case = cases()["van_der_pol_1"]
    truth = case.reference(1, 1)
    usual, same, hasty = (
        controllers.curves(case, truth, "dopri5", ode.PIDController(i=i))[0]
        for i in (1.0, 1.0, 2.5)
    )
    assert at_equal_error(same, usual, "evaluations") == 1.0
    assert at_equal_error(hasty, usual, "evaluations") > 1.1


def test_a_part_is_kept_beside_the_others(tmp_path):
    path = tmp_path / "record.json"
    command.keep(path, "forward", {"rows": [1 / 3]})
    command.keep(path, "memory", {"rows": [2]})
    command.keep(path, "forward", {"rows": [2 / 3]})
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record == {"forward": {"rows": [0.6667]}, "memory": {"rows": [2]}}
