"""Lesson 06, the Jacobian view: the pieces that `use` hands out, the oracles, and the questions."""

from __future__ import annotations

import keras
import numpy as np

from stepkit import spectra
from stepkit.course.exercise import Lesson, Option
from stepkit.course.trial import Suspect, Trial

LESSON = Lesson("06")
DIGITS = 2e-7  # what a central difference in float64 reaches with room to spare
SINGLE = 1e-3  # products in float32, some steps short of the limit


# What `use` hands out.


def directional_derivative(function, x, v):
    """The derivative of `function` at `x` in the direction `v`, by central differences."""
    x, v = np.asarray(x, dtype="float64"), np.asarray(v, dtype="float64")
    length = np.linalg.norm(v)
    h = 1e-5 / length if length else 1.0
    return (function(x + h * v) - function(x - h * v)) / (2 * h)


def power_iteration(matvec, v0, num_steps):
    """Eigenvalue of largest modulus of a symmetric operator, and its unit vector."""
    pair = spectra.power_iteration(matvec, np.asarray(v0, dtype="float64"), num_steps)
    return float(pair.eigenvalue), pair.vector


def operator_norm(layer, x, num_steps=100):
    """The largest singular value of the Jacobian of a layer or function at x."""
    return float(spectra.operator_norm(layer, x, num_steps))


def logarithmic_norm(matrix):
    """The largest eigenvalue of the symmetric part, for a matrix or a stack of matrices."""
    return spectra.logarithmic_norm(matrix)


def block_margin(jacobian, step_size=1.0):
    """1 - max |1 + h z| over the eigenvalues z of a matrix or of each matrix of a stack."""
    return 1.0 - spectra.spectral_radius(np.eye(np.shape(jacobian)[-1]) + step_size * jacobian)


# Questions.

LESSON.question(
    "cost",
    "A block maps 1,024 numbers to 1,024 numbers. Its Jacobian has about a million entries. "
    "What does one product J v by central differences cost?",
    right="b",
    a=Option(
        "1,024 calls of the block",
        "That is the price of the whole matrix, column by column. One product is one direction.",
        "columns-first",
    ),
    b=Option("2 calls of the block", "One call ahead and one behind, whatever the size."),
    c=Option(
        "a million multiplications more than a call",
        "That is the price of the product once the matrix is there. Here it is never formed.",
        "matrix-first",
    ),
    d=Option(
        "2,048 calls: two for each number of x",
        "All numbers of x move at once, along v. So two calls are enough.",
        "coordinates-one-by-one",
    ),
)

LESSON.question(
    "transposed",
    "A block maps 1,000 numbers to 10. You want its whole Jacobian. What is cheapest?",
    right="c",
    a=Option(
        "1,000 products J v",
        "That works, one column each. Rows are fewer here.",
        "columns-always",
    ),
    b=Option(
        "one product J v with v of ones only",
        "That is the sum of all columns; they cannot be taken apart again.",
        "ones-give-all",
    ),
    c=Option("10 products J^T u", "Each u = (0, ..., 1, ..., 0) gives one row, and there are 10."),
    d=Option(
        "10 products J v",
        "A product J v gives one column, or a sum of columns, and there are 1,000 columns.",
        "jvp-gives-rows",
    ),
)

LESSON.question(
    "slower",
    "Matrix A has the eigenvalues 10, 9, 1. Matrix B has 2, 1, 0.5. For which does power "
    "iteration need more steps to the same relative error?",
    right="a",
    a=Option("A", "Only the ratio of the two largest counts: 0.9 for A, 0.5 for B."),
    b=Option(
        "B: its eigenvalues are smaller",
        "The size is divided out in each step. The ratio of the two largest counts.",
        "size-decides",
    ),
    c=Option(
        "B: its eigenvalues lie closer together",
        "Their differences are smaller, but the ratio counts: 1/2 for B, 9/10 for A.",
        "difference-not-ratio",
    ),
    d=Option(
        "both alike: both are 3 by 3",
        "The size of the matrix sets the price of a product, not the number of steps.",
        "dimension-decides",
    ),
)

