"""The benchmark of attention times steps that train, and answers that are those of the model."""

import keras
import numpy as np
import pytest
from keras import ops

from benchmarks.attention import __main__ as command
from benchmarks.attention import networks, steps


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setitem(networks.SHAPES, "tiny", (11, 2, (8, 8, 3), 4))
    monkeypatch.setitem(networks.SHAPES, "tiny_50", ((1, 1, 1, 1), 2, (32, 32, 3), 4))


@pytest.mark.parametrize("shape", ["tiny", "tiny_50"])
def test_a_step_trains_and_an_answer_is_that_of_the_model(shape):
    model = networks.network(shape, "stepnet")
    x, y = steps.batch(model, 4)
    answer = steps.answering(model, x)()
    expected = ops.convert_to_numpy(model(x, training=False))
    np.testing.assert_allclose(np.asarray(answer), expected, rtol=1e-3, atol=1e-4)
    step = steps.training(model, x, y)
    losses = [step() for _ in range(12)]
    start = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
        y, networks.network(shape, "stepnet")(x, training=True)
    )
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert losses[0] == pytest.approx(float(start), abs=2.5)  # the loss that it names


def test_a_row_has_both_sides_and_their_ratio():
    row = command.row("tiny", "squeeze_excite", repeats=1)
    for what in ("answer", "training"):
        times = row[what]
        assert times["ratio"] == times["gated"]["median"] / times["none"]["median"]
    if keras.backend.backend() == "jax":
        assert 1.0 < row["training"]["moved"] < 2.0
        assert 0.5 < row["training"]["held"] < 2.0
    # 2 hidden units at most: 2 C h + h + C at 8, 16 and 32 channels.
    assert row["parameters"] == sum(2 * c * h + h + c for c, h in ((8, 1), (16, 1), (32, 2)))


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the peers are PyTorch's")
@pytest.mark.parametrize("shape", ["tiny", "tiny_50"])
def test_the_peers_network_is_ours_and_trains(shape, monkeypatch):
    import torch

    from benchmarks.attention import peers

    monkeypatch.setattr(torch, "compile", lambda net: net)  # it takes minutes
    monkeypatch.setattr(peers, "modules", lambda: {"none": None, "gate": lambda c: torch.nn.Mish()})
    assert command.timm_row(shape, "style_recalibration", 1, "float32") == {}
    ours, theirs = networks.network(shape, None), peers.network(shape, None)
    assert command.count(ours) == sum(p.numel() for p in theirs.parameters())
    step = peers.training(theirs, 4, networks.SHAPES[shape][2], "float32")
    losses = [step() for _ in range(12)]
    assert losses[-1] < losses[0]
    row = command.timm_row(shape, "gate", 1, "float32")["timm"]
    assert set(row) == {"training", "answer"}
