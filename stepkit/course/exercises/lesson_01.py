"""Lesson 01, Euler steps: the pieces that `use` hands out, the oracles, and the questions."""

from __future__ import annotations

import itertools
import json
import math
import re
import traceback

import keras
import numpy as np

from stepkit.course.exercise import Lesson, Option
from stepkit.course.outcome import LearnerError
from stepkit.course.trial import Suspect, Trial
from stepkit.course.wording import SMALL
from stepkit.layers import ResidualStep
from stepkit.ode import Euler, odeint

LESSON = Lesson("01")


# What `use` hands out, beside stepkit's own Euler and ResidualStep.


def euler_solve(f, y0, ts):
    """States of y' = f(t, y), y(ts[0]) = y0 at all `ts`, one Euler step per interval."""
    return odeint(f, y0, ts, solver="euler").ys


def convergence_order(step_sizes, errors):
    """Slope of log(error) over log(step size); pairs with an error of 0 are left out."""
    pairs = [(h, e) for h, e in zip(step_sizes, errors, strict=True) if e > 0]
    x, y = np.log(np.transpose(pairs))
    return float(np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2))


def residual_net(depth, width=16, step_size=1.0):
    """Classifier of 64 numbers: stem, `depth` residual steps of `width` numbers, head.

    Its layers are called "stem", "block_1" to "block_<depth>" and "head".
    """
    x = inputs = keras.Input((64,))
    x = keras.layers.Dense(width, name="stem")(x)
    for k in range(1, depth + 1):
        slope = keras.layers.Dense(width, activation="tanh")
        x = ResidualStep(slope, step_size=step_size, name=f"block_{k}")(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="head")(x)
    return keras.Model(inputs, outputs)


def hidden_states(model, x):
    """Array `(depth + 1, samples, width)`: before the first block, and after each block."""
    depth = sum(layer.name.startswith("block_") for layer in model.layers)
    states = [model.get_layer("stem")(x)]
    for k in range(1, depth + 1):
        states.append(model.get_layer(f"block_{k}")(states[-1]))
    return np.stack([keras.ops.convert_to_numpy(state) for state in states])


# Questions.

LESSON.question(
    "overshoot",
    "With slope `-y`, `y = 1` and `h = 2.5`, one Euler step lands at:",
    right="b",
    a=Option(
        "0.08",
        "That is the exact solution, exp(-2.5). Euler's step lands at -1.5: it follows the first "
        "slope past the axis. Lesson 03 is about this.",
        "exact-not-euler",
    ),
    b=Option(
        "-1.5", "1 - 2.5 = -1.5: the step follows the first slope past the axis. See lesson 03."
    ),
    c=Option(
        "1.5", "The slope is -1, so y falls: 1 + 2.5 * (-1) = -1.5, past the axis.", "sign"
    ),
    d=Option(
        "-2.5", "That is the change, h times the slope. The new state is 1 - 2.5 = -1.5.",
        "change-not-state",
    ),
)  # fmt: skip

LESSON.question(
    "which_step",
    "A residual block computes `x + f(x)`. Read it as an Euler step. What is its step size?",
    right="d",
    a=Option(
        "the length of `f(x)`",
        "That is how far the step goes: step size times slope. The step size is the factor "
        "before the slope.",
        "change-not-step",
    ),
    b=Option(
        "the learning rate",
        "The learning rate scales how far training changes the weights. The step size scales "
        "how far a block changes the state, with the weights as they are.",
        "step-is-learning-rate",
    ),
    c=Option(
        "1 divided by the number of blocks",
        "That is a choice one can make, and section 5 makes it. Here nothing divides.",
        "step-is-one-over-depth",
    ),
    d=Option("1", "The factor before the slope is 1, in every block and for every input."),
)

LESSON.question(
    "halving",
    "Euler's method goes from t = 0 to t = 2. You halve the step size, so that it takes twice as "
    "many steps. The error at t = 2 becomes about:",
    right="b",
    a=Option(
        "a quarter",
        "The error of a single step becomes a quarter. But there are twice as many steps, and "
        "their errors add up: about half remains.",
        "local-for-global",
    ),
    b=Option(
        "half", "Each step errs a quarter as much, and there are twice as many: about half."
    ),
    c=Option(
        "the same",
        "It falls to about half: the slope is looked up twice as often, so each straight piece "
        "leaves the curve less.",
        "error-is-fixed",
    ),
    d=Option(
        "twice as large, because errors of twice as many steps add up",
        "They add up, but each is only a quarter as large: about half remains.",
        "more-steps-more-error",
    ),
)  # fmt: skip

LESSON.question(
    "order_two",
    "A method has order 2. You want an error 100 times smaller. How much smaller must the step be?",
    right="a",
    a=Option("10 times", "The error falls like h squared, and 10 squared is 100."),
    b=Option(
        "100 times", "That is what a method of order 1, such as Euler's, would need.", "order-one"
    ),
    c=Option(
        "50 times",
        "The order is an exponent, not a factor: the error falls like h squared, so 10 times.",
        "order-as-factor",
    ),
    d=Option(
        "10,000 times",
        "The square goes the other way: a step 10,000 times smaller gives an error 100 million "
        "times smaller.",
        "inverse-power",
    ),
)

LESSON.question(
    "too_long",
    "The slope is `-10 * y`, so the exact solution falls to 0. With `h = 0.25`, Euler's states:",
    right="d",
    a=Option(
        "fall to 0 like the exact solution, with a small error",
        "A step is short or long compared with the slope. Here each step multiplies y by "
        "1 - 0.25 * 10 = -1.5.",
        "small-step-is-enough",
    ),
    b=Option(
        "fall to 0, but more slowly",
        "Euler's steps go too far here, not too short: each multiplies y by 1 - 2.5 = -1.5.",
        "lagging",
    ),
    c=Option(
        "jump from side to side and come to rest",
        "They jump, but farther each time: the factor 1 - 2.5 = -1.5 is larger than 1 in size.",
        "overshoot-comes-to-rest",
    ),
    d=Option(
        "jump from side to side, farther each time",
        "Each step multiplies y by 1 - 2.5 = -1.5. Small errors are not the matter: the step is "
        "too long.",
    ),
)

