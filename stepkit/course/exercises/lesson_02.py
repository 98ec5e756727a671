"""Lesson 02, higher order: the pieces that `use` hands out, the oracles, and the questions."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

from stepkit import layers, ode
from stepkit._backend import vjp
from stepkit.course.exercise import Lesson, Option
from stepkit.course.exercises.lesson_01 import slope_left_alone
from stepkit.course.outcome import LearnerError
from stepkit.course.trial import Suspect, Trial
from stepkit.ode.order_conditions import order_of

LESSON = Lesson("02")


# What `use` hands out.


def rk_step(A, b, c, f, t, y, h):  # noqa: N803
    """One explicit Runge-Kutta step from `t` to `t + h` with the tableau `A, b, c`."""
    return ode.ExplicitRungeKutta(ode.ButcherTableau(A, b, c)).step(f, t, y, h)


def order_conditions(A, b, c):  # noqa: N803
    """Order of an explicit tableau whose `c` are the row sums of `A`: 0 to 4."""
    return order_of(A, b, max_order=4)


def rk4_tableau():
    """The classical Runge-Kutta method of order 4: `A, b, c`."""
    tableau = ode.RK4().tableau
    return np.array(tableau.a), np.array(tableau.b), np.array(tableau.c)


def swap_solver(block, solver, num_steps):
    """A new ODEBlock around the field of `block`, run by another solver."""
    return type(block)(block.field, solver, num_steps)


# Questions.

LESSON.question(
    "halving",
    "Heun's method takes the mean of two slopes. You halve its step. By what is the error at the "
    "end of a fixed time divided, roughly?",
    right="b",
    a=Option(
        "2",
        "That is Euler's rate. The second slope cancels the h term of the error; the h^2 term "
        "stays.",
        "order-one-always",
    ),
    b=Option("4", "The method has order 2: the error goes like h^2, and (1/2)^2 = 1/4."),
    c=Option(
        "8",
        "8 is for one step: its error goes like h^3. Over a fixed time there are twice as many "
        "steps, so a factor of 2 is lost.",
        "local-not-global",
    ),
    d=Option(
        "1: two slopes are used either way",
        "The number of slopes in a step stays. The length of the step does not.",
        "stages-not-step",
    ),
)

LESSON.question(
    "simpson",
    "A method of 3 stages has `b = (1/6, 2/3, 1/6)`, the weights of Simpson's rule, which "
    "integrates polynomials of degree 3 exactly. Its second stage looks half a step ahead. Its "
    "third looks a whole step ahead, with the second slope. Which order does it have?",
    right="b",
    a=Option(
        "4, as Simpson's rule",
        "The weights alone make order 4 for slopes that depend on t only. Where the slope depends "
        "on y, the conditions with A count: the sum of b_i a_ij c_j is 1/12 here, not 1/6.",
        "quadrature-only",
    ),
    b=Option(
        "2",
        "The sum of b_i a_ij c_j is 1/12 here, not 1/6. Kutta's method of order 3 has the same b "
        "and another third row of A: (-1, 2, 0).",
    ),
    c=Option(
        "3, one per stage",
        "Three stages can have order 3. These do not: the sum of b_i a_ij c_j is 1/12, not 1/6.",
        "stages-are-order",
    ),
    d=Option(
        "1",
        "It is better than Euler: b sums to 1 and the sum of b_i c_i is 1/2, which makes order 2.",
        "any-change-ruins",
    ),
)

LESSON.question(
    "stages",
    "Heun has 2 stages and order 2, RK4 has 4 stages and order 4. Up to order 5 there are 17 "
    "conditions, and with 5 stages there are 15 numbers in A and b. What holds for an explicit "
    "method with 5 stages?",
    right="c",
    a=Option(
        "its order is 5",
        "15 numbers would have to meet 17 conditions. For explicit methods they cannot.",
        "stages-are-order",
    ),
    b=Option(
        "its order is at least 4",
        "Nothing forces that: five stages with poor weights can have order 1, or 0.",
        "stages-guarantee-order",
    ),
    c=Option(
        "its order is at most 4",
        "Order 5 takes 6 stages; the count 15 < 17 is a hint of it, the proof is longer. That is "
        "one reason why RK4 became the classic.",
    ),
    d=Option(
        "there is no such method",
        "There are many. Some use the extra stage to estimate the error: lesson 04.",
        "stages-are-order",
    ),
)

LESSON.question(
    "same_work",
    "Each method may evaluate the slope 16 times. Which ends closest to the exact solution of the "
    "circle after 3 units of time?",
    right="c",
    a=Option(
        "Euler, because its 16 steps are the shortest",
        "Its steps are the shortest, but its error shrinks like h only.",
        "small-steps-win",
    ),
    b=Option(
        "Heun with 8 steps: a compromise",
        "It beats Euler, and RK4 beats it: the power of h counts for more than the length of h.",
        "compromise-wins",
    ),
    c=Option("RK4 with 4 steps", "Four long steps of order 4 beat sixteen short ones of order 1."),
    d=Option(
        "all the same: equal work, equal error",
        "Work is spent well or badly. With 16 evaluations the errors are 0.308, 0.065 and 0.0056, "
        "a factor of about 50; with 256 there are five powers of ten between them.",
        "work-is-accuracy",
    ),
)

LESSON.question(
    "weights",
    "An ODE block runs Euler with 4 steps. You change to RK4 with 8 steps. What happens to the "
    "number of its trainable weights?",
    right="a",
    a=Option(
        "it stays the same",
        "The weights belong to the field. Steps and stages only ask the field more often.",
    ),
    b=Option(
        "it doubles, with the steps",
        "That is lesson 01's residual net, with a residual of its own in each block.",
        "weights-per-step",
    ),
    c=Option(
        "it grows eightfold: twice the steps, four stages each",
        "The work grows eightfold. The stages have no weights of their own.",
        "weights-per-stage",
    ),
    d=Option(
        "it grows by the numbers of the tableau",
        "The tableau is fixed: 1/6 and 1/3 are not trained.",
        "tableau-is-trained",
    ),
)

LESSON.question(
    "swap",
    "The block was trained with 2 Euler steps. You run the same weights with RK4, without "
    "training. What happens to the accuracy on new images?",
    right="c",
    a=Option(
        "it rises, because RK4 is more accurate",
        "RK4 solves the ODE of the field more accurately. Nobody asked for that: the weights were "
        "fitted to what two Euler steps make of the field.",
        "accurate-solver-accurate-net",
    ),
    b=Option(
        "it stays, because field and weights are the same",
        "The field is the same, the function from input to output is not: with two steps, "
        "Euler's end point is far from the flow.",
        "field-is-network",
    ),
    c=Option(
        "it falls",
        "The weights were fitted to what two Euler steps make of the field, errors included.",
    ),
    d=Option(
        "to 10 %, pure chance",
        "The two solvers still follow the same field, so much of the answer survives.",
        "swap-destroys-all",
    ),
)

LESSON.question(
    "what_was_learnt",
    "A block trained with Euler keeps its accuracy when you swap in RK4 and when you take four "
    "times as many steps. What may you conclude?",
    right="d",
    a=Option(
        "the network is more accurate with RK4",
        "Its accuracy is the same. What the swap tells is something else.",
        "accurate-solver-accurate-net",
    ),
    b=Option(
        "the field is the true law behind the data",
        "The swap compares two solvers of one field. It says nothing about other fields.",
        "flow-is-truth",
    ),
    c=Option(
        "Euler makes no error on this field",
        "It makes one, small enough that the predictions do not mind.",
        "no-error",
    ),
    d=Option(
        "here the answer hardly depends on the solver: an ODE describes the block",
        "Then it makes sense to speak of the flow, and to choose the solver by its cost.",
    ),
)


# 1. heun_step


@LESSON.exercise(
    "heun_step",
    title="Heun's step",
    points=1,
    minutes=4,
    difficulty=1,
    importance=4,
    signature="f, t, y, h",
    reference=ode.Heun().step,
)
def _judge_heun_step(trial: Trial) -> None:
    """By hand; then the trapezoidal rule for slopes of t alone, a Taylor sum for linear ones."""
    _once_by_hand(trial)
    _slope_of_time(trial)
    _from_whole_numbers(trial)
    slope_left_alone(trial, lambda f, y: trial.call(f, 0.5, y, 0.25))
    for shape in ((), (3,), (4, 2), (2, 3, 2, 1)):
        _trapezoid(trial, shape)
        _taylor_of_two(trial, shape)


def _once_by_hand(trial: Trial) -> None:
    got = trial.call(lambda t, y: -y, 0.0, 1.0, 0.4)
    trial.expect(
        got,
        0.68,
        "From y = 1.0 with slope -y and h = 0.4",
        "a step should land at {want}; yours landed at {got}",
        [
            Suspect(
                0.6, "look-ahead-ignored",
                "That is Euler's step: the second slope belongs to the trial state y + h * k1.",
            ),
            Suspect(0.76, "second-slope-only", "The second slope was used alone: take the mean."),
            Suspect(0.36, "mean-forgotten", "The slopes were added up; Heun takes their mean."),
            Suspect(0.56, "half-of-one", "Both slopes count one half: 0.5 * (k1 + k2)."),
            Suspect(0.48, "half-of-one", "Both slopes count one half: 0.5 * (k1 + k2)."),
            Suspect(
                0.8, "trial-without-step",
                "The second slope was taken a whole unit ahead: the trial state lacks its h.",
            ),
            Suspect(
                0.28, "state-overwritten",
                "The mean was added to the trial state. Go back: the step starts from y.",
            ),
            Suspect(0.2, "step-size-forgotten", "The last line lacks its h."),
            Suspect(
                0.8528, "step-size-twice",
                "One h too many: a slope is multiplied by h once, wherever it is used.",
            ),
            Suspect(0.92, "arguments-swapped", "f takes the time first: f(t, y)."),
            Suspect(-0.32, "change-not-state", "That is the change, not the new state."),
            Suspect(1.32, "sign", "You moved with the wrong sign."),
        ],
    )  # fmt: skip


def _from_whole_numbers(trial: Trial, *tableau: np.ndarray) -> None:
    """A step of Heun's method, or of what its tableau is given to."""
    trial.expect_of_whole_numbers(
        lambda: trial.call(*tableau, lambda t, y: -1.0 * y, 0.0, np.array([1, 2]), 0.5),
        np.array([0.625, 1.25]),
        "From y = [1, 2], whole numbers, with slope -y and h = 0.5 by Heun's method",
        "a step should land at {want}; yours landed at {got}",
    )


