"""Lesson 03, stability and stiffness: pieces that `use` hands out, oracles, questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stepkit import stiffness
from stepkit.course.exercise import Lesson, Option
from stepkit.course.trial import Suspect, Trial
from stepkit.course.wording import show

LESSON = Lesson("03")


# What `use` hands out.


def jacobian_by_differences(f, t, y):
    """The matrix of the derivatives of f by the state, by central differences."""
    y = np.asarray(y, float)
    steps = 1e-6 * np.maximum(1.0, np.abs(y))
    pairs = [(f(t, y + row), f(t, y - row)) for row in np.diag(steps)]
    columns = [(np.asarray(a) - np.asarray(b)) for a, b in pairs]
    return np.stack(columns, axis=1) / (2 * steps)


def stability_function(A, b, z):  # noqa: N803
    """R(z) = 1 + z b^T (I - z A)^-1 1 of a tableau, entry by entry."""
    A, b, z = np.asarray(A, float), np.asarray(b, float), np.asarray(z)  # noqa: N806
    matrices = np.eye(len(b)) - z[..., None, None] * A
    stages = np.linalg.solve(matrices, np.ones((len(b), 1)))[..., 0]
    return 1 + z * (stages @ b)


def largest_stable_step(eigenvalues, R, h_max):  # noqa: N803
    """The largest h <= h_max such that all steps up to it are stable, to h_max / 200."""
    h = np.linspace(0.0, h_max, 4001)
    sizes = np.abs(R(np.multiply.outer(h, np.asarray(eigenvalues))))
    stable = np.all(sizes <= 1 + 1e-9, axis=1)
    return float(h_max if stable.all() else h[np.argmin(stable) - 1])


def newton_step(g, z):
    """One step of Newton's method towards g(z) = 0."""
    matrix = jacobian_by_differences(lambda t, y: g(y), 0.0, z)
    return z - np.linalg.solve(matrix, g(z))


def implicit_euler_step(f, t, y, h):
    """One step of the implicit Euler method."""
    z = np.array(y, float)
    for _ in range(50):
        last, z = z, newton_step(lambda w: w - y - h * f(t + h, w), z)
        if np.max(np.abs(z - last)) <= 1e-10 * (1 + np.max(np.abs(z))):
            break
    return z


# Questions.

LESSON.question(
    "smooth",
    "Euler's method starts at 0, which is 1 below the curve cos t, and takes 36 steps of 0.042. "
    "One such step along the curve errs by less than 0.001. What does it do?",
    right="b",
    a=Option(
        "it reaches the curve and stays on it: the solution is smooth",
        "Smoothness bounds the new error of each step. It does not bound what becomes of the old "
        "errors.",
        "small-local-error-is-safe",
    ),
    b=Option(
        "it swings around the solution, further each time",
        "Each step multiplies the old error by 1 - 50 * 0.042 = -1.1: another sign, and larger.",
    ),
    c=Option(
        "it reaches the curve; then small errors add up, to about 36 times 0.001",
        "Errors would add up if each were kept as it is. Here each step multiplies them.",
        "errors-only-add",
    ),
    d=Option(
        "it falls behind the solution, but recovers",
        "An error that is multiplied by -1.1 in each step does not recover.",
        "explosion-heals",
    ),
)

LESSON.question(
    "longer",
    "On y' = -50 y, Euler's method bears steps up to 0.04. RK4 has order 4 and four stages. How "
    "long may its steps be?",
    right="c",
    a=Option(
        "four times as long: four stages",
        "Stages are work, not reach: the printed numbers say 1.4 times.",
        "stages-are-reach",
    ),
    b=Option(
        "as long as you like: it has order 4",
        "Order is a promise about short steps. Here the polynomial 1 + z + ... + z^4 / 24 decides, "
        "and it grows.",
        "order-is-stability",
    ),
    c=Option(
        "about 1.4 times as long",
        "So per evaluation of the slope RK4 reaches less far than Euler: 1.4 times for four times "
        "the work.",
    ),
    d=Option(
        "just as long: stability belongs to the problem",
        "The problem gives lambda, the method gives R. Both count.",
        "stability-is-the-problem",
    ),
)

