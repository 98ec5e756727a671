"""Lesson 04: its pieces agree with stepkit and SciPy, and what it says of its figures holds."""

import math

import numpy as np
import pytest
from scipy import integrate

from stepkit import ode
from stepkit.course import build, folders, masters
from stepkit.course.exercises import lesson_04
from stepkit.course.outcome import NotYet
from stepkit.course.trial import Trial

TREE = build.Tree(folders.root())
CREEPER = ode.problems.VanDerPol(mu=10.0, t_span=(0.0, 40.0))
GAINS = {"I": ode.PIDController(), "PI": ode.PIDController(p=0.3, i=0.4)}


@pytest.fixture(scope="module")
def lesson():
    """The functions and classes that the lesson hands out in its cells."""
    master = masters.read(TREE.masters / "04_adaptive_steps.py")
    names = {"np": np, "ode": ode}
    for cell in master.cells:
        if cell.kind == "code" and cell.mark is None:
            for start in ("class Pair", "def held"):
                if cell.source.startswith(start):
                    exec(cell.source.partition("\nfor tol")[0], names)
    return names


@pytest.fixture(scope="module")
def end_state():
    found = integrate.solve_ivp(CREEPER.f, CREEPER.t_span, CREEPER.y0, "DOP853", rtol=1e-10,
                                atol=1e-10)  # fmt: skip
    return found.y[:, -1]


def solve(pair, tol, atol=None):
    atol = tol if atol is None else atol
    return lesson_04.adaptive_solve(pair, CREEPER.f, CREEPER.t_span, CREEPER.y0, tol, atol, 0.01)


def test_the_pair_is_stepkits(lesson):
    y, h = np.array([0.3, -0.7]), 0.1
    for solver in (ode.Bosh3(), ode.Dopri5()):
        tried, _ = lesson["Pair"](solver)(CREEPER.f, 0.0, y, h)
        np.testing.assert_allclose(tried, solver.step(CREEPER.f, 0.0, y, h), rtol=1e-13)


def test_the_error_norm_decides_as_scipys_does(lesson):
    ts, _, rejected = solve(lesson["Pair"](ode.Bosh3()), 1e-3, 1e-6)
    theirs = integrate.solve_ivp(CREEPER.f, CREEPER.t_span, CREEPER.y0, "RK23", rtol=1e-3,
                                 atol=1e-6)  # fmt: skip
    assert abs(len(ts) - len(theirs.t)) < 0.05 * len(ts)
    assert ts[-1] == 40.0 and rejected > 0
    assert 25 < np.diff(ts).max() / np.diff(ts).min() < 45


def test_the_controller_is_stepkits():
    for error in (0.01, 0.5, 1.0, 3.0, 1e5):
        want = 0.1 * ode.PIDController().factor(error, (1.0, 1.0), 2)
        assert lesson_04.step_controller(0.1, error, 2) == pytest.approx(want)
    assert lesson_04.step_controller(0.1, math.nan, 2) == pytest.approx(0.02)


def test_estimate_and_true_error_of_one_step(lesson):
    pair, hs = lesson["Pair"](ode.Bosh3()), 0.5 ** np.arange(4, 8)
    start = np.exp(np.sin(1.0))
    found = [pair(lambda t, y: np.cos(t) * y, 1.0, start, h) for h in hs]
    estimate = np.array([abs(error) for _, error in found])
    true = np.array([abs(y - np.exp(np.sin(1.0 + h))) for (y, _), h in zip(found, hs, strict=True)])
    slopes = [np.polyfit(np.log(hs), np.log(each), 1)[0] for each in (estimate, true)]
    assert slopes == pytest.approx([3.0, 4.0], abs=0.15)
    assert (true < estimate).all()


def test_errors_follow_the_tolerance_but_are_not_it(lesson):
    problems = [
        (lambda t, y: -y, [1.0], [math.exp(-4)]),
        (lambda t, y: np.array([y[1], -y[0]]), [1.0, 0.0], [math.cos(4), -math.sin(4)]),
        (lambda t, y: y, [1.0], [math.exp(4)]),
    ]
    tolerances, at_1e_6 = 10.0 ** -np.arange(2, 8), []
    for f, y0, end in problems:
        errors = []
        for tol in tolerances:
            _, ys, _ = lesson_04.adaptive_solve(
                lesson["Pair"](ode.Bosh3()), f, (0.0, 4.0), np.array(y0), tol, tol, 0.01
            )
            errors.append(np.max(np.abs(ys[-1] - end)))
        assert 0.9 < np.polyfit(np.log(tolerances), np.log(errors), 1)[0] < 1.1
        at_1e_6.append(errors[4] / 1e-6)
    assert 1 < at_1e_6[0] < 3 < at_1e_6[1] < 20 < 200 < at_1e_6[2]


