"""Lesson 01: right answers that are too slow to stand in the master, and what ties it together."""

import keras
import numpy as np

from stepkit.course.exercises.lesson_01 import euler_solve, hidden_states, residual_net
from stepkit.course.judging import judge


def states_by_predict(model, x):
    wanted = [each for each in model.layers if each.name == "stem" or "block_" in each.name]
    states = keras.Model(model.inputs, [each.output for each in wanted]).predict(x, verbose=0)
    return np.stack(states if isinstance(states, list) else [states])


def test_a_second_model_and_its_predict_are_right():
    outcome = judge("01.hidden_states", {"hidden_states": states_by_predict}, seed=0)
    assert outcome.correct, outcome


def test_the_states_lead_to_what_the_network_says():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(5, 64)).astype("float32")
    for depth in (0, 3):
        net = residual_net(depth, width=4, step_size=0.5)
        states = hidden_states(net, x)
        said = keras.ops.convert_to_numpy(net.get_layer("head")(states[-1]))
        assert states.shape == (depth + 1, 5, 4)
        np.testing.assert_allclose(said, keras.ops.convert_to_numpy(net(x)), atol=1e-6)


def test_the_reference_takes_numbers_and_arrays():
    ts = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(euler_solve(lambda t, y: -y, 1.0, ts), [1, 0.5, 0.25])
    assert euler_solve(lambda t, y: -y, np.ones((2, 3)), ts[::-1]).shape == (3, 2, 3)
