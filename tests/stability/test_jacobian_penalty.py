"""The penalty against dense Jacobians and differences, and what training makes of it."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit._backend import can_jit_compile, grad, jacobian
from stepkit.layers import ResidualStep
from stepkit.stability import JacobianPenalty, block_margin
from stepkit.testing import check_layer

RNG = np.random.default_rng()
MODES = ["auto", *([True] if can_jit_compile() else [])]


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x), "float64")


def numbers(*shape):
    return RNG.normal(size=shape).astype("float32")


def dense(**kwargs):
    return layers.Dense(4, activation="tanh", **kwargs)


@pytest.mark.parametrize(
    "kwargs",
    [
        lambda: {"layer": dense(), "strength": 0.3, "seed": 7},
        lambda: {"layer": keras.Sequential([dense(), layers.BatchNormalization()])},
    ],
    ids=["dense", "sequential"],
)
def test_conformance(kwargs):
    check_layer(JacobianPenalty, kwargs, (3, 4), jit_modes=("auto", True))


def mean_square(layer, x):
    """The mean over the batch of |J|_F^2, from the whole Jacobian."""
    return float((to_numpy(jacobian(layer, ops.convert_to_tensor(x))) ** 2).sum() / len(x))


@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_it_is_an_unbiased_estimate(kind):
    if kind == "dense":
        layer, x = dense(), numbers(3, 4)
    else:
        layer, x = layers.Conv1D(2, 3, activation="tanh", padding="same"), numbers(2, 5, 2)
    wrapped = JacobianPenalty(layer, strength=0.25)
    wrapped(x)
    draws = np.array([float(to_numpy(wrapped.penalty(x))) for _ in range(150)])
    error = draws.std(ddof=1) / np.sqrt(len(draws))
    assert error > 0
    assert abs(draws.mean() - mean_square(layer, x)) < 5 * error


def test_the_value_is_that_of_the_drawn_vectors():
    """For a diagonal Jacobian every draw gives the whole norm."""
    wrapped = JacobianPenalty(layers.Activation("tanh"), strength=0.25)
    x = numbers(6, 3)
    np.testing.assert_allclose(
        to_numpy(wrapped(x, training=True)), np.tanh(x.astype("float64")), rtol=1e-5, atol=1e-6
    )
    expected = 0.25 * ((1 - np.tanh(x.astype("float64")) ** 2) ** 2).sum() / 6
    assert float(wrapped.losses[0]) == pytest.approx(expected, rel=1e-4)


def test_samples_and_calls_get_their_own_vectors():
    wrapped = JacobianPenalty(layers.Dense(2, kernel_initializer="ones"))
    x = np.ones((400, 1), "float32")
    wrapped(x)
    values = {round(400 * float(to_numpy(wrapped.penalty(x)))) for _ in range(4)}
    assert len(values) > 1  # |u_1 + u_2|^2 is 0 or 4: a count of samples, a new one each time
    assert all(400 < value < 1200 for value in values)  # 800 +- 40, and not all alike


def test_no_loss_at_inference_and_state_changes_once():
    norm = layers.BatchNormalization(momentum=0.5)
    inner = keras.Sequential([norm, layers.Dropout(0.5)])
    wrapped = JacobianPenalty(inner, strength=1.0)
    x = (3.0 + RNG.normal(size=(64, 4))).astype("float32")
    wrapped(x)
    assert wrapped.losses == []
    wrapped(x, training=False)
    assert wrapped.losses == []
    wrapped(x, training=True)
    assert len(wrapped.losses) == 1
    np.testing.assert_allclose(to_numpy(norm.moving_mean), 0.5 * x.mean(axis=0), rtol=1e-3)
    # at inference, by the averages as they are now: diagonal, so exact
    expected = (1 / (to_numpy(norm.moving_variance) + norm.epsilon)).sum()
    assert float(wrapped.penalty(x)) == pytest.approx(expected, rel=1e-4)


class Square(layers.Layer):
    """(x W)^2, by operators: some functions of Keras round float64 to float32."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3))

    def call(self, x):
        product = x @ ops.convert_to_tensor(self.kernel)
        return product * product


