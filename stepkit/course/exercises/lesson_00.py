"""Lesson 00, start here: the pieces that `use` hands out, the oracles, and the questions."""

from __future__ import annotations

import json
import math
import re
import traceback
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from stepkit.course.exercise import Lesson, Option
from stepkit.course.outcome import LearnerError
from stepkit.course.trial import Suspect, Trial
from stepkit.course.wording import one_line

LESSON = Lesson("00")
EPSILON = 1e-5


# What `use` hands out.


def residual_update(x, change, step):
    """Returns `x + step * change`; `step` is a number or broadcasts against `x`."""
    return x + step * change


def relative_change(before, after):
    """Size of the change over the size before, per sample: `(n, ...), (n, ...) -> (n,)`."""
    change, size = (
        np.sqrt(np.sum(np.square(each), axis=tuple(range(1, np.ndim(each)))))
        for each in (np.subtract(after, before), before)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(change == 0, 0.0, change / size)


def keras_ops_axis(x, axis):
    """Returns `x` with mean 0 and variance 1 along `axis`; the epsilon is 1e-5."""
    centred = x - keras.ops.mean(x, axis=axis, keepdims=True)
    variance = keras.ops.mean(keras.ops.square(centred), axis=axis, keepdims=True)
    return centred / keras.ops.sqrt(variance + EPSILON)


class ScaleLayer(keras.layers.Layer):
    """`y = scale * x` with one trainable number per channel, which is the last axis.

    Args:
        initial: float, where every entry of the scale begins.
    """

    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        """Makes the weight."""
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(name="scale", shape=input_shape[-1:], initializer=start)

    def call(self, inputs):
        """Multiplies each channel by its scale."""
        return inputs * self.scale

    def get_config(self):
        """The arguments of this layer."""
        return {**super().get_config(), "initial": self.initial}


def digits_model(units, gate=None):
    """Classifier of 8x8 digits with one hidden layer, compiled and not trained."""
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    hidden = hidden if gate is None else gate(hidden)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _explained(action: Callable[[], Any], *slips: tuple[str, str]) -> Any:
    """Run `action`; if the learner's code raised as one of `slips` does, add its sentence.

    Args:
        action: what enters the learner's code, through a `Trial`.
        slips: pairs of a pattern and a sentence. The pattern is sought in the error's text and in
            the names of the functions through which it came.
    """
    try:
        return action()
    except LearnerError as error:
        through = traceback.extract_tb(error.original.__traceback__)
        said = "\n".join([str(error.original), *(f"{frame.name}()" for frame in through)])
        why = next((why for pattern, why in slips if re.search(pattern, said)), None)
        if why is None:
            raise
        raise LearnerError(error.original, f"{error.asked}\n{why}") from error.original


# Questions.

LESSON.question(
    "steps",
    "Start at `x = 1` and repeat `x = x + step * (-x)` many times. For which steps does `x` come "
    "to rest at 0?",
    right="c",
    a=Option(
        "for every step above 0",
        "The direction is right each time, and that is not enough: with a step of 2.1, x jumps "
        "over 0 and lands farther away than it was.",
        "direction-is-enough",
    ),
    b=Option(
        "for steps up to 1, because a longer one jumps over 0",
        "A step of 1.5 jumps over 0 to -0.5, then to 0.25: it overshoots each time and still "
        "comes to rest. Overshooting is not yet blowing up.",
        "overshoot-is-divergence",
    ),
    c=Option(
        "for steps above 0 and below 2",
        "Each update multiplies x by 1 - step, and that shrinks x when |1 - step| < 1.",
    ),
    d=Option(
        "only for very small steps",
        "Small steps are the slow ones here. A step of 1 is there at once.",
        "smaller-is-better",
    ),
)

LESSON.question(
    "doubled",
    "You double every number of an image. What is its relative change?",
    right="b",
    a=Option(
        "2", "2 is the ratio of the sizes. The change is after minus before.", "ratio-not-change"
    ),
    b=Option("1", "The change is as large as the image was before."),
    c=Option(
        "0.5",
        "That divides by the size afterwards. We divide by the size before.",
        "divided-by-after",
    ),
    d=Option(
        "it depends on the image",
        "Change and image grow together, so their ratio does not depend on the image.",
        "not-relative",
    ),
)

LESSON.question(
    "symbolic",
    "What does `np.mean` do with a tensor of a model that is being built?",
    right="b",
    a=Option(
        "it returns the mean, as always",
        "There is nothing to take the mean of: while a model is built, its tensors have a shape "
        "and no numbers.",
        "tensors-are-arrays",
    ),
    b=Option(
        "it raises an error",
        "While a model is built, its tensors have a shape and no numbers. NumPy needs numbers.",
    ),
    c=Option(
        "it returns 0, because the tensor is still empty",
        "The tensor is not filled with zeros. It has a shape and no numbers at all.",
        "placeholder-is-zero",
    ),
    d=Option(
        "it works, but slowly",
        "Slowness is not the matter: NumPy needs numbers, and there are none yet.",
        "numpy-is-only-slow",
    ),
)

LESSON.question(
    "untrained",
    "There are ten digits, about equally many of each. Which accuracy do you expect of the network "
    "before any training?",
    right="b",
    a=Option(
        "0 %, because it has learned nothing",
        "To be always wrong, a network would have to know the digits. Guessing is right about "
        "once in ten.",
        "untrained-is-zero",
    ),
    b=Option(
        "near 10 %",
        "Random weights guess, and a guess among ten is right once in ten. One network alone "
        "scatters around that.",
    ),
    c=Option(
        "50 %, because an answer is right or wrong",
        "Right and wrong are two cases, but they are not equally likely: nine digits of ten are "
        "wrong.",
        "two-outcomes-are-even",
    ),
    d=Option(
        "above 90 %, because digits are easy",
        "They are easy after training. Before it, the weights are random numbers.",
        "easy-without-training",
    ),
)

LESSON.question(
    "when_built",
    "You write `layer = Shift()`. When is its weight made?",
    right="c",
    a=Option(
        "at that line, in `__init__`",
        "At that line the layer does not know its input, so in general it cannot know the shape "
        "of its weights.",
        "weights-in-init",
    ),
    b=Option(
        "at each call",
        "Then training would begin anew at each call. `build` runs once.",
        "weights-in-call",
    ),
    c=Option(
        "once, when the layer first meets an input",
        "Keras then calls `build` with the input's shape, and afterwards only `call`.",
    ),
    d=Option(
        "when training starts",
        "A layer has its weights before any training: calling it once is enough.",
        "weights-in-fit",
    ),
)

LESSON.question(
    "which_attention",
    "Your ScaleLayer is the plainest relative of one of the three. Which?",
    right="a",
    a=Option(
        "the channel gate",
        "One factor per channel. In yours the factor is the same for every input; a channel gate "
        "computes it from the input.",
    ),
    b=Option(
        "the node weight",
        "A node weight belongs to one node of a graph. Yours belongs to one channel of a layer.",
        "node-for-channel",
    ),
    c=Option(
        "the token score",
        "A token score belongs to a pair of tokens: how much one reads from the other. Yours "
        "mixes nothing; it multiplies each channel on its own.",
        "score-for-gate",
    ),
    d=Option(
        "all three: they are one thing under three names",
        "They share a word. What is weighted differs: a channel, a node, a pair of tokens.",
        "one-attention",
    ),
)


# 1. residual_update


@LESSON.exercise(
    "residual_update",
    title="One residual update",
    points=1,
    minutes=5,
    difficulty=1,
    importance=5,
    signature="x, change, step",
    reference=residual_update,
)
def _judge_residual_update(trial: Trial) -> None:
    """Sums by hand, entry by entry."""
    trial.expect(
        trial.call(2.0, 3.0, 0.1),
        2.3,
        "From x = 2.0 with change = 3.0 and step = 0.1",
        "the update should land at {want}; yours landed at {got}",
        [
            Suspect(0.3, "change-not-state", "That is the change alone, not the new state."),
            Suspect(5.0, "step-ignored", "That is x + change: the step is not used."),
            Suspect(1.7, "sign", "You moved against the change."),
            Suspect(0.5, "step-on-the-sum", "The step scales x, too; only the change is scaled."),
        ],
    )
    trial.expect(
        trial.call(np.array([1.0, 1.0]), np.array([10.0, 20.0]), np.array([0.1, 0.5])),
        np.array([2.0, 11.0]),
        "From x = [1, 1] with change = [10, 20] and one step per entry, [0.1, 0.5],",
        "the update should land at {want}; yours landed at {got}",
        [Suspect([12.0, 12.0], "dot-product", "A dot product adds up what belongs apart.")],
    )
    trial.expect_of_whole_numbers(
        lambda: trial.call(np.array([1, 2]), np.array([1, -3]), 0.5),
        np.array([1.5, 0.5]),
        "From x = [1, 2] with change = [1, -3], whole numbers, and step = 0.5",
        "the update should land at {want}; yours landed at {got}",
    )
    for shape in ((), (3,), (4, 3), (2, 5, 4, 3)):
        for dtype in ("float64", "float32"):
            for step_shape in {(), shape[-1:], shape[:1] + (1,) * len(shape[1:])}:
                _drawn_update(trial, shape, dtype, step_shape)


def _drawn_update(trial: Trial, shape: tuple, dtype: str, step_shape: tuple) -> None:
    x, change = trial.draw.normal(size=(2, *shape)).astype(dtype)
    step = trial.draw.uniform(-2, 2, step_shape).astype(dtype)
    steps = np.broadcast_to(step, shape)
    entries = [
        math.fsum((a, float(b) * float(c)))
        for a, b, c in zip(x.ravel(), change.ravel(), steps.ravel(), strict=True)
    ]
    got = trial.call(x, change, step if step_shape else float(step))
    kind = f"a step of shape {step_shape}" if step_shape else f"step = {step:.3g}"
    trial.expect(
        got,
        np.reshape(entries, shape).astype(dtype),
        f"From x of shape {shape} with {kind}",
        "the update should land at {want}; yours landed at {got}",
        scale=8.0,
    )


# 2. relative_change


@LESSON.exercise(
    "relative_change",
    title="How large was the change?",
    points=2,
    minutes=12,
    difficulty=2,
    importance=5,
    signature="before, after",
    reference=relative_change,
)
def _judge_relative_change(trial: Trial) -> None:
    """Distances by `math.dist`, one sample after the other."""
    before = np.array([[1.0, 2.0, 2.0], [2.0, 4.0, 4.0]])
    after = np.array([[1.0, 2.0, 5.0], [2.0, 4.0, 1.0]])
    _compare_change(trial, before, after, "From [[1, 2, 2], [2, 4, 4]] to [[1, 2, 5], [2, 4, 1]]")
    for shape in ((5, 7), (1, 4), (3, 4, 2), (2, 5, 4, 3)):
        for dtype in ("float64", "float32"):
            before = trial.draw.normal(size=shape).astype(dtype)
            after = before + trial.draw.uniform(0.1, 2) * trial.draw.normal(size=shape)
            _compare_change(
                trial, before, after.astype(dtype), f"For {shape[0]} samples, shape {shape},"
            )
    _zero_samples(trial)
    before, change = 1e-11 * trial.draw.normal(size=(2, 3, 4))
    _compare_change(
        trial, before, before + change, "For 3 samples of 4 numbers, all of them near 1e-11,"
    )


def _compare_change(trial: Trial, before: np.ndarray, after: np.ndarray, case: str) -> None:
    got = trial.call(before, after)
    rows = [(a.ravel().tolist(), b.ravel().tolist()) for a, b in zip(after, before, strict=True)]
    want = [math.dist(a, b) / math.hypot(*b) for a, b in rows]
    _one_number_per_sample(trial, got, before.shape)
    trial.expect(
        got,
        np.array(want, before.dtype),
        case,
        "the relative changes should be {want}; yours are {got}",
        _misread_changes(before, after),
        tolerance=1e-5,  # an epsilon is named where it matters, on zero samples
    )


def _one_number_per_sample(trial: Trial, got, shape: tuple) -> None:
    left = tuple(getattr(got, "shape", ()))
    if left == shape[1:] != shape[:1]:
        trial.fail(
            f"For a batch of shape {shape} there should be one number per sample, shape "
            f"{shape[:1]}; yours has shape {left}: that goes over the samples.",
            "wrong-axis",
        )
    if len(left) > 1:
        trial.fail(
            f"For a batch of shape {shape} there should be one number per sample, shape "
            f"{shape[:1]}; yours has shape {left}: some axes of a sample are left over.",
            "axes-left-over",
        )
    if left == () and (hasattr(got, "shape") or isinstance(got, float)):
        trial.fail(
            f"For a batch of {shape[0]} samples there should be {shape[0]} numbers; yours is one, "
            f"{float(got):.4g}: the whole batch went into one norm.",
            "whole-batch",
        )


def _misread_changes(before: np.ndarray, after: np.ndarray) -> list[Suspect]:
    flat, end = (each.reshape(len(each), -1).astype("float64") for each in (before, after))
    move, size, end_size = (np.sqrt((each**2).sum(1)) for each in (end - flat, flat, end))
    return [
        Suspect(move / end_size, "divided-by-after", "You divided by the size of `after`."),
        Suspect(
            end_size / size, "ratio-not-change",
            "That compares the two sizes; the change is after minus before.",
        ),
        Suspect(
            (end_size - size) / size, "change-of-norm",
            "That is how much the size changed. A sample can change and keep its size.",
        ),
        Suspect(
            abs(end_size - size) / size, "change-of-norm",
            "That is how much the size changed. A sample can change and keep its size.",
        ),
        Suspect(move, "not-relative", "That is the change, not yet divided by the size before."),
        Suspect((move / size) ** 2, "squared", "That is the square: a root is missing."),
        Suspect(
            abs(end - flat).sum(1) / abs(flat).sum(1), "wrong-norm",
            "That sums absolute values. The Euclidean norm is the root of a sum of squares.",
        ),
        Suspect(
            abs(end - flat).max(1) / abs(flat).max(1), "wrong-norm",
            "That takes the largest entry. The Euclidean norm is the root of a sum of squares.",
        ),
        Suspect(
            abs((end - flat) / flat).mean(1), "mean-of-ratios",
            "That divides entry by entry. Here one norm is divided by another.",
        ),
        *_guarded(move, size),
    ]  # fmt: skip


def _guarded(move: np.ndarray, size: np.ndarray) -> list[Suspect]:
    """What comes of a tiny number against the division by zero, where all numbers are tiny."""
    guards = [10.0**-power for power in range(6, 17)]
    why = "A number was added to the size: beside small numbers it is not small. Ask for 0 itself."
    values = [np.maximum(size, guard) for guard in guards] + [size + guard for guard in guards]
    return [Suspect(move / value, "size-guarded", why) for value in values]


def _zero_samples(trial: Trial) -> None:
    batch = trial.draw.normal(size=(3, 4, 2)).astype("float32")
    start, end = (np.reshape(each, (3, 1, 1)).astype("float32") for each in ([0, 1, 0], [0, 3, 1]))
    got = np.asarray(trial.call(batch * start, batch * end))
    case = (
        "For three samples (zero and still zero, an ordinary one made three times as large, "
        "zero and no longer zero)"
    )
    if got.shape == (3,) and got.dtype.kind == "f":
        if np.isnan(got[0]):
            trial.fail(
                f"{case} the result should be [0, 2, inf]; yours begins with NaN. A zero sample "
                f"that stays zero gives 0/0, which needs a rule of its own.",
                "zero-over-zero",
            )
        if np.isinf(got[0]):
            trial.fail(
                f"{case} the result should be [0, 2, inf]; yours begins with {got[0]}. A zero "
                f"sample that stays zero did not change: 0.",
                "zero-over-zero",
            )
        if got[0] == 0 and np.isfinite(got[2]):
            trial.fail(
                f"{case} the result should be [0, 2, inf]; yours ends with {got[2]:.4g}. Any "
                f"change is infinitely large compared with zero.",
                "zero-hidden",
            )
    trial.expect(got, np.array([0, 2, np.inf], "float32"), case)


# 3. keras_ops_axis

SHAPES_DO_NOT_FIT = (
    r"(?i)incompatible shapes|broadcast|size of tensor|dimensions must be equal",
    "Along an axis, mean and variance lose that axis; keepdims=True keeps it, with length 1.",
)
MADE_NUMPY = (r"convert_to_numpy\(\)", "convert_to_numpy makes a NumPy array; drop it.")
NUMPY_METHOD = (
    "Tensor' object has no attribute",
    "A tensor lacks NumPy's methods: use the functions of keras.ops.",
)


@LESSON.exercise(
    "keras_ops_axis",
    title="Standardise along an axis, inside a model",
    points=2,
    minutes=12,
    difficulty=2,
    importance=4,
    signature="x, axis",
    reference=keras_ops_axis,
)
def _judge_keras_ops_axis(trial: Trial) -> None:
    """NumPy in float64, line by line along the axis, on arrays and then inside a model."""
    _compare_lines(trial, np.array([1, 2, 6], "float32"), 0, "x = [1, 2, 6]")
    tiny = 1e-3 * trial.draw.normal(size=(3, 6)).astype("float32")
    _compare_lines(trial, tiny, -1, "x with entries near 0.001, of shape (3, 6),")
    for shape in ((5,), (4, 3), (2, 3, 4), (2, 3, 3, 5)):
        for axis in {0, len(shape) - 1, -1, -len(shape), int(trial.draw.integers(len(shape)))}:
            _compare_lines(trial, _spread_out(trial.draw, shape), axis, f"x of shape {shape}")
    for axis in (-1, 1, -2):
        _compare_in_model(trial, axis)


def _spread_out(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random numbers, no two alike on a line along any axis: dividing by the spread is benign."""
    x = draw.uniform(-0.1, 0.1, shape) + draw.uniform(-1, 1)
    for places in np.indices(shape):
        x += draw.choice([-1, 1]) * draw.uniform(0.8, 1.2) * (places - places.mean())
    return x.astype("float32")


def _line_by_line(x: np.ndarray, axis: int, rule) -> np.ndarray:
    return np.apply_along_axis(rule, axis, x.astype("float64"))


def _standard(v: np.ndarray) -> np.ndarray:
    middle = math.fsum(v) / len(v)
    spread = math.fsum((v - middle) ** 2) / len(v)
    return (v - middle) * (spread + EPSILON) ** -0.5


def _misread_standards(x: np.ndarray, axis: int) -> list[Suspect]:
    said = [
        (lambda v: v - v.mean(), "mean-only",
         "The mean is gone, but nothing was divided by the standard deviation."),
        (lambda v: (v - v.mean()) / (v.var() + EPSILON), "variance-not-deviation",
         "You divided by the variance; the standard deviation is its root."),
        (lambda v: v / np.sqrt(v.var() + EPSILON), "not-centred",
         "The mean was not subtracted."),
        (lambda v: v - v.mean() / np.sqrt(v.var() + EPSILON), "brackets",
         "Are there brackets around x - mean?"),
        (lambda v: (v - v.mean()) / np.sqrt(v.var()), "no-epsilon",
         "Without the epsilon inside the root, nearly constant numbers are blown up."),
        (lambda v: (v - v.mean()) / (v.std() + EPSILON), "epsilon-outside",
         "The epsilon stands outside the root; it belongs inside."),
    ]  # fmt: skip
    suspects = [Suspect(_line_by_line(x, axis, rule), name, why) for rule, name, why in said]
    if x.shape[axis] > 1:
        suspects.append(
            Suspect(
                _line_by_line(x, axis, lambda v: (v - v.mean()) / np.sqrt(v.var(ddof=1) + EPSILON)),
                "n-minus-one",
                "You divided the squares by n - 1. Divide by n, as Keras does.",
            )
        )
    if x.ndim > 1:
        whole = (x - x.mean()) / np.sqrt(x.var() + EPSILON)
        why = "You used the mean and deviation of all of x, not those along the axis."
        suspects.append(Suspect(whole, "axis-ignored", why))
        for other in set(range(x.ndim)) - {axis % x.ndim}:
            why = f"You went along axis {other}."
            suspects.append(Suspect(_line_by_line(x, other, _standard), "wrong-axis", why))
    return suspects


def _compare_lines(trial: Trial, x: np.ndarray, axis: int, what: str) -> None:
    trial.expect(
        _explained(
            lambda: trial.call(keras.ops.convert_to_tensor(x), axis),
            NUMPY_METHOD,
            SHAPES_DO_NOT_FIT,
        ),
        _line_by_line(x, axis, _standard).astype("float32"),
        f"For {what} and axis = {axis}",
        "the result should be {want}; yours is {got}",
        _misread_standards(x, axis),
        scale=1.0,
    )


def _compare_in_model(trial: Trial, axis: int) -> None:
    inputs = keras.Input((4, 3))
    asked = f"keras_ops_axis(x, {axis}) while a model is built; x has shape (None, 4, 3)"
    outputs = _explained(
        lambda: trial.run(lambda: trial.answer(inputs, axis), asked),
        MADE_NUMPY,
        NUMPY_METHOD,
        SHAPES_DO_NOT_FIT,
    )
    if not isinstance(outputs, keras.KerasTensor) or outputs.shape != inputs.shape:
        shape = getattr(outputs, "shape", None)
        trial.fail(
            f"While a model is built, x has shape (None, 4, 3), and so should the result; "
            f"yours is a {type(outputs).__name__} of shape {shape}.",
            "wrong-shape",
        )
    model = trial.run(lambda: keras.Model(inputs, outputs), "a model made of your function")
    x = _spread_out(trial.draw, (5, 4, 3))
    trial.expect(
        trial.run(lambda: model(x), "that model on 5 samples"),
        _line_by_line(x, axis, _standard).astype("float32"),
        f"In a model, for x of shape (5, 4, 3) and axis = {axis},",
        scale=1.0,
    )


# 4. ScaleLayer

SLIPS_IN_BUILD = (
    ("Cannot convert .* to a shape", "A shape is a tuple, and a tuple of one needs a comma."),
    (
        "Could not interpret initializer",
        "An initializer is an object, not a number. See how Shift makes one.",
    ),
)


@LESSON.exercise(
    "ScaleLayer",
    title="A layer of your own",
    points=3,
    minutes=20,
    difficulty=3,
    importance=5,
    kind="layer",
    reference=ScaleLayer,
)
def _judge_scale_layer(trial: Trial) -> None:
    """The weight, the product, the gradient by hand, and the way through the configuration."""
    _weight_of_scale(trial)
    _scale_in_model(trial)
    _scale_from_config(trial)


def _weight_of_scale(trial: Trial) -> None:
    start = round(float(trial.draw.uniform(1.5, 3)), 2)
    x = trial.draw.normal(size=(2, 4, 5, 3)).astype("float32")
    layer = trial.run(lambda: trial.answer(initial=start), f"ScaleLayer(initial={start})")
    case = f"ScaleLayer(initial={start}) on x of shape (2, 4, 5, 3)"
    try:
        got = _explained(lambda: trial.run(lambda: layer(x), case), *SLIPS_IN_BUILD)
    except LearnerError:
        if getattr(layer, "trainable_weights", None):  # of a wrong shape, perhaps: that says more
            _expect_one_weight(trial, layer, case)
        raise
    _expect_one_weight(trial, layer, case)
    scale = trial.draw.uniform(-2, 2, 3).astype("float32")
    trial.expect(
        layer.get_weights()[0],
        np.full(3, start, "float32"),
        f"In ScaleLayer(initial={start})",
        "the weight should begin at {want}; yours begins at {got}",
        [Suspect(np.full(3, each), "initial-ignored", "`initial` is not used.") for each in (0, 1)],
    )
    _expect_product(trial, got, x, np.full(3, start, "float32"), f"For {case}", start)
    layer.set_weights([scale])
    for shape in ((2, 4, 5, 3), (4, 3)):
        x = trial.draw.normal(size=shape).astype("float32")
        got = trial.run(lambda x=x: layer(x), f"that layer on x of shape {shape}")
        case = f"With the weight set to {_words(scale)}, on x of shape {shape},"
        _expect_product(trial, got, x, scale, case, start)


def _words(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.3g}" for value in values) + "]"


def _expect_one_weight(trial: Trial, layer: keras.layers.Layer, case: str) -> None:
    shapes = [tuple(weight.shape) for weight in layer.trainable_weights]
    frozen = len(layer.non_trainable_weights)
    wanted = f"After {case}, the layer should have one trainable weight of shape (3,)"
    if shapes == [(3,)] and frozen:
        trial.fail(f"{wanted} and no other; yours has {frozen} more.", "too-many-weights")
    if shapes == [(3,)]:
        return
    if not shapes and frozen:
        trial.fail(f"{wanted}; yours is there, but training cannot change it.", "not-trainable")
    if not shapes:
        trial.fail(
            f"{wanted}; yours has none. Keras knows the weights that add_weight makes.",
            "weight-missing",
        )
    if len(shapes) > 1:
        trial.fail(f"{wanted}; yours has {len(shapes)}, of shapes {shapes}.", "too-many-weights")
    if shapes[0] in ((), (1,)):
        trial.fail(f"{wanted}; yours has shape {shapes[0]}: one for all.", "one-scale-for-all")
    if shapes[0] in ((4,), (5,), (2,)):
        trial.fail(
            f"{wanted}; yours has shape {shapes[0]}. The channels are the last axis: their "
            f"number is the last entry of input_shape.",
            "wrong-axis",
        )
    trial.fail(
        f"{wanted}; yours has shape {shapes[0]}: one per entry, not one per channel.",
        "weight-per-entry",
    )


def _expect_product(trial: Trial, got, x, scale, case: str, start: float) -> None:
    entries = [value * scale[place % 3] for place, value in enumerate(x.ravel())]
    trial.expect(
        got,
        np.reshape(entries, x.shape),
        case,
        "the result should be {want}; yours is {got}",
        [
            Suspect(x + scale, "adds-instead", "That adds the weight; it should multiply."),
            Suspect(x, "weight-unused", "That is x itself: the weight is not used."),
            Suspect(x * start, "weight-unused", "That uses `initial`; the weight is not used."),
            Suspect(x * start * scale, "scaled-twice", "That multiplies by `initial` as well."),
        ],
    )


def _scale_in_model(trial: Trial) -> None:
    """One step of gradient descent of length 1 on half the summed squares, done by hand."""
    inputs = keras.Input((None, 3))
    layer = trial.run(lambda: trial.answer(initial=1.5), "ScaleLayer(initial=1.5)")
    asked = "ScaleLayer(initial=1.5) while a model is built; x has shape (None, None, 3)"
    model = keras.Model(inputs, trial.run(lambda: layer(inputs), asked))
    model.compile(keras.optimizers.SGD(1.0), "mean_squared_error", run_eagerly=True)
    _expect_one_weight(trial, layer, "its place in a model that takes shape (None, None, 3)")
    for shape in ((4, 2, 3), (1, 5, 3)):
        x, target = trial.draw.normal(size=(2, *shape)).astype("float32")
        scale = layer.get_weights()[0].astype("float64")
        trial.expect(
            trial.run(lambda x=x: model(x), f"the model on x of shape {shape}"),
            np.einsum("nlc,c->nlc", x, scale).astype("float32"),
            f"In a model, on x of shape {shape},",
        )
        slope = 2 * np.einsum("nlc,nlc->c", x * scale - target, x) / x.size
        try:
            trial.run(lambda x=x, y=target: model.train_on_batch(x, y), "one training step")
        except LearnerError as error:
            trial.fail(
                f"One training step should change the weight; yours raised "
                f"{one_line(error.original, 120)}",
                "no-gradient",
            )
        trial.expect(
            layer.get_weights()[0],
            (scale - slope).astype("float32"),
            "After one training step",
            "the weight should be {want}; yours is {got}",
            [Suspect(scale, "no-gradient", "It did not change: no gradient reaches it.")],
            scale=4.0,
        )


def _scale_from_config(trial: Trial) -> None:
    start = round(float(trial.draw.uniform(-3, -1.5)), 2)
    layer = trial.run(lambda: trial.answer(initial=start, name="gate_7"), "ScaleLayer(...)")
    asked = "get_config() of a layer that has met no input yet, and so has no weight"
    config = trial.run(layer.get_config, asked)
    if config is None:
        trial.fail(
            "get_config should return a dictionary; yours returned None. Is there a `return`?",
            "no-return",
        )
    if not isinstance(config, dict):
        trial.fail(
            f"get_config should return a dictionary; yours returned {type(config).__name__}.",
            "wrong-type",
        )
    if "initial" not in config:
        trial.fail(
            f"The configuration of ScaleLayer(initial={start}) has no entry 'initial': a layer "
            f"made again from it would begin at the default, 1.",
            "config-forgets-argument",
        )
    if config.get("name") != "gate_7":
        trial.fail(
            "The configuration of ScaleLayer(name='gate_7') has lost the name: what Keras itself "
            "keeps, super().get_config(), should be part of it.",
            "config-without-base",
        )
    try:
        json.dumps(config)
    except (TypeError, ValueError):
        trial.fail(
            "The configuration is written into a file: its entries should be numbers and words; "
            "yours holds something else.",
            "config-not-serialized",
        )
    again = trial.run(lambda: trial.answer.from_config(config), "ScaleLayer.from_config(config)")
    trial.run(lambda: again(np.ones((1, 2), "float32")), "the layer made from its configuration")
    trial.expect(
        again.get_weights()[0],
        np.full(2, start, "float32"),
        f"Made again from the configuration of ScaleLayer(initial={start})",
        "the weight should begin at {want}; yours begins at {got}",
    )


# 5. digits_model

SLIPS_WITH_LAYERS = (
    (
        "`data_format` argument|Only input tensors",
        "Make the layer, then call it: Flatten()(inputs).",
    ),
    ("must be fully-defined", "Is there a None in keras.Input? Leave it out; Keras adds it."),
)


@LESSON.exercise(
    "digits_model",
    title="A model for digits",
    points=2,
    minutes=18,
    difficulty=2,
    importance=4,
    signature="units, gate",
    reference=digits_model,
    limit=30.0,  # JAX compiles each operation when it first meets it
)
def _judge_digits_model(trial: Trial) -> None:
    """The network by hand in NumPy for random weights, its loss, and one training step."""
    first, second = trial.draw.choice(np.arange(11, 30), 2, replace=False)
    for units, gate in ((int(first), None), (int(second), ScaleLayer(1.0))):
        model = _expect_model(trial, units, gate)
        _expect_weights(trial, model, units, gate)
        _expect_forward(trial, model, units, gate)
    _expect_training(trial, model)
    _expect_new_layers(trial, model, int(second))


def _expect_new_layers(trial: Trial, model: keras.Model, units: int) -> None:
    """Two models of one size have no layer in common."""
    other = trial.run(lambda: trial.answer(units), f"digits_model({units}) once more")
    if any(one is two for one in model.weights for two in other.weights):
        trial.fail(
            f"Two calls of digits_model({units}) should make two models; yours share their "
            f"weights, so that training one trains the other. Make the layers inside the function.",
            "shared-weights",
        )


def _expect_model(trial: Trial, units: int, gate) -> keras.Model:
    given = (units,) if gate is None else (units, gate)
    asked = f"digits_model({units}{'' if gate is None else ', a gate'})"
    model = _explained(lambda: trial.run(lambda: trial.answer(*given), asked), *SLIPS_WITH_LAYERS)
    if model is None:
        trial.fail(
            f"{asked} returned None. Is there a `return`, and does it return the model? "
            f"model.compile(...) itself returns None.",
            "no-return",
        )
    if not isinstance(model, keras.Model):
        what = type(model).__name__
        trial.fail(f"{asked} should be a keras.Model; yours is {what}.", "wrong-type")
    if not getattr(model, "inputs", None):
        trial.fail(
            "The model does not know the shape of its input yet. It should begin with keras.Input.",
            "no-input",
        )
    if model.input_shape != (None, 8, 8, 1):
        why = "None stands for the number of images."
        if tuple(model.input_shape)[:2] == (None, None):
            why = "Leave the None out of keras.Input; Keras adds it."
        trial.fail(
            f"The input should have shape (None, 8, 8, 1); yours has {model.input_shape}. {why}",
            "wrong-input",
        )
    shape = model.output_shape
    if shape == (None, 8, 8, 10):
        trial.fail(
            "The output should have shape (None, 10), ten numbers per image; yours has "
            "(None, 8, 8, 10), ten per pixel: Dense works on the last axis alone.",
            "flatten-forgotten",
        )
    if shape != (None, 10):
        trial.fail(f"The output should have shape (None, 10); yours has {shape}.", "wrong-output")
    return model


def _expect_weights(trial: Trial, model: keras.Model, units: int, gate) -> None:
    found = [tuple(weight.shape) for weight in model.weights]
    scale = [] if gate is None else [(units,)]
    right = [(64, units), (units,), *scale, (units, 10), (10,)]
    what = f"With units = {units} and {'no gate' if gate is None else 'a gate'}"
    count, want = model.count_params(), sum(math.prod(shape) for shape in right)
    compared = f"{what} the model should have {want} trainable numbers; yours has {count}"
    if gate is not None:
        _expect_gate(trial, model, units, gate, what, compared)
    if found == right:
        return
    if found and found[0] != (64, units):
        trial.fail(
            f"{what} the first array of weights should have shape (64, {units}); yours has "
            f"{found[0]}: 64 pixels go into `units` numbers.",
            "units-ignored",
        )
    why = ": there is a layer too many" if len(found) > len(right) else ""
    trial.fail(f"{compared}{why}.", "wrong-layers")


def _expect_gate(trial: Trial, model: keras.Model, units: int, gate, what: str, compared: str):
    if not gate.built:
        why = "the gate that was given is not part of it"
        same = model.count_params() == 76 * units + 10
        trial.fail(
            f"{what} the model has a layer of its own: {why}." if same else f"{compared}: {why}.",
            "gate-missing",
        )
    if not any(weight is gate.weights[0] for weight in model.weights):
        trial.fail(f"{compared}: the gate is called, but its result is not used.", "gate-unused")
    if gate.weights[0].shape != (units,):
        trial.fail(
            f"{what} the gate should get the {units} hidden numbers; it got "
            f"{gate.weights[0].shape[0]}.",
            "gate-misplaced",
        )


def _expect_forward(trial: Trial, model: keras.Model, units: int, gate) -> None:
    draw = trial.draw
    weights = [draw.normal(size=each.shape) / len(each.shape) ** 3 for each in model.weights]
    model.set_weights(weights)
    x = draw.uniform(size=(4, 8, 8, 1)).astype("float32")
    first, shift, *scale, second, end = weights
    scale = scale[0] if scale else np.ones(units)
    raw = x.reshape(4, 64) @ first + shift

    def logits(hidden):
        return hidden @ second + end

    def softmax(z):
        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)

    right = logits(np.maximum(raw, 0) * scale)
    said = [
        (right, "softmax-forgotten", "These are no probabilities: they do not sum to 1."),
        (1 / (1 + np.exp(-right)), "sigmoid-not-softmax",
         "Sigmoid treats each digit on its own, so they do not sum to 1."),
        (softmax(logits(raw * scale)), "relu-forgotten", "The hidden layer has no relu."),
        (softmax(logits(np.maximum(raw * scale, 0))), "gate-before-relu",
         "The gate should come after the relu."),
    ]  # fmt: skip
    got = trial.run(lambda: model(x), "the model on 4 images")
    found = keras.ops.convert_to_numpy(got)
    if not np.allclose(found.sum(axis=1), 1, atol=1e-3):
        said.append(
            (found, "no-probabilities", "These are no probabilities: they do not sum to 1.")
        )
    trial.expect(
        got,
        softmax(right).astype("float32"),
        "With random weights, for 4 images,",
        "the probability should be {want}; yours is {got}",
        [Suspect(value, name, why) for value, name, why in said],
        scale=10.0,
    )


def _expect_training(trial: Trial, model: keras.Model) -> None:
    if not getattr(model, "compiled", False):
        trial.fail("The model should be compiled before you return it.", "not-compiled")
    if int(model.optimizer.iterations) > 0:
        trial.fail("The model should not be trained yet; yours is.", "already-trained")
    x = trial.draw.uniform(size=(8, 8, 8, 1)).astype("float32")
    chances = keras.ops.convert_to_numpy(model(x)).astype("float64")
    labels = (chances.argmax(1) + np.array([0, 0, 0, 1, 2, 3, 4, 5])) % 10
    _expect_loss(trial, model, labels, chances)
    before = model.get_weights()
    model.run_eagerly, model.jit_compile = True, False
    try:
        logs = model.train_on_batch(x, labels, return_dict=True)
    except Exception as error:
        trial.fail(
            f"One training step on 8 images with whole-number labels raised "
            f"{one_line(error, 120).rstrip(' .:')}. Is the metric made for such labels?",
            "wrong-metric",
        )
    _expect_accuracy(trial, {key: float(logs[key]) for key in logs if key != "loss"})
    if any(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)):
        trial.fail(
            "One training step should change every array of weights; some stayed as they were.",
            "frozen-weights",
        )


def _expect_loss(trial: Trial, model: keras.Model, labels, chances) -> None:
    case = "For 8 images whose labels are whole numbers from 0 to 9"
    predicted = keras.ops.convert_to_tensor(chances.astype("float32"))
    try:
        got = model.compute_loss(x=None, y=keras.ops.convert_to_tensor(labels), y_pred=predicted)
    except Exception as error:
        why = "There is a loss that is made for whole numbers."
        if "'string'" in str(error):
            why = "The third place of compile is loss_weights: write metrics=[...]."
        trial.fail(
            f"{case} the loss raised {one_line(error, 120).rstrip('.')}. {why}", "wrong-loss"
        )
    again = np.log(np.exp(chances).sum(1)) - chances[np.arange(8), labels]
    name, value = "softmax-twice", np.mean(again)
    why = "from_logits=True says that there was no softmax yet, but the model ends with one."
    trial.expect(
        got,
        np.float32(-math.log(math.prod(chances[np.arange(8), labels])) / 8),
        case,
        "the loss should be {want}, the mean of -log(probability of the label); yours is {got}",
        [Suspect(value, name, why)],
        tolerance=1e-3,
    )


def _expect_accuracy(trial: Trial, values: dict[str, float]) -> None:
    if not values:
        trial.fail("The model should report its accuracy; compile has no metric.", "metric-missing")
    if not any(abs(value - 3 / 8) < 1e-6 for value in values.values()):
        said = ", ".join(f"{key} = {value:.4g}" for key, value in values.items())
        trial.fail(
            f"For 8 images of which 3 are right, the accuracy should be 0.375; yours says {said}.",
            "wrong-metric",
        )