LESSON.question(
    "four_steps",
    "One block with step size 1, or four blocks with the same weights and step size 1/4. Which "
    "comes closer to the exact solution of the ODE that has the block's field?",
    right="c",
    a=Option(
        "neither: 4 times 1/4 is 1, so both give the same",
        "They would if the slope were the same everywhere. The four steps look up the slope at "
        "four places.",
        "steps-add-up",
    ),
    b=Option(
        "one block: four blocks make four errors",
        "They do, but each of the four is about sixteen times smaller.",
        "more-steps-more-error",
    ),
    c=Option("four blocks", "They look up the slope four times, so they follow the curve."),
    d=Option(
        "four blocks, but only after more training",
        "Nothing is trained here: the weights are the same. It is the same field, followed more "
        "closely.",
        "training-not-steps",
    ),
)

LESSON.question(
    "straighter",
    "Two trained networks have 16 blocks each. One has step size 1, the other 1/16. In which do "
    "the hidden states take the more crooked path from stem to head?",
    right="a",
    a=Option(
        "step size 1",
        "Sixteen long steps in directions that are hardly related do not add up to one long way.",
    ),
    b=Option(
        "step size 1/16, because small steps wander",
        "The small steps made the less crooked path in these trainings: each block moves the "
        "state by a few hundredths of its size.",
        "small-steps-wander",
    ),
    c=Option(
        "both alike: depth decides",
        "The depth was the same, and the paths were not: the lower straightness is the more "
        "crooked path.",
        "depth-decides",
    ),
    d=Option(
        "neither: adding the input keeps paths from being crooked",
        "The block adds a change; that does not choose the direction of the change.",
        "skip-makes-straight",
    ),
)  # fmt: skip

LESSON.question(
    "when_ode",
    "When is a residual network exactly Euler's method for one ODE `dx/dt = f(x)`?",
    right="b",
    a=Option(
        "always: that is what adding the input (a skip connection) does",
        "Each block has a field of its own. Adding the input makes a step; it does not make "
        "the steps belong together.",
        "skip-makes-ode",
    ),
    b=Option(
        "if all blocks share their weights",
        "Then all steps follow one field, whatever their sizes. Lesson 02 builds such a block.",
    ),
    c=Option(
        "if it has very many blocks",
        "More blocks are more fields, and nothing forces neighbours to be alike.",
        "depth-makes-ode",
    ),
    d=Option(
        "if it is trained with a small learning rate",
        "The learning rate is how far training changes the weights at a time: how they are "
        "found, not what the blocks then compute.",
        "step-is-learning-rate",
    ),
)


# 1. euler_step


@LESSON.exercise(
    "euler_step",
    title="One Euler step",
    points=2,
    minutes=5,
    difficulty=1,
    importance=5,
    signature="f, t, y, h",
    reference=Euler().step,
)
def euler_step(trial: Trial) -> None:
    """Closed forms for slopes that are linear in t, and sums by hand for others."""
    _first_case(trial)
    _step_size_matters(trial)
    _from_whole_numbers(trial)
    slope_left_alone(trial, lambda f, y: trial.call(f, 0.5, y, 0.25))
    for shape in ((), (3,), (4, 3), (2, 5, 5, 1)):
        for dtype in ("float64", "float32"):
            _drawn_case(trial, shape, dtype)


def _as_f(slope):
    """The slope under the name that a learner knows, for Python's own complaints about a call."""
    slope.__name__ = slope.__qualname__ = "f"
    return slope


def _first_case(trial: Trial) -> None:
    asked: list[tuple] = []

    def f(t, y):
        asked.append((t, y))
        return -y

    got = trial.call(_as_f(f), 0.0, 1.0, 0.1)
    trial.expect(
        got,
        0.9,
        "From y = 1.0 with slope -1.0 and h = 0.1",
        "a step should land at {want}; yours landed at {got}",
        [
            *_misread_calls(asked, got),
            Suspect(-0.1, "change-not-state", "That is the change, not the new state."),
            Suspect(0.0, "step-ignored", "That is y + f(t, y): the step size is not used."),
            Suspect(
                1.1, "sign", "You moved against the slope: y grew where dy/dt is negative."
            ),
            Suspect(1.0, "time-for-step", "That is y itself. If you multiplied by t: t is the "
                                          "time, which is 0 here; the step is h."),
        ],
    )  # fmt: skip


def _misread_calls(asked: list[tuple], got) -> list[Suspect]:
    """What the call of f gives away, whatever came back."""
    if not asked and isinstance(got, int | float) and math.isfinite(got):
        return [Suspect(got, "slope-unused", "f was not called.")]
    if asked[:1] == [(1.0, 0.0)]:
        return [Suspect(got, "arguments-swapped", "f takes t first, then y.")]
    return []


def _step_size_matters(trial: Trial) -> None:
    y, slope = 2.0, float(trial.draw.uniform(0.5, 1.5))
    short, long = (trial.call(_as_f(lambda t, y: slope), 0.0, y, h) for h in (0.1, 0.2))
    if np.all(np.asarray(short) == np.asarray(long)):
        trial.fail(
            "With h = 0.1 and with h = 0.2 yours lands on the same point: "
            "the step size is not used.",
            "step-ignored",
        )


def _from_whole_numbers(trial: Trial) -> None:
    trial.expect_of_whole_numbers(
        lambda: trial.call(_as_f(lambda t, y: -0.5 * y), 0.0, np.array([1, 2]), 0.5),
        np.array([0.75, 1.5]),
        "From y = [1, 2], whole numbers, with slope -y / 2 and h = 0.5",
        "a step should land at {want}; yours landed at {got}",
    )


def slope_left_alone(trial: Trial, ask) -> None:
    """A field may hand out an array that it keeps; a step must not change it.

    Args:
        trial: the attempt.
        ask: function of such a field `f` and a state `y` that calls the answer.
    """
    kept, y = trial.draw.normal(size=(2, 3))
    before = kept.copy()
    ask(_as_f(lambda t, y: kept), y)
    if not np.array_equal(kept, before):
        trial.fail(
            "The array that f returned belongs to f and should be as it was; yours changed it. "
            "`k *= h` writes into that array: `h * k` makes a new one.",
            "mutates-slope",
        )