LESSON.question(
    "asleep",
    "The start lies on the slow mode, exp(-t); the fast mode, exp(-100 t), is absent. Euler's "
    "method takes h = 0.03. What do you see?",
    right="d",
    a=Option(
        "a smooth curve: the fast mode is not there",
        "Not in the exact solution. Rounding puts about 1e-16 of it in, and each step doubles it.",
        "dead-mode-is-harmless",
    ),
    b=Option(
        "an explosion from the first step",
        "The fast part begins at about 1e-16: it takes dozens of doublings to be seen.",
        "explodes-at-once",
    ),
    c=Option(
        "a slow mode that grows",
        "The slow mode is multiplied by 1 - 0.03 = 0.97: it is fine.",
        "wrong-mode",
    ),
    d=Option(
        "a smooth curve for a while, then an explosion",
        "Rounding wakes the fast mode; with R(-3) = -2 each step doubles it.",
    ),
)

LESSON.question(
    "implicit",
    "Why may an implicit Euler step be as long as you like on y' = -50 y?",
    right="a",
    a=Option(
        "R(z) = 1 / (1 - z) has size below 1 for all z < 0",
        "Longer steps damp more. That is stability, not accuracy.",
    ),
    b=Option(
        "its order is higher",
        "Its order is 1, as Euler's.",
        "implicit-is-accurate",
    ),
    c=Option(
        "Newton's method removes the error",
        "Newton's method solves the equation of the step. The step itself still errs.",
        "newton-removes-error",
    ),
    d=Option(
        "it looks ahead, so it knows the solution at t + h",
        "It asks for the slope at a state that it has to find. It knows no exact state.",
        "knows-the-future",
    ),
)

LESSON.question(
    "stiff",
    "A Jacobian has the eigenvalues -1 and -1000. You need the solution up to t = 0.001, to three "
    "digits. Is the problem stiff?",
    right="c",
    a=Option(
        "yes, its ratio is 1000",
        "The ratio compares rates. It does not know your interval.",
        "ratio-is-stiffness",
    ),
    b=Option(
        "yes, since an eigenvalue is very negative",
        "In this interval the fast mode is the solution: accuracy asks for short steps anyway.",
        "fast-is-stiff",
    ),
    c=Option(
        "no: accuracy asks for short steps anyway",
        "Within the fast transient an explicit method pays nothing extra.",
    ),
    d=Option(
        "that depends on the solver alone",
        "The solver decides who suffers. Problem, tolerance and interval decide whether one does.",
        "solver-only",
    ),
)


# 1. stability_function

EULER = ([[0.0]], [1.0])
HEUN = ([[0.0, 0.0], [1.0, 0.0]], [0.5, 0.5])
RK4 = (
    [[0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 1 / 2, 0, 0], [0, 0, 1, 0]],
    [1 / 6, 1 / 3, 1 / 3, 1 / 6],
)
IMPLICIT = ([[1.0]], [1.0])
TRAPEZOID = ([[0.0, 0.0], [0.5, 0.5]], [0.5, 0.5])
CLOSED: list[tuple[str, tuple, Callable]] = [
    ("Euler's tableau", EULER, lambda z: 1 + z),
    ("Heun's tableau", HEUN, lambda z: 1 + z + z**2 / 2),
    ("RK4's tableau", RK4, lambda z: 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24),
    ("the implicit Euler tableau", IMPLICIT, lambda z: 1 / (1 - z)),
    ("the trapezoidal rule", TRAPEZOID, lambda z: (2 + z) / (2 - z)),
]
SHOULD_R = "R should be {want}; yours is {got}"