def test_work_and_precision_rank_as_told(lesson, end_state):
    def equal(name):
        def run(f, steps):
            return ode.odeint(f, CREEPER.y0, np.linspace(0, 40, steps + 1), solver=name).ys[-1]

        return run

    def adaptive(f, tol):
        pair = lesson["Pair"](ode.Bosh3())
        return lesson_04.adaptive_solve(pair, f, (0.0, 40.0), CREEPER.y0, tol, tol, 0.01)[1][-1]

    def dopri5(f, tol):
        return ode.odeint(f, CREEPER.y0, (0.0, 40.0), rtol=tol, atol=tol).ys[-1]

    def work_for(run, settings):
        work, errors = lesson_04.work_precision(run, CREEPER.f, end_state, settings)
        order = np.argsort(errors)
        return np.exp(np.interp(np.log(1e-4), np.log(errors[order]), np.log(work[order])))

    _, (euler,) = lesson_04.work_precision(equal("euler"), CREEPER.f, end_state, [8000])
    assert euler > 0.1
    tolerances = 10.0 ** -np.arange(2.0, 6.0)
    rk4, mine = work_for(equal("rk4"), [1500, 2000, 3000]), work_for(adaptive, tolerances)
    assert rk4 > 2.5 * mine > 2.5 * work_for(dopri5, tolerances)


def test_stability_and_not_the_tolerance_sets_the_steps(lesson):
    taken = {}
    for tol in (1e-4, 1e-3, 1e-2):
        _, h, good = lesson["attempts"](GAINS["I"], tol)
        taken[tol] = good.sum()
        if tol > 1e-4:
            assert 50 * np.median(h[good]) == pytest.approx(2.51, abs=0.02)
    assert taken[1e-4] < 1.1 * taken[1e-3] and abs(taken[1e-3] - taken[1e-2]) < 5


def test_a_pi_controller_rejects_less_and_is_not_always_smoother(lesson):
    smoother = []
    for tol in (1e-3, 1e-4, 1e-5):
        bad, swing, tries = {}, {}, {}
        for name, controller in GAINS.items():
            t, h, good = lesson["attempts"](controller, tol)
            bad[name], tries[name] = (~good).sum(), len(h)
            swing[name] = np.std(np.diff(np.log2(h[good & (t > 2)][:-1])))
        assert bad["PI"] < 0.5 * bad["I"]
        assert 0.9 < tries["PI"] / tries["I"] < 1.15
        smoother.append(swing["PI"] < swing["I"])
    assert smoother == [False, True, True]


def test_the_stages_show_the_border_while_it_creeps(lesson):
    pair = lesson["Pair"](ode.Dopri5())
    ts, ys, _ = solve(pair, 1e-3, 1e-6)
    shown = np.array([lesson_04.stiffness_from_stages(h, k, y) for t, h, k, y in pair.attempts
                      if np.isin(t + h, ts)])  # fmt: skip
    creeping = np.abs(ys[:-1, 1]) < 0.5
    assert np.median(shown[creeping]) == pytest.approx(3.3, abs=0.2)
    assert np.median(shown[~creeping]) < 1.5


def test_auto_takes_fewer_steps_where_it_is_stiff():
    strong = ode.problems.VanDerPol(mu=50.0, t_span=(0.0, 100.0))
    stats = [ode.odeint(strong.f, strong.y0, strong.t_span, solver=name, max_steps=20000).stats
             for name in ("dopri5", "auto")]  # fmt: skip
    assert stats[0].num_steps > 10 * stats[1].num_steps
    assert stats[0].num_evaluations > 3 * stats[1].num_evaluations


def test_the_way_of_a_solver_is_judged_step_by_step():
    """A right solver passes; one whose state moves on a rejected step is told so."""

    def careless(pair, f, t_span, y0, rtol, atol, first_step):
        t, end = t_span
        y, h, bad, ts, ys = y0, first_step, 0, [t], [y0]
        while t < end:
            h = min(h, end - t)
            y, error = pair(f, t, y, h)
            size = lesson_04.error_norm(error, ys[-1], y, rtol, atol)
            if size <= 1:
                t = t + h
                ts.append(t)
                ys.append(y)
            else:
                bad += 1
            h = lesson_04.step_controller(h, size, pair.order)
        return np.array(ts), np.array(ys), bad

    judge = lesson_04.LESSON.exercises["04.adaptive_solve"].judge
    for seed in range(5):
        draw = np.random.default_rng(seed)
        judge(Trial(lesson_04.adaptive_solve, draw, "adaptive_solve"))
        with pytest.raises(NotYet) as found:
            judge(Trial(careless, draw, "adaptive_solve"))
        assert found.value.misconception == "advances-on-reject"
