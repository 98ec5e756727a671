"""Orders by measured slopes in float64 tensors, and single steps against the exponential series."""

import json
from math import factorial

import keras
import numpy as np
import pytest
from keras import ops

from stepkit import ode
from stepkit.ode import problems

RNG = np.random.default_rng()
ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "ralston": 2, "rk4": 4}


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def slope(errors):
    """Error ratios over halved steps, as a slope."""
    h = 0.5 ** np.arange(len(errors))
    return np.polyfit(np.log(h), np.log(errors), 1)[0]


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
@pytest.mark.parametrize(
    "problem",
    [
        problems.SeasonalGrowth(),
        problems.LinearSystem([[-0.5, RNG.uniform(1, 2)], [-1.0, -0.7]]),
    ],
    ids=lambda p: type(p).__name__,
)
def test_order_is_the_slope_of_the_error_in_tensors(name, order, problem):
    assert ode.get(name).order == order
    y0 = ops.convert_to_tensor(problem.y0, dtype="float64")
    errors = []
    for n in (16, 32, 64):
        ts = np.linspace(*problem.t_span, 5)
        h = (ts[1] - ts[0]) / (n // 4)
        ys = ode.odeint(problem.f, y0, ts, solver=name, step_size=h).ys
        assert keras.backend.standardize_dtype(ys.dtype) == "float64"
        errors.append(np.max(np.abs(to_numpy(ys) - problem.exact(ts))))
    assert slope(errors) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_a_step_of_the_test_equation_is_the_exponential_series(name, order):
    """s = p stages: R(z) = 1 + z + ... + z^p / p!, for complex z too."""
    z = complex(RNG.normal(), RNG.normal())
    y = ode.get(name).step(lambda t, y: z * y, 0.0, 1.0 + 0.0j, 1.0)
    assert y == pytest.approx(sum(z**k / factorial(k) for k in range(order + 1)))


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (1.5, np.float64),
        (2, np.float64),
        (np.float32(1.5), np.float32),
        (RNG.normal(size=(2, 3)), np.float64),
        (RNG.normal(size=3).astype("float32"), np.float32),
        ([1.0, 2.0], np.float64),
    ],
)
def test_numpy_in_numpy_out(name, y, kind):
    given = np.array(y)
    out = ode.get(name).step(lambda t, y: -y * np.cos(t), np.float64(0.3), y, np.float64(0.1))
    assert isinstance(out, (np.ndarray, np.generic))
    assert out.dtype == kind
    assert np.shape(out) == np.shape(given)
    np.testing.assert_array_equal(y, given)


def test_a_step_on_tensors_agrees_with_numpy():
    y = RNG.normal(size=(4, 2)).astype("float32")
    for name in ORDERS:
        expected = ode.get(name).step(lambda t, y: t - y * y, 0.5, y, 0.25)
        received = ode.get(name).step(lambda t, y: t - y * y, 0.5, ops.convert_to_tensor(y), 0.25)
        assert not isinstance(received, np.ndarray)
        np.testing.assert_allclose(to_numpy(received), expected, rtol=1e-6, atol=1e-6)


def test_a_tensor_field_of_a_numpy_state_gives_tensors():
    out = ode.Heun().step(lambda t, y: ops.negative(y), 0.0, np.ones(2, "float32"), 0.5)
    np.testing.assert_allclose(to_numpy(out), [0.625, 0.625])


def test_solvers_are_values():
    assert ode.RK4() == ode.RK4()
    assert len({ode.RK4(), ode.RK4(), ode.Euler()}) == 2
    assert ode.RK4() != ode.Euler()
    assert ode.Heun().tableau == ode.ExplicitRungeKutta(ode.Heun().tableau).tableau
    with pytest.raises(AttributeError):
        ode.RK4().tableau = ode.Euler().tableau


def test_only_explicit_tableaux_make_explicit_solvers():
    with pytest.raises(ValueError, match="explicit"):
        ode.ExplicitRungeKutta(ode.ButcherTableau(a=[[1]], b=[1], c=[1]))
    with pytest.raises(TypeError, match="ButcherTableau"):
        ode.ExplicitRungeKutta("rk4")


@keras.saving.register_keras_serializable(package="tests")
def my_step(f, t, y, h):
    return y + h * f(t, y)


KUTTA3 = ode.ButcherTableau(
    a=[[0, 0, 0], [0.5, 0, 0], [-1, 2, 0]], b=[1 / 6, 2 / 3, 1 / 6], c=[0, 0.5, 1]
)


@pytest.mark.parametrize(
    "solver", [*ORDERS, KUTTA3, my_step, ode.RK4, ode.RK4(), ode.ExplicitRungeKutta(KUTTA3)]
)
def test_get_serialize_deserialize(solver):
    made = ode.get(solver)
    assert ode.get(made) is made
    text = json.dumps(ode.serialize(solver))
    assert ode.deserialize(json.loads(text)) == made
    assert ode.get(json.loads(text)) == made


def test_get_says_what_it_takes():
    with pytest.raises(ValueError, match=r"Unknown solver.*'euler'.*Received: 'rk5'"):
        ode.get("rk5")
    with pytest.raises(TypeError, match="Received: solver=3"):
        ode.get(3)
    assert ode.get("RK4") == ode.get("runge_kutta4") == ode.RK4()
