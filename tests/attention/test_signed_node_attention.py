"""Signed node attention: sums over arcs by hand, and what the best attention is."""

import keras
import numpy as np
import pytest
from keras import ops

from stepkit import networks
from stepkit.attention import SignedNodeAttention
from stepkit.testing import check_layer

RNG = np.random.default_rng()
A = [[0.0, 2.0, -0.5, 0.0], [1.0, -0.2, 0.0, 0.0], [0.0, 3.0, 0.0, 0.4], [0.0, 0.0, 0.0, 0.0]]


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


@pytest.mark.parametrize("signs_only", [True, False])
@pytest.mark.parametrize("mode", ["node", "edge"])
def test_messages_arc_by_arc(mode, signs_only):
    a, x = np.array(A), RNG.normal(size=(3, 4, 2)).astype("float32")
    layer = SignedNodeAttention(a, units=5, mode=mode, signs_only=signs_only)
    y, scores = layer(x, return_attention_scores=True)
    y, scores, kernel = to_numpy(y), to_numpy(scores), to_numpy(layer.kernel)
    for b in range(3):
        for i in range(4):
            total = np.zeros(5)
            arcs = [j for j in range(4) if a[i, j]]
            for j in arcs:
                size = 1.0 / len(arcs) if signs_only else abs(a[i, j]) / abs(a[i]).sum()
                if mode == "edge":
                    size = scores[b, i, j] * (1.0 if signs_only else size)
                else:
                    size = scores[b, j] * size
                total += np.sign(a[i, j]) * size * (x[b, j] @ kernel)
            np.testing.assert_allclose(y[b, i], total, atol=1e-5)
    sums = scores.sum(axis=-1)
    expected = 1.0 if mode == "node" else np.tile([1.0, 1.0, 1.0, 0.0], (3, 1))
    np.testing.assert_allclose(sums, np.broadcast_to(expected, sums.shape), atol=1e-5)


@pytest.mark.parametrize("mode", ["node", "edge"])
def test_sizes_are_not_seen(mode):
    """Two networks with the same signs are one to the layer."""
    a = np.array(A)
    x = RNG.normal(size=(2, 4, 3)).astype("float32")
    layers = [SignedNodeAttention(each, mode=mode) for each in (a, np.sign(a) * RNG.random((4, 4)))]
    for layer in layers:
        layer.build(x.shape)
    layers[1].set_weights(layers[0].get_weights())
    np.testing.assert_allclose(to_numpy(layers[0](x)), to_numpy(layers[1](x)), atol=1e-6)


@pytest.mark.slow
def test_edge_attention_learns_the_shares_of_the_arcs():
    """Scaled targets are means of the senders, so the best attention is known: |A_ij| by row."""
    a = np.array(A)
    x = RNG.normal(size=(512, 4, 1)).astype("float32")
    shares = abs(a) / np.maximum(abs(a).sum(axis=1, keepdims=True), 1e-9)
    y = np.einsum("ij,bjf->bif", np.sign(a) * shares, x).astype("float32")
    one_hot = np.broadcast_to(np.eye(4, dtype="float32"), (512, 4, 4))
    inputs = keras.Input((4, 5))
    layer = SignedNodeAttention(a, units=1, mode="edge", hidden_dim=16)
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.Adam(0.03), "mse")
    seen = np.concatenate([x, one_hot], axis=-1)
    model.fit(seen, y, epochs=60, batch_size=64, verbose=0)
    _, scores = layer(seen, return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(scores).mean(axis=0), shares, atol=0.02)


@pytest.mark.parametrize("mode", ["node", "edge"])
def test_conformance(mode):
    a = np.sign(RNG.normal(size=(4, 4))).tolist()
    check_layer(
        SignedNodeAttention, {"network": a, "units": 3, "mode": mode}, input_shape=(2, 4, 3)
    )


def test_the_published_network():
    a = networks.piezoelectric_tube()
    y, scores = SignedNodeAttention(a)(np.ones((1, 8, 3), "float32"), return_attention_scores=True)
    assert tuple(y.shape) == (1, 8, 3)
    assert to_numpy(scores).sum() == pytest.approx(1.0, abs=1e-5)


WRONG = [
    (lambda: SignedNodeAttention(np.ones((2, 3))), r"square.*\(2, 3\)"),
    (lambda: SignedNodeAttention([[np.inf]]), "finite"),
    (lambda: SignedNodeAttention(A, mode="graph"), "one of.*'graph'"),
    (lambda: SignedNodeAttention(A)(np.ones((1, 5, 2))), r"\(batch, 4, features\).*\(1, 5, 2\)"),
]


@pytest.mark.parametrize(("act", "words"), WRONG)
def test_errors_say_what_was_expected_and_what_came(act, words):
    with pytest.raises(ValueError, match=words):
        act()
