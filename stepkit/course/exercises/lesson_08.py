"""Lesson 08, StepNet: the pieces that `use` hands out, the oracles, and the questions."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from scipy import special, stats

from stepkit import spectra
from stepkit.attention import StepNetAttention
from stepkit.course.exercise import Lesson, Option
from stepkit.course.outcome import LearnerError
from stepkit.course.trial import Suspect, Trial
from stepkit.layers import residual_blocks

LESSON = Lesson("08")


# What `use` hands out, beside stepkit's own StepNetAttention.


def predictor_features(branch, shortcut):
    """Means of the state and of the state plus the branch: `(batch, 2 channels)`, float32."""
    state, slope = (
        keras.ops.mean(keras.ops.cast(v, "float32"), (1, 2)) for v in (shortcut, branch)
    )
    return keras.ops.concatenate([state, state + slope], axis=-1)


def stepnet_block(x, residual, attention=None, projection=None):
    """relu(x + a * f), f = residual(x), the gate a chosen by `attention` from f and x."""
    branch = residual(x)
    state = x if projection is None else projection(x)
    if attention is not None:
        branch = attention(branch, state)
    return keras.ops.relu(state + branch)


def attention_nsi(branch, shortcut, gate):
    """How much a block would move each sample, and how much it does: two arrays `(samples,)`."""
    branch, shortcut, gate = (np.asarray(v, "float64") for v in (branch, shortcut, gate))
    gated = np.einsum("n...c,nc->n...c", branch, gate)
    size, raw, applied = (
        np.sqrt(np.sum(np.reshape(v, (len(v), -1)) ** 2, axis=1)) for v in (shortcut, branch, gated)
    )
    return raw / size, applied / size


def paired_comparison(a, b):
    """Mean of a - b, its 95 % interval, and the difference that so many pairs usually show."""
    difference = np.subtract(a, b)
    n = len(difference)
    mean, error = np.mean(difference), np.std(difference, ddof=1) / np.sqrt(n)
    edge, power = stats.t.ppf([0.975, 0.8], n - 1)
    return {
        "mean": float(mean),
        "low": float(mean - edge * error),
        "high": float(mean + edge * error),
        "detectable": float((edge + power) * error),
    }


# Questions.

LESSON.question(
    "same_slope",
    "Two samples have the same branch `f`. The state `x` of the second is ten times as large, so "
    "that the same step moves it ten times less, relative to its size. What does SE's gate do?",
    right="c",
    a=Option(
        "it is smaller for the small state: there the step is the larger one",
        "That is what a step controller would do. SE has no means to: it does not see the state.",
        "gate-sees-state",
    ),
    b=Option(
        "it is larger for the large state: larger numbers open the gate",
        "Only the branch goes into SE, and the branch is the same.",
        "gate-sees-state",
    ),
    c=Option(
        "it is the same for both",
        "SE sees the branch alone. Whatever training makes of it, equal branches get equal gates.",
    ),
    d=Option(
        "it depends on how SE was trained",
        "Training changes the weights. It does not change what goes in.",
        "training-adds-inputs",
    ),
)

LESSON.question(
    "linear",
    "Somebody gives the Dense layer `m` and `s`, the means of state and branch, instead of `m` and "
    "`m + s`. What can that gate do, compared with yours?",
    right="a",
    a=Option(
        "exactly the same, with other weights",
        "`u m + v (m + s)` is `(u + v) m + v s`: any weights here have their partner there.",
    ),
    b=Option(
        "less: it does not see the next state",
        "It can add `m` and `s` itself. That is what a Dense layer does.",
        "sum-is-new",
    ),
    c=Option(
        "less: the predictor also tells how `x` and `f` fit together",
        "Its map does; its mean does not. The next cell shows it.",
        "mean-holds-covariance",
    ),
    d=Option(
        "more: the branch cannot be found from the predictor",
        "It can: `(m + s) - m` is `s`.",
        "branch-lost",
    ),
)

LESSON.question(
    "pattern",
    "In one step `f` adds to the pattern of `x`, in the other it takes the pattern away. `x` is "
    "the same in both, and so is the mean of `f`. Which number differs?",
    right="b",
    a=Option(
        "the mean of x + f",
        "It is the mean of x plus the mean of f, and both are the same.",
        "mean-holds-covariance",
    ),
    b=Option(
        "the standard deviation of x + f",
        "Where f takes the pattern away, little of it is left. No mean can tell.",
    ),
    c=Option(
        "the standard deviation of f",
        "A pattern and its negative have the same standard deviation.",
        "deviation-has-sign",
    ),
    d=Option(
        "none: what means do not see, no number per channel sees",
        "A standard deviation is one number per channel, too.",
        "one-number-is-mean",
    ),
)

LESSON.question(
    "weights",
    "SE has `2 C²/r + C/r + C` weights. About how many more does the pair have, for many channels?",
    right="b",
    a=Option(
        "as many as SE: the features are only means",
        "The first layer gets twice as many numbers, and has a weight for each.",
        "inputs-are-free",
    ),
    b=Option(
        "half as many again",
        "One of the two layers doubles: `3 C²/r` in place of `2 C²/r`.",
    ),
    c=Option(
        "twice as many, since it sees two states",
        "The second layer stays as it is: only the first one doubles.",
        "all-doubles",
    ),
    d=Option(
        "four times as many, since weights grow with the square",
        "They grow with the square of the channels. Here the inputs double, and nothing else.",
        "all-squares",
    ),
)

LESSON.question(
    "where",
    "Four blocks. In which is `a` the size of a step from `x` along `f`?",
    right="d",
    a=Option(
        "`relu(a * (x + f))`",
        "There `a` also shrinks the state. With `a = 0` nothing is left of it.",
        "gates-the-sum",
    ),
    b=Option(
        "`relu(a * x + f)`",
        "There the step has size 1 and the state shrinks before it.",
        "gates-the-state",
    ),
    c=Option(
        "`x + relu(a * f)`",
        "There the relu cuts the slope: the state could only grow. The step is not along f.",
        "relu-before-addition",
    ),
    d=Option(
        "`relu(x + a * f)`",
        "With `a = 0` the state stays, where it has no negative numbers; with `a = 1` it is a full "
        "step.",
    ),
)

LESSON.question(
    "stage",
    "After training, in which stage do gates differ most from image to image?",
    right="c",
    a=Option(
        "in the first: it sees the image itself",
        "Its gates are nearly the same for all images. Perhaps the mean over the whole map of an "
        "early channel, of an edge for example, differs little between digits.",
        "early-adapts",
    ),
    b=Option(
        "in all alike: they are the same kind of layer",
        "They are, but what they see differs. Look at the lengths of the lines.",
        "all-alike",
    ),
    c=Option(
        "in the last",
        "There a channel may stand for something that one digit has and another one lacks.",
    ),
    d=Option(
        "in none: gates stay where they start",
        "Training moves them, most in the last stage.",
        "gates-do-not-learn",
    ),
)

LESSON.question(
    "random_gates",
    "Which rank correlations do random gates have, with the raw index and with the applied one?",
    right="c",
    a=Option(
        "about 0 with both: random is random",
        "The applied index is computed with these gates, so it goes with them.",
        "applied-index",
    ),
    b=Option(
        "high with both: both are sizes of the step",
        "The raw index does not contain the gate.",
        "raw-contains-gate",
    ),
    c=Option(
        "about 0 with the raw one, high with the applied one",
        "The gate is a factor of the applied index. The raw one knows nothing of it.",
    ),
    d=Option(
        "high with the raw one, about 0 with the applied one",
        "It is the other way round: the applied index is the one with the gate in it.",
        "pair-swapped",
    ),
)

LESSON.question(
    "pairing",
    "You compute the 95 % interval of the difference twice: from the pairs, and as if the two "
    "groups had nothing in common. Which is shorter?",
    right="a",
    a=Option(
        "the paired one",
        "The luck that both networks of a seed share cancels in the difference.",
    ),
    b=Option(
        "the unpaired one: it has 20 numbers instead of 10 differences",
        "More numbers, but each carries the luck of its seed in full.",
        "more-numbers",
    ),
    c=Option(
        "both alike: the mean difference is the same",
        "The means are the same. The deviations are not.",
        "same-mean-same-interval",
    ),
    d=Option(
        "neither can be computed from 10 seeds",
        "Two are enough for an interval. Fewer seeds make it longer.",
        "too-few",
    ),
)

LESSON.question(
    "nothing_found",
    "Two arms over 10 seeds: the mean difference is 0.004, its interval from -0.006 to 0.014, and "
    "the smallest detectable difference is 0.014. What may you write?",
    right="d",
    a=Option(
        "The two are equally good.",
        "Not found is not absent: a difference of 0.01 lies in the interval.",
        "absence-of-evidence",
    ),
    b=Option(
        "The first is better, by 0.004.",
        "The interval contains 0 and negative numbers. The second may be the better one.",
        "mean-is-result",
    ),
    c=Option(
        "The first is probably better: most of the interval is above 0.",
        "That reads more out of the interval than is in it. It does contain 0.",
        "mostly-positive",
    ),
    d=Option(
        "No difference was found; one of 0.014 or more would usually have shown.",
        "That is what these seeds can say, and no more.",
    ),
)

LESSON.question(
    "which_control",
    "Suppose the pair beats SE clearly, and does not beat SE with the reduction 32/3. What is the "
    "plainest reading?",
    right="b",
    a=Option(
        "The state helps, since the pair beats SE.",
        "The pair does not beat SE with more weights, which never sees the state.",
        "state-helps",
    ),
    b=Option(
        "More weights in the gate help; the state does not show.",
        "No advantage shows once the weights match. The interval says how large a missed one could "
        "be.",
    ),
    c=Option(
        "A reduction of 32/3 is the best one.",
        "Only two were tried, and this one was chosen to match the weights.",
        "tuned-control",
    ),
    d=Option(
        "The control is unfair: it has more weights than SE.",
        "It has as many as the pair. That is what makes it the fair one.",
        "control-unfair",
    ),
)


# 1. predictor_features


@LESSON.exercise(
    "predictor_features",
    title="What the gate gets to see",
    points=2,
    minutes=7,
    difficulty=2,
    importance=4,
    signature="branch, shortcut",
    reference=predictor_features,
)
def _judge_predictor_features(trial: Trial) -> None:
    """By hand; pixel by pixel in double precision; half precision; without numbers."""
    trial.expect(
        trial.call(_maps([[5.0], [1.0]]), _maps([[1.0], [3.0]])),
        np.array([[2.0, 5.0]], "float32"),
        "For one channel with the state [1, 3] and the branch [5, 1]",
        "the features should be {want}; yours are {got}",
        [
            Suspect(
                [[2.0, 3.0]], "branch-for-predictor",
                "The second feature is the mean of the branch. The predictor is state + branch.",
            ),
            Suspect([[5.0, 2.0]], "features-swapped", "The state comes first, then the predictor."),
            Suspect(
                [[3.0, 5.0]], "branch-for-state",
                "The first feature is the mean of the branch; it should be that of the state.",
            ),
            Suspect([[4.0, 10.0]], "sum-not-mean", "Those are sums over the pixels; take means."),
            Suspect([[3.0, 6.0]], "max-not-mean", "Those are maxima over the pixels."),
            Suspect([[2.0, -1.0]], "sign", "The predictor is state + branch, not minus."),
            Suspect([[2.0, 1.0]], "sign", "The predictor is state + branch, not minus."),
            Suspect([[2.0, 2.5]], "mean-of-both", "The predictor is a sum, not a mean of two."),
            Suspect(
                [[[2.0, 5.0]]], "stacked",
                "You put the two means along a new axis; join them along the last one.",
            ),
            Suspect(
                [[2.0], [5.0]], "joined-by-sample",
                "You joined the means along the samples; join them along the channels.",
            ),
            Suspect(
                [[[[2.0, 5.0]]]], "axes-kept", "The axes of the map should be gone: no keepdims."
            ),
            Suspect([[2.0, 6.0]], "product", "The predictor is state + branch, not times."),
        ],
    )  # fmt: skip
    for shape in ((3, 4, 5, 2), (1, 2, 3, 4), (4, 3, 3, 1), (2, 1, 1, 3)):
        _drawn_features(trial, *trial.draw.normal(size=(2, *shape)).astype("float32"))
    _half_precision(trial)
    _symbolic_features(trial)


def _maps(pixels: list) -> np.ndarray:
    """One sample of one row: `(1, 1, width, channels)`."""
    return np.array([[pixels]], "float32")


def _pooled(maps: np.ndarray) -> np.ndarray:
    """Means over the pixels, one sample and channel after the other, with exact sums."""
    samples, height, width, channels = maps.shape
    rows = maps.astype("float64").reshape(samples, height * width, channels)
    return np.array([[math.fsum(c) / len(c) for c in sample.T.tolist()] for sample in rows])


def _features(branch: np.ndarray, shortcut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    state = _pooled(shortcut)
    return state, state + _pooled(branch)


def _drawn_features(trial: Trial, branch: np.ndarray, shortcut: np.ndarray) -> None:
    state, predictor = _features(branch, shortcut)
    want = np.concatenate([state, predictor], axis=1)
    pairs = np.stack([state, predictor], axis=-1)
    trial.expect(
        trial.call(branch, shortcut),
        want.astype("float32"),
        f"For maps of shape {branch.shape}",
        "the features should be {want}; yours are {got}",
        [
            Suspect(
                pairs.reshape(len(pairs), -1), "interleaved",
                "The two features of each channel stand side by side in yours. All channels of "
                "the state come first, then all of the predictor.",
            ),
            Suspect(
                np.concatenate([state, _pooled(branch)], 1), "branch-for-predictor",
                "The second half are means of the branch. The predictor is state + branch.",
            ),
            Suspect(
                np.concatenate([predictor, state], 1), "features-swapped",
                "The state comes first, then the predictor.",
            ),
        ],
        scale=2.0,
    )  # fmt: skip


def _half_precision(trial: Trial) -> None:
    size = int(trial.draw.integers(12, 17))
    maps = np.full((1, size, size, 1), 40000.0, "float16")
    why = "Half precision ends at 65504: cast to float32 before you sum."
    lost = ([40000.0, np.inf], [np.inf, np.inf])
    trial.expect(
        trial.call(maps, maps),
        np.array([[40000.0, 80000.0]], "float32"),
        f"For float16 maps of {size} x {size} pixels, all 40000,",
        "the features should be {want}; yours are {got}",
        [Suspect([values], "half-precision", why) for values in lost],
        dtype="float32",
    )


def _symbolic_features(trial: Trial) -> None:
    asked = "the features while a model is built; the maps have shape (None, 4, 5, 3)"
    maps = [keras.KerasTensor((None, 4, 5, 3)) for _ in range(2)]
    got = trial.run(lambda: trial.answer(*maps), asked)
    if not isinstance(got, keras.KerasTensor) or tuple(got.shape) != (None, 6):
        trial.fail(
            f"While a model is built, maps of shape (None, 4, 5, 3) should give features of shape "
            f"(None, 6); yours is a {type(got).__name__} of shape {getattr(got, 'shape', None)}.",
            "wrong-shape",
        )


# 2. StepNetAttention


@LESSON.exercise(
    "StepNetAttention",
    title="A step size from two states",
    points=4,
    minutes=20,
    difficulty=3,
    importance=5,
    kind="layer",
    reference=StepNetAttention,
    needs=("08.predictor_features",),
    limit=30.0,  # JAX compiles every operation once
)
def _judge_step_net_attention(trial: Trial) -> None:
    """Fixed weights against NumPy; then weights, gradients, symbols, precision, configuration."""
    _without_state(trial, _gate_by_hand(trial))
    # Two hidden units both times, 1.67 and 2.4 rounded. JAX compiles anew for each shape.
    _drawn_gate(trial, 3.6)
    _gate_in_a_model(trial)
    _gate_learns(trial, _drawn_gate(trial, 2.5))
    with _policy("mixed_float16"):
        _drawn_gate(trial, 3.6, half=True)
    _gate_from_config(trial)


@contextlib.contextmanager
def _policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _built(trial: Trial, channels: int, reduction: float | None, asked: str) -> Any:
    """A layer of the learner's, built for maps of so many channels, after a look at its weights."""
    given = {} if reduction is None else {"reduction": reduction}
    layer = trial.run(lambda: trial.answer(**given), asked)
    shape = (None, 4, 4, channels)
    trial.run(lambda: layer.build(shape, shape), f"build({shape}, {shape}) of {asked}")
    ratio = 16 if reduction is None else reduction
    hidden = max(1, math.floor(channels / ratio + 0.5))
    _expect_weights(trial, layer, channels, hidden, f"build({shape}, {shape}) of {asked}")
    return layer, hidden