def _drawn_case(trial: Trial, shape: tuple[int, ...], dtype: str) -> None:
    draw = trial.draw
    t, h = (float(x) for x in draw.uniform(-1, 1, 2))
    y = draw.normal(size=shape).astype(dtype)
    a, b, c = (draw.normal(size=shape).astype(dtype) for _ in range(3))
    asked: list[float] = []

    def slope(time, state):
        asked.append(float(time))
        return a * state**2 + b * np.sin(time).astype(dtype) + c

    got = trial.call(_as_f(slope), t, y if shape else y[()], h)
    if asked and abs(asked[0] - (t + h)) < 1e-12 < abs(h):
        trial.fail(
            f"The slope depends on t here; you asked for it at t + h = {t + h:.3g}, "
            f"but the step starts at t = {t:.3g}.",
            "slope-at-end",
        )
    against = ("sign", "You moved against the slope.")
    if h < 0:
        against = ("step-without-sign", "h is negative here: the step goes back in time.")
    terms = (y, h * a * y * y, h * b * np.sin(t), h * c)
    want = np.sum([np.asarray(term, "float64") for term in terms], axis=0)
    trial.expect(
        got,
        want.astype(dtype),
        f"For y of shape {shape} and h = {h:.3g}",
        "the step should give {want}; yours gives {got}",
        [Suspect(y - (want - y), *against)],
        scale=float(np.max(np.abs(terms[1]), initial=1.0)),
    )


# 2. euler_solve


@LESSON.exercise(
    "euler_solve",
    title="Many Euler steps",
    points=2,
    minutes=10,
    difficulty=2,
    importance=5,
    signature="f, y0, ts",
    reference=euler_solve,
    needs=("01.euler_step",),
)
def _judge_euler_solve(trial: Trial) -> None:
    """Products of growth factors for linear fields; number by number for a field that is not."""
    _decay(trial, np.array([0.0, 0.5, 1.0]), "f = -y from y0 = 1.0 at ts = [0, 0.5, 1]")
    _decay(trial, np.array([0.0, 0.25]), "f = -y from y0 = 1.0 at ts = [0, 0.25]")
    _decay(trial, np.array([0.0, 0.5, 0.6, 0.9]), "f = -y from y0 = 1.0 at ts = [0, 0.5, 0.6, 0.9]")
    _states_from_whole_numbers(trial)
    slope_left_alone(trial, lambda f, y: trial.call(f, y, np.array([0.5, 0.75, 1.0])))
    for shape in ((), (3,), (2, 3)):
        for direction in (1, -1):
            _growing_with_time(trial, shape, direction)
    _coupled(trial)
    for dtype in ("float64", "float32"):
        _logistic(trial, dtype)


def _expect_states(trial: Trial, f, y0, ts, want, case: str) -> None:
    got = trial.call(_as_f(f), y0, ts)
    if isinstance(got, list | tuple):
        trial.fail(
            f"For {case} the result should be one array; yours is a {type(got).__name__} of "
            f"{len(got)} states. Put them into one array, time first.",
            "not-an-array",
        )
    should = "the states should be {want}; yours are {got}"
    if np.size(want) > SMALL and np.shape(got) == want.shape:
        should = "one number should be {want}; yours is {got}"
    scale = float(np.max(np.abs(want)))
    want = want.astype(y0.dtype)
    suspects = _misread_solves(f, y0, ts, want) + _started_elsewhere(f, got, ts, want)
    trial.expect(got, want, f"For {case}", should, suspects, scale=scale)


def _started_elsewhere(f, got, ts, want) -> list[Suspect]:
    """Right steps from a first row that is not y0, such as a row of zeros."""
    try:
        rows = np.asarray(got, "float64")
    except Exception:  # not numbers, which `expect` says
        return []
    if rows.shape != want.shape:
        return []
    path = [rows[0]]
    for t, h in zip(ts, np.diff(ts), strict=False):
        path.append(path[-1] + h * f(t, path[-1]))
    return [Suspect(path, "start-unused", "y0 is not used as the first state.")]


def _misread_solves(f, y0, ts, want) -> list[Suspect]:
    steps, start = np.diff(ts), y0.astype("float64")
    first, late, from_start, forward, backward = ([start] for _ in range(5))
    for k, (t, h) in enumerate(zip(ts, steps, strict=False)):
        first.append(first[-1] + steps[0] * f(t, first[-1]))
        late.append(late[-1] + h * f(ts[k + 1], late[-1]))
        from_start.append(start + h * f(t, start))
        forward.append(forward[-1] + abs(h) * f(t, forward[-1]))
        backward.append(backward[-1] - h * f(t, backward[-1]))
    beyond = want[-1] + steps[-1] * f(ts[-1], want[-1])
    return [
        Suspect(want[1:], "initial-state-missing", "The state at ts[0], which is y0, is missing."),
        Suspect(want[-1], "last-only", "That is the last state alone; all of them are asked for."),
        Suspect(want[:-1], "one-too-few", "The state at the last time is missing."),
        Suspect([*want, beyond], "one-too-many", "You went one step beyond the last time."),
        Suspect(np.broadcast_to(want[-1], want.shape), "rows-aliased",
                "All rows are the last state: they are one array, changed again and again."),
        Suspect(first, "first-step-size", "You used the first step size for every step."),
        Suspect(late, "slope-at-end", "You asked for the slope at the end of each step in time."),
        Suspect(from_start, "always-from-y0", "Each step should begin where the last one ended."),
        Suspect(forward, "step-without-sign", "Where ts decreases, the steps are negative."),
        Suspect(backward, "sign", "Your steps go the wrong way in time: each leads from ts[k] to "
                                  "ts[k + 1]."),
        Suspect(np.moveaxis(want, 0, -1), "time-last", "Time should be the first axis."),
    ]  # fmt: skip


def _decay(trial: Trial, ts: np.ndarray, case: str) -> None:
    want = np.cumprod([1.0, *(1 - np.diff(ts))])
    _expect_states(trial, lambda t, y: -y, np.array(1.0), ts, want, case)


def _states_from_whole_numbers(trial: Trial) -> None:
    trial.expect_of_whole_numbers(
        lambda: trial.call(
            _as_f(lambda t, y: -0.5 * y), np.array([4, 8]), np.array([0.0, 0.5, 1.0])
        ),
        np.array([[4, 8], [3, 6], [2.25, 4.5]]),
        "For f = -y / 2 from y0 = [4, 8], whole numbers, at ts = [0, 0.5, 1]",
        "the states should be {want}; yours are {got}",
    )


