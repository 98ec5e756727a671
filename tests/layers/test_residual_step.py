"""ResidualStep: values, shapes, state, masks, errors."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit.layers import ResidualStep
from stepkit.testing import check_layer

RNG = np.random.default_rng()


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def dense():
    return layers.Dense(5, activation="tanh")


@pytest.mark.parametrize(
    "kwargs",
    [
        {"residual": dense(), "step_size": 0.5, "learn_step": True},
        {"residual": keras.Sequential([dense(), layers.BatchNormalization()])},
    ],
    ids=["learned", "sequential"],
)
def test_conformance(kwargs):
    check_layer(ResidualStep, kwargs, (3, 5), jit_modes=("auto", True))


@pytest.mark.parametrize("learn_step", [False, True])
def test_it_is_an_euler_step(learn_step):
    h, x = RNG.uniform(0.1, 2), RNG.normal(size=(4, 5)).astype("float32")
    layer = ResidualStep(dense(), step_size=h, learn_step=learn_step)
    received = to_numpy(layer(x))
    kernel, bias = map(to_numpy, layer.residual.weights)
    np.testing.assert_allclose(received, x + h * np.tanh(x @ kernel + bias), rtol=1e-4, atol=1e-5)
    assert len(layer.weights) == 2 + learn_step


def test_images_in_both_data_formats():
    for data_format, shape in (("channels_last", (2, 6, 5, 3)), ("channels_first", (2, 3, 6, 5))):
        if data_format == "channels_first" and keras.backend.backend() == "tensorflow":
            conv = layers.Conv2D(3, 1, data_format=data_format)  # all that old CPU kernels can do
        else:
            conv = layers.Conv2D(3, 3, padding="same", data_format=data_format)
        layer = ResidualStep(conv)
        assert tuple(layer(RNG.normal(size=shape).astype("float32")).shape) == shape
        assert layer.compute_output_shape((None, *shape[1:])) == (None, *shape[1:])


def test_batch_normalisation_inside_learns_its_averages():
    x = (3.0 + RNG.normal(size=(64, 5))).astype("float32")
    norm = layers.BatchNormalization(momentum=0.5)
    model = keras.Sequential([keras.Input((5,)), ResidualStep(norm)])
    model.compile("sgd", "mse")
    model.fit(x, x, batch_size=64, epochs=1, verbose=0)
    np.testing.assert_allclose(to_numpy(norm.moving_mean), 0.5 * x.mean(axis=0), rtol=1e-3)


class Recorder(layers.Layer):
    """Tells which mask and training flag arrived."""

    def call(self, x, training=None, mask=None):
        self.seen = (training, mask)
        return x


def test_training_and_mask_are_passed_on_and_the_mask_is_kept():
    recorder = Recorder()
    layer = ResidualStep(recorder)
    x = np.ones((2, 3, 1), "float32")
    x[1, 2] = 0.0
    masked = layers.Masking()(x)
    out = layer(masked, training=True)
    training, mask = recorder.seen
    assert training is True
    np.testing.assert_array_equal(to_numpy(mask), [[True] * 3, [True, True, False]])
    np.testing.assert_array_equal(to_numpy(out._keras_mask), to_numpy(mask))


class Lazy(layers.Layer):
    """A layer as learners write it: no `build`, children made in the constructor."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(units)

    def call(self, x):
        return self.inner(x)


def test_a_residual_without_build_is_built_by_the_step():
    layer = ResidualStep(Lazy(4))
    layer.build((None, 4))
    assert len(layer.weights) == 2


def test_a_residual_that_changes_the_shape_is_refused_when_the_model_is_made():
    message = r"`residual` must keep the shape.*Expected: \(None, 5\). Received: \(None, 3\)"
    for residual in (layers.Dense(3), Lazy(3)):
        with pytest.raises(ValueError, match=message):
            ResidualStep(residual)(keras.Input((5,)))


def test_a_broadcast_is_no_fit():
    with pytest.raises(ValueError, match="must keep the shape"):
        ResidualStep(layers.Dense(1))(np.ones((2, 5), "float32"))


def test_arguments_are_checked():
    with pytest.raises(TypeError, match=r"`residual` must be a keras\.Layer"):
        ResidualStep(lambda y: y)
    with pytest.raises(TypeError, match="`step_size` must be a number"):
        ResidualStep(dense(), step_size="1")
