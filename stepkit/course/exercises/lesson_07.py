"""Lesson 07, channel attention: the pieces that `use` hands out, the oracles, and the questions."""

from __future__ import annotations

import json
import math

import keras
import numpy as np

from stepkit import attention, layers
from stepkit.course.exercise import Lesson, Option
from stepkit.course.outcome import LearnerError
from stepkit.course.trial import Suspect, Trial
from stepkit.course.wording import one_line

LESSON = Lesson("07")


# What `use` hands out, beside stepkit's own modules.


def input_dependence(gates):
    """Share of the variance of gates `(samples, channels)` that lies between samples."""
    gates = np.asarray(gates, dtype="float64")
    if np.all(gates == gates.flat[0]):
        return 0.0
    return float(gates.var(axis=0).mean() / gates.var())


def parameter_count(kind, channels, reduction=16):
    """Trainable weights of one module: "se", "eca" or "srm"."""
    if kind == "se":
        hidden = max(1, channels // reduction)
        return 2 * channels * hidden + hidden + channels
    if kind == "eca":
        return _kernel_size(channels)
    if kind == "srm":
        return 4 * channels
    raise ValueError(f'`kind` must be "se", "eca" or "srm". Received: kind={kind!r}')


def _kernel_size(channels: int) -> int:
    size = int((math.log2(channels) + 1) / 2)
    return size + 1 - size % 2


def gate_values(model, x):
    """Gates of all blocks with identity shortcut: their names to arrays `(samples, channels)`."""
    steps = {block.name for block in layers.residual_blocks(model) if not block.projection}
    found = attention.gate_values(model, x)
    return {name: gates for name, gates in found.items() if name in steps}


# Questions.

LESSON.question(
    "share",
    "A gate is about 0.2 in channel 1 and about 0.8 in channel 2. In both it swings by 0.1 up or "
    "down from sample to sample. What share of the variance lies between samples?",
    right="a",
    a=Option(
        "a tenth",
        "The variance between samples is 0.1² = 0.01, that between the channels 0.3² = 0.09.",
    ),
    b=Option(
        "a quarter",
        "That is 0.1 / (0.1 + 0.3): deviations do not add up, variances do. 0.01 of 0.10.",
        "deviations-add-up",
    ),
    c=Option(
        "a third",
        "That is 0.1 / 0.3, one deviation over the other. The share is 0.01 of 0.01 + 0.09.",
        "ratio-not-share",
    ),
    d=Option(
        "all of it: every gate changes with the sample",
        "It does, but the two channels differ far more. That part would be there for one sample.",
        "any-change-is-all",
    ),
)

LESSON.question(
    "shuffle",
    "You shuffle the pixels of each channel's map at random. What happens to the gates of "
    "squeeze-and-excitation?",
    right="c",
    a=Option(
        "they are shuffled too",
        "A gate is one number per channel. There is nothing in it to shuffle.",
        "gate-per-pixel",
    ),
    b=Option(
        "they change: the image is destroyed",
        "For you it is. The gate sees one number of each map, its mean, and that stays.",
        "gate-sees-the-image",
    ),
    c=Option("nothing", "The gate sees the mean of each map, which no shuffling changes."),
    d=Option(
        "they all become 0.5",
        "That would need means of 0, and biases of 0 as well.",
        "no-information-is-half",
    ),
)

LESSON.question(
    "contrast",
    "Take a map that is 1 everywhere, and raise its contrast: half of its pixels go up by c, the "
    "others down by c. All weights of SRM for the deviation are 1. Which of the three answers?",
    right="d",
    a=Option(
        "all three",
        "The mean stays at 1, and SE and ECA see nothing else of a map.",
        "all-see-contrast",
    ),
    b=Option(
        "SE: it has the most weights",
        "Its weights mix the means of all channels. The means stay as they are.",
        "weights-see-more",
    ),
    c=Option(
        "ECA: it looks at neighbours",
        "Its neighbours are channels, not pixels.",
        "neighbours-are-pixels",
    ),
    d=Option("SRM alone", "It also sees the standard deviation of the map, which is c."),
)

LESSON.question(
    "price",
    "A block has 256 channels. How many weights do SE (reduction 16), ECA and SRM add to it?",
    right="b",
    a=Option(
        "about 65,000, 256 and 512",
        "That is 256² for SE, without the narrow layer in between, and one weight per channel "
        "for ECA, which shares its weights.",
        "no-bottleneck",
    ),
    b=Option("about 8,000, 5 and 1,000", "2 · 256² / 16 and some biases; one filter; 4 · 256."),
    c=Option(
        "about 8,000, 1,280 and 1,000",
        "ECA has one filter of five weights for all channels, not one for each.",
        "filter-per-channel",
    ),
    d=Option(
        "about 4,000, 5 and 500",
        "SE has two such matrices, there and back; SRM has two weights and a scale and an offset "
        "for each channel.",
        "half-of-it",
    ),
)

LESSON.question(
    "starts",
    "Two networks with SE are trained alike. In one all biases of the gates start at 0, in the "
    "other at random between -0.5 and 0.5. In which is the share of the variance between samples "
    "larger after training?",
    right="b",
    a=Option(
        "both alike: training decides",
        "In this short training the biases stay about where they began, and so do the differences "
        "between channels that they make.",
        "start-is-forgotten",
    ),
    b=Option(
        "where they start at 0",
        "There the channels of a gate start alike, but for what the inputs do.",
    ),
    c=Option(
        "where they start at random",
        "Random biases make channels differ, for all samples alike. That lowers the share.",
        "random-is-varied",
    ),
)

LESSON.question(
    "placement",
    "A branch ends with a convolution and a batch normalisation. Where must the gate sit, so that "
    "the block is a step of size a?",
    right="d",
    a=Option(
        "after the addition",
        "Then it scales the state too: a (x + f) is no step from x.",
        "scales-the-state",
    ),
    b=Option(
        "between the convolution and the normalisation",
        "The normalisation would divide out a factor that is the same for all samples.",
        "before-the-normalisation",
    ),
    c=Option(
        "on the shortcut",
        "Then the state is scaled, and the slope is taken with step size 1.",
        "gates-the-shortcut",
    ),
    d=Option(
        "after the normalisation, before the addition",
        "There it multiplies the whole change and nothing else.",
    ),
)

LESSON.question(
    "share_alone",
    "The gates of a block lie between 0.48 and 0.52. Their share of variance between samples is "
    "0.95. What do you conclude?",
    right="c",
    a=Option(
        "the block adapts its step strongly to the input",
        "The share says where the variance lies, not how large it is. All steps are about 0.5.",
        "share-is-size",
    ),
    b=Option(
        "the channels differ strongly",
        "A twentieth of a tiny variance lies between them.",
        "share-of-channels",
    ),
    c=Option(
        "the step is about 0.5 for every input",
        "It depends on the input, and hardly changes. Read the swing beside the share.",
    ),
    d=Option(
        "the number must be wrong",
        "It may be right: a share of a very small variance can be large.",
        "small-cannot-be-large",
    ),
)

LESSON.question(
    "constant",
    "Suppose that a gate is the same for all inputs: a constant for each channel, behind a batch "
    "normalisation. What can the network do with it that it could not do without?",
    right="a",
    a=Option(
        "nothing",
        "The normalisation has a scale and an offset for each channel; both can be multiplied "
        "by the constant.",
    ),
    b=Option(
        "make shorter steps",
        "It can do so without: with smaller scales in the normalisation.",
        "only-gates-shorten",
    ),
    c=Option(
        "attend to important channels",
        "So can the scale of the normalisation. The word attention adds nothing to a constant.",
        "word-for-thing",
    ),
    d=Option(
        "adapt its step to the input",
        "A constant is the same for each input.",
        "constant-adapts",
    ),
)


# 1. input_dependence


@LESSON.exercise(
    "input_dependence",
    title="Does the step depend on the input?",
    points=2,
    minutes=7,
    difficulty=2,
    importance=4,
    signature="gates",
    reference=input_dependence,
)
def _judge_input_dependence(trial: Trial) -> None:
    """Tables made of a part between samples and a part between channels, of known sizes."""
    table = [[0.1, 0.7], [0.3, 0.5], [0.2, 0.6]]
    _expect_share(trial, np.array(table), f"For gates {table}")
    for shape in ((40, 3), (3, 16), (7, 7)):
        level, swing = (trial.draw.uniform(-0.15, 0.15, shape) for _ in range(2))
        gates = 0.5 + 2 * level[:1] + swing
        _expect_share(trial, gates.astype("float32"), f"For gates of shape {shape}")
    lone = trial.draw.uniform(0.1, 0.9, (1, 5))
    _expect_share(trial, lone, "For one sample and 5 channels")
    _expect_share(trial, lone.T, "For 5 samples and one channel")
    for shape in ((4, 2), (1, 1)):
        trial.expect(
            trial.call(np.full(shape, 0.5)), 0.0, f"For {shape[0]} x {shape[1]} gates of 0.5",
            "the share should be {want}; yours is {got}",
            [Suspect(1.0, "constant-is-all", "Nothing depends on the input there.")],
        )  # fmt: skip
    for shape in ((10, 3), (200, 8)):
        got = trial.call(np.full(shape, 0.3))
        trial.expect(
            got, 0.0, f"For {shape[0]} x {shape[1]} gates of 0.3",
            "the share should be {want}; yours is {got}",
            [Suspect(got, "rounded-zero", "Rounding leaves a tiny variance there, which is not 0. "
                     "Compare the smallest gate with the largest.")],
        )  # fmt: skip


def _expect_share(trial: Trial, gates: np.ndarray, case: str) -> None:
    """The variance is the mean square difference of two members, over 2: no mean is needed."""
    a = gates.astype("float64")
    n, c = a.shape
    within = np.mean([(a[i] - a[j]) ** 2 for i in range(n) for j in range(n)]) / 2
    flat = a.ravel()
    total = np.mean((flat[:, None] - flat[None, :]) ** 2) / 2
    rows = np.mean([(a[:, i] - a[:, j]) ** 2 for i in range(c) for j in range(c)]) / 2
    between = total - within
    root = np.sqrt
    suspects = [
        Suspect(within, "not-divided", "That is the variance between samples itself. Divide it "
                                       "by the variance of all gates."),
        Suspect(rows / total, "axis-swapped",
                "That is the share that lies between channels, for each sample. Take the variance "
                "over the samples, for each channel."),
        Suspect(between / total, "complement", "That is the rest, which lies between channels."),
        Suspect(within / between if between else np.nan, "ratio-not-share",
                "You divided by the variance between channels. Divide by that of all gates."),
        Suspect(root(within / total), "deviations", "That is its square root: variances are "
                                                    "asked, not standard deviations."),
        Suspect(np.mean(a.std(axis=0)) / a.std(), "deviations",
                "You took standard deviations. Variances add up, deviations do not."),
        Suspect(a.mean(axis=1).var() / total, "means-first",
                "You averaged over the channels first, where opposite swings cancel. Take the "
                "variance of each channel, then the mean."),
        Suspect(a.var(axis=0) / total, "one-per-channel",
                "That is one number per channel; take their mean."),
        Suspect(a.var(axis=0) / total * c, "one-per-channel", "Take the mean over the channels."),
        Suspect(within / total * c, "sum-not-mean", "You added up the channels; take the mean."),
    ]  # fmt: skip
    if n > 1:
        suspects.append(
            Suspect(within / total * n / (n - 1), "unbiased",
                    "One variance divides by n, the other by n - 1. Take both as NumPy does, by n.")
        )  # fmt: skip
        suspects.append(
            Suspect(within / total * n / (n - 1) * (n * c - 1) / (n * c), "unbiased",
                    "You divide by n - 1. Take both variances as NumPy does, by n.")
        )  # fmt: skip
    trial.expect(
        trial.call(gates), within / total, case, "the share should be {want}; yours is {got}",
        suspects, tolerance=1e-4, scale=1.0,
    )  # fmt: skip


# What the checks of the three layers have in common.


def _made(trial: Trial, asked: str, **given) -> keras.layers.Layer:
    return trial.run(lambda: trial.answer(**given), asked)


def _built(trial: Trial, shape: tuple, words: str, **given) -> keras.layers.Layer:
    """A layer with its weights, which `build` should have made."""
    name = trial.answer.__name__
    layer = _made(trial, f"{name}({words})", **given)
    if layer.weights:
        trial.fail(
            f"{name}({words}) has weights before it knows the number of channels. Make them in "
            f"build.",
            "weights-too-early",
        )
    trial.run(lambda: layer.build(shape), f"build({shape}) of {name}({words})")
    return layer


def _shapes(weights) -> list[tuple]:
    return sorted(tuple(weight.shape) for weight in weights)


def _assign(layer: keras.layers.Layer, values: dict[tuple, np.ndarray]) -> None:
    """Sets weights by their shapes, in whatever order the learner made them."""
    for weight in layer.trainable_weights:
        weight.assign(np.reshape(values[_plain(weight.shape)], weight.shape))


def _plain(shape) -> tuple:
    """The shape without leading ones: the kernel of a 1 x 1 convolution is a matrix."""
    shape = tuple(shape)
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return shape


def _sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(z, dtype="float64")))