LESSON.question(
    "convolution",
    "A convolution has a 3 by 3 kernel, one channel in and one out, and every weight is 1/3. "
    "As one column of nine numbers the kernel has norm 1. The convolution's operator norm is:",
    right="d",
    a=Option(
        "1, the norm of the kernel",
        "That would hold if the windows did not overlap. Here each pixel counts in nine of them.",
        "kernel-norm",
    ),
    b=Option(
        "1/3, the largest weight",
        "A norm is about what the weights do together: a constant image grows by their sum.",
        "largest-weight",
    ),
    c=Option(
        "smaller than 1",
        "A mean would not grow an image, but the weights here add up to 3.",
        "convolution-averages",
    ),
    d=Option("nearly 3", "A constant image grows by the sum of the weights, except at the rim."),
)

LESSON.question(
    "transient",
    "The flow y' = A y with A = [[-1, 20], [0, -2]] has the eigenvalues -1 and -2. From a start of "
    "length 1, the length of the state:",
    right="b",
    a=Option(
        "falls at all times: both eigenvalues are negative",
        "They say what happens in the end. On the way the eigenvectors, which are nearly "
        "parallel, let the state grow.",
        "eigenvalues-tell-all",
    ),
    b=Option(
        "may grow several times over before it falls",
        "The 20 moves the second entry into the first faster than either decays.",
    ),
    c=Option(
        "grows for ever: 20 is positive",
        "Entries beside the diagonal do not change the eigenvalues of a triangular matrix: "
        "in the end the state falls.",
        "entry-decides",
    ),
    d=Option(
        "oscillates",
        "For that the eigenvalues would have to be complex. These are real.",
        "negative-oscillates",
    ),
)

LESSON.question(
    "trained",
    "A network of 8 residual blocks is trained on digits. For how many pairs of a test image and "
    "a block do all eigenvalues lie in Euler's region?",
    right="c",
    a=Option(
        "for all: an unstable network could not be trained",
        "Eight steps end long before anything overflows. Nothing in the loss asks for |1 + z| "
        "at most 1.",
        "training-makes-stable",
    ),
    b=Option(
        "for about half",
        "For that every one of 16 eigenvalues would have to lie in the disc; one outside is "
        "enough.",
        "coin-toss",
    ),
    c=Option(
        "for none, or almost none",
        "One of 16 eigenvalues with a positive real part is enough to lie outside.",
    ),
    d=Option(
        "for none before training, and for all after it",
        "Training lowers the loss. The loss does not contain the eigenvalues.",
        "loss-contains-stability",
    ),
)

LESSON.question(
    "meaning",
    "A block of a trained classifier lies outside of the region. What follows?",
    right="a",
    a=Option(
        "Some small differences between inputs grow there",
        "And that may be just what is needed: images of two classes must come apart.",
    ),
    b=Option(
        "The block is trained badly and should be removed",
        "A classifier is not meant to contract. The experiment shows what a penalty costs.",
        "outside-is-a-defect",
    ),
    c=Option(
        "The state overflows after a few blocks",
        "Growth by a factor a little above 1, eight times, is no overflow.",
        "outside-is-overflow",
    ),
    d=Option(
        "The network is a stiff ODE",
        "Stiffness is decay that is fast compared with the motion. Growth is another matter.",
        "unstable-is-stiff",
    ),
)


# 1. directional_derivative


@LESSON.exercise(
    "directional_derivative",
    title="A derivative in one direction",
    points=2,
    minutes=7,
    difficulty=2,
    importance=5,
    signature="function, x, v",
    reference=directional_derivative,
)
def _judge_directional_derivative(trial: Trial) -> None:
    """Derivatives by formula, of functions that bend, for short, long and zero directions."""
    x, v = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    want = np.array([6.0, -4.0])
    _expect_slope(
        trial, np.square, x, v, want, "For function(x) = x**2, x = [1, 2] and v = [3, -1]",
        [
            Suspect([2.0, 4.0], "direction-unused", "That is the derivative without v."),
            Suspect(2 * want, "half-span", "The two points are 2 h apart, not h."),
            Suspect(want / 2, "half-span", "Divide by the distance of the points, once."),
            Suspect(-want, "sign", "The point behind is subtracted from the point ahead."),
            Suspect(want / np.sqrt(10), "direction-normalised",
                    "You divided by the length of v: with 2 v the result must double."),
        ],
    )  # fmt: skip
    _zero_direction(trial)
    for length in (1.0, 1e7, 1e-7):
        _bent(trial, length)
    _batch(trial)
    _few_calls(trial)


