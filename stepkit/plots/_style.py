"""What all figures share: colours, markers, axes."""

from itertools import cycle, islice
from typing import Any

import numpy as np
from keras import ops

# Okabe and Ito's colours, told apart by people with any colour-vision deficiency; yellow is left
# out (too pale on white). Markers and dashes say the same again: no meaning in colour alone.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
DASHES = ("-", "--", "-.", ":")


def styles(count: int) -> list[dict[str, Any]]:
    """Returns `count` pairs of colour and marker; 70 different ones."""
    pairs = zip(cycle(COLOURS), cycle(MARKERS), strict=False)
    return [{"color": c, "marker": m} for c, m in islice(pairs, count)]


def axes(ax: Any) -> Any:
    """Returns `ax`, or a new Axes where it is `None`."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("`stepkit.plots` needs matplotlib: pip install matplotlib") from error
    return pyplot.subplots()[1]


def to_numpy(x: Any) -> np.ndarray:
    """Returns an array of floats, from NumPy or from a tensor of any backend."""
    return np.asarray(ops.convert_to_numpy(x), dtype=float)
