"""The protocol of channel attention: conformance, formats, ranks, precision, errors."""

import keras
import numpy as np
import pytest
from keras import ops

from stepkit import attention
from stepkit.attention import (
    ChannelAttention,
    ConstantGate,
    ConvBlockAttention,
    EfficientChannelAttention,
    GatedChannelTransform,
    SqueezeExcite,
    StepNetAttention,
    StyleRecalibration,
)
from stepkit.testing import check_layer

RNG = np.random.default_rng()
CASES = {
    # Many hidden units: a few may all be cut by the relu, and then weights do not move.
    "se": (SqueezeExcite, {"reduction": 0.5}),
    "se on the state": (SqueezeExcite, {"reduction": 0.4, "source": "shortcut", "use_bias": False}),
    "eca": (EfficientChannelAttention, {"kernel_size": 3}),
    "cbam": (ConvBlockAttention, {"reduction": 0.5}),
    "srm": (StyleRecalibration, {}),
    "gct": (GatedChannelTransform, {}),
    "constant": (ConstantGate, {}),
    "pair": (StepNetAttention, {"reduction": 0.5}),
    "statistics": (StepNetAttention, {"variant": "statistics"}),
    "index": (StepNetAttention, {"variant": "index"}),
}
NEED_A_MAP = ("cbam", "srm", "statistics")


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def draw(*shape):
    return RNG.normal(size=shape).astype("float32")


def randomised(layer, *shapes):
    layer.build(*shapes)
    for weight in layer.weights:
        if weight.dtype == "float32":
            weight.assign(np.abs(RNG.normal(size=tuple(weight.shape))) + 0.1)
    return layer


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_conformance(name):
    cls, kwargs = CASES[name]
    shape = (6, 5, 4, 6)
    # SRM's weights begin where normalisation divides by the root of 1e-5: differences see nothing.
    skip = ["gradients"] if name in ("srm", "statistics") else []
    check_layer(cls, kwargs, [shape, shape], skip=skip, jit_modes=("auto", True))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("spatial", [(), (7,), (6, 5), (3, 4, 2)], ids=["0", "1", "2", "3"])
