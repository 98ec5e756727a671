"""ravel and unravel: a structure of arrays as one flat vector, and back."""

from typing import Any

import numpy as np
from keras import ops

from stepkit.spectra._vectors import Frame, as_vector, to_numpy


def ravel(vector: Any) -> Any:
    """Returns all numbers of an array, a tensor or a structure of them as one vector `(n,)`.

    Args:
        vector: array, tensor, or nested structure; the leaves follow each other in the order of
            `keras.tree`.

    Returns:
        Array or tensor `(n,)` in the widest floating dtype among the leaves, float32 at least.

    Example:
    >>> ravel([np.ones((1, 2)), np.zeros(1)]).tolist()
    [1.0, 1.0, 0.0]
    """
    vector = as_vector(vector)
    return Frame(vector).flatten(vector)


def unravel(flat: Any, like: Any) -> Any:
    """Returns the structure whose `ravel` is `flat`.

    Args:
        flat: array or tensor `(n,)`.
        like: structure whose shapes and dtypes are taken, such as a model's `trainable_weights`.

    Raises:
        ValueError: where `flat` has not as many numbers as `like`.

    Example:
    >>> [part.shape for part in unravel(np.arange(3.0), [np.ones((1, 2)), np.ones(1)])]
    [(1, 2), (1,)]
    """
    frame = Frame(as_vector(like))
    flat = to_numpy(flat) if frame.xp is np else ops.convert_to_tensor(flat)
    if tuple(flat.shape) != (frame.size,):
        raise ValueError(
            f"`flat` must have shape ({frame.size},), as `like` has so many numbers. "
            f"Received: shape {tuple(flat.shape)}"
        )
    return frame.unflatten(flat)