def _expect_weights(trial: Trial, layer: Any, channels: int, hidden: int, asked: str) -> None:
    want = sorted([(2 * channels, hidden), (hidden,), (hidden, channels), (channels,)])
    shapes = sorted(tuple(weight.shape) for weight in layer.trainable_weights)
    if shapes == want:
        return
    wanted = f"After {asked} there should be 4 trainable weights, of shapes {want}"
    if not shapes:
        trial.fail(
            f"{wanted}; yours has none. `build` should build the sub-layers, too.", "not-built"
        )
    if len(shapes) == 2:
        trial.fail(
            f"{wanted}; yours has {len(shapes)}, of shapes {shapes}. Are both layers built, with a "
            f"bias each?",
            "wrong-weights",
        )
    if (channels, hidden) in shapes and (2 * channels, hidden) not in shapes:
        trial.fail(
            f"{wanted}; yours has {shapes}. The first layer gets two numbers for each channel.",
            "one-state-only",
        )
    if hidden == 1 and all(min(shape) == 0 for shape in shapes if len(shape) == 2):
        trial.fail(
            f"{wanted}; yours has {shapes}. Few channels leave no hidden unit: at least 1.",
            "no-hidden-unit",
        )
    trial.fail(
        f"{wanted}; yours has {len(shapes)}, of shapes {shapes}. Two Dense layers, each with a "
        f"bias; the hidden width is channels / reduction, rounded, at least 1.",
        "wrong-weights",
    )


