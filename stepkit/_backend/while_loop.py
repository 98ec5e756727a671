"""A loop that ends when it is done, and trains on every backend.

TensorFlow   `tf.while_loop(maximum_iterations=limit)`: what the backward pass needs grows with
the iterations that were made; with XLA, which must know sizes, with `limit`
JAX          `lax.while_loop` where no gradient is wanted. Else loops within loops, 3 deep, of
limit^(1/3) iterations each, which are skipped when the loop is done; the backward
pass makes an iteration of each again, so that it keeps 3 limit^(1/3) states
others       a Python loop, with Python's own numbers for what is decided
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops, tree

LEVELS = 3  # of the loops on JAX: two keep more states, four make more of them again
State = Any  # a nested structure of tensors


def runs_in_python() -> bool:
    """Whether loops are Python's own, so that a decision is a `bool` and not a tensor."""
    return keras.backend.backend() not in ("tensorflow", "jax")


def check_not_exported() -> None:
    """Refuses a loop in Python whose end depends on numbers while torch records an export.

    The file would keep the decisions of the example that was recorded, and be wrong for others.

    Raises:
        RuntimeError: then.
    """
    if keras.backend.backend() != "torch":
        return
    import torch

    exporting = getattr(torch.compiler, "is_exporting", bool)  # older versions cannot tell
    if torch.jit.is_tracing() or exporting():
        raise RuntimeError(
            "An adaptive or implicit solve cannot be exported from torch: its loop ends when the "
            "numbers say so, and the file would keep what they said for one example. Expected: an "
            "explicit solver with fixed steps, or an export from TensorFlow or JAX. Received: an "
            "export in progress"
        )


def saving_while(
    limit: int,
    running: Callable[[State], Any],
    body: Callable[[State], tuple[State, Any, Any]],
    state: State,
    num_slots: int,
    like: State,
    differentiable: bool = True,
) -> tuple[State, State]:
    """Repeats `state, slot, value = body(state)` while `running(state)`, at most `limit` times.

    Each iteration writes `value` into `slot` of a table; later writes replace earlier ones.

    Args:
        limit: int, the most iterations.
        running: callable of the state, a scalar truth value.
        body: callable as above that keeps structure, shapes and dtypes; `slot` is an integer
            scalar in `[0, num_slots)`.
        state: nested structure of tensors (and Python numbers in a Python loop).
        num_slots: int >= 1.
        like: structure of tensors like one value.
        differentiable: bool, whether gradients are to flow through the loop.

    Returns:
        `(state, table)`, the table with a leading axis of length `num_slots` on each leaf. Slots
        that were never written hold zeros.
    """
    if keras.backend.backend() == "tensorflow":
        return _tensorflow(limit, running, body, state, num_slots, like)
    if keras.backend.backend() == "jax":
        return _jax(limit, running, body, state, num_slots, like, differentiable)
    return in_python(limit, running, body, state, num_slots, like)


def plain_while(
    limit: int, running: Callable[[State], Any], body: Callable[[State], State], state: State
) -> State:
    """Repeats `state = body(state)` while `running(state)`, at most `limit` times; no gradient."""
    if keras.backend.backend() == "tensorflow":
        return _plain_tensorflow(limit, running, body, state)
    if keras.backend.backend() == "jax":
        import jax

        state = tree.map_structure(jax.lax.stop_gradient, state)
        return jax.lax.while_loop(
            lambda carry: (carry[0] < limit) & running(carry[1]),
            lambda carry: (carry[0] + 1, body(carry[1])),
            (0, state),
        )[1]
    check_not_exported()
    for _ in range(limit):
        if not running(state):
            break
        state = body(state)
    return state


