"""Makes the mutants of one answer: one small mistake at a time in its solution regions."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stepkit.course.mutation.edits import stored_names
from stepkit.course.mutation.operators import ON_NODES, ON_STATEMENTS

BEGIN, END = re.compile(r"^\s*# BEGIN SOLUTION\s*$"), re.compile(r"^\s*# END SOLUTION\s*$")
BODIES = ("body", "orelse", "finalbody")
# A message to the caller, a type and a decorator are no computation.
PASSED_OVER = (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)
NOT_FOR_MUTATION = {"annotation", "returns", "decorator_list", "bases", "type_comment", "handlers"}


class NoRegion(ValueError):
    """An answer cell without `# BEGIN SOLUTION` and `# END SOLUTION`."""


@dataclass(frozen=True)
class Mutant:
    """One mistake: where it is, what it changes, and the whole cell with it."""

    operator: str
    line: int
    before: str
    after: str
    source: str

    @property
    def description(self) -> str:
        """The change in one line, as an excuse quotes it."""
        return f"{self.before} -> {self.after}".replace('"', "'")


@dataclass(frozen=True)
class _Site:
    """A node or list that may be replaced, and the statement around it."""

    target: Any
    statement: ast.stmt
    known: frozenset[str] = frozenset()


def mutants(source: str) -> list[Mutant]:
    """All mutants of an answer cell, in the order of its lines; each differs from all others.

    Args:
        source: text of the answer cell of a master, with its region marks.

    Raises:
        NoRegion: if no line is marked as the solution.
    """
    lines = _solution_lines(source)
    tree = ast.parse(source)
    seen, found = {ast.unparse(tree)}, []
    for site in _sites(tree, lines):
        for mutant in _at(tree, site):
            if mutant.source not in seen and _compiles(mutant.source):
                seen.add(mutant.source)
                found.append(mutant)
    return sorted(found, key=lambda mutant: mutant.line)


def _solution_lines(source: str) -> set[int]:
    """Numbers of the lines in the solution regions."""
    inside, found = False, set()
    for number, line in enumerate(source.splitlines(), start=1):
        if BEGIN.match(line):
            inside = True
        elif END.match(line):
            inside = False
        elif inside:
            found.add(number)
    if not found:
        raise NoRegion("The answer has no lines between # BEGIN SOLUTION and # END SOLUTION.")
    return found


def _sites(tree: ast.Module, lines: set[int]) -> Iterator[_Site]:
    """Every place in the solution's lines where an operator may act."""
    yield from _in_body(tree.body, lines, set())


def _in_body(body: list[ast.stmt], lines: set[int], known: set[str]) -> Iterator[_Site]:
    known = set(known)
    if any(statement.lineno in lines for statement in body):
        yield _Site(body, body[0], frozenset(known))
    for statement in body:
        yield from _in_statement(statement, lines, known)
        known |= stored_names(statement)


def _in_statement(statement: ast.stmt, lines: set[int], known: set[str]) -> Iterator[_Site]:
    if isinstance(statement, PASSED_OVER) or _is_text(statement):
        return
    if isinstance(statement, ast.FunctionDef):
        arguments = statement.args
        known = {each.arg for each in (*arguments.args, *arguments.kwonlyargs)}
    if statement.lineno in lines:
        yield from (_Site(node, statement) for node in _own_nodes(statement))
    for body in _bodies(statement):
        yield from _in_body(body, lines, known)


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what is under it, but not the statements in its bodies."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in NOT_FOR_MUTATION or (name in BODIES and isinstance(node, ast.stmt)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, PASSED_OVER):
                yield from _own_nodes(child)


def _bodies(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in BODIES:
        if body := getattr(statement, name, None):
            yield body
    for handler in getattr(statement, "handlers", []):
        yield handler.body


def _at(tree: ast.Module, site: _Site) -> Iterator[Mutant]:
    if isinstance(site.target, list):
        for name, operator in ON_STATEMENTS.items():
            for place, shorter in operator(site.target, set(site.known)):
                yield _dropped(tree, name, site.target, place, shorter)
        return
    for name, operator in ON_NODES.items():
        if name == "constant" and _is_place_or_axis(site):
            continue
        for other in operator(site.target):
            yield _replaced(tree, name, site, other)


def _dropped(tree: ast.Module, name: str, body: list, place: int, shorter: list) -> Mutant:
    gone = body[place]
    return Mutant(name, gone.lineno, _one_line(gone), "nothing", _written(tree, body, shorter))


def _replaced(tree: ast.Module, name: str, site: _Site, other: ast.AST) -> Mutant:
    changed = copy.deepcopy(site.statement, {id(site.target): other})
    line = getattr(site.target, "lineno", site.statement.lineno)
    before, after = _one_line(site.statement), _one_line(changed)
    return Mutant(name, line, before, after, _written(tree, site.target, other))


def _written(tree: ast.Module, target: Any, other: Any) -> str:
    """The cell with `target` replaced: a deep copy that takes `other` for its copy."""
    changed = copy.deepcopy(tree, {id(target): other})
    return ast.unparse(ast.fix_missing_locations(changed))


def _one_line(statement: ast.AST) -> str:
    """A statement in one line; of one with a body, only its head."""
    text = ast.unparse(statement)
    head = text.splitlines()[0]
    return f"{head} ..." if "\n" in text else head


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_place_or_axis(site: _Site) -> bool:
    """Whether another operator already turns this number into its neighbours."""
    for node in _own_nodes(site.statement):
        if isinstance(node, ast.keyword) and node.arg in ("axis", "axes", "dim"):
            held = node.value
        elif isinstance(node, ast.Subscript | ast.Slice):
            held = node
        else:
            continue
        direct = (held, *ast.iter_child_nodes(held), getattr(held, "operand", None))
        if any(site.target is each for each in direct):
            return True
    return False


def _compiles(source: str) -> bool:
    try:
        compile(source, "<mutant>", "exec")
    except SyntaxError:
        return False
    return True