def _set_weights(layer: Any, values: tuple) -> None:
    """Assign by shape, and by order where two shapes agree: the first layer comes first."""
    left = list(values)
    for weight in layer.trainable_weights:
        value = next(v for v in left if v.shape == tuple(weight.shape))
        left = [v for v in left if v is not value]
        weight.assign(value)


def _draw_values(trial: Trial, channels: int, hidden: int) -> tuple:
    shapes = ((2 * channels, hidden), (hidden,), (hidden, channels), (channels,))
    draw = trial.draw
    first, bias, second, offset = (draw.normal(size=s).astype("float32") for s in shapes)
    return first, np.abs(bias) + 0.5, second, offset


def _gate_of(values: tuple, seen: np.ndarray) -> np.ndarray:
    first, bias, second, offset = (v.astype("float64") for v in values)
    hidden = np.einsum("nk,kh->nh", seen, first) + bias
    z = np.einsum("nh,hc->nc", np.where(hidden > 0, hidden, 0), second) + offset
    return (1 + np.tanh(z / 2)) / 2


def _gate_by_hand(trial: Trial) -> Any:
    asked = "StepNetAttention(), one channel,"
    layer, _ = _built(trial, 1, None, asked)
    kernels = iter(([[1.0], [-0.2]], [[1.0]]))
    for weight in layer.trainable_weights:
        weight.assign(np.array(next(kernels)) if len(weight.shape) == 2 else np.zeros(1))
    branch, state = _maps([[3.0]]), _maps([[2.0]])
    case = "With W1 = [1, -0.2], W2 = 1, no offsets, the state 2 and the branch 3"
    got = trial.run(lambda: layer(branch, state), f"layer([[[[3.]]]], [[[[2.]]]]) of {asked}")
    a = 1 / (1 + math.exp(-1.0))
    trial.expect(
        got,
        np.full((1, 1, 1, 1), 3 * a, "float32"),
        f"{case}, where the gate is sigmoid(2 - 0.2 * 5) = {a:.4f},",
        "the layer should give {want}; yours gives {got}",
        [
            Suspect(np.full((1, 1, 1, 1), 3 / (1 + math.exp(-2.0))), "order-of-arguments",
                    "predictor_features takes the branch first, then the state."),
            Suspect(np.full((1, 1, 1, 1), a), "gate-not-applied",
                    "That is the gate. The layer returns the gate times the branch."),
            Suspect([[a]], "gate-not-applied",
                    "That is the gate. The layer returns the gate times the branch."),
            Suspect(np.full((1, 1, 1, 1), 2 + 3 * a), "adds-the-state",
                    "You added the state. The addition is the block's, not the layer's."),
            Suspect(np.full((1, 1, 1, 1), 2 * a), "gates-the-state",
                    "You gated the state; the gate belongs on the branch."),
            Suspect(np.full((1, 1, 1, 1), 5 * a), "gates-the-sum",
                    "You gated the predictor; the gate belongs on the branch."),
            Suspect(np.full((1, 1, 1, 1), 3.0), "no-sigmoid",
                    "The gate should be a sigmoid, between 0 and 1. Without it, it is 1 here."),
        ],
    )  # fmt: skip
    return layer


