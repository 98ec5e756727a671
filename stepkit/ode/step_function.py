"""StepFunction: anybody's step as a solver."""

from collections.abc import Callable
from typing import Any

import keras

from stepkit._registry import serializable


@serializable
class StepFunction:
    """A solver made of a callable `step(f, t, y, h) -> y_next`; its order is not known.

    `odeint` and `ODEBlock` wrap a callable by themselves.

    Args:
        step: callable. To be saved it must be a registered function
            (`keras.saving.register_keras_serializable`).

    Example:
    >>> def leap(f, t, y, h):
    ...     return y + h * f(t + h / 2, y + h / 2 * f(t, y))
    >>> float(StepFunction(leap).step(lambda t, y: -y, 0.0, 1.0, 0.5))
    0.625
    """

    tableau = None
    order = None

    def __init__(self, step: Callable) -> None:
        if not callable(step):
            raise TypeError(
                f"`step` must be a callable `step(f, t, y, h)`. Received: step={step!r}"
            )
        self._step = step

    def step(self, f: Callable, t: Any, y: Any, h: Any) -> Any:
        """Returns what the callable makes of one step of size `h` from `y`."""
        return self._step(f, t, y, h)

    def get_config(self) -> dict[str, Any]:
        """Returns the callable, serialised."""
        return {"step": keras.saving.serialize_keras_object(self._step)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "StepFunction":
        """Returns the solver that `get_config` described."""
        return cls(keras.saving.deserialize_keras_object(config["step"]))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._step == other._step

    def __hash__(self) -> int:
        return hash((type(self), self._step))

    def __repr__(self) -> str:
        return f"StepFunction({getattr(self._step, '__name__', self._step)})"
