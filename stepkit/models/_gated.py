"""How a gate is put on a branch."""

from typing import Any

from stepkit import attention
from stepkit.layers import _child


def gated(branch: Any, shortcut: Any, gate: Any, name: str) -> Any:
    """Returns the branch times the step size that a new gate chooses; as it is for `None`.

    A layer whose `call` has an argument `shortcut` gets the state too.
    """
    if gate is None:
        return branch
    layer = attention.get(gate)
    layer.name = f"{name}_attention"
    out = layer(branch, shortcut) if _child.takes(layer, "shortcut") else layer(branch)
    if tuple(out.shape) != tuple(branch.shape):
        raise ValueError(
            "`attention` must return the gated branch, of the shape of the branch "
            f"{tuple(branch.shape)}. Received: {type(layer).__name__} returns {tuple(out.shape)}"
        )
    return out
