"""residual_blocks: the residual blocks of a Keras model, and what each of them computes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import keras
from keras import ops, tree

from stepkit.layers import _branch, _child
from stepkit.layers.residual_step import ResidualStep


class BlockStates(NamedTuple):
    """What one block computes: arrays or tensors `(batch, ...)`, all of the shape of the state.

    Args:
        state: x, what goes into the block.
        raw: f(x), the branch before any gate or step size.
        applied: what is added to x: the branch times gate or step size.
        total: the state after the addition, x + applied.
        output: the state after an activation that follows the addition; `total` without one.
    """

    state: Any
    raw: Any
    applied: Any
    total: Any
    output: Any


@dataclass(frozen=True, eq=False, repr=False)
class ResidualBlock:
    """One residual block of a model; made by `residual_blocks`, which says what counts as one.

    Args:
        name: str, the name of the addition or of the `ResidualStep`; `outer/inner` inside a model
            that is a layer of another one, `name:1` for the second call of the same layer.
        projection: bool, whether the shortcut is more than the identity. Such a block is no step
            of a solver: its state and its output live in different spaces. `state` is then what
            branch and shortcut have in common, and `total` is not `state + applied`.
        attention: layer that gates the branch, or `None`.
        activation: layer or operation that follows the addition, or `None`.
        tensors: `BlockStates` of `KerasTensor`s of the model: any selection of them, of one block
            or of many, makes a model, `keras.Model(block.inputs, ...)`.
        inputs: the inputs of the model, `KerasTensor`s in the structure that it takes.
        local: the same as `tensors`, in the innermost model that the block is part of.
        gate_inputs: the `KerasTensor`s of the model with which `attention` is called: the raw
            branch and, where the gate sees it, the state that it is added to. Empty without one.

    Example: y = x + 0.5 * 3 x.
    >>> triple = keras.layers.Rescaling(3.0)
    >>> model = keras.Sequential([keras.Input((2,)), stepkit.layers.ResidualStep(triple, 0.5)])
    >>> block = stepkit.layers.residual_blocks(model)[0]
    >>> [float(v[0, 0]) for v in block.states(keras.ops.ones((1, 2)))]
    [1.0, 3.0, 1.5, 2.5, 2.5]
    >>> float(block.update(keras.ops.ones((1, 2)))[0, 0])
    2.5
    """

    name: str
    projection: bool
    attention: keras.Layer | None
    activation: Any
    tensors: BlockStates
    inputs: Any
    local: BlockStates
    gate_inputs: tuple = ()

    def states(self, inputs: Any) -> BlockStates:
        """Returns what the block computes for a batch of inputs of the network, at inference."""
        # A block that reads the input itself hands it on: as a tensor, like all else.
        return BlockStates(*self._from_network(tree.map_structure(ops.convert_to_tensor, inputs)))

    def update(self, x: Any) -> Any:
        """Returns the next state of a state `x`: this block alone, its activation included."""
        return self._update(x)

    def branch(self, x: Any) -> Any:
        """Returns what this block adds to a state `x`: gate and step size included."""
        return self._branch(x)

    def raw_branch(self, x: Any) -> Any:
        """Returns f(x), before gate and step size."""
        return self._raw_branch(x)

    @cached_property
    def _from_network(self):
        return keras.Function(self.inputs, list(self.tensors))

    @cached_property
    def _update(self):
        return self._alone(self.local.output)

    @cached_property
    def _branch(self):
        return self._alone(self.local.applied)

    @cached_property
    def _raw_branch(self):
        return self._alone(self.local.raw)

    def _alone(self, output):
        try:
            return keras.Function(self.local.state, output)
        except ValueError as error:
            raise ValueError(
                f"Block '{self.name}' must be a function of its own state alone. Received: a block "
                "that also depends on other parts of the network (a gate shared between blocks?)"
            ) from error

    def __repr__(self) -> str:
        kind = "projection" if self.projection else "identity"
        gate = None if self.attention is None else self.attention.name
        return f"ResidualBlock('{self.name}', shortcut='{kind}', attention={gate!r})"


def residual_blocks(model: keras.Model) -> tuple[ResidualBlock, ...]:
    """Returns the residual blocks of a model, in the order in which they are computed.

    A block is one of

    - a `ResidualStep`: raw = residual(x), applied = step * residual(x);
    - an addition of two tensors of one shape (`keras.layers.Add`, or `+` between the tensors of a
      functional model) one of which is a branch computed from the other: the identity shortcut;
    - such an addition of two tensors that are both computed from a third, where one way is
      shorter (has fewer kernels, then fewer layers): a projection shortcut, `projection=True`.

    A gate is a layer with a method `gate`, called last in the branch, `attention(branch)` or
    `attention(branch, shortcut)`; dropout may follow it, and a `Rescaling` without offset, which is
    a step size. Its first argument is the raw branch. A layer without that method (a trainable
    scale) is part of the branch. The activation of a block is an element-wise one that is the only
    reader of the sum.

    Blocks inside models that are layers of the model are found too; blocks inside the residual of
    a `ResidualStep` and in the code of other layers are not, nor sums of more than two tensors. The
    model and its layers stay as they are, and share their weights with everything returned.

    Args:
        model: functional `keras.Model`, or a `keras.Sequential` that knows its input shape.

    Returns:
        Tuple of `ResidualBlock`, empty where there is none.

    Raises:
        TypeError: where `model` is no Keras model.
        ValueError: where it has no graph: a subclass of `keras.Model` with a `call` of its own, or
            a `Sequential` that has not been built.

    Example:
    >>> x = keras.Input((4,))
    >>> y = keras.layers.Add(name="first")([x, keras.layers.Dense(4, "tanh")(x)])
    >>> z = keras.layers.Add(name="second")([keras.layers.Dense(3)(y), keras.layers.Dense(3,
    ...     "tanh")(keras.layers.Dense(3, "tanh")(y))])
    >>> residual_blocks(keras.Model(x, z))  # doctest: +NORMALIZE_WHITESPACE
    (ResidualBlock('first', shortcut='identity', attention=None),
     ResidualBlock('second', shortcut='projection', attention=None))

    Reference: K. He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: model={model!r}")
    if not _has_graph(model):
        raise ValueError(
            "`model` must be a functional model, or a Sequential model that knows its input shape "
            "(give it a `keras.Input`, or call it once): residual blocks are found in the graph. "
            f"Received: model={model!r}, without a graph"
        )
    return tuple(_Graph(model).blocks())


