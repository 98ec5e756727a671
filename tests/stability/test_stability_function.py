"""R(z) against linear solves, determinants, steps that are really made, and Taylor series."""

from math import factorial

import numpy as np
import pytest
from keras import ops

from stability import tableaux
from stepkit import ode
from stepkit._backend import has_float64
from stepkit.stability import StabilityFunction, stability_function

RNG = np.random.default_rng()
NAMES = [
    "euler",
    "midpoint",
    "heun",
    "ralston",
    "rk4",
    "bosh3",
    "dopri5",
    "tsit5",
    "implicit_euler",
    "trapezoid",
    "kvaerno5",
]


def by_solving(tableau, z):
    a, b = np.array(tableau.a), np.array(tableau.b)
    ones = np.ones(len(b))
    return np.array([1 + w * b @ np.linalg.solve(np.eye(len(b)) - w * a, ones) for w in z])


def points(count=40, radius=3.0):
    return radius * (RNG.normal(size=count) + 1j * RNG.normal(size=count))


@pytest.mark.parametrize("kind", ["explicit", "diagonal", "full"])
@pytest.mark.parametrize("stages", [1, 2, 3, 5])
def test_a_random_tableau(kind, stages):
    tableau, z = tableaux.random(RNG, kind, stages), points()
    R, a, b = stability_function(tableau), np.array(tableau.a), np.array(tableau.b)
    eye = np.eye(stages)
    above = [np.linalg.det(eye - w * a + w * np.ones((stages, 1)) * b) for w in z]
    below = [np.linalg.det(eye - w * a) for w in z]
    # LU is backward stable: a determinant is right to some roundings of the norm to the power s.
    scale = (1 + np.abs(z) * (np.abs(a).sum() + stages * np.abs(b).sum())) ** stages
    assert np.all(np.abs(R.numerator(z) - above) <= 1e-13 * scale)
    assert np.all(np.abs(R.denominator(z) - below) <= 1e-13 * scale)
    well = np.abs(below) > 1e-3 * scale**0.5  # away from the poles
    np.testing.assert_allclose(R(z)[well], by_solving(tableau, z)[well], rtol=1e-7, atol=1e-9)
    assert R.denominator(0.0) == R.numerator(0.0) == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_one_step_of_the_solver_itself(name):
    R, solver = stability_function(name), ode.get(name)
    for z in points(5, radius=1.0):
        matrix = np.array([[z.real, -z.imag], [z.imag, z.real]])
        y = solver.step(lambda t, y, a=matrix: 10 * a @ y, 0.0, np.array([1.0, 0.0]), 0.1)
        # Newton's iteration in NumPy takes its Jacobian from differences
        assert complex(*y) == pytest.approx(R(z), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_exponential_up_to_the_order(name):
    """R = exp + O(z^(p + 1)), and no more: n - d exp has p + 1 leading zeros."""
    R, order = stability_function(name), ode.get(name).order
    exponential = np.array([1 / factorial(k) for k in range(order + 2)])
    product = np.convolve(R.denominator.coef, exponential)[: order + 2]
    n = np.pad(R.numerator.coef, (0, order + 2))[: order + 2]
    np.testing.assert_allclose(n[:-1], product[:-1], atol=1e-12)
    assert abs(n[-1] - product[-1]) > 1e-6


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_gauss_is_the_diagonal_pade_approximation(stages):
    s = stages
    pade = [
        factorial(s) * factorial(2 * s - k) / factorial(2 * s) / factorial(k) / factorial(s - k)
        for k in range(s + 1)
    ]
    R = stability_function(tableaux.gauss(s))
    np.testing.assert_allclose(R.numerator.coef, pade, rtol=1e-13)
    np.testing.assert_allclose(R.denominator.coef, pade * (-1.0) ** np.arange(s + 1), rtol=1e-13)


def test_what_cancels_is_zero():
    """The degrees decide what happens at infinity."""
    degrees = {"implicit_euler": (0, 1), "trapezoid": (1, 1), "kvaerno5": (5, 6), "tsit5": (6, 0)}
    for name, expected in degrees.items():
        R = stability_function(name)
        assert (R.numerator.degree(), R.denominator.degree()) == expected
    for tableau, expected in ((tableaux.RADAU2, (1, 2)), (tableaux.RADAU3, (2, 3))):
        R = stability_function(tableau)
        assert (R.numerator.degree(), R.denominator.degree()) == expected
    assert stability_function(tableaux.DOP853_).numerator.degree() == 12


def test_a_stage_without_influence_leaves_no_factor():
    inner = tableaux.sdirk2(0.3)
    a = np.zeros((3, 3))
    a[:2, :2], a[2] = inner.a, [1.0, 2.0, -5.0]
    more = tableaux.tableau(a, [*inner.b, 0.0])
    np.testing.assert_array_equal(
        stability_function(more).denominator.coef, stability_function(inner).denominator.coef
    )


def test_far_away_and_at_infinity():
    R = stability_function("trapezoid")
    np.testing.assert_array_equal(R(np.array([-np.inf, np.inf, -1e300])), [-1.0] * 3)
    assert stability_function("kvaerno5")(-1e200) == pytest.approx(0.0)
    assert R(-np.inf + 0j) == -1.0
    assert np.isinf(R(2.0))
    assert abs(stability_function("rk4")(-1e70)) == pytest.approx(1e280 / 24)


def test_shapes_and_kinds():
    R = stability_function("heun")
    assert R(np.zeros((2, 3), complex)).shape == (2, 3)
    assert isinstance(R(-1), float)
    assert R(-1) == 0.5
    assert np.iscomplexobj(R(np.array([1j])))
    tensor = ops.convert_to_tensor([-1.0, -2.0])
    np.testing.assert_array_equal(R(tensor), [0.5, 1.0])
    assert isinstance(R, StabilityFunction)
    assert stability_function(R) is R
    for same in (ode.Heun, ode.Heun(), ode.Heun().tableau):
        np.testing.assert_array_equal(stability_function(same).numerator.coef, R.numerator.coef)


@pytest.mark.parametrize("name", [*NAMES[:-1], "sdirk2"])
def test_a_step_without_a_tableau(name):
    """Fitted to what the step does, without being told."""
    solver = ode.get(tableaux.sdirk2(0.4) if name == "sdirk2" else name)
    expected = stability_function(solver)
    found = stability_function(lambda f, t, y, h: solver.step(f, t, y, h))
    for part in ("numerator", "denominator"):
        a, b = getattr(found, part).coef, getattr(expected, part).coef
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=1e-11)


