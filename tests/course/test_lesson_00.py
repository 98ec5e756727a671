"""Lesson 00: half-done layers, and NumPy where keras.ops is needed, get a message that helps."""

import pytest

from helpers.attempts import namespace_of
from stepkit.course.judging import judge
from stepkit.course.outcome import LINES, Kind

LAYER = """
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        {build}

    def call(self, inputs):
        {call}
"""
CONFIG = """
    def get_config(self):
        {config}
"""
DONE = {
    "build": "self.scale = self.add_weight(shape=(input_shape[-1],), "
    "initializer=keras.initializers.Constant(self.initial))",
    "call": "return self.scale * inputs",
    "config": "return super().get_config() | {'initial': self.initial}",
}


@pytest.mark.parametrize(("method", "name"), [("build", "build"), ("call", "call"),
                                              ("config", "get_config")])  # fmt: skip
def test_a_layer_with_one_method_missing_is_not_attempted_there(method, name):
    parts = DONE | {method: "raise NotImplementedError"}
    outcome = judge("00.ScaleLayer", namespace_of((LAYER + CONFIG).format(**parts)))
    assert outcome.kind is Kind.NOT_ATTEMPTED
    assert f"in {name}" in outcome.message


@pytest.mark.parametrize(
    ("exercise", "source", "hint"),
    [
        ("00.keras_ops_axis", "def keras_ops_axis(x, axis):\n    m = np.mean(x, axis=axis, "
         "keepdims=True)\n    return (x - m) / np.sqrt(np.var(x, axis=axis, keepdims=True) + 1e-5)",
         "keras.ops.mean"),
        ("00.keras_ops_axis", "def keras_ops_axis(x, axis):\n    d = x - x.mean(axis=axis, "
         "keepdims=True)\n    return d / np.sqrt(x.var(axis=axis, keepdims=True) + 1e-5)",
         "functions of keras.ops"),
        ("00.ScaleLayer", (LAYER + CONFIG).format(
            **DONE | {"call": "return np.multiply(inputs, self.scale)"}), "keras.ops.multiply"),
    ],
)  # fmt: skip
def test_numpy_in_a_model_is_told_the_function_of_keras(exercise, source, hint):
    outcome = judge(exercise, namespace_of(source))
    assert outcome.kind is Kind.CRASHED
    assert hint in outcome.message
    assert len(str(outcome).splitlines()) <= LINES


@pytest.mark.parametrize("name", ["keras_ops_axis", "relative_change", "residual_update"])
@pytest.mark.parametrize("result", ["None", "'text'", "[[1], [1, 2]]", "0.0", "{}"])
def test_no_result_is_so_odd_that_the_check_fails(name, result):
    arguments = {"keras_ops_axis": "x, axis", "relative_change": "before, after",
                 "residual_update": "x, change, step"}[name]  # fmt: skip
    source = f"def {name}({arguments}):\n    return {result}"
    assert judge(f"00.{name}", namespace_of(source)).kind is Kind.NOT_YET


@pytest.mark.parametrize("result", ["3", "keras.Sequential()", "keras.layers.Dense(3)",
                                    "keras.Sequential([keras.Input((8, 8, 1))])"])  # fmt: skip
def test_no_model_is_so_odd_that_the_check_fails(result):
    source = f"def digits_model(units, gate=None):\n    return {result}"
    assert judge("00.digits_model", namespace_of(source)).kind is Kind.NOT_YET


CALL = "keras.layers.Flatten()(inputs)"
MODEL = """
def digits_model(units, gate=None):
    inputs = keras.Input({shape})
    x = keras.layers.Dense(units, activation="relu")({flat})
    if gate is not None:
        {gate}
    {more}
    model = keras.Model(inputs, keras.layers.Dense(10, activation="{end}")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
PARTS = {"shape": "(8, 8, 1)", "flat": CALL, "gate": "x = gate(x)", "more": "", "end": "softmax"}
STANDARDISE = """
def keras_ops_axis(x, axis):
    {first}
    mean = keras.ops.mean(x, axis=axis{keep})
    variance = keras.ops.var(x, axis=axis{keep})
    return {result}
"""
RESULT = "(x - mean) / keras.ops.sqrt(variance + 1e-5)"
KEEP = ", keepdims=True"
CHANGE = """
def relative_change(before, after):
    axes = tuple(range(1, before.ndim))
    change, size = ((each**2).sum(axis=axes) ** 0.5 for each in (after - before, before))
    return {result}
"""


def _layer(**parts):
    return (LAYER + CONFIG).format(**DONE | parts)


SLIPS = [
    ("digits_model", MODEL.format(**PARTS | {"gate": "gate(x)"}), "result is not used"),
    ("digits_model", MODEL.format(**PARTS | {"gate": "x = type(gate)()(x)"}), "of its own"),
    ("digits_model", MODEL.format(**PARTS | {"more": "x = keras.layers.Dense(units)(x)"}),
     "a layer too many"),
    ("digits_model", MODEL.format(**PARTS | {"flat": "keras.layers.Flatten(inputs)"}),
     "Flatten()(inputs)"),
    ("digits_model", MODEL.format(**PARTS | {"shape": "(None, 8, 8, 1)"}), "Leave it out"),
    ("digits_model", MODEL.format(**PARTS | {"end": "relu"}), "do not sum to 1"),
    ("ScaleLayer", _layer(build=DONE["build"].replace("input_shape[-1]", "input_shape[1]")),
     "the last entry of input_shape"),
    ("ScaleLayer", _layer(build=DONE["build"].replace("input_shape[-1]", "len(input_shape)")),
     "the last entry of input_shape"),
    ("ScaleLayer", _layer(build=DONE["build"].replace("[-1],)", "[-1])")), "a comma"),
    ("ScaleLayer", _layer(config="return {'initial': self.scale}"), "met no input yet"),
    ("ScaleLayer", _layer(config="super().get_config()"), "Is there a `return`?"),
    ("keras_ops_axis", STANDARDISE.format(first="", keep="", result=RESULT), "keepdims=True"),
    ("keras_ops_axis", STANDARDISE.format(first="", keep=KEEP,
                                          result=RESULT.replace("(x - mean)", "x - mean")),
     "brackets"),
    ("keras_ops_axis", STANDARDISE.format(first="x = keras.ops.convert_to_numpy(x)", keep=KEEP,
                                          result=RESULT), "drop it"),
    ("relative_change", CHANGE.format(result="change / size").replace("axes = ", "axes = 0 #"),
     "over the samples"),
    ("relative_change", CHANGE.format(result="np.where(size == 0, np.inf, change / size)"),
     "did not change: 0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "source", "words"), SLIPS)
def test_a_likely_slip_is_told_what_it_is(name, source, words):
    outcome = judge(f"00.{name}", namespace_of(source))
    assert outcome.kind in (Kind.NOT_YET, Kind.CRASHED)
    assert words in " ".join(outcome.message.split())
    assert len(str(outcome).splitlines()) < LINES


@pytest.mark.parametrize(("name", "source"), [
    ("digits_model", MODEL.format(**PARTS)), ("ScaleLayer", _layer()),
    ("keras_ops_axis", STANDARDISE.format(first="", keep=KEEP, result=RESULT)),
    ("relative_change", CHANGE.format(result="np.where(change == 0, 0, change / size)")),
])  # fmt: skip
def test_without_its_slip_each_of_them_is_right(name, source):
    assert judge(f"00.{name}", namespace_of(source)).correct
