"""cifar_resnet: counts of the literature, the same network in PyTorch, solvers, masks, errors."""

import keras
import numpy as np
import pytest
from keras import ops

from stepkit import attention, ode
from stepkit._backend import can_jit_compile
from stepkit.layers import residual_blocks
from stepkit.models import cifar_resnet
from stepkit.stiffness import neural_stiffness_index

RNG = np.random.default_rng()
IMAGE = (8, 8, 1)


def small(**kwargs):
    return cifar_resnet(**{"depth": 20, "width": 4, "input_shape": IMAGE, **kwargs})


def images(count=6):
    return RNG.normal(size=(count, *IMAGE)).astype("float32")


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


# Trainable weights of the CIFAR-100 networks; sources and own counts in the literature's tables.
PLAIN = {164: 1_727_284, 83: 892_660, 38: 428_980, 20: 243_508}
WITH_GATES = {
    "squeeze_excite": 1_929_388,
    "efficient_channel_attention": 1_727_518,
    "style_recalibration": 1_759_540,
    "gated_channel_transform": 1_751_476,
    "conv_block_attention": 1_934_788,
    "stepnet": 2_026_156,
    "statistics": 1_775_668,
    "index": 1_743_412,
}


@pytest.mark.parametrize("depth", PLAIN)
def test_weights_without_attention(depth):
    assert trainable(cifar_resnet(depth, None, 100)) == PLAIN[depth]


@pytest.mark.parametrize("name", WITH_GATES)
def test_weights_with_attention(name):
    """Counted on 18 gates of each width, which is what ResNet-164 adds to the plain network."""
    variants = ("statistics", "index")
    gate = attention.StepNetAttention(name) if name in variants else name
    added = 0
    for channels in (64, 128, 256):
        layer = attention.get(gate)
        layer.build((None, 8, 8, channels), (None, 8, 8, channels))
        added += 18 * trainable(layer)
    assert PLAIN[164] + added == WITH_GATES[name]


@pytest.mark.slow
@pytest.mark.parametrize("classes", [(10, 869_530), (100, 892_660)])
def test_resnet_83_in_full(classes):
    number, count = classes
    model = cifar_resnet(83, "stepnet", number)
    gates = [w for w in model.trainable_weights if "attention" in w.path]
    assert trainable(model) - sum(int(np.prod(w.shape)) for w in gates) == count
    assert trainable(model) - count == (2_026_156 - 1_727_284) // 2


def test_matched_squeeze_excite_has_the_weights_of_the_pair():
    pair = trainable(small(attention="stepnet", width=16))
    matched = trainable(small(attention=attention.SqueezeExcite(32 / 3), width=16))
    assert abs(pair - matched) / pair < 1e-3


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("block", ["bottleneck", "basic"])
def test_same_answers_as_pytorch(block, training):
    torch = pytest.importorskip("torch")
    if keras.config.image_data_format() != "channels_last":
        pytest.skip("written for channels last")
    depth = 20
    model = small(depth=depth, block=block, classifier_activation=None, input_shape=(12, 12, 3))
    for weight in model.weights:
        noise = RNG.uniform(0.5, 1.5, size=tuple(weight.shape))
        if weight.dtype == "float32":
            weight.assign(noise if "variance" in weight.path else weight + 0.1 * noise)
    from helpers.torch_resnet import twin

    other = twin(model, (depth - 2) // (9 if block == "bottleneck" else 6), 4, block)
    other.train(training)
    x = RNG.normal(size=(5, 12, 12, 3)).astype("float32")
    with torch.no_grad():
        expected = other(torch.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))).numpy()
    received = to_numpy(model(x, training=training))
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("gate", [None, "stepnet"])
def test_the_solver_can_be_exchanged(gate):
    plain = small(attention=gate, step_size=0.5)
    x = images()
    solved = small(attention=gate, step_size=0.5, solver=ode.get("euler"))
    solved.set_weights(plain.get_weights())
    np.testing.assert_allclose(to_numpy(solved(x)), to_numpy(plain(x)), rtol=1e-4, atol=1e-5)
    finer = small(attention=gate, step_size=0.5, solver="rk4")
    finer.set_weights(plain.get_weights())
    assert np.abs(to_numpy(finer(x)) - to_numpy(plain(x))).max() > 1e-6
    still = small(attention=gate, step_size=1e-6, solver="rk4")
    still.set_weights(plain.get_weights())
    barely = small(attention=gate, step_size=1e-6)
    barely.set_weights(plain.get_weights())
    np.testing.assert_allclose(to_numpy(still(x)), to_numpy(barely(x)), rtol=1e-4, atol=1e-5)


def test_the_step_size_is_in_the_applied_index_alone():
    model, x = small(attention="constant", step_size=0.25), images()
    raw, applied = (neural_stiffness_index(model, x, w).values for w in ("raw", "applied"))
    np.testing.assert_allclose(applied, 0.125 * raw, rtol=1e-4)


