"""Lesson 04, adaptive steps: the pieces that `use` hands out, the oracles, and the questions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from stepkit import ode
from stepkit.course.exercise import Lesson, Option
from stepkit.course.trial import Suspect, Trial

LESSON = Lesson("04")


# What `use` hands out.


def error_norm(error, y_before, y_after, rtol, atol):
    """Root mean square of `error / (atol + rtol * max(|y_before|, |y_after|))` over all entries."""
    scale = atol + rtol * np.maximum(np.abs(y_before), np.abs(y_after))
    return np.sqrt(np.mean(np.square(error / scale)))


def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    """The next step size, by stepkit's own controller."""
    if math.isnan(error):
        return h * smallest
    control = ode.PIDController(safety=safety, smallest=smallest, largest=largest)
    return h * control.factor(float(error), (1.0, 1.0), order)


def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    """Times, states and the number of rejected steps of a solve that chooses its steps."""
    t, end = t_span
    y, h, rejected = y0, first_step, 0
    ts, ys = [t], [y0]
    while t < end:
        last = h >= end - t
        h = end - t if last else h
        tried, error = pair(f, t, y, h)
        size = error_norm(error, y, tried, rtol, atol)
        if size <= 1:
            t, y = end if last else t + h, tried
            ts.append(t)
            ys.append(y)
        else:
            rejected += 1
        h = step_controller(h, size, pair.order)
    return np.array(ts), np.array(ys), rejected


def work_precision(solve, f, y_end, settings):
    """Calls of `f` and largest absolute error at the end, for each setting."""
    found = []
    for setting in settings:
        calls = []

        def counted(t, y, calls=calls):
            calls.append(t)
            return f(t, y)

        off = np.max(np.abs(solve(counted, setting) - y_end))
        found.append((len(calls), off))
    evaluations, errors = zip(*found, strict=True)
    return np.array(evaluations), np.array(errors)


def stiffness_from_stages(h, slopes, states):
    """|h| times the fastest rate that the last two stages of a step show; 0 if they show none."""
    apart = np.linalg.norm(states[1] - states[0])
    return abs(h) * np.linalg.norm(slopes[1] - slopes[0]) / apart if apart > 0 else 0.0


# Questions.

LESSON.question(
    "estimate",
    "A pair of orders 3 and 2 makes one step. You halve the step. By what is its estimate of the "
    "error in this one step divided, roughly?",
    right="c",
    a=Option(
        "2",
        "Halving the step halves what an error of order h would be. The two answers agree in the "
        "terms with h and h^2; the first term in which they differ is h^3.",
        "order-one-always",
    ),
    b=Option(
        "4",
        "4 would be right for the error over a fixed time, of the answer of order 2. In one step "
        "an error of order p goes like h^(p + 1).",
        "global-not-local",
    ),
    c=Option(
        "8", "The estimate is the local error of the answer of order 2: h^(2 + 1), so 2^3 = 8."
    ),
    d=Option(
        "16",
        "That is the error of the better answer, of order 3. The estimate is the difference of "
        "the two, and the worse one dominates it.",
        "estimate-of-better",
    ),
)

LESSON.question(
    "eightfold",
    "A step of this pair ends with an error norm of 8, eight times too much. By which factor must "
    "the step shrink, before any safety?",
    right="b",
    a=Option(
        "8",
        "That would make the error 8^3 = 512 times smaller: far too careful, and costly.",
        "error-linear-in-h",
    ),
    b=Option("2", "The estimate goes like h^3, so half the step has an eighth of the error."),
    c=Option(
        "2.83, the square root of 8",
        "The order of the lower answer is 2, but the error of one step goes like h^3: take the "
        "third root.",
        "order-not-plus-one",
    ),
    d=Option(
        "1: the next step may be better anyway",
        "The same step from the same state has the same error. It has to become shorter.",
        "retry-same-step",
    ),
)

LESSON.question(
    "where_short",
    "Van der Pol's oscillator creeps along for a long time, then jumps, and creeps again. Where "
    "will your solver take its shortest steps?",
    right="b",
    a=Option(
        "while it creeps, because that is most of the time",
        "Where little changes, a long step has a small error.",
        "steps-follow-time",
    ),
    b=Option("at the jumps", "There the slopes change fast, and so does the difference of both "
                             "answers."),
    c=Option(
        "where the state is largest",
        "The size of the state enters the tolerance. What shortens a step is change.",
        "steps-follow-size",
    ),
    d=Option(
        "nowhere: it finds one size that suits the whole way",
        "It chooses anew after every step. One size for the whole way is what you had before.",
        "one-size",
    ),
)  # fmt: skip

LESSON.question(
    "tolerance",
    "You solve with rtol = atol = 1e-6. What do you know about the error at the end?",
    right="d",
    a=Option(
        "it is at most 1e-6",
        "Each step was asked to stay within that. The errors of the steps add up, and the ODE "
        "carries them on, larger or smaller.",
        "tolerance-is-accuracy",
    ),
    b=Option(
        "it is at most 1e-6 times the number of steps",
        "That would hold if the ODE passed old errors on unchanged. It may let them grow, or die.",
        "errors-only-add",
    ),
    c=Option(
        "it is close to 1e-6, a little more or less",
        "Look at the figure: on this problem it is larger, on others smaller. The ODE decides.",
        "tolerance-is-accuracy",
    ),
    d=Option(
        "nothing for sure; but solve again with 1e-7 and you learn more",
        "The controller sees one step at a time. If two tolerances agree in the digits that you "
        "need, you have a reason to trust them.",
    ),
)

