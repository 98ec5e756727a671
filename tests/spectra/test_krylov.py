"""Lanczos and Arnoldi against dense eigenvalues; breakdown; operators without symmetry."""

import numpy as np
import pytest
from keras import ops

from stepkit import spectra
from stepkit._backend import compiled

RNG = np.random.default_rng()
METHODS = {"lanczos": spectra.lanczos, "arnoldi": spectra.arnoldi}


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def symmetric(eigenvalues):
    n = len(eigenvalues)
    q, _ = np.linalg.qr(RNG.normal(size=(n, n)))
    a = q @ np.diag(eigenvalues) @ q.T
    return (a + a.T) / 2


def operator(a, kind, dtype="float64"):
    v0 = RNG.normal(size=len(a)).astype(dtype)
    if kind == "numpy":
        return lambda v: a.astype(dtype) @ v, v0
    tensor = ops.convert_to_tensor(a, dtype=dtype)
    return lambda v: (tensor @ v[:, None])[:, 0], ops.convert_to_tensor(v0, dtype=dtype)


def by_modulus(values):
    """In an order that does not depend on rounding within conjugate pairs."""
    return np.array(sorted(values, key=lambda z: (round(z.real, 6), round(z.imag, 6))))


def rayleigh_ritz(a, v0, order):
    """The dense answer: an orthonormal basis of the Krylov matrix, and A in it."""
    columns = [v0 / np.linalg.norm(v0)]
    for _ in range(order - 1):
        columns.append(a @ columns[-1])
        columns[-1] /= np.linalg.norm(columns[-1])
    q, _ = np.linalg.qr(np.stack(columns, axis=1))
    return q.T @ a @ q


@pytest.mark.parametrize("n", [1, 2, 9])
def test_full_order_gives_all_eigenvalues(n):
    a = symmetric(RNG.normal(size=n))
    ritz = spectra.lanczos(*operator(a, "numpy"), order=n + 3)  # no more than the dimension
    np.testing.assert_allclose(to_numpy(ritz.values), np.linalg.eigvalsh(a)[::-1], atol=1e-12)
    assert np.max(to_numpy(ritz.residuals)) < 1e-12
    b = RNG.normal(size=(n, n))
    ritz = spectra.arnoldi(*operator(b, "numpy"), order=n)
    exact, vectors = np.linalg.eig(b)  # eigenvalues move by cond(vectors) times a change of b
    limit = 1e3 * np.finfo(float).eps * np.linalg.norm(b) * np.linalg.cond(vectors)
    np.testing.assert_allclose(by_modulus(ritz.values), by_modulus(exact), atol=limit)
    assert np.iscomplexobj(ritz.values)
    assert np.all(np.diff(np.abs(ritz.values)) <= 1e-12)


@pytest.mark.parametrize(
    ("kind", "order"), [("numpy", 1), ("numpy", 2), ("numpy", 5), ("tensor", 5)]
)
def test_ritz_values_are_those_of_the_krylov_space(kind, order):
    a, b = symmetric(RNG.normal(size=9)), RNG.normal(size=(9, 9))
    matvec, v0 = operator(a, kind)
    expected = np.linalg.eigvalsh(rayleigh_ritz(a, to_numpy(v0), order))[::-1]
    np.testing.assert_allclose(
        to_numpy(spectra.lanczos(matvec, v0, order).values), expected, atol=1e-9
    )
    matvec, v0 = operator(b, kind)
    expected, vectors = np.linalg.eig(rayleigh_ritz(b, to_numpy(v0), order))
    limit = 1e-9 * np.linalg.cond(vectors)  # of the columns of the oracle's Krylov matrix
    np.testing.assert_allclose(
        by_modulus(spectra.arnoldi(matvec, v0, order).values), by_modulus(expected), atol=limit
    )


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_vectors_and_residuals_are_what_they_are_called(name, kind):
    a = symmetric(RNG.normal(size=9)) if name == "lanczos" else RNG.normal(size=(9, 9))
    ritz = METHODS[name](*operator(a, kind), order=5)
    values, vectors = to_numpy(ritz.values), to_numpy(ritz.vectors)
    assert vectors.shape == (5, 9)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    missed = np.linalg.norm(vectors @ a.T - values[:, None] * vectors, axis=1)
    np.testing.assert_allclose(to_numpy(ritz.residuals), missed, atol=1e-11)
    assert np.min(missed) > 1e-8  # else the line above had compared rounding


