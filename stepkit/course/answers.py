"""Finds the learner's object, and tells theirs from the library's."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from stepkit.course import catalogue
from stepkit.course.exercise import Exercise
from stepkit.course.outcome import NotYet

MISSING = object()


def find(exercise: Exercise, namespace: dict[str, Any]) -> Any:
    """The object that the learner defined under the exercise's name, or `MISSING`."""
    return namespace.get(exercise.name, MISSING)


def is_from_stepkit(exercise: Exercise, answer: Any) -> bool:
    """Whether the answer is the library's own object: imported, aliased or only wrapped."""
    answer = _unwrapped(answer)
    if answer is _unwrapped(exercise.reference) and exercise.kind != "value":
        return True
    if inspect.isclass(answer):
        return any(_is_ours(base) for base in answer.__mro__)
    if isinstance(answer, types.FunctionType):
        return _is_ours(answer) or _only_calls_reference(exercise, answer)
    return exercise.kind == "function" and _is_ours(type(answer))


def expect_kind(exercise: Exercise, answer: Any) -> None:
    """Raise `NotYet` if the answer is not the kind of thing that was asked for."""
    name, what = exercise.name, type(answer).__name__
    if exercise.kind == "layer":
        if not (inspect.isclass(answer) and issubclass(answer, keras.layers.Layer)):
            raise NotYet(
                f"{name} should be a class that begins with `class {name}(keras.layers.Layer):`; "
                f"yours is {_article(what)}.",
                "wrong-type",
            )
    elif exercise.kind == "function":
        if not callable(answer) or inspect.isclass(answer):
            raise NotYet(f"{name} should be a function; yours is {_article(what)}.", "wrong-type")
        _expect_arguments(exercise, answer)


@contextmanager
def helpers_in_place(needs: tuple[str, ...], namespace: dict[str, Any]) -> Iterator[None]:
    """While an exercise is judged, earlier pieces that it may use are the library's.

    A mistake in exercise 1 must not fail exercise 2.
    """
    needed = [catalogue.exercise(each) for each in needs]
    saved = {each.name: namespace.get(each.name, MISSING) for each in needed}
    namespace.update({each.name: each.reference for each in needed})
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is MISSING:
                namespace.pop(name, None)
            else:
                namespace[name] = value


def _expect_arguments(exercise: Exercise, answer: Any) -> None:
    wanted = exercise.arguments
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # built-in functions without a signature
        return
    try:
        signature.bind(*wanted)
    except TypeError:
        bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
        raise NotYet(
            f"{exercise.name} should take ({', '.join(wanted)}); yours takes "
            f"{inspect.Signature(bare)}.",
            "wrong-arguments",
        ) from None


def _unwrapped(answer: Any) -> Any:
    while isinstance(answer, functools.partial):
        answer = answer.func
    return getattr(answer, "__func__", answer)


def _is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] == "stepkit"


def _only_calls_reference(exercise: Exercise, function: types.FunctionType) -> bool:
    """Whether the function's own code names the library object that it should replace."""
    wanted = _unwrapped(exercise.reference)
    names, known = set(_names_in(function.__code__)), function.__globals__
    values = [_unwrapped(known[name]) for name in names if name in known]
    if any(value is wanted for value in values):
        return True
    from_library = any(_is_ours(value) or _is_our_module(value) for value in values)
    attributes = names - set(known)  # a name of the learner's own is no attribute of the library
    return from_library and getattr(wanted, "__name__", None) in attributes


def _is_our_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType) and value.__name__.partition(".")[0] == "stepkit"


def _names_in(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