def _slope_of_time(trial: Trial) -> None:
    asked: list[float] = []

    def slope(time: Any, state: Any) -> Any:
        asked.append(float(time))
        return time**2 + 0.0 * state

    got = trial.call(slope, 1.0, 0.0, 2.0)
    trial.expect(
        got,
        10.0,  # slopes 1 and 9
        "From t = 1, y = 0 with slope t^2 and h = 2",
        "a step should land at {want}; yours landed at {got}",
        [
            Suspect(
                2.0, "time-not-advanced",
                "Both slopes were taken at t = 1. The second belongs to the time t + h.",
            ),
            Suspect(5.0, "time-without-step", "The second slope belongs to the time t + h."),
            Suspect(
                8.0, "midpoint",
                "That is the midpoint method. Heun looks at the end of the step, t + h.",
            ),
        ],
    )  # fmt: skip
    if len(asked) > 2:
        trial.fail(
            f"One step of Heun's method should call f 2 times; yours called it {len(asked)} times. "
            f"Keep the slopes: each call of f is the costly part.",
            "wasted-evaluations",
        )


def _trapezoid(trial: Trial, shape: tuple[int, ...]) -> None:
    """A slope of t alone: the step is the trapezoidal rule."""
    from scipy import integrate

    y, size = trial.draw.normal(size=(2, *shape))
    t, h = (float(x) for x in trial.draw.uniform(-1, 1, 2))
    got = trial.call(
        lambda time, state: np.cos(3 * time) * size + 0.0 * state, t, y if shape else float(y), h
    )
    _left_alone(trial, got)
    trial.expect(
        got,
        y + integrate.trapezoid(np.cos([3 * t, 3 * t + 3 * h]), dx=h) * size,
        f"For a slope that depends on t only, y of shape {shape} and h = {h:.3g}",
        "the step should give {want}; yours gives {got}",
        scale=10.0,
    )


def _taylor_of_two(trial: Trial, shape: tuple[int, ...]) -> None:
    """For y' = k y the step multiplies y by 1 + z + z^2 / 2, where z = k h."""
    rate, y = trial.draw.normal(size=(2, *shape))
    t, h = (float(x) for x in trial.draw.uniform(-1, 1, 2))
    got = trial.call(lambda time, state: rate * state, t, y if shape else float(y), h)
    _left_alone(trial, got)
    z = h * rate
    trial.expect(
        got,
        (1 + z + z**2 / 2) * y,
        f"For the slope k * y with drawn k, y of shape {shape} and h = {h:.3g}",
        "the step should give {want}; yours gives {got}",
        scale=10.0,
    )


def _left_alone(trial: Trial, got: Any) -> None:
    """A changed input spoils the result too: it is named before the numbers."""
    if got is not None and trial.changed is not None:
        trial.fail(
            f"The input {trial.changed} should be as it was; yours changed it. `z = y` makes a "
            f"second name, no copy, and `z += ...` then changes y too: write `z = z + ...`.",
            "mutates-input",
        )


