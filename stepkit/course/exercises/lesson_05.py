"""Lesson 05, stiffness in networks: the pieces of `use`, the oracles, and the questions."""

from __future__ import annotations

import statistics
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import keras
import numpy as np

from stepkit import callbacks, stiffness
from stepkit.course.exercise import Lesson, Option
from stepkit.course.trial import Suspect, Trial
from stepkit.layers import ResidualStep

LESSON = Lesson("05")


# What `use` hands out.


def stiffness_aware_index(y0, y1, dt):
    """How fast each state moves, relative to its size: array `(samples,)`."""
    return stiffness.stiffness_aware_index(y0, y1, dt)


def total_variation(index):
    """How much an index goes up and down along the blocks: array `(samples,)`."""
    return stiffness.total_variation(index)


def peak_to_median(index):
    """The highest index of the blocks over their median: array `(samples,)`."""
    return stiffness.peak_to_median(index)


def neural_stiffness_index(model, x, which="raw"):
    """How much each residual block moves its state: array `(samples, blocks)`."""
    return keras.ops.convert_to_numpy(_index_model(model, which)(x))


@lru_cache(maxsize=8)  # a monitor asks for it after each epoch
def _index_model(model, which):
    return stiffness.index_model(model, which)


class StiffnessMonitor(keras.callbacks.Callback):
    """Logs the mean raw index after each epoch, and keeps it by block in `history`."""

    def __init__(self, x):
        super().__init__()
        self.x, self.history = x, []
        self._monitor = callbacks.StiffnessMonitor(x)

    def on_train_begin(self, logs=None):
        """Begins anew."""
        self.history = []
        self._monitor.set_model(self.model)
        self._monitor.on_train_begin()

    def on_epoch_end(self, epoch, logs=None):
        """Measures."""
        self._monitor.on_epoch_end(0)
        self.history.append(self._monitor.history["mean"][-1])
        if logs is not None:
            logs["stiffness"] = float(np.mean(self.history[-1]))


# Questions.

LESSON.question(
    "where",
    "Van der Pol's oscillator creeps for a while, then jumps, then creeps again. The index is "
    "||y'|| / ||y||. Where along the cycle is it largest?",
    right="b",
    a=Option(
        "while it creeps: there the problem is stiff",
        "There the state hardly moves, so its relative speed is small. Keep your thought for "
        "section 4: it is right about stiffness, and that is the trouble with the index.",
        "index-is-stiffness",
    ),
    b=Option("in the jumps", "There the state moves fastest for its size."),
    c=Option(
        "the same everywhere: it is a property of the problem",
        "A ratio such as that of lesson 03 may be. This one is measured along a trajectory.",
        "index-of-problem",
    ),
    d=Option(
        "where the state is largest",
        "The size of the state stands in the denominator.",
        "size-not-speed",
    ),
)

LESSON.question(
    "training",
    "A network of 8 blocks with step size 1 is trained on the digits. Which block has the largest "
    "index, ||f(x)|| / ||x||, after training, and was it so before?",
    right="c",
    a=Option(
        "another one for each image: the index depends on the input",
        "It does, but the curves of all images have much in common.",
        "no-common-curve",
    ),
    b=Option(
        "all about the same, before and after",
        "Both the branch and the state change on the way, and not alike.",
        "uniform-index",
    ),
    c=Option(
        "the first one, before training and after it",
        "The state is smallest where it comes out of the stem, and grows from block to block, "
        "while a layer of tanh moves it by a bounded amount.",
    ),
    d=Option(
        "one in the middle, where training made a peak",
        "That is the picture which the paper draws of much larger networks. Ours has none.",
        "paper-picture",
    ),
)

LESSON.question(
    "growth",
    "y' = 5 y starts at 1. What are its index and its stiffness?",
    right="a",
    a=Option(
        "index 5 at all times, and not stiff",
        "There is one mode, and the solution follows it. Accuracy wants short steps anyway.",
    ),
    b=Option(
        "index 5 at all times, and stiff",
        "Stiff means that stability wants shorter steps than accuracy. Here it never does.",
        "index-is-stiffness",
    ),
    c=Option(
        "the index grows with y, and it becomes stiff",
        "y' and y grow together; their quotient stays 5.",
        "not-relative",
    ),
    d=Option(
        "index 0, because the growth is smooth",
        "Smooth is not slow: the state grows by a factor of 150 in one unit of time.",
        "smooth-is-slow",
    ),
)

