"""A solve on tensors is compiled once for a field, a solver and shapes, and used again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops, tree

from stepkit._backend import compiled_for, worth_compiling
from stepkit.ode._field import Field
from stepkit.ode._fingerprint import Fingerprint, UnfitError

MOST = 64


@dataclass
class Program:
    """A compiled solve.

    Attributes:
        kept: list, the objects whose identity is part of the key.
        run: callable of the flat inputs and the values of the variables.
        outputs: structure of what it returns.
        calls: int, how often the field is entered.
    """

    kept: list
    run: Callable = None
    outputs: Any = None
    calls: int = 0


programs: OrderedDict[Hashable, Program] = OrderedDict()


def reuse(function: Callable, field: Field, inputs: tuple) -> Any:
    """Returns `function(field, *inputs)`, by a compiled program where that is possible.

    Args:
        function: callable of a `Field` and structures of tensors that returns one of tensors.
        field: `Field`; `calls` is set.
        inputs: tuple of structures of tensors.
    """
    flat = tree.flatten(inputs)
    if field.memory or not worth_compiling(flat):
        return function(field, *inputs)
    try:
        mark = Fingerprint(field.f, function)
        return _by_program(function, field, inputs, flat, mark)
    except UnfitError:
        return function(field, *inputs)


def _by_program(function, field, inputs, flat, mark):
    outline = tree.map_structure(lambda leaf: (tuple(leaf.shape), str(leaf.dtype)), inputs)
    key = (mark.key, repr(outline), repr(field.dtypes), keras.config.floatx())
    values = [ops.convert_to_tensor(variable.value) for variable in mark.variables]
    if not worth_compiling(values):
        raise UnfitError("variables without values")
    program = programs.get(key)
    if program is None:
        program = _compile(function, field, inputs, values, mark)
        outputs = program.run(*flat, *values)  # before it is kept: an error leaves nothing behind
        programs[key] = program
        while len(programs) > MOST:
            programs.popitem(last=False)
    else:
        programs.move_to_end(key)
        outputs = program.run(*flat, *values)
    field.calls = program.calls
    return tree.pack_sequence_as(program.outputs, list(outputs))


def _compile(function, field, inputs, values, mark):
    count = len(tree.flatten(inputs))

    program = Program(mark.kept)

    def traced(*leaves):
        mapping = list(zip(mark.variables, leaves[count:], strict=True))
        field.calls = 0
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = function(field, *tree.pack_sequence_as(inputs, list(leaves[:count])))
        if any(scope.get_current_value(variable) is not value for variable, value in mapping):
            raise UnfitError("a field that changes its variables")
        program.outputs, program.calls = tree.map_structure(lambda _: 0, outputs), field.calls
        return tree.flatten(outputs)

    program.run = compiled_for(traced, *tree.flatten(inputs), *values)
    return program
