"""What the running backend can do."""

from collections.abc import Callable, Sequence
from typing import Any

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


def compiled_for(function: Callable, *tensors: Any) -> Callable:
    """Like `compiled`, for tensors of the shapes and dtypes of these alone."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # The concrete function: another one for other shapes is meant, and no cause to warn.
        return tf.function(function, autograph=False).get_concrete_function(*tensors)
    return compiled(function)


def is_concrete(tensor: Any) -> bool:
    """Whether a tensor has a value, as it has outside of compiled and differentiated functions."""
    if keras.backend.backend() == "jax":
        import jax

        return not isinstance(tensor, jax.core.Tracer)
    return hasattr(tensor, "numpy")


def worth_compiling(tensors: Sequence[Any]) -> bool:
    """Whether Python runs operation by operation, on a backend that can do better."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.executing_eagerly()
    if keras.backend.backend() == "jax":
        # While a function is compiled, a new constant has no value either.
        return all(map(is_concrete, (*tensors, keras.ops.zeros(()))))
    return False


def can_jit_compile() -> bool:
    """Whether `jit_compile=True` is a matter of seconds: torch's compiler takes far longer."""
    return keras.backend.backend() in ("tensorflow", "jax")


def has_float64() -> bool:
    """Whether tensors can be float64: on JAX only where it was enabled (`JAX_ENABLE_X64=1`)."""
    tensor = keras.ops.convert_to_tensor([1.0], dtype="float64")
    return keras.backend.standardize_dtype(tensor.dtype) == "float64"
