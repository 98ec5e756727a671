"""Power iteration against dense eigenvalues, in NumPy and in tensors, eager and traced."""

import keras
import numpy as np
import pytest
from keras import ops

from stepkit import spectra
from stepkit._backend import compiled, grad

RNG = np.random.default_rng()
EPS = {dtype: float(np.finfo(dtype).eps) for dtype in ("float32", "float64")}


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def symmetric(eigenvalues):
    """A matrix with these eigenvalues, and its eigenvectors."""
    n = len(eigenvalues)
    q, _ = np.linalg.qr(RNG.normal(size=(n, n)))
    return q @ np.diag(eigenvalues) @ q.T, q


def operator(a, kind, dtype):
    """v -> A v and a starting vector, in NumPy or in tensors."""
    v0 = RNG.normal(size=len(a)).astype(dtype)
    if kind == "numpy":
        return lambda v: a.astype(dtype) @ v, v0
    tensor = ops.convert_to_tensor(a, dtype=dtype)
    return lambda v: (tensor @ v[:, None])[:, 0], ops.convert_to_tensor(v0, dtype=dtype)


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("top", [3.0, -3.0])
def test_finds_the_eigenvalue_of_largest_modulus(kind, dtype, top):
    a, q = symmetric([top, 1.5, -1.0, 0.5, 0.0, -0.2])
    matvec, v0 = operator(a, kind, dtype)
    pair = spectra.power_iteration(matvec, v0, num_steps=80)  # 0.5^80: nothing but rounding left
    limit = 40 * EPS[dtype] * abs(top)
    assert float(pair.eigenvalue) == pytest.approx(top, abs=limit)
    assert abs(to_numpy(pair.vector) @ q[:, 0]) == pytest.approx(1, abs=limit)
    assert float(pair.residual) < limit
    assert int(pair.steps) == 80
    for part in pair[:3]:
        assert str(to_numpy(part).dtype) == dtype
        assert isinstance(part, (np.ndarray, np.generic)) == (kind == "numpy")


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_is_the_textbook_iteration_also_before_it_has_converged(kind):
    a, _ = symmetric(RNG.normal(size=7))
    matvec, v0 = operator(a, kind, "float64")
    v = to_numpy(v0)
    for _ in range(4):
        v = a @ v
        v /= np.linalg.norm(v)
    pair = spectra.power_iteration(matvec, v0, num_steps=4)
    np.testing.assert_allclose(to_numpy(pair.vector), v, atol=1e-10)
    assert float(pair.eigenvalue) == pytest.approx(v @ a @ v, abs=1e-10)
    assert float(pair.residual) == pytest.approx(np.linalg.norm(a @ v - (v @ a @ v) * v), abs=1e-10)


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_tolerance_ends_the_iteration(kind):
    """The error of v falls by 1/2 a step: about 20 steps to 1e-6, 30 to 1e-9."""
    a, _ = symmetric([2.0, 1.0, 0.5, -0.5])
    matvec, v0 = operator(a, kind, "float64")
    steps = []
    for tol in (1e-6, 1e-9):
        pair = spectra.power_iteration(matvec, v0, num_steps=1000, tol=tol)
        # one step back from the one judged would be twice as far off
        assert float(pair.residual) <= tol * abs(float(pair.eigenvalue))
        assert abs(float(pair.eigenvalue) - 2.0) <= float(pair.residual)
        steps.append(int(pair.steps))
    assert 8 <= steps[1] - steps[0] <= 12  # log2(1000) = 10
    assert int(spectra.power_iteration(matvec, v0, num_steps=3, tol=1e-9).steps) == 3


def test_what_the_tolerance_accepts_is_what_comes_back():
    """Near another eigenvector the residual grows: a step further it would be too large."""
    d, offset = np.array([2.0, 1.0]), 1e-3
    pair = spectra.power_iteration(lambda v: d * v, np.array([offset, 1.0]), tol=offset / 0.9)
    assert pair.steps == 1
    assert pair.eigenvalue == pytest.approx(1.0, abs=1e-5)
    assert pair.residual == pytest.approx(offset, rel=1e-5)


def test_counts_products():
    calls = []

    def matvec(v):
        calls.append(1)
        return 2.0 * v

    spectra.power_iteration(matvec, np.ones(2), num_steps=6)
    assert len(calls) == 7  # one more for the Rayleigh quotient


def test_a_tie_and_a_rotation_leave_a_large_residual():
    tie = np.diag([1.0, -1.0, 0.1])
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    for a, v0 in ((tie, [1.0, 0.5, 1.0]), (rotation, [1.0, 0.3])):
        pair = spectra.power_iteration(lambda v, a=a: a @ v, np.array(v0), num_steps=500, tol=1e-6)
        assert pair.residual > 0.5
        assert pair.steps == 500


def test_without_symmetry_a_real_dominant_eigenvalue_is_found():
    a = np.diag([4.0, 1.0, -2.0]) + np.triu(RNG.normal(size=(3, 3)), 1)
    pair = spectra.power_iteration(lambda v: a @ v, np.ones(3), num_steps=2000, tol=1e-12)
    assert pair.eigenvalue == pytest.approx(4.0, abs=1e-9)


