"""The stiffness ratio against matrices built from known eigenvalues."""

import numpy as np
import pytest

from stepkit.stiffness import stiffness_ratio

RNG = np.random.default_rng()


def with_eigenvalues(values, complex_pairs=()):
    """A real matrix with these real eigenvalues and pairs a +- ib, in a random orthogonal basis."""
    blocks = [np.array([[v]]) for v in values]
    blocks += [np.array([[z.real, z.imag], [-z.imag, z.real]]) for z in complex_pairs]
    size = sum(map(len, blocks))
    matrix, i = np.zeros((size, size)), 0
    for block in blocks:
        matrix[i : i + len(block), i : i + len(block)] = block
        i += len(block)
    turn, _ = np.linalg.qr(RNG.normal(size=(size, size)))
    return turn @ matrix @ turn.T


def test_of_a_normal_matrix_it_is_what_it_was_built_from():
    fast, slow = -RNG.uniform(100, 1000), -RNG.uniform(0.01, 0.1)
    matrix = with_eigenvalues([fast, slow, -1.0], [-2.0 + 500.0j])
    expected = fast / slow
    # Normal: an eigenvalue moves by no more than the rounding, a few eps ||A||, of size 1e-13.
    np.testing.assert_allclose(stiffness_ratio(matrix), expected, rtol=1e-10)
    np.testing.assert_allclose(stiffness_ratio(np.linalg.eigvals(matrix)), expected, rtol=1e-10)
    assert stiffness_ratio(matrix.astype(complex)) == pytest.approx(expected, rel=1e-10)


def test_of_the_heat_equation():
    """Second differences: eigenvalues -4 n^2 sin^2(k pi / 2n); Neumann's include zero."""
    n = 20
    dirichlet = -2 * np.eye(n - 1) + np.eye(n - 1, k=1) + np.eye(n - 1, k=-1)
    expected = 1.0 / np.tan(np.pi / (2 * n)) ** 2
    assert stiffness_ratio(n**2 * dirichlet) == pytest.approx(expected, rel=1e-10)
    neumann = -2 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)
    neumann[0, 0] = neumann[-1, -1] = -1.0
    assert stiffness_ratio(n**2 * neumann) == pytest.approx(expected, rel=1e-10)
    assert stiffness_ratio(n**2 * neumann.astype("float32")) == pytest.approx(expected, rel=1e-10)


def test_modes_that_do_not_die_out_are_left_out():
    assert stiffness_ratio([-6.0, -2.0, 0.0, 100.0, 50.0j]) == 3.0
    matrix = with_eigenvalues([-6.0, -2.0, 0.0, 100.0], [50.0j])
    assert stiffness_ratio(matrix) == pytest.approx(3.0, rel=1e-10)
    assert stiffness_ratio([-7.0, 5.0]) == 1.0
    assert np.isnan(stiffness_ratio([5.0]))
    assert np.isnan(stiffness_ratio(np.zeros((3, 3))))
    assert np.isnan(stiffness_ratio([[0.0, 2.0], [-2.0, 0.0]]))  # an oscillation


def test_tolerance():
    assert stiffness_ratio([-1.0, -1e-30]) == pytest.approx(1e30)
    assert stiffness_ratio([-1.0, -1e-30], tolerance=1e-20) == 1.0
    assert stiffness_ratio(np.diag([-1.0, -1e-12])) == pytest.approx(1e12)
    assert stiffness_ratio(np.diag([-1.0, -1e-12]), tolerance=1e-6) == 1.0


def test_scales_of_time_do_not_matter_but_shifts_do():
    eigenvalues = -RNG.uniform(0.1, 10.0, size=5)
    expected = eigenvalues.min() / eigenvalues.max()
    np.testing.assert_allclose(stiffness_ratio(7.0 * eigenvalues), expected)
    np.testing.assert_allclose(
        stiffness_ratio(eigenvalues - 5.0), (eigenvalues.min() - 5.0) / (eigenvalues.max() - 5.0)
    )


def test_many_matrices_at_once():
    matrices = np.array([[with_eigenvalues([-1.0, -k - m]) for k in (2, 5)] for m in (1, 3, 9)])
    received = stiffness_ratio(matrices)
    np.testing.assert_allclose(received, [[3, 6], [5, 8], [11, 14]], rtol=1e-10)
    assert np.isnan(stiffness_ratio(np.array([np.eye(2), -np.eye(2)]))).tolist() == [True, False]


def test_on_the_slow_branch_of_van_der_pol_it_says_nothing():
    """At x = 2 on the branch one mode dies out, at 3 mu; the other grows, at 5 / (9 mu)."""
    mu = 1000.0
    x, v = 2.0, -2.0 / (3.0 * mu)
    jacobian = np.array([[0.0, 1.0], [-2.0 * mu * x * v - 1.0, mu * (1.0 - x * x)]])
    eigenvalues = np.sort(np.linalg.eigvals(jacobian).real)
    # Their product is det J = -(8/3 - 1), their sum the trace, -3 mu.
    np.testing.assert_allclose(eigenvalues, [-3.0 * mu, 5.0 / (9.0 * mu)], rtol=1e-5)
    assert stiffness_ratio(jacobian) == 1.0


def test_errors():
    for wrong in (np.ones((2, 3)), np.ones((4, 2, 3)), 3.0, [], ["a"], np.zeros((0, 0))):
        with pytest.raises(ValueError, match="`system` must be eigenvalues"):
            stiffness_ratio(wrong)
    with pytest.raises(ValueError, match="`system` must be finite"):
        stiffness_ratio([np.nan, -1.0])
    for wrong in (-1.0, np.nan):
        with pytest.raises(ValueError, match="`tolerance` must be >= 0"):
            stiffness_ratio([-1.0], tolerance=wrong)
