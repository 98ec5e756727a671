"""Products with Jacobians against matrices found without derivatives."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit import spectra
from stepkit._backend import can_jit_compile

RNG = np.random.default_rng()
D = {"dtype": "float64"}
ROUNDING = 1e-5  # Keras takes some products in float32, whatever the dtype


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def differences(f, x, h=1e-6):
    """Central differences, `(f(x).size, x.size)`: the error is about 1e-9 in float64."""
    columns = []
    for e in h * np.eye(x.size).reshape(x.size, *x.shape):
        columns.append((f(x + e) - f(x - e)).ravel() / (2 * h))
    return np.stack(columns, axis=1)


def dense(w, x):
    return np.tanh(x @ w[0] + w[1])


def layer_norm(w, x):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-3) * w[0] + w[1]


def model(w, x):
    """Dense, batch normalisation (gamma, beta, mean, variance), dense."""
    z = (np.tanh(x @ w[0] + w[1]) - w[4]) / np.sqrt(w[5] + 1e-3) * w[2] + w[3]
    return z @ w[6] + w[7]


def convolution(w, x):
    """3 x 3, stride 2, zero padding, written as sums."""
    y = np.zeros((len(x), -(-x.shape[1] // 2), -(-x.shape[2] // 2), w[0].shape[-1]))
    lack = [2 * m + 1 - n for m, n in zip(y.shape[1:3], x.shape[1:3], strict=True)]
    x = np.pad(x, ((0, 0), *((max(n, 0) // 2, 3) for n in lack), (0, 0)))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            patch = x[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            y[:, i, j] = np.tensordot(patch, w[0], axes=3) + w[1]
    return y


LAYERS = {
    "dense": (lambda: layers.Dense(3, activation="tanh", **D), dense, (2, 4)),
    "conv": (
        lambda: layers.Conv2D(2, 3, strides=2, padding="same", **D),
        convolution,
        (2, 5, 4, 1),
    ),
    "layer_norm": (lambda: layers.LayerNormalization(**D), layer_norm, (3, 4)),
    "model": (
        lambda: keras.Sequential(
            [layers.Dense(5, "tanh", **D), layers.BatchNormalization(**D), layers.Dense(2, **D)]
        ),
        model,
        (3, 4),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_products_are_those_of_the_matrix(name):
    make, forward, shape = LAYERS[name]
    layer, x = make(), RNG.normal(size=shape)
    operator = spectra.jacobian_operator(layer, x)  # builds the layer
    for variable in layer.variables:
        variable.assign(RNG.uniform(0.5, 1.5, size=tuple(variable.shape)))
    operator = operator.at(x)
    weights = [to_numpy(v) for v in layer.weights]
    matrix = differences(lambda x: forward(weights, x), x)
    assert operator.input_shape == shape
    assert operator.output_shape == forward(weights, x).shape
    limit = ROUNDING * np.linalg.norm(matrix) * 10
    np.testing.assert_allclose(to_numpy(operator.output), forward(weights, x), atol=limit)
    v, u = RNG.normal(size=shape), RNG.normal(size=operator.output_shape)
    v, u = v / np.linalg.norm(v), u / np.linalg.norm(u)
    for product in (operator, operator.matvec):
        received = to_numpy(product(v))
        assert received.shape == operator.output_shape
        np.testing.assert_allclose(received.ravel(), matrix @ v.ravel(), atol=limit)
    received = to_numpy(operator.rmatvec(u))
    assert received.shape == shape
    np.testing.assert_allclose(received.ravel(), matrix.T @ u.ravel(), atol=limit)
    np.testing.assert_allclose(
        to_numpy(operator.gram(v)).ravel(),
        matrix.T @ (matrix @ v.ravel()),
        atol=limit * np.linalg.norm(matrix),
    )


def test_functions_of_arrays_and_of_structures():
    x = RNG.normal(size=3)
    operator = spectra.jacobian_operator(lambda x: ops.stack([ops.sum(x * x), x[0]]), x)
    matrix = np.array([2 * x, [1, 0, 0]])
    v, u = RNG.normal(size=3), RNG.normal(size=2)
    np.testing.assert_allclose(to_numpy(operator(v)), matrix @ v, atol=1e-12)
    np.testing.assert_allclose(to_numpy(operator(list(v))), matrix @ v, atol=1e-12)
    np.testing.assert_allclose(to_numpy(operator.rmatvec(u)), matrix.T @ u, atol=1e-12)

    pair = [RNG.normal(size=2), RNG.normal(size=2)]
    operator = spectra.jacobian_operator(lambda p: {"product": p[0] * p[1]}, pair)
    assert operator.input_shape == [(2,), (2,)]
    assert operator.output_shape == {"product": (2,)}
    v = [RNG.normal(size=2), RNG.normal(size=2)]
    expected = v[0] * pair[1] + pair[0] * v[1]
    np.testing.assert_allclose(to_numpy(operator(v)["product"]), expected, atol=1e-12)
    first, second = operator.rmatvec({"product": v[0]})
    np.testing.assert_allclose(to_numpy(first), v[0] * pair[1], atol=1e-12)
    np.testing.assert_allclose(to_numpy(second), v[0] * pair[0], atol=1e-12)


def test_a_batch_is_block_diagonal_and_is_handled_at_once():
    kernel, x = RNG.normal(size=(4, 4)), RNG.normal(size=(3, 4))
    tensor = ops.convert_to_tensor(kernel)
    operator = spectra.jacobian_operator(lambda x: (x @ tensor) ** 3, x)
    blocks = np.stack([(kernel * 3 * (row @ kernel) ** 2).T for row in x])
    found = spectra.arnoldi(operator, order=4, per_sample=True).values
    for values, block in zip(found, blocks, strict=True):
        exact = np.linalg.eigvals(block)
        gaps = np.abs(values[:, None] - exact)
        assert np.max(np.min(gaps, axis=0)) < 1e-8 * np.linalg.norm(block)
        assert np.max(np.min(gaps, axis=1)) < 1e-8 * np.linalg.norm(block)
    top = spectra.lanczos(operator.gram, operator.like, 4, per_sample=True).values[:, 0]
    np.testing.assert_allclose(np.sqrt(to_numpy(top)), np.linalg.norm(blocks, 2, axis=(1, 2)))
    trace = spectra.hutchinson_trace(operator, num_probes=2, per_sample=True)
    assert to_numpy(trace.samples).shape == (2, 3)


def test_layers_answer_as_in_inference_and_keep_their_state():
    layer = keras.Sequential([layers.BatchNormalization(**D), layers.Dropout(0.5, seed=1)])
    x = RNG.normal(size=(4, 3))
    layer(x)
    norm = layer.layers[0]
    scale = RNG.uniform(0.5, 2, size=3)
    norm.moving_variance.assign(scale**2 - norm.epsilon)
    before = [to_numpy(v) for v in layer.variables]
    operator = spectra.jacobian_operator(layer, x)
    v = RNG.normal(size=(4, 3))
    np.testing.assert_allclose(to_numpy(operator(v)), v / scale, rtol=ROUNDING)
    np.testing.assert_allclose(to_numpy(operator.rmatvec(v)), v / scale, rtol=ROUNDING)
    for variable, old in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(to_numpy(variable), old)


def test_an_operator_is_a_snapshot_and_at_takes_a_new_one():
    layer, x = layers.Dense(2, use_bias=False, **D), RNG.normal(size=(1, 3))
    operator = spectra.jacobian_operator(layer, x)
    old = to_numpy(layer.kernel)
    v = RNG.normal(size=(1, 3))
    np.testing.assert_allclose(to_numpy(operator(v)), v @ old, atol=ROUNDING)
    layer.kernel.assign(2 * old)
    np.testing.assert_allclose(to_numpy(operator(v)), v @ old, atol=ROUNDING)
    other = operator.at(RNG.normal(size=(5, 3)))
    w = RNG.normal(size=(5, 3))
    np.testing.assert_allclose(to_numpy(other(w)), w @ (2 * old), atol=ROUNDING)
    np.testing.assert_allclose(to_numpy(operator(v)), v @ old, atol=ROUNDING)
    assert (operator.input_shape, other.input_shape) == ((1, 3), (5, 3))


def test_at_uses_the_compiled_program_again():
    """The layer's Python code runs once per trace."""
    calls = []

    class Counting(layers.Layer):
        def call(self, x):
            calls.append(1)
            return x * x

    x = RNG.normal(size=(2, 3)).astype("float32")
    operator = spectra.jacobian_operator(Counting(), x)
    operator(x)
    calls.clear()
    np.testing.assert_allclose(to_numpy(operator.at(3 * x)(x)), 6 * x * x, rtol=1e-5)
    # once for the output; where nothing is compiled, once more for the product
    assert len(calls) == (1 if can_jit_compile() else 2)