@LESSON.exercise(
    "stability_function",
    title="The stability function of a tableau",
    points=2,
    minutes=7,
    difficulty=2,
    importance=5,
    signature="A, b, z",
    reference=stability_function,
)
def _judge_stability_function(trial: Trial) -> None:
    """Closed forms, then a quotient of two determinants for drawn tableaux."""
    a, b = (np.array(each) for each in IMPLICIT)
    _expect_as_real(
        trial,
        trial.call(a, b, -3),
        0.25,
        "For the implicit Euler method at z = -3",
        [
            Suspect(-2.0, "explicit-only", "That is 1 + z: the inverse of I - z A is missing."),
            Suspect(2.5, "sign", "The matrix is I - z A, with a minus."),
            Suspect(1.25, "z-forgotten", "The z in front of b^T is missing."),
            Suspect(-0.75, "one-forgotten", "The 1 in front is the state itself: keep it."),
            Suspect(0.0, "integer-result", "Cut down to a whole number, because z = -3 is one."),
        ],
    )
    for name, (a, b), closed in CLOSED:
        for shape in ((), (4,), (2, 3)):
            z = trial.draw.normal(size=shape) * 2 - 2
            z = z + 1j * trial.draw.normal(size=shape)
            _one_tableau(trial, name, np.array(a), np.array(b), z, closed(z))
    for stages in (2, 3, 5):
        a, b = trial.draw.normal(size=(stages, stages)) / 3, trial.draw.normal(size=stages)
        z = np.array([-1.0, 0.5, 0.3]) + 1j * trial.draw.uniform(0.5, 1.5, size=3)
        want = [_by_determinants(a, b, each) for each in z]
        _one_tableau(trial, f"a drawn full tableau of {stages} stages", a, b, z, np.array(want))


def _by_determinants(a: np.ndarray, b: np.ndarray, z: complex) -> complex:
    eye, ones = np.eye(len(b)), np.ones(len(b))
    return np.linalg.det(eye - z * a + z * np.outer(ones, b)) / np.linalg.det(eye - z * a)


def _one_tableau(trial: Trial, name: str, a: Any, b: Any, z: Any, want: Any) -> None:
    eye, ones = np.eye(len(b)), np.ones(len(b))
    places = np.ravel(z)

    def of(rule: Callable) -> np.ndarray:
        return np.reshape([rule(each) for each in places], np.shape(z))

    transposed = of(lambda w: 1 + w * (b @ np.linalg.solve(eye - w * a.T, ones)))
    plus = of(lambda w: 1 + w * (b @ np.linalg.solve(eye + w * a, ones)))
    no_z = of(lambda w: 1 + b @ np.linalg.solve(eye - w * a, ones))
    linear = of(lambda w: 1 + w * np.sum(b))
    _expect_as_real(
        trial,
        trial.call(a, b, z if np.shape(z) else complex(z)),
        want,
        f"For {name} and complex z of shape {np.shape(z)}",
        [
            Suspect(np.abs(want), "size-not-value", "That is |R|: R itself is complex."),
            Suspect(np.real(want), "real-part-only", "The imaginary part is lost."),
            Suspect(transposed, "transposed", "A is transposed: a row belongs to one stage."),
            Suspect(plus, "sign", "The matrix is I - z A, with a minus."),
            Suspect(no_z, "z-forgotten", "The z in front of b^T is missing."),
            Suspect(linear, "explicit-only", "That is 1 + z: stages look at one another, by A."),
        ],
        scale=10.0,
    )


def _expect_as_real(trial: Trial, got: Any, want: Any, case: str, suspects: list, **k: Any) -> None:
    """A result that should be real may also be complex with no imaginary part."""
    if np.iscomplexobj(got):
        want = np.asarray(want, complex)
    trial.expect(got, want, case, SHOULD_R, suspects, tolerance=1e-8, **k)


# 2. jacobian_by_differences


@LESSON.exercise(
    "jacobian_by_differences",
    title="A Jacobian from differences",
    points=2,
    minutes=9,
    difficulty=2,
    importance=5,
    signature="f, t, y",
    reference=jacobian_by_differences,
)
def _judge_jacobian(trial: Trial) -> None:
    """Derivatives by hand, then those of drawn fields; large, whole and zero states."""
    matrix = np.array([[1.0, 2.0], [0.0, 3.0]])
    _derivative(
        trial, lambda t, y: matrix @ y, 0.0, np.zeros(2), matrix,
        "For f(t, y) = A y with A = [[1, 2], [0, 3]], at y = 0", rough=1e-4,
    )  # fmt: skip
    draw = trial.draw
    for rows, columns in ((3, 3), (2, 4), (4, 1)):
        a, c = draw.normal(size=(2, rows, columns))
        t, y = float(draw.normal()), draw.normal(size=columns)

        def f(t, y, a=a, c=c):
            return a @ np.sin(y) + t * (c @ y**2)

        want = a * np.cos(y) + 2 * t * c * y
        case = f"For a drawn field with {columns} states and {rows} slopes"
        _derivative(trial, f, t, y, want, case)
    y = np.array([3e8, -2e6, 0.5])
    _derivative(
        trial, lambda t, y: 1e-8 * y**2, 0.0, y,
        np.diag(2e-8 * y),
        "At y = [3e8, -2e6, 0.5], for f = 1e-8 y^2,",
        lost="The step must grow with the number, or it is rounded away.",
    )  # fmt: skip
    _derivative(
        trial, lambda t, y: 0.5 * y**2, 0.0, np.array([1, 2]), np.diag([1.0, 2.0]),
        "At y = [1, 2], whole numbers, for f = y^2 / 2",
        lost="Your copy of y holds whole numbers, so the step was cut off: copy as floats.",
    )  # fmt: skip


