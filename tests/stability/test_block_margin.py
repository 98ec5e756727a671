"""Margins of blocks against Jacobians in NumPy, and matrix-free numbers against dense ones."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit.layers import ResidualStep
from stepkit.stability import block_margin, stability_function

RNG = np.random.default_rng()
# float32: a Jacobian entry is right to some roundings; eigenvalues of a random matrix of size 12
# move by its condition number times that.
CLOSE = {"rtol": 2e-3, "atol": 2e-3}


def numbers(*shape):
    return RNG.normal(size=shape).astype("float32")


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x), "float64")


class Squeeze(layers.Layer):
    """A gate of one number per sample and channel, from branch and shortcut."""

    def gate(self, branch, shortcut=None):
        return ops.sigmoid(ops.mean(branch - 2.0 * shortcut, axis=1, keepdims=True))

    def call(self, branch, shortcut=None):
        return branch * self.gate(branch, shortcut)


def same_set(found, expected):
    """Whether two sets of eigenvalues agree: each finds a partner of its own."""
    found, expected = list(found), list(expected)
    assert len(found) == len(expected)
    for value in expected:
        nearest = int(np.argmin(np.abs(np.array(found) - value)))
        assert abs(found.pop(nearest) - value) < 5e-3 * (1 + abs(value))


def differences(f, x):
    """The Jacobian of f: R^n -> R^n by central differences in double precision."""
    e, h = np.eye(x.size), 1e-6
    columns = [
        (f(x + h * v.reshape(x.shape)) - f(x - h * v.reshape(x.shape))).ravel() / (2 * h) for v in e
    ]
    return np.stack(columns, axis=1)


def check(found, jacobians, R):
    """Compares what was found with Jacobians `[block][sample]`."""
    for b, block in enumerate(jacobians):
        for s, j in enumerate(block):
            values = np.linalg.eigvals(j)
            same_set(found.eigenvalues[b][s], values)
            size = np.linalg.norm(j)
            commutator = np.linalg.norm(j.T @ j - j @ j.T)
            departure = np.sqrt(max(size**2 - (abs(values) ** 2).sum(), 0.0))
            for name, expected in {
                "abscissa": values.real.max(),
                "radius": abs(values).max(),
                "amplification": abs(R(values)).max(),
                "margin": 1 - abs(R(values)).max(),
                "logarithmic_norm": np.linalg.eigvalsh((j + j.T) / 2)[-1],
                "departure": departure / size,
                "commutator": commutator / size**2,
            }.items():
                np.testing.assert_allclose(
                    getattr(found, name)[s, b], expected, **CLOSE, err_msg=name
                )


def chain(width=5, steps=(0.5, 1.5)):
    dense = [
        layers.Dense(width, "tanh", bias_initializer="normal", kernel_initializer="glorot_normal")
        for _ in steps
    ]
    blocks = [ResidualStep(d, h) for d, h in zip(dense, steps, strict=True)]
    return keras.Sequential([keras.Input((width,)), *blocks, layers.Dense(2)]), dense, steps


@pytest.mark.parametrize("solver", ["euler", "rk4", "implicit_euler"])
def test_steps_of_a_dense_layer(solver):
    """hJ = h diag(1 - tanh^2) W^T."""
    model, dense, steps = chain()
    x = numbers(3, 5)
    found = block_margin(model, x, solver)
    y, jacobians = x.astype("float64"), []
    for d, h in zip(dense, steps, strict=True):
        kernel, bias = map(to_numpy, d.weights)
        tanh = np.tanh(y @ kernel + bias)
        jacobians.append([h * (1 - t**2)[:, None] * kernel.T for t in tanh])
        y = y + h * tanh
    assert found.dense == (True, True)
    assert found.names == tuple(layer.name for layer in model.layers[:2])
    assert found.margin.shape == (3, 2)
    assert len(found) == 3
    check(found, jacobians, stability_function(solver))
    np.testing.assert_array_equal(found.stable, found.margin >= 0)


def gated_network(width=3):
    inputs = y = keras.Input((4, width))
    units = [layers.Dense(width, "tanh", bias_initializer="normal") for _ in range(2)]
    for unit in units:
        y = layers.ReLU()(layers.Add()([y, Squeeze()(unit(y), y)]))
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(y)), units


def gate_by_hand(raw, x):
    return 1 / (1 + np.exp(-(raw - 2 * x).mean(axis=0, keepdims=True)))


@pytest.mark.parametrize("frozen", [False, True])
def test_the_derivative_of_the_gate(frozen):
    """The gate counts with its derivative, or as a constant; the ReLU after the sum does not."""
    model, units = gated_network()
    x = numbers(2, 4, 3)
    found = block_margin(model, x, frozen_gate=frozen)
    y, jacobians = x.astype("float64"), []
    for unit in units:
        kernel, bias = map(to_numpy, unit.weights)
        held = [gate_by_hand(np.tanh(s @ kernel + bias), s) for s in y]

        def branch(s, kernel=kernel, bias=bias, gate=None):
            raw = np.tanh(s @ kernel + bias)
            return raw * (gate_by_hand(raw, s) if gate is None else gate)

        jacobians.append(
            [
                differences(lambda s, g=g, b=branch: b(s, gate=g if frozen else None), sample)
                for sample, g in zip(y, held, strict=True)
            ]
        )
        y = np.stack([np.maximum(s + branch(s), 0) for s in y])
    check(found, jacobians, lambda z: 1 + z)


def test_the_gate_matters():
    model, _ = gated_network()
    x = numbers(2, 4, 3)
    free, frozen = (block_margin(model, x, frozen_gate=flag) for flag in (False, True))
    assert np.abs(free.logarithmic_norm - frozen.logarithmic_norm).max() > 1e-3


def conv_network():
    inputs = keras.Input((4, 4, 2))
    branch = layers.Conv2D(3, 3, padding="same", activation="tanh")(inputs)
    branch = layers.BatchNormalization()(layers.Conv2D(2, 3, padding="same")(branch))
    y = layers.ReLU()(layers.Add(name="step")([inputs, branch]))
    projected = layers.Conv2D(4, 3, padding="same", strides=2)(y)
    projected = layers.Conv2D(4, 3, padding="same")(layers.ReLU()(projected))
    shortcut = layers.Conv2D(4, 1, strides=2)(y)
    y = layers.ReLU()(layers.Add(name="projection")([shortcut, projected]))
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(y))


def test_matrix_free_is_dense_where_the_space_is_whole():
    """Ritz values of a Krylov space of full dimension are the eigenvalues."""
    model, x = conv_network(), numbers(2, 4, 4, 2)
    dense = block_margin(model, x)
    free = block_margin(model, x, max_dense=31, order=32, num_probes=1)
    assert (dense.dense, free.dense) == ((True,), (False,))
    assert dense.names == ("step",)
    assert dense.margin.shape == free.margin.shape == (2, 1)
    for name in ("abscissa", "radius", "amplification", "margin", "logarithmic_norm"):
        np.testing.assert_allclose(getattr(free, name), getattr(dense, name), **CLOSE)
    for a, b in zip(free.eigenvalues, dense.eigenvalues, strict=True):
        assert a.shape == b.shape == (2, 32)
    assert np.all(np.isnan(free.departure))


def test_the_commutator_from_probes():
    """Random signs: v^T M v has the variance 2 sum of m_ij^2 over i != j, for a symmetric M."""
    j, count = RNG.normal(size=(5, 5)), 20
    free = block_margin(linear(j), np.ones((1, 5)), max_dense=4, num_probes=count)
    c = j.T @ j - j @ j.T
    deviations = [
        np.sqrt(2 * ((m - np.diag(np.diag(m))) ** 2).sum() / count) / np.trace(m)
        for m in (c.T @ c, j.T @ j)
    ]
    expected = np.linalg.norm(c) / np.linalg.norm(j) ** 2
    slack = 5 * (deviations[0] / 2 + deviations[1])  # a root above, none below
    assert free.commutator[0, 0] == pytest.approx(expected, rel=slack)
    more = block_margin(linear(j), np.ones((1, 5)), max_dense=4, num_probes=1, seed=1)
    assert more.commutator[0, 0] != free.commutator[0, 0]


def test_few_ritz_values_bound_from_within():
    model, x = conv_network(), numbers(2, 4, 4, 2)
    dense, free = block_margin(model, x), block_margin(model, x, max_dense=1, order=12)
    assert np.all(free.logarithmic_norm <= dense.logarithmic_norm + 1e-4)
    assert np.all(free.logarithmic_norm >= 0.7 * dense.logarithmic_norm)
    assert np.all(free.abscissa <= dense.logarithmic_norm + 1e-4)


def linear(matrix):
    """One step x -> x + x A^T, the Jacobian of whose branch is A."""
    matrix = np.asarray(matrix, "float32")
    dense = layers.Dense(len(matrix), use_bias=False)
    model = keras.Sequential([keras.Input((len(matrix),)), ResidualStep(dense)])
    dense.set_weights([matrix.T])
    return model


@pytest.mark.parametrize("max_dense", [0, 128])
def test_normal_and_not(max_dense):
    """-I is normal; a nilpotent matrix is as far from normal as can be, and grows at first."""
    options = {"max_dense": max_dense, "num_probes": 20}
    normal = block_margin(linear(-np.eye(2)), np.ones((1, 2)), **options)
    assert normal.commutator[0, 0] == pytest.approx(0.0, abs=1e-6)
    assert normal.logarithmic_norm[0, 0] == pytest.approx(normal.abscissa[0, 0])
    assert normal.margin[0, 0] == pytest.approx(1.0)
    jordan = block_margin(linear([[0.0, 4.0], [0.0, 0.0]]), np.ones((1, 2)), **options)
    assert jordan.commutator[0, 0] == pytest.approx(np.sqrt(2))
    assert jordan.logarithmic_norm[0, 0] == pytest.approx(2.0)
    assert jordan.radius[0, 0] == pytest.approx(0.0, abs=5e-3)  # sqrt of the rounding of 4
    if max_dense:
        assert jordan.departure[0, 0] == pytest.approx(1.0)
        assert normal.departure[0, 0] == pytest.approx(0.0, abs=1e-6)
    zero = block_margin(linear(np.zeros((2, 2))), np.ones((1, 2)), **options)
    assert zero.commutator[0, 0] == 0.0
    assert zero.margin[0, 0] == 0.0


def test_many_samples_and_lists_and_inner_models():
    """More pairs of samples and directions than one product takes."""
    inner = linear(np.diag([-1.0, -3.0, 0.5]))
    inputs = keras.Input((3,))
    model = keras.Model(inputs, inner(inputs))
    found = block_margin(model, RNG.normal(size=(400, 3)))
    assert found.margin.shape == (400, 1)
    assert "/" in found.names[0]
    np.testing.assert_allclose(np.sort(found.eigenvalues[0].real), [[-3, -1, 0.5]] * 400, rtol=1e-5)
    np.testing.assert_allclose(found.margin, -1.0, atol=1e-5)
    assert block_margin(model, [[1.0, 2.0, 3.0]]).margin.shape == (1, 1)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
@pytest.mark.parametrize("frozen", [False, True])
def test_other_precisions(policy, frozen):
    matrix = RNG.normal(size=(3, 3)) / 2
    inputs = keras.Input((2, 3), dtype=policy if policy == "float64" else "float32")
    unit = layers.Dense(3, use_bias=False, dtype=policy)
    gate = Squeeze(dtype=policy)
    model = keras.Model(inputs, layers.Add(dtype=policy)([inputs, gate(unit(inputs), inputs)]))
    unit.set_weights([matrix.T])
    x = numbers(1, 2, 3)

    def branch(s, held=None):
        raw = s @ matrix.T
        return raw * (gate_by_hand(raw, s) if held is None else held)

    sample = x[0].astype("float64")
    held = gate_by_hand(sample @ matrix.T, sample) if frozen else None
    expected = differences(lambda s: branch(s, held), sample)
    for options in ({}, {"max_dense": 2, "order": 6}):
        found = block_margin(model, x, frozen_gate=frozen, **options)
        # bfloat16 keeps 8 bits; a few layers of rounding of the entries
        limit = 0.1 * np.linalg.norm(expected) if policy == "mixed_bfloat16" else 1e-4
        top = np.linalg.eigvalsh((expected + expected.T) / 2)[-1]
        assert found.logarithmic_norm[0, 0] == pytest.approx(top, abs=limit)
        assert found.logarithmic_norm.dtype == "float64"


def test_the_network_stays_as_it_is():
    model, x = conv_network(), numbers(2, 4, 4, 2)
    before = [to_numpy(w) for w in model.weights]
    output = to_numpy(model(x))
    block_margin(model, x)
    for a, b in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(a, to_numpy(b))
    np.testing.assert_array_equal(to_numpy(model(x)), output)


def test_errors():
    plain = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="must have residual blocks"):
        block_margin(plain, np.ones((1, 3)))
    with pytest.raises(TypeError, match=r"keras\.Model"):
        block_margin("model", np.ones((1, 3)))
    model = linear(np.eye(3))
    with pytest.raises(ValueError, match="finite"):
        block_margin(model, np.full((1, 3), np.nan))
    with pytest.raises(ValueError, match="Unknown solver"):
        block_margin(model, np.ones((1, 3)), "eulr")
    for name in ("order", "num_probes"):
        with pytest.raises(ValueError, match=name):
            block_margin(model, np.ones((1, 3)), **{name: 0})