def _growing_with_time(trial: Trial, shape: tuple[int, ...], direction: int) -> None:
    """The field (a + bt) y: the state is y0 times a product of 1 + h(a + bt)."""
    draw = trial.draw
    count = int(draw.integers(4, 8))  # never 3: an array with time last must look different
    ts = draw.uniform(-1, 1) + direction * np.cumsum(draw.uniform(0.1, 0.5, count))
    y0, a, b = draw.normal(size=(3, *shape))
    factors = [np.ones(shape)]
    for k in range(1, count):
        factors.append(factors[-1] * (1 + (ts[k] - ts[k - 1]) * (a + b * ts[k - 1])))
    order = "increasing" if direction > 0 else "decreasing"
    case = f"y0 of shape {shape} and {count} {order} times"
    _expect_states(
        trial, lambda t, y: (a + b * t) * y, np.asarray(y0), ts, np.array(factors) * y0, case
    )


def _coupled(trial: Trial) -> None:
    """The field Ay: the state is a product of matrices I + hA, times y0."""
    matrix, y0 = trial.draw.normal(size=(3, 3)), trial.draw.normal(size=3)
    ts = np.cumsum(trial.draw.uniform(0.05, 0.4, 6))
    products = itertools.accumulate(
        (np.eye(3) + h * matrix for h in np.diff(ts)), lambda p, m: m @ p, initial=np.eye(3)
    )
    want = np.array([product @ y0 for product in products])
    case = "three coupled equations and 6 times"
    _expect_states(trial, lambda t, y: matrix @ y, y0, ts, want, case)


def _logistic(trial: Trial, dtype: str) -> None:
    y0 = trial.draw.uniform(0.1, 0.9, 4).astype(dtype)
    ts = np.cumsum(trial.draw.uniform(0.1, 0.6, 9))
    columns = []
    for y in y0.tolist():
        column = [y]
        for t, following in itertools.pairwise(ts.tolist()):
            y += (following - t) * (y - y * y + math.sin(t))
            column.append(y)
        columns.append(column)
    case = f"a field that is not linear, y0 of shape (4,), {dtype} and 9 times"
    _expect_states(
        trial, lambda t, y: y * (1 - y) + math.sin(t), y0, ts, np.transpose(columns), case
    )


# 3. convergence_order


@LESSON.exercise(
    "convergence_order",
    title="How fast does the error fall?",
    points=2,
    minutes=12,
    difficulty=2,
    importance=4,
    signature="step_sizes, errors",
    reference=convergence_order,
)
def _judge_convergence_order(trial: Trial) -> None:
    """The slope of least squares as a weighted mean of the slopes between all pairs of points."""
    _order_of(trial, np.array([0.1, 0.05, 0.025]), np.array([0.8, 0.2, 0.05]))
    for count in (2, 3, 6):
        h = trial.draw.permutation(2.0 ** -np.arange(1, count + 1)) * trial.draw.uniform(0.5, 1)
        exact = trial.draw.uniform(0.1, 10) * h ** trial.draw.uniform(0.5, 5)
        _order_of(trial, h, exact)
        _order_of(trial, h, exact * np.exp(trial.draw.uniform(-0.3, 0.3, count)))
    h = 0.5 ** np.arange(1, 6)
    noisy = trial.draw.uniform(0.1, 10) * h**2 * np.exp(trial.draw.uniform(-0.3, 0.3, 5))
    _order_of(trial, h, noisy * (np.arange(5) < 4))
    _order_of(trial, h, noisy * (np.arange(5) != 1))
    _order_of(trial, h, 1e-13 * noisy)  # a tiny number added to them bends the line visibly


def _order_of(trial: Trial, h: np.ndarray, errors: np.ndarray) -> None:
    got = trial.call(h, errors)
    points = [(math.log(a), math.log(b)) for a, b in zip(h, errors, strict=True) if b > 0]
    want = _slope(points)
    zeros = int(np.sum(errors == 0))
    case = f"For {len(h)} pairs" + (f", of which {zeros} has the error 0," if zeros else "")
    if len(h) == 3 and np.isclose(h[0], 0.1):
        case = "For step sizes [0.1, 0.05, 0.025] and errors [0.8, 0.2, 0.05]"
    if zeros and np.size(got) == 1 and np.isin(str(np.ravel(got)[0]), ("nan", "inf", "-inf")):
        trial.fail(
            f"{case} the order should be {want:.4g}; yours is {got}. The error 0 has no "
            f"logarithm: leave that pair out.",
            "zero-error",
        )
    scale = max(abs(b) for _, b in points)
    trial.expect(
        got,
        want,
        case,
        "the order should be {want}; yours is {got}",
        _misread_orders(h, errors, points, want),
        tolerance=1e-6,  # a fit in single precision is a fit
        scale=scale,
    )


def _slope(points: list[tuple[float, float]]) -> float:
    pairs = list(itertools.combinations(points, 2))
    weights = [(b[0] - a[0]) ** 2 for a, b in pairs]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs]
    return math.fsum(w * s for w, s in zip(weights, slopes, strict=True)) / math.fsum(weights)