LESSON.question(
    "who_wins",
    "Euler, RK4 with equal steps, your solver with the pair of order 3, and Dopri5 of order 5 "
    "solve Van der Pol's problem. Which needs the fewest evaluations for an error of about 1e-4?",
    right="d",
    a=Option(
        "Euler: one evaluation per step",
        "Cheap steps, but far too many of them: lesson 02.",
        "cheap-steps-win",
    ),
    b=Option(
        "RK4 with equal steps: estimating errors costs extra",
        "The estimate costs little. Equal steps must be as short everywhere as the jumps demand.",
        "estimate-too-costly",
    ),
    c=Option(
        "your solver: order 3 suits this accuracy",
        "It beats equal steps. Dopri5 adapts as well, and its higher order pays here.",
        "low-order-suffices",
    ),
    d=Option("Dopri5", "It adapts its steps and has the highest order. Both pay here."),
)

LESSON.question(
    "looser",
    "The solution creeps, and nothing happens, though the field has a rate of -50. You make the "
    "tolerance ten times looser. How many fewer steps does the solver of order 3 accept?",
    right="c",
    a=Option(
        "ten times fewer",
        "Even where accuracy rules, it would be 10^(1/3), about 2. Here it does not rule.",
        "steps-follow-tolerance",
    ),
    b=Option(
        "about 2 times fewer, 10^(1/3)",
        "That is right where accuracy sets the step. Here stability does, which knows no "
        "tolerance.",
        "accuracy-always-rules",
    ),
    c=Option(
        "hardly any fewer",
        "A longer step would let the error grow until the controller sees it. The step stays near "
        "the border of stability, whatever the tolerance.",
    ),
    d=Option(
        "it takes more: loose tolerances are unstable",
        "The controller holds the step back before the error gets out of hand.",
        "loose-is-unstable",
    ),
)

LESSON.question(
    "along",
    "Where does h times the rate lie near 3.3, the end of Dopri5's interval of stability?",
    right="a",
    a=Option(
        "while it creeps",
        "Nothing happens, so accuracy would allow long steps. Stability does not: the fast rate "
        "is still there, although the solution does not show it.",
    ),
    b=Option(
        "at the jumps, where everything is fast",
        "There the solution itself is fast, and accuracy asks for steps shorter than stability "
        "would.",
        "fast-is-stiff",
    ),
    c=Option(
        "everywhere: the controller holds it there",
        "The controller holds the error norm near 1. It knows nothing of rates.",
        "controller-knows-stability",
    ),
    d=Option(
        "nowhere: with mu = 10 the problem is not stiff",
        "Stiffness is a matter of stretches and of the method. On the slow stretches stability "
        "sets the step here.",
        "stiffness-is-global",
    ),
)

LESSON.question(
    "reading",
    "Along a solve, h times the rate from the stages stays near 3.3, while the solution hardly "
    "moves. What do you do?",
    right="a",
    a=Option(
        "take an implicit method: stability sets the step",
        "3.3 is where Dopri5's interval of stability ends. An implicit method has no such border "
        "there: lesson 03.",
    ),
    b=Option(
        "tighten the tolerance",
        "The error is small already. Shorter steps would only cost more.",
        "more-accuracy-helps",
    ),
    c=Option(
        "loosen the tolerance, so that steps can grow",
        "They cannot: beyond the border the errors grow from step to step.",
        "accuracy-always-rules",
    ),
    d=Option(
        "take an explicit method of higher order",
        "Its interval of stability is hardly longer, and its steps cost more.",
        "order-cures-stiffness",
    ),
)


# 1. error_norm


@LESSON.exercise(
    "error_norm",
    title="How large is an error?",
    points=1,
    minutes=5,
    difficulty=1,
    importance=4,
    signature="error, y_before, y_after, rtol, atol",
    reference=error_norm,
)
def _judge_error_norm(trial: Trial) -> None:
    """Entry by entry in plain numbers, against the whole."""
    _norm_of(
        trial, np.array([0.005, -0.014]), np.array([1.0, -3.0]), np.array([-2.0, 1.0]), 2e-3, 1e-3,
        "For error = [0.005, -0.014] between y = [1, -3] and [-2, 1], rtol = 0.002, atol = 0.001",
    )  # fmt: skip
    _norm_of(trial, 0.003, 0.0, 0.0, 1e-3, 1e-3, "For a state that is 0 before and after")
    for shape in ((), (1,), (5,), (3, 4), (2, 3, 2)):
        draw = trial.draw
        rtol, atol = (float(x) for x in 10.0 ** draw.uniform(-6, -1, 2))
        before, after = draw.normal(size=(2, *shape))
        error = draw.normal(size=shape) * (atol + rtol * draw.uniform(0, 2, shape))
        case = f"For a drawn error and states of shape {shape}"
        _norm_of(trial, error, before, after, rtol, atol, case)
    error, before, after = trial.draw.normal(size=(3, 6)).astype("float32")
    _norm_of(trial, error, before, after, 0.1, 0.01, "For float32 arrays of shape (6,)")


def _norm_of(trial: Trial, error, before, after, rtol, atol, case: str) -> None:
    got = trial.call(error, before, after, rtol, atol)
    trial.expect(
        got,
        _rms([e / (atol + rtol * max(abs(a), abs(b))) for e, a, b in _flat(error, before, after)]),
        case,
        "the norm should be {want}; yours is {got}",
        _misread_norms(error, before, after, rtol, atol),
        tolerance=1e-5 if np.asarray(error).dtype == np.float32 else None,
    )


