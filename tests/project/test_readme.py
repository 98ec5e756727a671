"""What the README says is so: commands run as written, code runs, links lead somewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
# These two have tests of their own (`make lab` in test_bootstrap.py), or run this very test.
ELSEWHERE = ("make lab", "make test")
SAYS = {
    "course progress": "lesson 01:",
    "course check 01": "01.euler_step: not attempted",
    "course reset 01.euler_step": "Your version is kept",
    "course --help": "course verify",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the course with lessons in work/, so that no command touches the user's own."""
    root = tmp_path_factory.mktemp("readme") / "course"
    root.mkdir()
    for name in ("lessons", "stepkit"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / "lessons", root / "work")
    shutil.copy(ROOT / "bootstrap.py", root)
    (root / ".venv").mkdir()
    programs = Path(sys.executable).parent
    (root / ".venv" / programs.name).symlink_to(programs, target_is_directory=True)
    return root


def test_the_readme_has_commands():
    assert set(ELSEWHERE) < set(COMMANDS)
    assert len(COMMANDS) == len(ELSEWHERE) + len(SAYS)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the commands are written for a POSIX shell")
@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ELSEWHERE])
def test_a_command_runs_as_written(command, copy, tmp_path):
    env = os.environ | {"STEPKIT_HOME": str(tmp_path / "home"), "PYTHONPATH": str(copy)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=copy, env=env, capture_output=True, text=True, timeout=600
    )
    words = next(says for name, says in SAYS.items() if command.endswith(name))
    assert words in done.stdout, done.stdout + done.stderr
    unsolved = command.endswith("course check 01")
    assert done.returncode == (1 if unsolved else 0), done.stderr


def test_ci_runs_the_command_that_the_readme_names():
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_code_runs(capsys):
    import numpy as np

    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert np.allclose(names["solution"].ys, np.exp([0.0, -1.0, -2.0]), atol=1e-5)
    assert names["model"].output_shape == (None, 10)


WITH_CODE = [p for p in sorted((ROOT / "docs").glob("*.md")) if "```python" in p.read_text("utf-8")]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: p.name)
def test_the_code_of_a_page_runs(page, capsys):
    names = {}
    for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(code, page.name, "exec"), names)
    assert capsys.readouterr().out


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_pictures_are_there(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)\)", text):
        assert "://" in target or (page.parent / target).exists(), target


def test_pictures_have_words_that_state_the_finding():
    for words in re.findall(r"!\[(.*?)\]", README):
        assert len(words.split()) >= 12, words


def test_the_syllabus_says_what_is_there():
    ready = re.findall(r"^\| (\d\d) .*\| ready \|$", README, re.MULTILINE)
    assert ready == sorted(path.name[:2] for path in (ROOT / "lessons").glob("*.ipynb"))


def test_no_place_was_left_unfilled():
    assert "{{" not in README


def test_the_numbers_are_those_of_the_experiments():
    folder = ROOT / "experiments" / "results"
    swap = json.loads((folder / "solver_swap.json").read_text(encoding="utf-8"))["trained"]
    paths = json.loads((folder / "hidden_trajectories.json").read_text(encoding="utf-8"))
    text = " ".join(README.split())
    for trained, runs in (("euler_1", ("as_trained", "flow")), ("euler_8", ("as_trained", "flow"))):
        for run in runs:
            accuracy = swap[trained][run]["accuracy"]
            assert f"{accuracy['min']:.1%} to {accuracy['max']:.1%}" in text, (trained, run)
    assert paths["caption"] in text
    gates = json.loads((folder / "stepnet_comparison.json").read_text(encoding="utf-8"))
    assert gates["caption"] in text
