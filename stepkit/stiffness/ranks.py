"""Spearman's rank correlation along an axis."""

from typing import Any

import numpy as np


def rank_correlation(x: Any, y: Any) -> np.ndarray:
    """Returns Spearman's correlation of `x` and `y` along the last axis, one value per row.

    The correlation of the ranks; ties get the mean of their ranks. NaN where one of the two is
    constant.

    Args:
        x: array `(..., n)`, n >= 2, say the mean gate of each block per sample.
        y: array of the same shape, say the raw index.

    Returns:
        float64 array `(...)`, in [-1, 1].

    Raises:
        ValueError: where the shapes differ or n < 2.

    Example:
    >>> rank_correlation([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], [[0.0, 5.0, 9.0], [9.0, 5.0, 0.0]])
    array([ 1., -1.])

    Reference: C. Spearman, Am. J. Psychol. 15 (1904) 72-101.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.shape != y.shape or x.ndim == 0 or x.shape[-1] < 2:
        raise ValueError(
            "`x` and `y` must have the same shape (..., n) with n >= 2. "
            f"Received: x of shape {x.shape}, y of shape {y.shape}"
        )
    x, y = (_centred(np.apply_along_axis(_ranks, -1, values)) for values in (x, y))
    sizes = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    undefined = np.full(sizes.shape, np.nan)
    return np.divide((x * y).sum(-1), sizes, out=undefined, where=sizes > 0)[()]


def _ranks(values):
    """Returns the ranks from 1 on; of equal values the mean. NaN makes all of them NaN."""
    if np.isnan(values).any():
        return np.full(len(values), np.nan)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((2 * last - counts + 1) / 2.0)[place]


def _centred(values):
    return values - values.mean(axis=-1, keepdims=True)
