"""Masks that say which point may look at which."""

from typing import Any

from keras import ops


def standardize_mask(mask: Any, x_shape: tuple, other_shape: tuple, name: str) -> Any:
    """Returns a bool tensor `(batch or 1, 1, n, m)`; `None` for none.

    Raises:
        ValueError: for a mask of another shape.
    """
    if mask is None:
        return None
    mask = ops.cast(mask, "bool")
    wanted = (x_shape[0], x_shape[1], other_shape[1])
    given = tuple(mask.shape)
    fits = len(given) in (2, 3) and all(
        size is None or asked is None or size == asked
        for size, asked in zip(given[::-1], wanted[::-1], strict=False)
    )
    if not fits:
        raise ValueError(
            f"{name}: `attention_mask` must have shape (queries, keys) = {wanted[1:]}, or that "
            f"with the batch before it, {wanted}. Received: shape {given}"
        )
    return mask[None, None] if len(given) == 2 else mask[:, None]