def test_zero_and_nan_operators():
    pair = spectra.power_iteration(lambda v: 0.0 * v, np.ones(3))
    assert (pair.eigenvalue, pair.residual) == (0.0, 0.0)
    assert np.linalg.norm(pair.vector) == pytest.approx(1)
    pair = spectra.power_iteration(lambda v: np.nan * v, np.ones(3), num_steps=5, tol=0.1)
    assert np.isnan(pair.eigenvalue)
    assert np.isnan(pair.residual)


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_each_sample_has_its_own_eigenvalue(kind):
    tops = np.array([2.5, -2.0, 3.5, -1.8])
    blocks = np.stack([symmetric([top, 1.0, 0.5])[0] for top in tops])
    v0 = RNG.normal(size=(4, 3, 1))
    if kind == "tensor":
        v0 = ops.convert_to_tensor(v0, dtype="float64")
        blocks = ops.convert_to_tensor(blocks, dtype="float64")
    pair = spectra.power_iteration(
        lambda v: blocks @ v, v0, num_steps=500, tol=1e-8, per_sample=True
    )
    np.testing.assert_allclose(to_numpy(pair.eigenvalue), tops, atol=1e-12)
    assert int(pair.steps) < 100
    assert to_numpy(pair.vector).shape == (4, 3, 1)
    np.testing.assert_allclose(np.linalg.norm(to_numpy(pair.vector), axis=1), 1)
    assert np.all(to_numpy(pair.residual) <= 1e-8 * np.abs(tops) * (1 + 1e-6))
    whole = spectra.power_iteration(lambda v: blocks @ v, v0, num_steps=500, tol=1e-8)
    assert to_numpy(whole.eigenvalue).shape == ()
    assert float(whole.eigenvalue) == pytest.approx(3.5)


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
def test_vectors_may_be_structures(kind):
    a, _ = symmetric([3.0, 1.0, -1.0, 0.5, 0.2])
    make = np.asarray if kind == "numpy" else ops.convert_to_tensor
    v0 = [make(RNG.normal(size=(2, 1))), {"b": make(RNG.normal(size=3))}]
    tensor = ops.convert_to_tensor(a, dtype="float64")

    def matvec(v):
        flat = spectra.ravel(v)
        assert isinstance(flat, np.ndarray) == (kind == "numpy")
        image = a @ flat if kind == "numpy" else (tensor @ flat[:, None])[:, 0]
        return spectra.unravel(image, v)

    pair = spectra.power_iteration(matvec, v0, num_steps=60)
    assert float(pair.eigenvalue) == pytest.approx(3.0)
    assert tuple(pair.vector[0].shape) == (2, 1)
    assert tuple(pair.vector[1]["b"].shape) == (3,)


def test_runs_within_a_compiled_program():
    a, _ = symmetric([3.0, 1.0, -1.0, 0.5])
    tensor = ops.convert_to_tensor(a, dtype="float64")
    v0 = ops.convert_to_tensor(RNG.normal(size=4), dtype="float64")

    @compiled
    def top(tensor, v0):
        return spectra.power_iteration(lambda v: (tensor @ v[:, None])[:, 0], v0, 500, 1e-9)

    assert float(top(tensor, v0).eigenvalue) == pytest.approx(3.0)


@pytest.mark.parametrize("tol", [None, 1e-10])
@pytest.mark.parametrize("wrap", [lambda f: f, compiled], ids=["eager", "compiled"])
def test_gradient_is_that_of_the_eigenvalue(tol, wrap):
    """d l = v . (dA) v; nothing through the iteration, the start, the vector or the residual."""
    a, q = symmetric([3.0, 1.0, -1.0, 0.5])

    def top(arguments):
        tensor, v0 = arguments
        pair = spectra.power_iteration(lambda v: (tensor @ v[:, None])[:, 0], v0, 300, tol)
        return pair.eigenvalue + pair.residual + ops.sum(pair.vector)

    point = [ops.convert_to_tensor(x, dtype="float64") for x in (a, RNG.normal(size=4))]
    slope, nothing = wrap(grad(top))(point)
    np.testing.assert_allclose(to_numpy(slope), np.outer(q[:, 0], q[:, 0]), atol=1e-8)
    np.testing.assert_array_equal(to_numpy(nothing), np.zeros(4))
    if tol is not None:  # a start that is accepted as it is
        point[1] = ops.convert_to_tensor(q[:, 0], dtype="float64")
        np.testing.assert_array_equal(to_numpy(wrap(grad(top))(point)[1]), np.zeros(4))


def test_half_precision_vectors_are_summed_in_float32():
    """In float16, 300^2 a million times would overflow."""
    v0 = ops.cast(ops.ones((1000,)), "float16")
    pair = spectra.power_iteration(lambda v: 300.0 * v, v0, num_steps=3)
    assert float(pair.eigenvalue) == pytest.approx(300, rel=2e-3)
    assert keras.backend.standardize_dtype(pair.eigenvalue.dtype) == "float32"
    assert keras.backend.standardize_dtype(pair.vector.dtype) == "float16"


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"`v0` may be left out only"):
        spectra.power_iteration(lambda v: v)
    with pytest.raises(ValueError, match=r"Expected: \(3,\). Received: \(2,\)"):
        spectra.power_iteration(lambda v: v[:2], np.ones(3))
    with pytest.raises(ValueError, match=r"must have the shape"):
        spectra.power_iteration(lambda v: [v, v], np.ones(3))
    with pytest.raises(ValueError, match=r"real"):
        spectra.power_iteration(lambda v: v, np.ones(3, complex))
    with pytest.raises(ValueError, match=r"must be real"):
        spectra.power_iteration(lambda v: 1j * v, np.ones(3))
    with pytest.raises(ValueError, match=r"num_steps=0"):
        spectra.power_iteration(lambda v: v, np.ones(3), num_steps=0)
    with pytest.raises(ValueError, match=r"batch as their first axis"):
        spectra.power_iteration(lambda v: v, np.float64(1.0), per_sample=True)
    with pytest.raises(ValueError, match=r"must not be zero"):
        spectra.power_iteration(lambda v: v, np.zeros(3))
    with pytest.raises(ValueError, match=r"at least one entry"):
        spectra.power_iteration(lambda v: v, [])
