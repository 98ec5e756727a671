"""A lesson needs only what it or an earlier lesson taught."""

import ast
import re

import pytest

from stepkit.course import build, catalogue, folders, masters

TREE = build.Tree(folders.root())
MASTERS = masters.read_all(TREE.masters)
MENTION = re.compile(r"\b(?:use|check)\(\"(\d\d)\.(\w+)\"\)")
OTHER_LESSON = re.compile(r"\blessons? (\d\d)")

# Terms, and the lesson in which each is explained. Before that lesson a term may stand only in a
# paragraph that points ahead ("see lesson 03").
TAUGHT = {
    "residual block": "00",
    "tensor": "00",
    "initial value problem": "01",
    "Euler's method": "01",
    "step size": "01",
    "trajectory": "01",
    "principal component": "01",
    "tableau": "02",
    "Runge-Kutta": "02",
    "ODE block": "02",
    "stage": "02",
    "stability region": "03",
    "implicit": "03",
    "eigenvalue": "03",
    "Jacobian": "03",
    "stiff": "03",
    "embedded pair": "04",
    "step-size control": "04",
    "logarithmic norm": "06",
    "power iteration": "06",
    "squeeze": "07",
    "StepNet": "08",
}


def taught_cells(master):
    """Cells that a learner reads, without the help folds and the last section (what to read)."""
    cells = [c for c in master.cells if c.mark not in (*masters.HIDDEN, "help")]
    last = max((i for i, c in enumerate(cells) if c.source.startswith("## ")), default=len(cells))
    return cells[1:last]


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.slug)
def test_pieces_come_from_this_lesson_or_an_earlier_one(master):
    for cell in master.cells:
        for number, name in MENTION.findall(cell.source):
            assert number <= master.number, f"{number}.{name}"
            assert f"{number}.{name}" in catalogue.lesson(number).exercises
    for exercise in catalogue.lesson(master.number).exercises.values():
        known = catalogue.exercise_ids()
        for needed in exercise.needs:
            assert known.index(needed) < known.index(exercise.id)


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.slug)
def test_terms_are_explained_before_they_are_used(master):
    for cell in taught_cells(master):
        if cell.kind != "markdown":
            continue
        for paragraph in cell.source.split("\n\n"):
            ahead = max(OTHER_LESSON.findall(paragraph), default=master.number)
            for term, number in TAUGHT.items():
                if re.search(rf"\b{re.escape(term)}", paragraph):
                    assert number <= max(master.number, ahead), f"{term!r} in: {paragraph}"


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.slug)
def test_a_term_is_used_in_the_lesson_that_explains_it(master):
    text = "\n".join(c.source for c in master.cells if c.kind == "markdown")
    for term, number in TAUGHT.items():
        if number == master.number:
            assert re.search(rf"\b{re.escape(term)}", text, re.IGNORECASE), term


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.slug)
def test_an_exercise_comes_before_what_uses_it(master):
    checked = set()
    for cell in master.cells:
        if cell.mark in masters.HIDDEN or cell.kind != "code":
            continue
        for name in re.findall(rf'check\("{master.number}\.(\w+)"\)', cell.source):
            checked.add(name)
        for name in re.findall(rf'use\("{master.number}\.(\w+)"\)', cell.source):
            assert name in checked, f"{name} is used before its exercise"


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.slug)
def test_lessons_import_only_public_rooms(master):
    for cell in master.cells:
        if cell.kind != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any("._" in name for name in names), names


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.slug)
def test_the_first_check_comes_soon(master):
    """Within ten minutes: the words before it, at 150 a minute, and the exercise's own minutes."""
    words = 0
    for cell in master.cells:
        if cell.kind == "markdown" and cell.mark not in ("help", *masters.HIDDEN):
            words += len(cell.source.split())
        if cell.source.startswith("check("):
            break
    first = next(iter(catalogue.lesson(master.number).exercises.values()))
    assert words / 150 + first.minutes <= 10


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.slug)
def test_exercises_leave_time_to_read(master):
    minutes = sum(e.minutes for e in catalogue.lesson(master.number).exercises.values())
    words = sum(len(c.source.split()) for c in master.cells
                if c.kind == "markdown" and c.mark not in ("help", *masters.HIDDEN))  # fmt: skip
    assert minutes + words / 120 <= 90


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.slug)
def test_every_figure_is_followed_by_its_words(master):
    visible = [c for c in master.cells if c.mark not in masters.HIDDEN]
    for place, cell in enumerate(visible):
        if cell.kind == "code" and "plt.show()" in cell.source:
            after = "\n".join(c.source for c in visible[place + 1 : place + 4])
            assert re.search("What the figures? shows?", after), cell.source[:200]