def _flat(*arrays) -> list[tuple[float, ...]]:
    return list(zip(*(np.ravel(each).astype("float64").tolist() for each in arrays), strict=True))


def _rms(ratios: list[float]) -> float:
    return math.sqrt(math.fsum(r * r for r in ratios) / len(ratios))


def _misread_norms(error, before, after, rtol, atol) -> list[Suspect]:
    error, before, after = (np.asarray(x, "float64") for x in (error, before, after))
    scale = atol + rtol * np.maximum(abs(before), abs(after))
    with np.errstate(all="ignore"):
        ratio = error / scale

        def rms(x: np.ndarray) -> Any:
            return np.sqrt(np.mean(x**2))

        said = [
            (abs(ratio), "no-mean", "Those are the entries one by one; one number is asked for."),
            (ratio, "no-mean", "Those are the entries one by one; one number is asked for."),
            (np.sqrt(np.sum(ratio**2)), "sum-not-mean",
             "That is the root of the sum. The mean makes long states comparable to short ones."),
            (np.max(abs(ratio)), "largest-entry", "That is the largest entry, not the root of the "
                                                  "mean of the squares."),
            (np.mean(abs(ratio)), "mean-of-sizes", "The entries are squared before the mean, and "
                                                   "the root is taken after it."),
            (np.mean(ratio), "signs-cancel", "Errors of opposite sign cancel in your mean: square "
                                             "them first."),
            (np.mean(ratio**2), "no-root", "The root is missing."),
            (rms(error), "not-scaled", "The tolerance is not used: 1 should mean 'just allowed'."),
            (rms(error / (atol + rtol * abs(before))), "before-only",
             "You used the state before the step only; the larger of both is asked for."),
            (rms(error / (atol + rtol * abs(after))), "after-only",
             "You used the state after the step only; the larger of both is asked for."),
            (rms(error / (atol + rtol * np.maximum(before, after))), "size-without-abs",
             "Take the absolute values first: -3 is larger than 1 in size."),
            (rms(error / (atol + rtol * abs(np.maximum(before, after)))), "size-without-abs",
             "Take the absolute values first: -3 is larger than 1 in size."),
            (rms(error / (atol + rtol * np.minimum(abs(before), abs(after)))), "smaller-state",
             "The larger of both sizes is asked for, not the smaller."),
            (rms(error / (rtol + atol * np.maximum(abs(before), abs(after)))),
             "tolerances-swapped", "rtol belongs to the size of the state; atol stands alone."),
            (rms(error / (rtol * np.maximum(abs(before), abs(after)))), "no-atol",
             "atol is missing: where the state is 0, nothing would be allowed."),
            (rms(error / atol), "no-rtol", "rtol is missing: a large state may have a larger "
                                           "error."),
            (rms(error / np.maximum(atol, rtol * np.maximum(abs(before), abs(after)))),
             "larger-tolerance", "The two tolerances are added."),
            (rms(error / (atol + rtol * np.max([abs(before), abs(after)]))), "one-size",
             "Each entry has its own tolerance, by its own size."),
            (rms(error / (atol + rtol * (abs(before) + abs(after)))), "sizes-added",
             "Take the larger of both sizes, not their sum."),
            (rms(error) / (rms(scale)), "one-size",
             "Divide entry by entry, before the mean: each entry has its own tolerance."),
        ]  # fmt: skip
    return [Suspect(*each) for each in said]


# 2. step_controller


@LESSON.exercise(
    "step_controller",
    title="How long may the next step be?",
    points=2,
    minutes=8,
    difficulty=2,
    importance=5,
    signature="h, error, order, safety, smallest, largest",
    reference=step_controller,
)
def _judge_step_controller(trial: Trial) -> None:
    """The factor by logarithms, and the middle one of three numbers for its bounds."""
    _next_step(trial, 0.1, 8.0, 2)
    _next_step(trial, 0.1, 0.125, 2)
    _next_step(trial, 0.1, 1.0, 4)
    _next_step(trial, 0.5, 1e-9, 2)
    _next_step(trial, 0.5, 1e9, 2)
    _next_step(trial, 0.1, 0.0, 2)
    _next_step(trial, 0.1, np.float64(0.0), 3)
    _next_step(trial, 0.1, math.inf, 2)
    _next_step(trial, 0.1, math.nan, 2)
    _next_step(trial, 0.25, np.float64("nan"), 4)
    _next_step(trial, -0.1, 8.0, 2)
    for order in (0, 1, 2, 3, 4, 7):
        for sign in (1, -1):
            h = sign * float(trial.draw.uniform(0.01, 2))
            _next_step(trial, h, float(10 ** trial.draw.uniform(-1.2, 1)), order)
    for error in (0.0, 1e-6, 0.5, 0.9, 1.5, 1e6, math.nan):
        draw = trial.draw
        bounds = (draw.uniform(0.5, 1), draw.uniform(0.05, 0.5), draw.uniform(2, 20))
        _next_step(trial, float(draw.uniform(0.01, 2)), error, 2, *(float(x) for x in bounds))


