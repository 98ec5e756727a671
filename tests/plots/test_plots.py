"""Figures: what they draw, not how they look."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
from keras import ops
from matplotlib import pyplot

from stepkit import ode, plots
from stepkit.plots.hidden_trajectories import principal_plane

RNG = np.random.default_rng()


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def test_trajectory_draws_each_component_and_the_exact_one():
    problem = ode.problems.HarmonicOscillator()
    solution = ode.odeint(problem.f, problem.y0, np.linspace(0, 1, 5), solver="rk4")
    _, given = pyplot.subplots()
    ax = plots.trajectory(solution, exact=problem.exact, labels=["x", "v"], ax=given)
    assert ax is given
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), solution.ys[:, 0])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["x", "v", "exact"]
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_trajectory_takes_times_and_states_and_tensors():
    ax = plots.trajectory([0.0, 1.0], ops.convert_to_tensor([2.0, 3.0]))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2.0, 3.0])
    with pytest.raises(ValueError, match="one entry per time"):
        plots.trajectory([0.0, 1.0], [1.0, 2.0, 3.0])


def test_convergence_has_reference_lines_of_the_right_slope():
    h = np.array([0.1, 0.2, 0.4])
    ax = plots.convergence(h, {"a": h, "b": h**2}, orders=[1, 2])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    guide = ax.lines[3].get_ydata()
    slope = np.polyfit(np.log(h), np.log(guide), 1)[0]
    assert slope == pytest.approx(2.0)
    with pytest.raises(ValueError, match="one entry per step size"):
        plots.convergence(h, h[:2])


def test_no_meaning_in_colour_alone():
    """Two lines or classes differ in marker as well."""
    h = np.array([0.1, 0.2])
    lines = plots.convergence(h, {str(i): h * (i + 1) for i in range(7)}).lines
    assert len({line.get_marker() for line in lines}) == 7
    ax = plots.hidden_trajectories(RNG.normal(size=(3, 10, 4)), np.arange(10))
    ends = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert len({(line.get_marker()) for line in ends}) == 10


def test_the_principal_plane_keeps_what_lies_in_a_plane():
    """Points of a plane keep their distances, at all depths together."""
    basis = np.linalg.qr(RNG.normal(size=(6, 6)))[0][:2]
    flat = RNG.normal(size=(4, 5, 2))
    plane = principal_plane(flat @ basis)
    for points in (flat, plane):
        points -= points.reshape(-1, 2).mean(axis=0)
    gram = [p.reshape(-1, 2) @ p.reshape(-1, 2).T for p in (flat, plane)]
    np.testing.assert_allclose(gram[0], gram[1], atol=1e-10)


def test_hidden_trajectories_refuses_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="labels"):
        plots.hidden_trajectories(np.ones((3, 4, 2)), [0, 1])


def test_phase_plane_draws_unit_arrows_along_the_field():
    problem = ode.problems.HarmonicOscillator(frequency=2.0)
    solution = ode.odeint(problem.f, problem.y0, np.linspace(0, 1, 9), solver="rk4")
    ax = plots.phase_plane(
        problem.f, xlim=(-1, 1), ylim=(-1, 1), solutions=[solution], labels=["rk4"]
    )
    arrows = ax.collections[0]
    points = arrows.get_offsets()
    slopes = problem.f(0.0, np.asarray(points))
    lengths = np.linalg.norm(slopes, axis=1)
    inner = lengths > 1e-9
    np.testing.assert_allclose(arrows.U[inner], slopes[inner, 0] / lengths[inner], atol=1e-12)
    assert len(ax.lines) == 1