LESSON.question(
    "origin",
    "You add 100 to every number of the state of a network, and let each block take it away again "
    "before it begins. The network computes what it computed before. What about the index?",
    right="b",
    a=Option(
        "it stays, because the network is the same",
        "The moves are the same. The states by whose size they are divided are not.",
        "index-of-function",
    ),
    b=Option(
        "it falls",
        "The moves are the same and the states are larger. So the index depends on where zero is, "
        "and stability does not.",
    ),
    c=Option(
        "it rises, because the numbers are larger",
        "The size of the state stands in the denominator.",
        "size-not-speed",
    ),
    d=Option(
        "it becomes zero",
        "Small, but not zero: the moves are as long as before.",
        "small-is-zero",
    ),
)

LESSON.question(
    "gates",
    "Somebody multiplies each branch with a gate drawn at random, and finds that large gates go "
    "with a large applied index, ||gate * f(x)|| / ||x||. What follows?",
    right="d",
    a=Option(
        "gates find the stiff blocks",
        "These gates are random numbers. They can find nothing.",
        "applied-index",
    ),
    b=Option(
        "gates make blocks stiff",
        "The applied index grows with the gate by its definition. That says nothing of stiffness.",
        "applied-index",
    ),
    c=Option(
        "it was chance; more samples would show no relation",
        "More samples would show it all the clearer: the gate is a factor of the applied index.",
        "chance",
    ),
    d=Option(
        "nothing: the gate is a factor of the applied index",
        "Ask the raw index instead, ||f(x)|| / ||x||, and compare with shuffled gates.",
    ),
)


# 1. stiffness_aware_index


@LESSON.exercise(
    "stiffness_aware_index",
    title="How fast, relative to its size",
    points=2,
    minutes=7,
    difficulty=2,
    importance=5,
    signature="y0, y1, dt",
    reference=stiffness_aware_index,
)
def _judge_stiffness_aware_index(trial: Trial) -> None:
    """By hand; then sums of squares, sample by sample, in Python."""
    trial.expect(
        trial.call(np.array([[3.0, 4.0]]), np.array([[3.0, 9.0]]), 0.5),
        [2.0],
        "From y0 = [[3, 4]] to y1 = [[3, 9]] with dt = 0.5",
        "the index should be {want}; yours is {got}",
        [
            Suspect([1.0], "step-ignored", "The speed is the change divided by dt."),
            Suspect([0.5], "step-multiplied", "Divide by dt; you multiplied."),
            Suspect([10.0], "size-ignored", "That is the speed; divide it by the size of y0."),
            Suspect([0.1], "upside-down", "That is the size over the speed."),
            Suspect(
                [10 / np.sqrt(90)], "size-of-the-end",
                "You divided by the size of y1. The index takes the state at the start.",
            ),
            Suspect([4.0], "squared", "Those are squares: the norm is the root of their sum."),
            Suspect(
                [10 / 7], "other-norm", "Those are sums of absolute values, not Euclidean norms."
            ),
            Suspect([10 / 4], "other-norm", "Those are largest entries, not Euclidean norms."),
            Suspect(
                2.0, "sample-axis-lost", "One number per sample: the result has shape (1,) here."
            ),
            Suspect(
                [[0.0, 2.5]], "entry-by-entry",
                "You divided entry by entry. The norms go over all entries of a sample.",
            ),
            Suspect(
                [[0.0, 2.0]], "norm-forgotten",
                "Only the size is a norm in yours. The change needs one too.",
            ),
        ],
    )  # fmt: skip
    for shape in ((5, 3), (4, 1), (1, 2), (3, 2, 4), (2, 3, 2, 2)):
        _drawn_states(trial, shape)
    _standing_still(trial)
    _whole_numbers(trial)


def _norms(y: np.ndarray) -> np.ndarray:
    return np.array([sum(float(v) ** 2 for v in sample.ravel()) ** 0.5 for sample in y])


