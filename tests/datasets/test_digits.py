"""The digits, against scikit-learn's own."""

import builtins

import numpy as np
import pytest

from stepkit.datasets import digits


def test_the_split_is_all_of_the_digits_stratified_and_fixed():
    from sklearn.datasets import load_digits

    (x_train, y_train), (x_test, y_test) = digits(seed=3)
    data = load_digits()
    everything = np.concatenate([x_train, x_test]).reshape(-1, 64) * 16
    order, expected = np.lexsort(everything.T), np.lexsort(data.data.T)
    np.testing.assert_array_equal(everything[order], data.data[expected])
    share = np.bincount(y_test) / np.bincount(np.concatenate([y_train, y_test]))
    assert np.all(np.abs(share - 0.25) < 0.01)
    again = digits(seed=3)[1][0]
    np.testing.assert_array_equal(again, x_test)
    assert not np.array_equal(digits(seed=4)[1][0], x_test)


def test_shapes_and_ranges():
    (images, labels), (flat, _) = digits()[0], digits(flat=True)[0]
    assert images.shape[1:] == (8, 8, 1)
    assert images.dtype == flat.dtype == np.float32
    np.testing.assert_array_equal(images.reshape(len(images), 64), flat)
    assert images.min() == 0.0
    assert images.max() == 1.0
    assert labels.dtype == np.int64


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_a_fraction_must_be_one(fraction):
    with pytest.raises(ValueError, match="test_fraction"):
        digits(test_fraction=fraction)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def no_sklearn(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_sklearn)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        digits()
