"""`course check` gives a notebook the outcomes that its learner sees."""

import subprocess
import sys

import pytest

from stepkit.course import runner
from stepkit.course.cli import main

RIGHT = "def euler_step(f, t, y, h):\n    return y + h * f(t, y)"
CHECK = 'check("01.euler_step")'


def notebook(*sources):
    blank = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    lines = [source.splitlines(keepends=True) for source in sources]  # as Jupyter saves them
    cells = [blank | {"id": f"c{n}", "source": source} for n, source in enumerate(lines)]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def outcome_of(folder, *sources, seconds=60):
    report = runner.run(notebook(*sources), folder, "01", seconds)
    return report.outcomes.get("01.euler_step"), " ".join(report.remarks)


def test_a_right_answer_without_its_first_cell_or_check(tmp_path):
    assert outcome_of(tmp_path, RIGHT) == ("correct", "")


def test_a_cell_that_raises_does_not_stop_the_rest(tmp_path):
    kind, remarks = outcome_of(tmp_path, "1 / 0", RIGHT, CHECK)
    assert kind == "correct" and "Cell 1 raised ZeroDivisionError" in remarks


def test_a_cell_that_never_ends_is_interrupted(tmp_path):
    kind, remarks = outcome_of(tmp_path, "while True: pass", RIGHT, seconds=20)
    assert kind == "correct" and "KeyboardInterrupt" in remarks


def test_an_answer_that_ends_python_is_named(tmp_path):
    kind, remarks = outcome_of(tmp_path, RIGHT, "import os; os._exit(0)")
    assert kind is None and "Python ended" in remarks


def test_the_command_says_what_is_wrong_with_a_file(tmp_path, capsys):
    broken = tmp_path / "x.ipynb"
    broken.write_text("{", encoding="utf-8")
    assert main(["check", str(broken)]) == 2
    assert "damaged" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "none.ipynb")]) == 2
    assert "no file" in capsys.readouterr().err
    empty = tmp_path / "empty.ipynb"
    empty.write_text('{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "utf-8")
    assert main(["check", str(empty)]) == 2
    assert "no check of this course" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["start", "check", "progress", "reset", "build", "verify"])
def test_help_names_every_command(word, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert f"course {word}" in capsys.readouterr().out


def test_a_command_of_authors_says_what_is_missing(tmp_path):
    code = (
        "import sys; sys.modules['jupytext'] = None\n"
        "from stepkit.course.cli import main; sys.exit(main(['build']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "needs jupytext" in done.stderr
