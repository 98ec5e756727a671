"""odeint: values, dtypes, structures, times, failures, gradients, compilation."""

import keras
import numpy as np
import pytest
from keras import ops

from stepkit import ode
from stepkit._backend import can_jit_compile, vjp

RNG = np.random.default_rng()
TS = np.linspace(0.0, 1.0, 6)


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def decay(t, y):
    return -y


# Values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_tensor", [False, True])
def test_euler_on_a_nonuniform_grid_is_the_product_of_its_factors(as_tensor):
    ts = np.cumsum(RNG.uniform(0.05, 0.4, size=8))
    y0 = RNG.normal(size=(3, 2))
    given = ops.convert_to_tensor(y0, dtype="float64") if as_tensor else y0
    solution = ode.odeint(decay, given, ts, solver="euler")
    factors = np.concatenate([[1.0], np.cumprod(1 - np.diff(ts))])
    np.testing.assert_allclose(to_numpy(solution.ys), factors[:, None, None] * y0, rtol=1e-13)
    assert isinstance(solution.ys, np.ndarray) is not as_tensor
    np.testing.assert_array_equal(solution.ts, ts)
    assert solution.result == "success"


@pytest.mark.parametrize("as_tensor", [False, True])
def test_step_size_lands_on_all_times_with_the_fewest_equal_steps(as_tensor):
    ts, step_size = np.array([0.0, 0.1, 0.35, 1.35]), 0.1
    y0 = np.ones(1)
    given = ops.convert_to_tensor(y0, dtype="float64") if as_tensor else y0
    solution = ode.odeint(decay, given, ts, solver="euler", step_size=step_size)
    steps = [1, 3, 10]
    assert solution.stats.num_steps == sum(steps)
    factors = [(1 - d / n) ** n for d, n in zip(np.diff(ts), steps, strict=True)]
    expected = np.concatenate([[1.0], np.cumprod(factors)])
    np.testing.assert_allclose(to_numpy(solution.ys)[:, 0], expected, rtol=1e-13)


def test_decreasing_times_run_the_problem_backwards():
    problem = ode.problems.Logistic()
    ts = np.linspace(3.0, 0.0, 7)
    for y0 in (problem.exact(3.0), ops.convert_to_tensor(problem.exact(3.0), dtype="float64")):
        solution = ode.odeint(problem.f, y0, ts, solver="rk4", step_size=0.02)
        np.testing.assert_allclose(to_numpy(solution.ys), problem.exact(ts), rtol=1e-6)


def test_the_field_gets_the_time_of_each_stage():
    seen = []

    def f(t, y):
        seen.append(t)
        return y

    ode.odeint(f, 1.0, [1.0, 1.5], solver="rk4")
    assert seen == [1.0, 1.25, 1.25, 1.5]


def test_a_callable_step_and_a_tableau_are_solvers():
    def my_heun(f, t, y, h):
        k = f(t, y)
        return y + h / 2 * (k + f(t + h, y + h * k))

    problem = ode.problems.SeasonalGrowth()
    for y0 in (problem.y0, ops.convert_to_tensor(problem.y0, dtype="float64")):
        expected = ode.odeint(problem.f, y0, TS, solver="heun")
        for solver in (my_heun, ode.Heun().tableau, ode.Heun, ode.Heun()):
            received = ode.odeint(problem.f, y0, TS, solver=solver)
            np.testing.assert_allclose(to_numpy(received.ys), to_numpy(expected.ys), rtol=1e-14)
            assert received.stats.num_evaluations == 10


# Structures and dtypes ----------------------------------------------------------------------


