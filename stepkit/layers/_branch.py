"""How the graph of a functional model is walked, and what belongs to the branch of a block."""

from collections.abc import Iterable

import keras
import numpy as np
from keras import layers


class Side:
    """One of the two tensors of an addition, looked at as a branch."""

    def __init__(self, tensor: keras.KerasTensor) -> None:
        self.applied = tensor
        last = skip(tensor, lambda operation: is_dropout(operation) or is_step(operation))
        call = call_of(last)
        gated = callable(getattr(call.operation, "gate", None))
        self.attention = call.operation if gated else None
        self.gate_inputs = tuple(call.input_tensors) if gated else ()
        self.raw = self.gate_inputs[0] if gated else last
        needed = calls([call_of(self.raw)])
        self._made = {id(t): t for node in needed for t in node.outputs}
        self.ancestors = {i: t for i, t in self._made.items() if t is not self.applied}

    def length(self, common: Iterable[int]) -> tuple[int, int]:
        """Returns how many kernels, and how many calls, lie between a common part and the end."""
        own = [call_of(t).operation for i, t in self._made.items() if i not in common]
        weights = [w for operation in own for w in getattr(operation, "weights", ())]
        return sum(len(w.shape) > 1 for w in weights), len(own)


def call_of(tensor):
    """Returns the call that made a tensor."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def calls(last):
    """Returns the calls that the calls in `last` need, and these, in the order of computation."""
    done, order, stack = set(), [], [(node, False) for node in reversed(list(last))]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif id(node) not in done:
            done.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.parent_nodes))
    return order


def skip(tensor, condition):
    """Returns the tensor from which calls that meet the condition have made this one."""
    while condition(call_of(tensor).operation):
        tensor = call_of(tensor).input_tensors[0]
    return tensor


def is_identity(operation):
    return isinstance(operation, layers.Identity)


def is_dropout(operation):
    """Whether an operation changes nothing at inference."""
    kinds = (layers.Identity, layers.Dropout)
    return isinstance(operation, kinds) or type(operation).__name__ == "DropPath"


def is_step(operation):
    """Whether an operation multiplies by a number that stays as it is."""
    return isinstance(operation, layers.Rescaling) and not np.any(operation.offset)


def is_activation(operation):
    kinds = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU)
    # Functions of `keras.ops` are operations of these names.
    names = ("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Gelu", "Silu", "Tanh", "Sigmoid")
    return isinstance(operation, kinds) or type(operation).__name__ in names
