"""StiffnessMonitor: the neural stiffness index of every block, epoch after epoch."""

from typing import Any

import keras
import numpy as np
from keras import tree

from stepkit.stiffness import index_model, peak_to_median, spread, total_variation
from stepkit.stiffness.neural_index import WHICH, identity_blocks


class StiffnessMonitor(keras.callbacks.Callback):
    """Measures the neural stiffness index on a fixed batch at the end of epochs, during `fit`.

    Into the `logs` of the epoch go, for each residual block, `nsi_mean/<block>` (over samples) and
    `nsi_spread/<block>` (standard deviation over samples), and the means over samples of
    `nsi_total_variation` and `nsi_peak_to_median` (along all blocks). In epochs without a
    measurement they are NaN. `History` gets them always. Callbacks of your own run in the order of
    the list: put the monitor **before** those that are to see them,

    ```
    callbacks=[StiffnessMonitor(x), keras.callbacks.CSVLogger(path)]
    callbacks=[StiffnessMonitor(x), keras.callbacks.TensorBoard(folder)]  # needs TensorFlow
    ```

    Training is not touched: the network is called at inference, on the weights as they are, and
    no random numbers are drawn. The measurement is compiled once for each `fit`; it costs one
    forward pass over `x`, and one more through the residuals of `ResidualStep` layers.

    Args:
        x: array, tensor, or structure of them as the model takes it: the fixed batch. 64 samples
            or so will do.
        every: int >= 1, measure after every so many epochs, from the first on. Defaults to `1`.
        which: `"raw"`, `"applied"` or `"change"`, as in `stiffness.neural_stiffness_index`.
            Defaults to `"raw"`.
        batch_size: int >= 1, samples at a time. Defaults to `128`.
        at_start: bool, whether to measure before the first epoch too, into `history` alone.
            Defaults to `False`.
        log_blocks: bool, whether the numbers of single blocks go into `logs`, where the progress
            bar shows them too. Defaults to `True`.

    Attributes:
        names: tuple of str, the blocks.
        history: dict of arrays, one row per measurement of the last `fit`: `"epoch"` counted from
            0 (-1: before the first), `"index"` `(measurements, samples, blocks)`, `"mean"` and
            `"spread"` `(measurements, blocks)`, `"total_variation"` and `"peak_to_median"`
            `(measurements,)`, means over samples.

    Raises:
        ValueError: for an unusable argument; when `fit` begins, for a model without residual
            blocks or without a graph.

    Example:
    >>> step = stepkit.layers.ResidualStep(keras.layers.Dense(2), name="step")
    >>> model = keras.Sequential([keras.Input((2,)), step])
    >>> model.compile("sgd", "mse")
    >>> x = np.ones((8, 2))
    >>> monitor = StiffnessMonitor(x[:4])
    >>> logs = model.fit(x, 0 * x, epochs=3, verbose=0, callbacks=[monitor]).history
    >>> len(logs["nsi_mean/step"]), monitor.history["index"].shape
    (3, (3, 4, 1))

    Reference: as `stiffness.neural_stiffness_index`; the metrics are this library's own.
    """

    def __init__(
        self,
        x: Any,
        every: int = 1,
        which: str = "raw",
        batch_size: int = 128,
        at_start: bool = False,
        log_blocks: bool = True,
    ) -> None:
        super().__init__()
        for name, value in (("every", every), ("batch_size", batch_size)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"`{name}` must be an integer >= 1. Received: {name}={value!r}")
        if which not in WHICH:
            raise ValueError(f"`which` must be one of {WHICH}. Received: which={which!r}")
        self.x, self.every, self.which, self.batch_size = x, every, which, batch_size
        self.at_start, self.log_blocks = at_start, log_blocks
        self.names: tuple[str, ...] = ()
        self.history: dict[str, np.ndarray] = {}
        self._size = _number_of_samples(x)
        self._probe = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Finds the blocks and makes the measurement."""
        self._rows: list[dict[str, Any]] = []
        self._probe = None
        if self.at_start:
            if not self.model.built:
                self.model(self._batch(0, 1))
            self._record(-1)
        elif self.model.built or not isinstance(self.model, keras.Sequential):
            self._prepare()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Measures, and adds to the logs."""
        self._prepare()
        row = self._record(epoch) if epoch % self.every == 0 else None
        if logs is not None:
            logs.update(self._entries(row))

    def on_train_end(self, logs: dict | None = None) -> None:
        """Lets go of the measurement, which holds a graph of its own."""
        self._probe = None

    def _prepare(self):
        """Makes the measurement; not before a Sequential without an input shape has met data."""
        if self._probe is None:
            self.names = tuple(block.name for block in identity_blocks(self.model)[0])
            self._probe = index_model(self.model, self.which)
            self._probe.compile(
                jit_compile=self.model.jit_compile, run_eagerly=self.model.run_eagerly
            )

    def _batch(self, start, stop):
        return tree.map_structure(lambda x: x[start:stop], self.x)

    def _record(self, epoch):
        self._prepare()
        index = self._measure()
        row = {
            "epoch": epoch,
            "index": index,
            "mean": index.mean(axis=0),
            "spread": spread(index),
            "total_variation": total_variation(index).mean(),
            "peak_to_median": peak_to_median(index).mean(),
        }
        self._rows.append(row)
        self.history = {key: np.stack([row[key] for row in self._rows]) for key in row}
        return row

    def _measure(self):
        """Returns the index, `(samples, blocks)`, without a data pipeline, which may draw seeds."""
        starts = range(0, self._size, self.batch_size)
        batches = (self._batch(start, start + self.batch_size) for start in starts)
        return np.concatenate([np.asarray(self._probe.predict_on_batch(b)) for b in batches])

    def _entries(self, row):
        entries = {}
        for key in ("mean", "spread") if self.log_blocks else ():
            for i, name in enumerate(self.names):
                entries[f"nsi_{key}/{name}"] = float(row[key][i]) if row else float("nan")
        for key in ("total_variation", "peak_to_median"):
            entries[f"nsi_{key}"] = float(row[key]) if row else float("nan")
        return entries


def _number_of_samples(x):
    """Returns the length of the first axis, the same for every array in `x`."""
    shapes = [tuple(getattr(leaf, "shape", ())) for leaf in tree.flatten(x)]
    if len({shape[:1] for shape in shapes}) != 1 or not shapes[0] or shapes[0][0] == 0:
        raise ValueError(
            "`x` must be an array or tensor `(samples, ...)`, or a structure of them with the same "
            f"number of samples, at least one. Received: {type(x).__name__} of shapes {shapes}"
        )
    return shapes[0][0]