def test_extreme_eigenvalues_of_a_large_operator_converge_first():
    d = np.concatenate([np.linspace(0, 1, 2000), [3.0, -2.0]])
    ritz = spectra.lanczos(lambda v: d * v, RNG.normal(size=2002), order=40)
    assert ritz.values[0] == pytest.approx(3.0, abs=1e-9)
    assert ritz.values[-1] == pytest.approx(-2.0, abs=1e-9)
    assert np.count_nonzero(ritz.values > 2.5) == 1  # no ghosts


def test_no_ghosts_long_after_convergence():
    """Without reorthogonalisation, copies of 100 appear within these 60 steps."""
    d = np.concatenate([[100.0], RNG.uniform(0, 1, size=199)])
    ritz = spectra.lanczos(lambda v: d * v, RNG.normal(size=200), order=60)
    assert np.count_nonzero(ritz.values > 50) == 1
    vectors = ritz.vectors
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(60), atol=1e-11)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("kind", "dtype"), [("numpy", "float32"), ("numpy", "float64"), ("tensor", "float32")]
)
def test_breakdown_goes_on_in_the_rest_of_the_space(name, kind, dtype):
    """v0 within an invariant subspace of dimension 2: steps tells, the values are all found."""
    eigenvalues = np.array([5.0, 3.0, 1.0, -1.0, -2.0])
    make = ops.convert_to_tensor if kind == "tensor" else np.asarray
    d, v0 = (make(np.array(x, dtype)) for x in (eigenvalues, [0.0, 1.0, 0.0, 1.0, 0.0]))
    ritz = METHODS[name](lambda v: d * v, v0, order=5)
    assert int(ritz.steps) == 2
    limit = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        np.sort(to_numpy(ritz.values).real), np.sort(eigenvalues), atol=limit
    )
    if kind == "tensor":
        return
    part = METHODS[name](lambda v: d * v, v0, order=2)
    np.testing.assert_allclose(np.sort(to_numpy(part.values).real), [-1.0, 3.0], atol=limit)
    assert np.max(to_numpy(part.residuals)) < limit


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("matrix", [np.eye(4), np.zeros((4, 4)), np.ones((4, 4))])
def test_degenerate_operators(name, matrix):
    ritz = METHODS[name](lambda v: matrix @ v, np.array([1.0, 2.0, -1.0, 0.5]), order=4)
    np.testing.assert_allclose(np.sort(ritz.values.real), np.linalg.eigvalsh(matrix), atol=1e-12)
    if name == "lanczos":  # Arnoldi's vectors may be any basis of an eigenspace
        np.testing.assert_allclose(ritz.vectors @ ritz.vectors.T, np.eye(4), atol=1e-10)
    assert int(ritz.steps) == np.linalg.matrix_rank(
        np.stack([np.linalg.matrix_power(matrix, k) @ [1.0, 2.0, -1.0, 0.5] for k in range(4)])
    )


def test_a_jordan_block_is_found():
    a = np.array([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 2.0]])
    values = spectra.arnoldi(lambda v: a @ v, np.array([1.0, 1.0, 1.0]), order=3).values
    # a triple defective eigenvalue moves by the cube root of the rounding
    np.testing.assert_allclose(values, 2.0, atol=10 * np.finfo(float).eps ** (1 / 3))


def test_complex_pairs_are_conjugate():
    a = RNG.normal(size=(6, 6))
    a = a - a.T  # purely imaginary eigenvalues
    values = spectra.arnoldi(lambda v: a @ v, RNG.normal(size=6), order=6).values
    np.testing.assert_allclose(values.real, 0, atol=1e-12)
    np.testing.assert_allclose(np.sort(values.imag), np.sort(-values.imag), atol=1e-12)


def test_lanczos_without_symmetry_tells_by_its_residuals():
    """Its values are those of the symmetric part in the Krylov space, as the docstring says."""
    a = RNG.normal(size=(8, 8))
    ritz = spectra.lanczos(lambda v: a @ v, RNG.normal(size=8), order=8)
    np.testing.assert_allclose(ritz.values, np.linalg.eigvalsh((a + a.T) / 2)[::-1], atol=1e-10)
    missed = np.linalg.norm(ritz.vectors @ a.T - ritz.values[:, None] * ritz.vectors, axis=1)
    np.testing.assert_allclose(ritz.residuals, missed, atol=1e-10)
    part = spectra.lanczos(lambda v: a @ v, RNG.normal(size=8), order=4)
    assert part.values[0] <= spectra.logarithmic_norm(a) + 1e-12


