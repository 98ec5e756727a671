"""The index of networks against a forward pass in NumPy with the network's own weights."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit import ode
from stepkit._backend import can_jit_compile
from stepkit.layers import ResidualStep
from stepkit.stiffness import index_model, neural_stiffness_index, stiffness_aware_index

RNG = np.random.default_rng()


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(ops.cast(x, "float32")), "float64")


def numbers(*shape):
    return RNG.normal(size=shape).astype("float32")


class Squeeze(layers.Layer):
    """A gate of one number per sample and channel, from the branch."""

    def gate(self, branch, shortcut=None):
        return ops.sigmoid(ops.mean(branch, axis=1, keepdims=True))

    def call(self, branch, shortcut=None):
        return branch * self.gate(branch, shortcut)


def norms(x):
    return np.sqrt((x.reshape(len(x), -1) ** 2).sum(axis=1))


def gated_network(depth=4, width=3):
    """Post-activation blocks on sequences (5, width), each x -> relu(x + f a)."""
    inputs = y = keras.Input((5, width))
    units = [
        layers.Dense(width, activation="tanh", bias_initializer="normal") for _ in range(depth)
    ]
    for i, unit in enumerate(units):
        branch = Squeeze()(unit(y), y)
        y = layers.ReLU()(layers.Add(name=f"block{i}")([y, branch]))
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(y)), units


def by_hand(units, x):
    found, x = {"raw": [], "applied": [], "change": []}, x.astype("float64")
    for unit in units:
        kernel, bias = map(to_numpy, unit.weights)
        raw = np.tanh(x @ kernel + bias)
        applied = raw / (1.0 + np.exp(-raw.mean(axis=1, keepdims=True)))
        after = np.maximum(x + applied, 0.0)
        for name, value in (("raw", raw), ("applied", applied), ("change", after - x)):
            found[name].append(norms(value) / norms(x))
        x = after
    return {name: np.stack(columns, axis=1) for name, columns in found.items()}


@pytest.mark.parametrize("which", ["raw", "applied", "change"])
def test_against_numpy(which):
    model, units = gated_network()
    x = numbers(7, 5, 3)
    index = neural_stiffness_index(model, x, which, batch_size=3)
    assert index.values.shape == (7, 4)
    assert (index.names, index.which) == (("block0", "block1", "block2", "block3"), which)
    assert index.after_activation == (True,) * 4
    assert index.stages == (0,) * 4
    np.testing.assert_allclose(index.values, by_hand(units, x)[which], rtol=1e-4)
    np.testing.assert_array_equal(np.asarray(index), index.values)


def test_steps_of_a_linear_field_have_exact_values():
    """y' = A y by Euler: raw ||A x|| / ||x||, applied h times that; the steps follow the solver."""
    matrix, h, x = numbers(3, 3), 0.1, numbers(5, 3)
    field = layers.Dense(3, use_bias=False)
    field.build((None, 3))
    field.kernel.assign(matrix.T)
    steps = [ResidualStep(field, h) for _ in range(4)]
    model = keras.Sequential([keras.Input((3,)), *steps])
    raw = neural_stiffness_index(model, x).values
    applied = neural_stiffness_index(model, x, "applied").values
    np.testing.assert_allclose(applied, h * raw, rtol=1e-5)
    solution = ode.odeint(lambda t, y: y @ matrix.T, x, h * np.arange(5.0), solver="euler")
    ys = np.swapaxes(np.asarray(solution.ys), 0, 1)  # (samples, times, 3)
    along = [stiffness_aware_index(y[:-1], y[1:], h) for y in ys]
    np.testing.assert_allclose(raw, along, rtol=1e-3)
    change = neural_stiffness_index(model, x, "change").values
    np.testing.assert_allclose(change, applied, rtol=1e-3)


def test_growth_and_shift_in_a_network():
    """f(x) = 5 x: index 5 wherever; f(x) = A (x - c): the index falls with c, A stays."""
    five = ResidualStep(layers.Rescaling(5.0), 0.1)
    model = keras.Sequential([keras.Input((3,)), five])
    np.testing.assert_allclose(neural_stiffness_index(model, numbers(4, 3)).values, 5.0, rtol=1e-5)
    values = []
    for c in (0.0, 100.0):
        shifted = layers.Rescaling(-5.0, offset=5.0 * c)
        model = keras.Sequential([keras.Input((3,)), ResidualStep(shifted, 0.1)])
        x = np.float32(c) + np.array([[3.0, 0.0, 4.0]], "float32")
        values.append(float(neural_stiffness_index(model, x).values[0, 0]))
    size = np.sqrt(103.0**2 + 100.0**2 + 104.0**2)
    np.testing.assert_allclose(values, [5.0, 25.0 / size], rtol=1e-4)


def stages(inputs, widths, gate=False):
    y = inputs
    for i, width in enumerate(widths):
        shortcut = y if y.shape[-1] == width else layers.Dense(width)(y)
        f = layers.Dense(width)(layers.BatchNormalization()(layers.Dense(8, "tanh")(y)))
        y = layers.Add(name=f"b{i}")([shortcut, Squeeze()(f, shortcut) if gate else f])
    return y