def _expect_slope(trial, function, x, v, want, case, suspects=()) -> None:
    points = []

    def recorded(point):
        points.append(np.array(point, dtype="float64"))
        return function(point)

    recorded.__name__ = recorded.__qualname__ = "function"
    got = trial.call(recorded, x, v)
    should = "the derivative should be {want}; yours is {got}"
    length = float(np.linalg.norm(v)) or 1.0
    suspects = list(suspects)
    if points and all(p.shape == np.shape(x) for p in points):
        sides = [float(np.sum((p - x) * v)) / length for p in points]
        far = max(abs(side) for side in sides)
        if far > 1e-3:
            why = f"You moved x by {far:.2g}, which is too far. Divide h by the length of v."
            suspects.append(Suspect(got, "length-of-v", why))
        elif 0 < far < 1e-9:
            why = f"You moved x by {far:.1g}: rounding is left. Divide h by the length of v."
            suspects.append(Suspect(got, "length-of-v", why))
        elif min(sides) >= 0 or max(sides) <= 0:
            why = "You looked to one side of x only. Both sides cancel the error that grows with h."
            suspects.append(Suspect(got, "one-sided", why))
    trial.expect(got, want, case, should, suspects, tolerance=DIGITS)


def _zero_direction(trial: Trial) -> None:
    matrix = trial.draw.normal(size=(2, 3))
    _expect_slope(
        trial, lambda x: matrix @ x, trial.draw.normal(size=3), np.zeros(3), np.zeros(2),
        "For v = 0 and a function from 3 numbers to 2",
    )  # fmt: skip


def _bent(trial: Trial, length: float) -> None:
    draw = trial.draw
    n, m = (int(k) for k in draw.integers(2, 6, 2))
    matrix, x, v = draw.normal(size=(m, n)), draw.normal(size=n), draw.normal(size=n)
    v *= length / np.linalg.norm(v)
    a = matrix @ x
    want = (2 * a * np.cos(a * a) + np.exp(a)) * (matrix @ v)
    case = f"For a function from {n} numbers to {m} and v of length {length:.3g}"
    _expect_slope(trial, lambda x: np.sin((matrix @ x) ** 2) + np.exp(matrix @ x), x, v, want, case)


def _batch(trial: Trial) -> None:
    draw = trial.draw
    matrix, x, v = draw.normal(size=(3, 2)), draw.normal(size=(4, 3)), draw.normal(size=(4, 3))
    want = np.stack([np.exp(one @ matrix) * (way @ matrix) for one, way in zip(x, v, strict=True)])
    case = "For a batch x of shape (4, 3) and v of the same shape"
    _expect_slope(trial, lambda x: np.exp(x @ matrix), x, v, want, case)


def _few_calls(trial: Trial) -> None:
    calls = []

    def function(x):
        calls.append(1)
        return 3.0 * x

    x = trial.draw.normal(size=64)
    trial.call(function, x, trial.draw.normal(size=64))
    if len(calls) > 8:
        trial.fail(
            f"With 64 numbers in x yours called the function {len(calls)} times. Move all of x "
            "at once, along v: two calls are enough.",
            "columns-first",
        )


# 2. power_iteration


@LESSON.exercise(
    "power_iteration",
    title="Power iteration",
    points=3,
    minutes=10,
    difficulty=3,
    importance=5,
    signature="matvec, v0, num_steps",
    reference=power_iteration,
)
def _judge_power_iteration(trial: Trial) -> None:
    """Powers of the matrix, applied at once; eigenvalues that are known beforehand."""
    _expect_pair(trial, np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([1.0, 0.0]), 1,
                 "For A = [[2, 1], [1, 2]], v0 = [1, 0] and one step")  # fmt: skip
    _expect_pair(trial, np.diag([-3.0, 1.0]), np.array([1.0, 1.0]), 3,
                 "For A = diag(-3, 1), v0 = [1, 1] and three steps")  # fmt: skip
    for shape in ((3,), (2, 3), (2, 2, 1)):
        n = int(np.prod(shape))
        matrix = trial.draw.normal(size=(n, n))
        steps = int(trial.draw.integers(2, 6))
        v0 = trial.draw.normal(size=shape)
        case = f"For a symmetric operator, v0 of shape {shape} and {steps} steps"
        _expect_pair(trial, matrix + matrix.T, v0, steps, case)
    _limit(trial)
    _vanishing(trial)