def _next_step(trial: Trial, h: float, error: float, order: int, *given: float) -> None:
    safety, smallest, largest = given or (0.9, 0.2, 10.0)
    got = trial.call(h, error, order, *given)
    if math.isnan(error):
        factor = smallest
    elif error == 0:
        factor = largest
    else:
        factor = sorted((smallest, safety * _root(error, order + 1), largest))[1]
    case = f"After a step of {h:.4g} with error norm {error:.4g} and a pair of order {order}"
    if given:
        case += f", with safety = {safety:.3g}, smallest = {smallest:.3g}, largest = {largest:.3g}"
    if math.isnan(error) and _is_nan(got):
        trial.fail(
            f"{case} the next step should be {h * factor:.4g}; yours is NaN too. An error that is "
            f"no number ends in the shortest step that is allowed: h * smallest.",
            "nan-passed-on",
        )
    trial.expect(
        got,
        h * factor,
        case,
        "the next step should be {want}; yours is {got}",
        _misread_steps(h, error, order, safety, smallest, largest),
    )


def _is_nan(got: Any) -> bool:
    return isinstance(got, float | np.floating | np.ndarray) and bool(np.isnan(got).all())


def _root(error: float, k: float) -> float:
    """The factor that makes an error 1 which goes like h^k."""
    return 0.0 if error == math.inf else math.exp(-math.log(error) / k)


def _misread_steps(h, error, order, safety, smallest, largest) -> list[Suspect]:
    if math.isnan(error):
        return [
            Suspect(h * largest, "nan-as-zero", "An error that is no number is the worst of all, "
                                                "and your step grows."),
            Suspect(h, "nan-ignored", "The same step would fail again: it has to become shorter."),
            Suspect(h * safety, "nan-ignored", "A step that failed has to become much shorter."),
        ]  # fmt: skip
    if error == 0:
        why = "An error of 0 ends in the longest step that is allowed: h * largest."
        others = (math.inf, math.nan, h, h * safety, h * smallest, -math.inf, 0.0)
        return [Suspect(x, "zero-error", why) for x in others]

    def clipped(x: float) -> float:
        return h * sorted((smallest, x, largest))[1]

    k = order + 1
    free = safety * _root(error, k)
    said = [
        (clipped(safety / max(_root(error, k), 1e-300)), "wrong-direction",
         "Yours goes the wrong way: a large error asks for a short step."),
        (clipped(safety * (_root(error, order) if order else 1.0)), "order-not-plus-one",
         "The error of one step goes like h^(order + 1): take that root."),
        (clipped(_root(error, k)), "no-safety", "The safety factor is missing."),
        (clipped(safety * _root(error, 1)), "error-linear-in-h",
         "The error does not go like h: halving a step divides it by more than two. Which root?"),
        (clipped(safety**(1 / k) * _root(error, k)), "safety-in-root",
         "The safety factor multiplies the root; it does not stand under it."),
        (clipped(safety * _root(error, 1 / k)), "power-not-root",
         "That is the power order + 1; its root is asked for."),
        (clipped(free) / h, "factor-not-step", "That is the factor; the step itself is asked for."),
        (abs(clipped(free)), "sign-lost", "A negative h, back in time, stays negative."),
        (h * max(smallest, free), "no-largest", "The factor should be at most `largest`."),
        (h * min(largest, free), "no-smallest", "The factor should be at least `smallest`."),
        (safety * clipped(_root(error, k)), "safety-after-bounds",
         "The safety factor belongs to what is bounded: multiply first, then bound."),
        (max(smallest, min(largest, h * free)), "bounds-on-step",
         "The bounds are for the factor, not for the step itself."),
        (h if error <= 1 else clipped(free), "never-grows",
         "After a good step the next one may be longer."),
    ]  # fmt: skip
    return [Suspect(*each) for each in said]


# 3. adaptive_solve


class _Spy:
    """An embedded pair that plays a part, and writes down how it was asked."""

    def __init__(self, trial: Trial, order: int, rule: Callable):
        self.order, self.rule, self.trial = order, rule, trial
        self.asked: list[tuple[float, np.ndarray, float]] = []
        self.told: list[tuple[np.ndarray, Any]] = []

    def __call__(self, f, t, y, h):
        if not callable(f) or np.ndim(t) or np.ndim(h):
            raise TypeError("a pair is called as pair(f, t, y, h)")
        if len(self.asked) >= 400:
            self.trial.fail(
                f"Your solver tried 400 steps and did not arrive; the last began at t = {t:.6g} "
                f"with h = {h:.3g}. Does t advance after an accepted step, and h change after "
                f"a rejected one?",
                "never-arrives",
            )
        self.asked.append((float(t), np.array(y, dtype=float), float(h)))
        tried, error = self.rule(f, t, np.array(y, dtype=float), h)
        self.told.append((np.array(tried), np.array(error)))
        return tried, error


RTOL, ATOL = 1e-3, 1e-2


def _as_told(size_of: Callable) -> Callable:
    """A rule: Euler's step, and an error whose norm is `size_of(t, h)` exactly."""

    def rule(f, t, y, h):
        tried = y + h * f(t, y)
        scale = ATOL + RTOL * np.maximum(np.abs(y), np.abs(tried))
        return tried, size_of(t, h) * scale

    return rule


