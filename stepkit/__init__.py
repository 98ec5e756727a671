"""Attention as a step size: residual networks, stiffness and StepNet, in Keras.

Rooms: `ode` (solvers), `layers` (Keras layers made of steps), `attention` (gates read as step
sizes), `models`, `networks` (signed ones, not neural), `spectra` (eigenvalues without matrices),
`stability`, `stiffness`, `callbacks`, `plots`, `datasets`, `testing`.
"""

from importlib import import_module
from types import ModuleType

# These register what a saved model may hold, so that `import stepkit` is enough to load one.
from stepkit import attention, layers, ode

__version__ = "0.1.0"

_ON_DEMAND = (
    "callbacks",
    "datasets",
    "models",
    "networks",
    "plots",
    "spectra",
    "stability",
    "stiffness",
    "testing",
)  # they may import more than Keras and NumPy

__all__ = [
    "attention",
    "callbacks",
    "datasets",
    "layers",
    "models",
    "networks",
    "ode",
    "plots",
    "spectra",
    "stability",
    "stiffness",
    "testing",
]


def __getattr__(name: str) -> ModuleType:
    if name in _ON_DEMAND:
        return import_module(f"stepkit.{name}")
    raise AttributeError(f"module 'stepkit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ON_DEMAND])
