"""What a notebook calls: check prints and never raises, use falls back, questions reply."""

import subprocess
import sys

import pytest

from helpers.attempts import namespace_of
from stepkit.course import catalogue, notebook, progress
from stepkit.course.outcome import CheckFailed

RIGHT = "def euler_step(f, t, y, h):\n    return y + h * f(t, y)\n"
WRONG = "def euler_step(f, t, y, h):\n    return y - h * f(t, y)\n"
STUB = "def euler_step(f, t, y, h):\n    raise NotImplementedError\n"


@pytest.fixture
def cell(monkeypatch):
    """Run a cell: its names become the notebook's."""
    names = {"__name__": "__main__"}

    def run(source):
        return namespace_of(source, names=names)

    monkeypatch.setattr(notebook, "_namespace", lambda: names)
    monkeypatch.setattr(notebook, "_passed", {})
    return run


@pytest.mark.parametrize(("source", "words"), [(STUB, "not attempted"), (WRONG, "not yet"),
                                               (RIGHT, "correct. 2 of 2 points")])  # fmt: skip
def test_check_prints_and_returns_nothing(cell, capsys, source, words):
    cell(source)
    assert notebook.check("01.euler_step") is None
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("source", [STUB, WRONG, "other = 1"])
def test_under_grading_anything_but_correct_raises(cell, monkeypatch, source):
    monkeypatch.setenv("STEPKIT_GRADING", "1")
    cell(source)
    with pytest.raises(CheckFailed, match=r"01\.euler_step"):
        notebook.check("01.euler_step")
    cell(RIGHT)
    notebook.check("01.euler_step")


def test_a_gradebook_shows_the_message_alone(cell, monkeypatch):
    monkeypatch.setenv("STEPKIT_GRADING", "1")
    cell(WRONG)
    with pytest.raises(CheckFailed) as raised:
        notebook.check("01.euler_step")
    lines = raised.value._render_traceback_()
    assert lines[0].startswith("01.euler_step: not yet") and len(lines) <= 8


def test_an_unknown_id_is_answered_with_those_that_exist(cell, capsys):
    notebook.check("01.eulerstep")
    assert "euler_step" in capsys.readouterr().out


def test_points_are_counted_once(cell, capsys):
    cell(RIGHT)
    notebook.check("01.euler_step")
    notebook.check("01.euler_step")
    assert progress.points_of("01")[0] == 2


def test_use_takes_mine_when_it_is_right(cell, capsys):
    names = cell(RIGHT)
    assert notebook.use("01.euler_step") is names["euler_step"]
    assert "Using your euler_step" in capsys.readouterr().out


@pytest.mark.parametrize(("source", "why"), [(WRONG, "not ready yet"), (STUB, "not ready yet"),
                                             ("other = 1", "none of yours")])  # fmt: skip
def test_use_takes_stepkits_otherwise_and_says_so(cell, capsys, source, why):
    cell(source)
    assert notebook.use("01.euler_step") == catalogue.exercise("01.euler_step").reference
    said = capsys.readouterr().out
    assert "Using stepkit's euler_step" in said and why in said


SOLVE = (
    "def euler_solve(f, y0, ts):\n    states = [y0]\n    for k in range(len(ts) - 1):\n"
    "        states.append(euler_step(f, ts[k], states[k], ts[k + 1] - ts[k]))\n"
    "    return np.stack(states)\n"
)


@pytest.mark.parametrize("step", [STUB, WRONG, ""])
def test_use_does_not_hand_out_a_piece_that_stands_on_an_unsolved_one(cell, capsys, step):
    names = cell(step + SOLVE)
    solve = notebook.use("01.euler_solve")
    assert solve is not names["euler_solve"]
    assert "calls your euler_step, which is not ready" in capsys.readouterr().out
    cell(RIGHT)
    assert notebook.use("01.euler_solve") is names["euler_solve"]


def test_use_notices_that_a_right_answer_was_changed(cell, capsys):
    cell(RIGHT)
    notebook.check("01.euler_step")
    cell(WRONG)
    assert notebook.use("01.euler_step") == catalogue.exercise("01.euler_step").reference


def test_a_prediction_is_kept_and_compared(capsys):
    notebook.predict("01.overshoot", ...)
    assert "No prediction yet" in capsys.readouterr().out
    notebook.predict("01.overshoot", "(A)")
    notebook.predict("01.overshoot")
    said = capsys.readouterr().out
    assert "Noted: (a)" in said and "You said (a) 0.08. It is (b) -1.5" in said
    notebook.predict("01.overshoot", "b")
    notebook.predict("01.overshoot")
    assert "You said (b) -1.5: right" in capsys.readouterr().out


def test_without_a_prediction_the_answer_is_told(capsys):
    notebook.predict("01.overshoot")
    assert "It is (b)" in capsys.readouterr().out


def test_a_letter_that_is_no_choice_is_named(capsys):
    notebook.checkpoint("01.overshoot", "z")
    assert "one of a, b, c, d" in capsys.readouterr().out


def test_a_checkpoint_replies_at_once(capsys):
    notebook.checkpoint("01.overshoot", ...)
    notebook.checkpoint("01.overshoot", "d")
    notebook.checkpoint("01.overshoot", "b")
    said = capsys.readouterr().out
    assert "go on without" in said and "(d) Not quite" in said and "(b) Yes" in said


def test_the_first_cell_says_ok_or_what_mends_it(capsys, monkeypatch, tmp_path):
    notebook.lesson("01", version="0.1.0")
    assert capsys.readouterr().out.startswith("OK. Lesson 01")
    notebook.lesson("01", version="7.3.0")
    assert "make env" in capsys.readouterr().out
    notebook.lesson("93", version="0.1.0")
    assert "no lesson '93'" in capsys.readouterr().out


def test_in_the_courses_own_folder_it_advises_a_copy(capsys, monkeypatch, tmp_path):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "bootstrap.py").touch()
    monkeypatch.chdir(tmp_path / "lessons")
    notebook.lesson("01", version="0.1.0")
    assert "course start" in capsys.readouterr().out


def test_in_a_script_the_names_are_those_of_the_script(tmp_path, stepkit_home):
    script = tmp_path / "mine.py"
    script.write_text(f'from stepkit.course import check\n{RIGHT}check("01.euler_step")\n', "utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert "correct" in done.stdout


COMPILED = """
import tensorflow as tf
from stepkit.course import catalogue, check
object.__setattr__(catalogue.exercise("01.euler_step"), "limit", 0.5)

@tf.function
def forever(y):
    return tf.while_loop(lambda y: tf.constant(True), lambda y: (y * 1.0,), (y,))

def euler_step(f, t, y, h):
    return forever(tf.constant(1.0))

check("01.euler_step")
"""


@pytest.mark.slow
def test_a_loop_inside_compiled_code_is_admitted_to_be_beyond_reach(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(COMPILED, "utf-8")
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        line = process.stdout.readline()
    finally:
        process.kill()
    assert "inside compiled code that cannot be stopped" in line