def _drawn_states(trial: Trial, shape: tuple[int, ...]) -> None:
    y0, y1 = trial.draw.normal(size=(2, *shape))
    dt = float(trial.draw.choice([-1, 1]) * trial.draw.uniform(0.1, 3.0))
    change = _norms(y1 - y0)
    want = change / _norms(y0) / abs(dt)
    whole = np.linalg.norm(y1 - y0) / np.linalg.norm(y0) / abs(dt)
    trial.expect(
        trial.call(y0, y1, dt),
        want,
        f"For states of shape {shape} and dt = {dt:.3g}",
        "the index should be {want}; yours is {got}",
        [
            Suspect(-want, "sign", "A speed has no sign: dt < 0 runs backwards in time."),
            Suspect(
                whole, "sample-axis-lost",
                "That is one norm over all samples. Norms go over all axes but the first.",
            ),
            Suspect(
                np.full(shape[:1], whole), "sample-axis-lost",
                "That is one norm over all samples. Norms go over all axes but the first.",
            ),
            Suspect(change / abs(dt), "size-ignored", "Divide it by the size of y0."),
            Suspect(change / _norms(y1) / abs(dt), "size-of-the-end", "You divided by y1's size."),
            Suspect(
                np.linalg.norm(y1 - y0, axis=-1) / np.linalg.norm(y0, axis=-1) / abs(dt),
                "last-axis-only",
                "A sample may be an image: norms go over all axes but the first, not over the "
                "last alone.",
            ),
        ],
    )  # fmt: skip


def _standing_still(trial: Trial) -> None:
    case = "For y0 = [[0, 0], [3, 4], [0, 2], [0, 0]] and y1 = [[0, 0], [3, 4], [0, 5], [0, 1]]"
    y0 = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    y1 = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 5.0], [0.0, 1.0]])
    got = trial.call(y0, y1, 1.0)
    _expect_no_nan(trial, got, case, "Where nothing moves the index is 0.")
    trial.expect(
        got,
        [0.0, 0.0, 1.5, np.inf],
        case,
        "the index should be {want}; yours is {got}",
        [
            Suspect([1.0, 0.0, 1.5, np.inf], "zero-over-zero", "Where nothing moves it is 0."),
            Suspect(
                [0.0, 0.0, 1.5, 0.0], "leaving-zero",
                "The last state is zero and moves: its relative speed is infinite, not 0.",
            ),
        ],
    )  # fmt: skip
    if np.shape(got) == (4,) and not np.isinf(np.asarray(got)[3]):
        trial.fail(f"{case} the last index should be infinite: the state leaves zero.")


def _expect_no_nan(trial: Trial, got: Any, case: str, rule: str) -> None:
    if isinstance(got, np.ndarray) and got.dtype.kind == "f" and np.isnan(got).any():
        trial.fail(f"{case} there is NaN in your result: 0 / 0. {rule}", "zero-over-zero")


def _whole_numbers(trial: Trial) -> None:
    trial.expect_of_whole_numbers(
        lambda: trial.call(np.array([[3, 4], [2, 0]]), np.array([[3, 5], [2, 1]]), 2),
        np.array([0.1, 0.25]),
        "For whole numbers, y0 = [[3, 4], [2, 0]], y1 = [[3, 5], [2, 1]] and dt = 2,",
        "the index should be {want}; yours is {got}",
    )


# 2. neural_stiffness_index