def _expect_gate(trial: Trial, layer, branch, want, case: str, suspects=(), tolerance=None) -> None:
    """The gate and the product, with and without the state; `want` is `(batch, channels)`."""
    n, channels = want.shape
    shape = (n, *(1 for _ in branch.shape[1:-1]), channels)
    want = want.reshape(shape)
    got = trial.run(lambda: layer.gate(branch), f"gate(branch). {case}")
    flat = [
        Suspect(
            np.reshape(want, other),
            "gate-shape",
            f"The values are right. Give them the shape {shape}, so that they multiply each pixel "
            f"of their sample and channel.",
        )
        for other in ((n, channels), (n, channels, 1), (n, 1, channels), (n, channels, 1, 1))
    ]
    suspects = [Suspect(np.reshape(s.value, shape), s.misconception, s.why) for s in suspects]
    trial.expect(
        got, want, f"{case} gate(branch)", "should be {want}; yours is {got}",
        [*suspects, *flat], tolerance=tolerance, scale=1.0,
    )  # fmt: skip
    state = trial.draw.normal(size=branch.shape).astype(branch.dtype)
    product = branch * want
    for given, words in (
        ((branch,), "layer(branch)"),
        ((branch, state), "layer(branch, shortcut)"),
    ):
        got = trial.run(lambda given=given: layer(*given), f"{words}. {case}")
        trial.expect(
            got, product, f"{case} {words}", "should be {want}; yours is {got}",
            [
                Suspect(want + 0 * branch, "gate-not-product",
                        "That is the gate. The layer returns gate times branch."),
                Suspect(want, "gate-not-product", "That is the gate: return gate times branch."),
                Suspect(branch, "gate-unused", "That is the branch itself."),
                Suspect(branch + product, "adds-the-branch",
                        "You add the branch: the addition is the caller's, and adds the state."),
                Suspect(state + product, "adds-the-state",
                        "You add the state, which the caller does after you."),
                Suspect(state * want, "gates-the-shortcut",
                        "You gate the state. The step size belongs to the branch."),
                Suspect(product * want, "gated-twice", "The gate is there twice."),
            ],
            tolerance=tolerance, scale=float(np.max(np.abs(branch))),
        )  # fmt: skip


