"""Fingerprint: what a function depends on, in a form that can be compared.

A compiled program is that of the numbers which the function read while it was traced. It may stand
for the function again only where those are still the same: the numbers in its closure, its
defaults, the globals that it names, the attributes of its object. What cannot be compared makes a
function unfit for reuse, and it is traced anew.
"""

import builtins
import functools
import types
from collections.abc import Hashable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from stepkit._backend import is_concrete

# What these packages hold does not change under a program.
LIBRARIES = frozenset(
    [
        "builtins",
        "cmath",
        "functools",
        "itertools",
        "jax",
        "jaxlib",
        "keras",
        "math",
        "numpy",
        "operator",
        "stepkit",
        "tensorflow",
        "torch",
    ]
)
# A function that draws numbers is another function at each call.
CHANCE = frozenset(["choice", "dropout", "normal", "rand", "randint", "randn", "random", "uniform"])
PLAIN = (type(None), type(...), bool, int, float, complex, str, bytes)
CALLABLES = (types.BuiltinFunctionType, types.MethodWrapperType, types.MethodDescriptorType)
SKIPPED = ("__doc__", "__module__", "__dict__", "__weakref__", "__annotations__")
LARGEST = 1 << 20  # bytes of an array that are worth comparing


class UnfitError(Exception):
    """Something that a function depends on cannot be compared."""


class Fingerprint:
    """What some objects depend on.

    Args:
        *values: functions, layers, numbers, or objects that hold such things.

    Attributes:
        key: hashable; equal for values that make the same program.
        variables: list of `keras.Variable`, which enter with their values of the moment.
        kept: list of the objects that are compared by identity, so that none goes and leaves its
            identity to another.

    Raises:
        UnfitError: where that cannot be told.
    """

    def __init__(self, *values: Any) -> None:
        self.variables: list[keras.Variable] = []
        self.kept: list[Any] = []
        self._places: dict[int, int] = {}
        self.key: Hashable = tuple(self._of(value) for value in values)

    def _of(self, value: Any) -> Hashable:
        if isinstance(value, PLAIN):
            return type(value).__name__, repr(value)  # 1, 1.0 and True are equal, their reprs not
        if isinstance(value, (np.ndarray, np.generic)):
            return _numbers(np.asarray(value))
        if isinstance(value, types.ModuleType):
            return self._module(value)
        if id(value) in self._places:  # also where things refer to each other in a circle
            return "seen", self._places[id(value)]
        self._places[id(value)] = len(self.kept)
        self.kept.append(value)
        return self._parts(value)

    def _parts(self, value: Any) -> Hashable:
        if isinstance(value, (tuple, list)):
            return type(value).__name__, tuple(map(self._of, value))
        if isinstance(value, dict):
            return "dict", tuple((self._of(k), self._of(v)) for k, v in value.items())
        if isinstance(value, keras.Variable):
            self._note([value])
            return "variable", id(value)
        if isinstance(value, keras.Layer):
            return self._layer(value)
        if ops.is_tensor(value):
            if not is_concrete(value):
                raise UnfitError("a tensor without a value")
            return "tensor", id(value)
        if isinstance(value, types.MethodType):
            return "method", self._of(value.__func__), self._of(value.__self__)
        if isinstance(value, functools.partial):
            return "partial", self._of(value.func), self._of(value.args), self._of(value.keywords)
        if _of_library(value) and (callable(value) or isinstance(value, type)):
            return self._library_object(value)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        return self._object(value)

    def _note(self, variables: list[keras.Variable]) -> None:
        known = set(map(id, self.variables))
        self.variables += [each for each in variables if id(each) not in known]

    def _module(self, module: types.ModuleType) -> Hashable:
        if module.__name__.partition(".")[0] not in LIBRARIES:
            raise UnfitError(f"module {module.__name__}")
        return "module", module.__name__

    def _library_object(self, value: Any) -> Hashable:
        stateful = not isinstance(value, (type, types.FunctionType, *CALLABLES, np.ufunc))
        return self._object(value) if stateful else ("library", id(value))

    def _function(self, function: types.FunctionType) -> Hashable:
        names = set(_names(function.__code__))
        if names & CHANCE:
            raise UnfitError("random numbers")
        around = function.__globals__
        known = sorted(name for name in names if name in around and not hasattr(builtins, name))
        cells = [_content(cell) for cell in function.__closure__ or ()]
        return (
            "function",
            function.__code__,
            tuple(map(self._of, cells)),
            self._of(function.__defaults__),
            self._of(function.__kwdefaults__),
            tuple((name, self._of(around[name])) for name in known),
        )

    def _class(self, kind: type) -> Hashable:
        return "class", id(kind), self._members(kind, SKIPPED)

    def _members(self, kind: type, skipped: tuple[str, ...]) -> Hashable:
        own = [each for each in kind.__mro__ if not _of_library(each)]
        members = [(k, _unwrapped(v)) for each in own for k, v in vars(each).items()]
        return tuple((name, self._of(member)) for name, member in members if name not in skipped)

    def _layer(self, layer: keras.Layer) -> Hashable:
        if not layer.built:
            raise UnfitError("a layer without weights as yet")
        self._note(layer.variables)
        public = {k: v for k, v in vars(layer).items() if not k.startswith("_") and k != "build"}
        known = {k: v for k, v in public.items() if not _bookkeeping(v)}
        parts = tuple((name, self._of(value)) for name, value in known.items())
        inner = tuple(self._of(each) for each in getattr(layer, "layers", ()))
        members = self._made(type(layer), ("__init__", "build"))
        return "layer", id(layer), members, parts, inner

    def _object(self, value: Any) -> Hashable:
        if not hasattr(value, "__dict__"):
            raise UnfitError(f"an object of type {type(value).__name__}")
        kind = type(value)
        state = {k: v for k, v in vars(value).items() if not _derived(kind, k)}
        return "object", self._made(kind, ("__init__",)), self._of(state)

    def _made(self, kind: type, done: tuple[str, ...]) -> Hashable:
        """The class of an object that exists: what `done` did, such as drawing, is in its state."""
        self.kept.append(kind)
        return id(kind), self._members(kind, (*SKIPPED, *done))


def _numbers(array: np.ndarray) -> Hashable:
    if array.dtype.hasobject or array.nbytes > LARGEST:
        raise UnfitError("an array that is too large to compare, or of objects")
    return "array", array.dtype.str, array.shape, array.tobytes()


def _of_library(value: Any) -> bool:
    module = getattr(value, "__module__", None) or type(value).__module__
    return str(module).partition(".")[0] in LIBRARIES


def _derived(kind: type, name: str) -> bool:
    """Whether an attribute is computed from the others when it is first asked for."""
    return isinstance(getattr(kind, name, None), functools.cached_property)


def _bookkeeping(value: Any) -> bool:
    """Whether an attribute of a layer is an object of Keras, such as an initializer."""
    compared = (*PLAIN, np.ndarray, np.generic, tuple, list, dict, keras.Variable, keras.Layer)
    if isinstance(value, compared) or ops.is_tensor(value):
        return False
    return _of_library(value) and not isinstance(value, types.FunctionType)


def _names(code: types.CodeType) -> Iterable[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        raise UnfitError("a name that has no value as yet") from None


def _unwrapped(member: Any) -> Any:
    """Returns the function in a static method, a class method or a property."""
    if isinstance(member, property):
        return member.fget, member.fset
    return getattr(member, "__func__", member)
