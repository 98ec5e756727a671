"""Lesson 06: its pieces agree with the library's, and what it says of the experiment holds."""

import json

import numpy as np
import pytest

from stepkit import spectra, stability
from stepkit.course import build, folders
from stepkit.course.exercises import lesson_06

TREE = build.Tree(folders.root())


@pytest.fixture(scope="module")
def result():
    path = TREE.results / "blocks_in_the_region.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_margin_is_one_minus_the_amplification_of_eulers_step():
    matrices = np.random.default_rng(0).normal(size=(5, 4, 4))
    function = stability.stability_function("euler")
    want = 1 - np.abs(function(0.5 * np.linalg.eigvals(matrices))).max(axis=-1)
    np.testing.assert_allclose(lesson_06.block_margin(matrices, 0.5), want)


def test_the_derivative_is_the_jacobian_times_the_vector():
    x, v = np.random.default_rng(0).normal(size=(2, 3, 2))
    got = lesson_06.directional_derivative(np.sin, x, v)
    np.testing.assert_allclose(got, np.cos(x) * v, atol=1e-8)
    assert not lesson_06.directional_derivative(np.sin, x, 0 * v).any()


def test_the_example_grows_five_times_and_its_logarithmic_norm_is_positive():
    matrix = np.array([[-1.0, 20.0], [0.0, -2.0]])
    t = np.log(2)  # where exp(-t) - exp(-2t) is largest
    assert 5.0 <= np.hypot(20 * (np.exp(-t) - np.exp(-2 * t)), np.exp(-2 * t)) < 5.1
    assert spectra.logarithmic_norm(matrix) > 8


def test_no_block_lies_inside(result):
    for found in result["networks"].values():
        for when in ("before", "after"):
            assert found[when]["outside"]["min"] == 1.0


def test_training_leaves_the_eigenvalues_about_where_they_were(result):
    found = result["networks"]["plain"]
    before, after = (found[when]["amplification"]["median"] for when in ("before", "after"))
    assert abs(before - after) < 0.15


def test_the_penalty_draws_the_eigenvalues_to_zero(result):
    ends = [result["networks"][name]["after"] for name in ("plain", "light", "heavy")]
    for key in ("radius", "amplification", "logarithmic_norm"):
        assert ends[0][key]["min"] > ends[1][key]["max"] > ends[2][key]["max"]
    assert ends[2]["amplification"]["min"] > 1.0 > ends[2]["radius"]["max"] * 10


def test_the_penalty_does_not_cost_accuracy_here_and_no_blocks_are_better(result):
    networks = result["networks"]
    for name in ("light", "heavy"):
        cost = networks[name]["cost"]
        assert cost["max"] < 0 and -cost["mean"] > cost["detectable"]
    assert (
        result["no_blocks"]["accuracy"]["median"]
        > networks["heavy"]["after"]["accuracy"]["median"]
        > networks["plain"]["after"]["accuracy"]["max"]
    )
