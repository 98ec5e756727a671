"""Lesson 08: slips are named, its pieces agree with the library's, and what it says holds."""

import json

import keras
import numpy as np
import pytest
from scipy import stats

from experiments import record
from stepkit import attention, layers, models, stiffness
from stepkit.course import build, folders
from stepkit.course.exercises import lesson_08
from stepkit.course.judging import judge

DRAW = np.random.default_rng


def from_means(*places):
    """Features out of the means of state and branch and their sum, in float32."""

    def predictor_features(branch, shortcut):
        x, f = (keras.ops.mean(keras.ops.cast(v, "float32"), (1, 2)) for v in (shortcut, branch))
        seen = {"x": x, "f": f, "x + f": x + f, "x - f": x - f, "x f": x * f, "half": (x + f) / 2}
        return keras.ops.concatenate([seen[place] for place in places], axis=-1)

    return predictor_features


FEATURES = {
    "The predictor is state + branch.": from_means("x", "f"),
    "The state comes first": from_means("x + f", "x"),
    "it should be that of the state": from_means("f", "x + f"),
    "state + branch, not minus": from_means("x", "x - f"),
    "state + branch, not times": from_means("x", "x f"),
    "not a mean of two": from_means("x", "half"),
    "shape (1, 2); yours has (1, 3)": from_means("x", "f", "x + f"),
}


@pytest.mark.parametrize("said", FEATURES)
def test_a_slip_in_the_features_is_named(said):
    given = FEATURES[said]
    outcome = judge("08.predictor_features", {"predictor_features": given}, seed=0)
    assert said in outcome.message and not outcome.correct, outcome


class Right(keras.layers.Layer):
    """A right answer, of which the wrong ones below are subclasses."""

    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = self.width(channels / self.reduction)
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def width(self, ratio):
        return max(1, round(ratio))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("a shortcut is needed")
        seen = lesson_08.predictor_features(branch, shortcut)
        return self.excite(self.squeeze(seen))[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}


class AlwaysSixteen(Right):
    def build(self, branch_shape, shortcut_shape=None):
        self.reduction = 16
        super().build(branch_shape)


class RoundedDown(Right):
    def width(self, ratio):
        return max(1, int(ratio))


class RoundedUp(Right):
    def width(self, ratio):
        return int(np.ceil(ratio))


class GateTimesBranch(Right):
    def gate(self, branch, shortcut=None):
        return super().gate(branch, shortcut) * branch

    def call(self, branch, shortcut=None):
        return self.gate(branch, shortcut)


class OnTheWholeSum(Right):
    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch + shortcut)


class OtherName(Right):
    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("something is missing")
        return super().gate(branch, shortcut)


LAYERS = {
    "the hidden width is channels / reduction": AlwaysSixteen,
    "rounded, at least 1": RoundedDown,
    "yours has 4, of shapes": RoundedUp,
    "Is that the gate, or the gate times the branch?": GateTimesBranch,
    "You gated the predictor": OnTheWholeSum,
    "names the missing `shortcut`": OtherName,
}


@pytest.mark.parametrize("said", LAYERS)
def test_a_slip_in_the_layer_is_named(said):
    for seed in range(3):
        outcome = judge("08.StepNetAttention", {"StepNetAttention": LAYERS[said]}, seed=seed)
        assert said in outcome.message and not outcome.correct, outcome


def test_the_layer_without_a_slip_is_right():
    for seed in range(3):
        assert judge("08.StepNetAttention", {"StepNetAttention": Right}, seed=seed).correct


def block(form):
    """A block from a formula for the sum, given x, the branch and the gate."""

    def stepnet_block(x, residual, attention=None, projection=None):
        return form(x, residual(x), attention)

    return stepnet_block


BLOCKS = {
    "There is a relu after the addition": block(lambda x, f, gate: x + gate(f, x)),
    "You multiplied with the gate twice": block(
        lambda x, f, gate: keras.ops.relu(x + gate(gate(f, x), x))
    ),
}


@pytest.mark.parametrize("said", BLOCKS)
def test_a_slip_in_the_block_is_named(said):
    outcome = judge("08.stepnet_block", {"stepnet_block": BLOCKS[said]}, seed=0)
    assert said in outcome.message and not outcome.correct, outcome


