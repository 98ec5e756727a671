"""ODEBlock: values, solver swap, time, state, precision, errors."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit import ode
from stepkit._backend import can_jit_compile
from stepkit.layers import ODEBlock
from stepkit.stability import stability_function
from stepkit.testing import check_layer

RNG = np.random.default_rng()


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(ops.cast(x, "float32")))


def linear(matrix):
    layer = layers.Dense(len(matrix), use_bias=False)
    layer.build((None, len(matrix)))
    layer.kernel.assign(matrix.T)
    return layer


class Clocked(layers.Layer):
    """y' = (1 - t^2) w y, without a `build` of its own for the child."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = layers.Dense(1, use_bias=False, kernel_initializer="ones")

    def call(self, t, y):
        return (1.0 - t * t) * self.scale(y)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"field": layers.Dense(5, activation="tanh"), "num_steps": 2, "t_span": (1.0, 0.0)},
        {
            "field": keras.Sequential([layers.Dense(5), layers.BatchNormalization()]),
            "solver": "heun",
            "num_steps": 2,
        },
    ],
    ids=["dense", "stateful"],
)
def test_conformance(kwargs):
    check_layer(ODEBlock, kwargs, (3, 5), jit_modes=("auto",))


def test_it_is_the_solution_of_the_linear_system():
    matrix, x = RNG.normal(size=(3, 3)).astype("float32"), RNG.normal(size=(4, 3)).astype("float32")
    block = ODEBlock(linear(matrix), solver="rk4", num_steps=50, t_span=(0.5, 1.5))
    received = to_numpy(block(x))
    for sample, y in zip(x, received, strict=True):
        exact = ode.problems.LinearSystem(matrix, sample).exact(1.0)
        np.testing.assert_allclose(y, exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("jit", [False, True])
def test_a_field_with_t_gets_the_time_also_when_compiled(jit):
    if jit and not can_jit_compile():
        pytest.skip("torch's compiler takes very long")
    x = RNG.normal(size=(6, 1)).astype("float32")
    block = ODEBlock(Clocked(), num_steps=20, t_span=(0.0, 2.0))
    assert block.time_dependent
    model = keras.Sequential([keras.Input((1,)), block])
    model.compile(jit_compile=jit)
    factor = ode.problems.SeasonalGrowth().exact(2.0)
    np.testing.assert_allclose(model.predict(x, verbose=0), factor * x, rtol=1e-4)


@pytest.mark.parametrize("solver", ["implicit_euler", "trapezoid", ode.Kvaerno5()])
def test_an_implicit_solver_solves_sample_by_sample_and_is_saved_as_given(solver):
    matrix, x = RNG.normal(size=(3, 3)).astype("float32"), RNG.normal(size=(4, 3)).astype("float32")
    matrix -= 20 * np.eye(3, dtype="float32")
    block = ODEBlock(linear(matrix), solver=solver, num_steps=2)
    model = keras.Sequential([keras.Input((3,)), block])
    received = model.predict(x, verbose=0, batch_size=3)
    function = stability_function(ode.get(solver))
    values, vectors = np.linalg.eig(matrix.astype("float64"))
    step = (vectors * function(0.5 * values)) @ np.linalg.inv(vectors)
    np.testing.assert_allclose(received, x @ np.real(step @ step).T, rtol=1e-3, atol=1e-5)
    again = ODEBlock.from_config(block.get_config())
    assert ode.get(again.solver) == ode.get(solver)


def test_solver_swap_shares_the_weights():
    matrix, x = RNG.normal(size=(3, 3)).astype("float32"), RNG.normal(size=(2, 3)).astype("float32")
    coarse = ODEBlock(linear(matrix), solver="euler", num_steps=3)
    fine = coarse.with_solver("rk4", num_steps=40)
    assert fine.field is coarse.field
    assert (fine.t_span, coarse.num_steps) == ((0.0, 1.0), 3)
    step = np.linalg.matrix_power(np.eye(3) + matrix / 3, 3)
    np.testing.assert_allclose(to_numpy(coarse(x)), x @ step.T, rtol=1e-4, atol=1e-4)
    exact = [ode.problems.LinearSystem(matrix, sample).exact(1.0) for sample in x]
    np.testing.assert_allclose(to_numpy(fine(x)), exact, rtol=1e-4, atol=1e-4)


def test_solver_swap_in_a_trained_model():
    inputs = keras.Input((3,))
    block = ODEBlock(layers.Dense(3, activation="tanh"), solver="euler", num_steps=2)
    model = keras.Model(inputs, layers.Dense(1)(block(inputs)))

    def swap(layer):
        return layer.with_solver("rk4", 8) if isinstance(layer, ODEBlock) else layer

    swapped = keras.models.clone_model(model, clone_function=swap)
    x = RNG.normal(size=(4, 3)).astype("float32")
    assert not np.allclose(model.predict(x, verbose=0), swapped.predict(x, verbose=0), atol=1e-6)
    finer = block.with_solver("rk4", 8)
    expected = model.layers[-1](finer(x))
    np.testing.assert_allclose(swapped.predict(x, verbose=0), to_numpy(expected), rtol=1e-5)


def test_a_callable_step_is_a_solver():
    def my_euler(f, t, y, h):
        return y + h * f(t, y)

    field, x = linear(RNG.normal(size=(2, 2)).astype("float32")), np.ones((1, 2), "float32")
    expected, received = (to_numpy(ODEBlock(field, s, 5)(x)) for s in ("euler", my_euler))
    np.testing.assert_allclose(received, expected, rtol=1e-6)


def test_trajectory_ends_where_the_block_ends():
    start = RNG.normal(size=(4, 3)).astype("float32")
    field = keras.Sequential([layers.Dense(3, activation="tanh"), layers.BatchNormalization()])
    autonomous, clocked = ODEBlock(field, "heun", 7, (0.0, 2.0)), ODEBlock(Clocked(), num_steps=7)
    for block, x in ((autonomous, start), (clocked, start[:, :1])):
        solution = block.trajectory(x)
        assert isinstance(solution, ode.Solution)
        assert tuple(solution.ys.shape) == (8, *x.shape)
        np.testing.assert_allclose(solution.ts, np.linspace(*block.t_span, 8))
        np.testing.assert_array_equal(to_numpy(solution.ys[0]), x)
        np.testing.assert_allclose(to_numpy(solution.ys[-1]), to_numpy(block(x)), rtol=1e-5)
        assert solution.result == "success"


def test_one_gradient_step_equals_that_of_the_unrolled_network():
    """Same field, Euler's steps written out by hand in a functional model."""
    x = RNG.normal(size=(8, 3)).astype("float32")
    fields = [layers.Dense(3, activation="tanh") for _ in range(2)]
    inputs = keras.Input((3,))
    y = inputs
    for _ in range(4):
        y = layers.Add()([y, layers.Rescaling(0.25)(fields[0](y))])
    block = ODEBlock(fields[1], "euler", 4)
    models = [keras.Model(inputs, y), keras.Model(inputs, block(inputs))]
    fields[1].set_weights(fields[0].get_weights())
    for model in models:
        model.compile(keras.optimizers.SGD(0.5), "mse")
        model.fit(x, 0 * x, batch_size=8, epochs=1, verbose=0)
    for a, b in zip(*(field.get_weights() for field in fields), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("jit", ["auto", True])
def test_state_inside_the_field_is_updated_at_each_evaluation(jit):
    """A norm of scale 0 leaves the batch as it is: n updates give 1 - momentum^n of its mean."""
    if jit is True and not can_jit_compile():
        pytest.skip("torch's compiler takes very long")
    norm = layers.BatchNormalization(momentum=0.5, gamma_initializer="zeros", center=False)
    block = ODEBlock(norm, "euler", 3)
    model = keras.Sequential([keras.Input((2,)), block])
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=jit)
    x = (2.0 + RNG.normal(size=(32, 2))).astype("float32")
    model.fit(x, x, batch_size=32, epochs=1, verbose=0)
    np.testing.assert_allclose(to_numpy(norm.moving_mean), 0.875 * x.mean(axis=0), rtol=1e-4)
    before = to_numpy(norm.moving_mean)
    model.predict(x, verbose=0)
    block.trajectory(x)
    np.testing.assert_array_equal(to_numpy(norm.moving_mean), before)


def test_dropout_draws_a_new_mask_at_each_step():
    block = ODEBlock(layers.Dropout(0.5, seed=int(RNG.integers(1000))), "euler", 2, (0.0, 2.0))
    x = np.ones((1, 400), "float32")
    values = set(np.unique(to_numpy(block(x, training=True)).round(3)))
    assert values == {1.0, 3.0, 9.0}  # neither, one, both steps kept the unit
    np.testing.assert_allclose(to_numpy(block(x, training=False)), 4.0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_half_precision_sums_in_float32(policy):
    """y' = 1, 512 steps from 1: sums in bfloat16 would stay at 1."""

    class One(layers.Layer):
        def call(self, y):
            return 0 * y + 1

    block = ODEBlock(One(dtype=policy), "euler", 512, dtype=policy)
    out = block(np.ones((2, 1), "float32"))
    assert keras.backend.standardize_dtype(out.dtype) == block.compute_dtype
    np.testing.assert_array_equal(to_numpy(out), 2.0)


def test_errors():
    field = layers.Dense(3)
    with pytest.raises(TypeError, match=r"`field` must be a keras\.Layer"):
        ODEBlock(lambda y: y)
    for wrong in (0, 2.0, True):
        with pytest.raises(ValueError, match="`num_steps` must be an integer >= 1"):
            ODEBlock(field, num_steps=wrong)
    for wrong in ((0.0, 0.0), (0.0,), 1.0):
        with pytest.raises(ValueError, match="`t_span` must be two different times"):
            ODEBlock(field, t_span=wrong)
    with pytest.raises(ValueError, match="Unknown solver"):
        ODEBlock(field, solver="rk5")
    with pytest.raises(ValueError, match=r"`field` must keep the shape.*Received: \(None, 3\)"):
        ODEBlock(field)(keras.Input((4,)))
