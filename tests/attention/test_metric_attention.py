"""Metric attention against the sum of squared differences, and what its theory promises."""

import keras
import numpy as np
import pytest
from keras import ops

from stepkit._backend import can_jit_compile, vjp
from stepkit.attention import MetricAttention
from stepkit.testing import check_layer

RNG = np.random.default_rng()
NORMALISATIONS = ("softmax", "double", "diffusion", "sinkhorn")


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def draw(*shape):
    return RNG.normal(size=shape).astype("float32")


def heads_of(x, heads):
    return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3).astype("float64")


def weights_by_differences(layer, x, other, mask=None):
    """S in double precision from all differences, one normalisation after the other."""
    points = [
        heads_of(to_numpy(layer.embed(ops.convert_to_tensor(v))), layer.num_heads)
        for v in (x, other)
    ]
    squares = ((points[0][:, :, :, None] - points[1][:, :, None]) ** 2).sum(-1)
    kernel = np.exp(-squares / layer.temperature)
    if mask is not None:
        kernel = kernel * mask

    def normal(k, axis):
        total = k.sum(axis=axis, keepdims=True)
        return k / np.where(total, total, 1.0)

    if layer.normalisation == "double":
        kernel = normal(kernel, -2)
    elif layer.normalisation == "diffusion":
        degree = kernel.sum(-1)
        degree = np.where(degree, degree, 1.0)
        kernel = kernel / degree[..., :, None] / degree[..., None, :]
    elif layer.normalisation == "sinkhorn":
        for _ in range(layer.num_iterations // 2):
            kernel = normal(normal(kernel, -1), -2)
    return normal(kernel, -1)


@pytest.mark.parametrize("metric", ["mlp", "linear"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_weights_and_output_by_all_differences(normalisation, masked, metric):
    x, heads = draw(2, 7, 6), int(RNG.choice([1, 2, 3]))
    layer = MetricAttention(heads, metric=metric, normalisation=normalisation, temperature=1.7)
    mask = RNG.random((2, 7, 7)) < 0.7 if masked else None
    if masked:
        mask[0, 3] = False
    out, scores = layer(x, attention_mask=mask, return_attention_scores=True)
    expected = weights_by_differences(layer, x, x, None if mask is None else mask[:, None])
    np.testing.assert_allclose(to_numpy(scores), expected, atol=2e-5)
    mixed = (expected @ heads_of(x, heads)).transpose(0, 2, 1, 3).reshape(x.shape)
    np.testing.assert_allclose(to_numpy(out), mixed, atol=1e-4)
    if masked:
        assert not to_numpy(out)[0, 3].any()


@pytest.mark.parametrize("normalisation", ["softmax", "double", "sinkhorn"])
def test_other_points(normalisation):
    x, context = draw(2, 5, 4), draw(2, 8, 4)
    layer = MetricAttention(2, normalisation=normalisation)
    out, scores = layer(x, context, return_attention_scores=True)
    expected = weights_by_differences(layer, x, context)
    np.testing.assert_allclose(to_numpy(scores), expected, atol=2e-5)
    mixed = (expected @ heads_of(context, 2)).transpose(0, 2, 1, 3).reshape(x.shape)
    np.testing.assert_allclose(to_numpy(out), mixed, atol=1e-4)


def value_and_gradient(function, x, seen):
    """As training does it: torch's own tape can compute again, that of `torch.func` cannot."""
    if keras.backend.backend() != "torch":
        value, pull = vjp(function, x)
        return to_numpy(value), to_numpy(pull(ops.convert_to_tensor(seen))[0])
    x = ops.convert_to_tensor(x).requires_grad_()
    value = function(x)
    (value * ops.convert_to_tensor(seen)).sum().backward()
    return to_numpy(value), to_numpy(x.grad)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("masked", [False, True])
def test_chunks_change_neither_values_nor_gradients(normalisation, masked):
    x, seen = draw(2, 7, 4), draw(2, 7, 4)
    mask = RNG.random((7, 7)) < 0.7 if masked else None
    results = []
    weights = None
    for chunk in (None, 3):
        layer = MetricAttention(2, normalisation=normalisation, chunk_size=chunk, use_value=True)
        layer.build(x.shape)
        weights = weights or layer.get_weights()
        layer.set_weights(weights)
        results.append(
            value_and_gradient(lambda v, layer=layer: layer(v, attention_mask=mask), x, seen)
        )
    for whole, parts in zip(*results, strict=True):
        np.testing.assert_allclose(parts, whole, atol=1e-4)


def test_double_is_diffusion_where_nothing_breaks_the_symmetry():
    x = 0.3 * draw(1, 6, 4)  # near each other: far apart each would see itself alone
    mask = np.tril(np.ones((6, 6), bool))
    double, diffusion = (MetricAttention(normalisation=n) for n in ("double", "diffusion"))
    for layer in (double, diffusion):
        layer.build(x.shape)
    diffusion.set_weights(double.get_weights())
    np.testing.assert_allclose(to_numpy(double(x)), to_numpy(diffusion(x)), atol=1e-5)
    apart = abs(to_numpy(double(x, attention_mask=mask) - diffusion(x, attention_mask=mask)))
    assert apart.max() > 1e-3


def test_what_the_theory_promises():
    x = draw(1, 9, 5)
    layer = MetricAttention()
    _, scores = layer(x, return_attention_scores=True)
    s = to_numpy(scores)[0, 0].astype("float64")
    np.testing.assert_allclose(s.sum(axis=1), 1.0, atol=1e-5)
    assert (s.argmax(axis=1) == np.arange(9)).all()  # nothing is nearer than the point itself
    values = np.linalg.eigvals(s)
    assert abs(values.imag).max() < 1e-5
    assert values.real.min() > -1e-5
    assert values.real.max() == pytest.approx(1.0, abs=1e-5)
    order = RNG.permutation(9)
    np.testing.assert_allclose(
        to_numpy(layer(x[:, order])), to_numpy(layer(x))[:, order], atol=1e-5
    )
    # S is a kernel over its degrees, so propagation never raises the Dirichlet energy.
    points = heads_of(to_numpy(layer.embed(ops.convert_to_tensor(x))), 1)[0, 0]
    kernel = np.exp(-((points[:, None] - points) ** 2).sum(-1))
    laplacian = np.diag(kernel.sum(1)) - kernel
    h, energies = x[0].astype("float64"), []
    for _ in range(6):
        energies.append(np.trace(h.T @ laplacian @ h))
        h = s @ h
    assert (np.diff(energies) <= 1e-9).all()


def test_a_rotation_of_the_embedded_points_changes_no_weight():
    x = draw(1, 6, 4)
    rotation = np.linalg.qr(RNG.normal(size=(4, 4)))[0].astype("float32")
    layer = MetricAttention(metric="linear")
    _, before = layer(x, return_attention_scores=True)
    (kernel,) = layer.get_weights()
    layer.set_weights([kernel @ rotation])
    _, after = layer(x, return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(after), to_numpy(before), atol=1e-5)


@pytest.mark.parametrize(
    ("size", "arguments", "count"),
    [
        (100, {}, 20_200),
        (64, {}, 8_320),
        (10, {}, 220),
        (512, {}, 525_312),
        (100, {"metric": "linear"}, 10_000),
        (10, {"hidden_dim": 3}, 2 * 30 + 3 + 10),
        (10, {"use_value": True, "num_heads": 5}, 220 + 200),
    ],
)
def test_weights(size, arguments, count):
    layer = MetricAttention(**arguments)
    layer.build((None, 4, size))
    assert layer.count_params() == count


@pytest.mark.parametrize("arguments", [
    {"num_heads": 2},
    {"normalisation": "sinkhorn", "metric": "linear", "num_iterations": 3},
    {"normalisation": "diffusion", "use_value": True, "chunk_size": 2, "hidden_dim": 3},
])  # fmt: skip
def test_conformance(arguments):
    check_layer(MetricAttention, arguments, input_shape=(3, 5, 4))


def test_half_precision_computes_weights_in_full():
    layer = MetricAttention(dtype="mixed_float16")
    x = (100.0 + draw(1, 6, 4)).astype("float16")
    out, scores = layer(x, return_attention_scores=True)
    assert out.dtype == scores.dtype or str(out.dtype).endswith("float16")
    assert np.isfinite(to_numpy(out).astype("float32")).all()
    sums = to_numpy(scores).astype("float32").sum(axis=-1)
    np.testing.assert_allclose(sums, 1.0, atol=5e-3)


def test_a_sequence_of_any_length():
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, MetricAttention(2)(inputs))
    for n in (3, 8):
        assert to_numpy(model(draw(2, n, 4))).shape == (2, n, 4)


@pytest.mark.parametrize("jit", [False, True])
def test_it_trains(jit):
    if jit and not can_jit_compile():
        pytest.skip("nothing compiles here")
    inputs = keras.Input((6, 4))
    x = MetricAttention(2, chunk_size=4, use_value=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(x)))
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit)
    x = draw(32, 6, 4)
    y = (x**2).mean(axis=(1, 2))[:, None]
    losses = model.fit(x, y, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


X = np.zeros((2, 5, 4), "float32")
WRONG = [
    (lambda: MetricAttention(3)(X), r"divisible by 3 heads.*\(2, 5, 4\)"),
    (lambda: MetricAttention()(X, X[..., :2]), r"as many channels as `x`, 4.*\(2, 5, 2\)"),
    (lambda: MetricAttention()(X, attention_mask=np.ones((5, 4), bool)), r"\(5, 5\).*\(5, 4\)"),
    (lambda: MetricAttention()(X, attention_mask=np.ones(5, bool)), r"shape \(5,\)"),
    (lambda: MetricAttention(normalisation="diffusion")(X, X), "one set of points"),
    (lambda: MetricAttention(normalisation="rows"), "one of.*'rows'"),
    (lambda: MetricAttention(metric="l2"), "one of.*'l2'"),
    (lambda: MetricAttention(temperature=0), "positive.*temperature=0"),
    (lambda: MetricAttention(num_heads=0), "positive int.*num_heads=0"),
    (lambda: MetricAttention(num_iterations=4), "odd.*num_iterations=4"),
    (lambda: MetricAttention(chunk_size=2)(keras.Input((None, 4))), "must be known"),
]


@pytest.mark.parametrize(("act", "words"), WRONG)
def test_errors_say_what_was_expected_and_what_came(act, words):
    with pytest.raises(ValueError, match=words):
        act()
