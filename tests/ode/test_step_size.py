"""The controller's formula, and what it does to a solve."""

import numpy as np
import pytest

from stepkit import ode
from stepkit.ode import PIDController

RNG = np.random.default_rng()


def test_the_factor_is_the_formula():
    p, i, d = RNG.uniform(0.05, 0.3, 3)
    error, last, older = RNG.uniform(0.3, 1.5, 3)
    order = int(RNG.integers(1, 6))
    k = order + 1
    expected = 0.9 * error ** (-(p + i + d) / k) * last ** ((p + 2 * d) / k) * older ** (-d / k)
    found = PIDController(p, i, d).factor(error, (last, older), order)
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_factor_has_bounds():
    controller = PIDController(smallest=0.3, largest=4.0)
    assert controller.factor(1e9, (1.0, 1.0), 4) == 0.3
    assert controller.factor(0.0, (1.0, 1.0), 4) == 4.0


def test_a_pi_controller_rejects_fewer_steps_where_stability_limits_them():
    def field(t, y):
        return -50.0 * (y - np.cos(t))

    counts = [
        ode.odeint(
            field, 0.0, [0.0, 10.0], solver="dopri5", controller=controller
        ).stats.num_rejected
        for controller in (PIDController(), PIDController(p=0.4, i=0.3))
    ]
    assert counts[1] < counts[0]


@pytest.mark.parametrize(
    "wrong", [{"i": 0.0}, {"safety": 1.5}, {"smallest": 2.0}, {"largest": 0.5}]
)
def test_wrong_values_are_named(wrong):
    with pytest.raises(ValueError, match="A PIDController needs"):
        PIDController(**wrong)
