"""What is measured on a training run: accuracy, stiffness, gates."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from keras import ops

from experiments.training.run import Run
from stepkit.attention import ChannelAttention, gate_model
from stepkit.attention._pooling import Pooling
from stepkit.layers import residual_blocks
from stepkit.stiffness import index_model, peak_to_median, total_variation
from stepkit.stiffness.neural_index import identity_blocks

SAMPLES = 128  # test images on which indices and gates are looked at
READINGS = ("raw", "applied", "change")
LINES = 100  # of them, those whose curves are kept for a picture


def measured(run: Run) -> dict[str, Any]:
    """Trains to the end and returns everything that a record may need, as plain numbers."""
    images = run.arrays[2][:SAMPLES]
    gated = any(block.attention is not None for block in residual_blocks(run.model))
    gates = GateMonitor(images) if gated else None
    clock, probes = Clock(), {which: index_model(run.model, which) for which in READINGS}
    start = indices(run.model, probes, images)
    model = run.train(callbacks=[clock, *([gates] if gates else [])])
    found = {
        "accuracy": run.accuracy(),
        "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "epoch_seconds": float(np.median(clock.seconds[1:])),
        "untrained": start,
        "trained": indices(model, probes, images),
    }
    if gates:
        found["gates"] = gates.history
        found["frozen_accuracy"] = run.accuracy(frozen(run))
    return found


def indices(
    model: keras.Model, probes: dict[str, keras.Model], images: np.ndarray
) -> dict[str, Any]:
    """The index of each block, in three readings, over samples; and our measures of its curve."""
    blocks, stage_of = identity_blocks(model)
    found: dict[str, Any] = {"blocks": [block.name for block in blocks], "stages": list(stage_of)}
    for which, probe in probes.items():
        values = ops.convert_to_numpy(probe(images))
        stages = [values[:, np.equal(stage_of, s)] for s in sorted(set(stage_of))]
        variation = [total_variation(s) for s in stages if s.shape[1] > 1]
        peak = [peak_to_median(s) for s in stages if s.shape[1] > 1]
        found[which] = {
            "median": float(np.median(values)),
            "by_block": np.median(values, axis=0).tolist(),
            "spread_by_block": np.std(values, axis=0).tolist(),
            "spread_over_blocks": float(np.median(np.std(values, axis=1))),
            "spread_over_samples": float(np.median(np.std(values, axis=0))),
            "total_variation": float(np.median(np.sum(variation, axis=0))) if variation else None,
            "peak_to_median": float(np.median(np.max(peak, axis=0))) if peak else None,
            "lines": np.round(values[:LINES], 4).tolist(),
        }
    return found


class GateMonitor(keras.callbacks.Callback):
    """How much gates differ across samples and across channels, before and after each epoch.

    Args:
        images: fixed images.

    Attributes:
        history: dict of lists: `"epoch"` (0: untrained), and over all gated blocks the means of
            `"mean"`, `"across_samples"` (standard deviation over samples, mean over channels),
            `"across_channels"` (standard deviation over channels of the mean over samples) and
            `"share"` (variance across samples in all variance).
    """

    def __init__(self, images: np.ndarray) -> None:
        super().__init__()
        self.images = images
        self.history: dict[str, list[float]] = {}

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Looks at the untrained network."""
        self._gates = gate_model(self.model)
        self._look(0)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Looks after the first epochs, then after every fifth, and after the last."""
        done = epoch + 1
        if done <= 5 or done % 5 == 0 or done == self.params["epochs"]:
            self._look(done)

    def _look(self, epoch):
        gates = map(ops.convert_to_numpy, self._gates(self.images).values())
        rows = [spreads(gate.reshape(len(gate), -1)) for gate in gates]
        row = {key: float(np.mean([each[key] for each in rows])) for key in rows[0]}
        for key, value in {"epoch": epoch, **row}.items():
            self.history.setdefault(key, []).append(value)


def spreads(gate: np.ndarray) -> dict[str, float]:
    """Of one gate `(samples, channels)`: its mean, and how it differs."""
    gate = gate.astype(float)
    across_samples, across_channels = gate.var(axis=0).mean(), gate.mean(axis=0).var()
    total = across_samples + across_channels
    return {
        "mean": float(gate.mean()),
        "across_samples": float(gate.std(axis=0).mean()),
        "across_channels": float(np.sqrt(across_channels)),
        "share": float(across_samples / total) if total > 1e-12 else 0.0,
    }


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts anew."""
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Notes the time."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Keeps the difference."""
        self.seconds.append(time.perf_counter() - self._start)


@keras.saving.register_keras_serializable(package="experiments")
class FrozenGate(ChannelAttention):
    """A gate that is one number per channel, for all samples; not trained."""

    def build(self, branch_shape: tuple, shortcut_shape: tuple | None = None) -> None:
        """Creates the numbers."""
        shape = (self.channels(branch_shape, shortcut_shape),)
        self.value = self.add_weight(shape=shape, trainable=False, initializer="ones", name="value")

    def gate(self, branch: Any, shortcut: Any = None) -> Any:
        """Returns them, as they broadcast."""
        pooling = Pooling(branch, self.data_format, self.gate_dtype)
        return pooling.unpool(ops.cast(self.value, self.gate_dtype))


def frozen(run: Run) -> keras.Model:
    """Returns the trained network with each gate replaced by its mean over training images."""
    gates = gate_model(run.model)(run.arrays[0][:1000])
    means = {
        name: ops.convert_to_numpy(gate).reshape(len(gate), -1).mean(axis=0)
        for name, gate in gates.items()
    }
    model = run.network(attention=FrozenGate)
    for layer in model.layers:
        if isinstance(layer, FrozenGate):
            layer.value.assign(means[layer.name.removesuffix("_attention")])
        elif layer.weights:
            layer.set_weights(run.model.get_layer(layer.name).get_weights())
    return model
