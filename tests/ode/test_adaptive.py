"""Adaptive solves against SciPy, exact solutions and finite differences; and how they fail."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import integrate

from stepkit import ode
from stepkit._backend import compiled, has_float64, vjp
from stepkit.ode import problems

RNG = np.random.default_rng()
PAIRS = {"bosh3": (3, 2), "dopri5": (5, 4), "tsit5": (5, 4)}
SCIPY = {"bosh3": "RK23", "dopri5": "RK45"}
needs_float64 = pytest.mark.skipif(not has_float64(), reason="needs float64")


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def tensor(x):
    return ops.convert_to_tensor(np.asarray(x, "float64"), dtype="float64")


def curved(t, y):
    return -y * y + t / (1 + t * t)


def precise(ts, y0):
    found = integrate.solve_ivp(
        curved, (ts[0], ts[-1]), y0, t_eval=ts, method="DOP853", rtol=1e-12, atol=1e-13
    )
    return found.y.T


@pytest.mark.parametrize(("name", "orders"), PAIRS.items())
def test_the_pairs_have_their_orders_and_end_with_the_next_slope(name, orders):
    tableau = ode.get(name).tableau
    assert (tableau.order, tableau.embedded_order) == orders
    assert tableau.fsal and tableau.explicit


@pytest.mark.parametrize("name", SCIPY)
def test_numpy_takes_the_steps_that_scipy_takes(name):
    """The same method, controller and first step: the same evaluations, but for the last digits."""
    ts = np.linspace(0, RNG.uniform(4, 6), 7)
    y0 = RNG.uniform(0.5, 2, 3)
    theirs = integrate.solve_ivp(
        curved, (0, ts[-1]), y0, t_eval=ts, method=SCIPY[name], rtol=1e-6, atol=1e-8
    )
    ours = ode.odeint(curved, y0, ts, solver=name, rtol=1e-6, atol=1e-8)
    assert ours.stats.num_evaluations == theirs.nfev
    np.testing.assert_allclose(ours.ys, theirs.y.T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours.ys, precise(ts, y0), rtol=1e-4, atol=1e-4)


@needs_float64
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("back", [False, True], ids=["forward", "back"])
def test_tensors_give_what_numpy_gives(name, back):
    ts = np.cumsum(RNG.uniform(0.1, 0.5, 6))
    ts = ts[::-1] if back else ts
    y0 = RNG.uniform(0.1, 0.4, (2, 3))
    options = {"solver": name, "rtol": 1e-7, "atol": 1e-9}
    plain = ode.odeint(curved, y0, ts, **options)
    for differentiable in (True, False):
        solved = ode.odeint(curved, tensor(y0), ts, differentiable=differentiable, **options)
        assert keras.backend.standardize_dtype(solved.ys.dtype) == "float64"
        np.testing.assert_allclose(to_numpy(solved.ys), plain.ys, rtol=1e-6, atol=1e-9)
        assert solved.stats.num_steps == plain.stats.num_steps
        assert solved.stats.num_rejected == plain.stats.num_rejected
        assert solved.result == "success"


@pytest.mark.parametrize("name", [*PAIRS, "kvaerno5"])
@pytest.mark.parametrize(
    "problem",
    [
        problems.SeasonalGrowth(),
        problems.LinearSystem([[-0.5, RNG.uniform(1, 2)], [-1.0, -0.7]]),
        problems.Logistic(),
    ],
    ids=lambda p: type(p).__name__,
)
def test_the_error_follows_the_tolerance(name, problem):
    ts = np.linspace(*problem.t_span, 2)  # at the end: between steps the dense output has its say
    errors = []
    for power in (4, 6, 8):
        solved = ode.odeint(
            problem.f, problem.y0, ts, solver=name, rtol=10.0**-power, atol=10.0**-power
        )
        errors.append(np.max(np.abs(solved.ys - problem.exact(ts))))
    assert errors[0] < 1e-2 and errors[2] < 1e-6
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("name", PAIRS)
def test_the_dense_output_is_as_good_as_the_steps(name):
    """Orders 3, 4 and 4 between steps: with few steps and many times, the error stays small."""
    ts = np.linspace(0, 5, 300)
    y0 = RNG.uniform(0.5, 2, 2)
    solved = ode.odeint(curved, y0, ts, solver=name, rtol=1e-6, atol=1e-8)
    assert solved.stats.num_steps < 200
    assert np.max(np.abs(solved.ys - precise(ts, y0))) < 1e-4


@pytest.mark.parametrize("solver", ["dopri5", "tsit5"])
def test_dense_output_joins_with_its_slope(solver):
    """The interpolant's slope at both ends of a step is the field's."""
    tableau = ode.get(solver).tableau
    powers = np.array(tableau.interpolant)
    start = np.eye(tableau.stages)[0]
    np.testing.assert_allclose(powers[:, 0], start, atol=1e-12)
    degrees = np.arange(1, powers.shape[1] + 1)
    np.testing.assert_allclose(powers @ degrees, np.eye(tableau.stages)[-1], atol=1e-10)


@pytest.mark.slow
@needs_float64
@pytest.mark.parametrize("ts", [[0.0, 1.5], [0.0, 0.7, 1.5]], ids=["end", "times"])
def test_gradients_agree_with_finite_differences(ts):
    y0, weights = tensor(RNG.uniform(0.5, 1.5, 2)), tensor(RNG.normal(size=2))
    options = {"solver": "dopri5", "rtol": 1e-8, "atol": 1e-10, "max_steps": 256}

    def end(y):
        return ops.sum(ode.odeint(curved, y, ts, **options).ys[-1] * weights)

    value, pullback = vjp(end, y0)
    gradient = to_numpy(pullback(ops.ones_like(value))[0])
    for i, unit in enumerate(np.eye(2)):
        ahead, behind = (float(end(y0 + sign * tensor(1e-4 * unit))) for sign in (1, -1))
        assert gradient[i] == pytest.approx((ahead - behind) / 2e-4, rel=1e-4, abs=1e-7)


def test_a_solve_inside_a_compiled_function():
    y0 = ops.convert_to_tensor(np.array([0.5, 1.0], "float32"))
    solve = compiled(lambda y: ode.odeint(curved, y, [0.0, 1.0, 2.0], solver="tsit5").ys)
    expected = precise(np.array([0.0, 1.0, 2.0]), [0.5, 1.0])
    np.testing.assert_allclose(to_numpy(solve(y0)), expected, atol=2e-3)


def test_nested_and_half_precision_states():
    y0 = {"a": np.array([1.0]), "b": (np.array([[0.5, 2.0]]),)}

    def f(t, y):
        return {"a": -y["a"], "b": (y["a"][:, None] - y["b"][0],)}

    solved = ode.odeint(f, y0, [0.0, 1.0], solver="dopri5", rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(solved.ys["a"][-1], np.exp(-1), rtol=1e-7)
    expected = np.exp(-1) * (np.array([[0.5, 2.0]]) + 1.0)  # y' = e^-t - y
    np.testing.assert_allclose(solved.ys["b"][0][-1], expected, rtol=1e-6)
    half = ops.convert_to_tensor(np.array([1.0]), dtype="float16")
    last = ode.odeint(lambda t, y: -y, half, [0.0, 1.0], solver="tsit5").ys[-1]
    assert keras.backend.standardize_dtype(last.dtype) == "float16"
    assert float(last[0]) == pytest.approx(np.exp(-1), abs=2e-3)


def test_a_tolerance_for_each_entry():
    """The second entry may be wrong by 1: it does not shorten the steps."""
    rates = np.array([-1.0, -30.0])
    tight = ode.odeint(lambda t, y: rates * y, np.ones(2), [0, 1], atol=1e-9, rtol=0)
    loose = ode.odeint(
        lambda t, y: rates * y, np.ones(2), [0, 1], atol=np.array([1e-9, 1.0]), rtol=0
    )
    assert loose.stats.num_steps < tight.stats.num_steps / 2
    assert loose.ys[-1, 0] == pytest.approx(np.exp(-1), abs=1e-6)


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
@pytest.mark.parametrize(
    ("field", "options", "result"),
    [
        (lambda t, y: -1000.0 * (y - t), {"max_steps": 20}, "max steps reached"),
        (lambda t, y: (y - 2.0 * abs(y)) ** 0.5, {}, "not finite"),
        (lambda t, y: y * y, {}, "step too small"),
    ],
    ids=["steps", "nan", "pole"],
)
def test_a_failed_solve_says_where_and_why(kind, field, options, result):
    y0 = np.array([1.0]) if kind == "numpy" else ops.convert_to_tensor(np.array([1.0], "float32"))
    with pytest.raises(ode.SolveError, match=f"{result}: the solve stopped at t = ") as caught:
        ode.odeint(field, y0, [0.0, 0.5, 3.0], solver="dopri5", **options)
    solved = ode.odeint(field, y0, [0.0, 0.5, 3.0], solver="dopri5", throw=False, **options)
    assert solved.result == result == caught.value.solution.result
    assert np.isnan(to_numpy(solved.ys)[-1]).all()
    assert 0.0 <= solved.ending.t < 3.0 and solved.ending.h < 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rtol": -1.0}, "`rtol` must be at least 0"),
        ({"atol": np.nan}, "`atol` must be at least 0"),
        ({"rtol": 0.0, "atol": 0.0}, "must not both be 0"),
        ({"max_steps": 0}, "`max_steps` must be an integer >= 1"),
        ({"first_step": -0.1}, "`first_step` must be positive"),
    ],
)
def test_wrong_demands_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        ode.odeint(curved, 1.0, [0, 1], solver="dopri5", **options)


def test_a_given_first_step_and_a_fixed_step():
    first = ode.odeint(curved, 1.0, [0, 1], solver="dopri5", first_step=1e-6)
    chosen = ode.odeint(curved, 1.0, [0, 1], solver="dopri5")
    assert first.stats.num_steps > chosen.stats.num_steps
    fixed = ode.odeint(curved, 1.0, [0, 1], solver="dopri5", step_size=0.1)
    assert (fixed.stats.num_steps, fixed.stats.num_rejected) == (10, 0)


@pytest.mark.slow
def test_each_sample_of_a_map_has_its_own_steps():
    """The recipe of docs/solvers.md: as good as each sample alone, and cheap for the easy ones."""
    rates = RNG.uniform(0.5, 2.0, size=3) * [1.0, 30.0, 300.0]

    def solve(rate):
        y0 = ops.zeros_like(rate)
        return ode.odeint(lambda t, y: -rate * (y - ops.cos(t)), y0, [0.0, 0.5, 1.0], rtol=1e-4).ys

    each = to_numpy(ops.map(solve, ops.convert_to_tensor(rates.astype("float32"))))
    t = np.array([0.0, 0.5, 1.0])[None]
    k = rates[:, None]  # y' = -k (y - cos t) from 0, in closed form
    exact = (k**2 * np.cos(t) + k * np.sin(t) - k**2 * np.exp(-k * t)) / (1 + k**2)
    np.testing.assert_allclose(each, exact, atol=2e-3)
    alone = [to_numpy(solve(ops.convert_to_tensor(np.float32(rate)))) for rate in rates]
    np.testing.assert_allclose(each, alone, atol=1e-4)


def test_a_batch_shares_the_steps_of_its_hardest_sample():
    rates = np.array([1.0, 300.0])

    def steps(rates):
        f, y0 = (lambda t, y: -rates * (y - np.cos(t))), np.zeros(len(rates))
        return ode.odeint(f, y0, [0.0, 1.0]).stats.num_steps

    easy, hard, both = steps(rates[:1]), steps(rates[1:]), steps(rates)
    assert easy < hard / 5
    assert abs(both - hard) < hard / 2