def _derivative(
    trial: Trial, f: Callable, t: float, y: Any, want: Any, case: str, rough: float = 1e-4,
    lost: str = "Nothing changed: the step is too short.",
) -> None:  # fmt: skip
    got = trial.call(f, t, y)
    flat = np.asarray(want)
    suspects = [
        Suspect(flat.T, "transposed", "Row i belongs to the slope f_i, column j to the state y_j."),
        Suspect(2 * flat, "half-forgotten", "A difference of both sides spans two steps."),
        Suspect(flat / 2, "half-too-many", "Divide by the distance that you moved."),
        Suspect(-flat, "sign", "The difference has the wrong sign."),
        Suspect(np.zeros_like(flat), "step-lost", lost),
    ]
    if len(flat) == 3:  # the large numbers: a fixed step is lost in the first two, or in one
        suspects += [
            Suspect(np.where(np.arange(3) < k, 0.0, flat), "step-lost", lost) for k in (1, 2)
        ]
    trial.expect(
        got, flat, case, "the Jacobian should be {want}; yours is {got}", suspects,
        tolerance=rough,
    )  # fmt: skip


# 3. largest_stable_step


@LESSON.exercise(
    "largest_stable_step",
    title="The longest stable step",
    points=2,
    minutes=8,
    difficulty=3,
    importance=4,
    signature="eigenvalues, R, h_max",
    reference=largest_stable_step,
)
def _judge_largest_stable_step(trial: Trial) -> None:
    """Intervals and discs whose ends are known by hand; drawn eigenvalues."""
    draw = trial.draw
    euler, implicit = CLOSED[0][2], _quiet(CLOSED[3][2])
    _longest(
        trial, [-50.0], euler, 0.1, 0.04, "For Euler's R and the eigenvalue -50",
        [
            Suspect(0.02, "interval-halved", "At h = 0.02, R is 0: the step is not yet too long."),
            Suspect(0.0, "R-not-size", "Compare the size |R(h lambda)| with 1."),
            Suspect(0.1, "size-forgotten", "R = -2 is below 1, but its size is not: take |R|."),
        ],
    )  # fmt: skip
    rates = -draw.uniform(1.0, 20.0, size=4)
    slow, fast = 2 / np.min(-rates), 2 / np.max(-rates)
    _longest(
        trial, rates, euler, 1.7 * slow, fast, "For Euler's R and 4 drawn real eigenvalues",
        [Suspect(slow, "slowest-decides", "All modes have to be stable: the fastest decides.")],
    )  # fmt: skip
    for _ in range(3):
        value = complex(-draw.uniform(0.5, 3.0), draw.uniform(0.5, 3.0))
        end = -2 * value.real / abs(value) ** 2
        pair = np.array([value, value.conjugate()])
        _longest(
            trial, pair, euler, draw.uniform(1.3, 3.0) * end, end,
            f"For Euler's R and the pair {value:.3g} and its conjugate",
            [Suspect(-2 / value.real, "real-part-only", "The imaginary part counts too.")],
        )  # fmt: skip
    _longest(
        trial, [-10.0, -0.5 + 4j, -0.5 - 4j], euler, 0.5, 1 / 16.25,
        "For Euler's R and the eigenvalues -10 and -0.5 +- 4i",
        [Suspect(0.2, "fastest-only", "The fastest is not the one that limits: look at all.")],
    )  # fmt: skip
    omega = draw.uniform(0.5, 3.0)
    pair = np.array([1j * omega, -1j * omega])
    _longest(trial, pair, euler, 3.0, 0.0, "For Euler's R and an undamped pair +-i w", [])
    rk4 = CLOSED[2][2]
    _longest(trial, pair, rk4, 4 / omega, np.sqrt(8) / omega, "For RK4's R and a pair +-i w", [])
    midpoint = _quiet(lambda z: (2 + z) / (2 - z))
    border = "For the implicit midpoint rule and a pair +-i w, where |R| is 1 but for rounding,"
    _longest(trial, pair, midpoint, 5.0, 5.0, border, [])
    _longest(trial, rates, implicit, 7.0, 7.0, "For implicit Euler, drawn lambda < 0", [])
    _longest(
        trial, [1.0], implicit, 5.0, 0.0, "For the implicit Euler R and lambda = 1, h_max = 5",
        [
            Suspect(
                5.0, "gap-stepped-over",
                "h = 5 is stable, but h = 1 is not: every step up to the answer must be.",
            )
        ],
    )  # fmt: skip
    _longest(trial, [0.0, -2.0], euler, 3.0, 1.0, "For Euler's R and the eigenvalues 0, -2", [])