def _misread_orders(h, errors, points, want: float) -> list[Suspect]:
    x, y = np.transpose(points)
    ends = (y[-1] - y[0]) / (x[-1] - x[0])
    said = [
        (-want, "sign", "The sign is turned: errors fall as steps get smaller, so the order is "
                        "positive."),
        (_slope([(b, a) for a, b in points]), "axes-swapped",
         "That is the slope of log(step size) over log(error)."),
        (_slope(list(zip(x, np.exp(y), strict=True))), "one-log",
         "The errors need a logarithm, too."),
        (_slope(list(zip(np.exp(x), y, strict=True))), "one-log",
         "The step sizes need a logarithm, too."),
        (_slope(list(zip(np.exp(x), np.exp(y), strict=True))), "no-log",
         "That is the slope without logarithms."),
        (np.diff(y[:2])[0] / np.diff(x[:2])[0], "first-two-only",
         "That is the slope between the first two points; all should count."),
        (ends, "ends-only", "That is the slope between the first and the last point; all should "
                            "count."),
        (np.mean(np.diff(y) / np.diff(x)), "mean-of-slopes",
         "That is the mean of the slopes between neighbours, not the line of least squares."),
        (np.sum(x * y) / np.sum(x * x), "through-origin",
         "That line is forced through the origin; it may have an offset."),
    ]  # fmt: skip
    bases = [math.log(10), 1 / math.log(10), math.log(2), 1 / math.log(2), math.log2(10)]
    said += [(want * b, "log-base", "The two logarithms have different bases.") for b in bases]
    suspects = [Suspect(*each) for each in said]
    fit = [want, float(np.mean(y) - want * np.mean(x))]
    for whole in (fit, fit[::-1]):
        why = "Those are slope and offset of the line; the order is the slope alone."
        suspects.append(Suspect(whole, "whole-fit", why))
    for base in (1.0, math.log(10), math.log(2)):
        why = "That is the offset of the line; the order is its slope."
        suspects.append(Suspect(fit[1] / base, "offset-for-slope", why))
    for value in _bent_orders(h, errors):
        why = "You add a tiny number, and it bends the line: leave out pairs with error 0."
        suspects.append(Suspect(value, "zero-error", why))
    return suspects


def _bent_orders(h, errors) -> list[float]:
    """The orders after a tiny number was added to the errors, or put in the place of a zero."""
    sizes = (1e-16, 1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-6, float(np.finfo(float).eps))
    filled = [fill for tiny in sizes for fill in (np.maximum(errors, tiny), errors + tiny)]
    return [_slope(list(zip(np.log(h), np.log(each), strict=True))) for each in filled]


# 4. ResidualStep


@LESSON.exercise(
    "ResidualStep",
    title="The step as a layer",
    points=3,
    minutes=18,
    difficulty=3,
    importance=5,
    kind="layer",
    reference=ResidualStep,
)
def _judge_residual_step(trial: Trial) -> None:
    """Fixed weights against NumPy, then weights, symbolic inputs, dtype and configuration."""
    _step_by_hand(trial)
    for shape, h in (((2, 3), None), ((2, 4, 3), 0.0), ((2, 2, 2, 3), -0.7), ((5, 3), 0.3)):
        _drawn_layer(trial, shape, h, "float32")
    if _keras_keeps_float64():
        _drawn_layer(trial, (4, 3), 0.25, "float64")
    _weights_after_build(trial)
    _step_in_a_model(trial)
    _step_from_config(trial)


def _dense(kernel, bias, activation: str | None, dtype: str = "float32") -> keras.layers.Layer:
    def exactly(values):  # keras.initializers.Constant keeps single precision on torch
        return lambda shape, dtype=None: keras.ops.convert_to_tensor(values, dtype)

    return keras.layers.Dense(
        len(bias),
        activation,
        kernel_initializer=exactly(kernel),
        bias_initializer=exactly(bias),
        dtype=dtype,
    )


def _keras_keeps_float64() -> bool:
    """Whether Dense computes in double precision when told so: not on every backend."""
    dense = _dense(np.array([[0.1]]), np.array([0.2]), "tanh", "float64")
    got = keras.ops.convert_to_numpy(dense(np.array([[0.3]])))
    return abs(got.item() - math.tanh(0.23)) < 1e-12


def _step_by_hand(trial: Trial) -> None:
    asked = "ResidualStep(residual, step_size=0.5), where residual(y) = 3 y, on y = [[2.0]]"
    residual = _dense(np.array([[3.0]]), np.array([0.0]), None)
    layer = trial.run(lambda: trial.answer(residual, step_size=0.5), asked)
    trial.expect(
        trial.run(lambda: layer(np.array([[2.0]], "float32")), asked),
        np.array([[5.0]], "float32"),
        "With residual(y) = 3 y and step_size = 0.5, from y = [[2.]]",
        "the layer should give {want}; yours gives {got}",
        [
            Suspect([[3.0]], "change-not-state", "That is the change, not the new state."),
            Suspect([[8.0]], "step-ignored", "That is y + residual(y): the step is not used."),
            Suspect([[4.0]], "step-on-the-sum", "The step scales y, too; only the slope is "
                                                "scaled."),
            Suspect([[7.0]], "step-on-state", "The step scales y; it should scale the slope."),
            Suspect([[-1.0]], "sign", "You moved against the slope."),
        ],
    )  # fmt: skip


def _drawn_layer(trial: Trial, shape: tuple[int, ...], h: float | None, dtype: str) -> None:
    draw, given = trial.draw, {} if h is None else {"step_size": h}
    kernel, bias, x = draw.normal(size=(3, 3)), draw.normal(size=3), draw.normal(size=shape)
    kernel, bias, x = (each.astype(dtype) for each in (kernel, bias, x))
    words = "no step_size" if h is None else f"step_size = {h}"
    asked = f"ResidualStep with {words} on y of shape {shape}, {dtype}"
    layer = trial.run(
        lambda: trial.answer(_dense(kernel, bias, "tanh", dtype), dtype=dtype, **given), asked
    )
    h, y = 1.0 if h is None else h, x.astype("float64")

    def slope(state):
        return np.tanh(np.einsum("...i,io->...o", state, kernel) + bias)

    trial.expect(
        trial.run(lambda: layer(x), asked),
        (y + h * slope(y)).astype(dtype),
        f"With {words} and a residual Dense(3, tanh), on y of shape {shape},",
        "the layer should give {want}; yours gives {got}",
        [
            Suspect(y + slope(y), "step-ignored", "The step size is not used."),
            Suspect(np.maximum(y + h * slope(y), 0), "relu-after-addition",
                    "You apply a ReLU after the addition: then it is no Euler step."),
            Suspect(np.tanh(y + h * slope(y)), "activation-after-addition",
                    "You apply an activation after the addition: then it is no Euler step."),
            Suspect(y + slope(h * y), "step-inside",
                    "The step scales what goes into the residual; it should scale what comes out."),
            Suspect(y - h * slope(y), "sign", "You moved against the slope."),
            Suspect(y, "residual-unused", "That is y itself."),
        ],
        dtype=dtype,
    )  # fmt: skip


