"""Lesson 09: slips are named, its pieces work on real networks, and its simulations hold."""

import itertools
import math

import keras
import numpy as np
import pytest
from scipy import stats

from stepkit import attention
from stepkit.course.exercises import lesson_09
from stepkit.course.judging import judge
from stepkit.models import cifar_resnet


def says(name, answer, words):
    outcome = judge(f"09.{name}", {name: answer}, seed=0)
    assert not outcome.correct
    assert words in outcome.message, outcome


MASKS = {
    "Yours marks the blocks without attention": lambda n, c: ~np.isin(np.arange(n), c),
    "Blocks are counted from 0": lambda n, c: np.isin(np.arange(1, n + 1), c),
    "Those are the chosen numbers": lambda n, c: np.array(c),
    "a ValueError should be raised that names 6": lambda n, c: np.isin(np.arange(n), c),
    "None. Is there a `return`?": lambda n, c: None,
}


@pytest.mark.parametrize("said", MASKS)
def test_a_slip_in_a_mask_is_named(said):
    says("attention_mask", MASKS[said], said)


RANKS = {
    "Those are columns": lambda v, n, b: np.argsort(-np.median(v, axis=0), kind="stable"),
    "Those are the medians themselves": lambda v, n, b: np.median(v, axis=0),
    "Their numbers in `blocks` are asked": lambda v, n, b: list(n),
    "Yours begins with the smallest": lambda v, n, b: [
        b.index(n[j]) for j in np.argsort(np.median(v, axis=0), kind="stable")
    ],
}


@pytest.mark.parametrize("said", RANKS)
def test_a_slip_in_a_ranking_is_named(said):
    says("rank_blocks", RANKS[said], said)


def copied(full, sparse):
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())


def returns_full(full, sparse, gates):
    copied(full, sparse)
    return full


def copies_nothing(full, sparse, gates):
    return sparse


def returns_the_output(full, sparse, gates):
    copied(full, sparse)
    return sparse.output


PRUNINGS = {
    "Return `sparse`": returns_full,
    "take over those of `full`": copies_nothing,
    "should come back; yours returned a": returns_the_output,
}


@pytest.mark.parametrize("said", PRUNINGS)
def test_a_slip_in_pruning_is_named(said):
    says("prune_attention", PRUNINGS[said], said)


def drawn(num_blocks, keep, count, rng):
    every = list(itertools.combinations(range(num_blocks), keep))
    if count > len(every):
        raise ValueError("too many")
    rows = [every[i] for i in rng.permutation(len(every))[:count]]
    return np.array([[b in row for b in range(num_blocks)] for row in rows])


def not_one_more(num_blocks, keep, count, rng):
    if count >= math.comb(num_blocks, keep):
        raise ValueError("too many")
    return drawn(num_blocks, keep, count, rng)


def neighbours(num_blocks, keep, count, rng):
    """Each mask is as likely as the others, but the second one follows from the first."""
    every = list(itertools.combinations(range(num_blocks), keep))
    if count > len(every):
        raise ValueError("too many")
    start = int(rng.integers(len(every)))
    rows = [every[(start + i) % len(every)] for i in range(count)]
    return np.array([[b in row for b in range(num_blocks)] for row in rows])


TICKETS = {
    "all of them are asked for": not_one_more,
    "One ticket should tell nothing of the next": neighbours,
    "yours is a list": lambda *given: drawn(*given).tolist(),
    "yours have dtype int64": lambda *given: drawn(*given).astype("int64"),
}


@pytest.mark.parametrize("said", TICKETS)
def test_a_slip_in_drawing_is_named(said):
    says("random_tickets", TICKETS[said], said)


def ends(ticket, baseline, candidates, confidence):
    pairs = ticket - baseline
    n = len(pairs)
    if n == 1:
        return -np.inf, np.inf
    level = 1 - (1 - confidence) / candidates
    return stats.t.interval(level, n - 1, pairs.mean(), stats.sem(pairs))


def swapped(ticket, baseline, candidates=1, confidence=0.95):
    return ends(ticket, baseline, candidates, confidence)[::-1]


def widened(ticket, baseline, candidates=1, confidence=0.95):
    low, high = ends(ticket, baseline, 1, confidence)
    middle, reach = (low + high) / 2, (high - low) / 2 * candidates
    return middle - reach, middle + reach


def other_way(ticket, baseline, candidates=1, confidence=0.95):
    return ends(baseline, ticket, candidates, confidence)