def _has_graph(model):
    # A Sequential that is not built raises AttributeError; a subclass has no such attribute.
    return isinstance(model, keras.Model) and bool(getattr(model, "outputs", None))


class _StepBranch(keras.Layer):
    """The branch of a `ResidualStep`, before and after its step size."""

    def __init__(self, step: ResidualStep) -> None:
        super().__init__(dtype=step.dtype_policy)
        self.step = step

    def build(self, input_shape):
        pass

    def call(self, inputs, training=None, mask=None):
        inputs = ops.cast(inputs, self.compute_dtype)
        context = _child.context(self.step.residual, training, mask)
        raw = ops.cast(self.step.residual(inputs, **context), self.compute_dtype)
        step = ops.cast(self.step.step, raw.dtype) if self.step.learn_step else self.step.step
        return raw, step * raw


class _Graph:
    """The calls that lead to the outputs of a model, and who reads what."""

    def __init__(self, model: keras.Model) -> None:
        # A model may take a dictionary; a Sequential has one input.
        self.inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
        self.nodes = list(_branch.calls(_branch.call_of(t) for t in model.outputs))
        self.readers: dict[int, list] = {}
        for node in self.nodes:
            for tensor in node.input_tensors:
                self.readers.setdefault(id(tensor), []).append(node)

    def blocks(self) -> Iterator[ResidualBlock]:
        """Yields the blocks in the order of computation."""
        seen: dict[str, int] = {}
        for node in self.nodes:
            for block in self._blocks_of(node):
                count = seen[block.name] = seen.get(block.name, -1) + 1
                yield replace(block, name=f"{block.name}:{count}") if count else block

    def _blocks_of(self, node):
        if isinstance(node.operation, ResidualStep):
            yield self._step(node)
        elif _has_graph(node.operation):
            yield from self._nested(node)
        elif type(node.operation).__name__ == "Add":
            yield from self._addition(node)

    def _step(self, node):
        x = node.input_tensors[0]
        raw, applied = _StepBranch(node.operation)(x)
        return self._block(node, x, raw, applied)

    def _nested(self, node):
        """Yields the blocks of a model that is a layer here, their tensors as tensors of ours."""
        inner = node.operation
        blocks = tuple(_Graph(inner).blocks())
        if not blocks:
            return
        # One view for all: a model of these tensors then runs the inner one once more, not often.
        view = keras.Model(inner.inputs, [[*b.tensors, *b.gate_inputs] for b in blocks])
        lifted = view(node.input_tensors[: len(inner.inputs)])
        size = len(BlockStates._fields)
        for block, tensors in zip(blocks, lifted, strict=True):
            yield replace(
                block,
                name=f"{inner.name}/{block.name}",
                tensors=BlockStates(*tensors[:size]),
                gate_inputs=tuple(tensors[size:]),
                inputs=self.inputs,
            )

    def _addition(self, node):
        if len(node.input_tensors) != 2 or len({tuple(t.shape) for t in node.input_tensors}) != 1:
            return
        sides = [_branch.Side(tensor) for tensor in node.input_tensors]
        for shortcut, branch in (sides, sides[::-1]):
            x = _branch.skip(shortcut.applied, _branch.is_identity)
            if id(x) in branch.ancestors:
                yield self._gated(node, x, branch)
                return
        common = sides[0].ancestors.keys() & sides[1].ancestors.keys()
        shortcut, branch = sorted(sides, key=lambda side: side.length(common))
        if common and shortcut.length(common) < branch.length(common):
            # Ancestors are in the order of computation: the last one is the nearest.
            x = [t for i, t in branch.ancestors.items() if i in common][-1]
            yield replace(self._gated(node, x, branch), projection=True)

    def _gated(self, node, x, branch):
        block = self._block(node, x, branch.raw, branch.applied)
        return replace(block, attention=branch.attention, gate_inputs=branch.gate_inputs)

    def _block(self, node, x, raw, applied):
        total = output = node.outputs[0]
        activation, readers = None, self.readers.get(id(total), [])
        if len(readers) == 1 and _branch.is_activation(readers[0].operation):
            activation, output = readers[0].operation, readers[0].outputs[0]
        own = BlockStates(x, raw, applied, total, output)
        return ResidualBlock(node.operation.name, False, None, activation, own, self.inputs, own)
