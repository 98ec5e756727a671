"""`course verify` fails for each reason for which it should, and says which."""

import json
import sys
import textwrap

import numpy as np
import pytest

from stepkit.course import catalogue, exercises, masters, verify
from stepkit.course.trouble import Trouble
from stepkit.course.verification import bench as benches
from stepkit.course.verification import demands, equality, mutated
from stepkit.course.verification.examine import examine
from stepkit.course.verification.material import gather
from stepkit.course.verification.worker import Worker

GOOD_CHECK = """\
for shape in ((), (3,), (2, 3)):
    x = trial.draw.normal(size=shape)
    factor = float(trial.draw.uniform(1.5, 3.0))
    want = [a * factor + 1 for a in x.ravel().tolist()]
    suspects = [Suspect(x + 1, "factor-lost", "That is x + 1."),
                Suspect(1 - x * factor, "sign", "The sign is lost.")]
    got = trial.call(x, factor)
    trial.expect(got, np.reshape(want, shape), "Of x", suspects=suspects)
"""
LESSON = """\
import time

import numpy as np
from stepkit.course.exercise import Lesson, Option
from stepkit.course.trial import Suspect

LESSON = Lesson("90")
LESSON.question("q", "?", right="a", a=Option("1", "yes"), b=Option("2", "no", "asked-only"))


@LESSON.exercise("scaled", title="T", points=1, minutes=1, difficulty=1, importance=1,
                 signature="x, factor", reference=np.polyval)
def scaled(trial):
{check}
"""
MASTER = '''# %%
import numpy as np

# %% answer="scaled"
def scaled(x, factor):
    """x times factor, plus 1."""
    # BEGIN SOLUTION
{solution}
    # END SOLUTION
'''
SOLUTION = "    total = x * factor\n    return total + 1"
HEADS = {
    "sign": 'wrong="scaled" shows="sign" outcome="not yet"',
    "factor-lost": 'wrong="scaled" shows="factor-lost" outcome="not yet"',
    "no-return": 'wrong="scaled" shows="no-return" outcome="not yet"',
    "mutates-input": 'wrong="scaled" shows="mutates-input" outcome="not yet"',
    "formula": 'variant="scaled" style="formula"',
    "functions": 'variant="scaled" style="functions"',
    "otherwise": 'variant="scaled" style="otherwise"',
}
BODIES = {
    "sign": "return 1 - x * factor",
    "factor-lost": "return x + 1",
    "no-return": "x * factor + 1",
    "mutates-input": "x *= factor\n    x += 1\n    return x",
    "formula": "return x * factor + 1",
    "functions": "return np.add(np.multiply(x, factor), 1)",
    "otherwise": "return 1 + sum([x] * 3) / 3 * factor",
}
PROBE = """
# %% probe="scaled"
def probe(answer, draw):
    return [answer(draw.normal(size=3), draw.normal())]
"""


class Course:
    """A course of one exercise in a folder of its own."""

    def __init__(self, root):
        self.root, self.bodies = root, dict(BODIES)
        self.heads, self.more = dict(HEADS), PROBE
        self.check, self.solution = GOOD_CHECK, SOLUTION

    def write(self):
        forget()
        text = LESSON.format(check=textwrap.indent(self.check, "    "))
        (self.root / "lessons_too" / "lesson_90.py").write_text(text)
        cells = [
            f"\n# %% {self.heads[key]}\ndef scaled(x, factor):\n    {body}\n"
            for key, body in self.bodies.items()
        ]
        text = MASTER.format(solution=self.solution) + "".join(cells) + self.more
        (self.root / "solutions" / "src" / "90_scaled.py").write_text(text)

    def faults(self, seeds=12):
        return demands.faults(self.findings(seeds))

    def findings(self, seeds=12):
        self.write()
        master = masters.read(self.root / "solutions" / "src" / "90_scaled.py")
        material = gather(master, "90.scaled")
        return examine(material, benches.Bench(material), lambda words: None, seeds=seeds)

    def run(self, ids=("90",), json_path=None, **options):
        self.write()
        return verify.run(ids, json_path, root=self.root, make_bench=benches.Bench, **options)


@pytest.fixture
def course(tmp_path, monkeypatch):
    (tmp_path / "lessons_too").mkdir()
    (tmp_path / "solutions" / "src").mkdir(parents=True)
    monkeypatch.setattr(exercises, "__path__", [*exercises.__path__, str(tmp_path / "lessons_too")])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # else a changed check may be missed
    yield Course(tmp_path)
    forget()


