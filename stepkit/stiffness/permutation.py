"""A permutation test: could the relation be an accident?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ALTERNATIVES = ("two-sided", "greater", "less")


@dataclass(frozen=True, eq=False)
class PermutationResult:
    """What a permutation test found.

    Args:
        statistic: float, of the data as they are.
        p_value: float in (0, 1].
        null: array `(num_permutations,)`, the statistic of the permuted data.

    Example:
    >>> PermutationResult(0.8, 0.05, np.zeros(19)).p_value
    0.05
    """

    statistic: float
    p_value: float
    null: np.ndarray = field(repr=False)


def permutation_test(
    statistic: Callable[[np.ndarray, np.ndarray], Any],
    x: Any,
    y: Any,
    num_permutations: int = 999,
    seed: int | None = None,
    alternative: str = "two-sided",
    within: Any = None,
) -> PermutationResult:
    """Returns how often chance alone relates `x` and `y` as much as the data do.

    The rows of `y` are shuffled, so that every relation between a row of `x` and its row of `y`
    is lost and all else is kept:

    ```
    p = (1 + number of permutations at least as extreme) / (1 + num_permutations)
    ```

    which is at most alpha in a share of at most alpha of all experiments without a relation.
    Two-sided: the size of the statistic counts, so it should be 0 without a relation.

    For attention against stiffness take the **raw** index: the applied one contains the gate. Rows
    are samples. Shuffling samples asks whether a gate follows *this input*; what blocks have in
    common over all inputs survives the shuffle. To pool the blocks, flatten `(samples, blocks)`
    and give the block of each row as `within`.

    Args:
        statistic: callable `(x, y) -> number` on NumPy arrays.
        x: array `(samples, ...)`.
        y: array `(samples, ...)`.
        num_permutations: int >= 1. Defaults to `999`; the smallest p is 1 / (1 + that).
        seed: int or `None`. Defaults to `None`, new permutations in each call.
        alternative: `"two-sided"`, `"greater"` or `"less"`. Defaults to `"two-sided"`.
        within: array `(samples,)` of labels; only rows of one label are exchanged. Defaults to
            `None`, all.

    Returns:
        `PermutationResult`.

    Raises:
        ValueError: where an argument does not fit, or the statistic is not a finite number.

    Example:
    >>> x = np.arange(20.0)
    >>> permutation_test(stepkit.stiffness.rank_correlation, x, x * x, seed=0)
    PermutationResult(statistic=1.0, p_value=0.001)

    Reference: B. Phipson, G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) article 39.
    """
    x, y = np.asarray(x), np.asarray(y)
    groups = _groups(x, y, within)
    _check(num_permutations, alternative)
    rng = np.random.default_rng(seed)
    observed = _value(statistic, x, y)
    null = np.array(
        [_value(statistic, x, y[_shuffled(groups, len(y), rng)]) for _ in range(num_permutations)]
    )
    sign = {"two-sided": np.abs, "greater": np.positive, "less": np.negative}[alternative]
    # Permutations that leave the statistic as it is must count, whatever the order of the sums.
    least = sign(observed) - 1e-12 * abs(observed)
    p_value = (1 + np.count_nonzero(sign(null) >= least)) / (1 + num_permutations)
    return PermutationResult(observed, float(p_value), null)


def _groups(x, y, within):
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ValueError(
            "`x` and `y` must have the same number of rows. "
            f"Received: x of shape {x.shape}, y of shape {y.shape}"
        )
    if within is None:
        return [np.arange(len(y))]
    labels = np.asarray(within)
    if labels.shape != (len(y),):
        raise ValueError(
            f"`within` must be one label per row: shape {(len(y),)}. "
            f"Received: within of shape {labels.shape}"
        )
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _shuffled(groups, size, rng):
    order = np.arange(size)
    for places in groups:
        order[places] = rng.permutation(places)
    return order


def _check(num_permutations, alternative):
    whole = isinstance(num_permutations, (int, np.integer))
    if not whole or isinstance(num_permutations, bool) or num_permutations < 1:
        raise ValueError(
            "`num_permutations` must be an integer >= 1. "
            f"Received: num_permutations={num_permutations!r}"
        )
    if alternative not in ALTERNATIVES:
        raise ValueError(
            f"`alternative` must be one of {ALTERNATIVES}. Received: alternative={alternative!r}"
        )


def _value(statistic, x, y):
    value = np.asarray(statistic(x, y))
    if value.shape != () or not np.isfinite(value):
        raise ValueError(
            "`statistic` must return one finite number (a constant row has no correlation). "
            f"Received: {value!r}"
        )
    return float(value)
