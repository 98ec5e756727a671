"""The notebooks carry what an instructor's gradebook needs."""

import pytest

from stepkit.course import catalogue, folders

nbgraderformat = pytest.importorskip("nbgrader.nbgraderformat", reason="nbgrader is not installed")


@pytest.mark.parametrize("folder", ["lessons", "solutions"])
@pytest.mark.parametrize("number", catalogue.lesson_numbers())
def test_the_marks_are_valid_and_the_points_are_ours(folder, number):
    path = folders.root() / folder / folders.lesson_file(number).name
    notebook = nbgraderformat.read(path, as_version=4)  # raises where the marks are not valid
    points = {
        cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    }
    lesson = catalogue.lesson(number)
    assert points == {f"{e.name}-check": e.points for e in lesson.exercises.values()}
