"""Intervals and steps against the literature, closed forms and scans; A- and L-stability."""

import numpy as np
import pytest

from stability import tableaux
from stepkit.stability import (
    imaginary_stability_interval,
    is_a_stable,
    is_l_stable,
    largest_stable_step,
    stability_function,
    stability_interval,
)

RNG = np.random.default_rng()
REAL = {
    "euler": 2.0, "midpoint": 2.0, "heun": 2.0, "ralston": 2.0, "bosh3": 2.512745326618329,
    "rk4": 2.785293563405282,
}  # fmt: skip
IMAGINARY = {
    "euler": 0.0, "midpoint": 0.0, "heun": 0.0, "bosh3": np.sqrt(3), "rk4": np.sqrt(8),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_intervals_of_the_literature(name):
    left, right = stability_interval(name)
    assert right == 0.0
    assert left == pytest.approx(-REAL[name], rel=1e-14)


@pytest.mark.parametrize(("solver", "end"), [(tableaux.DOPRI5, 3.3066), ("tsit5", 3.5068)])
def test_real_intervals_that_are_printed_to_four_digits(solver, end):
    assert abs(-stability_interval(solver)[0] - end) <= 5e-5


@pytest.mark.parametrize("name", IMAGINARY)
def test_imaginary_intervals_of_the_literature(name):
    bottom, top = imaginary_stability_interval(name)
    assert bottom == -top
    assert str(bottom) != "-0.0"
    assert top == pytest.approx(IMAGINARY[name], rel=1e-13)


@pytest.mark.parametrize(
    "solver", [tableaux.IMPLICIT_EULER, tableaux.TRAPEZOID, tableaux.gauss(2), "kvaerno5"]
)
def test_implicit_methods_without_limit(solver):
    assert stability_interval(solver) == (-np.inf, 0.0)
    assert imaginary_stability_interval(solver) == (-np.inf, np.inf)


@pytest.mark.parametrize("stages", [2, 3, 4, 5, 6])
def test_touching_the_circle_does_not_end_the_interval(stages):
    """R(z) = T_s(1 + z / s^2) touches 1 and -1 in turn, up to z = -2 s^2."""
    inner = np.polynomial.Polynomial([1.0, 1.0 / stages**2])
    coef = np.polynomial.Chebyshev.basis(stages).convert(kind=np.polynomial.Polynomial)(inner).coef
    coef[:2] = 1.0
    left, _ = stability_interval(tableaux.chain(coef))
    assert left == pytest.approx(-2 * stages**2, rel=1e-9)


@pytest.mark.parametrize("theta", [0.0, 0.2, 0.45])
def test_the_theta_method(theta):
    """Stable on [-2 / (1 - 2 theta), 0]."""
    assert stability_interval(tableaux.theta_method(theta))[0] == pytest.approx(
        -2 / (1 - 2 * theta), rel=1e-13
    )


def scan(R, direction, end, count=200_001):
    """The first place on a fine grid where |R| > 1, and the spacing."""
    t = np.linspace(0.0, end, count)
    out = np.flatnonzero(np.abs(R(t * direction)) > 1 + 1e-11)
    return (t[out[0]] if len(out) else np.inf), t[1]


@pytest.mark.parametrize("kind", ["explicit", "diagonal", "full"])
@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_random_methods_against_a_scan(kind, stages):
    for _ in range(5):
        tableau = tableaux.random(RNG, kind, stages)
        R = stability_function(tableau)
        angle = RNG.uniform(0.55, 1.45) * np.pi  # decaying, so that short steps are stable
        for direction in (-1.0, np.exp(1j * angle)):
            found = largest_stable_step(direction, tableau)
            first, spacing = scan(R, direction, 20.0)
            assert found > 0
            if found < 20 - spacing:
                # the scan may step over a narrow exit; never may it leave the region earlier
                beyond = np.abs(R(direction * found * (1 + 1e-6)))
                before = np.abs(R(direction * np.linspace(0, found, 20_001)))
                assert beyond > 1
                assert before.max() <= 1 + 1e-8
                assert found <= first
            else:
                assert first > 20 - 2 * spacing
        assert largest_stable_step(-1.0, tableau) == -stability_interval(tableau)[0]
        assert largest_stable_step(1j, tableau) == imaginary_stability_interval(tableau)[1]


def test_the_step_for_many_eigenvalues():
    assert largest_stable_step([-1.0, -40.0, 0.0], "euler") == pytest.approx(0.05)
    assert largest_stable_step(0.0, "euler") == np.inf
    assert largest_stable_step([1.0, -1.0], "rk4") == 0.0
    assert largest_stable_step([5j, -5j], "rk4") == pytest.approx(np.sqrt(8) / 5)
    # |1 + h l| = 1 at h = -2 Re l / |l|^2
    value = -RNG.uniform(0.5, 2) + 1j * RNG.uniform(0.5, 2)
    expected = -2 * value.real / abs(value) ** 2
    assert largest_stable_step([value, value.conjugate()], "euler") == pytest.approx(expected)
    for bad in ([], [np.nan], ["a"], [np.inf]):
        with pytest.raises(ValueError, match="eigenvalues"):
            largest_stable_step(bad, "euler")


GAMMA = 1 - 1 / np.sqrt(2)
LEFT_POLE = tableaux.tableau([[1.0, 0.0], [1.45, -0.25]], [0.5, 0.5])
A_STABLE = {
    "implicit_euler": (tableaux.IMPLICIT_EULER, True, True),
    "trapezoid": (tableaux.TRAPEZOID, True, False),
    "midpoint": (tableaux.gauss(1), True, False),
    "gauss2": (tableaux.gauss(2), True, False),
    "gauss3": (tableaux.gauss(3), True, False),
    "radau2": (tableaux.RADAU2, True, True),
    "radau3": (tableaux.RADAU3, True, True),
    "sdirk2": (tableaux.sdirk2(GAMMA), True, True),
    "sdirk2 with the other root": (tableaux.sdirk2(1 + 1 / np.sqrt(2)), True, True),
    "norsett, gamma 0.26": (tableaux.norsett(0.26), True, False),
    "norsett, gamma 1/4": (tableaux.norsett(0.25), True, False),
    "norsett, gamma 0.24": (tableaux.norsett(0.24), False, False),
    "norsett, order 3": (tableaux.norsett((3 + np.sqrt(3)) / 6), True, False),
    "norsett, order 3, the other root": (tableaux.norsett((3 - np.sqrt(3)) / 6), False, False),
    "theta 0.49": (tableaux.theta_method(0.49), False, False),
    "theta 0.51": (tableaux.theta_method(0.51), True, False),
    "theta 1": (tableaux.theta_method(1.0), True, True),
    "pole on the left": (LEFT_POLE, False, False),
    "kvaerno5": ("kvaerno5", True, True),
    "rk4": ("rk4", False, False),
    "dop853": (tableaux.DOP853_, False, False),
}


@pytest.mark.parametrize("case", A_STABLE)
def test_a_and_l_stability(case):
    solver, a_stable, l_stable = A_STABLE[case]
    assert is_a_stable(solver) is a_stable
    assert is_l_stable(solver) is l_stable


def test_the_pole_alone_decides_there():
    """On the imaginary axis that method is as good as any."""
    R = stability_function(LEFT_POLE)
    assert np.abs(R(1j * np.geomspace(1e-3, 1e6, 1000))).max() <= 1
    assert abs(R(-4.0 + 1e-9)) > 1e6
    assert imaginary_stability_interval(LEFT_POLE) == (-np.inf, np.inf)


def test_random_implicit_methods_against_a_scan_of_the_half_plane():
    y = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 2000)])
    edge = 1j * np.concatenate([-y[::-1], y])
    inside = -np.geomspace(1e-3, 1e3, 150)[:, None] + 1j * np.linspace(-40, 40, 161)
    decided = set()
    for _ in range(60):
        a, b = RNG.uniform(-0.05, 1.5, 2)
        tableau = tableaux.tableau([[a, 0.0], [RNG.normal(), b]], [0.5, 0.5])
        R = stability_function(tableau)
        largest = max(np.abs(R(edge)).max(), np.abs(R(inside)).max())
        assert is_a_stable(tableau) == bool(largest <= 1 + 1e-8)
        decided.add(is_a_stable(tableau))
    assert decided == {True, False}
