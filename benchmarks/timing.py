"""Alternating repeats, and times read off two work-precision curves at the same error."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

BLOCK, ENOUGH, TOO_MUCH = 0.01, 1.0, 15.0  # seconds


def seconds(run: Callable[[], object], calls: int = 1) -> float:
    """How long one call takes, on average over some in a row; `run` waits for its answer."""
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def side_by_side(runs: dict[str, Callable], repeats: int) -> dict[str, dict[str, float]]:
    """The first call of each, which compiles, then repeats in turn: median, min and max.

    A repeat is as many calls in a row as fill `BLOCK` seconds: a single short one would pay for
    what the side before it has left in the caches. Short repeats are made up to ten times as often,
    until `ENOUGH` seconds are spent; long ones less often, once `TOO_MUCH` are.
    """
    first = {name: seconds(run) for name, run in runs.items()}
    calls = {name: max(1, round(BLOCK / seconds(run))) for name, run in runs.items()}
    later: dict[str, list[float]] = {name: [] for name in runs}
    spent = 0.0
    for done in range(10 * repeats):
        if spent > (TOO_MUCH if done < repeats else ENOUGH) and done:
            break
        for name, run in runs.items():
            later[name].append(seconds(run, calls[name]))
            spent += later[name][-1] * calls[name]
    return {name: {"first": first[name]} | summary(values) for name, values in later.items()}


def summary(values: list[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {
        "median": float(np.median(values)),
        "min": float(min(values)),
        "max": float(max(values)),
    }


def at_equal_error(ours: list[dict], theirs: list[dict], key: str) -> float | None:
    """Ratio ours / theirs of `key`, the geometric mean over the errors that both curves cover.

    Both are interpolated in logarithms. `None` where the curves share no error or lack `key`.
    """
    curves = [sorted(points, key=lambda point: point["error"]) for points in (ours, theirs)]
    if any(point.get(key) is None for points in curves for point in points) or not all(curves):
        return None
    errors = [np.log([max(p["error"], 1e-16) for p in points]) for points in curves]
    low, high = max(each[0] for each in errors), min(each[-1] for each in errors)
    if low > high:
        return None
    shared = np.linspace(low, high, 50)
    values = [
        np.interp(shared, x, np.log([p[key] for p in points]))
        for x, points in zip(errors, curves, strict=True)
    ]
    return float(np.exp(np.mean(values[0] - values[1])))


def ratios(curves: dict[str, list[dict]], size: int) -> dict[str, dict[str, float | None]]:
    """Our ratio to each other side, of time and of evaluations, at equal error."""
    found = {}
    for name, points in curves.items():
        if name == "ours":
            continue
        keys = {"time": "median", "evaluations": "evaluations"}
        found[name] = {k: at_equal_error(curves["ours"], points, v) for k, v in keys.items()}
        if name == "scipy" and size > 1:
            found[name]["evaluations"] = None  # theirs are for one sample each
    return found