INTERVALS = {
    "The lower end comes first": swapped,
    "Divide the risk by the number of candidates": widened,
    "The difference is ticket minus baseline": other_way,
    "return two numbers": lambda ticket, baseline, *more: 0.02,
}


@pytest.mark.parametrize("said", INTERVALS)
def test_a_slip_in_an_interval_is_named(said):
    says("ticket_interval", INTERVALS[said], said)


@pytest.fixture(scope="module")
def trained():
    """A network with gates everywhere whose weights are no longer those of the start."""
    model = cifar_resnet(
        8, attention.SqueezeExcite(4), 3, block="basic", width=4, input_shape=(4, 4, 1)
    )
    draw = np.random.default_rng(0)
    model.set_weights([w + 0.3 * np.abs(draw.normal(size=w.shape)) for w in model.get_weights()])
    return model


def sparse(mask):
    gate = attention.SqueezeExcite(4) if any(mask) else None
    return cifar_resnet(
        8, gate, 3, block="basic", width=4, input_shape=(4, 4, 1),
        attention_blocks=mask if gate else None,
    )  # fmt: skip


def test_pruning_a_gate_of_constants_changes_nothing(trained):
    x = np.random.default_rng(1).normal(size=(6, 4, 4, 1)).astype("float32")
    gates = attention.gate_values(trained, x[:1])  # one image: its gates are their own mean
    for chosen in ([], [1], [0, 2]):
        mask = lesson_09.attention_mask(3, chosen)
        pruned = lesson_09.prune_attention(trained, sparse(mask), gates)
        want, got = (keras.ops.convert_to_numpy(net(x[:1])) for net in (trained, pruned))
        np.testing.assert_allclose(got, want, atol=1e-5)


def test_all_gates_kept_is_the_full_network(trained):
    x = np.random.default_rng(1).normal(size=(6, 4, 4, 1)).astype("float32")
    gates = attention.gate_values(trained, x)
    same = lesson_09.prune_attention(trained, sparse([True] * 3), gates)
    for one, other in zip(trained.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_gate_costs_four_times_more_from_stage_to_stage():
    gate = attention.SqueezeExcite(reduction=4)
    costs = []
    for channels in (8, 16, 32):
        layer = attention.SqueezeExcite.from_config(gate.get_config())
        layer.build((None, 8, 8, channels))
        costs.append(layer.count_params())
    assert all(3.5 < b / a < 4 for a, b in itertools.pairwise(costs))
    assert 5 < (costs[1] + 2 * costs[2]) / (2 * costs[0] + costs[1]) < 6


def test_the_best_of_twenty_equal_tickets_falls_back():
    first, second = np.random.default_rng(3).normal(80, 1, (2, 20_000, 20))
    picked = np.arange(20_000), first.argmax(axis=1)
    assert 81.8 < first[picked].mean() < 82.0
    assert abs(second[picked].mean() - 80) < 0.05


def test_the_best_ones_interval_misleads_in_about_three_of_ten_studies():
    values = np.random.default_rng(3).normal(size=(20_000, 20, 8))
    t = values.mean(axis=-1) / stats.sem(values, axis=-1)
    best = t[np.arange(len(t)), values.mean(axis=-1).argmax(axis=1)]
    limit = stats.t.ppf(0.975, 7)
    assert 0.28 < np.mean(best > limit) < 0.33
    assert abs(np.mean(t.max(axis=1) > limit) - (1 - 0.975**20)) < 0.015
    assert np.mean(best > stats.t.ppf(1 - 0.05 / 20 / 2, 7)) < 0.025


def test_a_hundred_draws_reach_two_and_a_half_deviations():
    best = np.random.default_rng(3).normal(0, 0.4, (5_000, 100)).max(axis=1)
    assert 0.9 < best.mean() < 1.1


def test_thousands_of_equal_tickets_hardly_spread_over_three_points():
    draws = np.random.default_rng(3).normal(0, 0.34, (200, 5_000))
    assert np.quantile(np.ptp(draws, axis=1), 0.9) < 3.0


def test_the_shares_of_the_risk_hold_also_where_tickets_share_a_baseline():
    draw = np.random.default_rng(3)
    missed = []
    for _ in range(400):
        baseline, tickets = draw.normal(size=6), draw.normal(size=(10, 6))
        found = [lesson_09.ticket_interval(ticket, baseline, 10) for ticket in tickets]
        missed.append(any(low > 0 or high < 0 for low, high in found))
    assert np.mean(missed) < 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)
