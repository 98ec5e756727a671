"""Every kind of attempt gets the outcome that it deserves, in words that help."""

import pytest

from helpers.attempts import namespace_of
from stepkit.course import catalogue
from stepkit.course.judging import judge
from stepkit.course.outcome import LINES, Kind, Outcome

RIGHT = "def euler_step(f, t, y, h):\n    return y + h * f(t, y)\n"

CASES = {
    "stub": (
        "def euler_step(f, t, y, h):\n    raise NotImplementedError",
        Kind.NOT_ATTEMPTED,
        "raise NotImplementedError",
    ),
    "deleted": ("other = 1", Kind.NOT_ATTEMPTED, "nothing called euler_step"),
    "renamed": (RIGHT.replace("euler_step", "step"), Kind.NOT_ATTEMPTED, "course reset"),
    "stepkit's": (
        "from stepkit.ode import Euler\neuler_step = Euler().step",
        Kind.NOT_ATTEMPTED,
        "stepkit's own",
    ),
    "partial of stepkit's": (
        "import functools\nfrom stepkit.ode import Euler\n"
        "euler_step = functools.partial(Euler().step)",
        Kind.NOT_ATTEMPTED,
        "stepkit's own",
    ),
    "calls stepkit's": (
        "import stepkit.ode\ndef euler_step(f, t, y, h):\n"
        "    return stepkit.ode.Euler().step(f, t, y, h)",
        Kind.NOT_ATTEMPTED,
        "stepkit's own",
    ),
    "calls an imported one": (
        "from stepkit.ode import Euler\ndef euler_step(f, t, y, h):\n"
        "    return Euler().step(f, t, y, h)",
        Kind.NOT_ATTEMPTED,
        "stepkit's own",
    ),
    "a number": ("euler_step = 3", Kind.NOT_YET, "should be a function; yours is an int"),
    "a class": ("class euler_step: pass", Kind.NOT_YET, "should be a function"),
    "other arguments": (
        "def euler_step(f, y, h):\n    return y",
        Kind.NOT_YET,
        "should take (f, t, y, h); yours takes (f, y, h)",
    ),
    "keywords only": (
        "def euler_step(*, f, t, y, h):\n    return y + h * f(t, y)",
        Kind.NOT_YET,
        "should take (f, t, y, h); yours takes (*, f, t, y, h)",
    ),
    "a step of their own beside a room of stepkit's": (
        "from stepkit import plots\ndef step(y, h, k):\n    return y + h * k\n"
        "def euler_step(f, t, y, h):\n    if h == 99:\n        plots.convergence([h], [h])\n"
        "    return step(y, h, f(t, y))",
        Kind.CORRECT,
        "",
    ),
    "whole numbers stay whole": (
        "def euler_step(f, t, y, h):\n    new = np.zeros_like(y)\n"
        "    new[...] = y + h * f(t, y)\n    return new",
        Kind.NOT_YET,
        "was cut down to whole numbers",
    ),
    "one array for all results": (
        "kept = {}\ndef euler_step(f, t, y, h):\n    z = y + h * f(t, y)\n"
        "    if not np.ndim(z):\n        return z\n"
        "    kept.setdefault(z.shape, np.zeros(z.shape))[...] = z\n    return kept[z.shape]",
        Kind.NOT_YET,
        "hands out the same one again",
    ),
    "the array of f is used up": (
        "def euler_step(f, t, y, h):\n    k = f(t, y)\n    k *= h\n    return y + k",
        Kind.NOT_YET,
        "belongs to f and should be as it was",
    ),
    "raised from itself": (
        "def euler_step(f, t, y, h):\n    e = ValueError('round')\n    raise e from e",
        Kind.CRASHED,
        "ValueError: round",
    ),
    "no return": (
        "def euler_step(f, t, y, h):\n    y + h * f(t, y)",
        Kind.NOT_YET,
        "returned None",
    ),
    "text": ("def euler_step(f, t, y, h):\n    return 'y'", Kind.NOT_YET, "numbers; yours is 'y'"),
    "wrong shape": (
        "def euler_step(f, t, y, h):\n    z = y + h * f(t, y)\n"
        "    return z if np.ndim(z) < 2 else z.ravel()",
        Kind.NOT_YET,
        "should have shape (4, 3); yours has (12,)",
    ),
    "NaN": ("def euler_step(f, t, y, h):\n    return y * np.nan", Kind.NOT_YET, "NaN"),
    "infinity": (
        "def euler_step(f, t, y, h):\n    return y + np.inf",
        Kind.NOT_YET,
        "infinite value",
    ),
    "half precision hides an error": (
        "def euler_step(f, t, y, h):\n    return np.float16(y + 0.9 * h * f(t, y))",
        Kind.NOT_YET,
        "",
    ),
    "complex": (
        "def euler_step(f, t, y, h):\n    return y + h * f(t, y) + 0j",
        Kind.NOT_YET,
        "should be real",
    ),
    "mutated input": (
        "def euler_step(f, t, y, h):\n    y += h * f(t, y)\n    return y",
        Kind.NOT_YET,
        "the input y was changed",
    ),
    "hard-coded": ("def euler_step(f, t, y, h):\n    return 0.9", Kind.NOT_YET, ""),
    "their exception": (
        "def euler_step(f, t, y, h):\n    z = y + h\n    return z.nothing",
        Kind.CRASHED,
        "return z.nothing",
    ),
    "exit": (
        "import sys\ndef euler_step(f, t, y, h):\n    sys.exit(0)",
        Kind.CRASHED,
        "SystemExit",
    ),
    "recursion": (
        "def euler_step(f, t, y, h):\n    return euler_step(f, t, y, h)",
        Kind.CRASHED,
        "RecursionError",
    ),
    "endless loop": (
        "def euler_step(f, t, y, h):\n    while True:\n        pass",
        Kind.CRASHED,
        "still running after 0.5 s",
    ),
    "endless loop that catches all": (
        "def euler_step(f, t, y, h):\n    while True:\n        try:\n            h = h + 1\n"
        "        except:\n            pass",
        Kind.CRASHED,
        "still running",
    ),
    "prints and warns": (
        "import sys, warnings\ndef euler_step(f, t, y, h):\n    print('hello')\n"
        "    print('noise', file=sys.stderr)\n    warnings.warn('old')\n    return y + h * f(t, y)",
        Kind.CORRECT,
        "",
    ),
    "division by zero on the way": (
        "def euler_step(f, t, y, h):\n    np.float64(1) / np.float64(0)\n"
        "    return y + h * f(t, y)",
        Kind.CORRECT,
        "",
    ),
    "list instead of array": (
        "def euler_step(f, t, y, h):\n    return (y + h * f(t, y)).tolist() if np.ndim(y) else "
        "y + h * f(t, y)",
        Kind.NOT_YET,
        "should be an array; yours is a list of 2. np.array(...) makes an array of it.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_outcome_and_words(case, capsys):
    source, kind, words = CASES[case]
    outcome = judge("01.euler_step", namespace_of(source), limit=0.5)
    assert outcome.kind is kind, outcome
    assert words in " ".join(str(outcome).split()), outcome
    assert len(str(outcome).splitlines()) <= LINES
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


def test_a_subclass_of_the_librarys_layer_is_not_yours():
    source = (
        "from stepkit.layers import ResidualStep as Theirs\nclass ResidualStep(Theirs):\n"
        "    def call(self, y):\n        return super().call(y)\n"
    )
    assert judge("01.ResidualStep", namespace_of(source)).kind is Kind.NOT_ATTEMPTED


def test_what_an_answer_sets_in_keras_does_not_outlive_the_check():
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy().name
    setting = (
        "    keras.config.set_floatx('float64')\n    keras.config.set_dtype_policy('float16')\n"
    )
    judge("01.euler_step", namespace_of(RIGHT.replace(":\n", ":\n" + setting, 1)))
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == before


def test_an_exception_that_cannot_tell_its_message_is_theirs():
    source = (
        "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError('no')\n"
        "def euler_step(f, t, y, h):\n    raise Odd\n"
    )
    outcome = judge("01.euler_step", namespace_of(source))
    assert outcome.kind is Kind.CRASHED
    assert "Odd" in str(outcome)


def test_the_right_answer_is_correct_on_fresh_draws():
    outcomes = {judge("01.euler_step", namespace_of(RIGHT)).kind for _ in range(20)}
    assert outcomes == {Kind.CORRECT}


def test_their_line_is_quoted_and_nothing_of_ours():
    source = "def euler_step(f, t, y, h):\n    return y + h * f(t)\n"
    message = str(judge("01.euler_step", namespace_of(source)))
    assert "return y + h * f(t)" in message
    assert "trial" not in message and "judge" not in message


def test_numpy_in_a_model_names_the_replacement(monkeypatch):
    import keras

    from stepkit.course.exercise import Lesson

    def in_a_model(trial):
        symbol = keras.Input((3,))
        trial.run(lambda: trial.answer(symbol), "numpy_inside on a model's input")

    trial_lesson = Lesson("01")
    trial_lesson.exercise(
        "numpy_inside",
        title="x",
        points=1,
        minutes=1,
        difficulty=1,
        importance=1,
        signature="x",
        reference=None,
    )(in_a_model)
    monkeypatch.setattr(catalogue, "exercise", lambda _: trial_lesson.exercises["01.numpy_inside"])
    outcome = judge("x", namespace_of("def numpy_inside(x):\n    return np.exp(x)"))
    assert outcome.kind is Kind.CRASHED
    assert "keras.ops.exp" in str(outcome)


def test_a_fault_of_the_check_is_not_the_learners(monkeypatch):
    record = catalogue.exercise("01.euler_step")

    def broken(trial):
        raise ZeroDivisionError("in the check")

    monkeypatch.setattr(
        catalogue, "exercise", lambda _: type(record)(**(vars(record) | {"judge": broken}))
    )
    outcome = judge("01.euler_step", namespace_of(RIGHT))
    assert outcome.kind is Kind.NOT_CHECKED
    assert "not yours" in str(outcome)


def test_unknown_ids_say_which_exist():
    with pytest.raises(catalogue.UnknownId, match="euler_step"):
        judge("01.no_such_thing", {})
    with pytest.raises(catalogue.UnknownId, match="01"):
        judge("77.euler_step", {})


def test_long_messages_are_cut_at_eight_lines():
    text = str(Outcome("01.x", Kind.NOT_YET, "\n".join(f"line {n}" for n in range(30))))
    assert len(text.splitlines()) == LINES
    assert text.endswith("...")