@pytest.mark.parametrize("as_tensor", [False, True])
def test_nested_states(as_tensor):
    def f(t, y):
        return {"x": y["pair"][0], "pair": (-y["x"], 0 * y["pair"][1] + 1)}

    y0 = {"x": np.array([0.0]), "pair": (np.array([1.0]), np.zeros((2, 2)))}
    if as_tensor:
        y0 = keras.tree.map_structure(ops.convert_to_tensor, y0)
    solution = ode.odeint(f, y0, TS, solver="rk4", step_size=0.05)
    np.testing.assert_allclose(to_numpy(solution.ys["x"])[:, 0], np.sin(TS), atol=1e-6)
    np.testing.assert_allclose(to_numpy(solution.ys["pair"][0])[:, 0], np.cos(TS), atol=1e-6)
    clock = to_numpy(solution.ys["pair"][1])
    assert clock.shape == (6, 2, 2)
    np.testing.assert_allclose(clock[:, 1, 0], TS, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtype_is_kept_and_the_field_gets_it(dtype):
    seen = set()

    def f(t, y):
        seen.update({keras.backend.standardize_dtype(v.dtype) for v in (t, y)})
        return -y

    ys = ode.odeint(f, ops.ones((2,), dtype=dtype), [0.0, 1.0], solver="heun", step_size=0.1).ys
    assert keras.backend.standardize_dtype(ys.dtype) == dtype
    assert seen == {dtype}


def test_structures_may_mix_dtypes():
    y0 = {"a": ops.ones((2,), "float32"), "b": ops.ones((1,), "float64")}
    ys = ode.odeint(lambda t, y: {k: -v for k, v in y.items()}, y0, TS, solver="rk4").ys
    assert {k: keras.backend.standardize_dtype(v.dtype) for k, v in ys.items()} == {
        "a": "float32",
        "b": "float64",
    }
    exact = (1 - 0.2 + 0.2**2 / 2 - 0.2**3 / 6 + 0.2**4 / 24) ** np.arange(6)
    np.testing.assert_allclose(to_numpy(ys["b"])[:, 0], exact, rtol=1e-12)


def test_half_precision_does_not_stall():
    """1,000 steps of 1/1000 of slope 1 from 1: in bfloat16 sums, the state would stay at 1."""
    y0 = ops.ones((1,), dtype="bfloat16")
    ys = ode.odeint(lambda t, y: 0 * y + 1, y0, [0.0, 1.0], solver="euler", step_size=1e-3).ys
    assert float(to_numpy(ops.cast(ys, "float32"))[-1, 0]) == 2.0


@pytest.mark.parametrize(
    ("y0", "dtype", "shape"),
    [
        (1, np.float64, ()),
        (1.0, np.float64, ()),
        ([1, 2], np.float64, (2,)),
        (np.float32(1), np.float32, ()),
        (np.ones((2, 1), "float32"), np.float32, (2, 1)),
        (1.0 + 0j, np.complex128, ()),
    ],
)
def test_numpy_states_stay_numpy(y0, dtype, shape):
    ys = ode.odeint(lambda t, y: -np.cos(t) * y, y0, TS, solver="rk4").ys
    assert isinstance(ys, np.ndarray)
    assert (ys.dtype, ys.shape) == (dtype, (6, *shape))


def test_numpy_fields_may_stack_and_may_answer_with_lists():
    for f in (
        lambda t, y: np.stack([y[1], -y[0]]),
        lambda t, y: np.array([y[1], -y[0]]),
        lambda t, y: [y[1], -y[0]],
    ):
        ys = ode.odeint(f, [1.0, 0.0], TS, solver="rk4", step_size=0.05).ys
        np.testing.assert_allclose(ys[:, 0], np.cos(TS), atol=1e-6)


def test_a_tensor_field_of_a_python_number_uses_floatx():
    ys = ode.odeint(lambda t, y: ops.negative(y), 1.0, TS, solver="rk4").ys
    assert keras.backend.standardize_dtype(ys.dtype) == "float32"
    layer = keras.layers.Dense(3)
    ys = ode.odeint(lambda t, y: layer(y), np.ones((2, 3), "float32"), TS, solver="heun").ys
    assert tuple(ys.shape) == (6, 2, 3)


def test_the_given_state_is_not_changed():
    def f(t, y):
        y *= 2.0
        return y

    y0 = np.ones(2)
    ode.odeint(f, y0, TS, solver="euler")
    np.testing.assert_array_equal(y0, np.ones(2))


# Statistics and results -----------------------------------------------------------------------


@pytest.mark.parametrize("as_tensor", [False, True])
def test_evaluations_are_counted(as_tensor):
    calls = []

    def f(t, y):
        calls.append(1)
        return -y

    y0 = ops.ones((2,)) if as_tensor else np.ones(2)
    for name, stages in (("euler", 1), ("heun", 2), ("rk4", 4)):
        calls.clear()
        stats = ode.odeint(f, y0, TS, solver=name, step_size=0.1).stats
        assert (stats.num_steps, stats.num_evaluations) == (10, 10 * stages)
        assert as_tensor or len(calls) == 10 * stages


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_overflow_is_a_result_and_neither_a_crash_nor_a_warning(as_tensor):
    y0 = ops.ones((1,)) * 3.0 if as_tensor else np.full(1, 3.0)
    solution = ode.odeint(lambda t, y: y * y, y0, np.linspace(0, 4, 30), solver="rk4")
    assert solution.result == ode.Result.NOT_FINITE == "not finite"
    first = solution.ts[np.flatnonzero(~np.isfinite(to_numpy(solution.ys)[:, 0]))[0]]
    assert f"t = {first:g}" in solution.message
    assert "not finite" in repr(solution)


def test_solutions_are_frozen():
    solution = ode.odeint(decay, 1.0, TS, solver="euler")
    with pytest.raises(AttributeError):
        solution.ys = None
    assert solution.message == "success"


# Gradients and compilation --------------------------------------------------------------------


def test_gradient_in_state_and_parameter_is_the_closed_form():
    """n Euler steps of y' = a y: y = (1 + a h)^n y0."""
    n, a, y0 = 20, RNG.uniform(-1, 1), RNG.normal(size=3)
    h = 1.0 / n

    def end(a, y0):
        return ode.odeint(lambda t, y: a * y, y0, [0.0, 1.0], solver="euler", step_size=h).ys[-1]

    _, pullback = vjp(end, np.array(a), y0)
    u = RNG.normal(size=3)
    da, dy = (to_numpy(g) for g in pullback(ops.convert_to_tensor(u)))
    np.testing.assert_allclose(dy, (1 + a * h) ** n * u, rtol=1e-12)
    np.testing.assert_allclose(da, n * h * (1 + a * h) ** (n - 1) * (y0 @ u), rtol=1e-10)


def compiled(function, jit):
    """The backend's own compiler, on float64 tensors."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=jit)
    if backend == "jax":
        import jax

        return jax.jit(function)
    pytest.skip("torch runs eagerly")


@pytest.mark.parametrize("jit", [False, True])
def test_compiled_solve_equals_the_eager_one(jit):
    problem = ode.problems.VanDerPol()
    ts = np.array([0.0, 0.3, 1.0])
    results = []

    def solve(y0):
        solution = ode.odeint(problem.f, y0, ts, solver="rk4", step_size=0.05)
        results.append(solution.result)
        return solution.ys

    y0 = RNG.normal(size=(5, 2))
    expected = np.stack([ode.odeint(problem.f, y, ts, solver="rk4", step_size=0.05).ys for y in y0])
    received = to_numpy(compiled(solve, jit)(ops.convert_to_tensor(y0, dtype="float64")))
    np.testing.assert_allclose(np.swapaxes(received, 0, 1), expected, rtol=1e-11, atol=1e-12)
    assert results[-1] == "unknown"


def test_the_trace_does_not_grow_with_the_number_of_steps():
    if keras.backend.backend() == "torch":
        pytest.skip("torch runs eagerly")
    counts = []
    for n in (20, 500):
        calls = []

        def f(t, y, calls=calls):
            calls.append(1)
            return -y

        ode.odeint(f, ops.ones((2,)), np.linspace(0, 1, n + 1), solver="rk4")
        counts.append(len(calls))
    assert counts[0] == counts[1] <= 16


class Solve(keras.Layer):
    """y' = a y by odeint inside a layer; the answers at all times."""

    def build(self, input_shape):
        self.a = self.add_weight(shape=(), initializer=keras.initializers.Constant(-0.5))

    def call(self, y):
        ys = ode.odeint(lambda t, y: self.a * y, y, [0.0, 0.5, 1.0], solver="euler").ys
        return ops.transpose(ys, (1, 0, 2))


@pytest.mark.parametrize("jit", [False, True])
def test_training_inside_a_model_moves_the_parameter_by_the_closed_form(jit):
    if jit and not can_jit_compile():
        pytest.skip("torch's compiler takes very long")
    inputs = keras.Input((1,))
    layer = Solve()
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit)
    x = RNG.uniform(0.5, 1, size=(4, 1)).astype("float32")
    model.fit(x, np.zeros((4, 3, 1)), batch_size=4, epochs=1, verbose=0)
    r = 1 - 0.25  # 1 + a h; the loss is mean(x^2) (1 + r^2 + r^4) / 3
    expected = -0.5 - 0.1 * np.mean(x**2) * (2 * r + 4 * r**3) * 0.5 / 3
    assert float(to_numpy(layer.a)) == pytest.approx(expected, rel=1e-5)


# Errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ts", [[0.0], [0.0, 0.0], [0.0, 1.0, 0.5], [[0.0, 1.0]], 1.0, [0.0, np.nan], [0.0, np.inf]]
)
def test_bad_times_are_refused(ts):
    with pytest.raises(ValueError, match=r"`ts` must be .*Received: ts="):
        ode.odeint(decay, 1.0, ts, solver="euler")


@pytest.mark.parametrize("step_size", [0.0, -0.1, np.nan, np.inf, "0.1", True])
def test_bad_step_sizes_are_refused(step_size):
    with pytest.raises(ValueError, match="`step_size` must be a positive number"):
        ode.odeint(decay, 1.0, TS, solver="euler", step_size=step_size)


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda t, y: y[:1], r"shape of the state. Expected: \(2,\). Received: \(1,\)"),
        (lambda t, y: None, "a `return` missing"),
        (lambda t, y: {"a": y}, r"structure of the state. Expected: \(2,\)"),
    ],
)
def test_answers_that_do_not_fit_are_refused(f, message, as_tensor):
    y0 = ops.ones((2,)) if as_tensor else np.ones(2)
    with pytest.raises(ValueError, match=message):
        ode.odeint(f, y0, TS, solver="rk4")


def test_structures_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="structure of the state"):
        ode.odeint(lambda t, y: y["a"], {"a": np.ones(2)}, TS, solver="rk4")


