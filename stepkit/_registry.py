"""Names: the key under which an object is saved, and the short name by which a user asks for it."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import keras

PACKAGE = "stepkit"
T = TypeVar("T")


def serializable(target: T) -> T:
    """Registers a class or function as `stepkit>Name`, the key in saved files; use as a decorator.

    Raises:
        ValueError: where the object lives outside this package, or where another one has its name:
            a file would then load as something else.
    """
    if target.__module__.split(".")[0] != PACKAGE:
        raise ValueError(
            f"Only objects of `{PACKAGE}` can be registered under it; use "
            "`keras.saving.register_keras_serializable(package=...)` for your own. "
            f"Received: {target.__module__}.{target.__qualname__}"
        )
    key = f"{PACKAGE}>{target.__name__}"
    other = keras.saving.get_registered_object(key)
    if other is not None and other.__module__ != target.__module__:
        raise ValueError(
            f"The name '{key}' is taken by {other.__module__}. "
            f"Received: {target.__module__}.{target.__qualname__}"
        )
    return keras.saving.register_keras_serializable(package=PACKAGE)(target)


def snake_case(name: str) -> str:
    """Returns `name` in snake case: `ResidualStep` -> `residual_step`, `RK4` -> `rk4`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


class Names:
    """The classes of one kind, by short name.

    Args:
        kind: str, what they are, for error messages: `"solver"`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._classes: dict[str, type] = {}

    def register(self, *aliases: str) -> Callable[[type], type]:
        """Returns a decorator that adds a class under its name in snake case and its aliases."""

        def add(cls: type) -> type:
            for name in (snake_case(cls.__name__), *aliases):
                self._classes[name] = cls
            return serializable(cls)

        return add

    def make(self, name: str) -> Any:
        """Returns a new object of the class called `name`, in either case: `"rk4"` or `"RK4"`."""
        cls = self._classes.get(name) or self._classes.get(snake_case(name))
        if cls is None:
            raise ValueError(
                f"Unknown {self.kind}. Expected one of {sorted(self._classes)}. Received: '{name}'"
            )
        return cls()

    def name_of(self, target: Any) -> str | None:
        """Returns the short name of an object equal to what that name makes, else `None`."""
        name = snake_case(type(target).__name__)
        is_default = self._classes.get(name) is type(target) and target == type(target)()
        return name if is_default else None