@pytest.mark.parametrize("gate", [False, True])
def test_projections_are_left_out_and_start_a_stage(gate):
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, stages(inputs, (3, 3, 5, 5, 5, 2, 2), gate))
    index = neural_stiffness_index(model, numbers(6, 4, 3))
    assert index.names == ("b0", "b1", "b3", "b4", "b6")
    assert index.stages == (0, 0, 1, 1, 2)
    assert index.after_activation == (False,) * 5
    parts = index.by_stage()
    assert [part.names for part in parts] == [("b0", "b1"), ("b3", "b4"), ("b6",)]
    np.testing.assert_array_equal(np.concatenate([p.values for p in parts], axis=1), index.values)


def test_batches_do_not_matter_and_dropout_is_off():
    inputs = keras.Input((4,))
    f = layers.Dropout(0.5)(layers.Dense(4, "tanh")(inputs))
    model = keras.Model(inputs, layers.Add()([inputs, f]))
    x = numbers(300, 4)
    whole = neural_stiffness_index(model, x, batch_size=300).values
    for size in (1, 7, 128):
        some = x[:20] if size == 1 else x
        values = neural_stiffness_index(model, some, batch_size=size).values
        np.testing.assert_allclose(values, whole[: len(some)], rtol=1e-5)
    np.testing.assert_array_equal(neural_stiffness_index(model, x, batch_size=300).values, whole)


def test_dead_states():
    model = keras.Sequential(
        [keras.Input((2,)), ResidualStep(layers.Rescaling(1.0, offset=[1, 0]))]
    )
    values = neural_stiffness_index(model, np.zeros((2, 2), "float32")).values
    np.testing.assert_array_equal(values, [[np.inf], [np.inf]])
    model = keras.Sequential([keras.Input((2,)), ResidualStep(layers.Rescaling(3.0))])
    np.testing.assert_array_equal(neural_stiffness_index(model, np.zeros((2, 2))).values, 0.0)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_measured_in_single(policy):
    """4000 ones: the sum of squares is more than bfloat16 can count; 300^2 overflows float16."""
    step = ResidualStep(layers.Rescaling(0.5, dtype=policy), dtype=policy)
    model = keras.Sequential([keras.Input((4000,)), step])
    index = neural_stiffness_index(model, np.full((2, 4000), 300.0, "float32"))
    assert index.values.dtype == np.float32
    np.testing.assert_allclose(index.values, 0.5, rtol=1e-5)


@pytest.mark.parametrize("jit", ["auto", True])
def test_the_index_model_follows_the_weights(jit):
    if jit is True and not can_jit_compile():
        pytest.skip("torch's compiler takes very long")
    model, units = gated_network(2)
    x = numbers(5, 5, 3)
    probe = index_model(model, "applied")
    probe.compile(jit_compile=jit)
    for _ in range(2):
        np.testing.assert_allclose(
            probe.predict(x, verbose=0), by_hand(units, x)["applied"], rtol=1e-4
        )
        for unit in units:
            unit.kernel.assign(unit.kernel * 2.0)


def test_the_model_is_left_as_it_was():
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, stages(inputs, (3, 3, 5, 5)))
    config, weights = model.get_config(), model.get_weights()
    neural_stiffness_index(model, numbers(6, 4, 3))
    assert config == model.get_config()
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_second_look_compiles_nothing_and_forgets_with_the_model():
    model = keras.Sequential([keras.Input((2,)), ResidualStep(layers.Rescaling(2.0))])
    x = numbers(3, 2)
    assert neural_stiffness_index(model, x).values.shape == (3, 1)
    readers = len(model.layers[0]._inbound_nodes), len(model.layers[0]._outbound_nodes)
    for _ in range(2):
        neural_stiffness_index(model, x)
    assert readers == (len(model.layers[0]._inbound_nodes), len(model.layers[0]._outbound_nodes))
    model.add(ResidualStep(layers.Rescaling(-1.0)))
    np.testing.assert_allclose(neural_stiffness_index(model, x).values, [[2.0, 1.0]] * 3, rtol=1e-5)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_errors():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="only")])
    message = r"`model` must have residual blocks.*Received: model=<Sequential.*0 blocks.*'Dense'"
    with pytest.raises(ValueError, match=message):
        neural_stiffness_index(model, np.ones((1, 3)))
    inputs = keras.Input((4, 3))
    with pytest.raises(
        ValueError, match=r"Received: model=<Functional.*1 blocks with a projection"
    ):
        neural_stiffness_index(keras.Model(inputs, stages(inputs, (5,))), np.ones((1, 4, 3)))
    with pytest.raises(ValueError, match=r"`which` must be one of .*Received: which='gate'"):
        index_model(gated_network(1)[0], "gate")
    with pytest.raises(TypeError, match=r"`model` must be a keras\.Model"):
        neural_stiffness_index("resnet", np.ones((1, 3)))