@LESSON.exercise(
    "adaptive_solve",
    title="A solver that chooses its steps",
    points=4,
    minutes=20,
    difficulty=4,
    importance=5,
    signature="pair, f, t_span, y0, rtol, atol, first_step",
    reference=adaptive_solve,
    needs=("04.error_norm", "04.step_controller"),
)
def _judge_adaptive_solve(trial: Trial) -> None:
    """Pairs that play parts: each attempt must follow from what the one before was told."""
    one = np.array([0.0])

    def ahead(t, y):
        return 1.0 + 0.0 * y

    def still(t, y):
        return 0.0 * y

    _follow(trial, 2, lambda t, h: 1e-9, ahead, (0.0, 1.0), one, 0.25, "every step is good")
    _follow(
        trial,
        2,
        lambda t, h: 1e-9,
        ahead,
        (1.0, 2.0),
        one,
        5.0,
        "first_step is longer than the whole way",
    )
    _follow(
        trial,
        2,
        lambda t, h: 8.0 if h > 0.3 else 0.5,
        ahead,
        (0.0, 1.0),
        one,
        0.4,
        "steps longer than 0.3 are bad",
    )
    _follow(
        trial,
        2,
        lambda t, h: 1.0,
        still,
        (0.0, 1.0),
        np.zeros(2),
        0.5,
        "the error norm is exactly 1",
    )
    _follow(
        trial,
        2,
        lambda t, h: math.nan if h > 0.2 else 0.4,
        ahead,
        (0.0, 1.0),
        one,
        0.5,
        "the error of long steps is no number (NaN)",
    )
    for shape in ((), (3,), (2, 2)):
        for order in (1, 2, 4):
            _drawn_way(trial, shape, order)
    _real_pair(trial)


def _drawn_way(trial: Trial, shape: tuple[int, ...], order: int) -> None:
    draw = trial.draw
    begin, rough, tempo = float(draw.normal()), *(float(x) for x in draw.uniform(0.2, 1, 2))
    y0, rate = np.asarray(draw.normal(size=shape)), float(draw.normal())

    def size(t, h):  # a way that is rough in some places
        good = 0.25 * (1.05 + math.sin(9 * tempo * (t + h / 2)))
        return 0.7 * rough * (h / good) ** (order + 1)

    def field(t, y):
        return rate * np.cos(t) * y + t

    span = (begin, begin + float(draw.uniform(1, 2)))
    _follow(
        trial, order, size, field, span, y0, float(draw.uniform(0.3, 0.6)),
        f"a way that is rough in places, a state of shape {shape} and a pair of order {order}",
    )  # fmt: skip


def _follow(trial: Trial, order, size, f, span, y0, first_step, what: str) -> None:
    pair = _Spy(trial, order, _as_told(size))
    got = trial.call(pair, f, span, y0, RTOL, ATOL, first_step)
    _judge_way(trial, pair, got, span, y0, first_step, what, RTOL, ATOL)


def _judge_way(trial: Trial, pair, got, span, y0, first_step, what: str, rtol, atol) -> None:
    t, end = span
    case = f"Where {what},"
    y, nominal, rejected = np.asarray(y0, float), [first_step], 0
    ts, ys = [t], [y]
    sizes: list[float] = []
    near = 1e-9 * (abs(end) + abs(t) + abs(end - t))
    for (at, begun, h), (tried, error) in zip(pair.asked, pair.told, strict=True):
        if end - t <= near and abs(h) <= near:  # a rest that rounding left over
            ts[-1], ys[-1] = end, tried
            continue
        if end - t <= near:
            trial.fail(
                f"{case} the solve should end at t = {end:.4g}; yours tried one more step.",
                "beyond-the-end",
            )
        _begins_rightly(trial, case, (at, begun, h), (t, y), ts, ys, sizes, near)
        _is_as_long(trial, case, (t, h), end, nominal, sizes, near)
        size = _norm(error, y, tried, rtol, atol)
        sizes.append(size)
        # After a rejection, whether the cut step is shortened or the wish before the cut is free.
        wishes = [h] if size <= 1 else [h, *(n for n in nominal if n > h)]
        nominal = [_told_next(n, size, pair.order) for n in wishes]
        if size <= 1:
            t, y = (end if abs(t + h - end) <= near else t + h), tried
            ts.append(t)
            ys.append(y)
        else:
            rejected += 1
    if not pair.asked:
        trial.fail(f"{case} your solver never called pair(f, t, y, h).", "pair-not-used")
    if end - t > near:
        after = "a rejected step" if sizes[-1:] > [1] else "an accepted step"
        trial.fail(
            f"{case} the solve should go on to t = {end:.4g}; yours stopped at t = {t:.4g}, after "
            f"{after}.",
            "stops-early",
        )
    _judge_result(trial, case, got, np.array(ts), np.array(ys), rejected, pair)


def _norm(error, y, tried, rtol, atol) -> float:
    pairs = _flat(error, y, tried)
    return _rms([e / (atol + rtol * max(abs(a), abs(b))) for e, a, b in pairs])


def _told_next(h: float, size: float, order: int) -> float:
    if math.isnan(size):
        return 0.2 * h
    return h * sorted((0.2, 0.9 * _root(size, order + 1) if size else 10.0, 10.0))[1]


def _same_state(a, b) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12)


