"""The training recipe: batches, optimizer, checkpoints, what is measured."""

import csv
import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from experiments import attention_tickets, train
from experiments.training.arms import ARMS
from experiments.training.batches import Batches
from experiments.training.compare import paired
from experiments.training.measure import FrozenGate, frozen, measured, spreads
from experiments.training.optimizer import CoupledSGD
from experiments.training.run import Run
from experiments.training.setting import SETTINGS
from stepkit.attention import gate_values

RNG = np.random.default_rng()
TINY = replace(SETTINGS["smoke"], depth=8, epochs=3, milestones=(2,))


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def test_an_epoch_shows_each_image_once():
    x = np.arange(1, 24, dtype="float32")[:, None, None, None] * np.ones((1, 4, 4, 1), "float32")
    batches = Batches(x, np.arange(23), batch_size=5, seed=int(RNG.integers(1000)))
    first, second = (
        np.concatenate([batches[i][1] for i in range(4 * e, 4 * e + 4)]) for e in (0, 1)
    )
    assert len(set(first)) == len(set(second)) == 20
    assert list(first) != list(second)
    images, labels = batches[2]
    np.testing.assert_array_equal(images[:, 0, 0, 0], labels + 1)


def test_a_later_start_sees_the_same_batches():
    x, y = RNG.normal(size=(23, 4, 5, 2)).astype("float32"), np.arange(23)
    whole = Batches(x, y, 5, seed=7, padding=2, flip=True)
    rest = Batches(x, y, 5, seed=7, padding=2, flip=True, first=6)
    for i in (0, 3, 9):
        for a, b in zip(whole[6 + i], rest[i], strict=True):
            np.testing.assert_array_equal(a, b)
    other = Batches(x, y, 5, seed=8, padding=2, flip=True)
    assert not np.array_equal(whole[0][0], other[0][0])


@pytest.mark.parametrize("flip", [False, True])
def test_each_image_is_a_crop_of_its_frame(flip):
    """By brute force: every place and side; and over many draws all of them occur."""
    x = RNG.normal(size=(4, 3, 5, 1)).astype("float32")
    batches, seen = Batches(x, np.arange(4), 4, seed=1, padding=1, flip=flip), set()
    frame = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    for i in range(60):
        for image, label in zip(*batches[i], strict=True):
            found = [
                (top, left, side)
                for top in range(3)
                for left in range(3)
                for side in (1, -1)[: 1 + flip]
                if np.array_equal(image, frame[label, top : top + 3, left : left + 5][:, ::side])
            ]
            assert len(found) == 1
            seen.add(found[0])
    assert len(seen) == 9 * (1 + flip)


@pytest.mark.parametrize("size", [0, 24])
def test_batches_of_an_impossible_size(size):
    with pytest.raises(ValueError, match="from 1 to the number of images, 23"):
        Batches(np.zeros((23, 2, 2, 1)), np.zeros(23), size, seed=0)