def _expect_in_model(trial: Trial, channels: int, size, **given) -> None:
    """A functional model: symbolic shapes, one step of training, another batch size."""
    name = trial.answer.__name__
    asked = f"{name} in a model whose branch has shape (None, {size}, {size}, {channels})"
    inputs = keras.Input((size, size, channels))
    layer = _made(trial, f"{name}()", **given)
    branch = keras.layers.Rescaling(2.0)(inputs)
    gated = trial.run(lambda: layer(branch, inputs), asked)
    if not isinstance(gated, keras.KerasTensor) or gated.shape != branch.shape:
        trial.fail(
            f"For {asked}, the output should have that shape too; yours is a "
            f"{type(gated).__name__} of shape {getattr(gated, 'shape', None)}.",
            "wrong-shape",
        )
    model = keras.Model(inputs, keras.layers.Add()([inputs, gated]))
    for weight in layer.trainable_weights:  # away from 0, where a product has no slope
        weight.assign(trial.draw.uniform(0.05, 0.2, tuple(weight.shape)))
    before = layer.get_weights()
    x = trial.draw.uniform(0.2, 1.5, (3, 4, 4, channels)).astype("float32")
    model.compile(keras.optimizers.SGD(1.0), "mean_squared_error", run_eagerly=True)
    try:
        trial.run(lambda: model.train_on_batch(x, 5 * x**2), "one training step of that model")
    except LearnerError as error:
        trial.fail(
            f"One training step should change the weights; yours raised "
            f"{one_line(error.original, 120)}",
            "no-gradient",
        )
    frozen = [
        weight.path
        for weight, old in zip(layer.weights, before, strict=True)
        if np.allclose(keras.ops.convert_to_numpy(weight), old, rtol=0, atol=1e-9)
    ]
    if frozen:
        trial.fail(
            f"One training step should change all weights; yours left {frozen[0]} as it was.",
            "no-gradient",
        )
    trial.run(lambda: model(x[:2]), "the model on a batch of another size")


def _expect_half(trial: Trial, channels: int, **given) -> None:
    """Under a half-precision policy the product keeps the dtype of the branch."""
    name, policy = trial.answer.__name__, keras.config.dtype_policy()
    branch = keras.KerasTensor((2, 4, 4, channels), dtype="float16")
    asked = f"{name} in a model of half precision (mixed_float16)"
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = _made(trial, f"{name}()", **given)
        got = trial.run(lambda: layer(branch), asked)
        if got.dtype != "float16":  # torch cannot tell while a model is built
            got = trial.run(lambda: layer(np.ones(branch.shape, "float16")), asked)
    finally:
        keras.config.set_dtype_policy(policy)
    dtype = keras.backend.standardize_dtype(got.dtype)
    if dtype != "float16":
        trial.fail(
            f"With {asked}, a branch in float16 should give a product in float16; yours is in "
            f"{dtype}.",
            "wrong-dtype",
        )


def _expect_config(trial: Trial, key: str, value: int) -> keras.layers.Layer:
    """The configuration of a layer with one argument; returns the layer made from it."""
    name = trial.answer.__name__
    layer = _made(trial, f"{name}({key}={value})", **{key: value, "name": "gate_7"})
    asked = f'get_config() of {name}({key}={value}, name="gate_7")'
    config = trial.run(layer.get_config, asked)
    if not isinstance(config, dict):
        kind = "no-return" if config is None else "wrong-type"
        what = "None. Is there a `return`?" if config is None else f"a {type(config).__name__}."
        trial.fail(f"{asked} should return a dictionary; yours returned {what}", kind)
    if key not in config:
        trial.fail(
            f"{asked} has no entry {key!r}: the copies that cifar_resnet makes for its blocks "
            f"would get the default.",
            "config-forgets-argument",
        )
    if config.get("name") != "gate_7":
        trial.fail(
            f"{asked} has lost the name: what Keras itself keeps, super().get_config(), should be "
            f"part of it.",
            "config-without-base",
        )
    try:
        json.dumps(config)
    except (TypeError, ValueError):
        trial.fail(f"{asked} should hold numbers and words only.", "config-not-serialized")
    return trial.run(lambda: type(layer).from_config(config), f"from_config({asked})")


# 2. SqueezeExcite


