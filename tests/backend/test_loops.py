"""Bounded loops: values and gradients, eager and compiled, against closed forms."""

import keras
import numpy as np
import pytest
from keras import ops

from stepkit._backend import bounded_loop, can_jit_compile, saving_loop, vjp

RNG = np.random.default_rng()


def to_numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_bounded_loop_gives_the_index_and_repeats_n_times(n):
    state = (ops.zeros(()), {"index_sum": ops.zeros((), "int32")})

    def body(i, state):
        value, counts = state
        return value + 0.5, {"index_sum": counts["index_sum"] + ops.cast(i, "int32")}

    value, counts = bounded_loop(n, body, state)
    assert float(value) == 0.5 * n
    assert int(counts["index_sum"]) == n * (n - 1) // 2


@pytest.mark.parametrize("save_after", [(6,), (1, 2, 6), (2, 5, 6), (1, 2, 3, 4, 5, 6)])
def test_saving_loop_keeps_the_states_after_the_wanted_steps(save_after):
    start = RNG.normal(size=(2, 3)).astype("float32")
    last, saved = saving_loop(
        6, lambda i, s: {"y": 2.0 * s["y"]}, {"y": ops.convert_to_tensor(start)}, save_after
    )
    expected = np.stack([start * 2.0**k for k in save_after])
    np.testing.assert_array_equal(to_numpy(saved["y"]), expected)
    np.testing.assert_array_equal(to_numpy(last["y"]), start * 2.0**6)


def test_saving_loop_selects_what_it_keeps():
    state = (ops.ones((2,)), ops.zeros((), "int32"))
    _, saved = saving_loop(
        3, lambda i, s: (s[0] * 3.0, s[1] + 1), state, (1, 3), select=lambda s: s[0]
    )
    np.testing.assert_array_equal(to_numpy(saved), [[3.0, 3.0], [27.0, 27.0]])


def test_saving_loop_refuses_a_plan_that_does_not_end_at_the_end():
    with pytest.raises(ValueError, match="save_after"):
        saving_loop(3, lambda i, s: s, ops.ones(()), (1, 2))


def test_gradient_through_a_loop_is_the_closed_form():
    """y_n = a^n y_0: dy/da = n a^(n - 1) y_0."""
    n, a, y0 = 9, RNG.uniform(0.5, 1.2), RNG.uniform(1, 2)

    def end(a, y0):
        return bounded_loop(n, lambda i, y: a * y, y0)

    _, pullback = vjp(end, np.array(a), np.array(y0))
    da, dy = (float(to_numpy(g)) for g in pullback(1.0))
    assert da == pytest.approx(n * a ** (n - 1) * y0, rel=1e-12)
    assert dy == pytest.approx(a**n, rel=1e-12)


def test_gradient_through_saved_states_is_the_closed_form():
    """The sum of a^k over the saved k."""
    save_after, a = (2, 3, 7), RNG.uniform(0.5, 1.2)

    def total(a):
        return ops.sum(saving_loop(7, lambda i, y: a * y, ops.ones_like(a), save_after)[1])

    _, pullback = vjp(total, np.array(a))
    expected = sum(k * a ** (k - 1) for k in save_after)
    assert float(to_numpy(pullback(1.0)[0])) == pytest.approx(expected, rel=1e-12)


class Power(keras.Layer):
    """x a^n, or the sum of the saved powers, by a loop."""

    def __init__(self, save_after=()):
        super().__init__()
        self.save_after = save_after

    def build(self, input_shape):
        self.a = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.9))

    def call(self, x):
        last, saved = saving_loop(5, lambda i, y: self.a * y, x, self.save_after)
        return last if saved is None else ops.sum(saved, axis=0)


@pytest.mark.parametrize("save_after", [(), (2, 5)])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_training_step_moves_the_weight_by_the_closed_form(save_after, jit_compile):
    if jit_compile and not can_jit_compile():
        pytest.skip("torch's compiler takes very long")
    inputs = keras.Input((1,))  # the batch size is not known
    layer = Power(save_after)
    model = keras.Model(inputs, layer(inputs))
    rate = 0.01
    model.compile(keras.optimizers.SGD(rate), "mse", jit_compile=jit_compile)
    x = RNG.uniform(0.5, 1.0, size=(8, 1)).astype("float32")
    model.fit(x, 0 * x, batch_size=8, epochs=1, verbose=0)
    powers, a = save_after or (5,), 0.9
    value, slope = sum(a**k for k in powers), sum(k * a ** (k - 1) for k in powers)
    expected = a - rate * 2 * np.mean(x**2) * value * slope
    assert float(to_numpy(layer.a)) == pytest.approx(expected, rel=1e-5)


def test_tensorflow_and_jax_enter_the_body_once_whatever_the_trip_count():
    if keras.backend.backend() == "torch":
        pytest.skip("torch runs eagerly")
    entered = []

    class Counted(keras.Layer):
        def call(self, x):
            def body(i, y):
                entered.append(1)
                return 0.5 * y

            return bounded_loop(200, body, x)

    model = keras.Sequential([keras.Input((1,)), Counted()])
    model.predict(np.ones((2, 1)), verbose=0)
    assert len(entered) < 10