def test_a_forgotten_projection_is_named():
    def stepnet_block(x, residual, attention=None, projection=None):
        branch = residual(x)
        if attention is not None:
            branch = attention(branch, x if projection is None else projection(x))
        return keras.ops.relu(x[:, : branch.shape[-1]] + branch)

    outcome = judge("08.stepnet_block", {"stepnet_block": stepnet_block}, seed=0)
    assert "should be projection(x)" in outcome.message, outcome


RIGHT = {"indices": lesson_08.attention_nsi, "comparison": lesson_08.paired_comparison}


def indices(change):
    """Right indices, changed: a function of both and the gate."""
    return lambda branch, shortcut, gate: change(*RIGHT["indices"](branch, shortcut, gate), gate)


INDICES = {
    "Those are squares": indices(lambda raw, applied, gate: (raw**2, applied**2)),
    "shape (1,); yours has (1, 1)": indices(lambda raw, applied, gate: (raw[:, None], applied)),
    "You took the largest gate": indices(lambda raw, _, gate: (raw, raw * gate.max(axis=1))),
    "The gate belongs inside the norm": indices(
        lambda raw, _, gate: (raw, raw * np.sqrt(gate.sum(axis=1)))
    ),
}


@pytest.mark.parametrize("said", INDICES)
def test_a_slip_in_the_indices_is_named(said):
    outcome = judge("08.attention_nsi", {"attention_nsi": INDICES[said]}, seed=0)
    assert said in outcome.message and not outcome.correct, outcome


def comparison(mean=0.0, low=0.0, high=0.0, detectable=1.0):
    """The right comparison, its entries moved, and the last one scaled."""

    def paired_comparison(a, b):
        right = RIGHT["comparison"](a, b)
        size = right["high"] - right["low"]
        moves = {"mean": mean, "low": low, "high": high}
        moved = {key: right[key] + move * size for key, move in moves.items()}
        return moved | {"detectable": right["detectable"] * detectable}

    return paired_comparison


COMPARISONS = {
    "mean should be": comparison(mean=0.1),
    "low and high have changed places": comparison(low=1.0, high=-1.0),
    "low should be": comparison(low=0.01),
    "high should be": comparison(high=0.01),
    "detectable should be": comparison(detectable=1.02),
}


@pytest.mark.parametrize("said", COMPARISONS)
def test_a_slip_in_the_comparison_is_named(said):
    given = {"paired_comparison": COMPARISONS[said]}
    outcome = judge("08.paired_comparison", given, seed=0)
    assert said in outcome.message and not outcome.correct, outcome


def test_the_comparison_is_scipys_and_detects_what_the_experiments_say():
    draw = DRAW(0)
    for n in (2, 3, 10):
        a, b = draw.random((2, n))
        found = lesson_08.paired_comparison(a, b)
        interval = stats.ttest_rel(a, b).confidence_interval(0.95)
        np.testing.assert_allclose([found["low"], found["high"]], interval)
        np.testing.assert_allclose(found["detectable"], record.detectable(a - b))


def test_what_is_called_detectable_is_found_about_four_times_in_five():
    draw, n = DRAW(0), 10
    t = stats.t(n - 1)
    true = (t.ppf(0.975) + t.ppf(0.8)) / np.sqrt(n)  # for the deviation 1
    d = draw.normal(true, 1.0, (20_000, n))
    error = d.std(axis=1, ddof=1) / np.sqrt(n)
    assert 0.75 < np.mean(d.mean(axis=1) > t.ppf(0.975) * error) < 0.85


def test_the_example_of_the_last_checkpoint_is_possible():
    half, t = 0.010, stats.t(9)
    assert abs(half * (1 + t.ppf(0.8) / t.ppf(0.975)) - 0.014) < 0.0005


