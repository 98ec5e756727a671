"""Tableaux check themselves; their order follows from their numbers."""

from dataclasses import FrozenInstanceError, replace
from fractions import Fraction as F

import numpy as np
import pytest

from stepkit.ode import ButcherTableau
from stepkit.ode.order_conditions import density, order_conditions, rooted_trees, size

HEUN = {"a": [[0, 0], [1, 0]], "b": [0.5, 0.5], "c": [0, 1]}

# Dormand and Prince (1980): order 5, embedded 4, first same as last.
DOPRI5 = {
    "a": [
        [0, 0, 0, 0, 0, 0, 0],
        [F(1, 5), 0, 0, 0, 0, 0, 0],
        [F(3, 40), F(9, 40), 0, 0, 0, 0, 0],
        [F(44, 45), F(-56, 15), F(32, 9), 0, 0, 0, 0],
        [F(19372, 6561), F(-25360, 2187), F(64448, 6561), F(-212, 729), 0, 0, 0],
        [F(9017, 3168), F(-355, 33), F(46732, 5247), F(49, 176), F(-5103, 18656), 0, 0],
        [F(35, 384), 0, F(500, 1113), F(125, 192), F(-2187, 6784), F(11, 84), 0],
    ],
    "b": [F(35, 384), 0, F(500, 1113), F(125, 192), F(-2187, 6784), F(11, 84), 0],
    "c": [0, F(1, 5), F(3, 10), F(4, 5), F(8, 9), 1, 1],
    "b_err": [
        F(71, 57600), 0, F(-71, 16695), F(71, 1920), F(-17253, 339200), F(22, 525), F(-1, 40),
    ],
}  # fmt: skip
BOSH3 = {
    "a": [[0] * 4, [F(1, 2), 0, 0, 0], [0, F(3, 4), 0, 0], [F(2, 9), F(1, 3), F(4, 9), 0]],
    "b": [F(2, 9), F(1, 3), F(4, 9), 0],
    "c": [0, F(1, 2), F(3, 4), 1],
    "b_err": [F(-5, 72), F(1, 12), F(1, 9), F(-1, 8)],
}
THREE_EIGHTHS = {
    "a": [[0] * 4, [F(1, 3), 0, 0, 0], [F(-1, 3), 1, 0, 0], [1, -1, 1, 0]],
    "b": [F(1, 8), F(3, 8), F(3, 8), F(1, 8)],
    "c": [0, F(1, 3), F(2, 3), 1],
}
S3, S15 = 3**0.5, 15**0.5
IMPLICIT_MIDPOINT = {"a": [[0.5]], "b": [1], "c": [0.5]}
GAUSS4 = {
    "a": [[1 / 4, 1 / 4 - S3 / 6], [1 / 4 + S3 / 6, 1 / 4]],
    "b": [1 / 2, 1 / 2],
    "c": [1 / 2 - S3 / 6, 1 / 2 + S3 / 6],
}
GAUSS6 = {
    "a": [
        [5 / 36, 2 / 9 - S15 / 15, 5 / 36 - S15 / 30],
        [5 / 36 + S15 / 24, 2 / 9, 5 / 36 - S15 / 24],
        [5 / 36 + S15 / 30, 2 / 9 + S15 / 15, 5 / 36],
    ],
    "b": [5 / 18, 4 / 9, 5 / 18],
    "c": [1 / 2 - S15 / 10, 1 / 2, 1 / 2 + S15 / 10],
}


@pytest.mark.parametrize(
    ("numbers", "order", "embedded", "explicit", "fsal"),
    [
        (HEUN, 2, None, True, False),
        (BOSH3, 3, 2, True, True),
        (THREE_EIGHTHS, 4, None, True, False),
        (DOPRI5, 5, 4, True, True),
        (IMPLICIT_MIDPOINT, 2, None, False, False),
        (GAUSS4, 4, None, False, False),
        (GAUSS6, 6, None, False, False),
    ],
)
def test_what_follows_from_the_numbers(numbers, order, embedded, explicit, fsal):
    tableau = ButcherTableau(**numbers)
    assert tableau.order == order
    assert tableau.embedded_order == embedded
    assert tableau.explicit is explicit
    assert tableau.fsal is fsal


def test_a_wrong_digit_lowers_the_order():
    """A misprint in the sixth digit: rows still sum up, the order is gone."""
    a = [[float(x) for x in row] for row in DOPRI5["a"]]
    a[3][1] += 1e-6
    a[3][2] -= 1e-6
    assert ButcherTableau(**{**DOPRI5, "a": a}).order < 5


def test_random_two_stage_methods_have_order_two_exactly_when_b2_c2_is_one_half():
    rng = np.random.default_rng()
    for c2 in rng.uniform(0.2, 2.0, size=20):
        b2 = 1 / (2 * c2)
        good = {"a": [[0, 0], [c2, 0]], "b": [1 - b2, b2], "c": [0, c2]}
        assert ButcherTableau(**good).order == 2
        wrong = b2 + rng.choice([-1, 1]) * rng.uniform(0.01, 0.5)
        assert ButcherTableau(**{**good, "b": [1 - wrong, wrong]}).order == 1


def test_number_of_trees_and_their_densities():
    """OEIS A000081; the densities of order 4 are those of every textbook."""
    assert [len(rooted_trees(n)) for n in range(1, 9)] == [1, 1, 2, 4, 9, 20, 48, 115]
    for n in range(1, 9):
        assert len(set(rooted_trees(n))) == len(rooted_trees(n))
        assert {size(t) for t in rooted_trees(n)} == {n}
    assert sorted(map(density, rooted_trees(4))) == [4, 8, 12, 24]


def test_order_conditions_of_order_three_are_those_of_the_books():
    rng = np.random.default_rng()
    a, b = np.tril(rng.normal(size=(3, 3)), -1), rng.normal(size=3)
    c = a.sum(axis=1)
    expected = sorted([b @ c**2 - 1 / 3, b @ a @ c - 1 / 6])
    np.testing.assert_allclose(sorted(order_conditions(a, b, 3)), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": [0.5, 0.6]}, r"`b` to sum to 1.*Received: 1\.1"),
        ({"c": [0, 0.9]}, "each row of `a`"),
        ({"a": [[0, 0]]}, r"`a` must be finite numbers of shape \(2, 2\)"),
        ({"a": [[0], [1, 0]]}, "`a` must be finite numbers"),
        ({"c": [0, 1, 1]}, r"`c` must be finite numbers of shape \(2,\)"),
        ({"b": []}, "`b` must be finite numbers"),
        ({"b": "heun"}, "Received: b='heun'"),
        ({"b": [float("nan"), 1]}, "`b` must be finite numbers"),
        ({"b_err": [0.5, 0.5]}, "`b_err` to sum to 0"),
        ({"b_err": [0.5]}, r"`b_err` must be finite numbers of shape \(2,\)"),
    ],
)
def test_wrong_numbers_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ButcherTableau(**{**HEUN, **change})


def test_tableaux_are_immutable_values():
    tableau = ButcherTableau(**HEUN)
    assert tableau == ButcherTableau(a=np.array(HEUN["a"]), b=(0.5, 0.5), c=[0.0, 1.0])
    assert hash(tableau) == hash(ButcherTableau(**HEUN))
    assert tableau != replace(tableau, b_err=(0.5, -0.5))
    assert type(tableau.b[0]) is float
    with pytest.raises(FrozenInstanceError):
        tableau.b = (1.0, 0.0)
    assert ButcherTableau.from_config(tableau.get_config()) == tableau
