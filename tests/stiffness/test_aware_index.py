"""The index of a trajectory against NumPy and closed forms; where index and stiffness part ways."""

import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from stepkit import ode
from stepkit._backend import grad, has_float64
from stepkit.stiffness import stiffness_aware_index

RNG = np.random.default_rng()


def by_hand(y0, y1, dt):
    """One sample after the other, in double precision, as the formula is printed."""
    dts = np.broadcast_to(dt, len(y0))
    return [
        np.sqrt(np.sum(np.abs(np.asarray((b - a) / h)) ** 2)) / np.sqrt(np.sum(np.abs(a) ** 2))
        for a, b, h in zip(y0, y1, dts, strict=True)
    ]


@pytest.mark.parametrize("shape", [(5,), (4, 3), (3, 4, 5, 2)])
@pytest.mark.parametrize("per_sample", [False, True])
def test_it_is_the_formula(shape, per_sample):
    y0, y1 = RNG.normal(size=shape), RNG.normal(size=shape)
    dt = RNG.uniform(0.1, 2.0, size=shape[0]) if per_sample else -RNG.uniform(0.1, 2.0)
    expected = by_hand(y0, y1, dt)
    received = stiffness_aware_index(y0, y1, dt)
    assert isinstance(received, np.ndarray)
    assert received.dtype == np.float64
    np.testing.assert_allclose(received, expected, rtol=1e-13)
    tensors = [ops.convert_to_tensor(y, "float32") for y in (y0, y1)]
    received = stiffness_aware_index(*tensors, dt)
    assert ops.is_tensor(received)
    np.testing.assert_allclose(ops.convert_to_numpy(received), expected, rtol=1e-5)
    if per_sample:
        received = stiffness_aware_index(*tensors, ops.convert_to_tensor(dt, "float32"))
        np.testing.assert_allclose(ops.convert_to_numpy(received), expected, rtol=1e-5)


def test_double_precision_of_tensors_is_kept():
    if not has_float64():
        pytest.skip("no double precision here")
    y0 = RNG.normal(size=(3, 4))
    y1 = y0 * (1.0 + 1e-12)
    received = stiffness_aware_index(*(ops.convert_to_tensor(y, "float64") for y in (y0, y1)), 0.5)
    # y1 - y0 is exact (neighbours), so what is left is the rounding of y1: eps / 1e-12.
    np.testing.assert_allclose(ops.convert_to_numpy(received), 2e-12, rtol=3e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_measured_in_single(dtype):
    """In float16 the square of 512 is infinite and that of 2^-13 is zero."""
    y0 = ops.cast(ops.convert_to_tensor([[256.0, 0.0], [2.0**-13, 0.0]]), dtype)
    y1 = ops.cast(ops.convert_to_tensor([[256.0, 512.0], [2.0**-13, 2.0**-13]]), dtype)
    received = ops.convert_to_numpy(stiffness_aware_index(y0, y1))
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, [2.0, 1.0], rtol=1e-6)


def test_single_precision_stays_single_and_whole_numbers_become_floats():
    y = np.ones((2, 3), "float32")
    for dt in (2, 0.5, np.float64(0.5), np.array([0.5, 1.0])):
        assert stiffness_aware_index(y, 2 * y, dt).dtype == np.float32
    assert stiffness_aware_index([[1, 1]], [[2, 2]]).dtype == np.float64
    assert float(stiffness_aware_index(4.0, 6.0, 0.25)) == 2.0


@pytest.mark.parametrize("exponent", [-1000, -60, 60, 1000])
def test_units_do_not_matter(exponent):
    """Powers of two change no digit, also where the squares would be 0 or infinite."""
    y0, y1 = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
    expected = stiffness_aware_index(y0, y1, 0.3)
    received = stiffness_aware_index(y0 * 2.0**exponent, y1 * 2.0**exponent, 0.3)
    np.testing.assert_allclose(received, expected, rtol=1e-14)
    if abs(exponent) < 100:
        tensors = [ops.convert_to_tensor(y * 2.0**exponent, "float32") for y in (y0, y1)]
        received = ops.convert_to_numpy(stiffness_aware_index(*tensors, 0.3))
        np.testing.assert_allclose(received, expected, rtol=1e-5)


def test_rotations_of_the_state_do_not_matter():
    y0, y1 = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
    turn, _ = np.linalg.qr(RNG.normal(size=(4, 4)))
    expected = stiffness_aware_index(y0, y1)
    np.testing.assert_allclose(stiffness_aware_index(y0 @ turn, y1 @ turn), expected, rtol=1e-13)


def test_zero_states():
    y0 = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    y1 = np.array([[0.0, 0.0], [0.0, 1.0], [3.0, 4.0], [np.nan, 0.0]])
    expected = [0.0, np.inf, 0.0, np.nan]
    np.testing.assert_array_equal(stiffness_aware_index(y0, y1), expected)
    received = stiffness_aware_index(*map(ops.convert_to_tensor, (y0, y1)), 0.5)
    np.testing.assert_array_equal(ops.convert_to_numpy(received), expected)


def test_axis():
    y0, y1 = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 3, 4))
    whole = stiffness_aware_index(y0[0], y1[0], axis=(0, 1))
    np.testing.assert_allclose(whole, stiffness_aware_index(y0, y1)[0], rtol=1e-14)
    single = stiffness_aware_index(y0[0, 0], y1[0, 0], axis=0)
    np.testing.assert_allclose(single, by_hand(y0[0, :1], y1[0, :1], 1.0)[0])
    channels = stiffness_aware_index(y0, y1, axis=1)
    assert channels.shape == (2, 4)
    np.testing.assert_allclose(channels[1, 2], by_hand(y0[1:, :, 2], y1[1:, :, 2], 1.0)[0])