def _drawn_gate(trial: Trial, reduction: float, half: bool = False) -> Any:
    shape, channels = (3, 4, 5, 6), 6
    words = f"StepNetAttention(reduction={reduction})"
    words += " under the policy mixed_float16" if half else ""
    layer, hidden = _built(trial, channels, reduction, words)
    branch, state = trial.draw.normal(size=(2, *shape)).astype("float32")
    mean, predictor = _features(branch, state)
    values = _draw_values(trial, channels, hidden)
    # A hidden unit that the relu cuts for the first sample.
    values[1][0] = -1.0 - np.concatenate([mean, predictor], 1)[0] @ values[0][:, 0]
    _set_weights(layer, values)
    want = _gate_of(values, np.concatenate([mean, predictor], 1))[:, None, None]
    swapped = _features(state, branch)
    linear = _linear_gate(values, np.concatenate([mean, predictor], 1))[:, None, None]
    tolerance = 0.02 if half else None
    gates = {
        "order-of-arguments": (
            _gate_of(values, np.concatenate(swapped, 1))[:, None, None],
            "predictor_features takes the branch first, then the state.",
        ),
        "no-relu": (linear, "There is a relu after the first layer."),
        "one-state-only": (
            _gate_of(values, np.concatenate([mean, mean], 1))[:, None, None],
            "The second half should be the means of the predictor.",
        ),
    }
    asked = f"layer(branch, state) of {words} for maps of shape {shape}"
    got = trial.run(lambda: layer(branch, state), asked)
    suspects = [Suspect(g * branch, name, why) for name, (g, why) in gates.items()]
    suspects += [
        Suspect(want * state, "gates-the-state", "You gated the state; gate the branch."),
        Suspect(state + want * branch, "adds-the-state", "The addition is the block's."),
    ]
    trial.expect(
        got, (want * branch).astype("float32"), f"For {asked}",
        "the result should be {want}; yours is {got}", suspects, tolerance=tolerance, scale=1.0,
    )  # fmt: skip
    asked = f"layer.gate(branch, state) of {words} for maps of shape {shape}"
    gate = trial.run(lambda: layer.gate(_tensor(branch), _tensor(state)), asked)
    _expect_gate(trial, gate, want, shape, f"For {asked}", tolerance)
    return layer


def _linear_gate(values: tuple, seen: np.ndarray) -> np.ndarray:
    first, bias, second, offset = (v.astype("float64") for v in values)
    return 1 / (1 + np.exp(-((seen @ first + bias) @ second + offset)))


def _expect_gate(trial: Trial, gate: Any, want, shape: tuple, case: str, tolerance) -> None:
    found = tuple(getattr(gate, "shape", ()))
    if found == (shape[0], shape[-1]):
        trial.fail(
            f"{case} the gate should broadcast against the branch: its shape should be "
            f"{want.shape}; yours is {found}.",
            "gate-without-axes",
        )
    if found == shape and found != want.shape:
        trial.fail(
            f"{case} the shape should be {want.shape}, one number per sample and channel; yours is "
            f"{found}. Is that the gate, or the gate times the branch?",
            "gate-times-branch",
        )
    trial.expect(
        gate, want.astype("float32"), case, "the gate should be {want}; yours is {got}",
        tolerance=tolerance, scale=1.0,
    )  # fmt: skip