def forget():
    """The exercise of another test, or of an earlier version of this one."""
    sys.modules.pop("stepkit.course.exercises.lesson_90", None)
    catalogue.lesson.cache_clear()
    catalogue.lesson_numbers.cache_clear()


def one(lines, *words):
    found = [line for line in lines if all(word in line for word in words)]
    assert found, lines
    return found[0]


def test_a_good_exercise_meets_every_demand(course):
    found = course.findings()
    assert demands.faults(found) == []
    assert (len(found.wrong), len(found.variants), found.rejections) == (4, 3, 0)
    assert found.killed + found.equal == found.mutants >= 8
    assert [each["misconception"] for each in found.wrong] == list(BODIES)[:4]
    assert 0 < found.median_seconds <= found.slowest_seconds < 1


def test_a_check_that_accepts_a_wrong_answer(course):
    course.check = "x = trial.draw.normal(size=3)\nassert len(trial.call(x, 1.0)) == 3"
    lines = course.faults()
    one(lines, "wrong answer 'sign' should be not yet, but is correct (seed 0)")
    one(lines, "the check sees", "90% are needed")


def test_a_check_that_lets_mutants_survive(course):
    course.check = GOOD_CHECK.replace("1.5, 3.0", "1.0, 1.0")
    found = course.findings()
    one(demands.faults(found), "of the mutants; 90% are needed")
    line = one(demands.accepted(found), "lost factor", "total = x * factor -> total = x")
    assert line.startswith("line 4,")
    assert "differs on draw 1: other values" in line


def test_a_check_that_rejects_a_right_variant_on_some_seeds(course):
    course.check = GOOD_CHECK.replace("suspects=suspects", "suspects=suspects, tolerance=0.0")
    lines = course.faults(seeds=40)
    line = one(lines, "variant 'otherwise' is rejected on", "of 40 seeds", "not yet: Of x")
    assert "on 40 of" not in line
    assert not any("the solution is rejected" in each for each in lines)


def test_a_check_with_a_fault_of_its_own(course):
    course.check = 'raise KeyError("oops")'
    one(course.faults(), "the solution is rejected on 12 of 12", "could not check", "oops")


def test_a_check_that_falls_over_a_mutant(course):
    course.check = (
        'if float(trial.call(1.0, 1.0)) == 0.0:\n    raise KeyError("oops")\n' + GOOD_CHECK
    )
    one(course.faults(), "the check failed on a mutant (return total + 1 -> return total - 1)")


def test_a_wrong_answer_with_the_wrong_name(course):
    course.heads["sign"] = 'wrong="scaled" shows="factor-lost" outcome="not yet"'
    one(course.faults(), "wrong answer 'factor-lost' is told 'sign' instead")


def test_a_wrong_answer_whose_name_is_known_but_not_said(course):
    course.bodies["sign"] = "return -7.0 * np.ones_like(x)"
    one(course.faults(), "'sign' is not told so, although the check knows that name: not yet")


def test_a_name_of_a_question_is_not_one_of_the_check(course):
    course.heads["sign"] = 'wrong="scaled" shows="asked-only" outcome="not yet"'
    course.bodies["sign"] = "return -7.0 * np.ones_like(x)"
    assert course.faults() == []


def test_a_wrong_answer_with_another_outcome(course):
    course.heads["sign"] = 'wrong="scaled" shows="sign" outcome="crashed"'
    one(course.faults(), "'sign' should be crashed, but is not yet")
    course.heads["sign"] = 'wrong="scaled" shows="sign" outcome="wrong"'
    one(course.faults(), "declares the outcome 'wrong'; it should be one of")


def test_a_stub_that_is_no_stub(course):
    course.solution = "    pass\n    # END SOLUTION\n    return 3\n    # BEGIN SOLUTION\n    pass"
    course.check = "trial.answer"
    course.more = ""
    one(course.faults(), "the stub is correct: ; it should be not attempted")


def test_too_few_wrong_answers_and_variants(course):
    del course.bodies["sign"], course.bodies["formula"]
    lines = course.faults()
    one(lines, "3 wrong answers; at least 4")
    one(lines, "2 right variants; at least 3")


def test_a_slow_check(course):
    course.check = GOOD_CHECK + "end = time.process_time() + 1.1\n"
    course.check += "while trial.answer.__doc__ and time.process_time() < end:\n    pass\n"
    one(course.faults(seeds=2), "the check took 1.", "it must answer in 1 s")


