"""Lesson 01: right answers that are too slow to stand in the master, and what ties it together."""

import keras
import numpy as np
import pytest

from stepkit.course.exercises.lesson_01 import euler_solve, hidden_states, residual_net
from stepkit.course.judging import judge
from stepkit.layers import ResidualStep


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


STEPS = {
    "back in time": lambda f, t, y, h: y + abs(h) * f(t, y),
    "f was not called": lambda f, t, y, h: y + h * y,
    "f takes t first": lambda f, t, y, h: y + h * f(y, t),
    "multiplied by t": lambda f, t, y, h: y + t * f(t, y),
    "TypeError: f() missing": lambda f, t, y, h: y + h * f(y),
}


@pytest.mark.parametrize("said", STEPS)
def test_a_slip_in_a_step_is_named(said):
    for seed in range(5):
        outcome = judge("01.euler_step", {"euler_step": STEPS[said]}, seed=seed)
        assert said in outcome.message, outcome


def slope_of_log(step_sizes, errors, which=0):
    return np.polyfit(np.log(step_sizes), np.log(errors), 1)[which]


ORDERS = {
    "That is the offset": lambda h, e: slope_of_log(h, e, which=1),
    "You add a tiny number": lambda h, e: slope_of_log(h, e + 1e-12),
}


@pytest.mark.parametrize("said", ORDERS)
def test_a_slip_in_the_order_is_named(said):
    outcome = judge("01.convergence_order", {"convergence_order": ORDERS[said]}, seed=0)
    assert said in outcome.message, outcome
    assert "999" not in outcome.message


def test_a_tiny_number_beside_tiny_errors_is_seen_also_where_zeros_are_left_out():
    def bent(h, e):
        return slope_of_log(h[e > 0], e[e > 0] + 1e-16)

    outcome = judge("01.convergence_order", {"convergence_order": bent}, seed=0)
    assert outcome.misconception == "zero-error", outcome


def test_a_fit_in_single_precision_is_a_fit():
    def single(h, e):
        h, e = (np.asarray(each[e > 0], "float32") for each in (h, e))
        return slope_of_log(h, e)

    for seed in range(20):
        outcome = judge("01.convergence_order", {"convergence_order": single}, seed=seed)
        assert outcome.kind == "correct", outcome


def network(connect, shape=(64,)):
    """`connect(x, width, h, k, depth)` gives the tensor after block k."""

    def residual_net(depth, width=16, step_size=1.0):
        inputs = keras.Input(shape)
        x = keras.layers.Dense(width, name="stem")(inputs)
        for k in range(1, depth + 1):
            x = connect(x, width, step_size, k, depth)
        return keras.Model(inputs, keras.layers.Dense(10, "softmax", name="head")(x))

    return residual_net


def block(width, h, k):
    return ResidualStep(keras.layers.Dense(width, "tanh"), h, name=f"block_{k}")


def tensor_for_layer(x, width, h, k, depth):
    return ResidualStep(keras.layers.Dense(width, "tanh")(x), h, name=f"block_{k}")(x)


def not_chained(x, width, h, k, depth):
    block(width, h, k)(x)
    return x


def by_hand(x, width, h, k, depth):
    return x + h * keras.layers.Dense(width, "tanh", name=f"block_{k}")(x)


NETS = {
    "block_1 computes only the change": network(by_hand),
    "the layer Dense(width)": network(tensor_for_layer),
    "Hand each result on": network(not_chained),
    "already the step of each block": network(lambda x, w, h, k, n: block(w, h / n, k)(x)),
    "one needs a comma": network(lambda x, w, h, k, n: block(w, h, k)(x), shape=64),
}


@pytest.mark.parametrize("said", NETS)
def test_a_slip_in_the_network_is_named(said):
    outcome = judge("01.residual_net", {"residual_net": NETS[said]}, seed=0)
    assert said in outcome.message, outcome


def followed(first, update):
    def hidden_states(model, x):
        states = []
        for layer in model.layers[first:-1]:
            x = update(layer, x) if states else layer(x)
            states.append(keras.ops.convert_to_numpy(x))
        return np.array(states)

    return hidden_states


STATES = {
    "is an InputLayer": followed(0, lambda layer, x: layer(x)),
    "you add it to the old one": followed(1, lambda layer, x: x + layer(x)),
    "is symbolic": lambda model, x: np.array([each.output for each in model.layers[1:-1]]),
    "not a list of one": lambda model, x: np.array(
        keras.Model(model.inputs, [each.output for each in model.layers[1:-1]]).predict(x)
    ),
}


@pytest.mark.parametrize("said", STATES)
def test_a_slip_in_following_the_states_is_named(said):
    outcome = judge("01.hidden_states", {"hidden_states": STATES[said]}, seed=0)
    assert said in outcome.message, outcome
