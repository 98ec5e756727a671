"""Batches: shuffled and augmented, the same on every backend and after an interruption."""

from __future__ import annotations

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """An endless sequence of batches; batch i depends on the seed and i alone.

    An epoch is a permutation of the images. Images are cropped at random from a frame of zeros
    and mirrored at random. A run that begins at batch k sees what an uninterrupted one sees there.

    Args:
        x: array `(n, height, width, channels)`.
        y: array `(n,)`.
        batch_size: int, at most n; what is left over at the end of an epoch waits for the next.
        seed: int.
        padding: int, width of the frame.
        flip: bool.
        first: int, the number of batches that have been used up.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        batch_size: int,
        seed: int,
        padding: int = 0,
        flip: bool = False,
        first: int = 0,
    ) -> None:
        super().__init__()
        if not 1 <= batch_size <= len(x):
            raise ValueError(
                f"`batch_size` must be from 1 to the number of images, {len(x)}. "
                f"Received: batch_size={batch_size}"
            )
        frame = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
        self.x, self.y, self.size = np.pad(x, frame), y, x.shape[1:3]
        self.batch_size, self.seed = batch_size, seed
        self.padding, self.flip, self.first = padding, flip, first
        self.per_epoch = len(x) // batch_size
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))

    @property
    def num_batches(self) -> None:
        """None: it never ends. `fit` needs `steps_per_epoch`."""
        return

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, place = divmod(self.first + index, self.per_epoch)
        chosen = self._epoch(epoch)[place * self.batch_size : (place + 1) * self.batch_size]
        rng = np.random.default_rng((self.seed, 1, epoch, place))
        return self._augmented(chosen, rng), self.y[chosen]

    def _epoch(self, epoch: int) -> np.ndarray:
        if self._order[0] != epoch:
            rng = np.random.default_rng((self.seed, 0, epoch))
            self._order = (epoch, rng.permutation(len(self.x)))
        return self._order[1]

    def _augmented(self, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = self.size
        top, left = rng.integers(0, 2 * self.padding + 1, size=(2, len(chosen)))
        rows = top[:, None] + np.arange(height)
        columns = left[:, None] + np.arange(width)
        if self.flip:
            mirrored = rng.random(len(chosen)) < 0.5
            columns[mirrored] = columns[mirrored, ::-1]
        return self.x[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
