"""The only room that asks which Keras backend runs: derivatives, bounded loops, capabilities."""

from stepkit._backend.autodiff import grad, hvp, jacobian, jvp, vjp
from stepkit._backend.capability import (
    can_jit_compile,
    compiled,
    compiled_for,
    has_float64,
    is_concrete,
    worth_compiling,
)
from stepkit._backend.elementwise import elementwise
from stepkit._backend.loops import bounded_loop, saving_loop

__all__ = [
    "bounded_loop",
    "can_jit_compile",
    "compiled",
    "compiled_for",
    "elementwise",
    "grad",
    "has_float64",
    "hvp",
    "is_concrete",
    "jacobian",
    "jvp",
    "saving_loop",
    "vjp",
    "worth_compiling",
]