def _quiet(rule: Callable) -> Callable:
    def quiet(z: Any) -> Any:
        with np.errstate(all="ignore"):
            return rule(np.asarray(z))

    return quiet


def _longest(
    trial: Trial, values: Any, rule: Callable, h_max: float, want: float, case: str, suspects: list
) -> None:
    got = trial.call(np.array(values), _quiet(rule), h_max)
    if np.ndim(got) == 0 and isinstance(got, (int, float, np.number)):
        if abs(got - want) <= 5.05e-3 * h_max:
            return
        for each in suspects:
            if abs(got - each.value) <= 5e-3 * h_max:
                got = each.value
    trial.expect(
        got, want, case, "the longest stable step should be {want}; yours is {got}", suspects,
        tolerance=1e-9,
    )  # fmt: skip


# 4. stiffness_ratio


@LESSON.exercise(
    "stiffness_ratio",
    title="The stiffness ratio",
    points=1,
    minutes=6,
    difficulty=2,
    importance=3,
    signature="system",
    reference=stiffness.stiffness_ratio,
)
def _judge_stiffness_ratio(trial: Trial) -> None:
    """Matrices made from eigenvalues that are known."""
    _ratio(trial, [[-100.0, 3.0], [0.0, -0.5]], 200.0, "For [[-100, 3], [0, -0.5]]", {
        "upside-down": (0.005, "Upside down: the fastest rate over the slowest."),
        "singular-values": (np.linalg.cond([[-100.0, 3.0], [0.0, -0.5]]),
                            "Those are singular values: take eigenvalues."),
        "difference": (99.5, "A ratio is asked for, not a difference."),
    })  # fmt: skip
    draw = trial.draw
    for size in (2, 3, 5):
        rates = np.sort(10.0 ** draw.uniform(-1, 3, size=size))
        _ratio(
            trial, _with(draw, list(-rates)), rates[-1] / rates[0],
            f"For a drawn matrix with {size} decaying modes", {},
        )  # fmt: skip
    spin = float(draw.uniform(20, 30))
    _ratio(
        trial, _with(draw, [-2.0, complex(-1.0, spin)]), 2.0,
        f"For the eigenvalues -2 and -1 +- {spin:.3g}i",
        {"size-not-rate": (np.hypot(1, spin) / 2, "Decay is in the real part alone.")},
    )  # fmt: skip
    grow = float(draw.uniform(200, 300))
    _ratio(
        trial, _with(draw, [-6.0, -2.0, grow]), 3.0, f"For the eigenvalues -6, -2 and {grow:.3g}",
        {
            "growing-counted": (grow / 2, "A growing mode does not die out: leave it out."),
        },
    )  # fmt: skip
    _ratio(
        trial, _with(draw, [-6.0, -2.0, 0.1]), 3.0, "For the eigenvalues -6, -2 and 0.1",
        {"growing-counted": (60.0, "A growing mode does not die out: leave it out.")},
    )  # fmt: skip
    for _ in range(100):  # until the zero is rounded to something that seems to decay
        rounded = _with(draw, [-8.0, -2.0, 0.0])
        if -1e-12 < np.max(np.linalg.eigvals(rounded).real) < 0:
            break
    _ratio(trial, rounded, 4.0, "For the eigenvalues -8, -2 and 0 (rounded)", {})
    _ratio(trial, [[-3.0]], 1.0, "For the matrix [[-3]]", {})
    got = trial.call(np.array([[0.0, 1.0], [-1.0, 0.2]]))
    if got is None or np.ndim(got) or not np.isnan(got):
        trial.fail(
            "For a matrix whose modes all grow the ratio should be NaN (np.nan); yours is "
            f"{got}. There is nothing to compare.",
            "nothing-to-compare",
        )