def rk2(f, t, y, h):
    return y + h * f(t + h / 2, y + h / 2 * f(t, y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_that_answers_in_tensors(dtype):
    if dtype == "float64" and not has_float64():
        pytest.skip("no float64")

    def step(f, t, y, h):
        return rk2(f, t, ops.convert_to_tensor(y, dtype=dtype), h)

    limit = 1e-5 if dtype == "float32" else 1e-13
    coef = stability_function(step).numerator.coef
    np.testing.assert_allclose(coef, [1, 1, 0.5], atol=limit)


def substeps(count):
    def step(f, t, y, h):
        for _ in range(count):
            y = y + h / count * f(t, y)
        return y

    return step


def test_many_substeps_make_one_polynomial():
    assert stability_function(substeps(12)).numerator.degree() == 12


@pytest.mark.parametrize(
    "step",
    [
        substeps(20),
        lambda f, t, y, h: y + h * f(t, y) + 0.01 * y**2,
        lambda f, t, y, h: y + h * f(t, y) + 1e-6,
        lambda f, t, y, h: y + h * f(t, y) * np.cos(np.abs(f(t, y)).max()),
        lambda f, t, y, h: y * np.exp(f(t, np.ones(2))[0]),
        lambda f, t, y, h: y * np.nan,
    ],
    ids=["degree", "square", "shift", "limiter", "exponential", "nan"],
)
def test_a_step_that_is_not_of_that_kind(step):
    with pytest.raises(ValueError, match="linear one-step method"):
        stability_function(step)


def test_errors():
    with pytest.raises(ValueError, match="Unknown solver"):
        stability_function("eulr")
    with pytest.raises(TypeError, match="solver"):
        stability_function(3)
