"""The leak scan finds what is planted in each place, and nothing in a clean notebook."""

import copy

import pytest

from stepkit.course import leaks, masters

FIRST = '''# %% [markdown]
# # Lesson 01

# %%
import numpy as np

# %% [markdown] exercise="step"
# Write one step.

# %% answer="step"
def step(f, t, y, h):
    """One step."""
    # BEGIN SOLUTION
    slope_at_start = f(t, y)
    return y + h * slope_at_start
    # END SOLUTION

# %%
check("01.step")

# %% [markdown] help="step"
# ## units
# ## Why
# It is a speed.

# %%
print(step(lambda t, y: -y, 0.0, 1.0, 2.5))

# %% wrong="step" shows="sign" outcome="not yet"
def step(f, t, y, h):
    return y - h * f(t, y) * 1.0

# %% variant="step" style="NumPy"
def step(f, t, y, h):
    return np.add(y, np.multiply(h, f(t, y)))
'''
SECOND = """# %% [markdown]
# # Lesson 02

# %% answer="Half"
class Half(keras.layers.Layer):
    def __init__(self, **kwargs):
        # BEGIN SOLUTION
        super().__init__(**kwargs)
        self.factor = keras.ops.array(0.5)
        # END SOLUTION
"""
LINE = "return y + h * slope_at_start"
FOLD = (
    "<details><summary>Hint 1: units</summary>\n\nspeed\n\n</details>\n\n"
    "<details><summary>Solution, and why</summary>\n\n```python\n    slope_at_start = f(t, y)\n"
    f"    {LINE}\n```\n\nIt is a speed.\n\n</details>"
)


@pytest.fixture
def written(tmp_path):
    (tmp_path / "01_steps.py").write_text(FIRST)
    (tmp_path / "02_more.py").write_text(SECOND)
    return masters.read_all(tmp_path)


def cell(cell_id, source, kind="code", **more):
    made = {"cell_type": kind, "id": cell_id, "metadata": {}, "source": source.splitlines(True)}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {}) | more


@pytest.fixture
def clean():
    stub = 'def step(f, t, y, h):\n    """One step."""\n    raise NotImplementedError'
    first = [
        cell("01-title", "# Lesson 01", "markdown"),
        cell("01-imports", "import numpy as np"),
        cell("01-step-answer", stub),
        cell("01-step-check", 'check("01.step")'),
        cell("01-step-help", FOLD, "markdown"),
        cell("01-demo", "print(step(lambda t, y: -y, 0.0, 1.0, 2.5))"),
    ]
    second = [
        cell("02-title", "# Lesson 02\nsuper().__init__(**kwargs)", "markdown"),
        cell("02-Half-help", "nothing here", "markdown"),
    ]
    return {name: {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}}
            for name, cells in (("01_steps.ipynb", first), ("02_more.ipynb", second))}  # fmt: skip


def test_clean_notebooks_have_no_leak(clean, written):
    assert leaks.find(clean, written) == []


def plant(lessons, name, place, **changes):
    lessons = copy.deepcopy(lessons)
    lessons[name]["cells"][place].update(changes)
    return lessons


@pytest.mark.parametrize(
    ("name", "place", "changes", "said"),
    [
        ("01_steps.ipynb", 1, {"source": f"a = 1\n{LINE}"}, "cell 01-imports, line 2"),
        ("01_steps.ipynb", 0, {"source": f"# T\n\nWrite `{LINE}`, and go on."}, "01-title, line 3"),
        ("01_steps.ipynb", 0, {"metadata": {"note": {"deep": [LINE]}}}, "01-title, metadata"),
        ("01_steps.ipynb", 1, {"outputs": [{"text": [LINE]}]}, "cell 01-imports, outputs"),
        ("02_more.ipynb", 0, {"source": [LINE]}, "02_more.ipynb, cell 02-title, line 1"),
        ("02_more.ipynb", 1, {"source": FOLD}, "02-Half-help, solution fold"),
        ("01_steps.ipynb", 0, {"source": FOLD}, "cell 01-title"),
    ],
    ids=["code", "text", "metadata", "output", "other lesson", "other fold", "no help cell"],
)
def test_a_planted_solution_is_found(clean, written, name, place, changes, said):
    found = leaks.find(plant(clean, name, place, **changes), written)
    assert any(said in line and "the solution of 01.step" in line for line in found), found


def test_a_hint_may_not_show_the_solution(clean, written):
    hint = FOLD.replace("speed\n", f"{LINE}\n", 1)
    found = leaks.find(plant(clean, "01_steps.ipynb", 4, source=hint), written)
    assert found == [
        f"01_steps.ipynb, cell 01-step-help, line 3: shows the solution of 01.step: {LINE}"
    ]


@pytest.mark.parametrize(
    "code",
    [
        "return   y+h*slope_at_start",
        "new = y + (h * slope_at_start)",
        "print('new', y + h * slope_at_start)",
        "# return y + h * slope_at_start",
    ],
)
def test_a_leak_in_other_dress_is_found(clean, written, code):
    source = code if not code.startswith("return") else f"def g():\n    {code}"
    assert leaks.find(plant(clean, "01_steps.ipynb", 5, source=source), written)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("return np.add(y, np.multiply(h, f(t, y)))", "a variant"),
        ("return y - h * f(t, y) * 1.0", "a wrong answer"),
    ],
)
def test_wrong_answers_and_variants_are_secret_too(clean, written, line, what):
    found = leaks.find(plant(clean, "01_steps.ipynb", 0, source=line), written)
    assert any(f"shows {what} of 01.step" in each for each in found)


def test_a_later_solution_in_an_earlier_lesson_is_found(clean, written):
    line = "self.factor  =  keras.ops.array( 0.5 )"
    found = leaks.find(plant(clean, "01_steps.ipynb", 1, source=line), written)
    assert any("the solution of 02.Half" in each for each in found)


def test_outputs_and_counts_are_no_part_of_a_lesson(clean, written):
    outputs = [{"output_type": "stream", "text": "1.0"}]
    lessons = plant(clean, "01_steps.ipynb", 1, outputs=outputs, execution_count=3)
    assert leaks.find(lessons, written) == [
        "01_steps.ipynb, cell 01-imports: has outputs",
        "01_steps.ipynb, cell 01-imports: has an execution count",
    ]


def test_a_demonstration_line_in_a_variant_is_no_secret(clean, tmp_path):
    text = FIRST + "    print(step(lambda t, y: -y, 0.0, 1.0, 2.5))\n"
    (tmp_path / "01_steps.py").write_text(text)
    assert leaks.find(clean, masters.read_all(tmp_path)) == []


def test_the_idioms_of_keras_are_no_secret(clean, tmp_path):
    (tmp_path / "01_steps.py").write_text(FIRST)
    solved = "    # BEGIN SOLUTION\n        inputs = keras.Input((64,))\n"
    (tmp_path / "02_more.py").write_text(SECOND.replace("    # BEGIN SOLUTION\n", solved, 1))
    lessons = plant(clean, "01_steps.ipynb", 5, source="inputs = keras.Input((64,))")
    assert leaks.find(lessons, masters.read_all(tmp_path)) == []


def test_a_fold_may_show_its_own_solution_though_another_shares_a_part_of_it(clean, tmp_path):
    (tmp_path / "01_steps.py").write_text(FIRST)
    other = SECOND.replace("keras.ops.array(0.5)", "(y + h * slope_at_start)")
    (tmp_path / "02_more.py").write_text(other)
    assert leaks.find(clean, masters.read_all(tmp_path)) == []