def _without_state(trial: Trial, layer: Any) -> None:
    branch = _tensor(np.ones((2, 3, 3, 1)))
    for ask, words in ((layer.gate, "layer.gate(branch)"), (layer, "layer(branch)")):
        try:
            trial.run(lambda ask=ask: ask(branch), f"{words}, without a state,")
        except LearnerError as error:
            original = error.original
            if isinstance(original, NotImplementedError):
                raise
            if isinstance(original, ValueError) and "shortcut" in str(original):
                continue
            trial.fail(
                f"{words}, without a state, should raise a ValueError that names the missing "
                f"`shortcut`; yours raised {type(original).__name__}: {original!s:.60}",
                "unclear-error",
            )
        trial.fail(
            f"{words}, without a state, should raise a ValueError; yours gave a result. A gate "
            f"that gets half of what it needs must not go on silently.",
            "state-not-needed",
        )


def _gate_in_a_model(trial: Trial) -> None:
    asked = "a StepNetAttention while a model is built; the maps have shape (None, 4, 5, 6)"
    layer = trial.run(lambda: trial.answer(reduction=3.6), asked)
    maps = [keras.KerasTensor((None, 4, 5, 6)) for _ in range(2)]
    got = trial.run(lambda: layer(*maps), asked)
    if not isinstance(got, keras.KerasTensor) or tuple(got.shape) != (None, 4, 5, 6):
        trial.fail(
            f"While a model is built, maps of shape (None, 4, 5, 6) should give a result of that "
            f"shape; yours is a {type(got).__name__} of shape {getattr(got, 'shape', None)}.",
            "wrong-shape",
        )


def _gate_learns(trial: Trial, layer: Any) -> None:
    """The gradient of the sum of the output, for each weight, where no hidden unit is cut."""
    values = _draw_values(trial, 6, 2)
    _set_weights(layer, (np.abs(values[0]), *values[1:]))
    branch, state = (_tensor(v) for v in trial.draw.uniform(0.5, 1.5, (2, 3, 4, 5, 6)))

    def output(*weights):
        return layer.stateless_call(list(weights), [], branch, state)[0]

    asked = "the gradient of the layer's output, for its weights"
    given = [_tensor(keras.ops.convert_to_numpy(w)) for w in layer.trainable_variables]

    def gradients():
        out, pullback = spectra.vjp(output, *given)
        return [keras.ops.convert_to_numpy(g) for g in pullback(keras.ops.ones_like(out))]

    found = trial.run(gradients, asked)
    if any(not np.any(g) for g in found):
        trial.fail(
            "The gradient of the output should reach all four weights; in yours it is 0 for "
            f"{sum(not np.any(g) for g in found)} of them, so training would not change these.",
            "gradient-stopped",
        )


def _gate_from_config(trial: Trial) -> None:
    r = round(float(trial.draw.uniform(2.5, 3.9)), 2)  # two hidden units
    asked = f'get_config() of StepNetAttention(reduction={r}, name="gate_7")'
    layer = trial.run(lambda: trial.answer(reduction=r, name="gate_7"), asked)
    config = trial.run(layer.get_config, asked)
    if not isinstance(config, dict):
        what = "None. Is there a `return`?" if config is None else f"{config!r:.60}."
        trial.fail(f"{asked} should return a dictionary; yours returned {what}", "no-return")
    for key, why in (
        ("reduction", "an argument of yours"),
        ("name", "what the base class knows: see super().get_config()"),
    ):
        if key not in config:
            trial.fail(f"{asked} has no entry {key!r}. It is {why}.", "config-incomplete")
    copied = trial.run(lambda: type(layer).from_config(config), "from_config(get_config())")
    if config["reduction"] != r or copied.name != "gate_7":
        trial.fail(
            f"from_config(get_config()) should give a layer gate_7 with reduction {r}; yours is "
            f"{copied.name} with {config['reduction']}.",
            "config-incomplete",
        )
    trial.run(lambda: copied.build((None, 4, 4, 6), (None, 4, 4, 6)), "build of the copy")
    _expect_weights(trial, copied, 6, 2, f"build of the copy from {asked}")


# 3. stepnet_block


@LESSON.exercise(
    "stepnet_block",
    title="The block around the gate",
    points=2,
    minutes=8,
    difficulty=2,
    importance=4,
    signature="x, residual, attention, projection",
    reference=stepnet_block,
)
def _judge_stepnet_block(trial: Trial) -> None:
    """By hand; then callables that count, and a functional model that is looked into."""
    _block_by_hand(trial)
    for with_gate, with_projection in ((True, False), (False, False), (True, True), (False, True)):
        _drawn_block(trial, with_gate, with_projection)
    _block_in_a_model(trial)


def _tensor(values: Any) -> Any:
    return keras.ops.convert_to_tensor(np.asarray(values, "float32"))


def _block_by_hand(trial: Trial) -> None:
    def residual(x):
        return -3.0 * x

    def attention(branch, shortcut=None):
        return 0.5 * branch

    trial.expect(
        trial.run(
            lambda: trial.answer(_tensor([[1.0, -1.0]]), residual, attention),
            "stepnet_block(x, residual, attention) for x = [[1, -1]]",
        ),
        np.array([[0.0, 0.5]], "float32"),
        "From x = [[1, -1]] with residual(x) = -3 x and a gate of 0.5",
        "the block should give {want}; yours gives {got}",
        [
            Suspect([[-0.5, 0.5]], "no-relu", "There is a relu after the addition."),
            Suspect([[1.0, 0.5]], "relu-before-addition",
                    "The relu comes after the addition, not before."),
            Suspect([[1.0, -1.0]], "relu-before-addition",
                    "The relu comes after the addition, not before."),
            Suspect([[0.0, 1.0]], "gates-the-sum",
                    "You gated the sum. The gate belongs on the branch, before the addition."),
            Suspect([[0.0, 2.0]], "gate-unused", "That is the block without its gate."),
            Suspect([[0.0, 1.5]], "change-not-state",
                    "That is the gated branch; the state is added to it."),
            Suspect([[1.5, 0.0]], "order-of-arguments",
                    "attention takes the branch first, then the state."),
            Suspect([[0.25, 0.0]], "gated-twice", "You multiplied with the gate twice."),
        ],
    )  # fmt: skip