def _acting(matrix, shape):
    def matvec(v):
        return (matrix @ np.reshape(v, -1)).reshape(shape)

    return matvec


def _pair(trial: Trial, matrix, v0, steps: int, case: str):
    """What came back, as an eigenvalue and a vector."""
    got = trial.call(_acting(matrix, v0.shape), v0, steps)
    if got is None:
        trial.fail(f"{case} yours returned None. Is there a `return`?", "no-return")
    try:
        count = len(got)
    except TypeError:
        count = 0
    if not isinstance(got, tuple | list) or count < 2:
        trial.fail(f"{case} return two things: the eigenvalue and the vector.", "not-a-pair")
    if np.ndim(got[0]) > 0 and np.ndim(got[1]) == 0:
        trial.fail(f"{case} the eigenvalue comes first, then the vector.", "pair-swapped")
    return got[0], got[1]


def _iterate(matrix, v0, steps: int):
    v = np.linalg.matrix_power(matrix, steps) @ v0.reshape(-1)
    v = v / np.sqrt(v @ v)
    return float(v @ matrix @ v), v


def _expect_pair(trial: Trial, matrix, v0, steps: int, case: str) -> None:
    value, vector = _pair(trial, matrix, v0, steps, case)
    want, v = _iterate(matrix, v0, steps)
    before, after = (_iterate(matrix, v0, k)[0] for k in (steps - 1, steps + 1))
    w = matrix @ v
    last = _iterate(matrix, v0, steps - 1)[1]
    grown = np.linalg.norm(matrix @ last)
    raw = np.linalg.matrix_power(matrix, steps) @ v0.reshape(-1)
    size = float(np.linalg.norm(matrix))
    trial.expect(
        value, want, case, "the eigenvalue should be {want}; yours is {got}",
        [
            Suspect(before, "one-step-short", "That is the value one step earlier."),
            Suspect(after, "one-step-more", "That is the value one step later."),
            Suspect(np.linalg.norm(w), "norm-not-rayleigh",
                    "That is the length of A v, which has no sign and no place for one."),
            Suspect(grown, "norm-not-rayleigh",
                    "That is a length of A v. The Rayleigh quotient is v · A v."),
            Suspect(raw @ matrix @ raw, "not-normalised",
                    "The vector is not of length 1, so v · A v must be divided by v · v."),
            Suspect(float(np.dot(w, w)), "square", "That is A v · A v. Take v · A v."),
        ],
        tolerance=1e-9, scale=size,
    )  # fmt: skip
    sign = 1.0
    if np.shape(vector) == v0.shape and np.dot(np.reshape(vector, -1), v) < 0:
        sign = -1.0
    v = (sign * v).reshape(v0.shape)
    trial.expect(
        vector, v, case, "the vector should be {want}, up to its sign; yours is {got}",
        [
            Suspect(sign * raw.reshape(v0.shape), "not-normalised",
                    "Its length should be 1."),
            Suspect(sign * w.reshape(v0.shape), "not-normalised", "Its length should be 1."),
        ],
        tolerance=1e-9, scale=1.0,
    )  # fmt: skip


def _limit(trial: Trial) -> None:
    """Large numbers and many steps: what is not made shorter again overflows."""
    basis, _ = np.linalg.qr(trial.draw.normal(size=(4, 4)))
    first = float(trial.draw.choice([-1.0, 1.0]) * trial.draw.uniform(1e8, 9e8))
    matrix = basis @ np.diag(first * np.array([1.0, 0.5, -0.3, 0.1])) @ basis.T
    v0 = basis @ trial.draw.uniform(1.0, 2.0, 4)
    case = f"For eigenvalues {first:.3g} times 1, 0.5, -0.3, 0.1 and 80 steps"
    value, vector = _pair(trial, matrix, v0, 80, case)
    trial.expect(value, first, case, "the eigenvalue should be {want}; yours is {got}",
                 [Suspect(-first, "norm-not-rayleigh", "A length of A v has no sign.")],
                 tolerance=1e-9)  # fmt: skip
    trial.expect(np.abs(np.asarray(vector) @ basis[:, 0]), 1.0, case,
                 "the vector's part along the eigenvector should be {want}; yours is {got}",
                 tolerance=1e-9)  # fmt: skip