def test_any_rank_in_both_formats(name, spatial):
    cls, kwargs = CASES[name]
    if name in NEED_A_MAP and not spatial:
        with pytest.raises(ValueError, match="must have a map for each channel"):
            cls(**kwargs)(draw(2, 6), draw(2, 6))
        return
    f, x = draw(2, *spatial, 6), draw(2, *spatial, 6)
    last = randomised(cls(data_format="channels_last", **kwargs), f.shape, x.shape)
    first = cls(data_format="channels_first", **kwargs)
    moved = [np.moveaxis(v, -1, 1) for v in (f, x)]
    first.build(*(v.shape for v in moved))
    first.set_weights(last.get_weights())
    received = np.moveaxis(to_numpy(first(*moved)), 1, -1)
    np.testing.assert_allclose(received, to_numpy(last(f, x)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        to_numpy(last(f, x)), f * to_numpy(last.gate(f, x)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", CASES)
def test_gates_of_a_trained_network_can_be_read(name):
    cls, kwargs = CASES[name]
    layer = cls(**kwargs)
    state = keras.Input((5, 4, 6))
    gated = layer(keras.layers.Conv2D(6, 1)(state), state)
    model = keras.Model(state, keras.layers.Add(name="block")([state, gated]))
    x = draw(9, 5, 4, 6)
    gates = attention.gate_values(model, x, batch_size=4)
    slope = model.layers[1](x)
    expected = np.broadcast_to(to_numpy(layer.gate(slope, x)), (9, 5, 4, 6))
    received = gates["block"]
    assert received.shape == ((9, 5, 4, 6) if name == "cbam" else (9, 6))
    received = received if name == "cbam" else received[:, None, None, :]
    np.testing.assert_allclose(np.broadcast_to(received, expected.shape), expected, rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_gates_are_computed_in_full_precision(name, policy):
    cls, kwargs = CASES[name]
    f, x = 30 * draw(3, 16, 16, 6) + 30, 30 * draw(3, 16, 16, 6)  # sums of squares beyond half
    layer = randomised(cls(dtype=policy, **kwargs), f.shape, x.shape)
    plain = cls(**kwargs)
    plain.build(f.shape, x.shape)
    plain.set_weights(layer.get_weights())
    f, x = (ops.cast(v, layer.compute_dtype) for v in (f, x))
    gate = layer.gate(f, x)
    assert keras.backend.standardize_dtype(gate.dtype) == layer.gate_dtype
    expected = to_numpy(plain.gate(ops.cast(f, "float32"), ops.cast(x, "float32")))
    np.testing.assert_allclose(to_numpy(gate), expected, rtol=1e-3, atol=1e-4)
    answer = layer(f, x)
    assert keras.backend.standardize_dtype(answer.dtype) == layer.compute_dtype
    assert np.isfinite(to_numpy(ops.cast(answer, "float32"))).all()


@pytest.mark.parametrize("name", CASES)
def test_sane_on_maps_that_are_dead_constant_or_huge(name):
    cls, kwargs = CASES[name]
    for f, x in (
        (np.zeros((2, 4, 4, 6)), np.zeros((2, 4, 4, 6))),
        (np.full((2, 4, 4, 6), 1e6), np.ones((2, 4, 4, 6))),
        (np.full((2, 1, 1, 6), 2.0), np.full((2, 1, 1, 6), -2.0)),
    ):
        f, x = f.astype("float32"), x.astype("float32")
        gate = to_numpy(_gate(cls(**kwargs), f, x))
        assert np.isfinite(gate).all()
        assert (gate >= 0).all()
        assert (gate <= (2 if name == "gct" else 1)).all()


def _gate(layer, f, x):
    layer(f, x)
    return layer.gate(f, x)


def test_gates_start_where_the_literature_starts_them():
    f, x = draw(4, 6, 6, 8), draw(4, 6, 6, 8)
    for layer, start in (
        (StyleRecalibration(), 0.5),
        (ConstantGate(), 0.5),
        (StepNetAttention("statistics"), 0.5),
        (StepNetAttention("index"), 0.5),
        (GatedChannelTransform(), 1.0),
    ):
        np.testing.assert_allclose(to_numpy(_gate(layer, f, x)), start, atol=1e-6)


def test_kernel_size_follows_the_number_of_channels():
    expected = {8: 3, 16: 3, 64: 3, 128: 5, 256: 5, 512: 5, 1024: 5, 2048: 7}
    for channels, size in expected.items():
        layer = EfficientChannelAttention()
        layer.build((None, 4, 4, channels))
        assert tuple(layer.kernel.shape) == (size,)


def test_pair_never_forms_the_predictor_but_sees_it():
    """By linearity the pair answers the same for [x, x + f] with f swapped about in the map."""
    f, x = draw(3, 6, 6, 8), draw(3, 6, 6, 8)
    shuffled = RNG.permuted(f.reshape(3, 36, 8), axis=1).reshape(f.shape)
    gates = {}
    for variant in ("pair", "statistics"):
        layer = randomised(StepNetAttention(variant, reduction=2), f.shape, x.shape)
        gates[variant] = [to_numpy(layer.gate(v, x)) for v in (f, shuffled)]
    np.testing.assert_allclose(*gates["pair"], rtol=1e-5)
    assert np.abs(np.subtract(*gates["statistics"])).max() > 1e-4


def test_what_has_no_weight_decay():
    f = x = draw(2, 4, 4, 8)
    for layer, names in (
        (SqueezeExcite(), set()),
        (StyleRecalibration(), {"kernel", "gamma", "beta"}),
        (GatedChannelTransform(), {"beta"}),
        (StepNetAttention("pair"), set()),
        (StepNetAttention("index"), {"kernel", "bias"}),
        (StepNetAttention("statistics"), {"kernel", "gamma", "beta"}),
    ):
        layer(f, x)
        assert {v.name for v in layer.no_weight_decay} == names


@pytest.mark.parametrize("name", CASES)
def test_by_name_class_and_object(name):
    cls, kwargs = CASES[name]
    given = cls(name="mine", **kwargs)
    made = attention.get(given)
    assert type(made) is cls
    assert made is not given
    assert made.name != "mine"
    same = {k: v for k, v in made.get_config().items() if k != "name"}
    assert same == {k: v for k, v in given.get_config().items() if k != "name"}
    assert type(attention.get(cls)) is cls


def test_names():
    for name, cls in {
        "se": SqueezeExcite,
        "squeeze_excite": SqueezeExcite,
        "SqueezeExcite": SqueezeExcite,
        "eca": EfficientChannelAttention,
        "efficient_channel_attention": EfficientChannelAttention,
        "cbam": ConvBlockAttention,
        "conv_block_attention": ConvBlockAttention,
        "srm": StyleRecalibration,
        "style_recalibration": StyleRecalibration,
        "gct": GatedChannelTransform,
        "gated_channel_transform": GatedChannelTransform,
        "constant": ConstantGate,
        "constant_gate": ConstantGate,
        "stepnet": StepNetAttention,
        "step_net_attention": StepNetAttention,
        "StepNetAttention": StepNetAttention,
    }.items():
        assert type(attention.get(name)) is cls
    with pytest.raises(ValueError, match=r"Unknown attention.*'squeeze'"):
        attention.get("squeeze")
    with pytest.raises(TypeError, match="a class or function that makes one"):
        attention.get(3)
    with pytest.raises(TypeError, match="without arguments"):
        attention.get(lambda: 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SqueezeExcite(0), r"`reduction` must be a positive number.*reduction=0"),
        (lambda: SqueezeExcite(True), "`reduction` must be a positive number"),
        (lambda: SqueezeExcite(source="state"), r"`source` must be one of.*'state'"),
        (lambda: EfficientChannelAttention(4), r"odd positive integer.*kernel_size=4"),
        (lambda: StepNetAttention("SE"), r"`variant` must be one of.*variant='SE'"),
        (lambda: StepNetAttention(data_format="NCHW"), r"`data_format` must be one of.*'NCHW'"),
        (lambda: StepNetAttention()(draw(2, 4, 4, 8)), r"`shortcut` is needed"),
        (
            lambda: SqueezeExcite(source="shortcut")(draw(2, 4, 4, 8)),
            r"`shortcut` is needed, since this gate looks at it",
        ),
        (
            lambda: StepNetAttention()(draw(2, 4, 4, 8), draw(2, 4, 4, 6)),
            r"must have the shape of `branch`.*\(2, 4, 4, 8\).*\(2, 4, 4, 6\)",
        ),
        (lambda: SqueezeExcite()(draw(5)), "one for channels"),
        (
            lambda: SqueezeExcite()(keras.Input((None, None, None))),
            "number of channels must be known",
        ),
        (lambda: ConvBlockAttention()(draw(2, 2, 2, 2, 2, 4)), "1 to 3 spatial axes"),
        (
            lambda: attention.gate_values(
                keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)]), draw(2, 3)
            ),
            "layer that has a method `gate`",
        ),
    ],
)
def test_errors_say_what_was_expected_and_what_came(make, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        make()


def test_a_subclass_needs_a_gate():
    class Nothing(ChannelAttention):
        pass

    with pytest.raises(NotImplementedError, match="must have a method `gate"):
        Nothing()(draw(2, 3))


def test_ten_lines_of_an_own_model(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(16, 3, padding="same")(inputs)
    slope = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = keras.layers.Add()([x, StepNetAttention()(slope, x)])
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "mse")
    images, targets = draw(64, 8, 8, 3), draw(64, 2)
    losses = model.fit(images, targets, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0), rtol=1e-4, atol=1e-5
    )