def _ratio(trial: Trial, matrix: Any, want: float, case: str, known: dict) -> None:
    suspects = [Suspect(value, name, why) for name, (value, why) in known.items()]
    got = trial.call(np.array(matrix))
    if got is not None and np.iscomplexobj(got):
        trial.fail(f"{case} the ratio should be real; yours is complex.", "wrong-dtype")
    if want == 4.0 and isinstance(got, (float, np.floating)) and not 0 < got < 1e9:
        trial.fail(
            f"{case} the ratio should be 4; yours is {got:.3g}. A zero comes out of NumPy as a "
            f"number near 1e-16: treat what is that small as zero.",
            "rounding-is-a-rate",
        )
    trial.expect(
        got, want, case, "the ratio should be {want}; yours is {got}", suspects, tolerance=1e-6
    )


def _with(draw: np.random.Generator, values: list) -> np.ndarray:
    """A real matrix with these eigenvalues; a complex one stands for its pair."""
    blocks = []
    for value in values:
        a, w = np.real(value), np.imag(value)
        blocks.append(np.array([[a, w], [-w, a]]) if np.iscomplexobj(value) else np.array([[a]]))
    size = sum(map(len, blocks))
    matrix, place = np.zeros((size, size)), 0
    for block in blocks:
        matrix[place : place + len(block), place : place + len(block)] = block
        place += len(block)
    turn = np.linalg.qr(draw.normal(size=(size, size)))[0]
    return turn @ matrix @ turn.T


# 5. newton_step


@LESSON.exercise(
    "newton_step",
    title="One step of Newton's method",
    points=1,
    minutes=5,
    difficulty=2,
    importance=3,
    signature="g, z",
    reference=newton_step,
    needs=("03.jacobian_by_differences",),
)
def _judge_newton_step(trial: Trial) -> None:
    """A root by hand, linear systems solved at once, and drawn equations with their derivative."""
    trial.expect(
        trial.call(lambda z: z**2 - 2.0, np.array([2.0])),
        np.array([1.5]),
        "For g(z) = z^2 - 2 at z = [2]",
        "one step should land at {want}; yours landed at {got}",
        [
            Suspect([2.5], "sign", "You moved away from the root: subtract."),
            Suspect([np.sqrt(2)], "iterated", "That is the root: one step is asked for."),
            Suspect([0.5], "change-not-state", "That is the correction: subtract it from z."),
            Suspect([-0.5], "change-not-state", "That is the correction: add it to z."),
            Suspect([0.0], "jacobian-ignored", "That is z - g(z): divide by the derivative."),
            Suspect([-6.0], "multiplied", "Solve with the Jacobian, do not multiply by it."),
        ],
        tolerance=1e-4,
    )  # fmt: skip
    draw = trial.draw
    for size in (2, 3, 4):
        a = draw.normal(size=(size, size)) + 3 * np.eye(size)
        c, z = draw.normal(size=(2, size))

        def g(z, a=a, c=c):
            return a @ z + 0.3 * np.sin(z) - c

        slope = a + np.diag(0.3 * np.cos(z))
        correction = np.linalg.inv(slope) @ g(z)
        diagonal, transposed = g(z) / np.diag(slope), np.linalg.inv(slope.T) @ g(z)
        trial.expect(
            trial.call(g, z),
            z - correction,
            f"For a drawn system of {size} equations",
            "one step should land at {want}; yours landed at {got}",
            [
                Suspect(z + correction, "sign", "You moved away from the root: subtract."),
                Suspect(z - g(z), "jacobian-ignored", "The Jacobian is not used."),
                Suspect(z - diagonal, "diagonal-only", "Only the diagonal is used."),
                Suspect(z - transposed, "transposed", "The Jacobian is transposed."),
                Suspect(z - slope @ g(z), "multiplied", "Solve with J, do not multiply by it."),
            ],
            tolerance=1e-4,
        )


