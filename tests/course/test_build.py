"""Notebooks are what the masters say: the same bytes each time, and nothing hidden in them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stepkit.course import build, catalogue, folders, leaks, masters, results

TREE = build.Tree(folders.root())
MADE = dict(build.notebooks(TREE))
LESSONS = {p.name: json.loads(t) for p, t in MADE.items() if p.parent.name == "lessons"}


@pytest.mark.parametrize("path", MADE, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_committed_notebook_is_a_fresh_build(path):
    assert path.read_bytes() == MADE[path].encode("utf-8"), "run: .venv/bin/course build"


def test_no_notebook_without_a_master():
    for folder in ("lessons", "solutions"):
        found = set((TREE.root / folder).glob("*.ipynb"))
        assert found == {p for p in MADE if p.parent.name == folder}


def test_another_process_in_another_place_and_language_makes_the_same_bytes(tmp_path):
    code = (
        "import hashlib, sys; from pathlib import Path; from stepkit.course import build\n"
        f"made = build.notebooks(build.Tree(Path({str(TREE.root)!r})))\n"
        "print(hashlib.sha256(''.join(t for _, t in made).encode()).hexdigest())"
    )
    env = os.environ | {"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=each, capture_output=True, text=True,
            check=True,
        ).stdout
        for each in (env, os.environ | {"PYTHONHASHSEED": "8"})
    }  # fmt: skip
    assert len(seen) == 1


def test_no_lesson_shows_a_solution():
    assert leaks.find(LESSONS, masters.read_all(TREE.masters)) == []


@pytest.mark.parametrize("name", LESSONS)
def test_learners_get_stubs_folds_and_clean_cells(name):
    cells = {cell["id"]: cell for cell in LESSONS[name]["cells"]}
    number = name[:2]
    for exercise in catalogue.lesson(number).exercises.values():
        stub = "".join(cells[f"{number}-{exercise.name}-answer"]["source"])
        assert "raise NotImplementedError" in stub or exercise.kind == "value"
        assert "SOLUTION" not in stub
        assert f'check("{exercise.id}")' in "".join(
            cells[f"{number}-{exercise.name}-check"]["source"]
        )
        folds = "".join(cells[f"{number}-{exercise.name}-help"]["source"])
        assert folds.count("<details>") >= 3 and "Solution, and why" in folds
    assert all(c["outputs"] == [] and c["execution_count"] is None
               for c in cells.values() if c["cell_type"] == "code")  # fmt: skip


@pytest.mark.parametrize("master", masters.read_all(TREE.masters), ids=lambda m: m.slug)
def test_a_master_holds_all_that_an_exercise_needs(master):
    for exercise in catalogue.lesson(master.number).exercises.values():
        name = exercise.name
        for mark in ("exercise", "answer", "help", "probe"):
            assert len(master.marked(mark, name)) == 1, f"{name}: {mark}"
        assert len(master.marked("wrong", name)) >= 4, name
        assert len(master.marked("variant", name)) >= 3, name
        statement = master.marked("exercise", name)[0].source
        assert len(statement.split()) <= 150, f"{name}: {len(statement.split())} words"
    asked = {f"{master.number}.{c.name}" for c in master.marked("question")}
    assert asked == set(catalogue.lesson(master.number).questions)


@pytest.mark.parametrize("master", masters.read_all(TREE.masters), ids=lambda m: m.slug)
def test_a_lesson_stays_within_its_size(master):
    count = len(catalogue.lesson(master.number).exercises)
    optional = sum(e.optional for e in catalogue.lesson(master.number).exercises.values())
    assert 5 <= count - optional <= 8
    text = [c.source for c in master.cells
            if c.kind == "markdown" and c.mark in (None, "exercise", "question")]  # fmt: skip
    assert len(" ".join(text).split()) <= 2500


def test_stub_and_solution_of_a_cell():
    source = (
        "class A:\n    def f(self):\n        # BEGIN SOLUTION\n        # STUB: x = ...\n"
        "        x = 1\n        return x\n        # END SOLUTION\n\n    def g(self):\n"
        "        return 2"
    )
    assert masters.stub(source) == (
        "class A:\n    def f(self):\n        x = ...\n        raise NotImplementedError\n\n"
        "    def g(self):\n        return 2"
    )
    assert masters.solution(source) == (
        "class A:\n    def f(self):\n        x = 1\n        return x\n\n"
        "    def g(self):\n        return 2"
    )
    assert masters.solution_lines(source) == ["        x = 1", "        return x"]


def test_numbers_come_from_results(tmp_path):
    (tmp_path / "swap.json").write_text('{"accuracy": {"median": [0.91, 0.5]}}', encoding="utf-8")
    assert results.fill("{{swap.accuracy.median.0|.0%}} right", tmp_path) == "91% right"
    with pytest.raises(results.MissingResult, match=r"swap\.accuracy\.best"):
        results.fill("{{swap.accuracy.best}}", tmp_path)
    with pytest.raises(results.MissingResult, match="nothing"):
        results.fill("{{nothing.at.all}}", tmp_path)


def test_code_cells_carry_their_numbers(tmp_path):
    (tmp_path / "swap.json").write_text('{"arms": {"none": [0.5, 0.25]}}', encoding="utf-8")
    code = 'none = measured("swap.arms.none")\nprint(measured("swap.arms"))'
    expected = "none = [0.5, 0.25]\nprint({'none': [0.5, 0.25]})"
    assert results.fill_code(code, tmp_path) == expected
    with pytest.raises(results.MissingResult, match=r"swap\.arms\.all"):
        results.fill_code('measured("swap.arms.all")', tmp_path)


def test_a_master_with_a_slip_is_named(tmp_path):
    path = tmp_path / "01_x.py"
    path.write_text('# %% answr="x"\npass\n', encoding="utf-8")
    with pytest.raises(masters.MasterError, match="answr"):
        masters.read(path)


def test_the_version_in_the_first_cell_is_the_installed_one():
    from stepkit import __version__

    for notebook in LESSONS.values():
        first_code = next(c for c in notebook["cells"] if c["cell_type"] == "code")
        assert f'version="{__version__}"' in "".join(first_code["source"])
        assert Path(notebook["cells"][0]["source"][0]).name.startswith("# Lesson")


@pytest.mark.parametrize("name", LESSONS)
def test_every_code_cell_has_a_measured_time(name):
    seconds = json.loads(TREE.times.read_text(encoding="utf-8"))["seconds"]
    for cell in LESSONS[name]["cells"]:
        if cell["cell_type"] == "code":
            assert cell["id"] in seconds, "run: python -m benchmarks.cell_times " + name[:2]
            noted = "".join(cell["source"]).startswith("# takes about")
            assert noted == (seconds[cell["id"]] >= 2)


def test_the_executed_lesson_in_docs_is_the_lesson():
    page = (TREE.root / "docs" / "lesson_01" / "README.md").read_text(encoding="utf-8")
    notebook = json.loads(MADE[TREE.root / "solutions" / "01_euler_steps.ipynb"])
    for cell in notebook["cells"][1:]:
        for line in "".join(cell["source"]).splitlines():
            assert line.rstrip() in page, "run: python docs/render_lesson.py 01"
