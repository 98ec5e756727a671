"""Lesson 05: what it says of the experiment holds, and its pieces work in a real training."""

import json

import keras
import numpy as np
import pytest

from stepkit import layers, ode, stiffness
from stepkit.course import build, folders
from stepkit.course.exercises import lesson_05

TREE = build.Tree(folders.root())


@pytest.fixture(scope="module")
def found():
    return json.loads((TREE.results / "network_stiffness.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["step_1", "normalised"])
def test_the_highest_block_is_an_early_one_before_and_after(found, name):
    assert found["seeds"] >= 5
    for when in ("before", "after"):
        assert found[name][when]["peak_block"]["max"] <= 2
        falling = found[name][when]["index_by_block"]
        assert falling[0] > 2 * falling[-1]


def test_short_steps_have_a_flat_curve_and_the_better_accuracy(found):
    flat = found["step_1_over_depth"]
    assert flat["after"]["peak_to_median"]["max"] < 1.3
    assert flat["accuracy"]["min"] > found["step_1"]["accuracy"]["max"]


def test_the_monitor_that_is_handed_out_works_in_fit():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.ResidualStep(keras.layers.Dense(3, "tanh"))(inputs))
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    monitor = lesson_05.StiffnessMonitor(x)
    for epochs in (2, 1):
        logs = model.fit(x, 0 * x, epochs=epochs, verbose=0, callbacks=[monitor]).history
        assert len(monitor.history) == len(logs["stiffness"]) == epochs
    now = lesson_05.neural_stiffness_index(model, x).mean(axis=0)
    np.testing.assert_allclose(monitor.history[-1], now, rtol=1e-5)
    wanted = stiffness.neural_stiffness_index(model, x, "raw").values
    np.testing.assert_allclose(lesson_05.neural_stiffness_index(model, x), wanted, rtol=1e-5)


def test_the_index_and_the_steps_that_are_needed_part():
    """The statements below the table of section 4."""

    def steps(f, y0, end, solver):
        settings = {"rtol": 1e-4, "atol": 1e-6, "max_steps": 50_000}
        return ode.odeint(f, y0, [0.0, end], solver=solver, **settings).stats.num_steps

    creeping = ode.problems.VanDerPol(mu=1000.0)
    start = np.array([2.0, 0.0])
    explicit, implicit = (steps(creeping.f, start, 20.0, s) for s in ("tsit5", "kvaerno5"))
    assert explicit > 20 * implicit
    growth = [steps(lambda t, y: 5.0 * y, np.array([1.0]), 1.0, s) for s in ("tsit5", "kvaerno5")]
    assert max(growth) < 30
