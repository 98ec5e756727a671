"""What a sequence of indices over blocks, or over time, looks like in one number."""

from typing import Any

import numpy as np

from stepkit.stiffness import _numbers


def total_variation(index: Any) -> Any:
    """Returns how much an index goes up and down along the last axis: sum |s_{t+1} - s_t|.

    0 for a constant sequence and for one of length 1; last minus first for a rising one. Blocks
    of different stages live in different spaces: use `BlockIndex.by_stage` where that matters.

    Args:
        index: array or tensor `(samples, blocks)`, or any shape with the sequence last; a
            `BlockIndex`.

    Returns:
        Array or tensor `(samples,)`.

    Example:
    >>> total_variation([[0.0, 2.0, 1.0], [1.0, 1.0, 1.0]]).tolist()
    [3.0, 0.0]

    Reference: a metric of this library's own, as are `peak_to_median` and `spread`.
    """
    xp, values = _sequences(index)
    return xp.sum(xp.abs(values[..., 1:] - values[..., :-1]), axis=-1)


def peak_to_median(index: Any) -> Any:
    """Returns how far the highest of a sequence stands out: max / median along the last axis.

    1 for a constant sequence, also one of zeros; infinite where more than half is zero and the
    rest is not.

    Args:
        index: as in `total_variation`; values >= 0.

    Returns:
        Array or tensor `(samples,)`.

    Example:
    >>> peak_to_median([[0.5, 4.0, 1.0], [0.0, 0.0, 0.0]]).tolist()
    [4.0, 1.0]
    """
    xp, values = _sequences(index)
    peak, median = xp.max(values, axis=-1), xp.median(values, axis=-1)
    flat = xp.ones_like(peak)
    return xp.where(peak == 0, flat, _numbers.quotient(peak, median, xp))


def spread(index: Any, kind: str = "std") -> Any:
    """Returns how much samples differ, per block: over the first axis.

    Args:
        index: array or tensor `(samples, ...)`, or a `BlockIndex`.
        kind: `"std"`, the standard deviation (divided by the number of samples), or `"range"`,
            largest minus smallest: the width of the envelope. Defaults to `"std"`.

    Returns:
        Array or tensor `(blocks,)`.

    Raises:
        ValueError: for another `kind`.

    Example:
    >>> spread([[0.0, 3.0], [2.0, 3.0]]).tolist(), spread([[0.0], [2.0]], "range").tolist()
    ([1.0, 0.0], [2.0])
    """
    if kind not in ("std", "range"):
        raise ValueError(f"`kind` must be 'std' or 'range'. Received: kind={kind!r}")
    xp, values = _sequences(index)
    if kind == "std":
        return xp.std(values, axis=0)
    return xp.max(values, axis=0) - xp.min(values, axis=0)


def _sequences(index):
    xp = _numbers.namespace(index)
    values = _numbers.floating(index, xp)
    if len(values.shape) == 0 or 0 in tuple(values.shape):
        raise ValueError(
            "`index` must hold at least one sample and one block. "
            f"Received: index of shape {np.shape(values)}"
        )
    return xp, values
