"""check_solver finds what is broken, and names it; good solvers pass."""

import numpy as np
import pytest

from stepkit import ode
from stepkit.testing import ConformanceError, check_solver

ALL = {"tableau", "order", "time", "reversal", "interval", "states", "gradient"}


EXPLICIT = ["euler", "midpoint", "heun", "ralston", "rk4", "bosh3", "dopri5", "tsit5"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*EXPLICIT, "implicit_euler", "trapezoid", "kvaerno5"])
def test_ours_pass(name):
    assert set(check_solver(name)) == ALL


def nested(step):
    """Turns a step of one leaf into one of nested states, as `states` asks for."""
    import keras

    def wrapped(f, t, y, h):
        if not isinstance(y, dict):
            return step(f, t, y, h)
        flat, new = keras.tree.flatten(y), []
        for i, leaf in enumerate(flat):

            def part(t, value, i=i):
                whole = keras.tree.pack_sequence_as(y, [*flat[:i], value, *flat[i + 1 :]])
                return keras.tree.flatten(f(t, whole))[i]

            new.append(step(part, t, leaf, h))
        return keras.tree.pack_sequence_as(y, new)

    return wrapped


def heun(f, t, y, h):
    k = f(t, y)
    return y + h / 2 * (k + f(t + h, y + h * k))


def test_a_callable_passes_with_its_order():
    assert set(check_solver(nested(heun), order=2)) == ALL
    assert set(check_solver(nested(heun))) == ALL


class WrongOrder(ode.Heun):
    order = 3


def forgets_h(f, t, y, h):
    return y + f(t, y)


def frozen_time(f, t, y, h):
    k = f(t, y)
    return y + h / 2 * (k + f(t, y + h * k))


def wrong_weight(f, t, y, h):
    k = f(t, y)
    return y + h * (0.4 * k + 0.6 * f(t + h, y + h * k))


def forward_only(f, t, y, h):
    return heun(f, t, y, abs(h))


def detached(f, t, y, h):
    from keras import ops

    return y + h * f(t, y) if isinstance(y, np.ndarray) else y + h * ops.stop_gradient(f(t, y))


def mixes(f, t, y, h):
    if isinstance(y, dict):
        k = f(t, y)
        return {"a": y["a"] + h * k["a"], "b": (y["b"][0] + h * k["b"][0] + y["a"].mean(),)}
    return y + h * f(t, y)


class Damped(ode.Heun):
    """Heun's tableau, and a step that is cut short where it would grow."""

    def step(self, f, t, y, h):
        return np.clip(super().step(f, t, y, h), -1.0, 1.0)


def slower_if_long(f, t, y, h):
    return y + h * f(t, y) if h < 1.5 else y + f(t, y) * h**0.5


@pytest.mark.parametrize(
    ("solver", "interval", "message"),
    [
        (Damped(), None, "up to 2; a step of 2.002 multiplies y by 1"),
        (heun, 2.5, "up to 2.5"),
        (heun, 1.9, "up to 1.9"),
        (slower_if_long, None, "a factor of h k alone"),
        (ode.Kvaerno5(), 10.0, "up to 10"),
        (ode.RK4(), np.inf, "up to inf"),
    ],
)
def test_a_wrong_stability_interval_is_found(solver, interval, message):
    with pytest.raises(ConformanceError) as caught:
        check_solver(solver, interval=interval, skip=ALL - {"interval"})
    assert message in caught.value.failures["interval"]


def test_a_callable_passes_with_its_interval():
    assert check_solver(heun, interval=2.0, skip=ALL - {"interval"}) == ("interval",)


@pytest.mark.parametrize(
    ("solver", "order", "check", "message"),
    [
        (WrongOrder(), None, "tableau", "tableau has order 2, claimed is 3"),
        (WrongOrder(), None, "order", "expected order 3, measured"),
        (ode.RK4(), 3, "order", "expected order 3, measured"),
        (wrong_weight, 2, "order", "expected order 2"),
        (forgets_h, None, "order", "expected order 1 at least"),
        (frozen_time, 2, "time", "SeasonalGrowth 1."),
        (forward_only, 2, "reversal", "misses the start"),
        (mixes, None, "states", "siblings"),
        (detached, None, "gradient", "finite differences"),
    ],
)
def test_each_check_finds_its_broken_solver(solver, order, check, message):
    with pytest.raises(ConformanceError) as caught:
        check_solver(solver, order=order, skip=ALL - {check})
    assert message in caught.value.failures[check]


def test_frozen_time_is_right_on_autonomous_problems():
    """So that `time` is what finds it."""
    check_solver(frozen_time, order=2, skip=("time", "states"))
