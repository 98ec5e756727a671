"""The step that a solver accepts, and what is compared with it."""

import numpy as np
import pytest
from keras import ops

from experiments import gate_step_size
from stepkit.models import ode_net
from stepkit.ode import get

RNG = np.random.default_rng()


def test_the_accepted_step_is_as_long_as_the_tolerance_allows():
    """y' = -rate y: twice the rate, half the step; the error of such a step is the tolerance."""
    rate = RNG.uniform(1, 20, size=6).astype("float32")[:, None, None, None]
    state = ops.convert_to_tensor(RNG.uniform(1, 2, size=(6, 4, 4, 3)).astype("float32"))
    step = gate_step_size.accepted_step(lambda y: -ops.convert_to_tensor(rate) * y, state)
    np.testing.assert_allclose(step * rate.ravel(), (step * rate.ravel())[0], rtol=1e-2)
    y = ops.convert_to_numpy(state)[0].astype(float)
    found = get("dopri5").attempt(
        lambda t, y: -float(rate[0, 0, 0, 0]) * y, 0.0, y, float(step[0]), -float(rate.flat[0]) * y
    )
    error = found.error / (gate_step_size.ATOL + gate_step_size.RTOL * np.abs(y))
    assert np.sqrt(np.mean(error**2)) == pytest.approx(1.0, rel=0.05)


def test_gates_and_steps_along_the_trajectory():
    model = ode_net(attention="stepnet", width=4, num_steps=3, input_shape=(8, 8, 1))
    images = RNG.normal(size=(5, 8, 8, 1)).astype("float32")
    gate, step = gate_step_size.along(model, images)
    assert gate.shape == step.shape == (5, 3)
    assert ((gate > 0) & (gate < 1)).all()
    assert (step > 0).all()
    stem = model.get_layer("stem")(images)
    first = model.get_layer("ode").field
    slope = first.get_layer("field_conv2")(first.get_layer("field_conv1")(stem))
    expected = ops.convert_to_numpy(first.get_layer("field_attention").gate(slope, stem))
    np.testing.assert_allclose(gate[:, 0], expected.reshape(5, -1).mean(axis=1), rtol=1e-4)


def test_correlation_within_times_does_not_see_what_times_have_in_common():
    time = np.arange(6.0)[None, :] * 100
    gate, step = RNG.normal(size=(2, 300, 6))
    assert abs(gate_step_size.within_times(gate + time, step + time)) < 0.2
    assert gate_step_size.within_times(gate + time, gate - time) == pytest.approx(1.0)
