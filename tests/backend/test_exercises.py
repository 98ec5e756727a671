"""The checks accept what the lessons teach on every backend, not on the default one alone."""

import pytest

from stepkit.course import build, catalogue, folders, masters
from stepkit.course.verification.bench import Bench
from stepkit.course.verification.material import gather

MASTERS = {each.number: each for each in masters.read_all(build.Tree(folders.root()).masters)}


@pytest.mark.parametrize("exercise_id", catalogue.exercise_ids())
def test_the_solution_is_correct(exercise_id):
    material = gather(MASTERS[catalogue.exercise(exercise_id).lesson], exercise_id)
    tried = Bench(material).judge(material.solution, seed=1, limit=120)
    assert tried.kind == "correct", tried.message
