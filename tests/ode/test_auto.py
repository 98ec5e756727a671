"""The switching solver: as cheap as the explicit one where that will do; elsewhere it arrives."""

import json

import numpy as np
import pytest
from keras import ops
from scipy import integrate

from stepkit import ode
from stepkit._backend import has_float64, vjp
from stepkit.ode import problems
from stepkit.ode.auto import real_interval

needs_float64 = pytest.mark.skipif(not has_float64(), reason="needs float64")
TIGHT = {"rtol": 1e-6, "atol": 1e-10, "max_steps": 2000}


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


@pytest.mark.parametrize(
    "problem", [problems.Logistic(), problems.VanDerPol(2.0), problems.Lorenz()],
    ids=lambda p: type(p).__name__,
)  # fmt: skip
def test_a_problem_that_is_not_stiff_costs_what_tsit5_costs(problem):
    span = (0.0, 4.0)
    auto, tsit5 = (
        ode.odeint(problem.f, problem.y0, span, solver=name, **TIGHT) for name in ("auto", "tsit5")
    )
    assert auto.stats == tsit5.stats
    np.testing.assert_array_equal(auto.ys, tsit5.ys)


@needs_float64
@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_stiff_problems_are_solved_where_tsit5_gives_up(kind):
    problem = problems.VanDerPol(1000.0, t_span=(0.0, 1500.0))
    explicit = ode.odeint(
        problem.f, problem.y0, problem.t_span, solver="tsit5", throw=False, **TIGHT
    )
    assert explicit.result == "max steps reached"
    y0 = problem.y0 if kind == "numpy" else ops.convert_to_tensor(problem.y0, dtype="float64")
    solved = ode.odeint(problem.f, y0, problem.t_span, solver="auto", differentiable=False, **TIGHT)
    theirs = integrate.solve_ivp(
        problem.f, problem.t_span, problem.y0, method="Radau", rtol=1e-9, atol=1e-11
    )
    np.testing.assert_allclose(to_numpy(solved.ys)[-1], theirs.y[:, -1], rtol=1e-3)
    assert solved.stats.num_steps < 400


def test_it_goes_back_when_the_stiffness_is_over():
    """A fast rate until t = 2, a slow one and a quick forcing after that."""

    def field(t, y):
        rate = 2000.0 if t < 2.0 else 1.0
        return -rate * (y - np.sin(5 * t)) + 5 * np.cos(5 * t)

    def evaluations(solver, start, end):
        y0, options = np.array([np.sin(5 * start)]), {"rtol": 1e-6, "atol": 1e-8}
        solved = ode.odeint(field, y0, [start, end], solver=solver, **options)
        assert solved.ys[-1, 0] == pytest.approx(np.sin(5 * end), abs=1e-4)
        return solved.stats.num_evaluations

    wise = evaluations("kvaerno5", 0.0, 2.0) + evaluations("tsit5", 2.0, 12.0)
    assert evaluations("auto", 0.0, 12.0) < 1.4 * wise
    assert evaluations("auto", 0.0, 12.0) < evaluations("kvaerno5", 0.0, 12.0)


@pytest.mark.slow
@needs_float64
def test_gradients_flow_through_both_methods():
    problem = problems.VanDerPol(30.0)
    options = {"solver": "auto", "rtol": 1e-8, "atol": 1e-10, "max_steps": 512}

    def end(y):
        return ode.odeint(problem.f, y, [0.0, 5.0], **options).ys[-1, 0]

    y0 = ops.convert_to_tensor(problem.y0, dtype="float64")
    value, pullback = vjp(end, y0)
    found = to_numpy(pullback(ops.ones_like(value))[0])[0]
    unit = ops.convert_to_tensor(np.array([1e-3, 0.0]), dtype="float64")
    expected = (float(end(y0 + unit)) - float(end(y0 - unit))) / 2e-3
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "literature"),
    [("euler", 2.0), ("rk4", 2.785293563405282), ("tsit5", 3.5068), ("dopri5", 3.3066)],
)
def test_the_stability_interval_of_the_literature(name, literature):
    assert real_interval(ode.get(name).tableau) == pytest.approx(literature, abs=1e-4)


def test_it_is_saved_compared_and_checked():
    solver = ode.AutoSwitch(batch_axes=1, patience=5, limit=0.8)
    assert ode.deserialize(json.loads(json.dumps(ode.serialize(solver)))) == solver
    assert ode.serialize("auto") == "auto_switch"
    assert ode.get("auto") == ode.AutoSwitch() != solver
    with pytest.raises(ValueError, match="`patience` must be at least 1"):
        ode.AutoSwitch(patience=0)