@LESSON.exercise(
    "SqueezeExcite",
    title="Squeeze and excitation",
    points=4,
    minutes=18,
    difficulty=4,
    importance=5,
    kind="layer",
    limit=60.0,  # JAX compiles each operation when it first meets a shape
    reference=attention.SqueezeExcite,
)
def _judge_squeeze_excite(trial: Trial) -> None:
    """Fixed weights against NumPy, then training, half precision and the configuration."""
    _excite_by_hand(trial)
    for shape, reduction in (((2, 4, 3, 8), 4), ((3, 2, 5, 32), None), ((5, 1, 1, 3), None)):
        _excite_drawn(trial, shape, reduction)
    _expect_in_model(trial, 6, None, reduction=3)
    _expect_half(trial, 4, reduction=2)
    copied = _expect_config(trial, "reduction", 3)
    branch = np.ones((1, 2, 2, 12), "float32")
    trial.run(lambda: copied(branch), "the layer made from the configuration")
    _expect_dense_pair(trial, copied, 12, 4, "The layer made again from reduction=3, 12 channels:")


def _expect_dense_pair(trial: Trial, layer, channels: int, hidden: int, case: str) -> None:
    got = sorted(_plain(weight.shape) for weight in layer.trainable_weights)
    want = sorted([(channels, hidden), (hidden,), (hidden, channels), (channels,)])
    if got == want and not layer.non_trainable_weights:
        return
    asked = f"{case} there should be 4 trainable weights, of shapes {want}"
    if not got:
        trial.fail(f"{asked}; yours has none. build should make them.", "not-built")
    if got == sorted([(channels, hidden), (hidden, channels)]):
        trial.fail(f"{asked}; yours has no biases.", "no-bias")
    if len(got) == 2:
        trial.fail(f"{asked}; yours has {got}. There are two dense layers.", "one-layer")
    widths = {s[0] for s in got if len(s) == 1} - {channels}
    trial.fail(
        f"{asked}; yours has {got}. The hidden width is channels / reduction, at least 1"
        f"{f', and not {min(widths)}' if widths else ''}.",
        "wrong-width",
    )


def _excite_by_hand(trial: Trial) -> None:
    case = "For SqueezeExcite(reduction=2) and 2 channels"
    layer = _built(trial, (None, 1, 2, 2), "reduction=2", reduction=2)
    _expect_dense_pair(trial, layer, 2, 1, case)
    z = math.log(3.0)
    _assign(layer, {(2, 1): np.array([1.0, 1.0]), (1,): np.zeros(1),
                    (1, 2): np.array([z, -z]), (2,): np.zeros(2)})  # fmt: skip
    branch = np.array([[[[1.0, -2.0], [3.0, 0.0]]]], "float32")  # means 2 and -1
    case += ", with hidden weights 1, 1 and outer weights 1.0986, -1.0986, means 2 and -1:"
    _expect_gate(trial, layer, branch, _sigmoid([[z, -z]]), case, [
        Suspect(_sigmoid([[2 * z, -2 * z]]), "sum-not-mean", "That comes from sums of the maps, "
                                                             "not means."),
        Suspect(_sigmoid([[3 * z, -3 * z]]), "max-not-mean", "That comes from the largest values."),
        Suspect([[z, 0.0]], "relu-at-the-end", "The last function should be a sigmoid."),
        Suspect([[z, -z]], "no-sigmoid", "That is no step size yet: the sigmoid is missing."),
    ])  # fmt: skip


def _excite_drawn(trial: Trial, shape: tuple, reduction: int | None) -> None:
    channels, given = shape[-1], {} if reduction is None else {"reduction": reduction}
    hidden = max(1, int(channels / (reduction or 16)))
    words = "" if reduction is None else f"reduction={reduction}"
    case = f"For SqueezeExcite({words}) and a branch of shape {shape}"
    layer = _built(trial, (None, *shape[1:]), words, **given)
    _expect_dense_pair(trial, layer, channels, hidden, case)
    draw = trial.draw
    w1, b1 = draw.normal(size=(channels, hidden)), draw.uniform(-0.5, 0.5, hidden)
    w2, b2 = draw.normal(size=(hidden, channels)), draw.normal(size=channels)
    _assign(layer, {(channels, hidden): w1, (hidden,): b1, (hidden, channels): w2, (channels,): b2})
    branch = (draw.normal(size=shape) + draw.normal(size=(shape[0], 1, 1, channels))).astype(
        "float32"
    )
    n = shape[0]
    means = np.array([[np.mean(branch[i, :, :, c], dtype="float64") for c in range(channels)]
                      for i in range(n)])  # fmt: skip

    def excited(seen, relu=lambda h: np.maximum(h, 0)):
        return np.einsum("nh,hc->nc", relu(np.einsum("nc,ch->nh", seen, w1) + b1), w2) + b2

    z = excited(means)
    suspects = [
        Suspect(z, "no-sigmoid", "That is no step size yet: the sigmoid is missing."),
        Suspect(np.maximum(z, 0), "relu-at-the-end", "The last function should be a sigmoid."),
        Suspect(np.tanh(z), "tanh", "That is tanh, which may be negative. A sigmoid is asked."),
        Suspect(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), "softmax",
                "That is a softmax: channels would compete, and steps add up to 1."),
        Suspect(_sigmoid(excited(means, lambda h: h)), "no-relu",
                "The relu between the two layers is missing."),
        Suspect(_sigmoid(excited(means, _sigmoid)), "sigmoid-inside",
                "Between the two layers a relu is asked; yours is a sigmoid."),
        Suspect(_sigmoid(excited(branch.sum(axis=(1, 2)))), "sum-not-mean",
                "That comes from sums of the maps, not means."),
        Suspect(_sigmoid(excited(branch.max(axis=(1, 2)))), "max-not-mean",
                "That comes from the largest values of the maps."),
        Suspect(_sigmoid(excited(np.broadcast_to(means.mean(axis=0), means.shape))),
                "mean-over-batch",
                "You average over the samples, too: each sample should get a step of its own."),
    ]  # fmt: skip
    _expect_gate(trial, layer, branch, _sigmoid(z), f"{case}, weights drawn at random,", suspects)


# 3. EfficientChannelAttention


SIZES = {64: 3, 8: 3, 4: 1, 24: 3, 32: 3, 96: 3, 128: 5, 256: 5, 512: 5, 2048: 7, 2: 1}


@LESSON.exercise(
    "EfficientChannelAttention",
    title="A gate from neighbouring channels",
    points=3,
    minutes=12,
    difficulty=3,
    importance=3,
    kind="layer",
    limit=60.0,  # JAX compiles each operation when it first meets a shape
    reference=attention.EfficientChannelAttention,
)
def _judge_efficient(trial: Trial) -> None:
    """The rule by a table, the filter by loops, then training, half precision, configuration."""
    for channels, size in SIZES.items():
        layer = _built(trial, (None, 2, 2, channels), "")
        _expect_filter(trial, layer, size, f"For EfficientChannelAttention() and {channels} "
                                           f"channels", channels)  # fmt: skip
    _filter_by_hand(trial)
    for shape, size in (
        ((2, 3, 2, 9), 3),
        ((3, 2, 4, 3), 5),
        ((1, 1, 1, 4), 1),
        ((4, 2, 2, 12), None),
    ):
        _filter_drawn(trial, shape, size)
    _expect_in_model(trial, 8, None)
    _expect_half(trial, 8)
    copied = _expect_config(trial, "kernel_size", 7)
    trial.run(lambda: copied.build((None, 2, 2, 4)), "the layer made from the configuration")
    case = "For the layer made again from kernel_size=7"
    _expect_filter(trial, copied, 7, case, 4, given=True)