class _Calls:
    """A callable that keeps what it was called with."""

    def __init__(self, function):
        self.function, self.seen = function, []

    def __call__(self, *args, **kwargs):
        self.seen.append(args)
        return self.function(*args, **kwargs)


def _drawn_block(trial: Trial, with_gate: bool, with_projection: bool) -> None:
    draw = trial.draw
    kernel, turn = draw.normal(size=(2, 3, 2)).astype("float32")
    if not with_projection:
        kernel = draw.normal(size=(3, 3)).astype("float32")
    x = draw.normal(size=(4, 3)).astype("float32")
    branch = np.tanh(np.einsum("ni,io->no", x.astype("float64"), kernel))
    state = np.einsum("ni,io->no", x.astype("float64"), turn) if with_projection else x
    gate = 1 / (1 + np.exp(-(branch - 2.0 * state))) if with_gate else 1.0
    residual = _Calls(lambda x: keras.ops.tanh(keras.ops.matmul(x, kernel)))
    projection = _Calls(lambda x: keras.ops.matmul(x, turn)) if with_projection else None

    def choose(branch, shortcut=None):
        if tuple(shortcut.shape) != tuple(branch.shape):
            raise ValueError(
                f"attention got a branch of shape {tuple(branch.shape)} and a state of shape "
                f"{tuple(shortcut.shape)}; with a projection it sees the projected state"
            )
        return branch * keras.ops.sigmoid(branch - 2.0 * shortcut)

    attention = _Calls(choose) if with_gate else None
    words = ["a gate" if with_gate else "attention=None"]
    words += ["a projection"] if with_projection else []
    asked = f"stepnet_block with {' and '.join(words)}"
    arguments = (attention, projection) if with_projection else (attention,)
    got = trial.run(lambda: trial.answer(_tensor(x), residual, *arguments), asked)
    if len(residual.seen) > 1:
        trial.fail(
            f"In {asked} the residual was called {len(residual.seen)} times. Call it once and keep "
            f"the branch: it is nearly all of the cost.",
            "residual-twice",
        )
    twisted = 1 / (1 + np.exp(-(state - 2.0 * branch)))
    suspects = [
        Suspect(state + gate * branch, "no-relu", "There is a relu after the addition."),
        Suspect(np.maximum(state + branch, 0), "gate-unused", "The gate is missing."),
        Suspect(np.maximum(state + twisted * branch, 0), "order-of-arguments",
                "attention takes the branch first, then the state."),
        Suspect(np.maximum(state + twisted * state, 0), "order-of-arguments",
                "attention takes the branch first, then the state."),
    ]  # fmt: skip
    if with_projection:
        suspects += [
            Suspect(np.maximum(x[:, :2] + gate * branch, 0), "projection-unused",
                    "The state that is added should be projection(x)."),
        ]  # fmt: skip
    want = np.maximum(state + gate * branch, 0)
    trial.expect(got, want.astype("float32"), f"For {asked}",
                 "the block should give {want}; yours gives {got}", suspects,
                 scale=4.0)  # fmt: skip


class _HalfStep(keras.Layer):
    """A gate for the functional model."""

    def gate(self, branch, shortcut=None):
        """One number per sample."""
        return keras.ops.sigmoid(keras.ops.mean(branch - shortcut, axis=-1, keepdims=True))

    def call(self, branch, shortcut=None):
        return branch * self.gate(branch, shortcut)


def _block_in_a_model(trial: Trial) -> None:
    x, residual, attention = keras.Input((3,)), keras.layers.Dense(3), _HalfStep()
    asked = "stepnet_block with layers, while a functional model is built"
    y = trial.run(lambda: trial.answer(x, residual, attention), asked)
    if not isinstance(y, keras.KerasTensor):
        trial.fail(f"{asked} should return a tensor; yours is a {type(y).__name__}.", "wrong-type")
    try:
        model = keras.Model(x, y)
        blocks = residual_blocks(model)
    except Exception:  # what came back hangs on something else than x
        trial.fail(f"{asked} should return a tensor that is computed from x alone.", "wrong-type")
    if len(blocks) != 1 or blocks[0].attention is not attention:
        trial.fail(
            f"{asked}: layers.residual_blocks should find one block with its gate in the model; it "
            f"finds {blocks}. Call the layer, attention(branch, state), and add its result.",
            "block-not-found",
        )
    images = trial.draw.normal(size=(4, 3)).astype("float32")
    kernel, bias = (w.astype("float64") for w in residual.get_weights())
    branch = images.astype("float64") @ kernel + bias
    gate = 1 / (1 + np.exp(-np.mean(branch - images, axis=-1, keepdims=True)))
    trial.expect(trial.run(lambda: model(images), asked),
                 np.maximum(images + gate * branch, 0).astype("float32"),
                 "In a functional model", "the block should give {want}; yours gives {got}",
                 scale=4.0)  # fmt: skip


# 4. attention_nsi


