"""StiffnessMonitor: what it measures, where it is seen, and that training does not notice."""

import csv

import keras
import numpy as np
import pytest
from keras import layers

from stepkit._backend import can_jit_compile
from stepkit.callbacks import StiffnessMonitor
from stepkit.layers import ResidualStep
from stepkit.stiffness import neural_stiffness_index
from stepkit.stiffness.neural_index import WHICH

RNG = np.random.default_rng()
X = RNG.normal(size=(120, 4)).astype("float32")
Y = RNG.normal(size=(120, 1)).astype("float32")


def network(knows_its_input=True, jit="auto", eager=False):
    """Everything that draws numbers or keeps a state: normalisation, dropout, a learned step."""
    keras.utils.set_random_seed(11)
    steps = []
    for name in ("one", "two"):
        parts = [layers.Dense(4, "tanh"), layers.BatchNormalization(), layers.Dropout(0.3)]
        steps.append(ResidualStep(keras.Sequential(parts), 0.5, learn_step=True, name=name))
    first = [keras.Input((4,))] if knows_its_input else []
    model = keras.Sequential([*first, *steps, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=jit, run_eagerly=eager)
    return model


def fit(model, *callbacks, epochs=3, **kwargs):
    return model.fit(X, Y, 16, epochs, verbose=0, callbacks=list(callbacks), **kwargs).history


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jit", "knows_its_input", "validate"),
    [("auto", True, True), ("auto", False, False), (True, True, False)],
)
def test_training_does_not_notice(jit, knows_its_input, validate):
    """Weights, losses and averages are equal to the last bit, shuffling and dropout included."""
    if jit is True and not can_jit_compile():
        pytest.skip("torch's compiler takes very long")
    plain, watched = (network(knows_its_input, jit) for _ in range(2))
    data = {"validation_data": (X, Y)} if validate else {}
    keras.utils.set_random_seed(5)
    expected = fit(plain, **data)
    keras.utils.set_random_seed(5)
    monitor = StiffnessMonitor(X[:50], batch_size=32, at_start=knows_its_input)
    received = fit(watched, monitor, **data)
    assert {key: received[key] for key in expected} == expected
    for a, b in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert monitor.history["index"].shape == (3 + knows_its_input, 50, 2)


@pytest.mark.slow
def test_it_measures_the_network_as_it_is_after_each_epoch():
    monitors = [StiffnessMonitor(X[:20], which=w, at_start=True) for w in WHICH]
    model, copy = network(), network()
    expected = {which: [neural_stiffness_index(copy, X[:20], which).values] for which in WHICH}

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            copy.set_weights(self.model.get_weights())
            for which in WHICH:
                expected[which].append(neural_stiffness_index(copy, X[:20], which).values)

    fit(model, Look(), *monitors)
    for monitor in monitors:
        values = expected[monitor.which]
        np.testing.assert_allclose(monitor.history["index"], values, rtol=1e-5)
        assert not np.allclose(values[1], values[3], rtol=1e-3)
        np.testing.assert_array_equal(monitor.history["epoch"], [-1, 0, 1, 2])
        assert monitor.names == ("one", "two")


def test_the_numbers_in_history_and_logs():
    monitor = StiffnessMonitor(X[:30])
    logs = fit(network(), monitor)
    index = monitor.history["index"].astype("float64")
    rise = np.abs(np.diff(index, axis=-1)).sum(axis=-1).mean(axis=-1)
    peak = (index.max(axis=-1) / np.median(index, axis=-1)).mean(axis=-1)
    for i, name in enumerate(monitor.names):
        mean, spread = index[..., i].mean(axis=1), index[..., i].std(axis=1)
        np.testing.assert_allclose(logs[f"nsi_mean/{name}"], mean, rtol=1e-5)
        np.testing.assert_allclose(logs[f"nsi_spread/{name}"], spread, rtol=1e-4)
        np.testing.assert_allclose(monitor.history["mean"][:, i], mean, rtol=1e-5)
        np.testing.assert_allclose(monitor.history["spread"][:, i], spread, rtol=1e-4)
    for key, value in (("total_variation", rise), ("peak_to_median", peak)):
        np.testing.assert_allclose(logs[f"nsi_{key}"], value, rtol=1e-5)
        np.testing.assert_allclose(monitor.history[key], value, rtol=1e-5)
    assert all(type(value) is float for value in logs["nsi_mean/one"])


