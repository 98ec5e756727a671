"""Structures as flat vectors, and what the room offers."""

import keras
import numpy as np
import pytest
from keras import ops

from stepkit import _backend, spectra

RNG = np.random.default_rng()


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_there_and_back(kind):
    make = np.asarray if kind == "numpy" else ops.convert_to_tensor
    parts = {"a": RNG.normal(size=(2, 3)), "b": [RNG.normal(size=()), RNG.normal(size=(1, 1, 4))]}
    given = keras.tree.map_structure(make, parts)
    flat = spectra.ravel(given)
    expected = np.concatenate([part.ravel() for part in keras.tree.flatten(parts)])
    np.testing.assert_array_equal(to_numpy(flat), expected)
    assert isinstance(flat, np.ndarray) == (kind == "numpy")
    back = spectra.unravel(flat, given)
    keras.tree.assert_same_structure(given, back)
    keras.tree.map_structure(
        lambda x, y: np.testing.assert_array_equal(to_numpy(x), to_numpy(y)), given, back
    )


def test_dtypes_come_back():
    given = [np.ones(2, "float16"), np.ones(2, "float32")]
    assert spectra.ravel(given).dtype == np.float32
    assert [part.dtype for part in spectra.unravel(spectra.ravel(given), given)] == [
        np.float16,
        np.float32,
    ]


def test_the_weights_of_a_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    flat = spectra.ravel(model.trainable_weights)
    assert tuple(flat.shape) == (9,)
    kernel, bias = spectra.unravel(2 * flat, model.trainable_weights)
    np.testing.assert_array_equal(to_numpy(kernel), 2 * to_numpy(model.weights[0]))
    np.testing.assert_array_equal(to_numpy(bias), 2 * to_numpy(model.weights[1]))
    kernel, _ = spectra.unravel(np.arange(9.0), model.trainable_weights)
    np.testing.assert_array_equal(to_numpy(kernel), np.arange(6.0).reshape(2, 3))


def test_a_wrong_length_is_named():
    for flat in (np.ones(4), np.ones(2), np.ones((3, 1))):
        with pytest.raises(ValueError, match=r"must have shape \(3,\)"):
            spectra.unravel(flat, [np.ones((1, 2)), np.ones(1)])


def test_jvp_and_vjp_are_there():
    assert spectra.jvp is _backend.jvp
    assert spectra.vjp is _backend.vjp
