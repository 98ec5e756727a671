"""Numbers of dense matrices against their definitions."""

import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from stepkit import spectra

RNG = np.random.default_rng()
KINDS = {
    "real": RNG.normal(size=(3, 2, 5, 5)),
    "complex": RNG.normal(size=(4, 4)) + 1j * RNG.normal(size=(4, 4)),
    "single": RNG.normal(size=(2, 1, 1)),
}


def each(function, a, *arguments):
    """The function on matrix after matrix."""
    flat = [function(m, *arguments) for m in a.reshape(-1, *a.shape[-2:])]
    return np.reshape(flat, a.shape[:-2])


@pytest.mark.parametrize("kind", KINDS)
def test_radius_and_abscissa_are_batched(kind):
    a = KINDS[kind]
    for function, reduce in (
        (spectra.spectral_radius, lambda m: max(abs(np.linalg.eigvals(m)))),
        (spectra.spectral_abscissa, lambda m: max(np.linalg.eigvals(m).real)),
    ):
        found = function(a)
        assert found.shape == a.shape[:-2]
        np.testing.assert_allclose(found, each(reduce, a), atol=1e-12)


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_logarithmic_norm_is_the_derivative_of_the_norm(kind, p):
    """(|I + h A| - 1) / h falls to it as h falls to 0, within h |A|^2."""
    a, h = KINDS[kind], 1e-6

    def quotient(m):
        return (np.linalg.norm(np.eye(len(m)) + h * m, p) - 1) / h

    found = spectra.logarithmic_norm(a, p)
    size = each(np.linalg.norm, a)
    assert np.all(np.abs(found - each(quotient, a)) <= h * size**2 + 1e-9)
    assert np.all(found >= spectra.spectral_abscissa(a) - 1e-12)


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_logarithmic_norm_bounds_solutions(p):
    a = RNG.normal(size=(4, 4)) - 2 * np.eye(4)
    mu = spectra.logarithmic_norm(a, p)
    for t in (1e-3, 0.1, 1.0, 5.0):
        assert np.linalg.norm(expm(t * a), p) <= np.exp(mu * t) * (1 + 1e-12)


def test_for_normal_matrices_it_is_the_abscissa():
    q, _ = np.linalg.qr(RNG.normal(size=(4, 4)))
    a = q @ np.array([[1.0, 5, 0, 0], [-5, 1, 0, 0], [0, 0, -2, 0], [0, 0, 0, 0.5]]) @ q.T
    assert spectra.logarithmic_norm(a) == pytest.approx(1.0)
    assert spectra.spectral_abscissa(a) == pytest.approx(1.0)
    assert spectra.spectral_radius(a) == pytest.approx(np.sqrt(26))


def test_the_numerical_range_holds_all_quotients():
    a = RNG.normal(size=(4, 4)) + 1j * RNG.normal(size=(4, 4))
    points = spectra.numerical_range(a, 360)
    v = RNG.normal(size=(2000, 4)) + 1j * RNG.normal(size=(2000, 4))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    quotients = np.append(np.einsum("ki,ij,kj->k", v.conj(), a, v), np.linalg.eigvals(a))
    for k in range(360):
        turn = np.exp(-2j * np.pi * k / 360)
        support = (turn * points[k]).real
        assert np.all((turn * quotients).real <= support + 1e-12)
        # the support is reached: no smaller set would do
        exact = np.linalg.eigvalsh((turn * a + (turn * a).conj().T) / 2)[-1]
        assert support == pytest.approx(exact)
    assert points[0].real == pytest.approx(spectra.logarithmic_norm(a))


def test_the_numerical_range_of_a_normal_matrix_is_a_polygon():
    corners = np.array([1.0, 1j, -1.0 - 1j])
    points = spectra.numerical_range(np.diag(corners), 50)
    assert np.max(np.min(np.abs(points[:, None] - corners), axis=1)) < 1e-12
    batch = spectra.numerical_range(np.stack([np.diag(corners), 2 * np.diag(corners)]), 50)
    np.testing.assert_allclose(batch, [points, 2 * points], atol=1e-12)


def test_lists_integers_and_tensors_are_taken():
    rows = [[0, 2], [2, 0]]
    for a in (rows, np.array(rows), ops.convert_to_tensor(rows, dtype="float32")):
        assert float(spectra.spectral_radius(a)) == pytest.approx(2)
        assert float(spectra.logarithmic_norm(a)) == pytest.approx(2)
        assert isinstance(spectra.logarithmic_norm(a), np.generic)


@pytest.mark.parametrize(
    "function",
    [
        spectra.spectral_radius,
        spectra.spectral_abscissa,
        spectra.logarithmic_norm,
        spectra.numerical_range,
    ],
)
@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((2, 3)), np.ones((0, 0)), 1.0])
def test_what_is_not_square_is_refused(function, wrong):
    with pytest.raises(ValueError, match=r"\(\.\.\., n, n\)"):
        function(wrong)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="p=3"):
        spectra.logarithmic_norm(np.eye(2), 3)
    with pytest.raises(ValueError, match="num_angles=2"):
        spectra.numerical_range(np.eye(2), 2)
