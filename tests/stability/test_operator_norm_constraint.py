"""The constraint against singular values of the whole layer, and in training."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit._backend import can_jit_compile
from stepkit.stability import OperatorNormConstraint

RNG = np.random.default_rng()
STEPS = 100
MODES = ["auto", *([True] if can_jit_compile() else [])]


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x), "float64")


def true_norm(layer, shape):
    """The largest singular value of the matrix of a layer, its bias left out."""
    n = int(np.prod(shape))
    if not layer.built:
        layer.build((None, *shape))
    basis = np.eye(n, dtype="float32").reshape(n, *shape)
    images = to_numpy(layer(basis)).reshape(n, -1) - to_numpy(layer(0 * basis)).reshape(n, -1)
    return np.linalg.norm(images, 2)


CASES = {
    "dense": (layers.Dense, (7,), {"units": 5}),
    "1d": (layers.Conv1D, (13, 2), {"filters": 3, "kernel_size": 4}),
    "1d, stride": (layers.Conv1D, (13, 2), {"filters": 3, "kernel_size": 4, "strides": 2}),
    "dilation": (layers.Conv1D, (13, 2), {"filters": 3, "kernel_size": 3, "dilation_rate": 2}),
    "2d, same": (layers.Conv2D, (6, 5, 2), {"filters": 3, "kernel_size": 3, "padding": "same"}),
    "2d, stride": (
        layers.Conv2D, (7, 6, 2),
        {"filters": 4, "kernel_size": 3, "padding": "same", "strides": (2, 1)},
    ),
    "2d, groups": (
        layers.Conv2D, (5, 5, 4), {"filters": 6, "kernel_size": 3, "groups": 2, "padding": "same"},
    ),
    "3d": (layers.Conv3D, (4, 3, 3, 1), {"filters": 2, "kernel_size": 2}),
    "channels first": (
        layers.Conv2D, (2, 6, 5), {"filters": 3, "kernel_size": 1, "data_format": "channels_first"},
    ),
}  # fmt: skip


def constraint_for(shape, config, **more):
    names = ("strides", "padding", "dilation_rate", "groups", "data_format")
    where = {"input_shape": shape} if "filters" in config else {}
    return OperatorNormConstraint(**where, **{k: config[k] for k in names if k in config}, **more)


@pytest.mark.parametrize("case", CASES)
def test_the_norm_is_that_of_the_layer(case):
    kind, shape, config = CASES[case]
    layer = kind(**config, kernel_initializer="he_normal")
    expected = true_norm(layer, shape)
    constraint = constraint_for(shape, config, max_norm=expected / 3, num_steps=STEPS)
    # From below; whatever the gap, the square is on average right to 0.871 log(n) / (steps - 1)
    # (Kuczynski, Wozniakowski 1992). The root halves that; twice as much is allowed.
    error = 0.871 * np.log(np.prod(shape)) / (STEPS - 1)
    layer.kernel.assign(constraint(layer.kernel))
    assert expected / 3 * (1 - 1e-5) <= true_norm(layer, shape) <= expected / 3 / (1 - error)


def test_it_is_not_the_norm_of_the_reshaped_kernel():
    """All nine neighbours, summed: 3 as a matrix (9, 1), nearly 9 as a convolution."""
    kernel = np.ones((3, 3, 1, 1), "float32")
    shape = (16, 16, 1)
    assert np.linalg.norm(kernel.reshape(9, 1), 2) == pytest.approx(3.0)
    same = OperatorNormConstraint(1.0, shape, padding="same", num_steps=100).norm(kernel)
    # (1 + 2 cos(pi / 17))^2: the eigenvalue of the second difference with zero boundary
    assert float(same) == pytest.approx((1 + 2 * np.cos(np.pi / 17)) ** 2, rel=1e-4)
    strided = OperatorNormConstraint(1.0, shape, strides=3, num_steps=100).norm(kernel)
    assert float(strided) == pytest.approx(3.0, rel=1e-5)  # no two places share a pixel


def test_what_is_within_the_bound_stays():
    kernel = RNG.normal(size=(4, 3)).astype("float32")
    norm = np.linalg.norm(kernel, 2)
    np.testing.assert_allclose(
        to_numpy(OperatorNormConstraint(1.1 * norm)(kernel)), kernel.astype("float64"), rtol=3e-7
    )
    smaller = to_numpy(OperatorNormConstraint(0.5 * norm, num_steps=200)(kernel))
    np.testing.assert_allclose(smaller, kernel / 2, rtol=0.01)
    zero = to_numpy(OperatorNormConstraint(1.0)(np.zeros((4, 3), "float32")))
    np.testing.assert_array_equal(zero, 0.0)


def network(bound):
    def limit(**more):
        return None if bound is None else OperatorNormConstraint(bound, num_steps=60, **more)

    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(
                2, 3, strides=2, padding="same", activation="tanh",
                kernel_constraint=limit(input_shape=(6, 6, 1), strides=2, padding="same"),
            ),
            layers.Flatten(),
            layers.Dense(4, kernel_constraint=limit()),
        ]
    )  # fmt: skip


def plain(model, index):
    return {**model.layers[index].get_config(), "activation": "linear", "kernel_constraint": None}


def layer_norms(model):
    found = []
    for index, kind, shape in ((0, layers.Conv2D, (6, 6, 1)), (2, layers.Dense, (18,))):
        layer = kind.from_config(plain(model, index))
        layer.build((None, *shape))
        layer.set_weights(model.layers[index].get_weights())
        found.append(true_norm(layer, shape))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", MODES)
def test_training_keeps_the_bound(jit_compile):
    x = RNG.normal(size=(32, 6, 6, 1)).astype("float32")
    y = (30 * RNG.normal(size=(32, 4))).astype("float32")
    grown = {}
    for bound in (None, 0.7):
        model = network(bound)
        model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=jit_compile)
        model.fit(x, y, epochs=4, batch_size=16, verbose=0)
        grown[bound] = layer_norms(model)
    assert np.all(grown[None] > 0.9)
    # From a random start the expected relative error of the squared norm is at most
    # 0.871 ln(n) / (k - 1) after k steps (Kuczynski and Wozniakowski 1992); thrice that is allowed.
    slack = 3 * 0.871 * np.log(36) / 59 / 2
    assert np.all(grown[0.7] < 0.7 * (1 + slack))
    assert np.all(grown[0.7] > 0.7 * 0.97)  # the bound is in use


def test_saving(tmp_path):
    model = network(0.7)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for i in (0, 2):
        a, b = model.layers[i].kernel_constraint, loaded.layers[i].kernel_constraint
        assert isinstance(b, OperatorNormConstraint)
        assert b.get_config() == a.get_config()
    again = keras.constraints.get(keras.constraints.serialize(OperatorNormConstraint(2, (5, 3))))
    assert again.get_config() == OperatorNormConstraint(2, (5, 3)).get_config()
    assert again.get_config()["max_norm"] == 2.0


def test_half_precision_kernels():
    kernel = ops.cast(10 * RNG.normal(size=(4, 3)), "bfloat16")
    found = OperatorNormConstraint(1.0, num_steps=100)(kernel)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    norm = np.linalg.norm(to_numpy(ops.cast(found, "float32")), 2)
    assert norm == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_norm", 0), ("max_norm", -1.0), ("max_norm", "1"), ("max_norm", np.inf),
        ("max_norm", True), ("input_shape", (None, 3)), ("input_shape", 3), ("input_shape", "3"),
        ("strides", 0), ("strides", (1, 0)), ("dilation_rate", 1.5), ("groups", 0),
        ("padding", "causal"), ("data_format", "nchw"), ("num_steps", 0),
    ],
)  # fmt: skip
def test_wrong_arguments(name, value):
    with pytest.raises(ValueError, match=name):
        OperatorNormConstraint(**{name: value})


@pytest.mark.parametrize(
    ("options", "kernel"),
    [
        ({}, (3, 3, 1, 2)),
        ({"input_shape": (8, 1)}, (3, 3, 1, 2)),
        ({"input_shape": (8, 8, 2)}, (3, 3, 1, 2)),
        ({"input_shape": (8, 8, 2), "groups": 2}, (3, 3, 1, 3)),
        ({"input_shape": (8, 8, 1), "data_format": "channels_first"}, (3, 3, 1, 2)),
    ],
)
def test_a_kernel_that_does_not_fit(options, kernel):
    with pytest.raises(ValueError, match="input_shape"):
        OperatorNormConstraint(**options)(np.ones(kernel, "float32"))