# 2. rk_step

EULER = ([[0.0]], [1.0], [0.0])
HEUN = ([[0, 0], [1, 0]], [1 / 2, 1 / 2], [0, 1])
CLASSIC = (
    [[0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 1 / 2, 0, 0], [0, 0, 1, 0]],
    [1 / 6, 1 / 3, 1 / 3, 1 / 6],
    [0, 1 / 2, 1 / 2, 1],
)
THREE_EIGHTHS = (
    [[0, 0, 0, 0], [1 / 3, 0, 0, 0], [-1 / 3, 1, 0, 0], [1, -1, 1, 0]],
    [1 / 8, 3 / 8, 3 / 8, 1 / 8],
    [0, 1 / 3, 2 / 3, 1],
)
KUTTA = ([[0, 0, 0], [1 / 2, 0, 0], [-1, 2, 0]], [1 / 6, 2 / 3, 1 / 6], [0, 1 / 2, 1])
SIMPSON = ([[0, 0, 0], [1 / 2, 0, 0], [0, 1, 0]], [1 / 6, 2 / 3, 1 / 6], [0, 1 / 2, 1])


@LESSON.exercise(
    "rk_step",
    title="One Runge-Kutta step, for any tableau",
    points=3,
    minutes=12,
    difficulty=3,
    importance=5,
    signature="A, b, c, f, t, y, h",
    reference=rk_step,
)
def _judge_rk_step(trial: Trial) -> None:
    """Heun by hand, Taylor sums for linear slopes, SciPy's own steps for the rest."""
    _heun_by_hand(trial)
    _stage_times(trial)
    _with_three_stages(trial)
    _with_a_full_row(trial)
    _from_whole_numbers(trial, *_arrays(HEUN))
    slope_left_alone(trial, lambda f, y: trial.call(*_arrays(HEUN), f, 0.5, y, 0.25))
    for stages, shape in ((1, ()), (2, (3,)), (3, (4, 2)), (4, (2, 3, 2, 1)), (7, (2,))):
        _linear_slope(trial, stages, shape)
    _as_scipy(trial)


def _heun_by_hand(trial: Trial) -> None:
    got = trial.call(*_arrays(HEUN), lambda t, y: -y, 0.0, 1.0, 0.4)
    twice = "One h too many: slopes are multiplied by h once, in the stage and in the sum."
    trial.expect(
        got,
        0.68,
        "From y = 1.0 with slope -y, h = 0.4 and Heun's tableau",
        "a step should land at {want}; yours landed at {got}",
        [
            Suspect(
                0.6, "stages-ignored",
                "That is Euler's step: both slopes were taken at the start. Row i of A says how "
                "far stage i looks ahead.",
            ),
            Suspect(
                0.8, "stage-without-step",
                "The second slope was taken a whole unit ahead: the stage lacks its h.",
            ),
            Suspect(0.8528, "step-size-twice", twice),
            Suspect(0.872, "step-size-twice", twice),
            Suspect(0.632, "step-size-twice", twice),
            Suspect(0.2, "step-size-forgotten", "The final sum lacks its h."),
            Suspect(
                0.64, "b-in-stages",
                "The second slope was taken at the wrong place: b belongs to the final sum, A to "
                "the stages.",
            ),
            Suspect(
                0.28, "state-overwritten",
                "The sum was added to the last stage. Every stage and the sum start from y.",
            ),
            Suspect(0.92, "arguments-swapped", "f takes the time first: f(t, y)."),
            Suspect(-0.32, "change-not-state", "That is the change, not the new state."),
            Suspect(1.32, "sign", "You moved with the wrong sign."),
            Suspect(1.48, "sign", "You moved with the wrong sign."),
            Suspect(0.52, "sign", "The trial state moved with the wrong sign."),
            Suspect(
                0.36, "b-not-a-mean",
                "The slopes were added up; b says what share of the step each of them gets.",
            ),
        ],
    )  # fmt: skip


def _stage_times(trial: Trial) -> None:
    A, b, _ = _drawn_tableau(trial.draw, 3)  # noqa: N806
    c = np.array([0.0, *trial.draw.choice(np.arange(11, 99), 2, replace=False) / 100])
    t, h = 2.0, 0.5
    asked: list[float] = []

    def slope(time: Any, state: Any) -> Any:
        asked.append(float(time))
        return 0.0 * state + 1.0

    trial.call(A, b, c, slope, t, np.array([1.0, 2.0]), h)
    want = t + h * c
    counted = (
        f"With a tableau of {len(b)} stages one step should call f {len(b)} times; yours called "
        f"it {len(asked)} times."
    )
    if len(asked) > len(b):
        why = "Keep the slopes: each call of f is the costly part."
        trial.fail(f"{counted} {why}", "wasted-evaluations")
    if len(asked) < len(b):
        why = "One stage for each entry of b: the method may have any number."
        trial.fail(f"{counted} {why}", "stages-missing")
    if np.allclose(asked, want, rtol=0, atol=1e-9):
        return
    times = ", ".join(f"{each:.4g}" for each in want)
    yours = ", ".join(f"{each:.4g}" for each in asked)
    case = (
        f"From t = {t:g} with h = {h:g} and c = {c.tolist()} (drawn numbers) the slopes should be "
        f"asked for at the times {times}; yours at {yours}."
    )
    if np.allclose(asked, t, rtol=0, atol=1e-9):
        trial.fail(f"{case} c is not used: every stage has its own time.", "stage-times-forgotten")
    if np.allclose(asked, t + c, rtol=0, atol=1e-9):
        trial.fail(f"{case} c counts in units of h.", "stage-times-without-step")
    if np.allclose(asked, t + h * A.sum(axis=1), rtol=0, atol=1e-9):
        trial.fail(f"{case} Those are the row sums of A: use c.", "row-sums-for-c")
    trial.fail(case, "stage-times")


def _with_three_stages(trial: Trial) -> None:
    got = trial.call(*_arrays(SIMPSON), lambda t, y: -y, 0.0, 1.0, 1.0)
    trial.expect(
        got,
        5 / 12,  # slopes -1, -1/2, -1/2
        "From y = 1.0 with slope -y, h = 1, A = [[0, 0, 0], [1/2, 0, 0], [0, 1, 0]], "
        "b = [1/6, 2/3, 1/6]",
        "a step should land at {want}; yours landed at {got}",
        [
            Suspect(
                1 - (1 / 6 + 1 / 3 + 0), "stages-chained",
                "The third stage was built upon the second. Every stage starts from y.",
            )
        ],
    )  # fmt: skip


