"""The one fixed list of mutation operators, the same for all lessons.

An operator takes a node of the learner-written code and yields what may stand in its place, each
a small mistake that a learner could make. Operators on statements take a list of statements and
yield shorter lists. Nothing here knows an exercise: a check earns its rate against a list that
was not written for it.

| operator           | an example                                                |
|--------------------|-----------------------------------------------------------|
| arithmetic         | `a + b` -> `a - b`, `ops.add(a, b)` -> `ops.subtract(a, b)`|
| comparison         | `a < b` -> `a <= b`, `a >= b`; `a and b` -> `a or b`      |
| constant           | `2` -> `3`, `0.5` -> `1.0`, `True` -> `False`             |
| sign               | `-a` -> `a`, `return f(a)` -> `return -f(a)`              |
| axis               | `axis=-1` -> `axis=0`, `axis=(1, 2)` -> `axis=(1,)`       |
| keyword            | `f(a, dt=h)` -> `f(a)`, `{"a": 1, "b": 2}` -> `{"b": 2}`  |
| dropped statement  | `y += h`, `self.w = ...`, `if h < 0: raise ...` -> nothing|
| swapped arguments  | `f(t, y)` -> `f(y, t)`, `a - b` -> `b - a`                |
| lost factor        | `a * b` -> `a`, `b`; `a / b` -> `a`; `a ** 2` -> `a`      |
| off by one         | `range(n)` -> `range(n + 1)`, `x[i]` -> `x[i + 1]`        |
| transpose          | `a.T` -> `a`, `a @ b` -> `a.T @ b`, `"ij->i"` -> `"ji->i"`|
| wrong norm         | `sum(a)` -> `mean(a)`, `abs(a)` -> `a`, `norm(a)` -> 1-norm|
| forgotten cast     | `a.astype(d)` -> `a`, `asarray(a)` -> `a`, `a.copy()` -> `a`|
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from stepkit.course.mutation import names
from stepkit.course.mutation.edits import (
    called,
    constant,
    inside,
    is_index,
    minus,
    plus,
    renamed,
    replaced,
    stored_names,
)

AXES = ("axis", "axes", "dim")


def arithmetic(node: ast.AST) -> Iterator[ast.AST]:
    """Another operation."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in names.OPERATIONS:
        yield replaced(node, op=names.OPERATIONS[type(node.op)]())
    if isinstance(node, ast.Call) and (other := names.FUNCTIONS.get(called(node))):
        yield renamed(node, other)


def comparison(node: ast.AST) -> Iterator[ast.AST]:
    """Another comparison: with or without the boundary, and the opposite."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in names.COMPARISONS.get(type(node.ops[0]), ()):
            yield replaced(node, ops=[other()])
    if isinstance(node, ast.BoolOp):
        yield replaced(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand


def constants(node: ast.AST) -> Iterator[ast.AST]:
    """Another number."""
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield constant(not value)
    elif isinstance(value, int):
        yield constant(value + 1)
    elif isinstance(value, float | complex):
        yield constant(2 * value if value else 1.0)


def sign(node: ast.AST) -> Iterator[ast.AST]:
    """A lost or an added minus."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    numbers = ast.BinOp | ast.Call | ast.Name | ast.Subscript
    if isinstance(node, ast.Return) and isinstance(node.value, numbers):
        yield replaced(node, value=ast.UnaryOp(ast.USub(), node.value))


def axis(node: ast.AST) -> Iterator[ast.AST]:
    """A reduction along another axis."""
    if not (isinstance(node, ast.keyword) and node.arg in AXES):
        return
    if isinstance(node.value, ast.Tuple | ast.List) and len(node.value.elts) > 1:
        yield replaced(node, value=replaced(node.value, elts=node.value.elts[:-1]))
        yield replaced(node, value=replaced(node.value, elts=node.value.elts[1:]))
        return
    try:
        place = ast.literal_eval(node.value)
    except ValueError:
        return
    if isinstance(place, int):
        others = {-1: (0, -2), 0: (-1, 1)}.get(place, (place - 1 if place > 0 else place + 1,))
        yield from (replaced(node, value=constant(other)) for other in others)


def keyword(node: ast.AST) -> Iterator[ast.AST]:
    """A keyword argument, or an entry of a dictionary, that was forgotten."""
    if isinstance(node, ast.Call):
        for place in range(len(node.keywords)):
            rest = node.keywords[:place] + node.keywords[place + 1 :]
            yield replaced(node, keywords=rest)
    if isinstance(node, ast.Dict):
        for place in range(len(node.keys)):
            keys, values = list(node.keys), list(node.values)
            del keys[place], values[place]
            yield replaced(node, keys=keys, values=values)


def dropped_statement(body: list[ast.stmt], known: set[str]) -> Iterator[tuple[int, list]]:
    """A statement that was forgotten, with its place.

    Dropping the first assignment of a name, or the last return, only makes a name or a result
    go missing: any check sees that, so such mutants would flatter the rate.
    """
    known = set(known)
    for place, statement in enumerate(body):
        if _can_be_dropped(statement, known):
            yield place, body[:place] + body[place + 1 :] or [ast.Pass()]
        known |= stored_names(statement)