@LESSON.exercise(
    "attention_nsi",
    title="With the gate and without it",
    points=2,
    minutes=8,
    difficulty=2,
    importance=5,
    signature="branch, shortcut, gate",
    reference=attention_nsi,
)
def _judge_attention_nsi(trial: Trial) -> None:
    """By hand; then sums of squares, number by number."""
    raw, applied = _two(
        trial, np.array([[6.0, 8.0]]), np.array([[0.0, 5.0]]), np.array([[0.5, 0.0]]),
        "For the branch [[6, 8]], the state [[0, 5]] and the gate [[0.5, 0]]",
    )  # fmt: skip
    case = "For the branch [[6, 8]], the state [[0, 5]] and the gate [[0.5, 0]]"
    trial.expect(raw, [2.0], case, "the raw index should be {want}; yours is {got}", [
        Suspect([0.6], "pair-swapped", "That is the applied index; the raw one comes first."),
        Suspect([0.5], "upside-down", "That is the size of the state over that of the branch."),
        Suspect([4.0], "squared", "Those are squares: the norm is the root of their sum."),
        Suspect([10.0], "size-ignored", "Divide by the norm of the state."),
        Suspect([14 / 5], "other-norm", "Those are sums of absolute values."),
        Suspect(2.0, "sample-axis-lost", "One number per sample: the shape is (1,) here."),
        Suspect([np.sqrt(205) / 5], "predictor-for-branch", "That is ||x + f|| / ||x||."),
    ])  # fmt: skip
    trial.expect(applied, [0.6], case, "the applied index should be {want}; yours is {got}", [
        Suspect([2.0], "gate-unused", "That is the raw index: the gate is missing."),
        Suspect([0.5], "mean-gate", "You took the mean of the gate out of the norm. Each channel "
                                    "has its own gate."),
        Suspect([1.0], "other-gate", "You took the largest gate for all channels."),
        Suspect([2 * np.sqrt(0.5)], "gate-outside", "The gate belongs inside the norm."),
        Suspect([0.36], "squared", "Those are squares: the norm is the root of their sum."),
    ])  # fmt: skip
    for shape in ((5, 2), (4, 3, 4, 2), (3, 3, 3, 3), (2, 6, 3), (4, 4, 4), (1, 2, 3, 4)):
        _drawn_indices(trial, shape)


def _two(trial: Trial, branch, shortcut, gate, case: str) -> tuple[Any, Any]:
    got = trial.call(branch, shortcut, gate)
    if got is None:
        trial.fail(f"{case} yours returned None. Is there a `return`?", "no-return")
    if isinstance(got, np.ndarray) and got.shape == (2, len(branch)):
        return got[0], got[1]
    if not isinstance(got, tuple | list) or len(got) != 2:
        trial.fail(f"{case} return two things: the raw index and the applied one.", "not-a-pair")
    return got[0], got[1]


def _size_of(numbers: np.ndarray) -> float:
    return math.hypot(*numbers.ravel().tolist())


def _drawn_indices(trial: Trial, shape: tuple[int, ...]) -> None:
    draw = trial.draw
    branch, shortcut = draw.normal(size=(2, *shape)).astype("float32")
    gate = draw.uniform(0.05, 1.0, size=(shape[0], shape[-1])).astype("float32")
    case = f"For branch and state of shape {shape} and a gate of shape {gate.shape}"
    got = _two(trial, branch, shortcut, gate, case)
    raw, applied, of_place = [], [], []
    for n in range(shape[0]):
        f = branch[n].astype("float64").reshape(-1, shape[-1])
        size = _size_of(shortcut[n].astype("float64"))
        raw.append(_size_of(f) / size)
        applied.append(_size_of(np.array([f[:, c] * gate[n, c] for c in range(shape[-1])])) / size)
    whole = [_size_of(v.astype("float64")) for v in (branch, shortcut)]
    want = [np.array(v, "float32") for v in (raw, applied)]
    trial.expect(got[0], want[0], case, "the raw index should be {want}; yours is {got}", [
        Suspect(want[1], "pair-swapped", "That is the applied index; the raw one comes first."),
        Suspect(whole[0] / whole[1], "sample-axis-lost", "That is one number for all samples."),
        Suspect(want[0] ** 2, "squared", "Those are squares."),
        Suspect(np.linalg.norm(branch, axis=-1) / np.linalg.norm(shortcut, axis=-1),
                "last-axis-only", "Norms go over all axes but the first, not over the last alone."),
    ], scale=float(max(raw)))  # fmt: skip
    with np.errstate(all="ignore"), contextlib.suppress(ValueError):
        wrong = (branch * gate).reshape(shape[0], -1)  # without axes of size 1
        of_place = np.linalg.norm(wrong, axis=1) / [_size_of(s) for s in shortcut]
    mean = np.array(raw) * gate.mean(axis=1)
    suspects = [
        Suspect(want[0], "gate-unused", "That is the raw index: the gate is missing."),
        Suspect(mean, "mean-gate", "You took the mean of the gate out of the norm. Each channel "
                                   "has its own gate."),
        Suspect(want[1] ** 2, "squared", "Those are squares."),
    ]  # fmt: skip
    if len(of_place):
        suspects.append(Suspect(
            of_place, "gate-along-a-row",
            "Shapes that fit by chance: NumPy paired the samples of the gate with another axis of "
            "the branch. Give the gate axes of size 1 between its two.",
        ))  # fmt: skip
    trial.expect(got[1], want[1], case, "the applied index should be {want}; yours is {got}",
                 suspects, scale=float(max(applied)))  # fmt: skip


# 5. paired_comparison


@LESSON.exercise(
    "paired_comparison",
    title="Is it better, and could you know?",
    points=3,
    minutes=12,
    difficulty=3,
    importance=5,
    signature="a, b",
    reference=paired_comparison,
)
def _judge_paired_comparison(trial: Trial) -> None:
    """Two seeds in closed form, since Student's t is then Cauchy's; then SciPy's own test."""
    three = np.array([0.5, 0.25, 0.75]), np.array([0.25, 0.25, 0.25])
    _expect_comparison(trial, *three, "For a = [0.5, 0.25, 0.75] and b = [0.25, 0.25, 0.25]")
    _expect_comparison(trial, *three[::-1], "For a = [0.25, 0.25, 0.25] and b = [0.5, 0.25, 0.75]")
    _two_seeds(trial)
    for n in (4, 5, 10, 20):
        common = trial.draw.uniform(0.6, 0.8, n)
        a = common + trial.draw.normal(0.01, 0.02, n)
        b = common + trial.draw.normal(0.0, 0.02, n)
        _expect_comparison(trial, a, b, f"For {n} seeds")
    _expect_comparison(trial, *(list(v) for v in three), "For lists of 3 accuracies")
    case = "For 3 seeds with the same difference, 0.25,"
    got = _dictionary(trial, np.array([0.75, 0.5, 1.0]), np.array([0.5, 0.25, 0.75]), case)
    for key, want in (("mean", 0.25), ("low", 0.25), ("high", 0.25), ("detectable", 0.0)):
        trial.expect(got[key], want, case, f"{key} should be {{want}}; yours is {{got}}", scale=1.0)