def _with_a_full_row(trial: Trial) -> None:
    """Kutta's method of order 3: for y' = -y and h = 1 it gives 1 - 1 + 1/2 - 1/6."""
    got = trial.call(*_arrays(KUTTA), lambda t, y: -y, 0.0, 1.0, 1.0)
    why = "Row i of A may have several entries: a stage uses all earlier slopes."
    trial.expect(
        got,
        1 / 3,
        "From y = 1.0 with slope -y, h = 1, A = [[0, 0, 0], [1/2, 0, 0], [-1, 2, 0]], "
        "b = [1/6, 2/3, 1/6]",
        "a step should land at {want}; yours landed at {got}",
        [
            Suspect(1 / 2, "earlier-slopes-forgotten", why),
            Suspect(5 / 12, "earlier-slopes-forgotten", why + " And c is for the time only."),
        ],
    )


def _linear_slope(trial: Trial, stages: int, shape: tuple[int, ...]) -> None:
    """For f = lam y + p + q t a step is a Taylor sum with weights b A^(k-1) 1."""
    draw = trial.draw
    A, b, c = _drawn_tableau(draw, stages)  # noqa: N806
    lam, p, q, y = draw.normal(size=(4, *shape))
    t, h = (float(x) for x in draw.uniform(-1, 1, 2))
    got = trial.call(
        A, b, c, lambda time, state: lam * state + p + q * time, t, y if shape else float(y), h
    )
    _left_alone(trial, got)
    derivative, ones, want = lam * y + p + q * t, np.ones(stages), y
    for k in range(1, stages + 1):
        want = want + h**k * (b @ ones) * derivative
        ones = A @ ones
        derivative = lam * derivative + (q if k == 1 else 0.0)
    trial.expect(
        got,
        want,
        f"For a slope linear in t and y, a drawn tableau of {stages} stages, y of shape {shape} "
        f"and h = {h:.3g}",
        "the step should give {want}; yours gives {got}",
        scale=100.0,
    )


def _as_scipy(trial: Trial) -> None:
    """SciPy's solvers take one step, with tolerances so wide that they keep it."""
    from scipy import integrate

    for method in (integrate.RK23, integrate.RK45):
        w, shift = trial.draw.normal(size=(3, 3)), trial.draw.normal(size=3)
        t, h = (float(x) for x in trial.draw.uniform(0.1, 0.6, 2))

        def slope(time: Any, state: Any, w=w, shift=shift) -> Any:
            return np.tanh(w @ state) - time * state**2 + np.sin(3 * time) * shift

        y = trial.draw.normal(size=3)
        theirs = method(slope, t, y, t + 2 * h, first_step=h, rtol=1e9, atol=1e9)
        theirs.step()
        got = trial.call(*_from_scipy(method), slope, t, y, h)
        trial.expect(
            got,
            theirs.y,
            f"For a curved slope in three variables, h = {h:.3g} and the tableau of SciPy's "
            f"{method.__name__}",
            "the step should give {want}; yours gives {got}",
            scale=10.0,
        )


