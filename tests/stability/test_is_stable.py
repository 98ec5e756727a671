"""Reports on a step, and regions on a grid."""

import numpy as np
import pytest
from keras import ops

from stepkit import ode
from stepkit.stability import is_stable, stability_function, stability_interval, stability_region
from stepkit.stability.stability_region import boundary

RNG = np.random.default_rng()


@pytest.mark.parametrize("solver", ["euler", "rk4", "trapezoid"])
def test_the_report(solver):
    h, values = RNG.uniform(0.1, 1), RNG.normal(size=(3, 4)) + 1j * RNG.normal(size=(3, 4))
    report = is_stable(h, values, solver)
    expected = np.abs(stability_function(solver)(h * values))
    np.testing.assert_allclose(report.amplification, expected)
    assert report.margin == pytest.approx(1 - expected.max())
    assert bool(report) == bool(expected.max() <= 1)
    assert report.h == h


def test_it_tells_what_repeated_steps_do():
    """A matrix with a basis of eigenvectors: powers of the step stay bounded, or grow."""
    matrix = np.array([[-40.0, 3.0], [0.0, -1.0]])
    for h, bounded in ((0.05, True), (0.0501, False)):
        y = np.array([1.0, 1.0])
        for _ in range(2000):
            y = ode.get("euler").step(lambda t, y: matrix @ y, 0.0, y, h)
        assert bool(is_stable(h, np.linalg.eigvals(matrix), "euler")) is bounded
        assert bool(np.abs(y).max() < 3) is bounded


def test_the_end_of_the_interval_is_stable():
    for k in RNG.uniform(0.1, 100, size=50):
        assert is_stable(2 / k, -k, "euler")
        assert is_stable(-stability_interval("rk4")[0] / k, -k, "rk4")
        assert not is_stable(2.00001 / k, -k, "euler")


def test_numbers_of_all_kinds():
    assert is_stable(1, -1, "euler").amplification.shape == ()
    assert is_stable(np.float32(0.5), ops.convert_to_tensor([-1.0]), "euler").margin == 0.5
    assert is_stable(-1.0, [1.0], "euler").margin == 1.0


@pytest.mark.parametrize("h", [None, "1", 1j, True])
def test_a_step_that_is_no_number(h):
    with pytest.raises(TypeError, match="`h`"):
        is_stable(h, -1.0, "euler")


@pytest.mark.parametrize(("h", "values"), [(np.inf, [-1.0]), (1.0, []), (1.0, [np.nan, 1.0])])
def test_numbers_that_are_not_finite(h, values):
    with pytest.raises(ValueError, match="finite"):
        is_stable(h, values, "euler")


@pytest.mark.parametrize("solver", ["euler", "rk4", "implicit_euler"])
def test_the_region(solver):
    region = stability_region(solver, (-3, 1, -2, 2.5), (9, 7))
    assert region.real.shape == (9,)
    assert region.imaginary.shape == (7,)
    assert (region.real[0], region.real[-1]) == (-3, 1)
    assert (region.imaginary[0], region.imaginary[-1]) == (-2, 2.5)
    assert region.stable.shape == (7, 9)
    R = stability_function(solver)
    for row, column in np.ndindex(7, 9):
        z = region.real[column] + 1j * region.imaginary[row]
        value = region.amplification[row, column]
        assert value == pytest.approx(abs(R(z))) or (np.isinf(value) and z == 1)
        assert region.stable[row, column] == (abs(R(z)) <= 1)


def test_the_region_of_euler_is_a_disk():
    region = stability_region("euler", resolution=301)
    inside = np.abs(1 + region.real + 1j * region.imaginary[:, None]) <= 1
    assert np.mean(inside != region.stable) < 1e-4
    cell = np.diff(region.real)[0] * np.diff(region.imaginary)[0]
    assert region.stable.sum() * cell == pytest.approx(np.pi, rel=0.01)


@pytest.mark.parametrize("solver", ["euler", "rk4", "tsit5", "implicit_euler", "kvaerno5"])
def test_the_box_holds_the_boundary(solver):
    region = stability_region(solver)
    np.testing.assert_allclose(region.imaginary, -region.imaginary[::-1], atol=1e-12)
    assert region.real[0] <= max(stability_interval(solver)[0], -1.0)
    edges = (region.stable[0], region.stable[-1], region.stable[:, 0], region.stable[:, -1])
    rim = np.concatenate(edges)
    assert np.all(rim) or not np.any(rim)  # a bounded region, or a bounded complement
    points = boundary(solver)
    np.testing.assert_allclose(np.abs(stability_function(solver)(points)), 1.0, rtol=1e-8)


@pytest.mark.parametrize("extent", [(0, 0, 0, 1), (1, 0, 0, 1), (0, 1, 0), None, (0, np.inf, 0, 1)])
def test_errors(extent):
    if extent is not None:
        with pytest.raises(ValueError, match="extent"):
            stability_region("euler", extent)
    for bad in (1, 2.5, (3, 1), (3,), True):
        with pytest.raises(ValueError, match="resolution"):
            stability_region("euler", resolution=bad)