def _begins_rightly(trial, case, asked, should, ts, ys, sizes, near) -> None:
    at, begun, _ = asked
    t, y = should
    right_time, right_state = abs(at - t) <= near, _same_state(begun, y)
    if right_time and right_state:
        return
    count = f"attempt {len(sizes) + 1}"
    if not sizes:
        trial.fail(
            f"{case} the first step should begin at t = {t:.4g} with y0; yours began at "
            f"t = {at:.4g}{', with another state' if right_time else ''}.",
            "wrong-start",
        )
    size = sizes[-1]
    if not size <= 1:
        trial.fail(
            f"{case} {count} should begin at t = {t:.6g} again, with the same state, because the "
            f"error norm before was {size:.3g}; yours went on from t = {at:.6g}. A rejected step "
            f"is thrown away, time and state.",
            "nan-accepted" if math.isnan(size) else "advances-on-reject",
        )
    if right_time:
        why = "with the state that the accepted step reached; yours began with another one"
        trial.fail(f"{case} {count} should begin at t = {t:.6g} {why}.", "state-not-advanced")
    same = len(ts) > 1 and abs(at - ts[-2]) <= near
    trial.fail(
        f"{case} {count} should begin at t = {t:.6g}, because the error norm before was "
        f"{size:.3g} and a norm of at most 1 is accepted; yours began at t = {at:.6g}."
        + (" Ask the pair once per attempt, and keep both of its answers." if same else ""),
        "good-step-rejected" if same else "wrong-time",
    )


def _is_as_long(trial, case, asked, end, nominal, sizes, near) -> None:
    t, h = asked
    wants = [min(n, end - t) for n in nominal]
    if any(abs(h - want) <= 1e-9 * abs(want) + 1e-3 * near for want in wants):
        return
    sentence = (
        f"{case} attempt {len(sizes) + 1}, at t = {t:.4g}, should have h = {wants[0]:.6g}; "
        f"yours has {h:.6g}."
    )
    if abs(h - nominal[0]) <= 1e-9 * abs(h) and h > end - t:
        trial.fail(f"{sentence} That step goes beyond the end.", "beyond-the-end")
    if not sizes:
        trial.fail(f"{sentence} first_step is what the first attempt tries.", "first-step-ignored")
    good = sizes[-1] <= 1
    trial.fail(
        f"{sentence} The error norm before was {sizes[-1]:.3g}, and step_controller says what "
        f"follows, after {'accepted' if good else 'rejected'} steps too.",
        "step-kept-after-accept" if good else "step-kept-after-reject",
    )


def _judge_result(trial, case, got, ts, ys, rejected, pair) -> None:
    if got is None:
        trial.fail(f"{case} yours returned None. Is there a `return`?", "no-return")
    if not isinstance(got, tuple | list) or len(got) != 3:
        trial.fail(
            f"{case} the result should be three things: ts, ys and the number of rejected steps; "
            f"yours is of type {type(got).__name__}.",
            "wrong-type",
        )
    times, states, count = got
    tries = len(pair.asked)
    theirs = np.size(times)
    if theirs == len(ts) + 1 and abs(ts[-1] - np.ravel(times)[-1]) < 1e-9 * (1 + abs(ts[-1])):
        ts, ys = np.append(ts, ts[-1]), np.concatenate([ys, ys[-1:]])  # a rest of rounding
    trial.expect(
        times, ts, f"{case} for ts",
        "the times should be {want}; yours are {got}",
        [
            Suspect(ts[1:], "start-missing", "The start is missing: ts[0] is t_span[0]."),
            Suspect(ts[:-1], "end-missing", "The end is missing."),
            Suspect(np.diff(ts), "steps-not-times", "Those are the steps; the times are asked "
                                                    "for."),
            Suspect([at for at, _, _ in pair.asked], "attempts-not-steps",
                    "Those are the starts of all attempts."),
        ],
        tolerance=1e-9, scale=1.0,
    )  # fmt: skip
    trial.expect(
        states, ys, f"{case} for ys",
        "a state should be {want}; yours is {got}",
        [
            Suspect(ys[1:], "start-missing", "The start is missing: ys[0] is y0."),
            Suspect(ys[-1], "last-only", "That is the last state; all are asked for."),
            Suspect(np.broadcast_to(ys[-1], ys.shape), "rows-aliased",
                    "All rows are the last state: one array, changed again and again."),
        ],
        tolerance=1e-9, scale=1.0,
    )  # fmt: skip
    trial.expect(
        count, rejected, f"{case} with {tries} attempts,",
        "{want} were rejected; yours says {got}",
        [
            Suspect(tries, "counts-attempts", "That is the number of all attempts."),
            Suspect(tries - rejected, "counts-accepted", "That is the number of accepted steps."),
        ],
    )  # fmt: skip


def _real_pair(trial: Trial) -> None:
    """Euler inside Heun on y' = -k y, whose solution is known."""
    rate, start = (float(x) for x in trial.draw.uniform((1, 0.5), (3, 2)))

    def heun(f, t, y, h):
        first = f(t, y)
        second = f(t + h, y + h * first)
        return y + h / 2 * (first + second), h / 2 * (second - first)

    pair, y0 = _Spy(trial, 1, heun), np.array([start, -start])
    rtol, atol = 2e-3, 4e-4
    got = trial.call(pair, lambda t, y: -rate * y, (0.0, 1.0), y0, rtol, atol, 0.5)
    what = "Heun's method with Euler's inside solves y' = -k y"
    _judge_way(trial, pair, got, (0.0, 1.0), y0, 0.5, what, rtol, atol)
    trial.expect(
        np.asarray(got[1])[-1], y0 * math.exp(-rate), f"Where {what},",
        "the last state should be close to {want}; yours is {got}", tolerance=0.05,
    )  # fmt: skip


# 4. work_precision