def swapped_arguments(node: ast.AST) -> Iterator[ast.AST]:
    """Two neighbouring arguments, or the two operands where order matters, exchanged."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, names.ORDERED):
        yield replaced(node, left=node.right, right=node.left)
    if not isinstance(node, ast.Call) or called(node) in names.SYMMETRIC:
        return
    for place in range(len(node.args) - 1):
        first, second = node.args[place : place + 2]
        if not any(isinstance(each, ast.Starred) for each in (first, second)):
            args = [*node.args[:place], second, first, *node.args[place + 2 :]]
            yield replaced(node, args=args)


def lost_factor(node: ast.AST) -> Iterator[ast.AST]:
    """A factor, a divisor, a power or a term that was forgotten."""
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, names.LOSES_RIGHT):
            yield node.left
        if isinstance(node.op, names.LOSES_LEFT):
            yield node.right
    if isinstance(node, ast.Call) and len(node.args) == 2:
        if called(node) in names.PRODUCTS:
            yield from node.args
        if called(node) in names.QUOTIENTS:
            yield node.args[0]


def off_by_one(node: ast.AST) -> Iterator[ast.AST]:
    """One turn, one place or one entry too many or too few."""
    if isinstance(node, ast.Call) and called(node) in names.COUNTS and node.args:
        end = 0 if len(node.args) == 1 else 1
        for other in (plus(node.args[end]), minus(node.args[end])):
            yield replaced(node, args=[*node.args[:end], other, *node.args[end + 1 :]])
    if isinstance(node, ast.Call) and called(node) == "len":
        yield minus(node)
    if isinstance(node, ast.Slice):
        if node.lower is not None or node.step is None:
            yield replaced(node, lower=plus(node.lower) if node.lower else constant(1))
        if node.upper is not None or node.step is None:
            yield replaced(node, upper=minus(node.upper) if node.upper else constant(-1))
    if isinstance(node, ast.Subscript) and is_index(node.slice):
        yield replaced(node, slice=plus(node.slice))


def transpose(node: ast.AST) -> Iterator[ast.AST]:
    """A transpose that was forgotten, or one too many."""
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield replaced(node, left=ast.Attribute(node.left, "T", ast.Load()))
        yield replaced(node, right=ast.Attribute(node.right, "T", ast.Load()))
    if isinstance(node, ast.Call) and called(node) in names.TRANSPOSES:
        yield inside(node)
    if isinstance(node, ast.Call) and called(node) == "einsum" and node.args:
        yield from _other_einsum(node)


def wrong_norm(node: ast.AST) -> Iterator[ast.AST]:
    """A sum for a mean, a maximum for a minimum, a lost root or absolute value, another norm."""
    if not isinstance(node, ast.Call):
        return
    for other in names.REDUCTIONS.get(called(node), ()):
        yield renamed(node, other)
    if called(node) in names.PART_OF_NORM and (node.args or isinstance(node.func, ast.Attribute)):
        yield inside(node)
    if called(node) == "norm" and not any(each.arg == "ord" for each in node.keywords):
        for order in (constant(1), ast.parse("float('inf')", mode="eval").body):
            yield replaced(node, keywords=[*node.keywords, ast.keyword("ord", order)])


def forgotten_cast(node: ast.AST) -> Iterator[ast.AST]:
    """A cast, a copy or a barrier to gradients that was forgotten."""
    if not isinstance(node, ast.Call):
        return
    function = called(node) in names.CASTS and node.args
    method = called(node) in names.CAST_METHODS and isinstance(node.func, ast.Attribute)
    if function or method:
        yield inside(node)


def _can_be_dropped(statement: ast.stmt, known: set[str]) -> bool:
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign):
        stored = stored_names(statement)
        return stored <= known  # also `self.w = ...` and `x[i] = ...`, which store no name
    leaves = ast.Break | ast.Continue
    return isinstance(statement, ast.AugAssign | ast.If | ast.For | ast.While | leaves)


def _other_einsum(node: ast.Call) -> Iterator[ast.AST]:
    rule = node.args[0]
    if not (isinstance(rule, ast.Constant) and isinstance(rule.value, str)):
        return
    inputs, arrow, output = rule.value.replace(" ", "").partition("->")
    first, comma, rest = inputs.partition(",")
    rules = [first[::-1] + comma + rest + arrow + output, inputs + arrow + output[::-1]]
    for other in rules:
        if other != rule.value.replace(" ", ""):
            yield replaced(node, args=[constant(other), *node.args[1:]])


ON_NODES: dict[str, Callable[[ast.AST], Iterator[ast.AST]]] = {
    "arithmetic": arithmetic,
    "comparison": comparison,
    "constant": constants,
    "sign": sign,
    "axis": axis,
    "keyword": keyword,
    "swapped arguments": swapped_arguments,
    "lost factor": lost_factor,
    "off by one": off_by_one,
    "transpose": transpose,
    "wrong norm": wrong_norm,
    "forgotten cast": forgotten_cast,
}
ON_STATEMENTS = {"dropped statement": dropped_statement}
