"""Lesson 07: its pieces agree with the library's, a learner's classes go into a network, slips."""

import keras
import numpy as np
import pytest

from stepkit import attention, layers
from stepkit.course import build, folders, masters
from stepkit.course.exercises import lesson_07
from stepkit.course.judging import judge
from stepkit.models import cifar_resnet

LAYERS = ("SqueezeExcite", "EfficientChannelAttention", "StyleRecalibration")
KINDS = ("se", "eca", "srm")


@pytest.fixture(scope="module")
def solved():
    """The names that a learner has who solved everything."""
    every = masters.read_all(build.Tree(folders.root()).masters)
    master = next(each for each in every if each.number == "07")
    names: dict = {"__name__": "notebook"}
    exec(master.imports(), names)
    for exercise in lesson_07.LESSON.exercises.values():
        exec(masters.solution(master.answer(exercise.name).source), names)
    return names


def small(gate):
    return cifar_resnet(8, gate, block="basic", width=4, input_shape=(8, 8, 1))


@pytest.mark.parametrize("name", LAYERS)
def test_a_learners_class_goes_into_a_network_and_its_gates_are_found(solved, name):
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype("float32")
    model = small(solved[name])
    theirs = solved["gate_values"](model, x)
    steps = [block for block in layers.residual_blocks(model) if not block.projection]
    assert list(theirs) == [block.name for block in steps] and theirs
    for block in steps:
        assert type(block.attention) is solved[name]
        np.testing.assert_allclose(
            theirs[block.name], attention.gate_values(model, x)[block.name], rtol=1e-5
        )


@pytest.mark.parametrize("given", [{"reduction": 2}, {"kernel_size": 7}])
def test_a_layer_with_an_argument_is_copied_with_it(solved, given):
    (key, value), *_ = given.items()
    name = LAYERS[0] if key == "reduction" else LAYERS[1]
    model = small(solved[name](**given))
    gates = [block.attention for block in layers.residual_blocks(model)]
    assert [getattr(gate, key) for gate in gates] == [value] * 3
    assert len({id(gate) for gate in gates}) == 3


@pytest.mark.parametrize("name", LAYERS)
def test_a_learners_gate_is_that_of_the_library(solved, name):
    x = np.random.default_rng(0).normal(size=(4, 3, 3, 32)).astype("float32")
    ours, theirs = getattr(attention, name)(), solved[name]()
    for layer in (ours, theirs):
        layer.build(x.shape)
    rng = np.random.default_rng(1)
    values = [rng.uniform(0.2, 1.0, tuple(weight.shape)) for weight in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(
        [v.reshape(tuple(w.shape)) for v, w in zip(values, theirs.weights, strict=True)]
    )
    to_numpy = keras.ops.convert_to_numpy
    np.testing.assert_allclose(to_numpy(theirs.gate(x)), to_numpy(ours.gate(x)), atol=1e-5)


def test_the_counts_are_those_of_the_layers():
    for kind in KINDS:
        for channels in (4, 16, 32, 64, 128, 256):
            layer = attention.get(kind)
            layer.build((None, 2, 2, channels))
            trained = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
            assert lesson_07.parameter_count(kind, channels) == trained
    for channels, size in lesson_07.SIZES.items():
        assert lesson_07.parameter_count("eca", channels) == size


def test_the_counts_of_a_network_are_those_of_the_sum():
    def trained(gate):
        model = cifar_resnet(11, gate, num_classes=100)  # one block a stage, 64, 128, 256
        return sum(int(np.prod(w.shape)) for w in model.trainable_weights)

    for kind in KINDS:
        added = sum(lesson_07.parameter_count(kind, c) for c in (64, 128, 256))
        assert trained(kind) - trained(None) == added


def test_the_totals_of_resnet_164():
    totals = dict(zip(KINDS, (1_929_388, 1_727_518, 1_759_540), strict=True))
    for kind, total in totals.items():
        added = 18 * sum(lesson_07.parameter_count(kind, c) for c in (64, 128, 256))
        assert 1_727_284 + added == total


def test_resnet_164_has_as_many_weights_as_the_lesson_says():
    # Blocks after the first of a stage are alike, so that two small networks tell.
    def trained(depth):
        model = cifar_resnet(depth, None, num_classes=100)
        return sum(int(np.prod(w.shape)) for w in model.trainable_weights)

    short, longer = trained(11), trained(20)
    assert short + 17 * (longer - short) == 1_727_284


def test_a_constant_gate_does_not_depend_on_the_input():
    x = np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype("float32")
    model = small("constant")
    for block in layers.residual_blocks(model):
        block.attention.logit.assign(np.linspace(-1, 1, block.attention.logit.shape[0]))
    for gates in lesson_07.gate_values(model, x).values():
        assert lesson_07.input_dependence(gates) < 1e-6
        assert gates.std() > 0.1


def test_the_two_parts_of_the_variance_add_up():
    gates = np.random.default_rng(0).uniform(size=(9, 4))
    between = gates.mean(axis=0).var() / gates.var()
    assert lesson_07.input_dependence(gates) == pytest.approx(1 - between)


def test_a_sigmoid_of_standard_normal_numbers_has_the_deviation_of_the_lesson():
    z = np.random.default_rng(0).normal(size=1_000_000)
    assert round(float(np.std(1 / (1 + np.exp(-z)))), 2) == 0.21


def test_gates_start_where_the_lesson_says():
    x = np.random.default_rng(0).normal(size=(4, 3, 3, 8)).astype("float32")
    gct, srm = attention.GatedChannelTransform(), attention.StyleRecalibration()
    for layer, start in ((gct, 1.0), (srm, 0.5)):
        layer(x)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.gate(x)), start)


