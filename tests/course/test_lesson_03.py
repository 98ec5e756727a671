"""Lesson 03: its pieces agree with the library's rooms, and its text says what is so."""

import numpy as np
import pytest

from stepkit import ode, stability, stiffness
from stepkit.course.exercises import lesson_03

SOLVERS = ["euler", "heun", "rk4", "dopri5", "implicit_euler", "trapezoid", "kvaerno5"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_formula_is_the_library_s_stability_function(solver):
    tableau = ode.get(solver).tableau
    z = np.array([[-1.0 + 2.0j, -3.0], [0.3j, 0.5]])
    mine = lesson_03.stability_function(np.array(tableau.a), np.array(tableau.b), z)
    np.testing.assert_allclose(mine, stability.stability_function(solver)(z), rtol=1e-9)


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_the_longest_step_is_the_library_s(solver):
    values = np.array([-3.0, -1.0 + 2.0j, -1.0 - 2.0j])
    function = stability.stability_function(solver)
    want = stability.largest_stable_step(values, solver)
    assert abs(lesson_03.largest_stable_step(values, function, 2.0) - want) <= 2e-3


def test_an_implicit_step_is_the_library_s():
    problem = ode.problems.VanDerPol(mu=100.0)
    y = np.array([1.5, -0.1])
    want = ode.ImplicitEuler().step(problem.f, 0.0, y, 0.01)
    got = lesson_03.implicit_euler_step(problem.f, 0.0, y, 0.01)
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_implicit_euler_walks_along_a_slow_branch_and_explicit_ones_do_not():
    problem = ode.problems.VanDerPol(mu=100.0)
    grid = np.linspace(0, 75, 151)
    x = ode.odeint(problem.f, problem.y0, grid, solver=lesson_03.implicit_euler_step).ys[:, 0]
    want = ode.odeint(problem.f, problem.y0, grid, solver="kvaerno5", rtol=1e-8, atol=1e-8)
    assert np.abs(x - want.ys[:, 0]).max() < 0.02
    with np.errstate(all="ignore"):
        for solver in ("euler", "rk4"):
            assert ode.odeint(problem.f, problem.y0, grid, solver=solver).result == "not finite"


def test_the_ratio_is_one_on_the_slow_branch():
    problem = ode.problems.VanDerPol(mu=1000.0)
    y = np.array([1.8, 1.8 / (1000.0 * (1 - 1.8**2))])
    matrix = lesson_03.jacobian_by_differences(problem.f, 0.0, y)
    assert np.linalg.eigvals(matrix).real.max() > 0
    assert stiffness.stiffness_ratio(matrix) == 1.0


def test_one_step_along_the_solution_errs_little_as_the_question_says():
    from scipy.integrate import solve_ivp

    def f(t, y):
        return -50 * (y - np.cos(t))

    run = solve_ivp(f, (0, 1.5), [0.0], method="Radau", rtol=1e-10, atol=1e-12, dense_output=True)
    ts = np.linspace(0.3, 1.4, 50)
    step = run.sol(ts)[0] + 0.042 * f(ts, run.sol(ts)[0])
    assert np.abs(step - run.sol(ts + 0.042)[0]).max() < 1e-3
