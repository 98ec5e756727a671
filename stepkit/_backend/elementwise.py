"""Elementary functions that keep double precision.

`keras.ops.sin` and its like give float32 for float64 on JAX.
"""

from typing import Any

import keras


def elementwise(name: str, x: Any) -> Any:
    """Returns the function called `name` (as in `"sin"`) of a tensor, in its own dtype."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return getattr(tf.math, name)(x)
    if backend == "jax":
        import jax.numpy as jnp

        return getattr(jnp, name)(x)
    import torch

    return getattr(torch, name)(x)