def _arrays(tableau: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(np.array(each, dtype=float) for each in tableau)


def _from_scipy(method: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A solver's tableau from SciPy's class, its matrix filled up to a square."""
    stages = len(method.B)
    A = np.zeros((stages, stages))  # noqa: N806
    A[:, : method.A.shape[1]] = method.A[:stages]
    return A, np.array(method.B), np.array(method.C)


def _drawn_tableau(draw: np.random.Generator, stages: int) -> tuple:
    """A tableau with b summing to 1 and c the row sums of A; it has no order worth naming."""
    A = np.tril(draw.uniform(-1, 1, (stages, stages)), -1)  # noqa: N806
    b = draw.uniform(0.2, 1, stages)
    return A, b / b.sum(), A.sum(axis=1)


# 3. order_conditions

# A rooted tree is the tuple of the trees at its root; the list holds those with 1 to 4 nodes.
LEAF: tuple = ()
CHAIN: tuple = (LEAF,)
TREES = {
    1: (LEAF,),
    2: (CHAIN,),
    3: ((LEAF, LEAF), (CHAIN,)),
    4: ((LEAF, LEAF, LEAF), (LEAF, CHAIN), ((LEAF, LEAF),), ((CHAIN,),)),
}
NEAR = 1e-8  # what the statement calls equal


@LESSON.exercise(
    "order_conditions",
    title="The order of a tableau",
    points=3,
    minutes=15,
    difficulty=3,
    importance=4,
    signature="A, b, c",
    reference=order_conditions,
)
def _judge_order_conditions(trial: Trial) -> None:
    """Steps on one polynomial ODE per rooted tree, compared with its exact solution."""
    from scipy import integrate

    _expect_order(trial, HEUN, "For Heun's method (2 stages)")
    _expect_order(trial, EULER, "For Euler's method (1 stage)")
    _expect_order(trial, CLASSIC, "For the classical method of 4 stages (RK4)")
    _expect_order(
        trial, SIMPSON,
        "For A = [[0, 0, 0], [1/2, 0, 0], [0, 1, 0]] with Simpson's weights b = [1/6, 2/3, 1/6]",
    )  # fmt: skip
    A, b, c = _drawn_tableau(trial.draw, 3)  # noqa: N806
    _expect_order(trial, (A, 0.9 * b, c), "For weights b that sum to 0.9")
    _expect_order(trial, (A, b, c), "For a drawn tableau of 3 stages whose b sums to 1")
    _expect_order(trial, THREE_EIGHTHS, "For Kutta's 3/8 rule (4 stages)")
    for method in (integrate.RK23, integrate.RK45):
        name = f"For the tableau of SciPy's {method.__name__}"
        _expect_order(trial, _from_scipy(method), name)
    for size, trees in TREES.items():
        for place in range(len(trees)):
            missed = trial.draw.uniform(0.05, 0.3)
            A, b, c = _nearly_order_four(trial.draw, size, place, missed)  # noqa: N806
            _expect_order(
                trial, (A, b, c),
                f"For a tableau ({len(b)} stages) that breaks one condition only, number "
                f"{place + 1} of order {size},",
                one_broken=True,
            )  # fmt: skip
    _expect_near_miss(trial)


def _expect_near_miss(trial: Trial) -> None:
    size = int(trial.draw.integers(2, 5))
    A, b, c = _nearly_order_four(trial.draw, size, 0, 1e-4)  # noqa: N806
    trial.expect(
        trial.call(A, b, c),
        size - 1,
        f"For a tableau that misses the first condition of order {size} by 1e-4",
        "the order should be {want}; yours is {got}",
        [Suspect(4, "tolerance-too-wide", "1e-4 is far more than rounding: allow 1e-8.")],
    )


def _expect_order(trial: Trial, tableau: tuple, case: str, one_broken: bool = False) -> None:
    A, b, c = _arrays(tableau)  # noqa: N806
    holds = _measured(A, b)
    want = next((size - 1 for size in TREES if not all(holds[size])), 4)
    got = trial.call(A, b, c)
    trial.expect(
        got,
        want,
        case,
        "the order should be {want}; yours is {got}",
        [each for each in _misread_orders(b, c, holds, want, one_broken) if each.value != want],
    )


def _misread_orders(
    b: np.ndarray, c: np.ndarray, holds: dict, want: int, one_broken: bool
) -> list[Suspect]:
    whole = [size for size in TREES if all(holds[size])]
    without_gap = Suspect(
        len(whole), "counts-orders",
        "That is how many orders hold: stop at the first broken order.",
    )  # fmt: skip
    if one_broken and want >= 2:
        why = "One condition of that order is missing in yours, or it is another than in the table."
        return [Suspect(4, "condition-forgotten", why), without_gap]
    bushy = [abs(b @ c ** (p - 1) - 1 / p) < NEAR for p in (1, 2, 3, 4)]
    read = [
        Suspect(
            next((p for p, good in enumerate(bushy) if not good), 4), "quadrature-only",
            "The weights integrate powers of t that well, but slopes that depend on y need the "
            "conditions with A too.",
        ),
        Suspect(
            max(whole, default=0), "later-orders-repair",
            "Order p needs all conditions up to p: meeting a higher one does not mend a lower one.",
        ),
        Suspect(
            sum(map(sum, holds.values())), "counts-conditions",
            "That is how many conditions hold; the order is how far they hold without a gap.",
        ),
        Suspect(
            len(b), "stages-are-order", "That is the number of stages; the order can be lower.",
        ),
        without_gap,
        Suspect(
            4, "abs-forgotten",
            "`x - y < 1e-8` also holds when x is far too small: compare `abs(x - y)`.",
        ),
    ]  # fmt: skip
    if want == 4:
        read.append(
            Suspect(
                0, "exact-equality",
                f"In floating point b sums to {float(sum(b))!r}, within rounding of 1; == sees a "
                f"difference there.",
            )
        )  # fmt: skip
        read += [
            Suspect(
                3, "sum-misread",
                "On RK4 the four sums of order 4 are 1/4, 1/8, 1/12, 1/24 in the table's order: "
                "print yours. A**2 is not A @ A, and a square in the table belongs to c alone.",
            ),
            Suspect(
                2, "sum-misread",
                "On RK4 the two sums of order 3 are 1/3 and 1/6 in the table's order: print "
                "yours. A acts on what stands to its right, c.",
            ),
            Suspect(1, "sum-misread", "On RK4 the sum of order 2 is 1/2: print yours."),
        ]  # fmt: skip
    return read


def _measured(A: np.ndarray, b: np.ndarray) -> dict[int, list[bool]]:  # noqa: N803
    """Per order: on which trees' ODEs one step of length 1 from 0 lands on the exact solution."""
    return {
        size: [abs(_lands_at(A, b, tree) - _solution_of(tree)) < NEAR for tree in trees]
        for size, trees in TREES.items()
    }


def _lands_at(A: np.ndarray, b: np.ndarray, tree: tuple) -> float:  # noqa: N803
    """One step from 0 on the ODE of a tree: each node's slope is the product of its children."""
    children = _flat(tree)
    slopes: list[list[float]] = []
    for row in A:
        state = [
            sum(row[j] * k[node] for j, k in enumerate(slopes)) for node in range(len(children))
        ]
        slopes.append([math.prod(state[child] for child in node) for node in children])
    return sum(weight * k[0] for weight, k in zip(b, slopes, strict=True))


@cache
def _solution_of(tree: tuple) -> float:
    """The root of a tree's ODE at time 1, by integrating polynomials."""

    def grow(node: tuple) -> np.polynomial.Polynomial:
        slope = np.polynomial.Polynomial([1.0])
        for child in node:
            slope = slope * grow(child)
        return slope.integ()

    return float(grow(tree)(1.0))


@cache
def _flat(tree: tuple) -> tuple[tuple[int, ...], ...]:
    """The children of each node, by number; the root is number 0."""
    nodes: list = []

    def add(node: tuple) -> int:
        place = len(nodes)
        nodes.append(())
        nodes[place] = tuple(add(child) for child in node)
        return place

    add(tree)
    return tuple(nodes)


def _nearly_order_four(
    draw: np.random.Generator, size: int, place: int, missed: float, stages: int = 9
) -> tuple:
    """A drawn tableau that meets all eight conditions but one, and misses that by `missed`."""
    for _ in range(100):
        A = np.tril(draw.uniform(-1, 1, (stages, stages)), -1)  # noqa: N806
        c = A.sum(axis=1)
        rows = [c**0, c, c**2, A @ c, c**3, c * (A @ c), A @ c**2, A @ A @ c]
        right = np.array([_solution_of(tree) for trees in TREES.values() for tree in trees])
        number = sum(len(TREES[k]) for k in range(1, size)) + place
        right[number] += draw.choice([-1, 1]) * missed
        b, *_ = np.linalg.lstsq(np.array(rows), right, rcond=None)
        if np.abs(b).max() < 40 and np.abs(np.array(rows) @ b - right).max() < 1e-11:
            return A, b, c
    raise RuntimeError("No tableau was found in 100 draws.")


# 4. rk4_tableau


@LESSON.exercise(
    "rk4_tableau",
    title="The classical tableau",
    points=1,
    minutes=5,
    difficulty=1,
    importance=4,
    signature="",
    reference=rk4_tableau,
)
def _judge_rk4_tableau(trial: Trial) -> None:
    """The published numbers; for others, what is known of them."""
    A, b, c = _three_arrays(trial, trial.call())  # noqa: N806
    want_A, want_b, want_c = _arrays(CLASSIC)  # noqa: N806
    if _same(A, want_A) and _same(b, want_b) and _same(c, want_c):
        return
    if _same(A.T, want_A):
        trial.fail(
            "A should be lower triangular, with 1/2 in its second row; yours is its transpose. "
            "Row i holds the weights with which stage i uses the slopes before it.",
            "transposed",
        )
    if np.any(np.triu(A)):
        trial.fail(
            "A should be zero on and above the diagonal; yours is not. A stage can only use "
            "slopes that are known already.",
            "not-explicit",
        )
    if _same(A.sum(axis=1), b) and not _same(A.sum(axis=1), c):
        trial.fail(
            f"c should hold the row sums of A; yours is c = {_listed(c)}, and b holds the row "
            f"sums. Are b and c exchanged?",
            "exchanged",
        )
    if not _same(A.sum(axis=1), c):
        trial.fail(
            f"c should hold the row sums of A; yours is c = {_listed(c)}, and the rows of your A "
            f"sum to {_listed(A.sum(axis=1))}. A stage looks as far ahead in t as in y.",
            "row-sums",
        )
    if not _same(b.sum(), 1.0):
        trial.fail(
            f"b should sum to 1; yours sums to {b.sum():.4g}. The step takes a mean of the slopes.",
            "weights-not-normalised",
        )
    _other_method(trial, A, b, c)


def _other_method(trial: Trial, A: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:  # noqa: N803
    if all(_same(*pair) for pair in zip((A, b, c), _arrays(THREE_EIGHTHS), strict=True)):
        trial.fail(
            "The method with nodes c = [0, 1/2, 1/2, 1] was asked for; yours has c = [0, 1/3, "
            "2/3, 1]. That is Kutta's 3/8 rule: order 4 as well, but not the classical method.",
            "three-eighths",
        )
    holds = _measured(A, b)
    order = next((size - 1 for size in TREES if not all(holds[size])), 4)
    if order == 4:
        trial.fail(
            f"The classical method was asked for; yours has order 4 too, but other numbers: "
            f"c = {_listed(c)}, b = {_listed(b)}.",
            "another-order-four",
        )
    asked = f"The tableau should have order 4; yours has order {order}."
    if _same(b, np.full(4, 1 / 4)):
        trial.fail(
            f"{asked} Its b gives each slope the same weight; Simpson's rule counts the middle "
            f"of the step twice as much as each end, twice.",
            "equal-weights",
        )
    if not _same(c, [0, 1 / 2, 1 / 2, 1]):
        trial.fail(
            f"{asked} Its nodes are c = {_listed(c)}; the classical method looks at the start, "
            f"twice at the middle, and at the end.",
            "wrong-nodes",
        )
    trial.fail(
        f"{asked} Each stage of the classical method uses only the slope just before it; and "
        f"b counts both slopes at the middle alike.",
        "wrong-weights",
    )


def _three_arrays(trial: Trial, got: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if got is None:
        trial.fail("rk4_tableau() returned None. Is there a `return`?", "no-return")
    if not isinstance(got, tuple | list) or len(got) != 3:
        trial.fail(
            f"rk4_tableau() should return three things, A, b and c; yours is {_kind_of(got)}.",
            "wrong-type",
        )
    arrays = []
    for name, value, shape in zip("Abc", got, ((4, 4), (4,), (4,)), strict=True):
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            array = None
        if array is None or np.asarray(value).dtype.kind in "US":
            trial.fail(f"{name} should be numbers; yours is {_kind_of(value)}.", "wrong-type")
        if array.shape != shape:
            trial.fail(
                f"{name} should have shape {shape}; yours has {array.shape}. The method has "
                f"4 stages.",
                "wrong-shape",
            )
        whole = np.asarray(value).dtype.kind in "iu"
        if whole and (name != "b" or not array.any()):
            trial.fail(
                f"{name} should hold a 1/2 or other fractions; yours is an array of integers, "
                f"which cuts 0.5 down to 0 without a word. Make it an array of floats.",
                "integers",
            )
        arrays.append(array)
    if not all(np.isfinite(each).all() for each in arrays):
        trial.fail("The tableau should hold finite numbers; yours does not.", "not-finite")
    return tuple(arrays)


def _kind_of(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"of type {type(value).__name__}"


def _same(one: Any, other: Any) -> bool:
    return bool(np.allclose(one, other, rtol=0, atol=1e-7))  # single precision will do


def _listed(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{each:.4g}" for each in values) + "]"


# 5. ODEBlock


def _euler(f: Callable, t: Any, y: Any, h: Any) -> Any:
    return y + h * f(t, y)


def _rk4(f: Callable, t: Any, y: Any, h: Any) -> Any:
    first = f(t, y)
    second = f(t + h / 2, y + h / 2 * first)
    third = f(t + h / 2, y + h / 2 * second)
    fourth = f(t + h, y + h * third)
    return y + h / 6 * (first + 2 * second + 2 * third + fourth)


def _matrix_field(matrix: Any, **kwargs: Any) -> keras.layers.Layer:
    """The field y' = y M, with fixed weights."""
    matrix = np.array(matrix, "float32")
    field = keras.layers.Dense(matrix.shape[1], use_bias=False, **kwargs)
    field.build((None, matrix.shape[0]))
    field.kernel.assign(matrix)
    return field


def _growth(matrix: np.ndarray, order: int, num_steps: int) -> np.ndarray:
    """What `num_steps` steps from 0 to 1 multiply the state by: a truncated exponential."""
    z, one_step = matrix.astype("float64") / num_steps, np.eye(len(matrix))
    for k in range(1, order + 1):
        one_step = one_step + np.linalg.matrix_power(z, k) / math.factorial(k)
    return np.linalg.matrix_power(one_step, num_steps)


@LESSON.exercise(
    "ODEBlock",
    title="A block that solves an ODE",
    points=3,
    minutes=15,
    difficulty=3,
    importance=5,
    kind="layer",
    signature="field, solver, num_steps",
    reference=layers.ODEBlock,
)
def _judge_ode_block(trial: Trial) -> None:
    """Linear fields, whose Euler and RK4 steps are powers of a truncated exponential."""
    _weights_and_clock(trial)
    _four_euler_steps(trial)
    _solver_is_used(trial)
    _drawn_block(trial)
    _gradient(trial)
    _unknown_batch(trial)


def _block(trial: Trial, field: Any, solver: Callable, *args: Any, **kwargs: Any) -> Any:
    words = ", ".join(
        ["field", "solver", *map(str, args), *(f"{k}={v!r}" for k, v in kwargs.items())]
    )
    return trial.run(lambda: trial.answer(field, solver, *args, **kwargs), f"ODEBlock({words})")


def _output(trial: Trial, block: Any, x: np.ndarray) -> Any:
    asked = f"the block on x of shape {x.shape}"
    try:
        return trial.run(lambda: block(ops.convert_to_tensor(x)), asked)
    except LearnerError as error:
        if "to a layer that is already built" not in str(error.original):
            raise
        why = "The field may have its weights already: build it only `if not self.field.built`."
        raise LearnerError(error.original, f"{asked}\n{why}") from error.original


def _weights_and_clock(trial: Trial) -> None:
    calls: list[tuple] = []
    handed: list[tuple] = []

    def recording(f: Callable, t: Any, y: Any, h: Any) -> Any:
        calls.append((t, h))
        handed[:] = [(f, t, y)]
        return y + h * f(t, y)

    field, x = _matrix_field([[1.0]]), np.ones((1, 1), "float32")
    block = _block(trial, field, recording, 5, name="flow")
    try:  # Keras may trace the first call, with tensors without numbers
        _output(trial, block, x)
    except LearnerError as error:
        hint = _what_f_was_given(*handed[0]) if handed else ""
        raise LearnerError(error.original, f"{error.asked}{hint}") from error
    _is_tracked(trial, block, {"field": field, "solver": recording, "num_steps": 5, "name": "flow"})
    calls.clear()
    _output(trial, block, x)
    if len(calls) != 5:
        trial.fail(
            f"With num_steps=5 the solver should be called 5 times; yours calls it {len(calls)} "
            f"times.",
            "solver-ignored" if not calls else "off-by-one",
        )
    times, sizes = (np.array([float(each[i]) for each in calls]) for i in (0, 1))
    if np.allclose(sizes, 1.0):
        trial.fail(
            "With num_steps=5 each step should have h = 0.2; yours have h = 1, as in lesson 01. "
            "Here the 5 steps share the time 1.",
            "step-size-one",
        )
    if not np.allclose(sizes, 0.2, atol=1e-6):
        trial.fail(
            f"With num_steps=5 each step should have h = 0.2; yours have {_listed(sizes)}.",
            "step-size",
        )
    if not np.allclose(times, np.arange(5) / 5, atol=1e-6):
        trial.fail(
            f"With num_steps=5 the steps should begin at t = [0, 0.2, 0.4, 0.6, 0.8]; yours begin "
            f"at {_listed(times)}. A solver is told the time at the start of its step.",
            "time-not-advanced",
        )


def _what_f_was_given(f: Callable, t: Any, y: Any) -> str:
    """Why a call of f inside a solver failed, as far as that can be seen."""
    if isinstance(f, keras.layers.Layer):
        return ". The solver calls f(t, y): your field got two arguments. Wrap it."
    if len(getattr(t, "shape", ())) > len(getattr(y, "shape", ())):
        return ". A solver is called as solver(f, t, y, h): yours got the state as t."
    try:
        f(y, t)
    except Exception:  # then the order of the arguments was not the reason
        return ""
    return ". The solver calls f(t, y), the time first: your f takes y first."


def _is_tracked(trial: Trial, block: Any, kept: dict[str, Any]) -> None:
    found = len(block.trainable_weights)
    if found > 1:
        trial.fail(
            f"A field with 1 weight and num_steps=5 should make a block with 1 weight; yours has "
            f"{found}. All steps use the same field: that is what makes it an ODE.",
            "weights-per-step",
        )
    if found == 0:
        trial.fail(
            "A field with 1 weight should make a block with 1 weight; yours has none. Keras finds "
            "the weights of sub-layers that are attributes: keep it as self.field.",
            "weights-not-tracked",
        )
    for name, value in kept.items():
        if not hasattr(block, name):
            trial.fail(
                f"After ODEBlock(field, solver, 5, name='flow') the block should have an attribute "
                f"{name}; in yours there is no attribute {name}. The next exercise reads it.",
                f"{name.replace('_', '-')}-not-kept",
            )
        theirs = getattr(block, name)
        if theirs is not value and theirs != value:
            trial.fail(
                f"After ODEBlock(field, solver, 5, name='flow') the attribute {name} should be "
                f"what was given; yours is {theirs!r}. The next exercise reads it.",
                f"{name.replace('_', '-')}-not-kept",
            )


def _four_euler_steps(trial: Trial) -> None:
    calls: list[Any] = []

    def counted(f: Callable, t: Any, y: Any, h: Any) -> Any:
        calls.append(t)
        return _euler(f, t, y, h)

    block, x = _block(trial, _matrix_field([[1.0]]), counted), np.ones((1, 1), "float32")
    _output(trial, block, x)
    calls.clear()
    got = _output(trial, block, x)
    if len(calls) > 1:
        two = Suspect(
            [[2.0]], "same-slope",
            "Every step used the same slope: does the field get the y that the solver hands over?",
        )  # fmt: skip
    else:
        two = Suspect([[2.0]], "one-step", "That is one single step of length 1.")
    trial.expect(
        got,
        np.array([[1.25**4]], "float32"),
        "From y = 1 with the field y' = y, Euler and the default of 4 steps",
        "the block should return {want}; yours returned {got}",
        [
            Suspect(
                [[16.0]], "step-size-one",
                "Each of your steps has h = 1, as in lesson 01. Here 4 steps share the time 1.",
            ),
            Suspect(
                [[1.25]], "restarts",
                "That is the first step alone: did each step begin at the inputs again?",
            ),
            two,
            Suspect([[1.25**5]], "off-by-one", "That is one step too many."),
            Suspect([[1.25**3]], "off-by-one", "That is one step too few."),
        ],
    )  # fmt: skip


def _solver_is_used(trial: Trial) -> None:
    block = _block(trial, _matrix_field([[1.0]]), _rk4, 2)
    trial.expect(
        _output(trial, block, np.ones((1, 1), "float32")),
        _growth(np.array([[1.0]]), 4, 2).astype("float32"),
        "From y = 1 with the field y' = y, an RK4 step function as solver and num_steps=2",
        "the block should return {want}; yours returned {got}",
        [
            Suspect([[2.25]], "solver-ignored", "Those are Euler's steps: call self.solver."),
            Suspect(
                [[1.25**4]], "num-steps-ignored", "Those are always 4 steps: use self.num_steps."
            ),
        ],
    )


def _midpoint(f: Callable, t: Any, y: Any, h: Any) -> Any:
    return y + h * f(t + h / 2, y + h / 2 * f(t, y))


def _drawn_block(trial: Trial) -> None:
    matrix, x = trial.draw.normal(size=(3, 3)), trial.draw.normal(size=(4, 3))
    matrix, x = (each.astype("float32") for each in (matrix, x))
    field = _matrix_field(np.zeros_like(matrix))
    block = _block(trial, field, _midpoint, 3)
    _output(trial, block, x)
    field.kernel.assign(matrix)
    growth = _growth(matrix, 2, 3)
    trial.expect(
        _output(trial, block, x),
        (x @ growth).astype("float32"),
        "For a drawn linear field on 3 variables (its weights were changed after the block was "
        "made), the midpoint method and num_steps=3",
        "the block should return {want}; yours returned {got}",
        [Suspect(x, "field-copied", "The block does not see the new weights: is it a copy?")],
        scale=10 * float(np.abs(growth).max()),
    )


def _gradient(trial: Trial) -> None:
    x = trial.draw.normal(size=(3, 2)).astype("float32")
    block = _block(trial, _matrix_field(np.eye(2)), _euler, 1)
    _output(trial, block, x)
    others = [ops.convert_to_tensor(v) for v in block.non_trainable_variables]

    def run(kernel: Any) -> Any:
        return block.stateless_call([kernel], others, ops.convert_to_tensor(x))[0]

    def pull_back() -> Any:
        value, pullback = vjp(run, np.eye(2, dtype="float32"))
        return pullback(ops.ones_like(value))[0]

    got = trial.run(pull_back, "the derivative of the block by the weights of its field")
    trial.expect(
        got,
        np.repeat(x.sum(axis=0)[:, None], 2, axis=1),
        "For the field y' = y M and one Euler step, the derivative of the summed output by M",
        suspects=[
            Suspect(
                np.zeros((2, 2)), "gradient-lost",
                "No gradient reaches the field: it could not be trained.",
            )
        ],
        scale=10.0,
    )  # fmt: skip


def _unknown_batch(trial: Trial) -> None:
    field = keras.layers.Dense(2)  # not built: the block or Keras has to do that
    block = _block(trial, field, _euler, 1)
    inputs = keras.Input((2,))
    output = trial.run(lambda: block(inputs), "the block in a model, batch size unknown")
    shape = tuple(getattr(output, "shape", ()))
    if shape != (None, 2):
        trial.fail(
            f"In a model with inputs of shape (None, 2) the block should give shape (None, 2); "
            f"yours gives {shape}.",
            "wrong-shape",
        )
    if len(block.trainable_weights) != 2:
        trial.fail(
            f"In a model the block should have the 2 weights of its Dense field; yours has "
            f"{len(block.trainable_weights)}.",
            "weights-not-tracked",
        )


# 6. swap_solver


class _Trained(layers.ODEBlock):
    """An ODEBlock without the library's own answer to this exercise."""

    def with_solver(self, *args: Any, **kwargs: Any) -> None:
        """Not here."""
        raise AttributeError("`with_solver` is stepkit's answer to this exercise; write yours.")


_Trained.__name__ = _Trained.__qualname__ = "ODEBlock"  # as learners know it


@LESSON.exercise(
    "swap_solver",
    title="Another solver, the same weights",
    points=2,
    minutes=4,
    difficulty=2,
    importance=4,
    signature="block, solver, num_steps",
    reference=swap_solver,
    needs=("02.ODEBlock",),
)
def _judge_swap_solver(trial: Trial) -> None:
    """A growing rotation; what a solver makes of it is a power of a truncated exponential."""
    (a, w), x = trial.draw.uniform((0.5, 1.2), (1.0, 2.0)), trial.draw.normal(size=(3, 2))
    matrix, x = np.array([[a, -w], [w, a]], "float32"), x.astype("float32")
    field = _matrix_field(matrix)
    block = _Trained(field, _euler, 1)
    num_steps = int(trial.draw.integers(3, 7))
    swapped = _swap(trial, block, _rk4, f"block, rk4, {num_steps}", num_steps)
    _is_another_block(trial, block, swapped)
    _gives(trial, swapped, x, matrix, num_steps, "the new block")
    if not (block.field is field and block.solver is _euler and block.num_steps == 1):
        trial.fail(
            "After swap_solver the given block should be as it was; yours changed it. You will "
            "want to compare the two.",
            "original-changed",
        )
    _shares(trial, block, swapped, x, num_steps)
    again = _swap(trial, swapped, _euler, "new_block, euler, 2", 2)
    _is_another_block(trial, swapped, again)


COPIES = ("copy", "keras.src.models.cloning", "keras.src.saving.keras_saveable")


def _swap(trial: Trial, block: Any, solver: Callable, words: str, num_steps: int) -> Any:
    try:
        return trial.run(lambda: trial.answer(block, solver, num_steps), f"swap_solver({words})")
    except LearnerError as error:
        frames = traceback.walk_tb(error.original.__traceback__)
        if any(frame.f_globals.get("__name__") in COPIES for frame, _ in frames):
            trial.fail(
                f"swap_solver({words}) should return a new block around the same field; yours "
                f"copied the block, which ended in an error. Keras copies a layer by making it "
                f"anew, weights too. Make a new block around the same field.",
                "block-copied",
            )
        raise


def _is_another_block(trial: Trial, block: Any, swapped: Any) -> None:
    if swapped is None:
        trial.fail("swap_solver(block, rk4, 4) returned None. Is there a `return`?", "no-return")
    if not isinstance(swapped, keras.layers.Layer):
        trial.fail(
            f"swap_solver should return a block, a Keras layer; yours is of type "
            f"{type(swapped).__name__}.",
            "wrong-type",
        )
    if getattr(swapped, "field", None) is block:
        trial.fail(
            "The field of the new block should be that of the old one; yours is the whole old "
            "block. Take block.field.",
            "block-as-field",
        )
    if swapped is block:
        trial.fail(
            "swap_solver should return a new block; yours returned the given one. You will want "
            "to compare the two.",
            "original-changed",
        )


def _gives(
    trial: Trial, block: Any, x: np.ndarray, matrix: np.ndarray, num_steps: int, who: str
) -> None:
    growth = _growth(matrix, 4, num_steps)
    case = f"For y' = y M, RK4 and num_steps={num_steps}, {who}"
    others = (
        (_growth(matrix, 1, 1), "nothing-swapped", "Solver and number of steps are the old ones."),
        (_growth(matrix, 4, 1), "num-steps-ignored", "That is RK4 with the old number of steps."),
        (_growth(matrix, 1, num_steps), "solver-ignored", "Those are steps of the old solver."),
        (_growth(matrix, 4, 4), "num-steps-ignored", "Those are always 4 steps."),
    )
    got = _output(trial, block, x)
    found = _weights(getattr(block, "field", None))
    if [each.shape for each in found] != [matrix.shape] or not np.allclose(found[0], matrix):
        trial.fail(
            f"{case} should work with the trained weights; yours has others: they were made "
            f"anew. Pass on the field itself.",
            "new-weights",
        )
    trial.expect(
        got,
        (x @ growth).astype("float32"),
        case,
        "should give {want}; yours gives {got}",
        [Suspect((x @ g).astype("float32"), m, why) for g, m, why in others],
        scale=float(np.abs(growth).max()),
    )


def _weights(field: Any) -> list[np.ndarray]:
    return [ops.convert_to_numpy(weight) for weight in getattr(field, "weights", [])]


def _shares(trial: Trial, block: Any, swapped: Any, x: np.ndarray, num_steps: int) -> None:
    """Training the one must train the other: change a weight and look."""
    before = _weights(block.field)[0]
    block.field.kernel.assign(0.5 * before)
    if np.allclose(_weights(swapped.field)[0], before):
        trial.fail(
            "After a change of the first block's weights the new block should have changed with "
            "it; yours still has the old ones. It holds a copy of the field, not the field.",
            "weights-copied",
        )
    _gives(trial, swapped, x, 0.5 * before, num_steps, "the new block, after more training,")
