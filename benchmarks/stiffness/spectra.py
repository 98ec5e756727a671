"""Block spectra by products with vectors, beside those of whole Jacobians."""

from __future__ import annotations

import keras
import numpy as np

from benchmarks.stiffness.networks import dense
from benchmarks.timing import side_by_side
from stepkit.stability import block_margin

SAMPLES = 4
WAYS = ("matrix_free", "full")


def growth(sizes: list[tuple[int, int]], repeats: int) -> dict:
    """Times of both ways for networks of `(width, depth)`, and the power at which each grows."""
    rows = [compared(width, depth, repeats) for width, depth in sizes]
    varied = np.array([[row["width"], row["depth"]] for row in rows], dtype=float)
    size = varied[:, 0] if np.ptp(varied[:, 0]) else varied[:, 1]
    times = {way: [row["times"][way]["median"] for row in rows] for way in WAYS}
    return {"rows": rows, "powers": {way: power(size, taken) for way, taken in times.items()}}


def power(size: np.ndarray, taken: list[float]) -> float:
    """The p of taken = c size^p, by least squares in logarithms."""
    return float(np.polyfit(np.log(size), np.log(taken), 1)[0])


def compared(width: int, depth: int, repeats: int) -> dict:
    """Both ways on one untrained network, and how far the largest |1 + z| of each block part."""
    keras.utils.set_random_seed(0)
    model = dense(width, depth)
    x = np.random.default_rng(1).normal(size=(SAMPLES, width)).astype("float32")
    found = {}

    def run(way: str, max_dense: int):
        def measure() -> None:
            found[way] = block_margin(model, x, max_dense=max_dense).amplification

        return measure

    runs = zip(WAYS, (0, width), strict=True)
    times = side_by_side({way: run(way, max_dense) for way, max_dense in runs}, repeats)
    apart = float(np.max(np.abs(found["matrix_free"] / found["full"] - 1.0)))
    ratio = times["matrix_free"]["median"] / times["full"]["median"]
    return {"width": width, "depth": depth, "times": times, "ratio": ratio, "apart": apart}