def _weights_after_build(trial: Trial) -> None:
    asked = "build((None, 3)) of a ResidualStep whose residual is Dense(3)"
    layer = trial.run(lambda: trial.answer(keras.layers.Dense(3), step_size=0.5), asked)
    trial.run(lambda: layer.build((None, 3)), asked)
    shapes = sorted(tuple(weight.shape) for weight in layer.trainable_weights)
    if shapes == [(3,), (3, 3)]:
        return
    wanted = f"After {asked}, there should be 2 trainable weights, of shapes (3, 3) and (3,)"
    if not shapes:
        trial.fail(f"{wanted}; yours has none. build should build the sub-layer.", "not-built")
    trial.fail(f"{wanted}; yours has {len(shapes)}, of shapes {shapes}.", "wrong-weights")


def _step_in_a_model(trial: Trial) -> None:
    asked = "a ResidualStep while a model is built; the input has shape (None, 3)"
    layer = trial.run(lambda: trial.answer(keras.layers.Dense(3), step_size=0.5), asked)
    got = trial.run(lambda: layer(keras.KerasTensor((None, 3))), asked)
    if not isinstance(got, keras.KerasTensor) or tuple(got.shape) != (None, 3):
        trial.fail(
            f"While a model is built, an input of shape (None, 3) should give an output of that "
            f"shape; yours is a {type(got).__name__} of shape {getattr(got, 'shape', None)}.",
            "wrong-shape",
        )


def _step_from_config(trial: Trial) -> None:
    h = round(float(trial.draw.uniform(0.1, 0.4)), 2)
    asked = f'get_config() of ResidualStep(Dense(3, "tanh"), step_size={h}, name="block_7")'
    residual = keras.layers.Dense(3, activation="tanh")
    layer = trial.run(lambda: trial.answer(residual, step_size=h, name="block_7"), asked)
    config = trial.run(layer.get_config, asked)
    _expect_config(trial, config, asked)
    _expect_serialized(trial, layer, config, asked)
    asked = "from_config(get_config())"
    copied = trial.run(lambda: type(layer).from_config(config), asked)
    trial.run(lambda: copied.build((None, 3)), f"build of {asked}")
    kernel, bias, y = trial.draw.normal(size=(3, 3, 3)).astype("float32")
    if len(copied.weights) != 2 or copied.name != "block_7":
        trial.fail(
            f"{asked} should give a layer block_7 with 2 weights; yours is {copied.name} with "
            f"{len(copied.weights)}.",
            "config-incomplete",
        )
    copied.set_weights([kernel, bias[0]])
    slope = np.tanh(np.einsum("ni,io->no", y.astype("float64"), kernel) + bias[0])
    trial.expect(
        trial.run(lambda: copied(y), f"the layer made by {asked}"),
        (y + h * slope).astype("float32"),
        f"The layer made by {asked} with step_size = {h}",
        "should give {want}; yours gives {got}",
        [
            Suspect(y + slope, "config-incomplete", "It has step_size 1: the step got lost."),
            Suspect(y + h * np.arctanh(slope), "config-incomplete", "The activation got lost."),
        ],
    )


def _expect_config(trial: Trial, config, asked: str) -> None:
    if not isinstance(config, dict):
        kind = "no-return" if config is None else "wrong-type"
        what = "None. Is there a `return`?" if config is None else f"{config!r:.60}."
        trial.fail(f"{asked} should return a dictionary; yours returned {what}", kind)
    for key, why in (
        ("step_size", "an argument of yours"),
        ("residual", "an argument of yours"),
        ("name", "what the base class knows: see super().get_config()"),
    ):
        if key not in config:
            trial.fail(f"{asked} has no entry {key!r}. It is {why}.", "config-incomplete")
    try:
        json.dumps(config)
    except TypeError:
        trial.fail(
            f"{asked} holds something that no file can hold, such as the sub-layer itself. "
            f"Keras turns a layer into words: keras.saving.serialize_keras_object.",
            "config-raw-layer",
        )


def _expect_serialized(trial: Trial, layer, config: dict, asked: str) -> None:
    """If `from_config` can make no layer of it, the entry is wrong, and not what fails later."""
    entry = config["residual"]
    if isinstance(entry, dict) and "class_name" in entry:
        return
    try:
        trial.run(lambda: type(layer).from_config(config).build((None, 3)), "from_config")
    except LearnerError:
        trial.fail(
            f"{asked} has the entry residual = {entry!r:.40} (a {type(entry).__name__}). "
            f"`residual` must be what serialize_keras_object returns.",
            "config-not-serialized",
        )


# 5. residual_net


@LESSON.exercise(
    "residual_net",
    title="A network of Euler steps",
    points=3,
    minutes=12,
    difficulty=3,
    importance=5,
    signature="depth, width, step_size",
    reference=residual_net,
    needs=("01.ResidualStep",),
)
def _judge_residual_net(trial: Trial) -> None:
    """Names, number of weights, and a forward pass in NumPy with drawn weights."""
    _net_of(trial, int(trial.draw.integers(2, 5)), 3, float(trial.draw.uniform(0.2, 0.5)))
    _net_of(trial, 0, 4, 1.0)
    _net_of(trial, 1)


def _net_of(trial: Trial, depth: int, *others: float) -> None:
    width, h = others or (16, 1.0)
    asked = f"residual_net({', '.join(f'{each:.3g}' for each in (depth, *others))})"
    model = _made(trial, lambda: trial.answer(depth, *others), asked)
    _expect_model(trial, model, asked)
    _expect_layers(trial, model, depth, asked)
    _expect_trainable(trial, model, asked)
    _expect_count(trial, model, depth, width, asked)
    layers = [model.get_layer(name) for name in _net_names(depth)]
    weights = []
    for layer in layers:
        drawn = [trial.draw.normal(size=w.shape).astype("float32") for w in layer.get_weights()]
        layer.set_weights(drawn)
        weights.append(drawn)
    _expect_shapes(trial, weights, width, asked)
    x = trial.draw.normal(scale=0.2, size=(5, 64)).astype("float32")
    trial.expect(
        trial.run(lambda: model(x), f"{asked} on 5 samples"),
        _forward(x, weights, h).astype("float32"),
        f"{asked} with drawn weights, on 5 samples,",
        "the probabilities should be {want}; yours are {got}",
        _misread_nets(x, weights, h),
        scale=1.0,
    )
    _expect_blocks(trial, layers[1:-1], weights, x, h)


