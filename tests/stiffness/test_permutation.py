"""Rank correlation against SciPy; the permutation test against all permutations and its level."""

import itertools

import numpy as np
import pytest
from scipy import stats

from stepkit.stiffness import permutation_test, rank_correlation

RNG = np.random.default_rng()


@pytest.mark.parametrize("draw", [RNG.normal, lambda size: RNG.integers(0, 4, size=size)])
def test_rank_correlation_against_scipy(draw):
    x, y = draw(size=(6, 9)), draw(size=(6, 9))
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(rank_correlation(x, y), expected, rtol=1e-12, atol=1e-14)
    assert rank_correlation(x[0], y[0]) == pytest.approx(expected[0])


def test_rank_correlation_sees_order_alone():
    x, y = RNG.normal(size=12), RNG.normal(size=12)
    assert rank_correlation(np.exp(x), y**3) == pytest.approx(rank_correlation(x, y))
    assert rank_correlation(x, -y) == pytest.approx(-rank_correlation(x, y))
    assert np.isnan(rank_correlation(x, np.ones(12)))
    assert np.isnan(rank_correlation(x, np.where(y > y.min(), y, np.nan)))


def covariance(x, y):
    return float(np.mean(x * y) - x.mean() * y.mean())


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_against_all_permutations(alternative):
    """5 rows: p is the share of all 120 orders, to the accuracy of 4000 draws."""
    x, y = RNG.normal(size=5), RNG.normal(size=5)
    observed = covariance(x, y)
    null = np.array([covariance(x, np.array(order)) for order in itertools.permutations(y)])
    extreme = {
        "two-sided": np.abs(null) >= abs(observed) - 1e-12,
        "greater": null >= observed - 1e-12,
        "less": null <= observed + 1e-12,
    }[alternative]
    share, draws = extreme.mean(), 4000
    result = permutation_test(covariance, x, y, draws, alternative=alternative)
    assert result.statistic == observed
    assert result.null.shape == (draws,)
    # 6 standard deviations of a binomial share
    assert abs(result.p_value - share) < 6 * np.sqrt(share * (1 - share) / draws) + 2 / draws


def test_its_level():
    """Without a relation p <= 0.2 in at most a share 0.2 of experiments; 6 deviations of room."""
    experiments = 300
    low = sum(
        permutation_test(covariance, *RNG.normal(size=(2, 8)), num_permutations=19).p_value <= 0.2
        for _ in range(experiments)
    )
    expected, deviation = 0.2 * experiments, np.sqrt(0.2 * 0.8 * experiments)
    assert abs(low - expected) < 6 * deviation


def test_a_random_gate_goes_with_the_applied_index_and_not_with_the_raw_one():
    """The confound: ||f a|| / ||x|| contains a."""
    raw, gate = RNG.uniform(0.9, 1.1, size=200), RNG.uniform(0.1, 1.0, size=200)
    applied = permutation_test(rank_correlation, gate, raw * gate, 499)
    assert applied.statistic > 0.9
    assert applied.p_value == 1 / 500
    chance = permutation_test(rank_correlation, gate, raw, 499)
    assert abs(chance.statistic) < 6 / np.sqrt(199)  # standard deviation of a chance correlation


def test_rows_are_exchanged_within_their_label_only():
    """A relation between blocks, none inside: it survives, so it is no evidence."""
    labels = np.repeat([0, 1], 30)
    x, y = labels + 0.1 * RNG.normal(size=(2, 60))
    free = permutation_test(covariance, x, y, 199)
    tied = permutation_test(covariance, x, y, 199, within=labels)
    assert free.p_value == 1 / 200
    assert tied.null.min() > 0.9 * free.null.max()
    seen = []
    permutation_test(lambda a, b: seen.append(b) or 0.0, x, np.arange(60), 5, within=labels)
    for order in seen:
        np.testing.assert_array_equal(np.sort(order[:30]), np.arange(30))
        np.testing.assert_array_equal(np.sort(order), np.arange(60))
    assert any((order != np.arange(60)).any() for order in seen[1:])


def test_rows_stay_whole_and_seeds_repeat():
    x, y = RNG.normal(size=(7, 2)), np.arange(21).reshape(7, 3)
    seen = []

    def statistic(a, b):
        np.testing.assert_array_equal(a, x)
        assert all(row[0] % 3 == 0 and (np.diff(row) == 1).all() for row in b)
        seen.append(b)
        return float(b[0, 0])

    one = permutation_test(statistic, x, y, 20, seed=3)
    two = permutation_test(statistic, x, y, 20, seed=3)
    np.testing.assert_array_equal(one.null, two.null)
    assert len({tuple(b[:, 0]) for b in seen}) > 10


def test_a_statistic_that_no_permutation_changes_is_no_evidence():
    result = permutation_test(lambda x, y: y.sum(), np.ones(20), RNG.normal(size=20), 99)
    assert result.p_value == 1.0


def test_errors():
    x = np.arange(4.0)
    with pytest.raises(ValueError, match=r"same number of rows.*\(4,\).*\(3,\)"):
        permutation_test(covariance, x, x[:3])
    for wrong in (0, 2.5, True):
        with pytest.raises(ValueError, match="`num_permutations` must be an integer >= 1"):
            permutation_test(covariance, x, x, wrong)
    with pytest.raises(ValueError, match="`alternative` must be one of"):
        permutation_test(covariance, x, x, alternative="both")
    with pytest.raises(ValueError, match=r"`within` must be one label per row: shape \(4,\)"):
        permutation_test(covariance, x, x, within=[1, 2])
    for wrong in (lambda a, b: np.nan, lambda a, b: a):
        with pytest.raises(ValueError, match="`statistic` must return one finite number"):
            permutation_test(wrong, x, x)
    for a, b in ((x, x[:3]), (1.0, 2.0), ([1.0], [2.0])):
        with pytest.raises(ValueError, match="`x` and `y` must have the same shape"):
            rank_correlation(a, b)