def _vanishing(trial: Trial) -> None:
    case = "For A = 0 and v0 = [3, 4]"
    value, vector = _pair(trial, np.zeros((2, 2)), np.array([3.0, 4.0]), 3, case)
    trial.expect(value, 0.0, case, "the eigenvalue should be {want}; yours is {got}")
    trial.expect(np.linalg.norm(np.asarray(vector, dtype="float64")), 1.0, case,
                 "the vector should have length {want}; yours has {got}",
                 [Suspect(5.0, "not-normalised", "v0 itself should be made of length 1, too."),
                  Suspect(0.0, "vector-lost", "Keep the last vector that was not 0.")])  # fmt: skip


# 3. operator_norm


@LESSON.exercise(
    "operator_norm",
    title="The operator norm of a layer",
    points=3,
    minutes=10,
    difficulty=3,
    importance=4,
    signature="layer, x, num_steps",
    reference=operator_norm,
    needs=("06.power_iteration",),
)
def _judge_operator_norm(trial: Trial) -> None:
    """Matrices made of known singular values, and the Jacobian by formula."""
    _expect_norm(trial, np.diag([10.0, -1.0]), (1, 2), 4, "For the linear layer diag(10, -1)")
    for shape, outputs in (((1, 2, 2, 1), 5),):
        n = int(np.prod(shape))
        left, _ = np.linalg.qr(trial.draw.normal(size=(outputs, outputs)))
        right, _ = np.linalg.qr(trial.draw.normal(size=(n, n)))
        sizes = trial.draw.uniform(0.5, 4.0) * np.array([1.0, 0.1, 0.05])
        matrix = (left[:, :3] * sizes) @ right[:, :3].T
        case = f"For a layer from shape {shape[1:]} to {outputs} numbers"
        _expect_norm(trial, matrix, shape, 4, case)
    _not_by_eigenvalues(trial)
    _blind_start(trial)
    _at_a_point(trial)
    _expect_norm(trial, np.zeros((2, 3)), (1, 3), 1, "For a layer that gives 0")


def _expect_norm(trial: Trial, matrix, shape, steps, case, slope=None) -> None:
    """The norm of x -> matrix @ x, or where `slope` is given of x -> tanh(matrix @ x)."""
    x = trial.draw.normal(size=shape).astype("float32")
    kernel = keras.ops.convert_to_tensor(matrix.T.astype("float32"))
    n = matrix.shape[1]

    def layer(x):
        y = keras.ops.matmul(keras.ops.reshape(keras.ops.cast(x, "float32"), (-1, n)), kernel)
        return keras.ops.tanh(y) if slope is not None else y

    if slope is not None:
        x = slope.astype("float32").reshape(shape)
        matrix = (1 - np.tanh(matrix @ slope) ** 2)[:, None] * matrix
    sizes = np.linalg.svd(matrix, compute_uv=False)
    got = trial.call(layer, x, steps)
    suspects = [
        Suspect(sizes[0] ** 2, "square", "That is its square: J^T J has the squares."),
        Suspect(np.linalg.norm(matrix), "frobenius", "That is the root of the sum of all squares."),
        Suspect(0.0, "blind-start", "v0 may lie where J v is 0, such as a vector of ones does "
                                    "here. A random start does not."),
        Suspect(sizes[-1], "smallest", "That is the smallest singular value."),
    ]  # fmt: skip
    if matrix.shape[0] == matrix.shape[1]:
        suspects += [
            Suspect(np.max(np.abs(np.linalg.eigvals(matrix))), "eigenvalue-not-singular",
                    "That is the largest modulus of an eigenvalue of J, not of J^T J."),
        ]  # fmt: skip
    trial.expect(got, float(sizes[0]), case, "the operator norm should be {want}; yours is {got}",
                 suspects, tolerance=SINGLE)  # fmt: skip