def kernels(model):
    return [to_numpy(layer.kernel) for layer in model.layers if hasattr(layer, "kernel")]


def test_no_two_convolutions_start_alike_and_seeds_count():
    found = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        found.append(kernels(small(attention="stepnet")))
    first, again, other = found
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)
    for i, a in enumerate(first):
        assert not any(a.shape == b.shape and np.array_equal(a, b) for b in first[:i])


def test_convolutions_start_as_the_literature_draws_them():
    for layer in small(width=16).layers:
        if isinstance(layer, keras.layers.Conv2D):
            height, width, _, out = layer.kernel.shape
            values = to_numpy(layer.kernel)
            assert values.std() == pytest.approx((2 / (height * width * out)) ** 0.5, rel=0.2)


def test_blocks_and_their_names():
    model = small(attention="se")
    blocks = residual_blocks(model)
    assert [b.name for b in blocks] == [f"stage{s}_block{i}" for s in (1, 2, 3) for i in (1, 2)]
    assert [b.projection for b in blocks] == [True, False] * 3
    assert [b.attention.name for b in blocks] == [f"{b.name}_attention" for b in blocks]
    basic = residual_blocks(small(depth=14, block="basic"))
    assert [b.projection for b in basic] == [False, False, True, False, True, False]


def test_gates_at_some_blocks_only():
    mask = [True, False, False, True, False, True]
    model = small(attention="stepnet", attention_blocks=mask)
    assert [b.attention is not None for b in residual_blocks(model)] == mask
    assert list(attention.gate_values(model, images())) == [
        b.name for b, gated in zip(residual_blocks(model), mask, strict=True) if gated
    ]


@keras.saving.register_keras_serializable(package="tests")
class Half(keras.layers.Layer):
    """What a learner may write: one argument, no `gate`."""

    def call(self, branch):
        return 0.5 * branch


@keras.saving.register_keras_serializable(package="tests")
class Seen(keras.layers.Layer):
    """Two arguments and a gate."""

    def gate(self, branch, shortcut=None):
        return ops.sigmoid(shortcut)

    def call(self, branch, shortcut=None):
        return branch * self.gate(branch, shortcut)


@pytest.mark.parametrize("cls", [Half, Seen])
def test_a_learners_own_class(cls, tmp_path):
    model = small(attention=cls)
    layers = [layer for layer in model.layers if isinstance(layer, cls)]
    assert len(layers) == 6
    assert len({id(layer) for layer in layers}) == 6
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = images(16)
    model.fit(x, np.arange(16) % 10, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(to_numpy(loaded(x)), to_numpy(model(x)), rtol=1e-4, atol=1e-5)
    assert len(neural_stiffness_index(model, x).names) == 3


@pytest.mark.parametrize("jit", ["auto", True])
@pytest.mark.parametrize("gate", ["stepnet", "srm", "cbam"])
def test_training_lowers_the_loss(gate, jit):
    if jit is True and not can_jit_compile():
        pytest.skip("torch's compiler takes very long")
    model = small(depth=11, attention=gate)
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        "sparse_categorical_crossentropy",
        jit_compile=jit,
    )
    labels = np.arange(32) % 4
    x = images(32) + labels[:, None, None, None]
    losses = model.fit(x, labels, epochs=8, batch_size=32, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]


def test_half_precision_ends_in_single():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small(attention="stepnet")
    finally:
        keras.config.set_dtype_policy("float32")
    answer = model(images())
    assert keras.backend.standardize_dtype(answer.dtype) == "float32"
    np.testing.assert_allclose(to_numpy(answer).sum(axis=-1), 1.0, rtol=1e-5)


def test_same_weights_load_from_a_file(tmp_path):
    model, other = small(attention="stepnet"), small(attention="stepnet")
    model.save_weights(tmp_path / "x.weights.h5")
    other.load_weights(tmp_path / "x.weights.h5")
    x = images()
    np.testing.assert_allclose(to_numpy(other(x)), to_numpy(model(x)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"depth": 21}, ValueError, r"9 n \+ 2 with bottleneck blocks.*20.*depth=21"),
        ({"depth": 2}, ValueError, r"9 n \+ 2"),
        ({"depth": 22, "block": "basic"}, ValueError, r"6 n \+ 2 with basic blocks"),
        ({"block": "wide"}, ValueError, r"`block` must be one of.*'wide'"),
        ({"attention": "sea"}, ValueError, r"Unknown attention"),
        ({"attention": 3}, TypeError, r"`attention` must be a name"),
        ({"attention": "se", "attention_blocks": [True]}, ValueError, r"each of the 6 blocks"),
        ({"attention_blocks": [True] * 6}, ValueError, r"needs an `attention` to place"),
        (
            {"attention": keras.layers.GlobalAveragePooling2D},
            ValueError,
            r"must return the gated branch.*GlobalAveragePooling2D",
        ),
    ],
)
def test_errors(kwargs, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        small(**kwargs)
