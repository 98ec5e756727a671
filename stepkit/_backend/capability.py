"""What the running backend can do."""

from collections.abc import Callable

import keras


def compiled(function: Callable) -> Callable:
    """Returns a function of tensors that traces `function` once; `function` itself on torch."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def can_jit_compile() -> bool:
    """Whether `jit_compile=True` is a matter of seconds: torch's compiler takes far longer."""
    return keras.backend.backend() in ("tensorflow", "jax")


def has_float64() -> bool:
    """Whether tensors can be float64: on JAX only where it was enabled (`JAX_ENABLE_X64=1`)."""
    tensor = keras.ops.convert_to_tensor([1.0], dtype="float64")
    return keras.backend.standardize_dtype(tensor.dtype) == "float64"