def _not_by_eigenvalues(trial: Trial) -> None:
    a = float(trial.draw.uniform(4, 6))
    _expect_norm(trial, np.array([[1.0, a], [0.0, 1.0]]), (1, 2), 4,
                 f"For the linear layer [[1, {a:.3g}], [0, 1]]")  # fmt: skip


def _blind_start(trial: Trial) -> None:
    away = trial.draw.permutation([2.0, -1.0, -1.0])  # so that 1 + 1 - 2 is 0 without rounding
    matrix = np.outer(trial.draw.normal(size=2), away)
    _expect_norm(trial, matrix, (1, 3), 3, "For a layer that gives 0 for the vector of ones")


def _at_a_point(trial: Trial) -> None:
    for _ in range(100):
        matrix, x = trial.draw.normal(size=(3, 3)), trial.draw.normal(size=3)
        sizes = np.linalg.svd((1 - np.tanh(matrix @ x) ** 2)[:, None] * matrix, compute_uv=False)
        if sizes[1] < 0.25 * sizes[0] and sizes[0] > 0.2:
            break
    _expect_norm(trial, matrix, (1, 3), 6, "For a layer with tanh, at the point x", slope=x)


# 4. logarithmic_norm


@LESSON.exercise(
    "logarithmic_norm",
    title="The logarithmic norm",
    points=2,
    minutes=5,
    difficulty=2,
    importance=4,
    signature="matrix",
    reference=logarithmic_norm,
)
def _judge_logarithmic_norm(trial: Trial) -> None:
    """Symmetric matrices with chosen eigenvalues, plus skew matrices, which change nothing."""
    _expect_growth(trial, np.array([[-1.0, -2.0], [6.0, -1.0]]), np.array(1.0),
                   "For [[-1, -2], [6, -1]]")  # fmt: skip
    for lead, n in (((), 3), ((), 1), ((4,), 2), ((2, 3), 5), ((3,), 3)):
        draw = trial.draw
        values = draw.uniform(-4, -0.5, size=(*lead, n))
        if draw.uniform() < 0.5:
            values += 2
        basis, _ = np.linalg.qr(draw.normal(size=(*lead, n, n)))
        skew = draw.normal(size=(*lead, n, n))
        skew = 2 * (skew - np.swapaxes(skew, -1, -2))
        matrix = np.einsum("...ij,...j,...kj->...ik", basis, values, basis) + skew
        _expect_growth(trial, matrix, values.max(axis=-1), f"For an array of shape {matrix.shape}")
    trial.expect_of_whole_numbers(
        lambda: trial.call(np.array([[-1, 3], [0, -1]])), np.array(0.5),
        "For [[-1, 3], [0, -1]], whole numbers", "the logarithmic norm should be {want}; "
        "yours is {got}",
    )  # fmt: skip


def _expect_growth(trial: Trial, matrix, want, case: str) -> None:
    total = matrix + np.swapaxes(matrix, -1, -2)
    all_values = np.linalg.eigvalsh(total / 2)
    suspects = [
        Suspect(np.linalg.eigvals(matrix).real.max(axis=-1), "abscissa",
                "That is the largest real part of an eigenvalue of the matrix itself. Take those "
                "of its symmetric part."),
        Suspect(np.linalg.eigvalsh(matrix).max(axis=-1), "triangle-only",
                "eigvalsh reads one triangle of the matrix only. Form the symmetric part first."),
        Suspect(2 * want, "half-missing", "The symmetric part is half of A + A^T."),
        Suspect(all_values.min(axis=-1), "smallest", "That is the smallest eigenvalue."),
        Suspect(np.abs(all_values).max(axis=-1), "modulus",
                "That is the largest modulus. A logarithmic norm may be negative."),
        Suspect(np.linalg.norm(matrix, 2, axis=(-2, -1)), "norm",
                "That is the operator norm, which is never negative."),
        Suspect(all_values, "all-eigenvalues", "Those are all eigenvalues; take the largest."),
        Suspect(all_values.max(), "one-for-all",
                "One number is asked for each matrix of the stack."),
    ]  # fmt: skip
    trial.expect(trial.call(matrix), want, case,
                 "the logarithmic norm should be {want}; yours is {got}", suspects,
                 tolerance=1e-9, scale=float(np.max(np.abs(matrix))))  # fmt: skip


