"""The table of exports is what exports do: page and record agree, and so do fresh exports."""

import importlib.util
import json
import math

import keras
import numpy as np
import pytest

from experiments import export, export_page

RECORD = json.loads(export.RESULT.read_text(encoding="utf-8"))
BACKEND = keras.backend.backend()
# A selection that takes seconds: a plain net, a loop, and a loop whose end depends on the data.
MODELS = ("residual", "block_rk4", "dopri5")
NEEDS = {
    "tf_saved_model": ("tensorflow",),
    "litert": ("tensorflow",) if BACKEND != "torch" else ("litert_torch",),
    "onnx": {
        "tensorflow": ("tf2onnx", "onnxruntime"),
        "jax": ("jax2onnx", "onnxruntime"),
        "torch": ("onnx", "onnxruntime"),
    }[BACKEND],
    "torch": ("torch",),
}


def test_the_page_holds_the_table_of_the_record(tmp_path):
    there, page = export_page.PAGE.read_text(encoding="utf-8"), tmp_path / "export.md"
    page.write_text(there, encoding="utf-8")
    export_page.fill(RECORD, export.titles(), page)
    assert page.read_text(encoding="utf-8") == there, f"run `{export.COMMAND}` again"


def test_every_cell_is_there():
    assert set(RECORD["cells"]) == set(export.BACKENDS)
    for rows in RECORD["cells"].values():
        assert list(rows) == list(export.MODELS)


def test_what_works_agrees_within_its_tolerance():
    for backend, rows in RECORD["cells"].items():
        for name, row in rows.items():
            for form, cell in row.items():
                errors = [float(error) for error in cell.get("error", {}).values()]
                limit = export.MODELS[name][2]
                agree = len(errors) == len(export.SIZES) and max(errors) <= limit
                assert agree == (cell["outcome"] == "works"), (backend, name, form)


@pytest.mark.parametrize(
    ("errors", "reasons", "outcome"),
    [
        ({"1": 0.0, "5": 1e-6}, {}, "works"),
        ({"1": 0.0, "5": 1e-2}, {}, "wrong numbers"),
        ({"1": 0.0, "5": math.inf}, {}, "wrong numbers"),
        ({"1": 0.0, "5": math.nan}, {}, "wrong numbers"),
        ({"1": 0.0}, {"5": "refused"}, "one batch size only"),
        ({}, {"1": "refused", "5": "refused"}, "does not run"),
    ],
)
def test_outcomes_in_words(errors, reasons, outcome):
    assert export.outcome(errors, reasons, 1e-4) == outcome


def test_distance_is_relative_and_sees_wrong_shapes():
    wanted = np.array([[10.0, -20.0]])
    assert export.distance(wanted + 1.0, wanted) == pytest.approx(1 / 20)
    assert export.distance(wanted[:, :1], wanted) == math.inf
    assert export.distance(np.array([[math.nan, 0.0]]), wanted) == math.inf


@pytest.mark.slow
def test_exports_do_what_the_record_says():
    there = [form for form in RECORD["cells"][BACKEND]["residual"] if _installed(NEEDS[form])]
    assert there
    found = export.rows(BACKEND, MODELS, there)
    said = {
        name: {form: RECORD["cells"][BACKEND][name][form]["outcome"] for form in there}
        for name in MODELS
    }
    now = {
        name: {form: cell["outcome"] for form, cell in row.items()} for name, row in found.items()
    }
    assert now == said, f"run `{export.COMMAND}` again: {found}"


def _installed(packages):
    return all(importlib.util.find_spec(name) for name in packages)