@LESSON.exercise(
    "work_precision",
    title="What does accuracy cost?",
    points=2,
    minutes=10,
    difficulty=2,
    importance=3,
    signature="solve, f, y_end, settings",
    reference=work_precision,
)
def _judge_work_precision(trial: Trial) -> None:
    """Solvers that ask as often, and miss by as much, as this check tells them to."""
    _worked(trial, [2, 5, 3], [0.25, -0.5, 0.125], np.array([1.0, 2.0]), "[10, 20, 40]")
    _worked(trial, [1], [0.5], np.array([3.0]), "[10]")
    _worked(trial, [4, 0, 7, 7], [1e-3, 0.0, -1e-9, 2.0], np.array(0.5), None)
    for shape in ((3,), (2, 2), ()):
        number = int(trial.draw.integers(2, 6))
        calls = trial.draw.integers(1, 12, size=number).tolist()
        misses = trial.draw.normal(size=number).tolist()
        _worked(trial, calls, misses, np.asarray(trial.draw.normal(size=shape)), None)


def _worked(trial: Trial, calls, misses, y_end, settings) -> None:
    shape, draw = np.shape(y_end), trial.draw
    own = [10, 20, 40][: len(calls)] if settings else (10.0 ** -np.arange(1, len(calls) + 1))
    own = list(own)
    rate = float(draw.uniform(1, 2))
    parts = [draw.uniform(0.1, 0.6, size=shape) * draw.choice([-1, 1], size=shape) for _ in calls]
    for part in parts:
        np.ravel(part)[:1] = 0.0
    missed = [m * _with_one(part, draw) for m, part in zip(misses, parts, strict=True)]
    asked: list[Any] = []

    def field(t, y):
        return rate * y + t

    def solve(f, setting):
        asked.append(setting)
        place = own.index(setting)
        for k in range(calls[place]):
            y = np.full(shape, 1.0 + k)
            slope = f(0.5 * k, y)
            if slope is None or not np.allclose(slope, rate * y + 0.5 * k):
                trial.fail(
                    "The f that you hand to solve should return what the given f returns; yours "
                    "returns something else. Count, and pass the slope on.",
                    "slope-not-passed-on",
                )
        return y_end + missed[place]

    got = trial.call(solve, field, y_end, own)
    case = f"For settings {settings}" if settings else f"For {len(calls)} settings"
    case += f" and a state of shape {shape}"
    if got is None:
        trial.fail(f"{case} yours returned None. Is there a `return`?", "no-return")
    if not isinstance(got, tuple | list | np.ndarray) or len(got) != 2:
        trial.fail(
            f"{case} the result should be two arrays: evaluations, then errors; yours is of type "
            f"{type(got).__name__}.",
            "wrong-type",
        )
    counted, errors = got
    if not len(asked):
        trial.fail(f"{case} solve was never called.", "solve-not-called")
    total = np.cumsum(calls)
    trial.expect(
        counted, np.array(calls), f"{case}, of which solve calls f {calls} times,",
        "the evaluations should be {want}; yours are {got}",
        [
            Suspect(np.abs(missed).reshape(len(calls), -1).max(axis=1), "results-swapped",
                    "Those are the errors: evaluations come first."),
            Suspect(total, "count-not-reset", "Your count goes on from one setting to the next: "
                                              "begin at 0 each time."),
            Suspect(total[-1], "one-total", "One number per setting is asked for."),
            Suspect(np.ones(len(calls)), "counts-solves", "Those are calls of solve; calls of f "
                                                          "are asked for."),
            Suspect(np.array(calls) + 1, "off-by-one", "That is one call too many: where does "
                                                       "your count begin?"),
            Suspect(np.zeros(len(calls)), "not-counted", "The f that solve got does not count."),
            Suspect(own, "settings-not-counts", "Those are the settings."),
        ],
    )  # fmt: skip
    flat = np.array(missed).reshape(len(calls), -1)
    states = (flat + np.ravel(y_end)).reshape(len(calls), -1)
    with np.errstate(all="ignore"):
        relative = np.abs(flat / np.ravel(y_end)).max(axis=1)
    trial.expect(
        errors, np.array([max(abs(x) for x in row) for row in flat.tolist()]), f"{case},",
        "the errors should be {want}; yours are {got}",
        [
            Suspect(flat.max(axis=1), "signed-error", "An error below and one above count alike: "
                                                      "take the absolute value before the "
                                                      "largest."),
            Suspect(-flat.min(axis=1), "signed-error", "An error below and one above count alike: "
                                                       "take the absolute value first."),
            Suspect(np.abs(flat.max(axis=1)), "signed-error", "Take the absolute value before "
                                                              "the largest."),
            Suspect(np.abs(flat).mean(axis=1), "mean-not-largest", "That is the mean over the "
                                                                   "entries; the largest is "
                                                                   "asked for."),
            Suspect(np.linalg.norm(flat, axis=1), "norm-not-largest", "That is the Euclidean norm; "
                                                                      "the largest entry is asked "
                                                                      "for."),
            Suspect(np.abs(states).max(axis=1), "state-not-error", "That is the size of the "
                                                                   "state, not of the error."),
            Suspect(relative, "relative-error", "That is the error relative to the state; the "
                                                "absolute one is asked for."),
            Suspect(np.abs(np.array(missed)), "no-maximum", "One number per setting is asked for: "
                                                            "the largest entry."),
            Suspect(np.abs(np.abs(states).max(axis=1) - np.abs(y_end).max()), "sizes-compared",
                    "Subtract the states first, then look for the largest entry."),
        ],
        scale=max(1.0, float(np.max(np.abs(y_end)))), tolerance=1e-14 * 256,
    )  # fmt: skip