# 5. block_margin


@LESSON.exercise(
    "block_margin",
    title="Is the step inside the region?",
    points=2,
    minutes=6,
    difficulty=2,
    importance=4,
    signature="jacobian, step_size",
    reference=block_margin,
)
def _judge_block_margin(trial: Trial) -> None:
    """Matrices made of known eigenvalues, real and in pairs."""
    _expect_margin(trial, np.diag([-1.5, -3.0]), np.array([-1.5, -3.0]), None,
                   "For diag(-1.5, -3) and no step size given")  # fmt: skip
    _expect_margin(trial, np.diag([-1.5, -3.0]), np.array([-1.5, -3.0]), 0.5,
                   "For diag(-1.5, -3) and step size 0.5")  # fmt: skip
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    case = "For [[0, -1], [1, 0]], with eigenvalues i and -i, and step size 0.5"
    _expect_margin(trial, turn, np.array([1j, -1j]), 0.5, case)
    for lead in ((), (4,), (2, 3)):
        for scale in (0.3, 2.0):
            a, b, r = trial.draw.uniform(-1.5, 0.2, size=(3, *lead)) * scale
            matrix = np.zeros((*lead, 3, 3))
            matrix[..., 0, 0] = matrix[..., 1, 1] = a
            matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 2, 2] = -b, b, r
            change = np.eye(3) + np.triu(trial.draw.uniform(-1.5, 1.5, (3, 3)), 1)
            matrix = change @ matrix @ np.linalg.inv(change)
            values = np.stack([a + 1j * b, a - 1j * b, r + 0j], axis=-1)
            h = float(trial.draw.uniform(0.2, 2.0))
            case = f"For an array of shape {matrix.shape} and step size {h:.3g}"
            _expect_margin(trial, matrix, values, h, case)


def _expect_margin(trial: Trial, matrix, values, step, case: str) -> None:
    given = (matrix,) if step is None else (matrix, step)
    h = 1.0 if step is None else step
    factors = 1 + h * values
    sizes = np.abs(factors)
    want = 1 - sizes.max(axis=-1)
    jumps = np.eye(matrix.shape[-1]) + h * matrix
    suspects = [
        Suspect(1 - want, "amplification", "That is the largest factor; the margin is 1 minus it."),
        Suspect(-want, "sign", "The margin is negative outside of the region."),
        Suspect(1 - np.abs(1 + values).max(axis=-1), "step-ignored",
                "The step size is not used."),
        Suspect(1 - np.abs(h * values).max(axis=-1), "identity-forgotten",
                "A block keeps its input: it multiplies by 1 + h λ, not by h λ."),
        Suspect(1 - np.abs(factors.real).max(axis=-1), "real-part-only",
                "You left out the imaginary parts. |1 + h λ| is the modulus."),
        Suspect(-values.real.max(axis=-1), "continuous-time",
                "That is a statement on the flow. A step is stable where |1 + h λ| <= 1."),
        Suspect(1 - factors.real.max(axis=-1), "no-modulus", "Take the modulus of 1 + h λ."),
        Suspect(1 - sizes.min(axis=-1), "smallest",
                "The eigenvalue farthest out decides, not the one farthest in."),
        Suspect(1 - sizes, "all-eigenvalues", "One margin for each matrix: its smallest."),
        Suspect(1 - sizes.max(), "one-for-all", "One margin is asked for each matrix."),
        Suspect(
            1 - np.abs(1 + h * np.linalg.eigvalsh(matrix)).max(axis=-1), "symmetric-only",
            "eigvalsh is for symmetric matrices; this one is not: take eigvals.",
        ),
        Suspect(1 - np.linalg.norm(jumps, 2, axis=(-2, -1)), "norm-not-eigenvalues",
                "You took the operator norm of I + h J. The region is about eigenvalues."),
    ]  # fmt: skip
    trial.expect(trial.call(*given), want, case, "the margin should be {want}; yours is {got}",
                 suspects, tolerance=1e-7, scale=float(np.max(np.abs(jumps)) * 4))  # fmt: skip