def _made(trial: Trial, make, asked: str):
    """The learner's network; of some exceptions we know the reason better than Keras does."""
    try:
        return trial.run(make, asked)
    except LearnerError as error:
        said = str(error.original)
        if "residual" in said and "KerasTensor" in said:
            trial.fail(
                f"In {asked} the residual is a tensor, not a layer. Give ResidualStep the layer "
                f"Dense(width), then call the block on x.",
                "tensor-for-layer",
            )
        if re.search(r"Cannot convert '?64'? to a shape", said):
            trial.fail(
                f"In {asked} keras.Input was given the number 64; a shape is a tuple. A tuple of "
                f"one needs a comma: (64,).",
                "tuple-without-comma",
            )
        raise


def _expect_blocks(trial: Trial, blocks: list, weights: list, x, h: float) -> None:
    """Each layer named block_k, called on a state, gives the next one: not its slope."""
    (first, bias), *inner, _ = weights
    y = np.einsum("ni,io->no", x.astype("float64"), first) + bias
    for block, (kernel, shift) in zip(blocks, inner, strict=True):
        slope, name = np.tanh(np.einsum("ni,io->no", y, kernel) + shift), block.name
        following = y + h * slope
        why = (
            f"{name} computes only the change; the step must be inside the layer named {name}: "
            f"use ResidualStep."
        )
        state = y.astype("float32")
        trial.expect(
            trial.run(lambda layer=block, state=state: layer(state), f"{name} on a state"),
            following.astype("float32"),
            f"The network is right, but the layer {name} alone, called on a state,",
            "should give {want}, the next state; yours gives {got}",
            [Suspect(slope, "step-outside", why), Suspect(h * slope, "step-outside", why)],
            scale=float(np.abs(y).max()),
        )
        y = following


def _net_names(depth: int) -> list[str]:
    return ["stem", *(f"block_{k + 1}" for k in range(depth)), "head"]


def _expect_model(trial: Trial, model, asked: str) -> None:
    if not isinstance(model, keras.Model):
        what = "None. Is there a `return`?" if model is None else f"a {type(model).__name__}."
        kind = "no-return" if model is None else "wrong-type"
        trial.fail(f"{asked} should return a keras.Model; yours returned {what}", kind)
    if not model.built or not getattr(model, "inputs", None):
        trial.fail(
            f"{asked} should know that it takes 64 numbers; yours has no input yet. A model "
            f"begins with keras.Input.",
            "input-missing",
        )
    shapes = tuple(model.inputs[0].shape), tuple(model.outputs[0].shape)
    if shapes != ((None, 64), (None, 10)):
        trial.fail(
            f"{asked} should lead from shape (None, 64) to (None, 10); yours leads from "
            f"{shapes[0]} to {shapes[1]}.",
            "wrong-shape",
        )


def _expect_layers(trial: Trial, model, depth: int, asked: str) -> None:
    names = [each.name for each in model.layers if not isinstance(each, keras.layers.InputLayer)]
    wanted = _net_names(depth)
    if set(wanted) <= set(names) and f"block_{depth + 1}" not in names:
        return
    said = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    blocks = sum(name.startswith("block_") for name in names)
    sentence = f"{asked} should have the layers {', '.join(wanted)}; yours has {said}."
    if _is_loose(names, depth):
        trial.fail(
            f"{sentence} Hand each result on: a block whose result nothing uses is no part of the "
            f"model.",
            "not-chained",
        )
    if blocks != depth and (blocks or not depth):
        trial.fail(f"{sentence} It should have {depth} blocks.", "block-count")
    trial.fail(f"{sentence} hidden_states will look for these names.", "layer-names")


def _is_loose(names: list[str], depth: int) -> bool:
    """Whether stem and head are there, and of the blocks none, or the last alone."""
    return depth > 0 and names in (["stem", "head"], ["stem", f"block_{depth}", "head"])


def _expect_trainable(trial: Trial, model, asked: str) -> None:
    frozen = sum(not weight.trainable for weight in model.weights)
    if frozen:
        trial.fail(
            f"Training should be able to change every weight of {asked}; in yours {frozen} arrays "
            f"of weights are frozen.",
            "frozen-weights",
        )


def _expect_count(trial: Trial, model, depth: int, width: int, asked: str) -> None:
    stem, block, head = 65 * width, (width + 1) * width, 10 * (width + 1)
    want, got = stem + depth * block + head, model.count_params()
    if got == want:
        return
    sentence = f"{asked} should have {want} weights; yours has {got}."
    if depth > 1 and got == stem + block + head:
        trial.fail(f"{sentence} Your blocks share one Dense layer.", "shared-weights")
    trial.fail(
        f"{sentence} That is 64 * {width} + {width} in the stem, {width} * {width} + {width} in "
        f"each block, {width} * 10 + 10 in the head.",
        "weight-count",
    )


def _expect_shapes(trial: Trial, weights: list, width: int, asked: str) -> None:
    for name, drawn, (n, m) in zip(
        _net_names(len(weights) - 2),
        weights,
        [(64, width), *[(width, width)] * (len(weights) - 2), (width, 10)],
        strict=True,
    ):
        shapes = [w.shape for w in drawn]
        if shapes != [(n, m), (m,)]:
            trial.fail(
                f"In {asked}, {name} should hold weights of shapes ({n}, {m}) and ({m},); "
                f"yours holds {shapes}.",
                "wrong-weights",
            )


