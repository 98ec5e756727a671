"""The only room that asks which Keras backend runs: derivatives and bounded loops."""

from stepkit._backend.autodiff import grad, hvp, jacobian, jvp, vjp
from stepkit._backend.loops import bounded_loop, saving_loop

__all__ = ["bounded_loop", "grad", "hvp", "jacobian", "jvp", "saving_loop", "vjp"]