def _expect_filter(
    trial: Trial, layer, size: int, case: str, channels: int, given: bool = False
) -> None:
    shapes = _shapes(layer.weights)
    asked = f"{case}, there should be one trainable weight with {size} number{'s' * (size > 1)}"
    if not layer.trainable_weights:
        trial.fail(f"{asked}; yours has none. build should make it.", "not-built")
    if len(shapes) > 1:
        trial.fail(f"{asked}; yours has {len(shapes)}, of shapes {shapes}: no bias, and one "
                   f"filter for all channels.", "too-many-weights")  # fmt: skip
    got = math.prod(shapes[0])
    if got == size:
        return
    if got == size * channels:
        trial.fail(f"{asked}; yours has {got}: one filter for each channel.", "filter-per-channel")
    if given and got == channels < size:
        trial.fail(f"{asked}; yours has {got}: a filter may be longer than there are channels. "
                   f"Beyond the ends there are zeros.", "cut-to-channels")  # fmt: skip
    if given:
        trial.fail(f"{asked}; yours has {got}: kernel_size={size} was given.", "size-ignored")
    if got == channels:
        trial.fail(f"{asked}; yours has {got}, one for each channel. The filter sees a channel "
                   f"and its nearest neighbours.", "as-long-as-channels")  # fmt: skip
    if got % 2 == 0:
        trial.fail(f"{asked}; yours has {got}, an even number: a channel would have more "
                   f"neighbours on one side.", "even-size")  # fmt: skip
    trial.fail(
        f"{asked}; yours has {got}. t is (log2(channels) + 1) / 2 without its decimals, and an "
        f"even t goes up by 1.",
        "wrong-size",
    )


def _filtered(means, weights, rule="zero"):
    """Sum by loops over samples, channels and neighbours."""
    n, channels, half = len(means), means.shape[1], len(weights) // 2
    z = np.zeros(means.shape)
    for i in range(n):
        for c in range(channels):
            for j, w in enumerate(weights):
                k = c + j - half
                if 0 <= k < channels:
                    z[i, c] += w * means[i, k]
                elif rule == "ring":
                    z[i, c] += w * means[i, k % channels]
                elif rule == "edge":
                    z[i, c] += w * means[i, min(max(k, 0), channels - 1)]
    return z


def _suspected_filters(means, weights, branch=None):
    late = _filtered(means, np.concatenate([weights, np.zeros(len(weights) - 1)]))
    found = [
        Suspect(_sigmoid(_filtered(means, weights[::-1])), "filter-flipped",
                "You turned the filter around: its first number belongs to the channel below."),
        Suspect(_sigmoid(_filtered(means, weights, "ring")), "ring",
                "You joined the last channel to the first. Beyond the ends there are zeros."),
        Suspect(_sigmoid(_filtered(means, weights, "edge")), "edge",
                "You repeated the first and the last channel. Beyond the ends there are zeros."),
        Suspect(_sigmoid(late), "one-sided",
                "You look to one side alone. The channel itself is in the middle of the filter."),
        Suspect(_filtered(means, weights), "no-sigmoid",
                "That is no step size yet: the sigmoid is missing."),
        Suspect(np.maximum(_filtered(means, weights), 0), "relu-at-the-end",
                "The last function should be a sigmoid."),
        Suspect(np.tanh(_filtered(means, weights)), "tanh", "That is tanh. A sigmoid is asked."),
    ]  # fmt: skip
    if branch is not None:
        for pooled, name, why in (
            (branch.sum(axis=(1, 2)), "sum-not-mean", "That comes from sums of the maps."),
            (branch.max(axis=(1, 2)), "max-not-mean", "That comes from the largest values."),
        ):
            found.append(Suspect(_sigmoid(_filtered(pooled, weights)), name, why))
    return found


def _fill(layer, weights) -> None:
    weight = layer.trainable_weights[0]
    weight.assign(np.reshape(weights, weight.shape))


def _filter_by_hand(trial: Trial) -> None:
    layer = _built(trial, (None, 1, 1, 3), "kernel_size=3", kernel_size=3)
    case = "For EfficientChannelAttention(kernel_size=3)"
    _expect_filter(trial, layer, 3, case, 3, given=True)
    weights, branch = np.array([1.0, 0.0, 2.0]), np.array([[[[1.0, 2.0, 3.0]]]], "float32")
    _fill(layer, weights)
    _expect_gate(trial, layer, branch, _sigmoid([[4.0, 7.0, 2.0]]),
                 f"{case} with the filter [1, 0, 2] and means 1, 2, 3,",
                 _suspected_filters(branch.mean(axis=(1, 2)), weights))  # fmt: skip


def _filter_drawn(trial: Trial, shape: tuple, size: int | None) -> None:
    words, given = ("", {}) if size is None else (f"kernel_size={size}", {"kernel_size": size})
    size = size or 3
    case = f"For EfficientChannelAttention({words}) and a branch of shape {shape}"
    layer = _built(trial, (None, *shape[1:]), words, **given)
    _expect_filter(trial, layer, size, case, shape[-1], given=bool(given))
    weights = trial.draw.normal(size=size)
    branch = trial.draw.normal(size=shape) + trial.draw.normal(size=(shape[0], 1, 1, shape[-1]))
    branch = branch.astype("float32")
    _fill(layer, weights)
    means = branch.astype("float64").sum(axis=(1, 2)) / (shape[1] * shape[2])
    _expect_gate(trial, layer, branch, _sigmoid(_filtered(means, weights)),
                 f"{case}, its filter drawn at random,",
                 _suspected_filters(means, weights, branch))  # fmt: skip


# 4. StyleRecalibration


@LESSON.exercise(
    "StyleRecalibration",
    title="A gate that sees the contrast",
    points=3,
    minutes=12,
    difficulty=4,
    importance=3,
    kind="layer",
    limit=60.0,  # JAX compiles each operation when it first meets a shape
    reference=attention.StyleRecalibration,
)
def _judge_style(trial: Trial) -> None:
    """Statistics by the book, the normalisation by its formula, then a training step."""
    _style_starts(trial)
    for shape in ((3, 4, 3, 5), (2, 2, 1, 8), (4, 1, 1, 3), (1, 2, 2, 1)):
        _style_drawn(trial, shape)
    _style_in_training(trial)
    _expect_in_model(trial, 3, 4)
    _expect_half(trial, 4)
    layer = _made(trial, 'StyleRecalibration(name="gate_7")', name="gate_7")
    config = trial.run(layer.get_config, "get_config() of StyleRecalibration")
    copied = trial.run(lambda: trial.answer.from_config(config), "from_config(get_config())")
    trial.run(lambda: copied.build((None, 2, 2, 4)), "the layer made from its configuration")