class _Gate(keras.Layer):
    """A gate that is the same for all samples: one weight per channel."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), name="scale")

    def gate(self, branch, shortcut=None):
        """The factors."""
        return self.scale + 0 * branch

    def call(self, branch):
        return branch * self.scale


@cache
def _chain() -> keras.Model:
    """Two steps of size 1/2; their raw and applied index differ."""
    x = inputs = keras.Input((3,))
    for k in range(2):
        x = ResidualStep(keras.layers.Dense(3, "tanh"), 0.5, name=f"step_{k}")(x)
    return keras.Model(inputs, x)


@cache
def _with_projection() -> keras.Model:
    """A block, a block that changes the width, a block; a ReLU after each addition."""
    dense, relu, add = keras.layers.Dense, keras.layers.ReLU, keras.layers.Add
    inputs = keras.Input((4,))
    x = relu()(add()([inputs, dense(4, "tanh", name="first")(inputs)]))
    inner = dense(3, "tanh", name="inner")(x)
    x = relu()(add()([dense(3, name="shortcut")(x), dense(3, name="outer")(inner)]))
    x = relu()(add()([x, dense(3, "tanh", name="last")(x)]))
    return keras.Model(inputs, x)


@cache
def _gated() -> keras.Model:
    """Two blocks on images with a gate; a 1 x 1 convolution is a matrix on the channels."""
    x = inputs = keras.Input((2, 3, 2))
    for k in range(2):
        branch = keras.layers.Conv2D(2, 1, use_bias=False, name=f"branch_{k}")(x)
        x = keras.layers.Add()([x, _Gate(name=f"gate_{k}")(branch)])
    return keras.Model(inputs, x)


def _draw_weights(trial: Trial, model: keras.Model) -> None:
    shapes = [weight.shape for weight in model.get_weights()]
    model.set_weights([trial.draw.normal(size=shape).astype("float32") for shape in shapes])


def _weights(model: keras.Model, name: str) -> list[np.ndarray]:
    return [w.astype("float64") for w in model.get_layer(name).get_weights()]


def _dense(model: keras.Model, name: str, x: np.ndarray) -> np.ndarray:
    kernel, bias = _weights(model, name)
    return np.einsum("ni,io->no", x, kernel) + bias


# Each yields, block by block, what goes in, the branch, and what is added.


def _chain_blocks(model, x):
    for k in range(2):
        raw = np.tanh(_dense(model, f"step_{k}", x))
        yield x, raw, 0.5 * raw
        x = x + 0.5 * raw


def _projection_blocks(model, x):
    raw = np.tanh(_dense(model, "first", x))
    yield x, raw, raw
    x = np.maximum(x + raw, 0)
    inner = np.tanh(_dense(model, "inner", x))
    x = np.maximum(_dense(model, "shortcut", x) + _dense(model, "outer", inner), 0)
    raw = np.tanh(_dense(model, "last", x))
    yield x, raw, raw


def _gated_blocks(model, x):
    for k in range(2):
        (kernel,), (scale,) = _weights(model, f"branch_{k}"), _weights(model, f"gate_{k}")
        raw = np.einsum("nhwc,cd->nhwd", x, kernel[0, 0])
        yield x, raw, raw * scale
        x = x + raw * scale


@LESSON.exercise(
    "neural_stiffness_index",
    title="One index per block",
    points=3,
    minutes=13,
    difficulty=3,
    importance=5,
    signature="model, x, which",
    reference=neural_stiffness_index,
    needs=("05.stiffness_aware_index",),
    limit=20.0,
)
def _judge_neural_stiffness_index(trial: Trial) -> None:
    """Networks that fit on a line, with drawn weights, followed in NumPy."""
    chain = "a chain of 2 steps of size 1/2"
    _expect_index(trial, _chain(), _chain_blocks, None, f"For {chain}, without `which`,")
    _expect_index(trial, _chain(), _chain_blocks, "applied", f"For {chain}, which='applied',")
    middle = "3 blocks, the middle one with a projection, which='raw',"
    _expect_index(trial, _with_projection(), _projection_blocks, "raw", f"For {middle}")
    images = "2 blocks on images, with a gate each, which='applied',"
    _expect_index(trial, _gated(), _gated_blocks, "applied", f"For {images}")


def _index(found: list, part: int) -> np.ndarray:
    return np.stack([_norms(block[part]) / _norms(block[0]) for block in found], axis=1)


def _expect_index(trial: Trial, model, blocks, which: str | None, case: str) -> None:
    _draw_weights(trial, model)
    x = (0.3 + trial.draw.random(size=(4, *model.input_shape[1:]))).astype("float32")
    found, kept = list(blocks(model, x.astype("float64"))), x.copy()
    given = () if which is None else (which,)
    words = "".join(f", {each!r}" for each in given)
    got = trial.run(
        lambda: trial.answer(model, x, *given), f"neural_stiffness_index(model, x{words})"
    )
    if not np.array_equal(x, kept):
        trial.changed = "x"
    _compare(trial, got, _index(found, 2 if which == "applied" else 1), found, case)


def _compare(trial: Trial, got: Any, want: np.ndarray, found: list, case: str) -> None:
    """What came back against `(samples, blocks)`, in single precision."""
    if isinstance(got, list | tuple):
        try:
            got = np.array([keras.ops.convert_to_numpy(each) for each in got])
        except Exception:  # ragged, or no numbers: `expect` says so
            got = list(got)
    blocks = np.shape(got)[-1] if np.ndim(got) == 2 else None
    if blocks == want.shape[1] + 1 and np.shape(got)[0] == want.shape[0]:
        trial.fail(
            f"{case} there should be {want.shape[1]} blocks in the result; yours has {blocks}. A "
            f"block with a projection leads to another space: leave it out.",
            "projection-kept",
        )
    raw, applied = _index(found, 1), _index(found, 2)
    ends = [(state, state + raw, state + applied) for state, raw, applied in found]
    branch = np.stack([_norms(m - s) / _norms(s) for s, *moves in found for m in moves[:1]], 1)
    after = np.stack([_norms(a - s) / _norms(a) for s, _, a in ends], axis=1)
    trial.expect(
        got,
        want.astype("float32"),
        case,
        "the index should be {want}; yours is {got}",
        [
            Suspect(raw, "which-ignored", "That is the raw index: use `which`."),
            Suspect(applied, "which-ignored", "That is the applied index, with gate and step."),
            Suspect(want.T, "blocks-first", "Samples go first, blocks second."),
            Suspect(want.mean(axis=0), "mean-over-samples", "Those are means over the samples."),
            Suspect(after, "size-of-the-end", "Divide by the state that goes into the block."),
            Suspect(
                branch, "branch-as-state",
                "You took the branch for the next state. The block ends at state + branch.",
            ),
            Suspect(want**2, "squared", "Those are squares."),
        ],
        scale=float(want.max()),
    )  # fmt: skip


# 3. total_variation


@LESSON.exercise(
    "total_variation",
    title="Up and down",
    points=1,
    minutes=4,
    difficulty=1,
    importance=3,
    signature="index",
    reference=total_variation,
)
def _judge_total_variation(trial: Trial) -> None:
    """By hand; then a loop over neighbours in Python."""
    trial.expect(
        trial.call(np.array([[0.0, 2.0, 1.5]])),
        [2.5],
        "For the index [[0, 2, 1.5]]",
        "the total variation should be {want}; yours is {got}",
        [
            Suspect([1.5], "signed", "Up and down must not cancel: take absolute values."),
            Suspect([2.0], "range", "That is the largest minus the smallest."),
            Suspect([1.25], "mean", "That is a mean; the total variation is a sum."),
            Suspect([0.5], "first-forgotten", "The first change, from 0 to 2, is missing."),
            Suspect([4.25], "squared", "Those are squares; take absolute values."),
            Suspect([3.5], "not-neighbours", "That is a sum of the values, not of their changes."),
            Suspect(2.5, "sample-axis-lost", "One number per sample: the shape is (1,) here."),
            Suspect(
                [0.0, 0.0, 0.0], "wrong-axis",
                "You compared neighbouring samples. The blocks go along the last axis.",
            ),
        ],
    )  # fmt: skip
    for samples, blocks in ((3, 5), (1, 2), (4, 1), (5, 5), (2, 9)):
        index = trial.draw.exponential(size=(samples, blocks))
        want = [sum(abs(b - a) for a, b in pairwise(row)) for row in index.tolist()]
        across = np.abs(np.diff(index, axis=0)).sum(axis=0)
        trial.expect(
            trial.call(index),
            np.array(want, float),
            f"For an index of {samples} samples and {blocks} blocks",
            "the total variation should be {want}; yours is {got}",
            [
                Suspect(index[:, -1] - index[:, 0], "signed", "Up and down must not cancel."),
                Suspect(np.ptp(index, axis=1), "range", "That is largest minus smallest."),
                Suspect(
                    across, "wrong-axis",
                    "You compared neighbouring samples. The blocks go along the last axis.",
                ),
                Suspect(
                    np.sum(want), "sample-axis-lost", "That is the sum over all samples."
                ),
                Suspect(
                    np.sqrt(np.sum(np.diff(index) ** 2, axis=1)), "squared",
                    "That is the norm of the changes; sum their absolute values.",
                ),
            ],
        )  # fmt: skip
    trial.expect_of_whole_numbers(
        lambda: trial.call(np.array([[1, 3, 0]])), [5.0], "For whole numbers, [[1, 3, 0]],"
    )


# 4. peak_to_median


@LESSON.exercise(
    "peak_to_median",
    title="Does one block stand out?",
    points=1,
    minutes=6,
    difficulty=2,
    importance=4,
    signature="index",
    reference=peak_to_median,
)
def _judge_peak_to_median(trial: Trial) -> None:
    """By hand; then Python's own `statistics.median`."""
    trial.expect(
        trial.call(np.array([[0.5, 4.0, 1.0]])),
        [4.0],
        "For the index [[0.5, 4, 1]]",
        "peak over median should be {want}; yours is {got}",
        [
            Suspect([12 / 5.5], "mean-not-median", "You divided by the mean, which a peak raises."),
            Suspect([8.0], "range", "That is the largest over the smallest."),
            Suspect([3.0], "difference", "That is a difference; divide."),
            Suspect([0.25], "upside-down", "That is the median over the peak."),
            Suspect([1.0], "median-only", "That is 1: is it the median, or the peak over itself?"),
            Suspect(4.0, "sample-axis-lost", "One number per sample: the shape is (1,) here."),
            Suspect([1.0] * 3, "wrong-axis", "You went over the samples; go over the blocks."),
        ],
    )  # fmt: skip
    for samples, blocks in ((3, 5), (4, 6), (1, 2), (5, 1), (6, 6)):
        index = trial.draw.exponential(size=(samples, blocks))
        rows = index.tolist()
        want = np.array([max(row) / statistics.median(row) for row in rows])
        columns = [max(column) / statistics.median(column) for column in index.T.tolist()]
        trial.expect(
            trial.call(index),
            want,
            f"For an index of {samples} samples and {blocks} blocks",
            "peak over median should be {want}; yours is {got}",
            [
                Suspect(
                    [max(row) / statistics.median_high(row) for row in rows], "upper-median",
                    "With an even number of blocks the median is the mean of the middle two.",
                ),
                Suspect(
                    [max(row) / statistics.median_low(row) for row in rows], "lower-median",
                    "With an even number of blocks the median is the mean of the middle two.",
                ),
                Suspect(
                    [max(row) / statistics.mean(row) for row in rows], "mean-not-median",
                    "You divided by the mean, which a peak raises.",
                ),
                Suspect(columns, "wrong-axis", "You went over samples; go over the blocks."),
                Suspect(
                    index.max() / np.median(index), "sample-axis-lost",
                    "That is one number for all samples.",
                ),
                Suspect(
                    index.max(axis=1) / np.median(index), "one-median",
                    "That is one median for all samples; each has its own.",
                ),
            ],
        )  # fmt: skip
    case = "For the index [[0, 0, 0], [2, 2, 2], [0, 0, 5]]"
    got = trial.call(np.array([[0.0, 0.0, 0.0], [2.0, 2.0, 2.0], [0.0, 0.0, 5.0]]))
    _expect_no_nan(trial, got, case, "Where all blocks are 0 none stands out: the result is 1.")
    trial.expect(
        got,
        [1.0, 1.0, np.inf],
        case,
        "peak over median should be {want}; yours is {got}",
        [
            Suspect([0.0, 1.0, np.inf], "zero-over-zero", "Where all are 0 the result is 1."),
            Suspect(
                [1.0, 1.0, 1.0], "peak-over-zero",
                "The last row has a peak over a median of 0: it stands out infinitely.",
            ),
        ],
    )  # fmt: skip
    trial.expect_of_whole_numbers(
        lambda: trial.call(np.array([[1, 3, 2], [4, 1, 5]])),
        np.array([1.5, 1.25]),
        "For whole numbers, [[1, 3, 2], [4, 1, 5]],",
    )