# 6. implicit_euler_step


@LESSON.exercise(
    "implicit_euler_step",
    title="One implicit Euler step",
    points=3,
    minutes=9,
    difficulty=3,
    importance=4,
    signature="f, t, y, h",
    reference=implicit_euler_step,
    needs=("03.newton_step",),
)
def _judge_implicit_euler_step(trial: Trial) -> None:
    """Closed forms: linear systems by their inverse, a quadratic by its formula."""
    _lands(
        trial, lambda t, y: -200.0 * y, 0.0, np.array([1.0]), 1.0, [1 / 201],
        "From y = [1] with slope -200 y and h = 1",
        [
            Suspect([-199.0], "explicit", "That is Euler's step: the slope is that at the end."),
            Suspect([-99 / 101], "trapezoid", "That is the trapezoidal rule or the midpoint."),
            Suspect([39801.0], "guess-once", "The slope at Euler's trial state is not enough."),
            Suspect([-200 / 201], "change-not-state", "That is the change, not the new state."),
            Suspect([0.0], "state-overwritten", "The y in the equation must stay the old state."),
            Suspect([-1 / 199], "sign", "A sign is lost in the equation z = y + h f(t + h, z)."),
        ],
    )  # fmt: skip
    _lands(
        trial, lambda t, y: t**2 + 0.0 * y, 1.0, np.array([0.0]), 2.0, [18.0],
        "From t = 1, y = [0] with slope t^2 and h = 2",
        [
            Suspect([2.0], "time-not-advanced", "The slope belongs to the time t + h."),
            Suspect([8.0], "midpoint-time", "The slope belongs to the time t + h."),
        ],
    )  # fmt: skip
    draw = trial.draw
    for size in (1, 2, 4):
        a, y = draw.normal(size=(size, size)) - 5 * np.eye(size), draw.normal(size=size)
        c, t, h = draw.normal(size=size), float(draw.normal()), float(draw.uniform(0.2, 2))

        def f(t, y, a=a, c=c):
            return a @ y + t * c

        want = np.linalg.inv(np.eye(size) - h * a) @ (y + h * (t + h) * c)
        late = np.linalg.inv(np.eye(size) - h * a) @ (y + h * t * c)
        _lands(
            trial, f, t, y, h, want, f"For a drawn linear system of size {size}, h = {h:.3g}",
            [
                Suspect(y + h * f(t, y), "explicit", "That is Euler's explicit step."),
                Suspect(late, "time-not-advanced", "The slope belongs to the time t + h."),
            ],
        )  # fmt: skip
    y, k, h = draw.uniform(1, 3, size=3), draw.uniform(2, 20, size=3), float(draw.uniform(0.5, 2))
    root = (-1 + np.sqrt(1 + 4 * h * k * y)) / (2 * h * k)
    once = y - (h * k * y**2) / (1 + 2 * h * k * y)
    _lands(
        trial, lambda t, y: -k * y**2, 0.0, y, h, root, "For the slope -k y^2 with drawn k",
        [Suspect(once, "newton-once", "That is one step of Newton's method: repeat it.")],
    )  # fmt: skip


def _lands(
    trial: Trial, f: Callable, t: float, y: Any, h: float, want: Any, case: str, suspects: list
) -> None:
    got = trial.call(f, t, y, h)
    if isinstance(got, np.ndarray) and np.all(np.abs(got) > 1e6):
        trial.fail(
            f"{case} a step should land at {show(np.array(want))}; yours landed at {show(got)}. "
            f"Repeating z = y + h f(t + h, z) runs away where the step is long: use newton_step.",
            "fixed-point",
        )
    trial.expect(
        got, np.array(want), case,
        "a step should land at {want}; yours landed at {got}", suspects, tolerance=3e-8,
        scale=float(np.max(np.abs(y))),
    )  # fmt: skip
