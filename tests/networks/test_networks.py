"""Networks against brute force, finite differences and closed forms, on fresh draws."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
import scipy.sparse

from stepkit import networks


@pytest.fixture
def rng():
    return np.random.default_rng()


def drawn(rng, n, share=0.5):
    return rng.normal(size=(n, n)) * (rng.random((n, n)) < share)


def cycles_by_brute_force(a):
    """Every ordered choice of nodes that begins with its least one."""
    n = len(a)
    for k in range(1, n + 1):
        for nodes in itertools.permutations(range(n), k):
            product = math.prod(a[i, j] for i, j in zip(nodes, (*nodes[1:], nodes[0]), strict=True))
            if nodes[0] == min(nodes) and product:
                yield nodes, product


def test_cycles_are_those_of_brute_force(rng):
    a = drawn(rng, 6)
    found = {tuple(np.roll(c, -np.argmin(c))): p for c, p in networks.simple_cycles(a)}
    expected = dict(cycles_by_brute_force(a))
    assert set(found) == set(expected)
    assert all(found[c] == pytest.approx(p) for c, p in expected.items())
    counts, loops = {}, np.zeros(6, int)
    for nodes, product in expected.items():
        counts.setdefault(len(nodes), [0, 0])[int(product < 0)] += 1
        loops[list(nodes)] += product < 0
    assert networks.signed_cycles(a) == {k: tuple(v) for k, v in sorted(counts.items())}
    np.testing.assert_array_equal(networks.negative_feedback_loops(a), loops)
    for sign in (-1, 1):
        costs = networks.motif_costs(a, (2, 3), sign)
        for k in (2, 3):
            for i in range(6):
                degree = np.count_nonzero(a[i]) + np.count_nonzero(a[:, i])
                total = sum(
                    p for c, p in expected.items() if len(c) == k and i in c and p * sign > 0
                )
                assert costs[k][i] == pytest.approx(total / max(degree, 1) ** 2)


def test_short_cycles_of_a_large_sparse_network(rng):
    """Closed walks of length 3 without self-loops are triangles, three times each."""
    a = drawn(rng, 600, 0.01)
    np.fill_diagonal(a, 0)
    there = (a != 0).astype(float)
    counts = networks.signed_cycles(scipy.sparse.csr_array(a), max_length=3)
    assert sum(counts[3]) == round(np.trace(there @ there @ there) / 3)
    difference = np.trace(np.sign(a) @ np.sign(a) @ np.sign(a)) / 3
    assert counts[3][0] - counts[3][1] == round(difference)


def test_participation_and_sensitivity_are_derivatives(rng):
    a = rng.normal(size=(5, 5))
    values, p = networks.participation_factors(a)
    np.testing.assert_allclose(p.sum(axis=0), 1.0, atol=1e-9)
    sensitivity = networks.eigenvalue_sensitivity(a, 2)
    step = 1e-6
    for i, j in itertools.product(range(5), repeat=2):
        up, down = a.copy(), a.copy()
        up[i, j] += step
        down[i, j] -= step
        near = [
            each[np.argmin(abs(each - values[2]))] for each in map(np.linalg.eigvals, (up, down))
        ]
        assert sensitivity[i, j] == pytest.approx((near[0] - near[1]) / (2 * step), abs=1e-5)
    np.testing.assert_allclose(np.diag(sensitivity), p[:, 2])


def test_rightmost_modes_of_a_large_network_are_those_of_dense_algebra(rng):
    a = drawn(rng, 300, 0.05) - 3.0 * np.eye(300)
    dense, few = networks.participation_factors(a), networks.participation_factors(a, count=4)
    np.testing.assert_allclose(few[0][:2], dense[0][:2], atol=1e-6)
    np.testing.assert_allclose(few[1][:, :2], dense[1][:, :2], atol=1e-5)


def test_frustration_is_that_of_brute_force(rng):
    a = drawn(rng, 7)
    signs = np.sign(a - np.diag(np.diag(a)))
    counts = {}
    for split in itertools.product((-1, 1), repeat=7):
        apart = np.multiply.outer(split, split) * signs < 0
        counts[split] = (apart.sum(), apart.sum(axis=0) + apart.sum(axis=1))
    least = min(total for total, _ in counts.values())
    assert networks.frustration_index(a) == least
    touched = np.mean([by for total, by in counts.values() if total == least], axis=0)
    np.testing.assert_allclose(networks.frustrated_arcs(a), touched)


@pytest.mark.parametrize("flip", [False, True])
def test_a_network_of_two_camps_is_balanced_in_every_sense(rng, flip):
    camps = rng.choice([-1.0, 1.0], 8)
    a = abs(drawn(rng, 8)) * np.outer(camps, camps)
    a[np.arange(7), np.arange(1, 8)] = 0.7 * camps[:-1] * camps[1:]  # connected
    if flip:
        a[1, 0], a[0, 1] = -a[0, 1], abs(a[0, 1]) * camps[0] * camps[1]
        a[1, 0] = -a[0, 1]
    least = np.linalg.eigvalsh(networks.signed_laplacian(a))[0]
    assert networks.is_balanced(a) is not flip
    assert (networks.frustration_index(a) == 0) is not flip
    assert (abs(least) < 1e-9) is not flip
    assert (networks.walk_balance(a) > 1 - 1e-12) is not flip


def test_walk_balance_is_a_power_series(rng):
    signs = np.sign(drawn(rng, 5))
    np.fill_diagonal(signs, 0)
    series = [
        sum(np.trace(np.linalg.matrix_power(s, k)) / math.factorial(k) for k in range(40))
        for s in (signs, abs(signs))
    ]
    assert networks.walk_balance(signs) == pytest.approx(series[0] / series[1])


def test_random_walk_by_three_loops(rng):
    a, q = drawn(rng, 6) + 0.1, 0.3
    a[rng.random((6, 6)) < 0.4] = 0
    a[0, 1] = 2.0
    expected = np.zeros(6)
    for i, c, m in itertools.permutations(range(6), 3):
        if a[i, c] and a[c, m]:
            expected[i] += a[i, c] + a[c, m] * (1.0 if a[m, i] else 1 / q)
    degree = np.count_nonzero(a, axis=0) + np.count_nonzero(a, axis=1)
    expected /= a.sum() ** 2 * np.maximum(degree, 1) ** 2
    np.testing.assert_allclose(networks.random_walk_score(a, q), expected, rtol=1e-9, atol=1e-15)


def test_row_and_column_of_a_node_times_a_number_have_one_spectrum(rng):
    a = rng.normal(size=(6, 6))
    node, by = int(rng.integers(6)), float(rng.uniform(-0.5, 0.5))
    spectra = [
        np.sort_complex(np.linalg.eigvals(networks.perturb_node(a, node, kind, by)))
        for kind in ("row", "column")
    ]
    np.testing.assert_allclose(*spectra, atol=1e-9)


def test_small_self_gains_move_the_abscissa_by_the_participation(rng):
    a = rng.normal(size=(5, 5))
    _, p = networks.participation_factors(a)
    up, down = (networks.abscissa_changes(a, "self_gain", by) for by in (1e-6, -1e-6))
    np.testing.assert_allclose((up - down) / 2e-6, p[:, 0].real, atol=1e-4)


def test_a_graph_is_its_matrix(rng):
    a = drawn(rng, 5)
    graph = nx.from_numpy_array(a, create_using=nx.DiGraph)
    assert networks.spectral_abscissa(graph) == pytest.approx(networks.spectral_abscissa(a))
    assert networks.signed_cycles(graph) == networks.signed_cycles(a)
    path = nx.path_graph(3)
    np.testing.assert_array_equal(networks.perturb_node(path, 0, "self_gain", 0.0)[0], [0, 1, 0])


def parallel():
    graph = nx.MultiDiGraph()
    graph.add_edges_from([("a", "b"), ("a", "b")])
    return graph


WRONG = [
    (lambda: networks.spectral_abscissa(np.ones((2, 3))), ValueError, r"square.*\(2, 3\)"),
    (lambda: networks.spectral_abscissa(1j * np.eye(2)), ValueError, "real.*complex128"),
    (lambda: networks.is_balanced([[0, np.nan], [1, 0]]), ValueError, "nan in row 0, column 1"),
    (lambda: networks.signed_cycles(parallel()), ValueError, r"parallel.*\('a', 'b'\)"),
    (lambda: networks.signed_cycles(nx.DiGraph()), ValueError, "without any"),
    (lambda: networks.signed_cycles(np.ones((40, 40))), ValueError, "smaller `max_length`.*1600"),
    (lambda: networks.signed_cycles(np.eye(2), 0), ValueError, "at least 1.*max_length=0"),
    (lambda: networks.frustration_index(np.ones((21, 21))), ValueError, "at most 20.*21 nodes"),
    (lambda: networks.perturb_node(np.eye(3), 3), IndexError, "0 to 2.*node=3"),
    (lambda: networks.perturb_node(np.eye(3), -1), IndexError, "0 to 2.*node=-1"),
    (lambda: networks.perturb_node(np.eye(3), 1.0), TypeError, "whole number.*1.0"),
    (lambda: networks.perturb_node(np.eye(3), 0, "rows"), ValueError, "one of.*'rows'"),
    (lambda: networks.perturb_node(np.eye(1), 0), ValueError, "another node"),
    (lambda: networks.random_walk_score(np.eye(2), q=0), ValueError, "positive.*q=0"),
    (lambda: networks.random_walk_score([[0, 1], [-1, 0]]), ValueError, "add up to 0"),
    (lambda: networks.motif_costs(np.eye(2), sign=0), ValueError, "-1 or 1.*sign=0"),
    (lambda: networks.modes([[0.0, 1.0], [0.0, 0.0]]), ValueError, "defective eigenvalue near"),
    (lambda: networks.modes(np.eye(4), count=3), ValueError, "from 1 to 2.*count=3"),
    (lambda: networks.eigenvalue_sensitivity(np.eye(2), 2), IndexError, "0 to 1.*mode=2"),
]


@pytest.mark.parametrize(("act", "kind", "words"), WRONG)
def test_errors_say_what_was_expected_and_what_came(act, kind, words):
    with pytest.raises(kind, match=words):
        act()
