"""Spectral densities and stochastic traces: exact cases, and honest errors over many draws."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from stepkit import spectra
from stepkit._backend import grad

RNG = np.random.default_rng()


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def integral(found, values=1.0):
    return np.sum(found.density * values) * (found.grid[1] - found.grid[0])


@pytest.mark.parametrize("order", [1, 5, 60])
@pytest.mark.parametrize("sigma", [None, 0.003, 2.0])
def test_integrates_to_one(order, sigma):
    d = RNG.normal(size=50)
    found = spectra.spectral_density(lambda v: d * v, 50, order=order, num_probes=3, sigma=sigma)
    # tails beyond 6 sigma: 2e-9; trapezoidal rule at sigma / 4: far below
    assert integral(found) == pytest.approx(1, abs=5e-9)
    assert np.all(found.density >= 0)
    np.testing.assert_allclose(np.sum(found.weights, axis=1), 1)


def test_full_order_is_the_smoothed_measure_of_the_probe():
    """With k = n, the sum over all eigenvalues of (v . u_i)^2 N(x; l_i, sigma^2)."""
    a = RNG.normal(size=(6, 6))
    a = a + a.T
    probe, grid, sigma = RNG.normal(size=6), np.linspace(-9, 9, 50), 0.7
    found = spectra.spectral_density(
        lambda v: a @ v, order=6, probes=[probe], sigma=sigma, grid=grid
    )
    values, vectors = np.linalg.eigh(a)
    parts = (vectors.T @ probe) ** 2 / (probe @ probe)
    exact = sum(w * stats.norm.pdf(grid, t, sigma) for w, t in zip(parts, values, strict=True))
    np.testing.assert_allclose(found.density, exact, atol=1e-12)
    np.testing.assert_array_equal(found.grid, grid)


def test_converges_to_the_semicircle():
    """Wigner: the density of a symmetric Gaussian matrix tends to sqrt(4 - x^2) / (2 pi)."""
    n = 600
    a = RNG.normal(size=(n, n))
    a = (a + a.T) / np.sqrt(2 * n)
    found = spectra.spectral_density(lambda v: a @ v, n, order=30, num_probes=40, sigma=0.15)
    semicircle = np.sqrt(np.maximum(4 - found.grid**2, 0)) / (2 * np.pi)
    inside = np.abs(found.grid) < 1.6
    # about 600 * 0.3 * 0.53 = 95 eigenvalues within a Gaussian, each seen with a relative variance
    # of 2 a probe: a standard deviation of 0.3 sqrt(2 / 95 / 40) = 0.007; five of these
    np.testing.assert_allclose(found.density[inside], semicircle[inside], atol=0.035)


@pytest.mark.parametrize("factor", [0.0, 3.0])
def test_a_multiple_of_the_identity(factor):
    found = spectra.spectral_density(lambda v: factor * v, 5, order=3, num_probes=2)
    np.testing.assert_allclose(found.nodes, factor, atol=1e-12)
    assert integral(found) == pytest.approx(1, abs=5e-9)
    assert found.sigma == pytest.approx(0.01 * (factor or 1.0))


def test_density_takes_tensors_and_keeps_seeds():
    d = ops.convert_to_tensor(RNG.normal(size=(2, 3)), dtype="float64")
    found, again = (
        spectra.spectral_density(lambda v: d * v, d, order=6, num_probes=3, seed=5)
        for _ in range(2)
    )
    np.testing.assert_array_equal(found.nodes, again.nodes)
    for row in found.nodes:
        np.testing.assert_allclose(np.sort(row), np.sort(to_numpy(d).ravel()), atol=1e-9)
    assert not np.allclose(found.weights[0], found.weights[1])
    generator = keras.random.SeedGenerator(5)
    draws = [
        spectra.spectral_density(lambda v: d * v, d, 6, num_probes=1, seed=generator).weights
        for _ in range(2)
    ]
    assert not np.allclose(*draws)


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_trace_is_exact_for_diagonal_matrices(kind):
    d = RNG.normal(size=(2, 3))
    like = d if kind == "numpy" else ops.convert_to_tensor(d, dtype="float64")
    found = spectra.hutchinson_trace(lambda v: like * v, like, num_probes=3)
    assert float(found.estimate) == pytest.approx(d.sum())
    assert float(found.standard_error) < 1e-14
    rows = spectra.hutchinson_trace(lambda v: like * v, like, num_probes=3, per_sample=True)
    np.testing.assert_allclose(to_numpy(rows.estimate), d.sum(axis=1))
    assert isinstance(found.estimate, np.generic) == (kind == "numpy")


@pytest.mark.parametrize("symmetric", [True, False])
def test_trace_is_unbiased_with_the_variance_it_says(symmetric):
    """2,000 probes at once, as samples of a batch; limits are 5 standard deviations."""
    a = RNG.normal(size=(6, 6))
    a = a + a.T if symmetric else a
    draws = 1000
    found = spectra.hutchinson_trace(
        lambda v: v @ a.T, np.zeros((draws, 6)), num_probes=2, per_sample=True
    )
    samples = found.samples.ravel()
    variance = np.sum(np.triu(a + a.T, 1) ** 2)
    assert abs(samples.mean() - np.trace(a)) < 5 * np.sqrt(variance / samples.size)
    fourth = np.mean((samples - samples.mean()) ** 4)
    spread = np.sqrt((fourth - variance**2) / samples.size)
    assert abs(samples.var() - variance) < 5 * spread


def test_the_error_bar_of_the_trace_is_honest():
    """Over 400 estimates of 30 probes, (estimate - trace) / error is t-distributed, nearly."""
    a = RNG.normal(size=(8, 8))
    found = spectra.hutchinson_trace(
        lambda v: v @ a.T, np.zeros((400, 8)), num_probes=30, per_sample=True
    )
    z = (found.estimate - np.trace(a)) / found.standard_error
    error = found.samples.std(axis=0, ddof=1) / np.sqrt(30)
    np.testing.assert_allclose(found.standard_error, error)
    covered = np.mean(np.abs(z) < stats.t.ppf(0.975, 29))
    assert abs(covered - 0.95) < 5 * np.sqrt(0.95 * 0.05 / 400) + 0.02  # samples are not normal
    assert 0.8 < np.std(z) < 1.25


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_probes_are_signs_and_differ(kind):
    seen = []
    like = np.zeros((5, 8)) if kind == "numpy" else ops.zeros((5, 8))

    def matvec(v):
        seen.append(to_numpy(v))
        return v

    spectra.hutchinson_trace(matvec, like, num_probes=20, seed=1)
    signs = np.stack(seen)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert len(np.unique(signs.reshape(20, -1), axis=0)) == 20
    assert abs(signs.mean()) < 5 / np.sqrt(signs.size)
    first = seen.copy()
    seen.clear()
    spectra.hutchinson_trace(matvec, like, num_probes=20, seed=1)
    np.testing.assert_array_equal(np.stack(seen), np.stack(first))


def test_a_gradient_flows_through_the_trace():
    def trace(d):
        return spectra.hutchinson_trace(lambda v: d * v, d, num_probes=2, seed=0).estimate

    d = ops.convert_to_tensor(RNG.normal(size=4), dtype="float64")
    np.testing.assert_allclose(to_numpy(grad(trace)(d)), np.ones(4))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="at least 2"):
        spectra.hutchinson_trace(lambda v: v, 3, num_probes=1)
    with pytest.raises(ValueError, match="`like` may be left out only"):
        spectra.hutchinson_trace(lambda v: v)
    with pytest.raises(ValueError, match="like=0"):
        spectra.hutchinson_trace(lambda v: v, 0)
    with pytest.raises(ValueError, match="sigma=-1"):
        spectra.spectral_density(lambda v: v, 3, sigma=-1)
    with pytest.raises(ValueError, match="`like` may be left out only"):
        spectra.spectral_density(lambda v: v)
    with pytest.raises(ValueError, match="num_probes=0"):
        spectra.spectral_density(lambda v: v, 3, num_probes=0)
    with pytest.raises(TypeError, match=r"seed=1\.5"):
        spectra.hutchinson_trace(lambda v: v, 3, seed=1.5)