def test_weights_are_gauss_quadrature():
    """Exact for polynomials of degree 2 k - 1: v0 . A^m v0 / |v0|^2."""
    a = symmetric(RNG.uniform(-1, 1, size=12))
    v0, k = RNG.normal(size=12), 4
    ritz = spectra.lanczos(lambda v: a @ v, v0, order=k)
    for m in range(2 * k):
        exact = v0 @ np.linalg.matrix_power(a, m) @ v0 / (v0 @ v0)
        assert np.sum(ritz.weights * ritz.values**m) == pytest.approx(exact, abs=1e-12)
    beyond = v0 @ np.linalg.matrix_power(a, 2 * k) @ v0 / (v0 @ v0)
    assert abs(np.sum(ritz.weights * ritz.values ** (2 * k)) - beyond) > 1e-9


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_each_sample_has_its_own_values(name, kind):
    """The second sample breaks down at once; the others do not notice."""
    blocks = np.stack([symmetric(RNG.normal(size=4)) for _ in range(3)])
    v0 = RNG.normal(size=(3, 4, 1))
    values, vectors = np.linalg.eigh(blocks[1])
    v0[1, :, 0] = vectors[:, np.argmax(np.abs(values))]
    make = ops.convert_to_tensor if kind == "tensor" else np.asarray
    tensor = make(blocks)
    ritz = METHODS[name](lambda v: tensor @ v, make(v0), order=4, per_sample=True)
    np.testing.assert_allclose(
        np.sort(to_numpy(ritz.values).real), np.linalg.eigvalsh(blocks), atol=1e-10
    )
    assert to_numpy(ritz.steps).tolist() == [4, 1, 4]
    assert to_numpy(ritz.vectors).shape == (3, 4, 4, 1)
    np.testing.assert_allclose(
        np.einsum("bij,bkj->bki", blocks, to_numpy(ritz.vectors)[..., 0]),
        to_numpy(ritz.values)[..., None] * to_numpy(ritz.vectors)[..., 0],
        atol=1e-10,
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("lanczos", "numpy"), ("lanczos", "tensor"), ("arnoldi", "numpy")]
)
def test_structures(name, kind):
    make = ops.convert_to_tensor if kind == "tensor" else np.asarray
    factors = [make(np.array([[1.0, 2.0]])), make(np.array([3.0]))]
    v0 = [make(np.array([[1.0, 0.5]])), make(np.array([2.0]))]
    ritz = METHODS[name](
        lambda v: [f * part for f, part in zip(factors, v, strict=True)], v0, order=3
    )
    np.testing.assert_allclose(to_numpy(ritz.values).real, [3.0, 2.0, 1.0], atol=1e-12)
    assert tuple(ritz.vectors[0].shape) == (3, 1, 2)
    assert tuple(ritz.vectors[1].shape) == (3, 1)
    np.testing.assert_allclose(np.abs(to_numpy(ritz.vectors[1])[:, 0]), [1, 0, 0], atol=1e-12)


def test_lanczos_runs_within_a_compiled_program():
    a = symmetric([3.0, 1.0, -1.0, 0.5])
    v0 = ops.convert_to_tensor(RNG.normal(size=4), dtype="float64")

    @compiled
    def values(tensor, v0):
        return spectra.lanczos(lambda v: (tensor @ v[:, None])[:, 0], v0, 4).values

    found = values(ops.convert_to_tensor(a, dtype="float64"), v0)
    np.testing.assert_allclose(to_numpy(found), [3.0, 1.0, 0.5, -1.0], atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_long_runs_in_tensors(name):
    """More than 16 steps: TensorFlow's loop is traced then."""
    d = np.linspace(-1, 1, 20)
    tensor = ops.convert_to_tensor(d, dtype="float64")
    v0 = ops.convert_to_tensor(RNG.normal(size=20), dtype="float64")
    ritz = METHODS[name](lambda v: tensor * v, v0, order=20)
    np.testing.assert_allclose(np.sort(to_numpy(ritz.values).real), d, atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_seeds_are_kept_and_wrong_arguments_found(name):
    method, v0 = METHODS[name], np.array([1.0, 0.0, 0.0])
    first, second = (method(lambda v: 2.0 * v, v0, 3, seed=7).vectors for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = method(lambda v: 2.0 * v, v0, 3, seed=8).vectors
    assert not np.allclose(np.abs(first), np.abs(other))
    with pytest.raises(ValueError, match=r"order=0"):
        method(lambda v: v, v0, order=0)
    with pytest.raises(ValueError, match=r"order=2.5"):
        method(lambda v: v, v0, order=2.5)
    with pytest.raises(TypeError, match=r"seed='a'"):
        method(lambda v: v, v0, seed="a")
    with pytest.raises(ValueError, match=r"must have the shape"):
        method(lambda v: v[:2], v0)


def test_arnoldi_names_numbers_that_are_not_finite():
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="finite"):
        spectra.arnoldi(lambda v: np.inf * v, np.ones(3))