def _with_one(part: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The array with its largest entry, of size 1, at a drawn place."""
    part = np.array(part, dtype=float)
    part[np.unravel_index(draw.integers(part.size), part.shape)] = 1.0
    return part


# 5. stiffness_from_stages


@LESSON.exercise(
    "stiffness_from_stages",
    title="Is it stability that holds the step back?",
    points=2,
    minutes=8,
    difficulty=2,
    importance=4,
    signature="h, slopes, states",
    reference=stiffness_from_stages,
)
def _judge_stiffness_from_stages(trial: Trial) -> None:
    """Entry by entry in plain numbers; then known rates, and stages that say nothing."""
    slopes, states = np.array([[-10.0, 5.0], [-10.0, -5.0]]), np.array([[1.0, 2.0], [1.3, 2.4]])
    words = "For h = 0.1, slopes [-10, 5] and [-10, -5], states [1, 2] and [1.3, 2.4]"
    _rate_of(trial, 0.1, slopes, states, words)
    _rate_of(trial, -0.1, slopes, states, words.replace("0.1", "-0.1"))
    for shape in ((), (1,), (4,), (2, 3), (2, 2, 2)):
        h = float(trial.draw.uniform(0.01, 2))
        slopes, states = trial.draw.normal(size=(2, 2, *shape))
        _rate_of(trial, h, slopes, states, f"For drawn stages of shape {shape} and h = {h:.3g}")
    rate, y = float(trial.draw.uniform(10, 1000)), trial.draw.uniform(0.5, 2, size=5)
    near = np.stack([y, y + 1e-7 * trial.draw.choice([-1, 1], size=5)])
    _rate_of(trial, 0.01, -rate * near, near, f"For the field -{rate:.4g} * y and close stages",
             tolerance=1e-6)  # fmt: skip
    for shape in ((), (3,), (2, 2)):
        _nothing_to_see(trial, shape)


def _nothing_to_see(trial: Trial, shape: tuple[int, ...]) -> None:
    one = np.asarray(trial.draw.normal(size=shape))
    for slopes in (np.stack([one, one]), np.stack([one, one + 1.0])):
        case = f"For two equal states of shape {shape}"
        got = trial.call(0.1, slopes, np.stack([one, one]))
        why = "Equal states show no rate: nothing may be divided by their distance 0."
        if _is_nan(got):
            trial.fail(f"{case} the result should be 0; yours is NaN. {why}", "equal-states")
        wrong = [Suspect(x, "equal-states", why) for x in (math.inf, 0.1)]
        trial.expect(got, 0.0, case, "the result should be {want}; yours is {got}", wrong)


def _rate_of(trial: Trial, h, slopes, states, case: str, tolerance=None) -> None:
    def length(a, b) -> float:
        return math.sqrt(math.fsum((x - y) ** 2 for x, y in _flat(a, b)))

    got = trial.call(h, slopes, states)
    rise, apart = length(*slopes), length(*states)
    up, gap = np.ravel(slopes[1] - slopes[0]), np.ravel(states[1] - states[0])
    size = np.linalg.norm
    with np.errstate(all="ignore"):
        said = [
            (rise / apart, "step-size-forgotten", "That is the rate; times |h| it can be compared "
                                                  "with the border of stability."),
            (h * rise / apart, "sign", "The result is a size: a negative h counts as |h|."),
            (abs(h) * apart / rise, "upside-down",
             "Upside down: slopes per state make a rate."),
            (abs(h) * rise, "not-divided", "Divide by how far the states are apart."),
            (abs(h) * apart, "states-only", "The slopes are not used."),
            (rise / apart / abs(h), "divided-by-h", "A rate times a time is a pure number: "
                                                    "multiply by |h|."),
            (abs(h) * size(slopes[1]) / size(states[1]), "no-differences",
             "Those are slope and state of the last stage; their differences show the rate."),
            (abs(h) * size(slopes[0]) / size(states[0]), "no-differences",
             "Those are slope and state of one stage; the differences show the rate."),
            (abs(h) * np.max(abs(up)) / np.max(abs(gap)), "largest-entry",
             "Those are the largest entries; Euclidean norms are asked for."),
            (abs(h) * np.sum(abs(up)) / np.sum(abs(gap)), "other-norm",
             "Those are sums of sizes; Euclidean norms are asked for."),
            (abs(h) * np.max(abs(up / gap)), "entry-by-entry",
             "Take both norms first, then divide: an entry may hardly differ."),
            (abs(h) * size(up / gap), "entry-by-entry", "Take both norms first, then divide."),
            (abs(h) * abs(size(slopes[1]) - size(slopes[0]))
             / abs(size(states[1]) - size(states[0])), "norms-subtracted",
             "Subtract first, then take the norm: a slope may turn and keep its size."),
            (abs(h) * (rise / apart)**2, "no-root", "A root is missing in your norms."),
        ]  # fmt: skip
    if tolerance is not None:  # the case of close states
        why = "These states are close, not equal: return 0 for equal ones only."
        said.insert(0, (0.0, "close-as-equal", why))
    trial.expect(
        got,
        abs(h) * rise / apart,
        case,
        "the result should be {want}; yours is {got}",
        [Suspect(*each) for each in said],
        tolerance=tolerance,
    )