def _styled(trial: Trial, shape: tuple, case: str):
    """A layer with its weights, and its normalisation."""
    layer = _built(trial, (None, *shape[1:]), "")
    channels = shape[-1]
    shapes, asked = _shapes(layer.trainable_weights), f"{case}, after build, there should be"
    norms = [each for each in layer._flatten_layers(include_self=False)
             if isinstance(each, keras.layers.BatchNormalization)]  # fmt: skip
    if not norms:
        trial.fail(f"{asked} a keras.layers.BatchNormalization; yours has none.",
                   "no-normalisation")  # fmt: skip
    want = sorted([(channels, 2), (channels,), (channels,)])
    if shapes == want:
        return layer, norms[0]
    asked += f" trainable weights of shapes {want}"
    own = [s for s in shapes if s != (channels,)]
    if not norms[0].built:
        trial.fail(f"{asked}; your normalisation has none: build it in build.", "not-built")
    if not own:
        trial.fail(f"{asked}; yours has no weights of its own.", "weight-missing")
    if own == [(2,)]:
        trial.fail(f"{asked}; yours has one pair for all channels.", "shared-weights")
    if own == [(2, channels)] and channels != 2:
        trial.fail(f"{asked}; yours has shape {own[0]}: channels come first.", "transposed")
    return trial.fail(f"{asked}; yours has {shapes}.", "wrong-weights")


def _style_starts(trial: Trial) -> None:
    case = "For StyleRecalibration() and a branch of shape (2, 3, 3, 4)"
    layer, _ = _styled(trial, (2, 3, 3, 4), case)
    for weight in layer.trainable_weights:
        if tuple(weight.shape) == (4, 2) and keras.ops.convert_to_numpy(weight).any():
            trial.fail(f"{case}, before training, the weights of mean and deviation should be 0; "
                       f"yours are drawn at random.", "weights-not-zero")  # fmt: skip
    branch = trial.draw.normal(1.0, 1.0, (2, 3, 3, 4)).astype("float32")
    got = trial.run(lambda: layer.gate(branch), f"gate(branch), before training. {case}")
    trial.expect(
        got, np.full((2, 1, 1, 4), 0.5), f"{case}, before training, gate(branch)",
        "should be {want}; yours is {got}",
        [Suspect(np.zeros((2, 1, 1, 4)), "no-sigmoid", "The sigmoid is missing."),
         Suspect(np.full((2, 4), 0.5), "gate-shape",
                 "The values are right. Their shape should be (2, 1, 1, 4).")],
    )  # fmt: skip


def _statistics(branch):
    """Mean and unbiased variance of each map, by sums over its pixels."""
    n, channels = branch.shape[0], branch.shape[-1]
    pixels = branch.astype("float64").reshape(n, -1, channels)
    count = pixels.shape[1]
    mean = pixels.sum(axis=1) / count
    squares = ((pixels - mean[:, None]) ** 2).sum(axis=1)
    return mean, squares / max(count - 1, 1), squares / count


def _style_drawn(trial: Trial, shape: tuple) -> None:
    case = f"For StyleRecalibration() and a branch of shape {shape}"
    layer, norm = _styled(trial, shape, case)
    draw, channels = trial.draw, shape[-1]
    weights = draw.uniform(0.5, 1.5, (channels, 2)) * draw.choice([-1.0, 1.0], (channels, 2))
    scale, offset, middle = draw.uniform(0.5, 1.5, (3, channels))
    spread = 10 ** draw.uniform(-4, -0.5, channels)
    for weight in layer.trainable_weights:
        if tuple(weight.shape) == (channels, 2):
            weight.assign(weights)
    for weight, value in zip((norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance),
                             (scale, offset, middle, spread), strict=True):  # fmt: skip
        weight.assign(value)
    # So that z lies a few deviations around the middle, where a sigmoid tells numbers apart.
    size = np.sqrt(spread) * draw.uniform(0.5, 2.0, channels)
    branch = (draw.normal(size=shape) * size + middle / weights[:, 0]).astype("float32")
    flat = branch.copy()
    flat[:] = flat[:, :1, :1]  # no contrast
    for one, words in ((branch, "drawn at random,"), (flat, "without contrast,")):
        _expect_style(trial, layer, one, weights, (scale, offset, middle, spread),
                      f"{case}, {words}")  # fmt: skip


def _expect_style(trial: Trial, layer, branch, weights, normal, case: str) -> None:
    scale, offset, middle, spread = normal
    mean, unbiased, biased = _statistics(branch)

    def gate(mean, second, w=weights, epsilon=1e-5):
        z = mean * w[:, 0] + second * w[:, 1]
        return _sigmoid(scale * (z - middle) / np.sqrt(spread + epsilon) + offset)

    want = gate(mean, np.sqrt(unbiased + 1e-5))
    z = mean * weights[:, 0] + np.sqrt(unbiased + 1e-5) * weights[:, 1]
    pixels = branch.shape[1] * branch.shape[2]
    one = Suspect(gate(mean, np.sqrt(unbiased)), "no-epsilon",
                  "1e-5 belongs under the root of the deviation.")  # fmt: skip
    suspects = [
        Suspect(_sigmoid(z), "no-normalisation", "The normalisation is not used."),
        Suspect(scale * (z - middle) / np.sqrt(spread + 1e-5) + offset, "no-sigmoid",
                "That is no step size yet: the sigmoid is missing."),
        one,
        Suspect(scale * (_sigmoid(z) - middle) / np.sqrt(spread + 1e-5) + offset,
                "sigmoid-before-normalisation", "The sigmoid comes last, after the normalisation."),
        Suspect(gate(mean, np.sqrt(biased + 1e-5)), "biased",
                f"You divide the squares by {pixels}, the number of pixels; divide by one less."),
        Suspect(gate(mean, np.sqrt(biased)), "biased", "Divide the squares by the number of "
                                                       "pixels less one, and add 1e-5."),
        Suspect(gate(mean, unbiased), "variance-not-deviation",
                "That takes the variance. Take its square root, of variance plus 1e-5."),
        Suspect(gate(mean, unbiased + 1e-5), "variance-not-deviation",
                "That takes the variance; the square root is missing."),
        Suspect(gate(mean, np.sqrt(unbiased) + 1e-5), "no-epsilon",
                "1e-5 belongs under the root, not behind it."),
        Suspect(gate(mean, np.sqrt(unbiased + 1e-5), weights[:, ::-1]), "weights-swapped",
                "The first weight belongs to the mean, the second to the deviation."),
        Suspect(gate(mean, np.sqrt(unbiased + 1e-5), epsilon=1e-3), "keras-epsilon",
                "The normalisation has Keras's epsilon, 1e-3; 1e-5 is asked."),
        Suspect(gate(mean, 0.0), "mean-only", "The deviation is not used."),
    ]  # fmt: skip
    _expect_gate(trial, layer, branch, want, case, suspects, tolerance=1e-3)


