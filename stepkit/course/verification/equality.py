"""Whether a surviving mutant is the solution in other words: 1,000 draws on a wide domain."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

ULPS = 4  # units in the last place of the coarser dtype, entry by entry


@dataclass(frozen=True)
class Comparison:
    """What the probe found: equal or not, after how many draws, and why not."""

    equal: bool
    draws: int
    why: str = ""
    fault: bool = False  # of the probe itself


def compare(probe: Callable, solution: Any, mutant: Any, draws: int, seconds: float) -> Comparison:
    """Run the probe on both with the same draws; stop at the first difference.

    A draw for which both raise the same type of exception counts as equal, but if that is so for
    half of the draws, or if nothing comes back, the probe shows nothing.

    Args:
        probe: function of an answer and a generator; returns a list of arrays.
        solution: the master's answer.
        mutant: the surviving mutant.
        draws: how often to compare.
        seconds: of the processor, after which to give up; then nothing is shown.
    """
    raised, end = 0, time.process_time() + seconds
    for seed in range(draws):
        one, other = (_outputs(probe, answer, seed) for answer in (solution, mutant))
        if why := _difference(one, other):
            return Comparison(False, seed + 1, why)
        raised += isinstance(one, Exception)
        if isinstance(one, list) and not one:
            return Comparison(False, seed + 1, "the probe returned no arrays", fault=True)
        if time.process_time() > end:
            return Comparison(False, seed + 1, f"out of time after {seed + 1} draws")
    if 2 * raised >= draws:
        why = f"on {raised} of {draws} draws the solution itself raised"
        return Comparison(False, draws, why, fault=True)
    return Comparison(True, draws)


def _outputs(probe: Callable, answer: Any, seed: int) -> list[np.ndarray] | Exception:
    keras.utils.set_random_seed(seed)
    try:
        return [_as_array(each) for each in probe(answer, np.random.default_rng(seed))]
    except Exception as error:
        return error


def _difference(one: list | Exception, other: list | Exception) -> str:
    """The first way in which two results differ, or nothing."""
    if isinstance(one, Exception) or isinstance(other, Exception):
        both = (type(one).__name__, type(other).__name__)
        return "" if type(one) is type(other) else f"{both[1]} instead of {both[0]}"
    if len(one) != len(other):
        return f"{len(other)} outputs instead of {len(one)}"
    pairs = zip(one, other, strict=True)
    return next((why for pair in pairs if (why := _array_difference(*pair))), "")


def _array_difference(one: np.ndarray, other: np.ndarray) -> str:
    if one.shape != other.shape:
        return f"shape {other.shape} instead of {one.shape}"
    if one.dtype.kind != other.dtype.kind:
        return f"dtype {other.dtype} instead of {one.dtype}"
    if one.dtype.kind not in "fc":
        return "" if np.array_equal(one, other) else "other values"
    coarser = max(np.finfo(one.dtype).eps, np.finfo(other.dtype).eps)
    with np.errstate(all="ignore"):
        near = np.abs(one - other) <= ULPS * coarser * np.maximum(np.abs(one), np.abs(other))
        near &= np.isfinite(one) & np.isfinite(other)
        same = (one == other) | near | (np.isnan(one) & np.isnan(other))
    return "" if same.all() else "other values"


def _as_array(value: Any) -> np.ndarray:
    array = keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else np.asarray(value)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array