def test_a_loop_that_never_ends_counts_as_killed_by_time(course, monkeypatch):
    monkeypatch.setattr(mutated, "SHORTEST", 0.3)
    course.solution = (
        "    total, left = x * factor, 1\n    while left > 0:\n        left -= 1\n"
        "    return total + 1"
    )
    found = course.findings()
    assert found.killed_by_timeout >= 2
    assert found.killed >= found.killed_by_timeout + found.killed_by_crash


def test_a_mutant_that_cannot_be_defined_counts_as_crashed(course):
    course.solution = SOLUTION
    found = course.findings()
    tried = benches.Bench(gather(_master(course), "90.scaled")).judge("1 / 0", 0, 1.0)
    assert tried.kind == benches.NOT_RUN
    assert tried.message == "ZeroDivisionError: division by zero"
    assert found.killed_by_crash < found.killed


def _master(course):
    return masters.read(course.root / "solutions" / "src" / "90_scaled.py")


EQUAL = (
    "    total = x * factor\n    if np.size(x) > 99:\n        total = total + 0\n"
    "    return total + 1"
)


def test_a_survivor_is_shown_equal_by_the_probe(course):
    course.solution = EQUAL
    found = course.findings()
    shown = [each for each in found.survivors if each["status"] == "equal"]
    one([each["description"] for each in shown], "if np.size(x) > 99: ... -> nothing")
    assert found.equal == len(shown)
    assert found.rate == found.killed / (found.mutants - found.equal)


def test_a_survivor_that_the_probe_tells_apart_may_be_excused(course):
    course.solution = EQUAL
    course.more = PROBE.replace("size=3", "size=100") + (
        '\n# %% excuse="scaled" mutant="total = total + 0 -> total = total + 1"\n'
        "# Nobody asks\n# for so many.\n"
    )
    found = course.findings()
    excused = [each for each in found.survivors if each["status"] == "excused"]
    assert [each["reason"] for each in excused] == ["Nobody asks for so many."]
    assert found.excused == 1
    assert not any("excuse" in line for line in demands.faults(found))


def test_an_excuse_that_fits_no_survivor(course):
    course.more += '\n# %% excuse="scaled" mutant="return total + 1 -> return total"\n# because\n'
    one(course.faults(), "the excuse for 'return total + 1 -> return total' fits no open survivor")
    course.more = PROBE + '\n# %% excuse="scaled" mutant="a -> b"\npass\n'
    one(course.faults(), "'a -> b' fits no")


def test_too_many_excuses():
    found = verify.Findings("90.scaled", "90", 1, 1, mutants=40, killed=38, excused=2)
    assert demands.faults_of_all([found]) == ["2 of 40 mutants are excused; at most 2% may be"]
    found = verify.Findings("90.scaled", "90", 1, 1, mutants=40, killed=39)
    assert demands.faults_of_all([found]) == ["the checks see 97.5% of all mutants; 98% are needed"]
    assert demands.few([verify.Findings("90.a", "90", 1, 1, mutants=7)]) == ["90.a (7)"]


class TestEquality:
    def compare(self, one, other, probe=None, draws=20):
        probe = probe or (lambda answer, draw: [answer(draw.normal(size=2))])
        return equality.compare(probe, one, other, draws, 60.0)

    def test_equal_up_to_the_last_places(self):
        assert self.compare(lambda x: x * 3, lambda x: x + x + x).equal

    @pytest.mark.parametrize(
        "other",
        [lambda x: x * (3 + 1e-12), lambda x: x[:1], lambda x: 3, lambda x: x + np.inf],
    )
    def test_different(self, other):
        assert self.compare(lambda x: x * 3, other).draws == 1

    def test_nan_is_equal_to_nan_and_a_raise_to_the_same_raise(self):
        assert self.compare(lambda x: x * float("nan"), lambda x: -x * float("nan")).equal

        def raises(kind):
            def answer(x):
                if x[0] > 1:
                    raise kind("no")
                return x

            return answer

        assert self.compare(raises(ValueError), raises(ValueError)).equal
        found = self.compare(raises(ValueError), raises(KeyError))
        assert found.why == "KeyError instead of ValueError"

    def test_a_probe_that_shows_nothing(self):
        assert "returned no arrays" in self.compare(abs, abs, lambda answer, draw: []).why
        found = self.compare(abs, abs, lambda answer, draw: [answer("text")])
        assert found.fault
        assert found.why == "on 20 of 20 draws the solution itself raised"

    def test_out_of_time_is_not_equal(self):
        found = equality.compare(lambda answer, draw: [1.0], abs, abs, 20, 0.0)
        assert not found.equal
        assert "out of time after 1 draws" in found.why


