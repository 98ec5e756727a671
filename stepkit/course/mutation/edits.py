"""How the operators build and copy nodes."""

from __future__ import annotations

import ast
from typing import Any

from stepkit.course.mutation.names import is_module


def replaced(node: ast.AST, **fields: Any) -> ast.AST:
    """A copy of a node with some fields changed; the other fields are shared."""
    kept = dict(ast.iter_fields(node)) | fields
    return ast.copy_location(type(node)(**kept), node)


def constant(value: Any) -> ast.expr:
    """A number as it stands in source; a negative one is a minus and a number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def plus(node: ast.expr) -> ast.expr:
    """One more, written as a number where it is one."""
    return _moved(node, 1)


def minus(node: ast.expr) -> ast.expr:
    """One less, written as a number where it is one."""
    return _moved(node, -1)


def called(node: ast.Call) -> str:
    """Last part of the name of what is called, such as `sum` of `keras.ops.sum`."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def renamed(node: ast.Call, name: str) -> ast.Call:
    """The same call of another function beside it."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return replaced(node, func=replaced(function, attr=name))
    return replaced(node, func=replaced(function, id=name))


def stored_names(node: ast.AST) -> set[str]:
    """Names that a statement assigns."""
    found = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return {each.id for each in found if isinstance(each.ctx, ast.Store)}


def is_index(node: ast.AST) -> bool:
    """Whether a subscript is a place: not a slice, a string or a mask."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int)
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    return negative or isinstance(node, ast.Name | ast.BinOp)


def inside(node: ast.Call) -> ast.AST:
    """What a call is about: the object of a method, or the first argument of a function."""
    if isinstance(node.func, ast.Attribute) and not is_module(node.func.value):
        return node.func.value
    return node.args[0] if node.args else node


def _moved(node: ast.expr, by: int) -> ast.expr:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = None
    if isinstance(value, int) and not isinstance(value, bool):
        return constant(value + by)
    operation = ast.Add() if by > 0 else ast.Sub()
    return ast.BinOp(node, operation, ast.Constant(abs(by)))