def _style_in_training(trial: Trial) -> None:
    """In training the statistics of the batch count, and the running averages follow."""
    inputs = keras.Input((2, 2, 3))
    layer = _made(trial, "StyleRecalibration()")
    asked = "StyleRecalibration() in a model, called with training=True"
    model = keras.Model(inputs, trial.run(lambda: layer(inputs), asked))
    norm = next(each for each in layer._flatten_layers(include_self=False)
                if isinstance(each, keras.layers.BatchNormalization))  # fmt: skip
    for weight in layer.trainable_weights:
        if tuple(weight.shape) == (3, 2):
            weight.assign(np.array([[1.0, 0.0]] * 3))
    branch = trial.draw.normal(2.0, 1.0, (6, 2, 2, 3)).astype("float32")
    got = trial.run(lambda: model(branch, training=True), asked)
    mean, _, _ = _statistics(branch)
    z = (mean - mean.mean(axis=0)) / np.sqrt(mean.var(axis=0) + 1e-5)
    still = _sigmoid(mean / np.sqrt(1 + 1e-5))
    place = (slice(None), None, None)
    trial.expect(
        got, branch * _sigmoid(z)[place], f"With {asked}", "the product should be {want}; yours "
        "is {got}",
        [Suspect(branch * still[place], "always-inference",
                 "The normalisation behaves as in use. In training it should take the mean and "
                 "variance of the batch.")],
        tolerance=1e-3,
    )  # fmt: skip
    trial.expect(
        norm.moving_mean, 0.1 * mean.mean(axis=0), f"After one batch of {asked}",
        "the running mean should be {want}; yours is {got}",
        [Suspect(0.01 * mean.mean(axis=0), "keras-momentum",
                 "The normalisation has Keras's momentum, 0.99; 0.9 is asked.")],
        tolerance=1e-3,
    )  # fmt: skip


# 5. parameter_count


@LESSON.exercise(
    "parameter_count",
    title="What a gate costs",
    points=2,
    minutes=6,
    difficulty=2,
    importance=3,
    signature="kind, channels, reduction",
    reference=parameter_count,
)
def _judge_parameter_count(trial: Trial) -> None:
    """Entry by entry of the weights' shapes; the filters from a table."""
    draw = trial.draw
    cases = [("se", 64, 16), ("se", 8, 16), ("eca", 64, 16), ("srm", 64, 16)]
    for reduction in (2, 4, 8):
        cases.append(("se", reduction * int(draw.integers(2, 12)), reduction))
    cases += [("eca", channels, 16) for channels in (4, 32, 96, 128, 512, 2048)]
    cases += [("srm", int(draw.integers(3, 200)), 16), ("se", 3, 3), ("se", 5, 8)]
    for kind, channels, reduction in cases:
        _expect_count(trial, kind, channels, reduction)
    got = trial.call("se", 256)
    trial.expect(got, 8464, "For 256 channels and no reduction given, squeeze and excitation",
                 "should have {want} weights; yours says {got}")  # fmt: skip