def _forward(x, weights, h, *, stem=None, field=np.tanh, skip=1.0, head=None) -> np.ndarray:
    """The network in NumPy, in float64; `None` stands for no activation, and for softmax."""
    (first, bias), *blocks, (last, offset) = weights
    y = np.einsum("ni,io->no", x.astype("float64"), first) + bias
    y = stem(y) if stem else y
    for kernel, shift in blocks:
        y = skip * y + h * field(np.einsum("ni,io->no", y, kernel) + shift)
    scores = np.einsum("ni,io->no", y, last) + offset
    if head:
        return head(scores)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def _misread_nets(x, weights, h) -> list[Suspect]:
    said = [
        ({"head": lambda s: s}, "no-softmax",
         "Those are scores: the head needs a softmax, so that each row sums to 1."),
        ({"head": lambda s: 1 / (1 + np.exp(-s))}, "sigmoid-head",
         "That is a sigmoid: with a softmax, the ten probabilities sum to 1."),
        ({"stem": np.tanh}, "stem-activation", "The stem should have no activation."),
        ({"stem": lambda y: np.maximum(y, 0)}, "stem-activation",
         "The stem should have no activation."),
        ({"field": lambda y: y}, "linear-field", "The slope in each block needs its tanh."),
        ({"field": lambda y: np.maximum(y, 0)}, "other-activation",
         "The slope in each block should be a tanh, not a ReLU."),
        ({"skip": 0.0}, "no-skip", "Your blocks replace the state; they should add to it."),
    ]  # fmt: skip
    suspects = [Suspect(_forward(x, weights, h, **how), name, why) for how, name, why in said]
    ignored = Suspect(_forward(x, weights, 1.0), "step-ignored", "step_size is not passed on.")
    why = "step_size is already the step of each block."
    divided = Suspect(_forward(x, weights, h / max(len(weights) - 2, 1)), "step-divided", why)
    return [ignored, divided, *suspects]


# 6. hidden_states

SYMBOLIC = "`layer.output` is symbolic, a plan without numbers; call the layer on `x`."


@LESSON.exercise(
    "hidden_states",
    title="The trajectory of a sample",
    points=2,
    minutes=13,
    difficulty=3,
    importance=5,
    signature="model, x",
    reference=hidden_states,
    needs=("01.residual_net", "01.ResidualStep"),
    limit=20.0,  # a second model and its `predict` are right, and slow
)
def _judge_hidden_states(trial: Trial) -> None:
    """Chains of Dense layers with drawn weights, followed in NumPy."""
    _states_of(trial, 2, 3, 4)
    _states_of(trial, 0, 2, 3)
    _states_of(trial, 11, 2, 40)


def _states_of(trial: Trial, depth: int, width: int, samples: int) -> None:
    tensor = inputs = keras.Input((64,))
    for name in _net_names(depth):
        tensor = keras.layers.Dense(10 if name == "head" else width, name=name)(tensor)
    model = keras.Model(inputs, tensor)
    drawn = [trial.draw.normal(size=w.shape).astype("float32") for w in model.get_weights()]
    model.set_weights(drawn)
    x = trial.draw.normal(size=(samples, 64)).astype("float32")
    states = [x.astype("float64")]
    for kernel, bias in zip(drawn[:-2:2], drawn[1:-2:2], strict=True):
        states.append(np.einsum("ni,io->no", states[-1], kernel) + bias)
    want = np.array(states[1:])
    blocks = "1 block" if depth == 1 else f"{depth} blocks"
    case = f"For {blocks}, width {width} and {samples} samples"
    kept = x.copy()
    got = _followed(trial, lambda: trial.answer(model, x), case)
    if not np.array_equal(x, kept):
        trial.changed = "x"
    _expect_one_array(trial, got, case, want.shape)
    trial.expect(
        got,
        want.astype("float32"),
        case,
        "the states should be {want}; yours are {got}",
        _misread_states(model, x, want, depth),
        scale=float(np.abs(want).max()),
    )


def _followed(trial: Trial, follow, case: str):
    """The learner's states; of some exceptions we know the reason better than Keras does."""
    try:
        return trial.run(follow, f"hidden_states(model, x): {case[4:]}")
    except LearnerError as error:
        if "KerasTensor is symbolic" in str(error.original):
            trial.fail(
                f"{case} your code asked a tensor for its numbers. {SYMBOLIC}", "symbolic-output"
            )
        frames = [frame for frame, _ in traceback.walk_tb(error.original.__traceback__)]
        if any(isinstance(each.f_locals.get("self"), keras.layers.InputLayer) for each in frames):
            trial.fail(
                f"{case} your code called an InputLayer. The first entry of model.layers is an "
                f"InputLayer, which computes nothing: leave it out.",
                "input-layer",
            )
        raise


def _expect_one_array(trial: Trial, got, case: str, shape: tuple[int, ...]) -> None:
    if got is None or isinstance(got, np.ndarray):
        return
    what = type(got).__name__
    parts = got if isinstance(got, list | tuple) else [got]
    if any(isinstance(part, keras.KerasTensor) for part in parts):
        trial.fail(f"{case} yours returned tensors without numbers. {SYMBOLIC}", "symbolic-output")
    if isinstance(got, list | tuple):
        what += f" of {len(got)}"
    trial.fail(
        f"{case} the result should be one NumPy array of shape {shape}; yours is a {what}.",
        "not-an-array",
    )


def _misread_states(model, x, want: np.ndarray, depth: int) -> list[Suspect]:
    suspects = [
        Suspect(np.swapaxes(want, 0, 1), "samples-first", "The depth should be the first axis."),
        Suspect(want[-1], "last-only", "Those are the last states alone."),
    ]
    if not depth:
        why = (
            "The first axis is missing: there is one state, so it has length 1. A model with one "
            "output returns one array, not a list of one."
        )
        suspects[1] = Suspect(want[-1], "first-axis-missing", why)
    if depth:
        added = [want[0]]
        for k in range(1, depth + 1):
            kernel, bias = model.get_layer(f"block_{k}").get_weights()
            added.append(added[-1] + np.einsum("ni,io->no", added[-1], kernel) + bias)
        suspects += [
            Suspect(want[1:], "first-state-missing",
                    "The state before the first block, which comes out of the stem, is missing."),
            Suspect(want[:-1], "one-too-few", "The state after the last block is missing."),
            Suspect(want[:1], "class-not-name",
                    "No block was found. Here the blocks are layers of another class; look for "
                    "names that begin with block_."),
            Suspect(np.diff(want, axis=0), "change-not-state",
                    "Those are the changes, not the states."),
            Suspect(added, "state-added",
                    "A block returns the new state; you add it to the old one."),
        ]  # fmt: skip
    if depth > 9:
        order = sorted(range(1, depth + 1), key=str)
        why = "The blocks are in alphabetical order, where block_10 comes before block_2."
        suspects.append(Suspect(want[[0, *order]], "alphabetical", why))
        walked = [want[0]]
        for k in order:
            kernel, bias = model.get_layer(f"block_{k}").get_weights()
            walked.append(np.einsum("ni,io->no", walked[-1], kernel) + bias)
        suspects.append(Suspect(np.array(walked), "alphabetical", why))
    return suspects