def test_complex_states():
    y0, y1 = (RNG.normal(size=(3, 2)) + 1j * RNG.normal(size=(3, 2)) for _ in range(2))
    np.testing.assert_allclose(stiffness_aware_index(y0, y1), by_hand(y0, y1, 1.0), rtol=1e-13)


def test_its_gradient():
    """d/dy1 of ||y1 - y0|| / ||y0|| is the unit vector of the change over ||y0||."""
    y0, y1 = RNG.normal(size=(1, 4)), RNG.normal(size=(1, 4))
    start = ops.convert_to_tensor(y0, "float32")
    received = grad(lambda y: ops.sum(stiffness_aware_index(start, y)))(
        ops.convert_to_tensor(y1, "float32")
    )
    expected = (y1 - y0) / np.linalg.norm(y1 - y0) / np.linalg.norm(y0)
    np.testing.assert_allclose(ops.convert_to_numpy(received), expected, rtol=1e-4, atol=1e-6)


def spectral_radius(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


def index_along(f, y, dt=1e-6):
    """The index of the exact slope: over so short a step the solution is a straight line."""
    return float(stiffness_aware_index(y[None], y[None] + dt * f(0.0, y)[None], dt)[0])


def test_apart_growth_has_a_large_index_and_no_stiffness():
    """y' = 5 y: the index is 5 everywhere, (e^{5 dt} - 1) / dt over a step; h rho is no burden.

    Euler's method is stable for h rho <= 2 where lambda < 0. Here, the other way round, accuracy
    is the limit: at the h with h rho = 2 one step is wrong by more than half.
    """
    problem = ode.problems.Dahlquist(5.0, y0=[1.3], t_span=(0.0, 2.0))
    dt = 0.01
    ts = np.arange(0.0, 2.0, dt)
    ys = problem.exact(ts).reshape(-1, 1)
    index = stiffness_aware_index(ys[:-1], ys[1:], dt)
    np.testing.assert_allclose(index, np.expm1(5 * dt) / dt, rtol=1e-10)
    assert (index > 5.0).all()
    h = 2.0 / 5.0
    assert h * spectral_radius(np.array([[5.0]])) == pytest.approx(2.0)
    assert (np.exp(5 * h) - (1.0 + 5 * h)) / np.exp(5 * h) > 0.5


@pytest.mark.parametrize("mu", [100.0, 1000.0])
def test_apart_the_slow_manifold_of_van_der_pol(mu):
    """At x = 2 on v = x / (mu (1 - x^2)) the index is 1 / (3 mu), rho(J) about 3 mu."""
    problem = ode.problems.VanDerPol(mu)
    x = 2.0
    y = np.array([x, x / (mu * (1.0 - x * x))])
    jacobian = np.array([[0.0, 1.0], [-2.0 * mu * x * y[1] - 1.0, mu * (1.0 - x * x)]])
    slow = index_along(problem.f, y)
    rho = spectral_radius(jacobian)
    # v is right to O(mu^-3), the slope of v is zero to O(mu^-1) of it
    assert slow == pytest.approx(1.0 / (3.0 * mu), rel=2.0 / mu)
    assert rho == pytest.approx(3.0 * mu, rel=1.0 / mu)
    # Off the manifold, where the solution falls back onto it: index large, the same Jacobian.
    off = index_along(problem.f, y + np.array([0.0, 1.0]))
    assert off / slow > mu**2
    # Euler with ten steps within the time that the solution needs to change by 10 %: unstable.
    h = 0.1 / slow / 10
    assert h * rho > 2.0
    assert h * slow == pytest.approx(0.01)


def test_apart_a_shifted_state():
    """y' = A (y - c): the same steps, h rho(A) unchanged, and an index that goes to zero."""
    matrix = np.array([[-50.0, 3.0], [0.0, -1.0]])
    start, dt = RNG.uniform(1.0, 2.0, size=2), 0.1
    z = np.array([expm(matrix * dt * k) @ start for k in range(6)])
    index, errors = {}, {}
    for size in (0.0, 10.0, 1e3, 1e5):
        c = size * np.array([0.6, 0.8])
        index[size] = stiffness_aware_index(z[:-1] + c, z[1:] + c, dt)
        h = 0.05  # h rho = 2.5: Euler's method grows, wherever the origin is
        y = start + c
        for _ in range(100):
            y = y + h * matrix @ (y - c)
        errors[size] = np.linalg.norm(y - c)
    assert 0.05 * spectral_radius(matrix) == pytest.approx(2.5)
    # The fast part of the start, y_0 - 3/49 y_1 > 0.8, grows by the factor 1.5 in each step.
    assert min(errors.values()) > 0.8 * 1.5**100
    np.testing.assert_allclose(list(errors.values()), errors[0.0], rtol=1e-6)
    speeds, largest = np.linalg.norm(np.diff(z, axis=0), axis=1) / dt, np.linalg.norm(z[0])
    for size in (1e3, 1e5):
        np.testing.assert_allclose(index[size], speeds / size, rtol=2 * largest / size)
    assert (index[1e5] < index[1e3]).all()
    assert index[1e5].max() < 1e-3 * index[0.0].max()


def test_errors():
    y = np.ones((3, 2))
    with pytest.raises(ValueError, match=r"same shape.*y0 of shape \(3, 2\), y1 of shape \(2,\)"):
        stiffness_aware_index(y, y[0])
    with pytest.raises(ValueError, match=r"`dt` must be a number.*\(3,\).*dt of shape \(2,\)"):
        stiffness_aware_index(y, y, np.ones(2))
    for wrong in (0.0, np.array([1.0, 0.0, 1.0]), np.inf):
        with pytest.raises(ValueError, match="`dt` must be finite and not zero"):
            stiffness_aware_index(y, y, wrong)
