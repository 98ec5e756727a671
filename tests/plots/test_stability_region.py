"""The figure of stability regions: what it draws."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
from keras import ops
from matplotlib import pyplot

from stepkit import plots
from stepkit.stability import stability_function

RNG = np.random.default_rng()


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def boundaries(ax):
    """The points of each line |R| = 1."""
    lines = [c for c in ax.collections if not c.get_facecolor().size]
    return [np.concatenate(line.get_paths()[0].to_polygons(closed_only=False)) for line in lines]


@pytest.mark.parametrize("solver", ["euler", "rk4", "implicit_euler"])
def test_the_line_is_where_the_amplification_is_one(solver):
    _, given = pyplot.subplots()
    ax = plots.stability_region(solver, ax=given)
    assert ax is given
    (points,) = boundaries(ax)
    assert len(points) > 50
    size = np.abs(stability_function(solver)(points[:, 0] + 1j * points[:, 1]))
    np.testing.assert_allclose(size, 1.0, atol=0.02)  # linear between points of the grid
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Re z", "Im z")
    assert ax.get_aspect() == 1.0
    assert ax.get_legend() is None


def test_eigenvalues_are_told_apart_by_marker():
    inside = -1 + 0.5 * RNG.normal(size=20) / 5
    ax = plots.stability_region("euler", np.append(inside, [-9.0 + 2j, 1j]).reshape(2, 11))
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["stable"].get_xdata(), inside)
    np.testing.assert_array_equal(lines["unstable"].get_ydata(), [2.0, 1.0])
    assert lines["stable"].get_marker() != lines["unstable"].get_marker()
    assert ax.get_xlim()[0] < -9
    assert ax.get_ylim()[1] == -ax.get_ylim()[0] > 2
    on_the_line = plots.stability_region("euler", ops.convert_to_tensor([-2.0]))
    assert [text.get_text() for text in on_the_line.get_legend().get_texts()] == ["stable"]


def test_several_solvers_differ_in_colour_and_dashes():
    ax = plots.stability_region(["euler", "heun", "rk4"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["euler", "heun", "rk4"]
    named = [line for line in ax.lines if line.get_label() in ("euler", "heun", "rk4")]
    assert len({line.get_linestyle() for line in named}) == 3
    assert len({line.get_color() for line in named}) == 3
    assert len(boundaries(ax)) == 3
    ax = plots.stability_region("rk4", extent=(-1, 0, -2, 2), labels=["mine"])
    assert ax.get_xlim() == (-1, 0)
    assert ax.get_legend().get_texts()[0].get_text() == "mine"


def test_errors():
    with pytest.raises(ValueError, match="one solver"):
        plots.stability_region(["euler", "rk4"], [-1.0])
    with pytest.raises(ValueError, match="Unknown solver"):
        plots.stability_region("eulr")
    with pytest.raises(ValueError, match="extent"):
        plots.stability_region("euler", extent=(1, 0, 0, 1))