KEYS = ("mean", "low", "high", "detectable")


def _dictionary(trial: Trial, a, b, case: str) -> dict:
    got = trial.call(a, b)
    if got is None:
        trial.fail(f"{case} yours returned None. Is there a `return`?", "no-return")
    if not isinstance(got, dict):
        trial.fail(
            f"{case} the result should be a dictionary; yours is a {type(got).__name__}.",
            "not-a-dictionary",
        )
    if missing := [key for key in KEYS if key not in got]:
        trial.fail(
            f"{case} the dictionary should have the entries {', '.join(KEYS)}; yours lacks "
            f"{', '.join(missing)}.",
            "entry-missing",
        )
    return got


def _two_seeds(trial: Trial) -> None:
    """For one degree of freedom the quantile of p is tan(pi (p - 1/2))."""
    a, b = np.array([0.75, 0.5]), np.array([0.5, 0.5])
    case = "For a = [0.75, 0.5] and b = [0.5, 0.5], 2 seeds,"
    edge, power = (math.tan(math.pi * (p - 0.5)) for p in (0.975, 0.8))
    error = 0.125  # half the distance of two differences: the deviation over the root of 2
    got = _dictionary(trial, a, b, case)
    trial.expect(got["mean"], 0.125, case, "mean should be {want}; yours is {got}", [
        Suspect(-0.125, "sign", "The difference is a - b."),
        Suspect(0.25, "sum-not-mean", "Take the mean over the seeds."),
    ])  # fmt: skip
    _expect_interval(trial, got, 0.125, error, 2, edge, power, case, [])


def _expect_comparison(trial: Trial, a, b, case: str) -> None:
    got = _dictionary(trial, a, b, case)
    found = stats.ttest_rel(a, b)
    interval = found.confidence_interval(0.95)
    differences = [p - q for p, q in zip(a, b, strict=True)]
    n, mean = len(differences), statistics.fmean(differences)
    trial.expect(got["mean"], mean, case, "mean should be {want}; yours is {got}",
                 [Suspect(-mean, "sign", "The difference is a - b.")], scale=1.0)  # fmt: skip
    error = statistics.stdev(differences) / math.sqrt(n)
    unpaired = math.sqrt((statistics.variance(a) + statistics.variance(b)) / n)
    edge = float(interval.high - mean) / error if error else 0.0
    power = float(special.stdtrit(n - 1, 0.8))
    _expect_interval(trial, got, mean, error, n, edge, power, case, [unpaired])


def _expect_interval(trial, got, mean, error, n, edge, power, case, unpaired) -> None:
    normal, one_sided = 1.959964, float(special.stdtrit(n - 1, 0.95))
    doubled = float(special.stdtrit(2 * n - 2, 0.975))
    more, less = (float(special.stdtrit(k, 0.975)) for k in (n, n - 2 or 1))
    widths = [
        (edge * error * math.sqrt((n - 1) / n), "ddof",
         "Your deviation divides by n. From a sample it takes n - 1: ddof=1."),
        (edge * error * math.sqrt(n), "deviation-not-error",
         "You took the deviation of one difference. That of their mean is smaller, by the root "
         "of n."),
        (edge * error / math.sqrt(n), "deviation-not-error",
         "You divided by n; the deviation of a mean falls with the root of n."),
        (normal * error, "normal-not-t",
         "You took the normal distribution's 1.96. So few seeds need Student's t."),
        (1.96 * error, "normal-not-t",
         "You took the normal distribution's 1.96. So few seeds need Student's t."),
        (2 * error, "normal-not-t", "You took 2 for the quantile. So few seeds need Student's t."),
        (one_sided * error, "one-sided",
         "5 % on one side. An interval leaves out 2.5 % on each side."),
        (more * error, "degrees-of-freedom", "There are n - 1 degrees of freedom."),
        (less * error, "degrees-of-freedom", "There are n - 1 degrees of freedom."),
        (error, "no-quantile", "That is one standard error to each side."),
    ]  # fmt: skip
    for other in unpaired:
        for quantile in (edge, doubled):
            widths.append((quantile * other, "unpaired",
                           "You compared the two groups as if their seeds had nothing in common. "
                           "Take the deviation of the differences."))  # fmt: skip
    for key, sign in (("low", -1), ("high", 1)):
        suspects = [Suspect(mean + sign * width, name, why) for width, name, why in widths]
        suspects.append(Suspect(mean - sign * edge * error, "ends-swapped",
                                "low and high have changed places."))  # fmt: skip
        suspects.append(Suspect(sign * edge * error, "around-zero",
                                "Put the interval around the mean."))  # fmt: skip
        trial.expect(got[key], mean + sign * edge * error, case,
                     f"{key} should be {{want}}; yours is {{got}}", suspects,
                     tolerance=1e-6, scale=1.0 if n > 2 else 2.0)  # fmt: skip
    trial.expect(
        got["detectable"], (edge + power) * error, case,
        "detectable should be {want}; yours is {got}",
        [
            Suspect(edge * error, "power-ignored",
                    "That is half of the interval: a difference of that size is missed half of "
                    "the time."),
            Suspect((edge + power) * error + mean, "around-zero",
                    "The mean that came out does not enter into what could have been seen."),
            Suspect((edge + power) * error * math.sqrt(n), "deviation-not-error",
                    "Take the standard error, the deviation over the root of n."),
            Suspect((normal + 0.841621) * error, "normal-not-t", "So few seeds need Student's t."),
            Suspect((edge + 0.841621) * error, "normal-not-t",
                    "The second quantile is one of Student's t, too."),
            Suspect((edge - power) * error, "sign",
                    "The two quantiles add up, and the second is that of 0.8."),
            Suspect((edge + float(special.stdtrit(n - 1, 0.9))) * error, "power-two-sided",
                    "The power is one-sided: take the quantile at 0.8."),
        ],
        tolerance=1e-6, scale=0.1,
    )  # fmt: skip