def test_the_features_feed_the_librarys_pair():
    branch, state = DRAW(0).normal(size=(2, 3, 4, 5, 6)).astype("float32")
    library = attention.StepNetAttention(reduction=2)
    library(branch, state)
    w1, b1, w2, b2 = library.get_weights()
    seen = keras.ops.convert_to_numpy(lesson_08.predictor_features(branch, state))
    want = 1 / (1 + np.exp(-(np.maximum(seen @ w1 + b1, 0) @ w2 + b2)))
    got = keras.ops.convert_to_numpy(library.gate(branch, state))[:, 0, 0]
    np.testing.assert_allclose(got, want, atol=1e-5)
    # The same gate from the means of state and branch: the sum is nothing new.
    slope = seen[:, 6:] - seen[:, :6]
    other = np.concatenate([w1[:6] + w1[6:], w1[6:]])
    same = np.concatenate([seen[:, :6], slope], axis=1) @ other
    np.testing.assert_allclose(same, seen @ w1, atol=1e-5)


def test_squeeze_excite_does_not_see_the_state_and_the_pair_does():
    draw = DRAW(0)
    slope, state = draw.normal(0.2, 1, (1, 8, 8, 16)), draw.random((1, 8, 8, 16))
    slopes, states = np.concatenate([slope, slope]), np.concatenate([state, 10 * state])
    for seed in range(10):
        keras.utils.set_random_seed(seed)
        for gate, sees in ((attention.SqueezeExcite, False), (attention.StepNetAttention, True)):
            layer = gate(reduction=1)
            layer(slopes.astype("float32"), states.astype("float32"))
            one, two = keras.ops.convert_to_numpy(layer.gate(slopes, states))
            assert (np.abs(one - two).max() > 1e-4) == sees


def test_the_weights_are_as_told():
    def count(layer):
        layer.build((None, 8, 8, 64), (None, 8, 8, 64))
        return layer.count_params()

    pair, se = count(attention.StepNetAttention()), count(attention.SqueezeExcite())
    assert (pair, se) == (836, 580) and count(attention.SqueezeExcite(reduction=32 / 3)) == 838
    assert count(attention.ConstantGate()) == 64


def test_the_block_is_that_of_the_library_and_takes_a_learners_gate():
    model = models.cifar_resnet(
        8, Right(reduction=4), block="basic", width=4, input_shape=(8, 8, 1)
    )
    gates = [block.attention for block in layers.residual_blocks(model)]
    assert [type(gate) for gate in gates] == [Right] * 3 and len(set(gates)) == 3
    assert all(gate.reduction == 4 for gate in gates)


def test_random_gates_go_with_the_applied_index_alone():
    draw = DRAW(0)
    branch, state = draw.normal(size=(2, 400, 4, 4, 8))
    branch *= draw.lognormal(0, 0.2, (400, 1, 1, 1))
    gate = draw.uniform(0.1, 1.0, (400, 1)) * np.ones((400, 8))
    raw, applied = lesson_08.attention_nsi(branch, state, gate)
    correlation = stiffness.rank_correlation
    assert abs(correlation(gate[:, 0], raw)) < 0.15 and correlation(gate[:, 0], applied) > 0.8


@pytest.fixture(scope="module")
def found():
    path = build.Tree(folders.root()).results / "stepnet_comparison.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_learners_comparison_is_that_of_the_record(found):
    arms = {name: arm["accuracy"]["values"] for name, arm in found["arms"].items()}
    assert all(len(values) == found["seeds"] >= 5 for values in arms.values())
    assert set(found["primary"]) == {"squeeze_excite", "se_matched", "constant_gate"}
    for other, told in found["primary"].items():
        got = lesson_08.paired_comparison(arms["stepnet_pair"], arms[other])
        for key, value in got.items():
            assert abs(value - told[key]) < 2e-4, (other, key)


def test_the_matched_control_has_as_many_weights(found):
    pair, matched = (found["arms"][name]["parameters"] for name in ("stepnet_pair", "se_matched"))
    assert abs(pair - matched) < 0.01 * pair


def test_what_the_prose_says_of_the_comparison_holds(found):
    """Which intervals leave 0 out stands in words, which a new run might make wrong."""
    arms = {name: arm["accuracy"]["values"] for name, arm in found["arms"].items()}
    pair = arms.pop("stepnet_pair")
    intervals = {name: lesson_08.paired_comparison(pair, other) for name, other in arms.items()}
    apart = {name for name, each in intervals.items() if not each["low"] <= 0 <= each["high"]}
    assert apart == {"none", "gated_channel_transform"}
