"""A training step and an answer, compiled, on a batch that is on the device already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import ops


def batch(model: keras.Model, size: int) -> tuple:
    """Random images and labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(size, *model.input_shape[1:])).astype("float32")
    return ops.convert_to_tensor(x), ops.convert_to_tensor(rng.integers(0, 10, size=size))


@dataclass
class Step:
    """A function of no arguments, and the compiler's plan of it: bytes moved and bytes held."""

    run: Callable[[], float]
    plan: dict[str, float] = field(default_factory=dict)

    def __call__(self) -> float:
        """Make the step; returns the loss."""
        return self.run()


def training(model: keras.Model, x, y) -> Step:
    """Returns one step of SGD with momentum, which waits for its end; planned on JAX only."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(model.trainable_variables)
    return {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}[keras.backend.backend()](
        model, optimizer, loss, x, y
    )


def answering(model: keras.Model, x) -> Callable[[], object]:
    """Returns a function that computes the answers of a batch at inference and waits for them."""
    from stepkit._backend import compiled

    run = compiled(lambda x: model(x, training=False))
    return lambda: ops.convert_to_numpy(run(x))


def _jax(model, optimizer, loss, x, y):
    import jax

    def compute(trainable, rest):
        answer, rest = model.stateless_call(trainable, rest, x, training=True)
        return loss(y, answer), rest

    def step(trainable, rest, state):
        (value, rest), gradients = jax.value_and_grad(compute, has_aux=True)(trainable, rest)
        trainable, state = optimizer.stateless_apply(state, gradients, trainable)
        return value, trainable, rest, state

    values = [
        [jax.numpy.array(v.value) for v in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables,
        )
    ]

    step = jax.jit(step, donate_argnums=(0, 1, 2)).lower(*values).compile()

    def run():
        value, *values[:] = step(*values)
        return float(value)

    moved = step.cost_analysis().get("bytes accessed")
    return Step(run, {"moved": moved, "held": step.memory_analysis().temp_size_in_bytes})


def _tensorflow(model, optimizer, loss, x, y):
    import tensorflow as tf

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(value, [v.value for v in variables]), variables)
        return value

    return Step(lambda: float(step()))


def _torch(model, optimizer, loss, x, y):
    import torch

    def run():
        for variable in model.trainable_variables:
            variable.value.grad = None
        value = loss(y, model(x, training=True))
        value.backward()
        with torch.no_grad():
            gradients = [v.value.grad for v in model.trainable_variables]
            optimizer.apply(gradients, model.trainable_variables)
        return float(value)

    return Step(run)


def peak(run: Callable[[], object]) -> int | None:
    """The most bytes that torch comes to hold on a GPU by running; `None` elsewhere."""
    if keras.backend.backend() != "torch":
        return None
    import torch

    if not torch.cuda.is_available():
        return None
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    return torch.cuda.max_memory_allocated() - before
