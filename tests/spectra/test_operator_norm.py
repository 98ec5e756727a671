"""Operator norms against the dense SVD of matrices found by feeding in unit vectors."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit import spectra
from stepkit._backend import can_jit_compile, compiled, grad

RNG = np.random.default_rng()
D = {"dtype": "float64"}
ROUNDING = 1e-5  # Keras takes some products in float32, whatever the dtype

AFFINE = {
    "dense": (lambda: layers.Dense(5, **D), (7,)),
    "conv1d_stride_valid": (lambda: layers.Conv1D(3, 3, strides=2, **D), (9, 2)),
    "conv1d_causal": (lambda: layers.Conv1D(2, 3, padding="causal", dilation_rate=2, **D), (8, 2)),
    "conv2d_stride_same": (
        lambda: layers.Conv2D(3, 3, strides=2, padding="same", **D),
        (6, 5, 2),
    ),
    "conv2d_stride_valid": (lambda: layers.Conv2D(2, (3, 2), strides=(1, 2), **D), (5, 6, 2)),
    "depthwise": (lambda: layers.DepthwiseConv2D(3, padding="same", **D), (5, 5, 2)),
    "pooling": (lambda: layers.AveragePooling1D(2, **D), (6, 2)),
    "model": (
        lambda: keras.Sequential(
            [
                layers.Conv2D(2, 3, padding="same", **D),
                layers.BatchNormalization(**D),
                layers.Flatten(**D),
                layers.Dense(4, **D),
            ]
        ),
        (3, 3, 2),
    ),
}


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def matrix_of(layer, shape):
    """The matrix of an affine layer, a column per unit vector, all fed in as one batch."""
    n = int(np.prod(shape))
    images = to_numpy(layer(np.eye(n).reshape(n, *shape))).reshape(n, -1)
    return (images - to_numpy(layer(np.zeros((1, *shape)))).reshape(1, -1)).T


def made(name):
    make, shape = AFFINE[name]
    layer = make()
    layer.build((None, *shape))
    for variable in layer.variables:  # also biases and moving averages
        if variable.dtype == "float64":
            signs = 1 if "variance" in variable.name else RNG.choice([-1, 1], size=variable.shape)
            variable.assign(signs * RNG.uniform(0.5, 2, size=tuple(variable.shape)))
    return layer, shape


@pytest.mark.parametrize("name", AFFINE)
def test_affine_layers(name):
    """The Rayleigh quotient misses s1^2 by at most tan^2 (s2 / s1)^(4 k) of it: a theorem.

    tan is that of the angle between start and first singular vector.
    """
    layer, shape = made(name)
    matrix = matrix_of(layer, shape)
    _, s, vt = np.linalg.svd(matrix)
    s = np.append(s, 0.0)
    v0, k = RNG.normal(size=(1, *shape)), 30
    cos = abs(vt[0] @ v0.ravel()) / np.linalg.norm(v0)
    bound = (1 / cos**2 - 1) * (s[1] / s[0]) ** (4 * k)
    norm, vector = spectra.operator_norm(layer, (None, *shape), k, v0=v0, return_vector=True)
    norm = float(to_numpy(norm))
    assert norm <= s[0] * (1 + ROUNDING)
    assert norm**2 >= s[0] ** 2 * (1 - bound - ROUNDING)
    assert norm >= 0.9 * s[0]  # whatever the gap: ln(n) / k of s1^2
    v = to_numpy(vector).ravel()
    assert np.linalg.norm(v) == pytest.approx(1)
    assert np.linalg.norm(matrix @ v) == pytest.approx(norm, rel=ROUNDING)


def test_affine_layers_have_one_norm_at_any_point_of_any_batch():
    layer, shape = made("conv2d_stride_same")
    exact = np.linalg.norm(matrix_of(layer, shape), 2)
    norms = spectra.operator_norm(layer, RNG.normal(size=(3, *shape)), 30, per_sample=True)
    np.testing.assert_allclose(to_numpy(norms), [exact] * 3, rtol=0.1)


def test_reshaped_kernel_is_something_else():
    """A kernel of ones: reshaped it has the norm sqrt(3), as a layer almost 3."""
    layer = layers.Conv1D(1, 3, padding="same", use_bias=False, kernel_initializer="ones", **D)
    norm = float(to_numpy(spectra.operator_norm(layer, (1, 6, 1), num_steps=40)))
    # tridiagonal Toeplitz: 1 + 2 cos(pi / (n + 1))
    assert norm == pytest.approx(1 + 2 * np.cos(np.pi / 7), rel=ROUNDING)
    reshaped = np.linalg.norm(to_numpy(layer.kernel).reshape(-1, 1), 2)
    assert reshaped == pytest.approx(np.sqrt(3))


def test_reshaped_kernel_is_something_else_in_2d():
    """With stride 2, windows of 3 x 3 overlap by one row and one column."""
    layer = layers.Conv2D(
        3, 3, strides=2, padding="same", use_bias=False, kernel_initializer="ones", **D
    )
    norm = float(to_numpy(spectra.operator_norm(layer, (1, 8, 8, 2), num_steps=30)))
    exact = np.linalg.norm(matrix_of(layer, (8, 8, 2)), 2)
    reshaped = np.linalg.norm(to_numpy(layer.kernel).reshape(-1, 3), 2)
    assert norm == pytest.approx(exact, rel=ROUNDING)
    assert exact > 1.2 * reshaped


def test_nonlinear_layers_have_the_norm_of_the_jacobian_at_x():
    layer, x = layers.Dense(3, activation="tanh", **D), RNG.normal(size=(4, 5))
    norms = spectra.operator_norm(layer, x, 300, 1e-3, per_sample=True)
    kernel, bias = map(to_numpy, layer.weights)
    exact = [np.linalg.norm(kernel * (1 - np.tanh(row @ kernel + bias) ** 2), 2) for row in x]
    np.testing.assert_allclose(to_numpy(norms), exact, rtol=1e-3)
    whole = spectra.operator_norm(layer, x, 300)
    assert to_numpy(whole).shape == ()
    assert float(to_numpy(whole)) == pytest.approx(max(exact), rel=0.02)
    assert float(to_numpy(whole)) <= max(exact) * (1 + ROUNDING)


def test_functions_and_operators():
    a = RNG.normal(size=(3, 4))
    tensor = ops.convert_to_tensor(a, dtype="float64")

    def f(x):
        return (tensor @ x[:, None])[:, 0]

    exact = np.linalg.norm(a, 2)
    assert float(spectra.operator_norm(f, np.ones(4), 5000, 1e-10)) == pytest.approx(exact)
    operator = spectra.jacobian_operator(f, np.ones(4))
    assert float(spectra.operator_norm(operator, num_steps=5000, tol=1e-10)) == pytest.approx(exact)


def test_an_operator_follows_the_weights_without_a_new_trace():
    layer = layers.Dense(3, use_bias=False, **D)
    operator = spectra.jacobian_operator(layer, np.zeros((1, 4)))
    first = float(to_numpy(spectra.operator_norm(operator)))
    layer.kernel.assign(2 * to_numpy(layer.kernel))
    second = float(to_numpy(spectra.operator_norm(operator.at(np.zeros((1, 4))))))
    assert second == pytest.approx(2 * first, rel=ROUNDING)
    # other settings are other programs
    coarse = float(to_numpy(spectra.operator_norm(operator, num_steps=1)))
    assert coarse < first * (1 - 1e-6)
    assert to_numpy(spectra.operator_norm(operator, per_sample=True)).shape == (1,)


def test_zero_layers_have_norm_zero_and_a_finite_gradient():
    def norm(kernel):
        return spectra.operator_norm(lambda x: x @ kernel, np.ones((1, 3)), 5)

    kernel = ops.zeros((3, 2), dtype="float64")
    assert float(norm(kernel)) == 0.0
    np.testing.assert_array_equal(to_numpy(grad(norm)(kernel)), np.zeros((3, 2)))


@pytest.mark.parametrize("wrap", [lambda f: f, compiled], ids=["eager", "compiled"])
def test_gradient_is_the_outer_product_of_the_singular_vectors(wrap):
    a = RNG.normal(size=(4, 3))
    u, _, vt = np.linalg.svd(a)

    def norm(kernel):
        return spectra.operator_norm(lambda x: x @ kernel, np.ones((1, 4)), 3000, 1e-11)

    slope = wrap(grad(norm))(ops.convert_to_tensor(a, dtype="float64"))
    np.testing.assert_allclose(to_numpy(slope), np.outer(u[:, 0], vt[0]), atol=1e-6)


def test_gradient_in_the_kernel_of_a_convolution():
    """Against central differences of the dense norm, in a random direction."""
    kernel, direction = RNG.normal(size=(2, 3, 2, 2))

    def convolve(x, kernel):
        return ops.conv(x, kernel, strides=2, padding="same")

    def exact(kernel):
        return np.linalg.norm(matrix_of(lambda x: convolve(x, kernel), (6, 2)), 2)

    def norm(kernel):
        # from the singular vector itself: how fast it is found is the gap's affair
        return spectra.operator_norm(lambda x: convolve(x, kernel), np.zeros((1, 6, 2)), 3, v0=v0)

    matrix = matrix_of(lambda x: convolve(x, kernel), (6, 2))
    v0 = np.linalg.svd(matrix)[2][0].reshape(1, 6, 2)
    slope = to_numpy(grad(norm)(ops.convert_to_tensor(kernel)))
    h = 1e-5
    expected = (exact(kernel + h * direction) - exact(kernel - h * direction)) / (2 * h)
    assert np.sum(slope * direction) == pytest.approx(expected, abs=1e-4)


class Penalised(layers.Layer):
    """A dense layer whose only loss is its norm."""

    def __init__(self, per_sample):
        super().__init__()
        self.inner = layers.Dense(3, use_bias=False)
        self.per_sample = per_sample

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, x):
        point = x if self.per_sample else (1, 4)
        norms = spectra.operator_norm(self.inner, point, 60, per_sample=self.per_sample)
        self.add_loss(ops.mean(norms))
        return self.inner(x)


@pytest.mark.parametrize(("per_sample", "jit"), [(False, True), (True, True), (True, False)])
def test_trains_as_a_penalty_within_fit(per_sample, jit):
    """A step of gradient descent takes lr u v^T from the kernel, and so lr from its norm.

    Two steps, with batches of 3 and 2 samples: the batch size is unknown in the graph.
    """
    if jit and not can_jit_compile():
        pytest.skip("torch's compiler takes very long")
    layer = Penalised(per_sample)
    model = keras.Sequential([keras.Input((4,)), layer])
    u, _ = np.linalg.qr(RNG.normal(size=(4, 4)))
    v, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    kernel = u[:, :3] @ np.diag([3.0, 1.0, 0.5]) @ v.T
    layer.inner.kernel.assign(kernel)
    model.compile(keras.optimizers.SGD(0.25), loss=None, jit_compile=jit)
    model.fit(RNG.normal(size=(5, 4)).astype("float32"), batch_size=3, epochs=1, verbose=0)
    expected = kernel - 0.5 * np.outer(u[:, 0], v[:, 0])
    np.testing.assert_allclose(to_numpy(layer.inner.kernel), expected, atol=2e-5)


def test_wrong_arguments():
    layer = layers.Dense(3)
    with pytest.raises(ValueError, match="`x` must be a point or the shape"):
        spectra.operator_norm(layer)
    with pytest.raises(ValueError, match="`x` must be left out"):
        spectra.operator_norm(spectra.jacobian_operator(layer, np.ones((1, 2))), np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"`v0` must have the shape"):
        spectra.operator_norm(layer, np.ones((1, 2)), v0=np.ones(3))
    with pytest.raises(ValueError, match=r"num_steps=-1"):
        spectra.operator_norm(layer, np.ones((1, 2)), num_steps=-1)
