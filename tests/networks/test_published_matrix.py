"""The published matrix gives the numbers that were computed for it elsewhere, to their digits."""

import numpy as np
import pytest

from stepkit import networks

A = networks.piezoelectric_tube()


def near(values, digits=5):
    return pytest.approx(values, abs=0.51 * 10.0**-digits)


def test_the_matrix():
    assert (np.count_nonzero(A), (A > 0).sum(), (A < 0).sum()) == (24, 13, 11)
    assert np.linalg.matrix_rank(A) == 5
    for first, second in ((0, 4), (1, 5), (2, 6)):
        np.testing.assert_array_equal(A[first], A[second])


def test_spectrum():
    assert networks.spectral_abscissa(A) == near(0.14707)
    values = networks.modes(A)[0]
    assert values[0].imag == near(0.39754)
    assert values.real[[-1, -2, -3]] == near([-517.685, -238.162, -0.511], 3)
    assert abs(values).max() == near(517.685, 3)


def test_participation_in_the_growing_mode():
    _, p = networks.participation_factors(A)
    assert abs(p[:, 0]) == near([0.016, 0.177, 0.139, 0.0, 0.338, 0.200, 0.183, 0.0], 3)
    assert abs(p[:, 0]).sum() == near(1.05, 2)
    assert p[:, 0].sum() == pytest.approx(1.0)


def test_nodes_changed_one_by_one():
    start = networks.spectral_abscissa(A)
    gone = networks.abscissa_changes(A) + start
    expected = [0.14348, 0.09786, 0.16936, 0.14377, 0.0, 0.11554, 0.10898, 0.13722]
    assert gone == near(expected)
    gained = networks.abscissa_changes(A, "self_gain", 0.1)
    assert gained == near([0.0016, 0.0176, 0.0116, 0.0, 0.0341, 0.0209, 0.0189, 0.0], 4)
    expected = [0.14742, 0.15093, 0.14448, 0.14706, 0.15426, 0.14959, 0.15003, 0.14705]
    for kind in ("row", "column"):
        assert networks.abscissa_changes(A, kind, 0.1) + start == near(expected)


def test_cycles():
    expected = {1: (0, 2), 2: (1, 4), 3: (6, 2), 4: (4, 10)}
    expected |= {5: (10, 2), 6: (8, 2), 7: (2, 2), 8: (4, 0)}
    assert networks.signed_cycles(A) == expected
    costs = networks.motif_costs(A)
    assert costs[3] == near([0, 0, -0.10153, 0, 0, -0.29239, -0.10153, -0.0731])
    expected = [-1.22133, -20.71551, -7.41462, -5.12914, -2.32649, -0.63861, -7.41462, -5.22861]
    assert costs[4] == near(expected)
    assert costs[5] == near([0, -2.68316, -1.8633, -0.67079, 0, 0, -1.8633, -0.67079])
    assert costs[6] == near([0, -0.38254, -0.26565, -0.09563, 0, -0.38254, -0.26565, -0.09563])
    assert networks.negative_motif_cost(A) == near([0, 0, 0.71959, 0, 0, 0, 0.71959, 0.29051])


def test_balance():
    assert networks.frustration_index(A) == 5
    assert not networks.is_balanced(A)


def test_random_walk():
    expected = [4.837, 1.029, -8.550, -1.284, 4.837, 1.029, -22.110, -8.248]
    assert networks.random_walk_score(A) * 1e6 == near(expected, 3)


def test_random_walk_with_the_published_slip():
    """The first term was read from a matrix whose nodes stood in another order."""
    order = [0, 1, 3, 5, 2, 4, 6, 7]
    other, degree = A[np.ix_(order, order)], (A != 0).sum(axis=0) + (A != 0).sum(axis=1)
    scores = np.zeros(8)
    for i in range(8):
        for c in range(8):
            for m in range(8):
                if len({i, c, m}) == 3 and A[i, c] and A[c, m]:
                    bias = 1.0 if A[m, i] else 10.0
                    scores[i] += (other[i, c] + bias * A[c, m]) / A.sum() ** 2 / degree[i] ** 2
    expected = [4.617, 0.950, -8.874, -1.139, 4.397, 0.871, -22.220, -3.116]
    assert scores * 1e6 == near(expected, 3)


def test_the_stand_in_is_stable_with_the_frequencies_it_names():
    values = np.linalg.eigvals(networks.piezoelectric_tube(physical=True))
    assert values.real.max() < 0
    hertz = np.sort(np.unique(abs(values).round(6))) / (2 * np.pi) * 1000
    assert hertz == pytest.approx([310, 450, 600, 820, 940, 1120], rel=1e-4)
    damping = -values.real / abs(values)
    assert (damping.min(), damping.max()) == pytest.approx((0.02, 0.09))
