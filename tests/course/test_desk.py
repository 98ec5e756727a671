"""The learner's copies: made once, never overwritten, put back with a backup."""

import json
import shutil

import pytest

from stepkit.course import desk, folders
from stepkit.course.cli import main

COURSE = folders.root()


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course folder of its own, with the real lessons."""
    root = tmp_path / "course folder"
    shutil.copytree(COURSE / "lessons", root / "lessons")
    monkeypatch.setattr(folders, "root", lambda: root)
    return root


def type_answer(path, text, name="euler_step"):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["id"] == f"01-{name}-answer":
            cell["source"] = [text]
    path.write_text(json.dumps(notebook), encoding="utf-8")


def backups(home):
    return sorted((home / "backups").rglob("*.ipynb"))


def test_start_copies_what_is_missing_and_leaves_the_rest(course, capsys):
    assert main(["start"]) == 0
    mine = course / "work" / "01_euler_steps.ipynb"
    type_answer(mine, "my own work")
    before = mine.read_bytes()
    assert main(["start"]) == 0
    assert mine.read_bytes() == before
    assert "stays as it is" in capsys.readouterr().out


def test_start_takes_one_lesson(course):
    assert main(["start", "1"]) == 0
    assert [p.name for p in (course / "work").iterdir()] == ["01_euler_steps.ipynb"]


def test_an_unknown_lesson_says_which_exist(course, capsys):
    assert main(["start", "44"]) == 2
    assert "01_euler_steps" in capsys.readouterr().err


def test_reset_puts_one_exercise_back_and_keeps_the_rest(course, stepkit_home, capsys):
    main(["start"])
    mine = course / "work" / "01_euler_steps.ipynb"
    type_answer(mine, "MINE = 1")
    text = json.loads(mine.read_text(encoding="utf-8"))
    text["cells"].append({"cell_type": "markdown", "id": "note", "metadata": {}, "source": "note"})
    mine.write_text(json.dumps(text), encoding="utf-8")
    assert main(["reset", "01.euler_step"]) == 0
    after = mine.read_text(encoding="utf-8")
    assert "MINE" not in after and '"note"' in after and "def euler_step" in after
    kept = backups(stepkit_home)
    assert len(kept) == 1 and "MINE" in kept[0].read_text(encoding="utf-8")
    assert "Reload Notebook from Disk" in capsys.readouterr().out
    assert course not in kept[0].parents


def test_two_resets_in_one_second_keep_two_backups(course, stepkit_home):
    main(["start"])
    for text in ("FIRST = 1", "SECOND = 2"):
        type_answer(course / "work" / "01_euler_steps.ipynb", text)
        main(["reset", "01.euler_step"])
    kept = "".join(p.read_text(encoding="utf-8") for p in backups(stepkit_home))
    assert "FIRST" in kept and "SECOND" in kept


def test_a_deleted_answer_comes_back_before_its_check(course):
    main(["start"])
    mine = course / "work" / "01_euler_steps.ipynb"
    notebook = json.loads(mine.read_text(encoding="utf-8"))
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] != "01-euler_step-answer"]
    mine.write_text(json.dumps(notebook), encoding="utf-8")
    assert main(["reset", "01.euler_step"]) == 0
    ids = [c["id"] for c in json.loads(mine.read_text(encoding="utf-8"))["cells"]]
    assert ids.index("01-euler_step-answer") + 1 == ids.index("01-euler_step-check")


def test_reset_of_a_lesson_keeps_the_old_one(course, stepkit_home):
    main(["start"])
    mine = course / "work" / "01_euler_steps.ipynb"
    mine.write_text("{ broken", encoding="utf-8")
    assert main(["reset", "01"]) == 0
    assert json.loads(mine.read_text(encoding="utf-8"))["cells"]
    assert backups(stepkit_home)[0].read_text(encoding="utf-8") == "{ broken"


def test_a_broken_notebook_is_named_and_left_alone(course, capsys):
    main(["start"])
    mine = course / "work" / "01_euler_steps.ipynb"
    mine.write_text("{ broken", encoding="utf-8")
    assert main(["reset", "01.euler_step"]) == 2
    assert "damaged" in capsys.readouterr().err
    assert mine.read_text(encoding="utf-8") == "{ broken"


def test_a_moved_notebook_is_asked_for_and_can_be_named(course, tmp_path, capsys):
    main(["start"])
    mine = course / "work" / "01_euler_steps.ipynb"
    moved = tmp_path / "elsewhere.ipynb"
    type_answer(mine, "MINE = 1")
    shutil.move(mine, moved)
    assert main(["reset", "01.euler_step"]) == 2
    assert "moved" in capsys.readouterr().err
    assert main(["reset", "01.euler_step", "--notebook", str(moved)]) == 0
    assert "MINE" not in moved.read_text(encoding="utf-8")


def test_without_room_for_a_backup_nothing_is_changed(course, stepkit_home, capsys):
    main(["start"])
    mine = course / "work" / "01_euler_steps.ipynb"
    type_answer(mine, "MINE = 1")
    stepkit_home.write_text("a file in the way", encoding="utf-8")
    assert main(["reset", "01.euler_step"]) == 2
    assert "MINE" in mine.read_text(encoding="utf-8")
    assert "nothing was changed" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["01.nothing", "99.euler_step", "99"])
def test_an_unknown_id_says_which_exist(course, capsys, target):
    assert main(["reset", target]) == 2
    assert "01" in capsys.readouterr().err


def test_an_answer_is_found_by_what_it_defines_when_ids_are_lost():
    cells = [{"cell_type": "code", "id": "x", "source": ["euler_step = 3"]}]
    record = desk.catalogue.exercise("01.euler_step")
    assert desk.answer_cells(cells, record) == [0]