def _expect_count(trial: Trial, kind: str, channels: int, reduction: int) -> None:
    width = next(h for h in (*range(channels, 0, -1), 1) if h * reduction <= channels or h == 1)
    shapes = {
        "se": [(channels, width), (width,), (width, channels), (channels,)],
        "eca": [(SIZES.get(channels),)],
        "srm": [(channels, 2), (channels,), (channels,)],
    }[kind]
    want = sum(math.prod(shape) for shape in shapes)
    hidden = max(1, channels // reduction)
    half = int((math.log2(channels) + 1) / 2)
    suspects = {
        "se": [
            Suspect(2 * channels * hidden, "no-bias", "The biases are missing."),
            Suspect(2 * channels * hidden + channels, "hidden-bias-forgotten",
                    "The hidden layer has biases, too."),
            Suspect(channels, "width-below-one", "The hidden width is at least 1, not 0."),
            Suspect(channels * hidden, "one-layer", "There are two dense layers, with biases."),
            Suspect(channels * hidden + hidden, "one-layer", "The way back is missing."),
            Suspect(2 * channels * channels / reduction + channels / reduction + channels,
                    "width-below-one", "The hidden width is at least 1."),
            Suspect(2 * channels * reduction + reduction + channels, "reduction-as-width",
                    "The hidden width is channels / reduction, not the reduction."),
            Suspect(2 * channels * hidden + 2 * channels, "biases-alike",
                    "The hidden layer has as many biases as it is wide."),
        ],
        "eca": [
            Suspect(want * channels, "filter-per-channel", "All channels share one filter."),
            Suspect(want + 1, "bias-counted", "There is no bias."),
            Suspect(half, "even-size", "An even t goes up by 1."),
            Suspect(round((math.log2(channels) + 1) / 2) // 2 * 2 + 1, "rounded",
                    "t is cut to a whole number, not rounded."),
        ],
        "srm": [
            Suspect(6 * channels, "averages-counted",
                    "The running averages are not trained: they do not count."),
            Suspect(2 * channels, "normalisation-forgotten",
                    "The normalisation has a scale and an offset for each channel."),
            Suspect(4, "shared-weights", "Each channel has weights of its own."),
        ],
    }[kind]  # fmt: skip
    words = f", reduction {reduction}" if kind == "se" else ""
    trial.expect(
        trial.call(kind, channels, reduction), want,
        f'For "{kind}" and {channels} channels{words}',
        "there should be {want} weights; yours says {got}", suspects,
    )  # fmt: skip


# 6. gate_values


class _Tilt(keras.layers.Layer):
    """A gate that looks at both, of a shape that broadcasts; `flat` is one row for all samples."""

    def __init__(self, flat: bool, by: float, **kwargs):
        super().__init__(**kwargs)
        self.flat, self.by = flat, by

    def build(self, branch_shape, shortcut_shape=None):
        self.built = True

    def gate(self, branch, shortcut=None):
        seen = keras.ops.subtract(branch, keras.ops.multiply(self.by, shortcut))
        if len(branch.shape) > 2:
            seen = keras.ops.mean(seen, axis=tuple(range(1, len(branch.shape) - 1)), keepdims=True)
        if self.flat:
            seen = self.by * keras.ops.ones_like(seen[:1])
        return keras.ops.sigmoid(seen)

    def call(self, branch, shortcut=None):
        return branch * self.gate(branch, shortcut)


@LESSON.exercise(
    "gate_values",
    title="Read the step sizes of a network",
    points=2,
    minutes=10,
    difficulty=3,
    importance=5,
    signature="model, x",
    reference=gate_values,
)
def _judge_gate_values(trial: Trial) -> None:
    """Small networks whose gates NumPy follows from block to block."""
    _expect_values(trial, (2, 3, 4), 5)
    _expect_values(trial, (3,), 4)


def _expect_values(trial: Trial, shape: tuple, samples: int) -> None:
    """Blocks: gated, without a gate, constant gate, projection with a gate, gated."""
    draw, channels = trial.draw, shape[-1]
    by, level = (float(number) for number in draw.uniform(0.3, 0.9, 2))
    kernels = draw.normal(size=(4, channels, channels)) / 2
    wide = draw.normal(size=(2, channels, channels))
    x = draw.normal(size=(samples, *shape)).astype("float32")
    model = _little_network(shape, kernels, wide, by, level)
    got = trial.call(model, x)
    case = f"For a network on x of shape {x.shape}"
    if not isinstance(got, dict):
        what = "None. Is there a `return`?" if got is None else f"a {type(got).__name__}."
        trial.fail(f"{case} the result should be a dictionary; yours is {what}",
                   "no-return" if got is None else "not-a-dictionary")  # fmt: skip
    names = ["first", "fixed", "last"]
    _expect_names(trial, list(got), names, case)
    for name, want, others in _by_hand(x.astype("float64"), kernels, wide, by, level):
        if keras.ops.is_tensor(got[name]):
            trial.fail(f"{case} the entries should be NumPy arrays; yours is a "
                       f"{type(got[name]).__name__}. keras.ops.convert_to_numpy makes one.",
                       "tensor-not-array")  # fmt: skip
        one = f'{case} the gates of the block "{name}"'
        row = Suspect(want[:1], "one-row", f"This gate is the same for all samples: repeat it, "
                                           f"one row for each of the {samples}.")  # fmt: skip
        places = [Suspect(want.reshape((samples, *(1 for _ in shape[:-1]), channels)),
                          "axes-left", f"Make it an array of shape {want.shape}: the axes of "
                                       f"length 1 are left over.")]  # fmt: skip
        if samples > 1:
            places.append(Suspect(want[:1].reshape((1, *(1 for _ in shape[:-1]), channels)),
                                  "one-row", "One row for each sample is asked."))  # fmt: skip
        suspects = [Suspect(value, key, why) for value, key, why in others]
        trial.expect(got[name], want, one, "should be {want}; yours are {got}",
                     [*suspects, *([row] if samples > 1 else []), *places],
                     tolerance=1e-4)  # fmt: skip


def _expect_names(trial: Trial, got: list, names: list[str], case: str) -> None:
    if sorted(map(str, got)) == sorted(names):
        return
    asked = f"{case} there should be entries {names}; yours has {got}."
    if "wide" in got:
        trial.fail(f'{asked} The block "wide" has a projection: it is no step.',
                   "projection-included")  # fmt: skip
    if "plain" in got:
        trial.fail(f'{asked} The block "plain" has no gate.', "no-gate-included")
    if any("gate" in str(each) for each in got):
        trial.fail(f"{asked} Name them after the block, not the gate.", "name-of-gate")
    trial.fail(asked, "wrong-names")


def _exactly(values):
    return lambda shape, dtype=None: keras.ops.convert_to_tensor(values, dtype)


def _dense(x, kernel):
    return keras.layers.Dense(
        kernel.shape[1], use_bias=False, kernel_initializer=_exactly(kernel)
    )(x)  # fmt: skip


def _little_network(shape, kernels, wide, by, level):
    def add(state, branch, name):
        return keras.layers.Add(name=name)([state, branch])

    state = inputs = keras.Input(shape)
    for name, kernel, gate in zip(
        ("first", "plain", "fixed"), kernels,
        (_Tilt(False, by, name="gate_a"), None, _Tilt(True, level, name="gate_b")), strict=False,
    ):  # fmt: skip
        branch = _dense(state, kernel)
        if name == "plain":
            branch = keras.layers.Activation("tanh")(branch)
        state = add(state, gate(branch, state) if gate else branch, name)
        state = keras.layers.ReLU()(state)
    short = _dense(state, wide[0])
    branch = _dense(keras.layers.Activation("tanh")(_dense(state, wide[1])), kernels[0])
    state = add(short, _Tilt(False, by, name="gate_c")(branch, short), "wide")
    branch = keras.layers.Rescaling(0.5)(_Tilt(False, by, name="gate_d")(_dense(state, kernels[3]),
                                                                         state))  # fmt: skip
    return keras.Model(inputs, add(state, branch, "last"))


def _by_hand(x, kernels, wide, by, level):
    """Name, gates `(samples, channels)` and suspects `(value, misconception, why)` of each."""
    places = tuple(range(1, x.ndim - 1))

    def pooled(v):
        return v.mean(axis=places) if places else v

    def spread_out(gate):
        return gate.reshape(len(gate), *(1 for _ in places), gate.shape[-1])

    def tilt(branch, state):
        gate = _sigmoid(pooled(branch) - by * pooled(state))
        applied = branch * spread_out(gate)
        others = [
            (_sigmoid(pooled(state) - by * pooled(branch)), "arguments-swapped",
             "You gave the gate state and branch in the wrong order."),
            (_sigmoid(pooled(applied) - by * pooled(state)), "applied-not-raw",
             "You gave the gate the branch that it has already multiplied. It looks at the raw "
             "branch."),
            (pooled(applied), "product-not-gate", "That is the gated branch, not the gate."),
            (gate.mean(axis=0), "samples-averaged", "Do not average over the samples."),
            (gate / 2, "step-size", "That is the gate times the step size of the block."),
        ]  # fmt: skip
        return gate, others, applied

    branch = x @ kernels[0]
    gate, others, applied = tilt(branch, x)
    yield "first", gate, others
    state = np.maximum(x + applied, 0)
    state = np.maximum(state + np.tanh(state @ kernels[1]), 0)
    gate = np.full((len(x), x.shape[-1]), _sigmoid(level))
    yield "fixed", gate, []
    state = np.maximum(state + _sigmoid(level) * (state @ kernels[2]), 0)
    short, branch = state @ wide[0], np.tanh(state @ wide[1]) @ kernels[0]
    state = short + tilt(branch, short)[2]
    gate, others, _ = tilt(state @ kernels[3], state)
    yield "last", gate, others