SHARES = {
    "which lies between channels": lambda g: g.mean(axis=0).var() / g.var() if g.var() else 0.0,
    "Divide it by the variance of all gates": lambda g: np.var(g, axis=0).mean(),
    "take their mean": lambda g: np.var(g, axis=0) / np.var(g),
    "should take (gates)": lambda: 0.0,
    "NaN": lambda g: np.var(g, axis=0).mean() / np.var(g),
}


@pytest.mark.parametrize("said", SHARES)
def test_a_slip_in_the_share_is_named(said):
    outcome = judge("07.input_dependence", {"input_dependence": SHARES[said]}, seed=0)
    assert said in outcome.message, outcome


class _Gate(keras.layers.Layer):
    """A right SE, whose parts the attempts below get wrong."""

    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, channels // self.reduction)
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.mean(branch, axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch


class Right(_Gate):
    pass


class ReturnsTheGate(_Gate):
    def call(self, branch, shortcut=None):
        return self.gate(branch)


class GatesTheState(_Gate):
    def call(self, branch, shortcut=None):
        return self.gate(branch) * (branch if shortcut is None else shortcut)


class MeanOverBatch(_Gate):
    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(0, 1, 2), keepdims=True)
        return self.excite(
            self.squeeze(keras.ops.broadcast_to(mean, (len(branch), 1, 1, mean.shape[-1])))
        )


class LargestValue(_Gate):
    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.max(branch, axis=(1, 2), keepdims=True)))


class NoGradient(_Gate):
    def gate(self, branch, shortcut=None):
        return keras.ops.stop_gradient(super().gate(branch))


class TooEarly(_Gate):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(reduction, **kwargs)
        self.extra = self.add_weight(shape=(2,))


class SinglePrecision(_Gate):
    def call(self, branch, shortcut=None):
        return keras.ops.cast(self.gate(branch), "float32") * keras.ops.cast(branch, "float32")


class NoName(_Gate):
    def get_config(self):
        return {"reduction": self.reduction}


EXCITED = {
    "": Right,
    "That is the gate": ReturnsTheGate,
    "You gate the state": GatesTheState,
    "each sample should get a step of its own": MeanOverBatch,
    "the largest values": LargestValue,
    "One training step should change": NoGradient,
    "before it knows the number of channels": TooEarly,
    "float16": SinglePrecision,
    "has lost the name": NoName,
}


@pytest.mark.parametrize("said", EXCITED)
def test_a_slip_in_the_gate_is_named(said):
    outcome = judge("07.SqueezeExcite", {"SqueezeExcite": EXCITED[said]}, seed=0)
    assert said in outcome.message, outcome
    assert outcome.correct is (not said), outcome


def test_the_librarys_own_are_no_answers():
    for name in LAYERS:
        outcome = judge(f"07.{name}", {name: getattr(attention, name)}, seed=0)
        assert "Write yours" in outcome.message


def test_a_network_without_gates_has_no_steps_to_read(solved):
    assert solved["gate_values"](small(None), np.zeros((2, 8, 8, 1), "float32")) == {}
