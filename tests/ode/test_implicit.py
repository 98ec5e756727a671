"""Implicit methods: orders, stability, stiff problems, gradients at the root, saving."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from stepkit import ode
from stepkit._backend import can_jit_compile, has_float64, vjp
from stepkit.ode import problems

RNG = np.random.default_rng()
ORDERS = {"implicit_euler": 1, "trapezoid": 2, "kvaerno5": 5}
needs_float64 = pytest.mark.skipif(not has_float64(), reason="needs float64")


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def tensor(x):
    return ops.convert_to_tensor(np.asarray(x, "float64"), dtype="float64")


ROBERTSON = problems.Robertson()
VAN_DER_POL = problems.VanDerPol(mu=1000.0)


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_order_is_the_slope_of_the_error(name, order):
    problem = problems.SeasonalGrowth()
    assert ode.get(name).order == order
    errors = []
    counts = (16, 32, 64)
    for n in counts:
        ts = np.linspace(*problem.t_span, 3)
        h = (ts[1] - ts[0]) / (n // 2)
        ys = ode.odeint(problem.f, problem.y0, ts, solver=name, step_size=h).ys
        errors.append(np.max(np.abs(ys - problem.exact(ts))))
    slope = np.polyfit(-np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("name", ORDERS)
def test_a_step_of_the_test_equation_is_the_rational_function(name):
    """R(z) = 1 + z b^T (1 - z A)^-1 1, from the tableau by dense linear algebra."""
    tableau = ode.get(name).tableau
    a, b, ones = np.array(tableau.a), np.array(tableau.b), np.ones(tableau.stages)
    z = -float(RNG.uniform(0.5, 200))
    expected = 1 + z * b @ np.linalg.solve(np.eye(len(b)) - z * a, ones)
    found = ode.get(name).step(lambda t, y: z * y, 0.0, 1.0, 1.0)
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-10)


def test_kvaerno5_damps_what_is_infinitely_fast():
    tableau = ode.Kvaerno5().tableau
    assert abs(ode.Kvaerno5().step(lambda t, y: -1e9 * y, 0.0, 1.0, 1.0)) < 1e-6
    assert tableau.fsal and not tableau.explicit


@needs_float64
@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_robertson_to_the_end_of_time(kind):
    """Reference values at t = 40 and 1e11 by SciPy's Radau at rtol 1e-10 (below)."""
    y0 = np.array([1.0, 0.0, 0.0])
    y0 = y0 if kind == "numpy" else tensor(y0)
    solved = ode.odeint(
        ROBERTSON.f, y0, [0, 40, 1e11], solver="kvaerno5", rtol=1e-6, atol=1e-10,
        max_steps=512, differentiable=False,
    )  # fmt: skip
    from scipy import integrate

    theirs = integrate.solve_ivp(
        ROBERTSON.f, (0, 40), [1.0, 0, 0], method="Radau", rtol=1e-10, atol=1e-13
    )
    ys = to_numpy(solved.ys)
    np.testing.assert_allclose(ys[1], theirs.y[:, -1], rtol=1e-4)
    np.testing.assert_allclose(ys[2], [2.0833e-8, 8.3333e-14, 1.0], rtol=5e-3)
    np.testing.assert_allclose(ys.sum(axis=1), 1.0, atol=1e-9)
    assert solved.stats.num_steps < 200


@pytest.mark.parametrize("name", ["kvaerno5", "auto"])
def test_single_precision_stays(name):
    """The field multiplies entries by Python numbers, which must not become float64."""
    mu, y0 = 1.5, ops.convert_to_tensor(np.array([2.0, 0.0], "float32"))
    solved = ode.odeint(
        lambda t, y: ops.stack([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]]),
        y0,
        [0.0, 1.0],
        solver=name,
    )
    wanted = ode.odeint(
        problems.VanDerPol(mu=mu).f, np.array([2.0, 0.0]), [0, 1], rtol=1e-9, atol=1e-9
    )
    assert to_numpy(solved.ys).dtype == "float32"
    np.testing.assert_allclose(to_numpy(solved.ys)[-1], wanted.ys[-1], atol=5e-3)


