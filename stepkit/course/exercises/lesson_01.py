"""Lesson 01, Euler steps: the oracles of its exercises, and its questions."""

from __future__ import annotations

import numpy as np

from stepkit.course.exercise import Lesson, Option
from stepkit.course.trial import Suspect, Trial
from stepkit.ode import Euler

LESSON = Lesson("01")

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
    for shape in ((), (3,), (4, 3), (2, 5, 5, 1)):
        for dtype in ("float64", "float32"):
            _drawn_case(trial, shape, dtype)


def _first_case(trial: Trial) -> None:
    got = trial.call(lambda t, y: -y, 0.0, 1.0, 0.1)
    trial.expect(
        got,
        0.9,
        "From y = 1.0 with slope -1.0 and h = 0.1",
        "a step should land at {want}; yours landed at {got}",
        [
            Suspect(-0.1, "change-not-state", "That is the change, not the new state."),
            Suspect(0.0, "step-ignored", "That is y + f(t, y): the step size is not used."),
            Suspect(
                1.1, "sign", "You moved against the slope: y grew where dy/dt is negative."
            ),
        ],
    )  # fmt: skip


def _step_size_matters(trial: Trial) -> None:
    y, slope = 2.0, float(trial.draw.uniform(0.5, 1.5))
    short, long = (trial.call(lambda t, y: slope, 0.0, y, h) for h in (0.1, 0.2))
    if np.all(np.asarray(short) == np.asarray(long)):
        trial.fail(
            "With h = 0.1 and with h = 0.2 yours lands on the same point: "
            "the step size is not used.",
            "step-ignored",
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

    got = trial.call(slope, t, y if shape else y[()], h)
    if asked and abs(asked[0] - (t + h)) < 1e-12 < abs(h):
        trial.fail(
            f"The slope depends on t here; you asked for it at t + h = {t + h:.3g}, "
            f"but the step starts at t = {t:.3g}.",
            "slope-at-end",
        )
    terms = (y, h * a * y * y, h * b * np.sin(t), h * c)
    want = np.sum([np.asarray(term, "float64") for term in terms], axis=0)
    trial.expect(
        got,
        want.astype(dtype),
        f"For y of shape {shape} and h = {h:.3g}",
        "the step should give {want}; yours gives {got}",
        [Suspect(y - (want - y), "sign", "You moved against the slope.")],
        scale=float(np.max(np.abs(terms[1]), initial=1.0)),
    )