# 5. StiffnessMonitor


@LESSON.exercise(
    "StiffnessMonitor",
    title="Watch it while it trains",
    points=3,
    minutes=13,
    difficulty=3,
    importance=3,
    kind="value",
    reference=StiffnessMonitor,
    needs=("05.stiffness_aware_index", "05.neural_stiffness_index"),
    limit=20.0,
)
def _judge_stiffness_monitor(trial: Trial) -> None:
    """The hooks are called by hand, and the weights drawn anew in between, as training would."""
    if not (isinstance(trial.answer, type) and issubclass(trial.answer, keras.callbacks.Callback)):
        trial.fail(
            "StiffnessMonitor should be a class that derives from keras.callbacks.Callback; yours "
            f"is {'a class of another kind' if isinstance(trial.answer, type) else 'no class'}.",
            "not-a-callback",
        )
    model, x = _chain(), (0.3 + trial.draw.random(size=(5, 3))).astype("float32")
    monitor = trial.run(lambda: trial.answer(x), "StiffnessMonitor(x)")
    trial.run(lambda: monitor.set_model(model), "monitor.set_model(model), as fit does,")
    _one_training(trial, monitor, model, x, [{"loss": 1.0}, None], "In the first training")
    _one_training(trial, monitor, model, x, [{}], "In the second training")


