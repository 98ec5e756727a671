"""Loops with a fixed trip count that train on every backend.

No single loop of `keras.ops` does. `ops.while_loop` has no reverse mode on JAX; `ops.fori_loop` and
`ops.scan` do not train under TensorFlow with XLA, which must know how long a loop can get before it
can keep what the backward pass needs. Hence, eager, graph and `jit_compile=True`:

    TensorFlow   `tf.while_loop(maximum_iterations=n)`, in a `tf.function` where it is long
    JAX          `ops.fori_loop` with static bounds, which JAX turns into a scan
    torch        a Python loop: torch runs eagerly

No loop is unrolled on TensorFlow and JAX, so compile time does not grow with the trip count.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops, tree

State = Any  # a nested structure of tensors, as `keras.tree` understands it


def bounded_loop(num_steps: int, body: Callable[[Any, State], State], state: State) -> State:
    """Returns `state` after `state = body(i, state)` for `i = 0, ..., num_steps - 1`.

    Args:
        num_steps: int, known before the loop starts.
        body: callable `(i, state) -> state` that keeps structure, shapes and dtypes. The index is
            an integer scalar: a tensor on TensorFlow and JAX, a Python int on torch.
        state: nested structure of tensors.
    """
    return saving_loop(num_steps, body, state, save_after=())[0]


def saving_loop(
    num_steps: int,
    body: Callable[[Any, State], State],
    state: State,
    save_after: Sequence[int],
    select: Callable[[State], State] = lambda state: state,
) -> tuple[State, State]:
    """Like `bounded_loop`, and also keeps the states after some of the steps.

    Memory for what is kept grows with `len(save_after)`, not with `num_steps`: each step writes
    into the slot of the save to come, so that the last write before a save is the one that stays.

    Args:
        num_steps: int, known before the loop starts.
        body: callable `(i, state) -> state`, as in `bounded_loop`.
        state: nested structure of tensors.
        save_after: strictly increasing ints in `[1, num_steps]`; the last is `num_steps`. Empty:
            keep nothing.
        select: callable that returns the part of the state that is kept.

    Returns:
        `(final_state, saved)`; `saved` has the structure of `select(state)` with a leading axis of
        length `len(save_after)`, or is `None` where nothing was to be kept.
    """
    if len(save_after) and save_after[-1] != num_steps:
        raise ValueError(
            "`save_after` must end at the last step. "
            f"Received: save_after={tuple(save_after)}, num_steps={num_steps}"
        )
    if num_steps == 0:
        return state, None
    run = {"tensorflow": _tensorflow, "jax": _jax}.get(keras.backend.backend(), _python)
    return run(num_steps, body, state, save_after, select)


def _slots(num_steps: int, save_after: Sequence[int]) -> np.ndarray:
    """Returns, for each step, the slot that it writes: that of the next save."""
    return np.searchsorted(np.asarray(save_after), np.arange(1, num_steps + 1)).astype("int32")


def _python(num_steps, body, state, save_after, select):
    wanted, kept = set(save_after), []
    for i in range(num_steps):
        state = body(i, state)
        if i + 1 in wanted:
            kept.append(select(state))
    saved = tree.map_structure(lambda *leaves: ops.stack(leaves), *kept) if kept else None
    return state, saved


def _jax(num_steps, body, state, save_after, select):
    if not len(save_after):
        return ops.fori_loop(0, num_steps, body, state), None
    slots = ops.convert_to_tensor(_slots(num_steps, save_after))
    buffer = tree.map_structure(
        lambda leaf: ops.zeros((len(save_after), *leaf.shape), leaf.dtype), select(state)
    )

    def write(slot, buffer, value):
        start = (slot, *(0 * slot for _ in value.shape))
        return ops.slice_update(buffer, start, value[None])

    def step(i, carry):
        state, buffer = carry
        state = body(i, state)
        slot = slots[i]
        return state, tree.map_structure(lambda b, v: write(slot, b, v), buffer, select(state))

    return ops.fori_loop(0, num_steps, step, (state, buffer))


def _tensorflow(num_steps, body, state, save_after, select):
    import tensorflow as tf

    def run():
        return _tensorflow_loop(num_steps, body, state, save_after, select)

    # Tracing costs about as much as this many eager steps; a traced step costs next to nothing.
    worth_tracing = tf.executing_eagerly() and num_steps > 16
    if not worth_tracing:
        return run()
    # By way of the concrete function: a fresh trace in each call is meant, and no cause to warn.
    return tf.function(run, autograph=False).get_concrete_function()()


def _tensorflow_loop(num_steps, body, state, save_after, select):
    import tensorflow as tf

    flat = [tf.convert_to_tensor(leaf) for leaf in tree.flatten(state)]
    kept = select(state) if len(save_after) else ()
    # TensorArrays, not one tensor: a write to a tensor would copy the whole of it at each step.
    arrays = [
        tf.TensorArray(
            leaf.dtype, len(save_after), element_shape=leaf.shape, clear_after_read=False
        )
        for leaf in map(tf.convert_to_tensor, tree.flatten(kept))
    ]
    slots = tf.constant(_slots(num_steps, save_after))

    def step(i, leaves, arrays):
        new = body(i, tree.pack_sequence_as(state, list(leaves)))
        if arrays:
            pairs = zip(arrays, tree.flatten(select(new)), strict=True)
            arrays = [array.write(slots[i], leaf) for array, leaf in pairs]
        new = [tf.convert_to_tensor(leaf) for leaf in tree.flatten(new)]
        for old, leaf in zip(leaves, new, strict=True):
            leaf.set_shape(old.shape)  # a field may forget a static size; the loop insists on it
        return i + 1, new, arrays

    _, flat, arrays = tf.while_loop(
        lambda i, *_: i < num_steps,
        step,
        (tf.constant(0), flat, arrays),
        maximum_iterations=num_steps,
    )
    saved = tree.pack_sequence_as(kept, [a.stack() for a in arrays]) if arrays else None
    return tree.pack_sequence_as(state, list(flat)), saved