def _plain_tensorflow(limit, running, body, state):
    import tensorflow as tf

    flat = [tf.convert_to_tensor(leaf) for leaf in tree.flatten(state)]

    def step(*leaves):
        new = tree.flatten(body(tree.pack_sequence_as(state, list(leaves))))
        for old, leaf in zip(leaves, new, strict=True):
            leaf.set_shape(old.shape)
        return new

    flat = tf.while_loop(
        lambda *leaves: running(tree.pack_sequence_as(state, list(leaves))),
        step,
        flat,
        maximum_iterations=limit,
    )
    return tree.pack_sequence_as(state, list(flat))


def in_python(
    limit: int,
    running: Callable[[State], bool],
    body: Callable,
    state: State,
    num_slots: int,
    like: State,
    stack: Callable = ops.stack,
) -> tuple[State, State]:
    """The same in Python; `stack` puts a list of leaves on a new first axis."""
    kept: dict[int, Any] = {}
    for _ in range(limit):
        if not running(state):
            break
        state, slot, value = body(state)
        kept[slot] = value
    empty = tree.map_structure(lambda leaf: 0 * leaf, like)
    rows = [kept.get(slot, empty) for slot in range(num_slots)]
    return state, tree.map_structure(lambda *leaves: stack(leaves), *rows)


def _jax(limit, running, body, state, num_slots, like, differentiable):
    import jax

    table = tree.map_structure(lambda leaf: ops.zeros((num_slots, *leaf.shape), leaf.dtype), like)

    def step(carry):
        state, table = carry
        state, slot, value = body(state)
        put = jax.lax.dynamic_update_index_in_dim
        return state, tree.map_structure(lambda b, v: put(b, v, slot, 0), table, value)

    def going(carry):
        return running(carry[0])

    if not differentiable:
        final = jax.lax.while_loop(
            lambda carry: (carry[0] < limit) & going(carry[1]),
            lambda carry: (carry[0] + 1, step(carry[1])),
            (0, (state, table)),
        )
        return final[1]
    length = 1
    while length**LEVELS < limit:
        length += 1

    def repeat(iteration):
        # The checkpoint is around the condition: in it, what an iteration reads from outside (the
        # weights of the field) would be kept anew by each.
        @partial(jax.checkpoint, prevent_cse=False)  # as advised for bodies of a scan
        def maybe(carry, _):
            return jax.lax.cond(going(carry), iteration, lambda carry: carry, carry), None

        return lambda carry: jax.lax.scan(maybe, carry, None, length=length)[0]

    run = step
    for _ in range(LEVELS):
        run = repeat(run)
    return run((state, table))


def _tensorflow(limit, running, body, state, num_slots, like):
    import tensorflow as tf

    def run():
        return _tensorflow_loop(limit, running, body, state, num_slots, like)

    if not tf.executing_eagerly():
        return run()
    # By way of the concrete function: a fresh trace in each call is meant, and no cause to warn.
    return tf.function(run, autograph=False).get_concrete_function()()


def _tensorflow_loop(limit, running, body, state, num_slots, like):
    import tensorflow as tf

    flat = [tf.convert_to_tensor(leaf) for leaf in tree.flatten(state)]
    arrays = [
        tf.TensorArray(leaf.dtype, num_slots, element_shape=leaf.shape, clear_after_read=False)
        for leaf in map(tf.convert_to_tensor, tree.flatten(like))
    ]

    def packed(leaves):
        return tree.pack_sequence_as(state, list(leaves))

    def step(leaves, arrays):
        new, slot, value = body(packed(leaves))
        pairs = zip(arrays, tree.flatten(value), strict=True)
        arrays = [array.write(slot, leaf) for array, leaf in pairs]
        new = [tf.convert_to_tensor(leaf) for leaf in tree.flatten(new)]
        for old, leaf in zip(leaves, new, strict=True):
            leaf.set_shape(old.shape)
        return new, arrays

    flat, arrays = tf.while_loop(
        lambda leaves, arrays: running(packed(leaves)),
        step,
        (flat, arrays),
        maximum_iterations=limit,
    )
    table = tree.pack_sequence_as(like, [array.stack() for array in arrays])
    return packed(flat), table