def test_a_step_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="The solver's step must answer with the shape"):
        ode.odeint(decay, np.ones(2), TS, solver=lambda f, t, y, h: y[:1])


def test_complex_slopes_of_real_states_are_refused():
    with pytest.raises(ValueError, match="complex"):
        ode.odeint(lambda t, y: 1j * y, 1.0, TS, solver="rk4")


def test_errors_of_the_users_own_field_come_through():
    def broken(t, y):
        raise ZeroDivisionError("mine")

    for y0 in (1.0, ops.ones((2,))):
        with pytest.raises(ZeroDivisionError, match="mine"):
            ode.odeint(broken, y0, TS, solver="rk4")


def test_f_must_be_callable():
    with pytest.raises(TypeError, match="`f` must be a callable"):
        ode.odeint(np.ones(2), 1.0, TS, solver="rk4")


class NumpyField(keras.Layer):
    def call(self, y):
        return ode.odeint(lambda t, y: np.sin(y), y, [0.0, 1.0], solver="euler").ys[-1]


def test_numpy_in_a_compiled_model_is_told_what_to_write():
    if keras.backend.backend() == "torch":
        pytest.skip("torch computes NumPy's functions on its tensors")
    with pytest.raises(TypeError, match=r"`np\.sin`.*Expected: `keras\.ops\.sin`"):
        keras.Sequential([keras.Input((2,)), NumpyField()])
