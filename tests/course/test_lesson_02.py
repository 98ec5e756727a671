"""Lesson 02: its oracle agrees with the library's, and what it says of the experiment holds."""

import json

import numpy as np
import pytest

from stepkit import ode
from stepkit.course import build, folders
from stepkit.course.exercises import lesson_02
from stepkit.ode.order_conditions import order_of

TREE = build.Tree(folders.root())


@pytest.fixture(scope="module")
def trained():
    return json.loads((TREE.results / "solver_swap.json").read_text(encoding="utf-8"))["trained"]


@pytest.mark.parametrize("solver", ["euler", "midpoint", "heun", "ralston", "rk4"])
def test_steps_on_the_trees_tell_the_order_of_every_method(solver):
    tableau = ode.get(solver).tableau
    holds = lesson_02._measured(np.array(tableau.a), np.array(tableau.b))
    assert [all(holds[p]) for p in (1, 2, 3, 4)] == [p <= tableau.order for p in (1, 2, 3, 4)]


@pytest.mark.parametrize(("size", "place"), [(p, i) for p, n in enumerate((1, 1, 2, 4), 1)
                                             for i in range(n)])  # fmt: skip
def test_a_drawn_tableau_breaks_one_condition_only(size, place):
    draw = np.random.default_rng(size)
    a, b, _ = lesson_02._nearly_order_four(draw, size, place, 0.1)
    holds = lesson_02._measured(a, b)
    broken = [(p, i) for p, row in holds.items() for i, good in enumerate(row) if not good]
    assert broken == [(size, place)]
    assert order_of(a, b) == size - 1


def test_the_network_does_not_saturate(trained):
    for found in trained.values():
        accuracy = found["as_trained"]["accuracy"]
        assert accuracy["min"] >= 0.8 and accuracy["max"] <= 0.9


def test_coarse_training_learns_the_solver_and_fine_training_comes_near_a_flow(trained):
    coarse, fine = trained["euler_1"]["flow"], trained["euler_8"]["flow"]
    assert coarse["drop"]["min"] > 0.1 > 0.05 > fine["drop"]["max"]
    assert np.mean(fine["drop"]["values"]) > fine["drop"]["detectable"]
    moved = [trained[f"euler_{n}"]["flow"]["distance"]["median"] for n in (1, 2, 4, 8)]
    assert moved == sorted(moved, reverse=True)
    assert trained["rk4_2"]["flow"]["changed"]["max"] < 0.02


def test_one_euler_step_is_right_most_often(trained):
    accuracy = {name: found["as_trained"]["accuracy"] for name, found in trained.items()}
    one = accuracy.pop("euler_1")
    assert all(one["median"] > other["median"] for other in accuracy.values())
    overlapping = {name for name, other in accuracy.items() if other["max"] >= one["min"]}
    assert overlapping == {"euler_2", "euler_4"}


def test_equal_work_buys_what_the_question_replies():
    circle = ode.problems.HarmonicOscillator()
    errors = {}
    for solver, stages in (("euler", 1), ("heun", 2), ("rk4", 4)):
        for work in (16, 256):
            ts = np.linspace(*circle.t_span, work // stages + 1)
            last = ode.odeint(circle.f, circle.y0, ts, solver=solver).ys[-1]
            errors[solver, work] = np.max(np.abs(last - circle.exact(ts[-1])))
    said = [float(f"{errors[solver, 16]:.2g}") for solver in ("heun", "rk4")]
    assert (round(errors["euler", 16], 3), *said) == (0.308, 0.065, 0.0056)
    assert 40 < errors["euler", 16] / errors["rk4", 16] < 60
    assert round(np.log10(errors["euler", 256] / errors["rk4", 256])) == 5
