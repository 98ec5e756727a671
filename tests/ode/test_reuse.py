"""A compiled solve is used again, and never where the field has become another one.

Every field here is y' = -rate * y, so the state at time 1 is exp(-rate); `rate` lives in another
place each time, and is changed between two solves.
"""

import functools
import types

import keras
import numpy as np
import pytest
from keras import ops

from stepkit import ode
from stepkit._backend import grad, is_concrete, worth_compiling
from stepkit.ode import _reuse

compiles = pytest.mark.skipif(
    not worth_compiling([ops.ones(())]), reason="torch runs operation by operation"
)
RATE = 1.0
RATES = types.SimpleNamespace(rate=1.0)


def solve(f, start=1.0, solver="dopri5", **options):
    y0 = ops.convert_to_tensor(np.full(2, start, "float32"))
    return ode.odeint(f, y0, [0.0, 0.4, 1.0], solver=solver, rtol=1e-5, **options)


def at_one(f, **options):
    return ops.convert_to_numpy(solve(f, **options).ys)[-1, 0]


def in_closure():
    rate = 1.0

    def change(value):
        nonlocal rate
        rate = value

    return lambda t, y: -rate * y, change


def in_global():
    return lambda t, y: -RATE * y, lambda value: globals().update(RATE=value)


def in_attribute_of_global():
    return lambda t, y: -RATES.rate * y, lambda value: setattr(RATES, "rate", value)


def in_default():
    def f(t, y, rate=1.0):
        return -rate * y

    return f, lambda value: setattr(f, "__defaults__", (value,))


def in_list():
    rates = [[1.0]]
    return lambda t, y: -rates[0][0] * y, lambda value: rates[0].__setitem__(0, value)


def in_dict():
    rates = {"rate": 1.0}
    return lambda t, y: -rates["rate"] * y, lambda value: rates.update(rate=value)


def in_array():
    rates = np.ones(2, "float32")
    return lambda t, y: -ops.convert_to_tensor(rates) * y, lambda value: rates.fill(value)


def in_inner_function():
    rates = [1.0]

    def f(t, y):
        def inner():
            return rates[0]

        return -inner() * y

    return f, lambda value: rates.__setitem__(0, value)


def in_helper():
    f, change = in_closure()
    return lambda t, y: f(t, y), change


def in_partial():
    rates = {"rate": 1.0}

    def f(rates, t, y):
        return -rates["rate"] * y

    return functools.partial(f, rates), lambda value: rates.update(rate=value)


class Decay:
    shared = 1.0

    def __init__(self):
        self.own = 1.0

    @property
    def rate(self):
        return self.own * self.shared

    def __call__(self, t, y):
        return -self.rate * y


def in_object():
    decay = Decay()
    return decay, lambda value: setattr(decay, "own", value)


def in_method():
    decay = Decay()
    return decay.__call__, lambda value: setattr(decay, "own", value)


def in_class():
    class Mine(Decay):
        pass

    return Mine(), lambda value: setattr(Mine, "shared", value)


def in_replaced_method():
    class Mine(Decay):
        pass

    return Mine(), lambda value: setattr(Mine, "__call__", lambda self, t, y: -value * y)


def in_module():
    module = types.ModuleType("settings_of_mine")
    module.rate = 1.0
    return lambda t, y: -module.rate * y, lambda value: setattr(module, "rate", value)


def in_tensor():
    rates = [ops.convert_to_tensor(1.0)]
    return lambda t, y: -rates[0] * y, lambda value: rates.__setitem__(0, ops.multiply(1.0, value))


def in_variable():
    rate = keras.Variable(1.0)
    return lambda t, y: -rate * y, rate.assign


def in_layer():
    layer = keras.layers.Dense(2, use_bias=False)
    layer.build((None, 2))
    layer.kernel.assign(np.eye(2))
    return lambda t, y: -layer(y[None])[0], lambda value: layer.kernel.assign(value * np.eye(2))


