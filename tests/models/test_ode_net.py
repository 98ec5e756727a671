"""ode_net: the ODE that it says it is; trained, saved, loaded."""

import keras
import numpy as np
import pytest
from keras import ops

from stepkit.models import ode_net
from stepkit.ode import odeint

RNG = np.random.default_rng()
IMAGE = (6, 6, 1)


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


@pytest.mark.parametrize("gate", [None, "se", "stepnet"])
def test_its_middle_solves_the_gated_field(gate):
    model = ode_net(attention=gate, width=6, num_steps=3, t_span=(0.0, 0.5), input_shape=IMAGE)
    block, x = model.get_layer("ode"), RNG.normal(size=(4, *IMAGE)).astype("float32")
    stem = to_numpy(model.get_layer("stem")(x))
    slope = block.field.get_layer("field_conv2")(block.field.get_layer("field_conv1")(stem))
    expected = to_numpy(slope)
    if gate is not None:
        layer = block.field.get_layer("field_attention")
        expected = expected * to_numpy(layer.gate(slope, ops.convert_to_tensor(stem)))
    np.testing.assert_allclose(to_numpy(block.field(stem)), expected, rtol=1e-4, atol=1e-5)
    solution = odeint(
        lambda t, y: to_numpy(block.field(y)), stem, [0.0, 0.5], solver="rk4", step_size=0.5 / 3
    )
    np.testing.assert_allclose(to_numpy(block(stem)), solution.ys[-1], rtol=1e-4, atol=1e-5)


def test_it_trains_and_loads(tmp_path):
    model = ode_net(attention="stepnet", width=4, num_steps=2, input_shape=IMAGE)
    model.compile("adam", "sparse_categorical_crossentropy")
    labels = np.arange(32) % 2
    x = (RNG.normal(size=(32, *IMAGE)) + 3 * labels[:, None, None, None]).astype("float32")
    losses = model.fit(x, labels, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(to_numpy(loaded(x)), to_numpy(model(x)), rtol=1e-4, atol=1e-5)
