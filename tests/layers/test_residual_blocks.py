"""residual_blocks: what is found, in which order, and what each block computes, against NumPy."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit._backend import jvp
from stepkit.layers import ODEBlock, ResidualStep, residual_blocks

RNG = np.random.default_rng()
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(ops.cast(x, "float32")))


def numbers(*shape):
    return RNG.normal(size=shape).astype("float32")


class Gate(layers.Layer):
    """A channel attention: half of a sigmoid of the means of branch and shortcut."""

    def gate(self, branch, shortcut=None):
        other = 0.0 if shortcut is None else ops.mean(shortcut, axis=-1, keepdims=True)
        return 0.5 * ops.sigmoid(branch - other)

    def call(self, branch, shortcut=None):
        return branch * self.gate(branch, shortcut)


def gate_of(branch, shortcut=None):
    other = 0.0 if shortcut is None else shortcut.mean(axis=-1, keepdims=True)
    return 0.5 / (1.0 + np.exp(other - branch))


def dense(units=4, activation="tanh"):
    return layers.Dense(units, activation=activation, bias_initializer="normal")


def forward(layer, x):
    kernel, bias = map(to_numpy, layer.weights)
    return np.tanh(x @ kernel + bias)


def summary(blocks):
    return [(b.name, b.projection) for b in blocks]


def check(block, model_input, expected):
    """The five states, from the network and from the block alone."""
    states = block.states(ops.convert_to_tensor(model_input))
    for name, value in expected.items():
        np.testing.assert_allclose(to_numpy(getattr(states, name)), value, **CLOSE, err_msg=name)
    x = states.state
    np.testing.assert_allclose(to_numpy(block.update(x)), expected["output"], **CLOSE)
    np.testing.assert_allclose(to_numpy(block.branch(x)), expected["applied"], **CLOSE)
    np.testing.assert_allclose(to_numpy(block.raw_branch(x)), expected["raw"], **CLOSE)


def step_states(x, raw, applied):
    return {
        "state": x, "raw": raw, "applied": applied, "total": x + applied, "output": x + applied
    }  # fmt: skip


@pytest.mark.parametrize("learn_step", [False, True])
def test_residual_steps_in_a_sequential_model(learn_step):
    steps = [
        ResidualStep(dense(), h, learn_step, name=f"step_{h:g}".replace(".", "_"))
        for h in (0.3, 2.0)
    ]
    model = keras.Sequential([keras.Input((4,)), *steps, dense(1)])
    blocks = residual_blocks(model)
    assert summary(blocks) == [("step_0_3", False), ("step_2", False)]
    x = start = numbers(6, 4)
    for block, step in zip(blocks, steps, strict=True):
        raw = forward(step.residual, x)
        check(block, start, step_states(x, raw, step.step_size * raw))
        assert block.attention is None
        assert block.activation is None
        x = x + step.step_size * raw


def test_a_learned_step_is_read_when_it_is_used():
    step = ResidualStep(dense(), 1.0, learn_step=True)
    model = keras.Sequential([keras.Input((4,)), step])
    (block,), x = residual_blocks(model), numbers(3, 4)
    before = to_numpy(block.branch(ops.convert_to_tensor(x)))
    step.step.assign(-0.5)
    step.residual.kernel.assign(2 * step.residual.kernel)
    after = to_numpy(block.branch(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(after, -0.5 * forward(step.residual, x), **CLOSE)
    assert not np.allclose(before, after)


@pytest.mark.parametrize("branch_first", [False, True])
@pytest.mark.parametrize("make", [lambda pair: layers.Add()(pair), lambda pair: pair[0] + pair[1]])
def test_an_addition_with_an_activation(branch_first, make):
    """Post-activation blocks: the state of the second is what the activation of the first made."""
    inputs, units = keras.Input((4,)), [dense(), dense()]
    y = inputs
    for unit in units:
        pair = [y, unit(y)]
        y = layers.ReLU()(make(pair[::-1] if branch_first else pair))
    model = keras.Model(inputs, layers.Dense(2)(y))
    x = start = numbers(5, 4)
    blocks = residual_blocks(model)
    assert [b.projection for b in blocks] == [False, False]
    for block, unit in zip(blocks, units, strict=True):
        raw = forward(unit, x)
        out = np.maximum(x + raw, 0.0)
        check(block, start, {**step_states(x, raw, raw), "output": out})
        assert isinstance(block.activation, layers.ReLU)
        x = out


def test_pre_activation_blocks_have_no_activation_after_the_sum():
    inputs = y = keras.Input((4,))
    for _ in range(2):
        y = layers.Add()([y, dense()(layers.Activation("relu")(y))])
    blocks = residual_blocks(keras.Model(inputs, y))
    assert [block.activation for block in blocks] == [None, None]
    for block in blocks:
        assert block.tensors.output is block.tensors.total


@pytest.mark.parametrize("with_shortcut", [False, True])
@pytest.mark.parametrize("after", [None, layers.Dropout, layers.Identity])
def test_a_gate_separates_raw_from_applied(with_shortcut, after):
    inputs, unit, attention = keras.Input((4,)), dense(), Gate()
    raw = unit(inputs)
    applied = attention(raw, inputs) if with_shortcut else attention(raw)
    if after is not None:
        applied = after(*([0.5] if after is layers.Dropout else []))(applied)
    model = keras.Model(inputs, layers.Add(name="sum")([inputs, applied]))
    (block,) = residual_blocks(model)
    assert block.attention is attention
    x = numbers(3, 4)
    raw = forward(unit, x)
    check(block, x, step_states(x, raw, raw * gate_of(raw, x if with_shortcut else None)))


class Scale(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.1))

    def call(self, inputs):
        return self.scale * inputs


def test_a_trainable_scale_is_part_of_the_branch():
    inputs, unit = keras.Input((4,)), dense()
    model = keras.Model(inputs, layers.Add()([Scale()(unit(inputs)), inputs]))
    (block,), x = residual_blocks(model), numbers(3, 4)
    assert block.attention is None
    check(block, x, step_states(x, 0.1 * forward(unit, x), 0.1 * forward(unit, x)))


@pytest.mark.parametrize("gated", [False, True])
def test_a_fixed_scale_is_a_step_size(gated):
    inputs, unit = keras.Input((4,)), dense()
    slope = unit(inputs)
    slope = Gate()(slope) if gated else slope
    model = keras.Model(inputs, layers.Add()([layers.Rescaling(0.1)(slope), inputs]))
    (block,), x = residual_blocks(model), numbers(3, 4)
    raw = forward(unit, x)
    assert (block.attention is not None) == gated
    check(block, x, step_states(x, raw, 0.1 * raw * (gate_of(raw) if gated else 1.0)))


def test_a_scale_with_offset_is_part_of_the_branch():
    inputs, unit = keras.Input((4,)), dense()
    shift = np.arange(4.0)
    slope = layers.Rescaling(0.1, offset=list(shift))(unit(inputs))
    (block,), x = residual_blocks(keras.Model(inputs, layers.Add()([slope, inputs]))), numbers(3, 4)
    raw = 0.1 * forward(unit, x) + shift
    check(block, x, step_states(x, raw, raw))


def test_states_are_tensors_also_that_of_a_block_on_the_input():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Add()([inputs, Gate()(dense()(inputs), inputs)]))
    (block,) = residual_blocks(model)
    states = block.states(numbers(3, 4))
    assert all(ops.is_tensor(value) for value in states)
    gate = block.attention.gate(states.raw, states.state)
    np.testing.assert_allclose(to_numpy(states.applied), to_numpy(states.raw * gate), **CLOSE)


def test_a_state_can_be_its_own_slope():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Add()([inputs, layers.Rescaling(-0.5)(inputs)]))
    (block,), x = residual_blocks(model), numbers(3, 4)
    check(block, x, step_states(x, x, -0.5 * x))


def convolutional(depth, gate=None, projection=True):
    """A post-activation stage of bottleneck shape; the first block has a projection."""
    inputs = y = keras.Input((6, 5, 3))
    for i in range(depth):
        shortcut = y
        if i == 0 and projection:
            shortcut = layers.BatchNormalization()(layers.Conv2D(8, 1, strides=2)(y))
        strides = 2 if i == 0 and projection else 1
        f = layers.Conv2D(4, 1, strides=strides)(y)
        f = layers.ReLU()(layers.BatchNormalization()(f))
        f = layers.BatchNormalization()(layers.Conv2D(8 if projection else 3, 3, padding="same")(f))
        if gate is not None:
            f = gate()(f, shortcut)
        y = layers.ReLU()(layers.Add(name=f"add{i}")([f, shortcut]))
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(y))


@pytest.mark.parametrize("gate", [None, Gate])
def test_projections_are_marked_also_where_the_gate_sees_the_shortcut(gate):
    blocks = residual_blocks(convolutional(3, gate))
    assert summary(blocks) == [("add0", True), ("add1", False), ("add2", False)]
    assert tuple(blocks[0].tensors.state.shape) == (None, 6, 5, 3)
    assert all((block.attention is not None) == (gate is not None) for block in blocks)
    for block in blocks[1:]:
        states = block.states(ops.convert_to_tensor(numbers(2, 6, 5, 3)))
        state, _, applied, total, output = map(to_numpy, states)
        np.testing.assert_allclose(total, state + applied, **CLOSE)
        np.testing.assert_array_equal(output, np.maximum(total, 0.0))
        np.testing.assert_allclose(to_numpy(block.update(states.state)), output, **CLOSE)


def test_a_shortcut_by_pooling_is_no_identity():
    inputs = keras.Input((4, 4, 3))
    shortcut = layers.AveragePooling2D(2)(inputs)
    branch = layers.Conv2D(3, 3, strides=2, padding="same")(inputs)
    blocks = residual_blocks(keras.Model(inputs, layers.Add()([shortcut, branch])))
    assert [block.projection for block in blocks] == [True]


def test_sums_that_are_no_blocks():
    a, b = keras.Input((4,)), keras.Input((4,))
    twice = layers.Add()([a, a])
    parallel = layers.Add()([dense()(a), dense()(a)])
    strangers = layers.Add()([a, dense()(b)])
    three = layers.Add()([a, dense()(a), dense()(a)])
    broadcast = layers.Add()([a, dense(1)(a)])
    model = keras.Model([a, b], [twice, parallel, strangers, three, broadcast])
    assert residual_blocks(model) == ()


def test_a_block_that_is_no_function_of_its_state_says_so():
    a, b = keras.Input((4,)), keras.Input((4,))
    (block,) = residual_blocks(keras.Model([a, b], a + dense()(layers.Concatenate()([a, b]))))
    x = ops.ones((2, 4))
    assert tuple(block.states([x, x]).raw.shape) == (2, 4)
    with pytest.raises(ValueError, match=r"'add.*' must be a function of its own state alone"):
        block.update(x)


def test_blocks_in_nested_models_come_in_order():
    inner_input, units = keras.Input((4,)), [dense() for _ in range(3)]
    inner = keras.Model(inner_input, layers.Add(name="a")([inner_input, units[1](inner_input)]))
    tail = keras.Sequential([ResidualStep(units[2], 0.5, name="t")], name="tail")
    inner = keras.Sequential([inner, tail], name="stage")
    inputs = keras.Input((4,))
    y = ResidualStep(units[0], name="first")(inputs)
    model = keras.Model(inputs, inner(y))
    blocks = residual_blocks(model)
    names = [name for name, _ in summary(blocks)]
    assert names[0] == "first"
    assert names[1].startswith("stage/functional")
    assert names[1].endswith("/a")
    assert names[2] == "stage/tail/t"
    x = start = numbers(3, 4)
    for block, unit, h in zip(blocks, units, (1.0, 1.0, 0.5), strict=True):
        raw = forward(unit, x)
        check(block, start, step_states(x, raw, h * raw))
        x = x + h * raw


def test_a_layer_called_twice_is_two_blocks():
    step, inputs = ResidualStep(dense(), 0.5, name="tied"), keras.Input((4,))
    model = keras.Model(inputs, step(step(inputs)))
    blocks = residual_blocks(model)
    assert [block.name for block in blocks] == ["tied", "tied:1"]
    x = numbers(3, 4)
    second = x + 0.5 * forward(step.residual, x)
    raw = forward(step.residual, second)
    check(blocks[1], x, step_states(second, raw, 0.5 * raw))


def test_dictionaries_as_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    unit = dense()
    y = layers.Add()([a, unit(a)])
    model = keras.Model({"b": b, "a": a}, layers.Concatenate()([y, b]))
    (block,), x = residual_blocks(model), numbers(2, 4)
    states = block.states({"a": ops.convert_to_tensor(x), "b": ops.ones((2, 3))})
    np.testing.assert_allclose(to_numpy(states.raw), forward(unit, x), **CLOSE)


def test_the_model_is_left_as_it_was(tmp_path):
    """No new calls of its layers, the same file, and normalisation does not move."""
    model = convolutional(3, Gate)
    x = numbers(4, 6, 5, 3)
    expected = model.predict(x, verbose=0)
    config, calls = model.get_config(), [len(layer._inbound_nodes) for layer in model.layers]
    weights = model.get_weights()
    for block in residual_blocks(model):
        block.states(ops.convert_to_tensor(x))
        block.update(block.states(ops.convert_to_tensor(x)).state)
    assert config == model.get_config()
    assert calls == [len(layer._inbound_nodes) for layer in model.layers]
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    path = str(tmp_path / "model.keras")
    model.save(path)
    loaded = keras.saving.load_model(path, custom_objects={"Gate": Gate})
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_the_jacobian_of_one_block():
    """J v of x + tanh(W x) h is v + h (1 - tanh^2) W v."""
    step = ResidualStep(dense(), 0.7)
    model = keras.Sequential([keras.Input((4,)), dense(), step])
    (block,), x, v = residual_blocks(model), numbers(3, 4), numbers(3, 4)
    _, pushed = jvp(block.update, (ops.convert_to_tensor(x),), (ops.convert_to_tensor(v),))
    kernel = to_numpy(step.residual.kernel)
    expected = v + 0.7 * (1.0 - forward(step.residual, x) ** 2) * (v @ kernel)
    np.testing.assert_allclose(to_numpy(pushed), expected, **CLOSE)


def test_many_blocks_make_one_model():
    steps = [ResidualStep(dense(), 0.1) for _ in range(4)]
    model = keras.Sequential([keras.Input((4,)), *steps])
    blocks, x = residual_blocks(model), numbers(9, 4)
    probe = keras.Model(blocks[0].inputs, [block.tensors.raw for block in blocks])
    for raw, block in zip(probe.predict(x, batch_size=4, verbose=0), blocks, strict=True):
        np.testing.assert_allclose(
            raw, to_numpy(block.states(ops.convert_to_tensor(x)).raw), **CLOSE
        )


def test_no_blocks_and_no_descent_into_other_layers():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, ODEBlock(dense())(dense()(inputs)))
    assert residual_blocks(model) == ()


class Subclass(keras.Model):
    def call(self, x):
        return x


def test_what_has_no_graph_is_named():
    assert "model" in inspect.signature(residual_blocks).parameters
    for model in (Subclass(), keras.Sequential([ResidualStep(dense())])):
        with pytest.raises(
            ValueError, match=r"`model` must be a functional model.*Received: model="
        ):
            residual_blocks(model)
    with pytest.raises(TypeError, match=r"`model` must be a keras\.Model\. Received: model=3"):
        residual_blocks(3)
    model = keras.Sequential([ResidualStep(dense(), name="now")])
    model(numbers(2, 4))
    assert summary(residual_blocks(model)) == [("now", False)]