class Scaled(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.rate = 1.0
        self.built = True

    def call(self, y):
        return -self.rate * y


def in_attribute_of_layer():
    layer = Scaled()
    return lambda t, y: layer(y), lambda value: setattr(layer, "rate", value)


def in_model():
    inputs = keras.Input((2,))
    layer = Scaled()
    model = keras.Model(inputs, layer(inputs))
    return lambda t, y: model(y[None])[0], lambda value: setattr(layer, "rate", value)


def in_step():  # the solver's, not the field's
    rates = [1.0]

    def step(f, t, y, h):
        return y * ops.exp(-ops.cast(h, y.dtype) * rates[0])

    return step, lambda value: rates.__setitem__(0, value)


PLACES = [value for name, value in sorted(globals().items()) if name.startswith("in_")]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_changed_field_is_another_field(place):
    f, change = place()
    options = {"solver": "rk4", "step_size": 0.1}
    if place is in_step:
        f, options = (lambda t, y: -y), {"solver": f}
    for rate in (1.0, 2.0, 1.0):
        change(rate)
        for _ in range(2):
            assert at_one(f, **options) == pytest.approx(np.exp(-rate), rel=1e-4)


@pytest.mark.parametrize("place", [in_closure, in_layer])
def test_a_changed_field_is_another_field_where_steps_adapt(place):
    f, change = place()
    for rate in (1.0, 2.0):
        change(rate)
        assert at_one(f) == pytest.approx(np.exp(-rate), rel=1e-4)


@compiles
@pytest.mark.parametrize("place", [in_closure, in_object, in_variable, in_layer, in_array])
def test_the_same_field_is_compiled_once(place):
    f, _ = place()
    at_one(f)
    before = len(_reuse.programs)
    for start in (2.0, 3.0):
        assert at_one(f, start=start) == pytest.approx(start * np.exp(-1), rel=1e-4)
    assert len(_reuse.programs) == before


class Drawn(Decay):
    """A field whose weights are drawn when it is made, and never after."""

    def __init__(self):
        super().__init__()
        self.own = np.random.default_rng().normal(1.0, 1e-9)


class DrawnLayer(keras.layers.Layer):
    """The same as a layer."""

    def build(self, shape):
        draw = keras.random.normal((), mean=1.0, stddev=1e-9)
        self.rate = self.add_weight(shape=(), initializer=lambda *_, **__: draw)

    def call(self, y):
        return -self.rate * y


def drawn_layer():
    layer = DrawnLayer()
    layer.build((2,))
    return lambda t, y: layer(y)


@compiles
@pytest.mark.parametrize("make", [Drawn, drawn_layer])
def test_weights_that_were_drawn_once_are_no_reason_to_compile_again(make):
    f = make()
    at_one(f)
    before = len(_reuse.programs), next(reversed(_reuse.programs))
    for start in (2.0, 3.0):
        assert at_one(f, start=start) == pytest.approx(start * np.exp(-1), rel=1e-4)
        assert (len(_reuse.programs), next(reversed(_reuse.programs))) == before
    assert f in next(reversed(_reuse.programs.values())).kept


@compiles
def test_a_lambda_in_a_loop_is_compiled_once():
    numbers = set()
    for _ in range(3):
        at_one(lambda t, y: -0.125 * y)
        numbers.add(len(_reuse.programs))
    assert len(numbers) == 1


@compiles
def test_the_cache_does_not_grow_for_ever():
    for rate in range(3):
        at_one(lambda t, y, rate=rate: -rate * y, solver="euler")
    assert 0 < len(_reuse.programs) <= _reuse.MOST


def test_evaluations_and_steps_are_told_again():
    f, _ = in_closure()
    for options in ({}, {"solver": "rk4", "step_size": 0.1}, {"solver": "kvaerno5"}):
        first, second = (solve(f, **options).stats for _ in range(2))
        assert first == second
        assert first.num_evaluations > 0


def test_gradients_flow_through_a_program_that_is_used_again():
    f, change = in_variable()

    def end(y0):
        return ops.sum(ode.odeint(f, y0, [0.0, 1.0], rtol=1e-5).ys[-1] ** 2)

    for rate, start in ((1.0, 1.0), (2.0, 3.0)):
        change(rate)
        for _ in range(2):
            got = grad(end)(ops.convert_to_tensor(np.array([start], "float32")))
            expected = 2 * start * np.exp(-2 * rate)
            assert float(ops.convert_to_numpy(got)[0]) == pytest.approx(expected, rel=1e-3)


def test_random_fields_draw_anew():
    def noisy(t, y):
        return -y + ops.convert_to_tensor(np.random.default_rng().normal(size=2).astype("float32"))

    assert at_one(noisy, solver="euler") != at_one(noisy, solver="euler")


@pytest.mark.slow
def test_a_field_that_changes_its_variables_is_not_compiled_for_reuse():
    count = keras.Variable(0.0, trainable=False)

    def counting(t, y):
        if keras.backend.backend() == "tensorflow":
            count.assign_add(1.0)
        return -y

    for _ in range(2):
        assert at_one(counting) == pytest.approx(np.exp(-1), rel=1e-4)
    if keras.backend.backend() == "tensorflow":
        assert float(ops.convert_to_numpy(count.value)) > 6


def test_tensors_without_values_are_known():
    seen = []

    def look(x):
        seen.append(is_concrete(x))
        return x

    from stepkit._backend import compiled

    compiled(look)(ops.ones(2))
    assert seen[0] == (keras.backend.backend() == "torch")
    assert is_concrete(ops.ones(2))
