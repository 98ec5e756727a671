"""BlockIndex: an index per sample and block, with the names of the blocks."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class BlockIndex:
    """An index for each sample and each residual block; `np.asarray(index)` gives its values.

    Args:
        values: array `(samples, blocks)`.
        names: tuple of str, the blocks in the order of computation.
        which: str, what was measured; see `neural_stiffness_index`.
        after_activation: tuple of bool, whether an activation follows the addition of a block, so
            that the state that the next block gets is taken after that activation.
        stages: tuple of int, counted from 0: a new stage begins after each block with a projection
            shortcut and wherever the shape of the state changes.

    Example:
    >>> index = BlockIndex(np.array([[0.1, 0.3]]), ("a", "b"), "raw", (True, True), (0, 1))
    >>> [(part.names, part.values.tolist()) for part in index.by_stage()]
    [(('a',), [[0.1]]), (('b',), [[0.3]])]
    """

    values: np.ndarray
    names: tuple[str, ...]
    which: str
    after_activation: tuple[bool, ...]
    stages: tuple[int, ...]

    def by_stage(self) -> tuple["BlockIndex", ...]:
        """Returns the blocks of each stage: only inside one are neighbours states of one space."""
        return tuple(self._part(np.flatnonzero(np.equal(self.stages, s))) for s in self._numbers())

    def _numbers(self):
        return sorted(set(self.stages))

    def _part(self, places):
        def pick(values):
            return tuple(values[i] for i in places)

        return BlockIndex(
            self.values[:, places],
            pick(self.names),
            self.which,
            pick(self.after_activation),
            pick(self.stages),
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype, copy=bool(copy) or None)

    def __len__(self) -> int:
        return len(self.values)