def _one_training(trial: Trial, monitor: Any, model, x, all_logs: list, where: str) -> None:
    want: list[np.ndarray] = []
    trial.run(lambda: monitor.on_train_begin({}), "on_train_begin, when fit begins,")
    for epoch, logs in enumerate(all_logs):
        _draw_weights(trial, model)
        index = _index(list(_chain_blocks(model, x.astype("float64"))), 1)
        want.append(index.mean(axis=0))
        given = None if logs is None else dict(logs)
        asked = f"on_epoch_end({epoch}, {logs})"
        trial.run(lambda epoch=epoch, given=given: monitor.on_epoch_end(epoch, given), asked)
        if given is not None:
            _expect_logs(trial, given, logs, index, f"{where}, after {asked},")
    _expect_history(trial, monitor, want, f"{where}, after {len(want)} of its epochs,")


def _expect_logs(trial: Trial, logs: dict, kept: dict, index: np.ndarray, case: str) -> None:
    if kept.items() - logs.items():
        trial.fail(
            "The logs hold other numbers, too: `loss` should stay; yours is gone.", "loss-lost"
        )
    if "stiffness" not in logs:
        trial.fail(
            f"{case} logs should have an entry 'stiffness'; yours has "
            f"{sorted(logs)}. Change the dictionary that came in: logs['stiffness'] = ...",
            "logs-replaced",
        )
    trial.expect(
        logs["stiffness"],
        np.float32(index.mean()),
        case,
        "logs['stiffness'] should be {want}; yours is {got}",
        [
            Suspect(index.mean(axis=0), "not-one-number", "One number: the mean over the blocks."),
            Suspect(index.max(), "peak-not-mean", "That is the largest."),
            Suspect(index.mean() / 2, "applied-index", "That is the applied index."),
        ],
        scale=float(index.max()),
    )