def test_the_gradient_is_that_of_differences():
    """In double precision, with the same vectors each time."""
    layer = Square(dtype="float64")
    wrapped = JacobianPenalty(layer, dtype="float64")
    x = ops.convert_to_tensor(RNG.normal(size=(2, 3)), dtype="float64")
    wrapped(x)
    start = ops.convert_to_numpy(wrapped.seed_generator.state.value)
    kernel = to_numpy(layer.kernel)

    def penalty(value):
        mapping = [
            (layer.kernel, ops.convert_to_tensor(value, dtype="float64")),
            (wrapped.seed_generator.state, ops.convert_to_tensor(start)),
        ]
        with keras.StatelessScope(state_mapping=mapping):
            return wrapped.penalty(x)

    found = to_numpy(grad(penalty)(ops.convert_to_tensor(kernel, dtype="float64")))
    expected, h = np.zeros_like(kernel), 1e-6
    for index in np.ndindex(kernel.shape):
        step = np.zeros_like(kernel)
        step[index] = h
        expected[index] = float(penalty(kernel + step)) - float(penalty(kernel - step))
    assert np.abs(found).max() > 1e-2
    np.testing.assert_allclose(found, expected / (2 * h), rtol=1e-5, atol=1e-7)


def network(strength):
    branch = layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(stddev=0.5, seed=1))
    if strength is not None:
        branch = JacobianPenalty(branch, strength, seed=3)
    return keras.Sequential([keras.Input((4,)), ResidualStep(branch)])


@pytest.mark.parametrize("jit_compile", MODES)
def test_training_shrinks_the_jacobian(jit_compile):
    """y = x - 3 x: the branch wants to be -3, the penalty draws it to 0."""
    x = np.linalg.qr(numbers(64, 4))[0].astype("float32") * 8.0  # of covariance I
    many = np.tile(x, (30, 1))  # each batch is all of x
    found = {}
    for strength in (None, 0.0, 1.0) if jit_compile == "auto" else (1.0,):
        model = network(strength)
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit_compile)
        model.fit(many, -2 * many, epochs=2, batch_size=64, shuffle=False, verbose=0)
        found[strength] = block_margin(model, x[:2])
    # The mse is the mean over 4 outputs: |W + 3 I|^2 / 4 + |W|^2 is least at W = -3/5 I. A draw of
    # 64 vectors moves an entry by 0.1 * 2 * 0.6 / 8 a step, and a step forgets a quarter: 0.02.
    assert np.abs(found[1.0].abscissa + 0.6).max() < 0.2
    assert found[1.0].stable.all()
    if jit_compile == "auto":
        assert np.abs(found[None].radius - 3).max() < 0.5  # 0.95^60 of the way is left: 0.05
        assert not found[None].stable.any()
        np.testing.assert_allclose(found[0.0].radius, found[None].radius, atol=1e-3)


def test_the_loss_that_fit_reports_contains_it():
    x = numbers(8, 4)
    model = keras.Sequential([keras.Input((4,)), JacobianPenalty(layers.Rescaling(2.0), 0.5)])
    model.compile("sgd", "mse")
    history = model.fit(x, 2 * x, epochs=1, batch_size=8, verbose=0)
    assert history.history["loss"][0] == pytest.approx(0.5 * 4 * 4, rel=1e-5)
    assert model.evaluate(x, 2 * x, verbose=0) == pytest.approx(0.0, abs=1e-6)


def test_masks_and_saving(tmp_path):
    inputs = keras.Input((5, 4))
    masked = layers.Masking()(inputs)
    outputs = JacobianPenalty(dense(), 0.2, seed=5, name="penalty")(masked)
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = numbers(2, 5, 4)
    np.testing.assert_allclose(to_numpy(loaded(x)), to_numpy(model(x)), rtol=1e-6)
    layer = loaded.get_layer("penalty")
    assert (layer.strength, layer.seed) == (0.2, 5)
    assert layer.supports_masking


@pytest.mark.parametrize("strength", [-1.0, "1", None, np.nan, np.inf, True])
def test_wrong_arguments(strength):
    with pytest.raises(ValueError, match="strength"):
        JacobianPenalty(dense(), strength)
    with pytest.raises(TypeError, match="layer"):
        JacobianPenalty(lambda x: x)
