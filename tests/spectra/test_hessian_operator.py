"""Products with Hessians against closed forms and second differences."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit import spectra

RNG = np.random.default_rng()
D = {"dtype": "float64"}
ROUNDING = 1e-5  # Keras takes means and some products in float32, whatever the dtype


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def matrix_of(operator):
    """The dense Hessian, a column per weight."""
    columns = [
        to_numpy(spectra.ravel(operator(spectra.unravel(e, operator.like))))
        for e in np.eye(operator.size)
    ]
    return np.stack(columns, axis=1)


def test_least_squares():
    """H = 2 X^T X / (samples * outputs), once per output."""
    x, y = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
    model = keras.Sequential([keras.Input((3,), **D), layers.Dense(2, use_bias=False, **D)])
    operator = spectra.hessian_operator(model, "mse", (x, y))
    exact = np.kron(2 * x.T @ x / 12, np.eye(2))
    np.testing.assert_allclose(matrix_of(operator), exact, atol=ROUNDING * np.linalg.norm(exact))
    assert operator.size == 6
    np.testing.assert_allclose(
        to_numpy(spectra.lanczos(operator, order=6).values),
        np.linalg.eigvalsh(exact)[::-1],
        atol=ROUNDING * np.linalg.norm(exact),
    )


def test_logistic_regression_with_a_loss_object():
    """H = mean of x x^T (x) (diag(p) - p p^T)."""
    x, y = RNG.normal(size=(5, 2)), RNG.integers(0, 3, size=5)
    model = keras.Sequential([keras.Input((2,), **D), layers.Dense(3, use_bias=False, **D)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, **D)
    logits = to_numpy(model(x))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    exact = np.mean(
        [np.kron(np.outer(a, a), np.diag(b) - np.outer(b, b)) for a, b in zip(x, p, strict=True)],
        axis=0,
    )
    found = matrix_of(spectra.hessian_operator(model, loss, (x, y)))
    np.testing.assert_allclose(found, exact, atol=ROUNDING)
    assert np.max(np.abs(exact)) > 1e-2


def test_a_network_with_state_against_second_differences():
    model = keras.Sequential(
        [
            keras.Input((2,), **D),
            layers.Dense(3, activation="tanh", **D),
            layers.BatchNormalization(**D),
            layers.Dropout(0.5, **D),
            layers.Dense(1, **D),
        ]
    )
    x, y = RNG.normal(size=(7, 2)), RNG.normal(size=(7, 1))
    for weight in model.weights:
        if weight.dtype == "float64":
            weight.assign(RNG.uniform(0.5, 1.5, size=tuple(weight.shape)))
    before = [to_numpy(v) for v in model.variables]
    operator = spectra.hessian_operator(model, lambda t, p: ops.mean((t - p) ** 2), (x, y))
    found = matrix_of(operator)
    for variable, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(to_numpy(variable), old)

    w0 = to_numpy(spectra.ravel(operator.like))
    mean, variance = (to_numpy(v) for v in model.layers[1].non_trainable_variables)

    def loss(w):
        a, b, gamma, beta, c, d = spectra.unravel(w, [to_numpy(v) for v in operator.like])
        z = (np.tanh(x @ a + b) - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        return np.mean((z @ c + d - y) ** 2)

    h, steps = 1e-4, 1e-4 * np.eye(len(w0))
    second = np.array(
        [
            [
                loss(w0 + e + g) - loss(w0 + e - g) - loss(w0 - e + g) + loss(w0 - e - g)
                for g in steps
            ]
            for e in steps
        ]
    ) / (4 * h * h)
    # differences: h^2 of fourth derivatives, and 4 eps |loss| / (4 h^2) of rounding
    limit = ROUNDING * (1 + abs(loss(w0)) + np.max(np.abs(second)))
    np.testing.assert_allclose(found, second, atol=limit)
    np.testing.assert_allclose(found, found.T, atol=limit)


def test_the_models_own_losses_are_left_out_or_added():
    regularizer = keras.regularizers.L2(0.5)  # adds the identity
    dense = layers.Dense(2, use_bias=False, kernel_regularizer=regularizer, **D)
    model = keras.Sequential([keras.Input((2,), **D), dense])
    data = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 2))
    without = matrix_of(spectra.hessian_operator(model, "mse", data))
    added = matrix_of(spectra.hessian_operator(model, "mse", data, add_losses=True))
    np.testing.assert_allclose(added, without + np.eye(4), atol=ROUNDING * (1 + np.max(without)))


def test_algorithms_need_no_starting_vector_and_give_lists():
    x, y = RNG.normal(size=(8, 3)), RNG.normal(size=(8, 1))
    model = keras.Sequential([keras.Input((3,), **D), layers.Dense(1, **D)])
    operator = spectra.hessian_operator(model, "mse", (x, y))
    exact = matrix_of(operator)
    top = pytest.approx(np.linalg.eigvalsh(exact)[-1], rel=1e-3)
    pair = spectra.power_iteration(operator, num_steps=500, tol=1e-3)
    assert float(pair.eigenvalue) == top
    assert [tuple(part.shape) for part in pair.vector] == [(3, 1), (1,)]
    numpy = spectra.power_iteration(operator, [np.ones((3, 1)), np.ones(1)], 500, 1e-3)
    assert isinstance(numpy.vector[0], np.ndarray)
    assert numpy.eigenvalue == top
    trace = spectra.hutchinson_trace(operator, num_probes=50, seed=3)
    assert abs(float(trace.estimate) - np.trace(exact)) < 6 * float(trace.standard_error) + 1e-9
    density = spectra.spectral_density(operator, order=4, num_probes=3, seed=3)
    assert np.max(density.nodes) == top


def test_it_is_a_snapshot():
    model = keras.Sequential([keras.Input((1,), **D), layers.Dense(1, use_bias=False, **D)])
    operator = spectra.hessian_operator(
        model, lambda t, p: ops.mean(p**4), (np.ones((1, 1)), np.ones((1, 1)))
    )
    w = float(to_numpy(model.weights[0])[0, 0])
    model.weights[0].assign([[w + 10.0]])
    found = to_numpy(operator([np.ones((1, 1))])[0])[0, 0]
    assert found == pytest.approx(12 * w**2, rel=ROUNDING)


def test_wrong_arguments():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    data = np.ones((1, 2)), np.ones((1, 1))
    with pytest.raises(TypeError, match="`model` must be a"):
        spectra.hessian_operator(layers.Dense(1), "mse", data)
    with pytest.raises(ValueError, match="must be built"):
        spectra.hessian_operator(keras.Sequential([layers.Dense(1)]), "mse", data)
    with pytest.raises(ValueError, match="must be a pair"):
        spectra.hessian_operator(model, "mse", np.ones((1, 2)))
    operator = spectra.hessian_operator(model, "mse", data)
    with pytest.raises(ValueError, match="`v` must have the shape"):
        operator([np.ones((2, 1))])