def _expect_history(trial: Trial, monitor: Any, want: list[np.ndarray], case: str) -> None:
    if not hasattr(monitor, "history"):
        trial.fail(
            f"{case} the monitor should have a list `history`; yours has none.", "no-history"
        )
    history = monitor.history
    try:
        rows = [np.asarray(keras.ops.convert_to_numpy(row), float) for row in history]
    except Exception:  # not a list, or not of numbers
        trial.fail(
            f"{case} `history` should be a list of arrays; yours: {history!r}.", "wrong-type"
        )
    if len(rows) > len(want):
        trial.fail(
            f"{case} `history` should have {len(want)} rows; yours has {len(rows)}. A training "
            f"begins with an empty list: on_train_begin.",
            "history-kept",
        )
    if len(rows) != len(want):
        trial.fail(
            f"{case} `history` should have {len(want)} rows; yours has {len(rows)}. An epoch "
            f"without logs counts as well.",
            "rows-missing",
        )
    trial.expect(
        np.array(rows) if len({row.shape for row in rows}) == 1 else rows,
        np.array(want, "float32"),
        case,
        "the rows of `history` should be {want}; yours are {got}",
        [
            Suspect(np.array([want[0]] * len(want)), "measured-once",
                    "All rows are those of the first epoch: measure in on_epoch_end."),
            Suspect([np.mean(row) for row in want], "blocks-lost", "One number per block, please."),
            Suspect(np.array(want) / 2, "applied-index", "That is the applied index."),
        ],
        scale=float(np.max(want)),
    )  # fmt: skip
