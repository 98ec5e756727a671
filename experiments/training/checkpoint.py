"""Checkpoint: the state of a run on disk, whole at any time."""

from __future__ import annotations

import csv
from pathlib import Path

import keras
import numpy as np

from stepkit.course.store import write_text


class Checkpoint(keras.callbacks.Callback):
    """Saves weights and optimizer after each epoch; how far the run is stands in the same file.

    A new file replaces the old one in one step, so a kill at any time leaves one that is whole. The
    epoch that was running is done again, on the same batches.

    Args:
        folder: of the run; `state.weights.h5` and `log.csv` are there.
        steps_per_epoch: int.
    """

    def __init__(self, folder: Path, steps_per_epoch: int) -> None:
        super().__init__()
        self.path, self.log = folder / "state.weights.h5", folder / "log.csv"
        self.steps_per_epoch = steps_per_epoch

    def restore(self, model: keras.Model) -> int:
        """Loads what is there into a compiled model; returns the number of finished epochs."""
        if not self.path.exists():
            self.log.unlink(missing_ok=True)
            return 0
        model.optimizer.build(model.trainable_variables)
        try:
            model.load_weights(self.path)
        except (OSError, ValueError, KeyError) as error:
            raise SystemExit(
                f"{self.path} is not a checkpoint of this network ({error}). "
                "Was it written with another setting? Give another --out, or remove it."
            ) from None
        done = int(np.asarray(keras.ops.convert_to_numpy(model.optimizer.iterations)))
        epochs = done // self.steps_per_epoch
        self._forget_rows_from(epochs)
        return epochs

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Saves; after the row of the epoch has been written."""
        partial = self.path.with_name("partial.weights.h5")
        self.model.save_weights(partial, overwrite=True)
        partial.replace(self.path)

    def _forget_rows_from(self, epoch):
        """Drops rows of epochs that were logged but not saved: they will be logged again."""
        if not self.log.exists():
            return
        with self.log.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        kept = rows[:1] + [row for row in rows[1:] if row and int(row[0]) < epoch]
        write_text(self.log, "".join(",".join(row) + "\n" for row in kept))