def test_the_optimizer_is_that_of_pytorch():
    """Random gradients, decay on one of two variables, a drop of the learning rate on the way."""
    torch = pytest.importorskip("torch")
    values = [RNG.normal(size=s).astype("float32") for s in ((3, 2), (4,))]
    ours = [keras.Variable(v) for v in values]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([4], [0.3, 0.03])
    optimizer = CoupledSGD(rate, 0.9, coupled_decay=0.05, undecayed=[ours[1]])
    other = torch.optim.SGD(
        [
            {"params": [theirs[0]], "weight_decay": 0.05},
            {"params": [theirs[1]], "weight_decay": 0.0},
        ],
        lr=0.3,
        momentum=0.9,
    )
    for step in range(10):
        for group in other.param_groups:
            group["lr"] = 0.3 if step <= 4 else 0.03
        gradients = [RNG.normal(size=v.shape).astype("float32") for v in values]
        optimizer.apply([ops.convert_to_tensor(g) for g in gradients], ours)
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = torch.tensor(gradient)
        other.step()
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(to_numpy(a), b.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_what_has_no_decay_stays_without():
    run = Run(TINY, "style_recalibration")
    run.model.optimizer.build(run.model.trainable_variables)
    zero = [ops.zeros(v.shape) for v in run.model.trainable_variables]
    before = [to_numpy(v) + 0.0 for v in run.model.trainable_variables]
    for variable, value in zip(run.model.trainable_variables, before, strict=True):
        variable.assign(value + 1.0)
    run.model.optimizer.apply(zero, run.model.trainable_variables)
    for variable, value in zip(run.model.trainable_variables, before, strict=True):
        shrunk = to_numpy(variable) - (value + 1.0)
        if "attention" in variable.path:
            np.testing.assert_array_equal(shrunk, 0.0)
        else:
            np.testing.assert_allclose(shrunk, -0.1 * 1e-4 * (value + 1.0), rtol=2e-2, atol=2e-7)


class Kill(keras.callbacks.Callback):
    """Ends the process's training in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.at, self.epoch = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.epoch == self.at and batch == 2:
            raise KeyboardInterrupt


def rows(folder):
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_killed_run_ends_like_one_that_was_not(tmp_path):
    kwargs = {"attention": "stepnet", "seed": int(RNG.integers(1000))}
    whole = Run(TINY, **kwargs)
    whole.train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        Run(TINY, **kwargs).train(tmp_path / "cut", callbacks=[Kill(1)])
    assert len(rows(tmp_path / "cut")) == 1
    # A row was written and the kill came before the checkpoint: it must not be there twice.
    with (tmp_path / "cut" / "log.csv").open("a", encoding="utf-8") as file:
        file.write("1,0.5,0.5\n")
    again = Run(TINY, **kwargs)
    again.train(tmp_path / "cut")
    for a, b in zip(whole.model.weights, again.model.weights, strict=True):
        np.testing.assert_allclose(to_numpy(a), to_numpy(b), rtol=1e-4, atol=1e-5)
    logs = rows(tmp_path / "whole"), rows(tmp_path / "cut")
    assert [row["epoch"] for row in logs[0]] == [row["epoch"] for row in logs[1]] == ["0", "1", "2"]
    for a, b in zip(*logs, strict=True):
        np.testing.assert_allclose(float(a["loss"]), float(b["loss"]), rtol=1e-4)
    before = [to_numpy(w) + 0.0 for w in again.model.weights]
    Run(TINY, **kwargs).train(tmp_path / "cut")  # a run that is over is not trained again
    for a, b in zip(before, again.model.weights, strict=True):
        np.testing.assert_array_equal(a, to_numpy(b))


def test_a_checkpoint_of_another_network_is_named(tmp_path):
    Run(replace(TINY, epochs=1, milestones=())).train(tmp_path)
    with pytest.raises(SystemExit, match="is not a checkpoint of this network"):
        Run(replace(TINY, width=8)).train(tmp_path)


@pytest.mark.slow
def test_what_is_measured_on_a_run():
    found = measured(Run(replace(TINY, depth=14), "squeeze_excite", seed=1))
    json.dumps(found)
    assert found["gates"]["epoch"] == [0, 1, 2, 3]
    applied, raw = (np.array(found["trained"][w]["lines"]) for w in ("applied", "raw"))
    assert raw.shape == (100, len(found["trained"]["blocks"]))
    assert (applied < raw).all()
    np.testing.assert_allclose(
        np.median(raw, axis=0), found["trained"]["raw"]["by_block"], rtol=0.2
    )
    assert 0.0 <= found["frozen_accuracy"] <= 1.0


def test_frozen_gates_are_the_means_of_the_free_ones():
    run = Run(TINY, "squeeze_excite")
    still = frozen(run)
    means = {k: v.mean(axis=0) for k, v in gate_values(run.model, run.arrays[0]).items()}
    received = gate_values(still, run.arrays[2][:3])
    assert received.keys() == means.keys()
    for name, gate in received.items():
        np.testing.assert_allclose(gate, np.broadcast_to(means[name], gate.shape), rtol=1e-4)
    constant = Run(TINY, "constant_gate")
    assert any(isinstance(layer, FrozenGate) for layer in frozen(constant).layers)
    x = constant.arrays[2][:8]
    np.testing.assert_allclose(
        to_numpy(frozen(constant)(x)), to_numpy(constant.model(x)), rtol=1e-4, atol=1e-5
    )


def test_spreads_of_a_gate():
    samples, channels = RNG.uniform(size=(50, 1)), RNG.uniform(size=(1, 8))
    assert spreads(np.broadcast_to(channels, (50, 8)))["share"] == pytest.approx(0.0, abs=1e-12)
    assert spreads(np.broadcast_to(samples, (50, 8)))["share"] == pytest.approx(1.0)
    assert spreads(np.full((50, 8), 0.5))["share"] == 0.0
    gate = RNG.uniform(size=(50, 8))
    parts = gate.var(axis=0).mean(), gate.mean(axis=0).var()
    assert sum(parts) == pytest.approx(gate.var())  # all of the variance, and nothing twice
    assert spreads(gate)["share"] == pytest.approx(parts[0] / gate.var())


def test_the_interval_is_that_of_a_paired_t_test():
    a, b = RNG.normal(0.8, 0.05, size=(2, 7))
    found = paired(a, b)
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
    assert found["mean"] == pytest.approx(np.mean(a - b))


def test_where_tickets_are_placed():
    blocks = [f"stage{s}_block{b}" for s in (1, 2, 3) for b in (1, 2, 3)]
    del blocks[6], blocks[3]
    by_block = RNG.permutation(7).astype(float)
    run = {"trained": {"blocks": blocks, "raw": {"by_block": by_block.tolist()}}}
    places, total = attention_tickets.candidates(run)
    assert places == [0, 1, 2, 4, 5, 7, 8]
    assert total == 9
    masks = attention_tickets.arms(run, 0, places, total, 3)
    assert [sum(m) for m in masks.values()] == [7, 3, 3, 3]
    stiffest = attention_tickets.kept(masks["stiffest"], places)
    assert set(stiffest) == set(np.flatnonzero(by_block >= 4))
    assert set(attention_tickets.kept(masks["least_stiff"], places)) == set(
        np.flatnonzero(by_block <= 2)
    )
    tickets = attention_tickets.draws(places, total, 3)
    assert len(set(tickets)) == 8
    assert {sum(t) for t in tickets} == {3}


@pytest.mark.slow
def test_the_command_line(tmp_path, capsys):
    out = tmp_path / "run"
    train.main(
        [
            "--setting=smoke",
            "--attention=stepnet_index",
            "--epochs=1",
            "--depth=8",
            "--quiet",
            f"--out={out}",
        ]
    )
    assert "Test accuracy after the last epoch: 0." in capsys.readouterr().out
    record = json.loads((out / "result.json").read_text(encoding="utf-8"))
    loaded = keras.saving.load_model(out / "model.keras")
    run = Run(replace(SETTINGS["smoke"], depth=8))
    assert run.accuracy(loaded) == pytest.approx(record["accuracy"], abs=1e-3)
    assert record["setting"]["epochs"] == 1


def test_help_is_enough(capsys):
    with pytest.raises(SystemExit):
        train.main(["--help"])
    words = capsys.readouterr().out
    for option in ("--setting", "--attention", "--data", "--precision", "goes on where it stopped"):
        assert option in words


def test_a_wrong_depth_is_named(tmp_path):
    with pytest.raises(ValueError, match="6 n"):
        train.main(f"--setting smoke --depth 9 --out {tmp_path}".split())


@pytest.mark.parametrize("arm", sorted(ARMS))
def test_the_optimizer_owns_no_variable_of_the_network(arm):
    """JAX gives its buffers away, each once: a variable in two lists would be given twice."""
    model = Run(replace(SETTINGS["smoke"], depth=8), ARMS[arm](4)).model
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    assert len({id(variable) for variable in variables}) == len(variables)
