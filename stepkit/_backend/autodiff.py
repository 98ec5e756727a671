"""Derivatives of functions of tensors, the same on every backend.

`keras.ops` has forward mode (`jvp`) and, as of Keras 3.15, no reverse mode. Layers that update
state (`BatchNormalization(training=True)`, `Dropout`) must be called under `keras.StatelessScope`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
from keras import ops, tree


def jvp(fun: Callable, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """Returns `fun(*primals)` and the Jacobian-vector product `J v`, `v = tangents`.

    Args:
        fun: callable of one or more nested structures of tensors.
        primals: tuple, the arguments of `fun`.
        tangents: tuple of the structure, shapes and dtypes of `primals`.
    """
    value, tangent = ops.jvp(fun, primals, tangents)
    # On torch the tangent of a float32 power of a scalar is float64.
    return value, tree.map_structure(lambda v, d: ops.cast(d, v.dtype), value, tangent)


def vjp(fun: Callable, *primals: Any) -> tuple[Any, Callable]:
    """Returns `fun(*primals)` and the pullback `u -> J^T u`.

    Args:
        fun: callable of one or more nested structures of tensors.
        primals: the arguments of `fun`.

    Returns:
        `(output, pullback)`. `pullback(u)`, with `u` shaped as the output, returns a tuple with one
        entry per argument; an argument that the output does not depend on gets zeros. The pullback
        may be called more than once.
    """
    primals = tree.map_structure(ops.convert_to_tensor, primals)
    run = {"tensorflow": _vjp_tensorflow, "jax": _vjp_jax, "torch": _vjp_torch}
    value, pull = run[keras.backend.backend()](fun, primals)

    def pullback(cotangent):
        # JAX insists on the dtype of the output; Python numbers have none of their own.
        return pull(tree.map_structure(lambda u, v: ops.cast(u, v.dtype), cotangent, value))

    return value, pullback


def grad(fun: Callable) -> Callable:
    """Returns the function `x -> d fun(x) / d x` for a scalar-valued `fun` of one structure."""

    def gradient(x):
        value, pullback = vjp(fun, x)
        if tuple(value.shape) != ():
            raise ValueError(
                "`grad` expects a function with a scalar output. "
                f"Received: output of shape {tuple(value.shape)}"
            )
        return pullback(ops.ones_like(value))[0]

    return gradient


def hvp(fun: Callable, x: Any, v: Any) -> Any:
    """Returns the Hessian-vector product `H v` of a scalar `fun` at `x`, forward over reverse."""
    return jvp(grad(fun), (x,), (v,))[1]


def jacobian(fun: Callable, x: Any) -> Any:
    """Returns the full Jacobian of a function of one tensor, of shape `fun(x).shape + x.shape`.

    It holds as many backward passes as the output has numbers at once: for small ones only.
    """
    value, pullback = vjp(fun, x)
    size = int(ops.size(value))
    basis = ops.reshape(ops.eye(size, dtype=value.dtype), (size, *value.shape))
    rows = ops.vectorized_map(lambda u: pullback(u)[0], basis)
    return ops.reshape(rows, (*value.shape, *ops.shape(ops.convert_to_tensor(x))))


def unrecorded() -> AbstractContextManager:
    """A context in which torch records nothing for a gradient.

    It saves time and memory where no gradient is wanted. Others trace, and leave out by themselves
    what no gradient needs: there nothing changes, so `ops.stop_gradient` is needed all the same.
    """
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()


def recomputed(fun: Callable) -> Callable:
    """Returns a function of tensors whose backward pass computes it again and keeps nothing of it.

    Under `torch.func`, which cannot do so, it is `fun` itself. Gradients flow to arguments only.
    """
    again = keras.remat(fun)

    def run(*tensors):
        try:
            return again(*tensors)
        except RuntimeError as error:
            if "saved tensor hooks" not in str(error):  # raised before `fun` is called
                raise
            return fun(*tensors)

    return run


def _vjp_tensorflow(fun, primals):
    import tensorflow as tf

    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(tree.flatten(primals))
        value = fun(*primals)

    def pullback(cotangent):
        flat = tape.gradient(
            value,
            tree.flatten(primals),
            output_gradients=cotangent,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return tree.pack_sequence_as(primals, flat)

    return value, pullback


def _vjp_jax(fun, primals):
    import jax

    return jax.vjp(fun, *primals)


def _vjp_torch(fun, primals):
    import torch

    return torch.func.vjp(fun, *primals)