def test_every_other_epoch_and_early_stopping():
    monitor = StiffnessMonitor(X[:5], every=2, log_blocks=False)
    stop = keras.callbacks.EarlyStopping("nsi_total_variation", 1e9, patience=3, mode="min")
    logs = fit(network(), monitor, stop, epochs=9)
    np.testing.assert_array_equal(np.isnan(logs["nsi_total_variation"]), [False, True] * 2)
    np.testing.assert_array_equal(monitor.history["epoch"], [0, 2])
    assert [key for key in logs if key.startswith("nsi")] == [
        "nsi_total_variation",
        "nsi_peak_to_median",
    ]


def test_the_order_of_callbacks(tmp_path):
    paths = [tmp_path / "before.csv", tmp_path / "after.csv"]
    before, after = (keras.callbacks.CSVLogger(str(path)) for path in paths)
    logs = fit(network(), before, StiffnessMonitor(X[:8], every=2), after)
    rows = [list(csv.DictReader(path.read_text().splitlines())) for path in paths]
    assert "nsi_mean/two" not in rows[0][0]
    written = [float(row["nsi_mean/two"]) for row in rows[1]]
    np.testing.assert_allclose(written, logs["nsi_mean/two"], rtol=1e-6)
    assert np.isfinite(written).tolist() == [True, False, True]


def test_tensorboard_sees_it(tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras's TensorBoard callback writes by way of TensorFlow")
    pytest.importorskip("tensorboard")
    import tensorflow as tf

    fit(network(), StiffnessMonitor(X[:8]), keras.callbacks.TensorBoard(str(tmp_path)), epochs=2)
    tags = set()
    for path in (tmp_path / "train").glob("*.v2"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            tags |= {value.tag for value in event.summary.value}
    assert {"epoch_nsi_mean/one", "epoch_nsi_total_variation"} <= tags


def test_a_second_fit_starts_a_new_history_and_the_saved_model_knows_nothing(tmp_path):
    model, monitor = network(), StiffnessMonitor(X[:8])
    fit(model, monitor, epochs=3)
    first = monitor.history
    fit(model, monitor, epochs=5, initial_epoch=3)
    np.testing.assert_array_equal(monitor.history["epoch"], [3, 4])
    np.testing.assert_array_equal(first["epoch"], [0, 1, 2])
    path = str(tmp_path / "model.keras")
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert len(loaded.layers) == 3
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_it_runs_eagerly_and_with_a_dictionary_of_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    y = layers.Add(name="sum")([a, layers.Dense(4, "tanh")(layers.Concatenate()([a, b]))])
    model = keras.Model({"a": a, "b": b}, layers.Dense(1)(y))
    model.compile("sgd", "mse", run_eagerly=True)
    x = {"a": X[:32], "b": X[:32, :2]}
    monitor = StiffnessMonitor({key: value[:7] for key, value in x.items()}, batch_size=3)
    model.fit(x, Y[:32], verbose=0, callbacks=[monitor])
    expected = neural_stiffness_index(model, {key: value[:7] for key, value in x.items()})
    np.testing.assert_allclose(monitor.history["index"][-1], expected.values, rtol=1e-5)


def test_errors():
    for name in ("every", "batch_size"):
        for wrong in (0, 1.5, True):
            with pytest.raises(ValueError, match=f"`{name}` must be an integer >= 1"):
                StiffnessMonitor(X, **{name: wrong})
    with pytest.raises(ValueError, match="`which` must be one of"):
        StiffnessMonitor(X, which="gate")
    for wrong in ([[1.0, 2.0]], 3.0, X[:0], [X, X[:3]], []):
        with pytest.raises(ValueError, match=r"`x` must be an array or tensor `\(samples"):
            StiffnessMonitor(wrong)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="`model` must have residual blocks"):
        fit(model, StiffnessMonitor(X[:4]))