def test_the_command_prints_a_table_and_writes_what_it_found(course, tmp_path, capsys):
    assert course.run(json_path=tmp_path / "found.json") == 0
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "90.scaled" in printed
    assert printed.splitlines()[-1].endswith("every demand is met.")
    record = json.loads((tmp_path / "found.json").read_text())
    assert record["failed"] == []
    exercise = record["exercises"][0]
    assert {"lesson", "id", "points", "minutes", "stub", "solution", "wrong", "variants",
            "rejections", "mutants", "killed", "killed_by_crash", "killed_by_timeout", "equal",
            "excused", "rate", "slowest_seconds", "survivors"} <= set(exercise)  # fmt: skip
    assert exercise["seeds"] == 200
    assert exercise["stub"]["outcome"] == "not attempted"


def test_what_was_found_is_remembered_until_something_changes(course, monkeypatch, capsys):
    asked = []
    judge = benches.Bench.judge
    monkeypatch.setattr(benches.Bench, "judge", lambda *given: asked.append(given) or judge(*given))
    assert course.run() == 0
    first = len(asked)
    assert first > 800
    assert course.run() == 0
    assert len(asked) == first
    course.check += "\n# another word\n"
    assert course.run() == 0
    assert len(asked) == 2 * first
    course.bodies["formula"] = "return 1 + factor * x"
    assert course.run() == 0
    assert len(asked) == 3 * first
    assert course.run(fresh=True) == 0
    assert len(asked) == 4 * first


def test_a_failure_ends_with_a_line_and_a_code(course, capsys):
    course.heads["sign"] = 'wrong="scaled" shows="sign" outcome="crashed"'
    assert course.run() == 1
    printed = capsys.readouterr().out
    assert "FAILED" in printed
    assert "Failed:\n  90.scaled: wrong answer 'sign' should be crashed" in printed
    assert "1 demands are not met" in printed


def test_marks_without_a_record_and_records_without_an_answer(course, capsys):
    course.more += '\n# %% variant="scalde" style="s"\npass\n'
    assert course.run() == 1
    assert "90_scaled.py: there is no exercise 'scalde' in the lesson" in capsys.readouterr().out
    course.write()
    (course.root / "solutions" / "src" / "90_scaled.py").write_text("# %%\nimport numpy\n")
    assert verify.run(["90"], root=course.root, make_bench=benches.Bench) == 1
    assert "0 cells are marked answer" in capsys.readouterr().out


def test_a_lesson_that_cannot_be_read_does_not_hide_the_others(course, capsys):
    course.check = "return ="
    assert course.run() == 1
    assert "lesson 90: SyntaxError" in capsys.readouterr().out


def test_an_unknown_id_is_trouble(course):
    course.write()
    with pytest.raises(Trouble, match=r"no exercise '90\.nothing'"):
        verify.run(["90.nothing"], root=course.root)
    with pytest.raises(Trouble, match="no lesson '77'"):
        verify.run(["77"], root=course.root)
    with pytest.raises(Trouble, match="in a checkout"):
        verify.run(["90"], root=course.root / "lessons_too")


STEP = """# %%
import time

# %% answer="euler_step"
def euler_step(f, t, y, h):
    # BEGIN SOLUTION
    time.sleep(0 * 1000)
    return y + h * f(t, y)
    # END SOLUTION

# %% wrong="euler_step" shows="ends-the-process" outcome="crashed"
def euler_step(f, t, y, h):
    import os
    os._exit(3)
"""


@pytest.mark.slow
def test_a_worker_that_hangs_or_dies_is_replaced(tmp_path, monkeypatch):
    """What the process does is tried on a real lesson, since it imports the course anew."""
    monkeypatch.setattr("stepkit.course.verification.worker.GRACE", 0.5)
    (tmp_path / "01_euler.py").write_text(STEP)
    material = gather(masters.read(tmp_path / "01_euler.py"), "01.euler_step")
    worker = Worker(material)
    try:
        found = examine(material, worker, lambda words: None, seeds=3)
    finally:
        worker.stop()
    assert found.solution["outcome"] == "correct"
    assert found.wrong[0]["outcome"] == "died"
    one(found.faults, "wrong answer 'ends-the-process' ended its process")
    assert found.killed_by_timeout >= 1  # time.sleep(1 * 1000)
