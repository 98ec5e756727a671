"""Two arms on the same seeds: the difference, its interval, and what could have been seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from experiments.record import detectable


def paired(a: Sequence[float], b: Sequence[float]) -> dict[str, Any]:
    """Returns a - b seed by seed: mean, 95 % interval by Student's t, detectable difference."""
    differences = np.subtract(a, b).astype(float)
    n, mean = len(differences), float(differences.mean())
    half = stats.t(n - 1).ppf(0.975) * differences.std(ddof=1) / np.sqrt(n)
    return {
        "mean": mean,
        "low": mean - float(half),
        "high": mean + float(half),
        "detectable": detectable(list(differences)),
        "values": differences.tolist(),
    }