def test_van_der_pol_where_explicit_steps_are_hopeless():
    from scipy import integrate

    y0 = np.array([2.0, 0.0])
    solved = ode.odeint(VAN_DER_POL.f, y0, [0, 1500], solver="kvaerno5", rtol=1e-6, atol=1e-8)
    theirs = integrate.solve_ivp(
        VAN_DER_POL.f, (0, 1500), y0, method="Radau", rtol=1e-9, atol=1e-11
    )
    np.testing.assert_allclose(solved.ys[-1], theirs.y[:, -1], rtol=1e-3)
    explicit = ode.odeint(VAN_DER_POL.f, y0, [0, 1500], solver="dopri5", throw=False)
    assert explicit.result == "max steps reached"


@pytest.mark.slow
@needs_float64
def test_gradients_of_a_stiff_solve_agree_with_finite_differences():
    rate = tensor(30.0)

    def end(rate):
        def f(t, y):
            return -rate * (y - t * t) - y * y * y

        solver = ode.Kvaerno5()
        options = {"rtol": 1e-8, "atol": 1e-10, "max_steps": 128}
        return ode.odeint(f, tensor([1.0, 0.3]), [0.0, 1.0], solver=solver, **options).ys[-1, 0]

    value, pullback = vjp(end, rate)
    found = float(to_numpy(pullback(ops.ones_like(value))[0]))
    expected = (float(end(rate + 1e-3)) - float(end(rate - 1e-3))) / 2e-3
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
@needs_float64
def test_gradients_survive_attempts_that_failed():
    """Newton fails in the first attempts on Robertson's problem; its garbage must not come back."""
    ts, options = [0.0, 0.1], {"solver": "kvaerno5", "rtol": 1e-8, "atol": 1e-12, "first_step": 0.1}

    def end(y0):
        return ode.odeint(ROBERTSON.f, y0, ts, max_steps=64, **options).ys[-1]

    y0 = np.array([1.0, 0.0, 0.0])
    _, pullback = vjp(end, tensor(y0))
    assert ode.odeint(ROBERTSON.f, y0, ts, **options).stats.num_rejected > 2
    found = to_numpy(pullback(tensor([0.0, 1.0, 0.0]))[0])
    expected = [
        (to_numpy(end(tensor(y0 + d))) - to_numpy(end(tensor(y0 - d))))[1] / 2e-5
        for d in 1e-5 * np.eye(3)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@needs_float64
def test_a_gradient_comes_from_the_root_and_not_from_the_iterations():
    """One step of implicit Euler on y' = -y^3: dz/dy = 1 / (1 + 3 h z^2)."""
    h, y0 = 0.8, float(RNG.uniform(0.5, 1.5))

    def step(y):
        return ode.ImplicitEuler().step(lambda t, z: -z * z * z, 0.0, y, h)

    value, pullback = vjp(step, tensor([y0]))
    z = float(to_numpy(value)[0])
    assert z + h * z**3 == pytest.approx(y0, abs=1e-9)
    found = float(to_numpy(pullback(ops.ones_like(value))[0])[0])
    assert found == pytest.approx(1 / (1 + 3 * h * z * z), rel=1e-8)


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_samples_of_a_batch_have_jacobians_of_their_own(kind):
    """batch_axes=1 gives what one system of all samples gives."""
    matrices = RNG.normal(size=(3, 2, 2)) - 3 * np.eye(2)
    y0 = RNG.normal(size=(3, 2))
    dtype = "float64" if has_float64() else "float32"

    def f(t, y):
        if kind == "numpy":
            return np.einsum("nij,nj->ni", matrices, y)
        return (ops.convert_to_tensor(matrices, dtype=dtype) @ y[..., None])[..., 0]

    start = y0 if kind == "numpy" else ops.convert_to_tensor(y0, dtype=dtype)
    both = [
        to_numpy(ode.ImplicitEuler(batch_axes=axes).step(f, 0.0, start, 0.5)) for axes in (0, 1)
    ]
    expected = np.linalg.solve(np.eye(2) - 0.5 * matrices, y0[..., None])[..., 0]
    tolerance = 1e-9 if dtype == "float64" or kind == "numpy" else 1e-4
    for found in both:
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_a_step_without_a_root_is_not_a_number():
    """z = 1 + 10 (z^2 + 1) has no real root."""
    assert np.isnan(ode.ImplicitEuler().step(lambda t, y: y * y + 1.0, 0.0, 1.0, 10.0))


@pytest.mark.parametrize("name", ORDERS)
def test_solvers_are_saved_and_compared(name):
    solver = type(ode.get(name))(batch_axes=1, newton=ode.Newton(max_iterations=7))
    text = json.dumps(ode.serialize(solver))
    assert ode.deserialize(json.loads(text)) == solver
    assert ode.serialize(ode.get(name)) == name
    assert solver != ode.get(name)


def test_wrong_tableaux_and_options_are_named():
    gauss = ode.ButcherTableau([[0.25, -0.1], [0.6, 0.25]], [0.5, 0.5], [0.15, 0.85])
    with pytest.raises(ValueError, match="diagonally implicit"):
        ode.ImplicitRungeKutta(gauss)
    with pytest.raises(ValueError, match="`batch_axes` must be an integer >= 0"):
        ode.Kvaerno5(batch_axes=-1)
    with pytest.raises(ValueError, match="max_iterations >= 1"):
        ode.Newton(max_iterations=0)


# In a model ------------------------------------------------------------------------------------


class Relax(keras.layers.Layer):
    """y' = a y from 0 to 1; the state at the end."""

    def __init__(self, solver, **options):
        super().__init__()
        self.solver, self.options = solver, options

    def build(self, input_shape):
        self.a = self.add_weight(shape=(), initializer=keras.initializers.Constant(-2.0))

    def call(self, y):
        field = lambda t, y: self.a * y  # noqa: E731
        return ode.odeint(field, y, [0.0, 1.0], solver=self.solver, **self.options).ys[-1]


ADAPTIVE = {"rtol": 1e-4, "atol": 1e-6, "max_steps": 64}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("solver", "options", "factor", "slope", "rel", "jit"),
    [
        # Each step of 1/4 divides by 1 - a/4, here 1.5; the slope is the derivative in a.
        (ode.ImplicitEuler(1), {"step_size": 0.25}, 1.5**-4, 1.5**-5, 1e-4, False),
        (ode.ImplicitEuler(1), {"step_size": 0.25}, 1.5**-4, 1.5**-5, 1e-4, True),
        # The gradient of the step is that of the method: five times the tolerance is generous.
        (ode.Kvaerno5(1), ADAPTIVE, np.exp(-2), np.exp(-2), 5e-4, False),
        (ode.AutoSwitch(1), ADAPTIVE, np.exp(-2), np.exp(-2), 5e-4, True),
    ],
    ids=["implicit_euler", "implicit_euler-jit", "kvaerno5", "auto-jit"],
)
def test_a_model_that_leaves_its_batch_open_runs_and_trains(
    solver, options, factor, slope, rel, jit
):
    if jit and not can_jit_compile():
        pytest.skip("torch's compiler takes very long")
    layer = Relax(solver, **options)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit)
    x = RNG.uniform(0.5, 1.0, size=(5, 3)).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0, batch_size=2), factor * x, rtol=rel)
    model.fit(x, 0 * x, batch_size=5, verbose=0)
    expected = -2.0 - 0.1 * np.mean(x**2) * 2 * factor * slope
    assert float(layer.a) == pytest.approx(expected, rel=rel)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow traces with open shapes"
)
def test_a_batch_that_is_open_and_one_system_is_refused_in_words_that_help():
    with pytest.raises(ValueError, match=r"batch_axes=1.*Received: shapes \[\(None, 3\)\]"):
        keras.Sequential([keras.Input((3,)), Relax("kvaerno5", **ADAPTIVE)])