def test_numpy_vectors_stay_numpy_in_the_algorithms():
    layer, x = layers.Dense(3, use_bias=False, **D), np.zeros((1, 3))
    layer.build((1, 3))
    a = RNG.normal(size=(3, 3))
    layer.kernel.assign(a + a.T)
    operator = spectra.jacobian_operator(layer, x)
    ritz = spectra.lanczos(operator, RNG.normal(size=(1, 3)), order=3)
    assert isinstance(ritz.values, np.ndarray)
    np.testing.assert_allclose(
        ritz.values, np.linalg.eigvalsh(a + a.T)[::-1], atol=ROUNDING * np.linalg.norm(a)
    )


def test_mixed_precision_takes_float32_vectors():
    layer = layers.Dense(3, dtype="mixed_bfloat16", use_bias=False)
    operator = spectra.jacobian_operator(layer, np.ones((1, 2)))
    v = np.array([[1.0, 0.0]], "float32")
    np.testing.assert_allclose(
        to_numpy(ops.cast(operator(v), "float32"))[0], to_numpy(layer.kernel)[0], rtol=2**-7
    )
    assert keras.backend.standardize_dtype(operator.rmatvec(np.ones((1, 3))).dtype) == "float32"


def test_wrong_arguments():
    with pytest.raises(TypeError, match="`layer` must be a layer or a callable"):
        spectra.jacobian_operator(3, np.ones(2))
    operator = spectra.jacobian_operator(lambda x: x[:2], np.ones(3))
    with pytest.raises(ValueError, match=r"`v` must have shape \[\(3,\)\]. Received: \[\(2,\)\]"):
        operator(np.ones(2))
    with pytest.raises(ValueError, match=r"`u` must have shape"):
        operator.rmatvec(np.ones(3))
    with pytest.raises(ValueError, match="must have the shape"):
        spectra.power_iteration(operator)  # not square
    with pytest.raises(ValueError, match="real"):
        spectra.jacobian_operator(lambda x: x, np.ones(3, complex))
