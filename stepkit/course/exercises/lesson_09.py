"""Lesson 09, tickets and chance: the pieces that `use` hands out, the oracles, the questions."""

from __future__ import annotations

import itertools
import math
import statistics
from functools import lru_cache

import keras
import numpy as np

from stepkit.course.exercise import Lesson, Option
from stepkit.course.outcome import LearnerError
from stepkit.course.trial import Suspect, Trial

LESSON = Lesson("09")
SINGLE = 2e-5  # a few layers in float32
CALLS = 600  # draws to count
CHANCE, CHANCE_OF_PAIRS = 6.5, 7.5  # standard deviations beyond which no right answer ever lies


# What `use` hands out.


def attention_mask(num_blocks, chosen):
    """For each block whether it is chosen: bool array `(num_blocks,)`."""
    wrong = [int(i) for i in chosen if not 0 <= i < num_blocks]
    if wrong:
        raise ValueError(f"`chosen` must be block numbers below {num_blocks}. Received: {wrong}")
    return np.isin(np.arange(num_blocks), np.asarray(chosen, dtype="int64"))


def rank_blocks(values, names, blocks):
    """Numbers of the measured blocks, the largest median index first."""
    order = np.argsort(-np.median(values, axis=0), kind="stable")
    return np.array([list(blocks).index(names[column]) for column in order], dtype="int64")


def prune_attention(full, sparse, gates):
    """Weights of `full` in `sparse`, with the mean gates of removed layers in the normalisation."""
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())
    present = {layer.name for layer in sparse.layers}
    for block, gate in gates.items():
        if f"{block}_attention" not in present:
            norm = sparse.get_layer(f"{block}_bn2")
            weights = norm.get_weights()
            constant = np.mean(gate, axis=0)
            norm.set_weights([weights[0] * constant, weights[1] * constant, *weights[2:]])
    return sparse


def random_tickets(num_blocks, keep, count, rng):
    """Different masks with `keep` blocks each, drawn uniformly: bool `(count, num_blocks)`."""
    if count > math.comb(num_blocks, keep):
        raise ValueError(
            f"`count` must be at most {math.comb(num_blocks, keep)}, the number of masks with "
            f"{keep} of {num_blocks} blocks. Received: count={count}"
        )
    found = {}
    while len(found) < count:
        mask = np.zeros(num_blocks, dtype=bool)
        mask[rng.choice(num_blocks, size=keep, replace=False)] = True
        found[mask.tobytes()] = mask
    return np.array(list(found.values())).reshape(count, num_blocks)


def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    """Student's interval of a mean paired difference, for one picked from `candidates`."""
    difference = np.asarray(ticket, dtype="float64") - np.asarray(baseline, dtype="float64")
    n = len(difference)
    if n < 2:
        return -math.inf, math.inf
    from scipy import stats

    error = difference.std(ddof=1) / math.sqrt(n)
    reach = stats.t.isf((1 - confidence) / candidates / 2, n - 1) * error
    return float(difference.mean() - reach), float(difference.mean() + reach)


# Questions.

LESSON.question(
    "cost",
    "Six blocks, two in each stage; a stage has twice the channels of the stage before. Gates at "
    "the last three blocks cost how many weights, compared with gates at the first three?",
    right="c",
    a=Option(
        "as many: three gates are three gates",
        "A gate of squeeze and excitation is a small network whose size depends on the channels.",
        "gates-cost-alike",
    ),
    b=Option(
        "about half: images are smaller there",
        "The gate sees one mean per channel. The size of the image does not matter to it.",
        "image-size-counts",
    ),
    c=Option(
        "about five times as many",
        "Weights grow with the square of the channels, and late blocks have more channels.",
    ),
    d=Option(
        "about a hundred times as many",
        "The channels double twice, so one gate of the last stage costs about 4 x 4 times one of "
        "the first. That is the most that is possible.",
        "grows-exponentially",
    ),
)

LESSON.question(
    "seeds",
    "Two networks without gates differ in their seed only. After training, is the same "
    "block the stiffest in both?",
    right="a",
    a=Option(
        "yes, the first block after the stem",
        "As in lesson 05: its state is small, and it is moved most for its size.",
    ),
    b=Option(
        "yes, the last block, closest to the loss",
        "It gets its gradient first, but that does not make its step large.",
        "last-is-stiffest",
    ),
    c=Option(
        "no, each start has another one",
        "The starts differ and the place in the network does not. Here the place wins.",
        "chance-decides-all",
    ),
    d=Option(
        "no block stands out in either",
        "One does, clearly, in both.",
        "uniform-index",
    ),
)

LESSON.question(
    "pruned",
    "All six blocks were trained with a gate. Now each gate is replaced by its mean over the "
    "training images: a fixed number for each channel. For what share of the test images does "
    "the answer of the network change?",
    right="b",
    a=Option(
        "for more than half: without its gates the network is lost",
        "Without any factor a large share changes, as the first bar shows. With the mean it does "
        "not.",
        "gate-is-adaptive",
    ),
    b=Option("for less than one in twenty", "These gates were almost the same for all images."),
    c=Option(
        "for none at all: a mean is as good as the gate",
        "The gates do vary a little, so an answer changes here and there.",
        "mean-is-exact",
    ),
    d=Option(
        "for about a third",
        "You would be right if the gates were left out without a replacement.",
        "dropped-not-replaced",
    ),
)

LESSON.question(
    "constant",
    "Fixed numbers could replace the gates of this trained network. What follows?",
    right="d",
    a=Option(
        "Attention is useless",
        "Not from this: the network was trained with gates, and what they did meanwhile was not "
        "looked at.",
        "constant-is-useless",
    ),
    b=Option(
        "A network trained without gates would be as good",
        "Perhaps, but that is another experiment: such networks must be trained, with several "
        "seeds. Folding trains nothing.",
        "pruning-is-retraining",
    ),
    c=Option(
        "Each gate has the same value in every channel",
        "They differ from channel to channel, in each block.",
        "channels-and-samples",
    ),
    d=Option(
        "On these images the answers hardly depend on how the steps adapt",
        "That is what was measured: with fixed steps nearly all answers stay the same.",
    ),
)

LESSON.question(
    "best",
    "Twenty placements all have a true accuracy of 80 %. Each is measured once, with noise of "
    "1 point (standard deviation). On average the best of the twenty shows, and then, measured "
    "again, shows",
    right="c",
    a=Option(
        "80 %, then 80 %: noise averages out",
        "In the mean of the twenty it does. The maximum picks the luckiest of them.",
        "noise-averages-out",
    ),
    b=Option(
        "nearly 82 %, then nearly 82 %: it is the best, after all",
        "Its luck was part of the first measurement. The second has luck of its own.",
        "winner-stays",
    ),
    c=Option(
        "nearly 82 %, then 80 %",
        "The best of 20 draws lies almost two standard deviations up. The second draw is free.",
    ),
    d=Option(
        "nearly 82 %, then about 78 %: luck evens out",
        "Luck has no memory. The second measurement lies around the truth, not below it.",
        "luck-evens-out",
    ),
)

LESSON.question(
    "fallback",
    "The best placement of a search has 77.9 %. Trained again with new seeds it has 76.4 %. "
    "Which reading needs nothing but chance?",
    right="b",
    a=Option(
        "The network was overfitted to its training images",
        "It may be, but that would hold for both measurements.",
        "overfitting-explains-all",
    ),
    b=Option(
        "It was picked for being high, and part of that was luck",
        "Regression to the mean: expect it whenever the best is picked on what is reported.",
    ),
    c=Option(
        "The new seeds were bad ones",
        "Perhaps. But the first ones were picked for being good, and the new ones were not.",
        "bad-seeds",
    ),
    d=Option(
        "The placement is worse than the others",
        "It fell back towards them. Nothing says that it fell below.",
        "falls-below",
    ),
)

LESSON.question(
    "false",
    "Twenty placements, none better or worse than a network whose accuracy is known exactly. You "
    "take the best one and its 95 % interval for the difference, from 8 seeds. How often does the "
    "whole interval lie above 0?",
    right="d",
    a=Option(
        "in 2.5 % of such studies: 5 % are outside, half of them above",
        "That holds for one interval chosen beforehand. You looked at twenty.",
        "selection-free",
    ),
    b=Option(
        "never: there is no difference to find",
        "Intervals fail sometimes; that is what the 5 % are.",
        "no-effect-no-finding",
    ),
    c=Option(
        "in nearly all studies: 20 times 5 % is 100 %",
        "Half of the 5 % are on the low side, and chances that may happen together do not just "
        "add up.",
        "chances-add",
    ),
    d=Option(
        "in about 30 %",
        "In 40 % of studies, 1 - 0.975^20, some interval lies above 0. Mostly it is the best "
        "one's.",
    ),
)

LESSON.question(
    "judge",
    "A search tried 100 placements, one seed each, on the test images. The best beats attention "
    "everywhere by 1 point. What do you ask for first?",
    right="a",
    a=Option(
        "the best one again, with new seeds, beside attention everywhere with the same seeds",
        "The new seeds took no part in the choice, and pairs cancel the noise in common.",
    ),
    b=Option(
        "1,000 placements, so that the search is thorough",
        "The best of more draws lies higher still, by chance alone.",
        "more-tickets-more-truth",
    ),
    c=Option(
        "more test images",
        "They help against one part of the noise. The choice from 100 stays uncounted.",
        "test-size-only",
    ),
    d=Option(
        "nothing: 1 point is a lot",
        "Among 100 draws with a noise of 0.4 points the best lies 1 point up, by chance.",
        "size-proves",
    ),
)


# 1. attention_mask


@LESSON.exercise(
    "attention_mask",
    title="Where gates go",
    points=1,
    minutes=5,
    difficulty=1,
    importance=4,
    signature="num_blocks, chosen",
    reference=attention_mask,
)
def _judge_attention_mask(trial: Trial) -> None:
    """By membership, block after block; then numbers that are no blocks."""
    _expect_mask(trial, 6, [0, 3], "For 6 blocks and chosen = [0, 3]")
    _expect_mask(trial, 4, [2, 1, 2], "For 4 blocks and chosen = [2, 1, 2]")
    _expect_mask(trial, 3, [], "For 3 blocks and chosen = []")
    for _ in range(4):
        n = int(trial.draw.integers(1, 30))
        chosen = trial.draw.integers(0, n, size=trial.draw.integers(1, n + 1))
        case = f"For {n} blocks and an array of {len(chosen)} numbers"
        _expect_mask(trial, n, chosen, case)
    _expect_mask(trial, 5, [4], "For 5 blocks and chosen = [4]")
    _expect_named(trial, 6, [1, 6], 6, "the blocks have the numbers 0 to 5")
    _expect_named(trial, 6, [-1, 2], -1, "it would quietly mean a block counted from the end")
    n = int(trial.draw.integers(2, 40))
    _expect_named(trial, n, np.array([n + 3, 0]), n + 3, "there is no such block")


def _expect_mask(trial: Trial, num_blocks: int, chosen, case: str) -> None:
    try:
        got = trial.call(num_blocks, chosen)
    except LearnerError as error:
        if len(chosen) == 0 and isinstance(error.original, IndexError):
            trial.fail(
                f"{case} yours raised {type(error.original).__name__}. NumPy makes an array of "
                "fractions of an empty list, and fractions are no places: give its dtype.",
                "empty-is-float",
            )
        raise
    got = np.asarray(got) if isinstance(got, list | tuple) else got
    members = [int(i) for i in chosen]
    want = np.array([block in members for block in range(num_blocks)], dtype=bool)
    ones = np.array([block + 1 in members for block in range(num_blocks)], dtype=bool)
    suspects = [
        Suspect(~want, "inverted", "Yours marks the blocks without attention."),
        Suspect(ones, "counts-from-one", "Blocks are counted from 0."),
        Suspect([members.count(b) % 2 for b in range(num_blocks)], "repeated-toggles",
                "A block that is named twice has attention, too."),
        Suspect(np.array(members), "numbers-not-mask",
                "Those are the chosen numbers. One bool for each block is asked."),
        Suspect([block < len(members) for block in range(num_blocks)], "first-ones",
                "You marked as many blocks as were chosen, from the first on."),
    ]  # fmt: skip
    if not isinstance(got, np.ndarray) or got.dtype.kind not in "biuf":
        trial.expect(got, want, case)
    trial.expect(
        got.astype(int) if got.dtype == bool else got, want.astype(int), case,
        "the mask, written with 0 and 1, should be {want}; yours is {got}",
        [Suspect(np.asarray(s.value).astype(int), s.misconception, s.why) for s in suspects],
    )  # fmt: skip
    _expect_bools(trial, got, case)


def _expect_bools(trial: Trial, got: np.ndarray, case: str) -> None:
    if got.dtype != bool:
        trial.fail(
            f"{case} the values are right, but their dtype is {got.dtype.name}; it should be bool. "
            "Numbers of 0 and 1 mean something else when they are used as an index.",
            "wrong-dtype",
        )


def _expect_named(trial: Trial, num_blocks: int, chosen, culprit: int, why: str) -> None:
    shown = [int(i) for i in chosen]
    asked = f"For {num_blocks} blocks and chosen = {shown}"
    try:
        trial.call(num_blocks, chosen)
    except LearnerError as error:
        if not isinstance(error.original, ValueError | IndexError):
            raise
        if str(culprit) not in str(error.original):
            trial.fail(
                f"{asked} your message does not name the number {culprit}: "
                f"{str(error.original)!r:.60}. Say which one is wrong.",
                "culprit-unnamed",
            )
        return
    trial.fail(
        f"{asked} a ValueError should be raised that names {culprit}: {why}. Yours returned "
        "a mask.",
        "out-of-range-passes",
    )


# 2. rank_blocks


@LESSON.exercise(
    "rank_blocks",
    title="The stiffest blocks first",
    points=2,
    minutes=8,
    difficulty=2,
    importance=4,
    signature="values, names, blocks",
    reference=rank_blocks,
)
def _judge_rank_blocks(trial: Trial) -> None:
    """Medians by Python's `statistics`, and a selection of the largest, one after the other."""
    blocks = ["a", "b", "c", "d"]
    values = np.array([[0.1, 0.8, 0.0], [2.4, 0.9, 0.6], [0.1, 0.8, 2.6], [0.2, 0.8, 0.0],
                       [2.4, 0.8, 0.6]])  # fmt: skip
    _expect_order(
        trial, values, ["a", "b", "d"], blocks,
        "For medians 0.2, 0.8, 0.6 of blocks a, b, d, where blocks = [a, b, c, d]",
    )  # fmt: skip
    tied = np.array([[0.5, 2.0, 0.5, 2.0], [0.5, 2.0, 0.5, 2.0]])
    _expect_order(trial, tied, blocks, blocks, "For medians 0.5, 2, 0.5, 2 of blocks a, b, c, d")
    outliers = np.array([[0.3, 0.4], [0.3, 0.4], [np.inf, 0.4]])
    _expect_order(trial, outliers, ["a", "c"], blocks[:3],
                  "For an index that is infinite for one image of three")  # fmt: skip
    often = np.array([[np.inf, 0.4], [0.1, 0.4], [np.inf, 0.4]])
    _expect_order(trial, often, ["c", "a"], blocks[:3],
                  "For an index that is infinite for two images of three")  # fmt: skip
    many = [f"block{i}" for i in range(24)]
    _expect_order(trial, np.tile([0.5, 2.0], (3, 12)), many, many,
                  "For 24 blocks whose medians are 0.5 and 2 in turn")  # fmt: skip
    for samples in (1, 4, 7, 40):
        total = int(trial.draw.integers(3, 28))
        blocks = [f"stage{1 + 3 * i // total}_block{i}" for i in range(total)]
        measured = list(trial.draw.permutation(total)[: max(2, total - total // 4)])
        values = trial.draw.gamma(0.7, size=(samples, len(measured)))
        if trial.draw.uniform() < 0.5:
            values = np.ceil(3 * values) / 4  # so that medians tie
        case = f"For {samples} images and {len(measured)} measured blocks of {total}"
        _expect_order(trial, values, [blocks[i] for i in measured], blocks, case)


def _order(sizes: list[float]) -> list[int]:
    left, order = list(range(len(sizes))), []
    while left:
        order.append(left.pop(max(range(len(left)), key=lambda i: (sizes[left[i]], -i))))
    return order


def _expect_order(trial: Trial, values, names, blocks, case: str) -> None:
    columns = [[float(v) for v in column] for column in values.T]
    numbers = [blocks.index(name) for name in names]
    medians = [statistics.median(column) for column in columns]

    def placed(order):
        return np.array([numbers[i] for i in order])

    right = _order(medians)
    try:
        got = trial.call(values, tuple(names), list(blocks))
    except LearnerError as error:
        if isinstance(error.original, IndexError) and len(values) > len(names):
            trial.fail(
                f"{case} yours looked for a column that is not there: {error.original}. There are "
                f"{len(names)} columns and {len(values)} images; the median over the images, "
                f"axis=0, gives one number for each column.",
                "other-axis",
            )
        raise
    if isinstance(got, list | tuple) and got and all(isinstance(each, str) for each in got):
        trial.fail(f"{case} yours returned names. Their numbers in `blocks` are asked.",
                   "names-not-numbers")  # fmt: skip
    got = np.asarray(got) if isinstance(got, list | tuple) else got
    rising = sorted(range(len(medians)), key=lambda i: medians[i])
    suspects = [
        Suspect(np.array(right), "column-is-block",
                "Those are columns. Blocks that were not measured have no column, so look up the "
                "name in `blocks`."),
        Suspect(placed(rising), "least-stiff-first", "Yours begins with the smallest index."),
        Suspect(np.array(rising), "least-stiff-first", "Yours begins with the smallest index."),
        Suspect(placed(rising[::-1]), "ties-reversed",
                "Equal medians stand in the order of the blocks. Reversing a sorted list turns "
                "them round, too."),
        Suspect(placed(_order([sum(c) / len(c) for c in columns])), "mean-not-median",
                "You ranked by the mean, which one image can move far."),
        Suspect(placed(_order([max(c) for c in columns])), "peak-not-median",
                "You ranked by the largest value over the images."),
        Suspect(np.argsort(np.argsort(-np.array(medians), kind="stable")), "ranks-not-order",
                "Those are the ranks of the columns. The numbers of the blocks are asked, in "
                "order."),
        Suspect(np.array(medians), "medians-not-order", "Those are the medians themselves."),
    ]  # fmt: skip
    if _falls(got, dict(zip(numbers, medians, strict=True))):
        suspects.append(Suspect(got, "unstable-sort",
                                "Some medians are equal, and equal ones should stay in the order "
                                "of their columns. Not all sorting does that."))  # fmt: skip
    if values.shape[0] == values.shape[1]:
        across = _order([statistics.median(map(float, row)) for row in values])
        suspects.append(Suspect(placed(across), "other-axis", "Take medians over images: axis 0."))
    trial.expect(got, placed(right), case, "the order should be {want}; yours is {got}", suspects)
    if np.asarray(got).dtype.kind not in "iu":
        trial.fail(
            f"{case} the order is right, but its dtype is {np.asarray(got).dtype.name}. Numbers "
            "of blocks are whole numbers.",
            "wrong-dtype",
        )


def _falls(order, medians: dict) -> bool:
    """Whether these are all measured blocks, and their medians never rise."""
    if not isinstance(order, np.ndarray) or order.ndim != 1 or order.dtype.kind not in "iu":
        return False
    if sorted(order.tolist()) != sorted(medians):
        return False
    sizes = [medians[block] for block in order.tolist()]
    return all(a >= b for a, b in itertools.pairwise(sizes))


# 3. prune_attention

CHANNELS = 3
BLOCKS = ("stage1_block1", "stage1_block2", "stage2_block1")


class _Gate(keras.layers.Layer):
    """A gate that depends on the branch: sigmoid of a linear map of it."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")

    def call(self, branch):
        return branch * keras.ops.sigmoid(keras.ops.matmul(branch, self.kernel))


@lru_cache(maxsize=8)
def _network(gated: tuple[str, ...]) -> keras.Model:
    """A small network with the layer names of `cifar_resnet`; dense layers for convolutions."""
    layers = keras.layers
    x = inputs = keras.Input((CHANNELS,), name="image")
    for block in BLOCKS:
        y = layers.Dense(CHANNELS, use_bias=False, name=f"{block}_conv1")(x)
        y = layers.BatchNormalization(epsilon=1e-5, name=f"{block}_bn1")(y)
        y = layers.ReLU(name=f"{block}_relu1")(y)
        y = layers.Dense(CHANNELS, use_bias=False, name=f"{block}_conv2")(y)
        y = layers.BatchNormalization(epsilon=1e-5, name=f"{block}_bn2")(y)
        if block in gated:
            y = _Gate(name=f"{block}_attention")(y)
        x = layers.ReLU(name=f"{block}_relu")(layers.Add(name=block)([x, y]))
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


def _filled(draw: np.random.Generator, model: keras.Model) -> None:
    """New weights; what must be positive, the variances, is."""
    model.set_weights([draw.uniform(0.5, 1.5, w.shape) * np.where(
        draw.uniform(size=w.shape) < (0.0 if w.ndim == 1 else 0.4), -1, 1)
        for w in model.get_weights()])  # fmt: skip


@LESSON.exercise(
    "prune_attention",
    title="A gate becomes a number",
    points=3,
    minutes=12,
    difficulty=3,
    importance=4,
    signature="full, sparse, gates",
    reference=prune_attention,
)
def _judge_prune_attention(trial: Trial) -> None:
    """The network by hand, in NumPy, with the gate of each block or the number in its place."""
    one = BLOCKS[int(trial.draw.integers(3))]
    _filled(trial.draw, _network(BLOCKS))
    _filled(trial.draw, _network((one,)))  # the others are stale, which is enough
    for kept, samples in (((one,), 5), (BLOCKS, 5), ((), 1)):
        _expect_pruned(trial, kept, samples)


def _forward(weights: dict, x: np.ndarray, factors: dict, norms=None) -> np.ndarray:
    """The network's output; `factors` has a number for each channel, else the gate is asked."""

    def norm(name, y):
        gamma, beta, mean, variance = (norms or {}).get(name, weights[name])
        return gamma * (y - mean) / np.sqrt(variance + 1e-5) + beta

    for block in BLOCKS:
        y = np.maximum(norm(f"{block}_bn1", x @ weights[f"{block}_conv1"][0]), 0)
        y = norm(f"{block}_bn2", y @ weights[f"{block}_conv2"][0])
        if block in factors:
            y = y * factors[block]
        else:
            y = y / (1 + np.exp(-(y @ weights[f"{block}_attention"][0])))
        x = np.maximum(x + y, 0)
    return x @ weights["head"][0] + weights["head"][1]


def _expect_pruned(trial: Trial, kept: tuple[str, ...], samples: int) -> None:
    draw = trial.draw
    full, sparse = _network(BLOCKS), _network(kept) if kept != BLOCKS else _twin()
    weights = {layer.name: layer.get_weights() for layer in full.layers}
    before = full.get_weights()
    gates = {block: draw.uniform(0.2, 0.9, (samples, CHANNELS)).astype("float32")
             for block in BLOCKS}  # fmt: skip
    x = draw.normal(size=(4, CHANNELS)).astype("float32")
    own = {layer.name: layer.get_weights() for layer in sparse.layers}
    removed = [block for block in BLOCKS if block not in kept]
    names = "no block" if not kept else ", ".join(kept)
    case = f"For a sparse network with attention at {names}"
    got = _asked(trial, full, sparse, gates, case)
    if got is full:
        trial.fail(f"{case} yours returned `full`. Return `sparse`, with its new weights.",
                   "full-returned")  # fmt: skip
    if not isinstance(got, keras.Model):
        what = "None. Is there a `return`?" if got is None else f"a {type(got).__name__}."
        trial.fail(f"{case} the network `sparse` should come back; yours returned {what}",
                   "no-return" if got is None else "not-a-model")  # fmt: skip
    if got is not sparse:
        trial.fail(f"{case} yours returned another network. Return `sparse` itself, with its new "
                   "weights.", "another-network")  # fmt: skip
    if any(not np.array_equal(a, b) for a, b in zip(before, full.get_weights(), strict=True)):
        trial.fail(f"{case} the weights of `full` were changed. Change those of `sparse` only.",
                   "full-changed")  # fmt: skip
    means = {block: gates[block].mean(axis=0) for block in removed}
    out = keras.ops.convert_to_numpy(trial.run(lambda: got(x), "the pruned network on 4 samples"))
    want = _forward(weights, x, means)
    suspects = _misread_prunings(weights, x, gates, removed, means)
    stale = _forward(own, x, dict.fromkeys(removed, 1.0))
    suspects.append(
        Suspect(stale, "not-copied", "Those are its own weights still: take over those of `full`.")
    )
    trial.expect(out, want, case, "its output should be {want}; yours is {got}", suspects,
                 tolerance=SINGLE)  # fmt: skip


@lru_cache(maxsize=1)
def _twin() -> keras.Model:
    """Another network with attention everywhere."""
    return keras.models.clone_model(_network(BLOCKS))


def _asked(trial: Trial, full, sparse, gates, case: str):
    try:
        return trial.call(full, sparse, gates)
    except LearnerError as error:
        said = str(error.original)
        if "No such layer" in said:
            trial.fail(
                f"{case} yours asked for a layer that is not there: {said.split('.')[0]}. `sparse` "
                "lacks the attention of some blocks: go through its layers.",
                "layers-of-full",
            )
        if "broadcast" in said:
            trial.fail(
                f"{case} two arrays do not fit together: {said.splitlines()[0]}. The mean of a "
                f"gate over the images, axis=0, leaves one number for each channel.",
                "other-axis",
            )
        if _lists_differ(said):
            trial.fail(
                f"{case} the two lists of weights do not fit together: `sparse` has fewer layers. "
                "Take them over layer by layer, by name.",
                "by-position",
            )
        raise


def _lists_differ(said: str) -> bool:
    """Whether Keras said that lists of weights differ in length or in shapes."""
    return "set_weights" in said or "Shape mismatch" in said or "weight list" in said


def _misread_prunings(weights, x, gates, removed, means) -> list[Suspect]:
    if not removed:
        every = {block: gates[block].mean(axis=0) for block in BLOCKS}
        return [Suspect(_forward(weights, x, every), "kept-folded",
                        "Blocks that keep their attention get no factor besides.")]  # fmt: skip

    def out(factors):
        return _forward(weights, x, factors)

    def folded(rule, place="bn2"):
        ones = dict.fromkeys(removed, np.ones(CHANNELS))
        norms = {f"{b}_{place}": rule(means[b], *weights[f"{b}_{place}"]) for b in removed}
        return _forward(weights, x, ones, norms)

    ones = dict.fromkeys(removed, np.ones(CHANNELS))
    over_channels = {b: gates[b].mean() * np.ones(CHANNELS) for b in removed}
    first = {b: gates[b][0] for b in removed}
    kept_too = {f"{b}_bn2": [w * gates[b].mean(axis=0) if i < 2 else w
                             for i, w in enumerate(weights[f"{b}_bn2"])]
                for b in BLOCKS if b not in removed}  # fmt: skip
    beside = "The whole branch gets smaller: scale and offset of the normalisation."
    return [
        Suspect(out(ones), "gate-becomes-one",
                "The removed gates left no trace: the steps have size 1 now. Put their means into "
                "the last normalisation."),
        Suspect(out(over_channels), "mean-over-all",
                "You took one mean for all channels. Each channel has its own: axis 0 only."),
        Suspect(out(first), "first-image", "You took the gate of one image. Take the mean."),
        Suspect(folded(lambda a, g, b, m, v: (a * g, b, m, v)), "scale-only", beside),
        Suspect(folded(lambda a, g, b, m, v: (g, a * b, m, v)), "offset-only", beside),
        Suspect(folded(lambda a, g, b, m, v: (a * g, a * b, a * m, a * v)), "statistics-too",
                "The moving mean and variance describe what comes in, which stays as it was."),
        Suspect(folded(lambda a, g, b, m, v: (a * g, a * b, a * m, v)), "statistics-too",
                "The moving mean describes what comes in, which stays as it was."),
        Suspect(folded(lambda a, g, b, m, v: (a * g, a * b, m, v), "bn1"), "wrong-norm",
                "You changed the first normalisation. The gate comes after the last one, bn2."),
        Suspect(_forward(weights, x, means, kept_too), "kept-folded",
                "Blocks that keep their attention get no factor besides."),
    ]  # fmt: skip


# 4. random_tickets


@LESSON.exercise(
    "random_tickets",
    title="Draw without favour",
    points=2,
    minutes=9,
    difficulty=3,
    importance=4,
    signature="num_blocks, keep, count, rng",
    reference=random_tickets,
    limit=6.0,
)
def _judge_random_tickets(trial: Trial) -> None:
    """The set of all masks by brute force; how often each of them comes, over many draws."""
    seed = int(trial.draw.integers(2**31))
    rng = np.random.default_rng(seed)
    _masks(trial, 6, 3, 5, rng)
    _every_mask(trial, 5, 2, rng)
    for num_blocks, keep, count in ((4, 0, 1), (3, 3, 1), (1, 1, 1), (18, 9, 7), (7, 1, 6)):
        _masks(trial, num_blocks, keep, count, rng)
    _expect_refusal(trial, 4, 2, 7, rng)
    _uses_rng(trial, seed)
    _every_mask_as_often(trial, rng)


def _masks(trial: Trial, num_blocks: int, keep: int, count: int, rng) -> np.ndarray:
    case = f"For {num_blocks} blocks, keep = {keep} and count = {count}"
    try:
        got = trial.call(num_blocks, keep, count, rng)
    except LearnerError as error:
        if count == math.comb(num_blocks, keep) and isinstance(error.original, ValueError):
            trial.fail(
                f"{case} yours raised ValueError: {str(error.original)!r:.60}. There are just "
                f"{count} such masks: all of them are asked for.",
                "all-refused",
            )
        raise
    if got is None:
        trial.fail(f"{case} yours returned None. Is there a `return`?", "no-return")
    if not isinstance(got, np.ndarray):
        trial.fail(
            f"{case} the result should be a NumPy array; yours is a {type(got).__name__}. "
            "np.array(...) makes an array of a list.",
            "not-an-array",
        )
    if got.shape != (count, num_blocks):
        short = got.ndim == 2 and got.shape[1:] == (num_blocks,) and len(got) < count
        trial.fail(
            f"{case} the result should have shape {(count, num_blocks)}; yours has {got.shape}."
            + (" Draw on until you have enough different ones." if short else ""),
            "too-few" if short else "wrong-shape",
        )
    if got.dtype != bool:
        trial.fail(f"{case} the masks should be bools; yours have dtype {got.dtype.name}.",
                   "wrong-dtype")  # fmt: skip
    for row in got:
        if int(row.sum()) != keep:
            trial.fail(
                f"{case} a mask has {int(row.sum())} blocks with attention instead of {keep}. A "
                "chance for each block gives the right number on average only.",
                "number-varies",
            )
    if len({tuple(row) for row in got.tolist()}) < count:
        trial.fail(
            f"{case} a mask came twice. Different tickets are asked for.",
            "repeats",
        )
    return got


def _every_mask(trial: Trial, num_blocks: int, keep: int, rng) -> None:
    everything = set(itertools.combinations(range(num_blocks), keep))
    got = _masks(trial, num_blocks, keep, len(everything), rng)
    found = {tuple(np.flatnonzero(row).tolist()) for row in got}
    if found != everything:  # cannot be: as many, different, of the right size
        trial.fail(f"There are masks with {keep} of {num_blocks} blocks that yours left out.")


def _expect_refusal(trial: Trial, num_blocks: int, keep: int, count: int, rng) -> None:
    case = f"For {num_blocks} blocks, keep = {keep} and count = {count}"
    there = math.comb(num_blocks, keep)
    try:
        got = trial.call(num_blocks, keep, count, rng)
    except LearnerError as error:
        if isinstance(error.original, ValueError):
            return
        raise
    trial.fail(
        f"{case} a ValueError should be raised: there are only {there} such masks. Yours returned "
        f"an array of shape {np.shape(got)}.",
        "more-than-exist",
    )


def _uses_rng(trial: Trial, seed: int) -> None:
    first, again = (_masks(trial, 16, 8, 6, np.random.default_rng(seed)) for _ in range(2))
    if not np.array_equal(first, again):
        trial.fail(
            "With two generators of the same seed yours drew different tickets. Draw with `rng` "
            "only, so that an experiment can be repeated.",
            "rng-ignored",
        )
    rng = np.random.default_rng(seed)
    one, other = _masks(trial, 16, 8, 6, rng), _masks(trial, 16, 8, 6, rng)
    if np.array_equal(one, other):
        trial.fail(
            "Two calls with the same generator drew the same tickets, 6 of 12,870 masks. Use the "
            "generator that is given, and do not make one.",
            "always-the-same",
        )


def _every_mask_as_often(trial: Trial, rng) -> None:
    """How often each mask, and each pair of masks, comes: all alike but for chance."""
    places = list(itertools.combinations(range(4), 2))
    seen, pairs = dict.fromkeys(places, 0), {}
    for _ in range(CALLS):
        rows = np.asarray(trial.call(4, 2, 2, rng))
        drawn = sorted(tuple(np.flatnonzero(row).tolist()) for row in rows)
        pairs[tuple(drawn)] = pairs.get(tuple(drawn), 0) + 1
        for place in drawn:
            seen[place] += 1
    asked = f"In {CALLS} draws of 2 of the 6 masks with 2 of 4 blocks"
    worst = max(places, key=lambda place: abs(seen[place] - CALLS / 3))
    if abs(seen[worst] - CALLS / 3) > _reach(1 / 3, CHANCE):
        trial.fail(
            f"{asked}, the mask with blocks {worst[0]} and {worst[1]} came {seen[worst]} times; "
            f"about {CALLS / 3:.0f} would be fair. Each mask should be equally likely.",
            "not-uniform",
        )
    most = max(pairs, key=pairs.get)
    if pairs[most] - CALLS / 15 > _reach(1 / 15, CHANCE_OF_PAIRS):
        trial.fail(
            f"{asked}, the masks with blocks {most[0]} and {most[1]} came together {pairs[most]} "
            f"times; about {CALLS / 15:.0f} would be fair. One ticket should tell nothing of the "
            "next, but that it is another one.",
            "not-uniform",
        )


def _reach(share: float, deviations: float) -> float:
    return deviations * math.sqrt(CALLS * share * (1 - share))


# 5. ticket_interval


@LESSON.exercise(
    "ticket_interval",
    title="An interval that counts the looks",
    points=3,
    minutes=10,
    difficulty=3,
    importance=5,
    signature="ticket, baseline, candidates, confidence",
    reference=ticket_interval,
)
def _judge_ticket_interval(trial: Trial) -> None:
    """Student's quantiles from the incomplete beta function; sums of squares in Python."""
    ticket, baseline = np.array([0.80, 0.82, 0.81, 0.85]), np.array([0.78, 0.81, 0.81, 0.80])
    _expect_interval(trial, ticket, baseline, (), "For differences 0.02, 0.01, 0, 0.05")
    _expect_interval(trial, ticket, baseline, (10,),
                     "For differences 0.02, 0.01, 0, 0.05 and 10 candidates")  # fmt: skip
    for seeds in (2, 3, 5, 10, 25):
        both = trial.draw.normal(0.8, 0.05, seeds)  # what the two networks of a seed share
        noise = trial.draw.normal(0, 0.01, (2, seeds))
        candidates = int(trial.draw.integers(2, 60))
        confidence = round(float(trial.draw.uniform(0.5, 0.99)), 2)
        case = f"For {seeds} seeds, {candidates} candidates and confidence {confidence}"
        _expect_interval(trial, both + noise[0], both + noise[1], (candidates, confidence), case)
    _one_seed(trial)


def _sided(freedom: int, risk: float) -> float:
    """The number that Student's t exceeds in size with the chance `risk`."""
    from scipy import special

    return math.sqrt(freedom * (1 / special.betaincinv(freedom / 2, 0.5, risk) - 1))


def _expect_interval(trial: Trial, ticket, baseline, more: tuple, case: str) -> None:
    candidates, confidence = (*more, 1, 0.95)[:1] + (more[1:] or (0.95,))
    low, high = _ends(trial, trial.call(ticket, baseline, *more), case)
    n = len(ticket)
    pairs = [float(a) - float(b) for a, b in zip(ticket, baseline, strict=True)]
    mean = math.fsum(pairs) / n
    squares = math.fsum((d - mean) ** 2 for d in pairs)
    error = math.sqrt(squares / (n - 1) / n)
    risk = 1 - confidence
    each = risk / candidates
    want = np.array([mean - _sided(n - 1, each) * error, mean + _sided(n - 1, each) * error])
    got = np.array([low, high])

    def at(reach):
        return np.array([mean - reach, mean + reach])

    spread = [np.var(v, ddof=1) for v in (ticket, baseline)]
    unpaired = math.sqrt(sum(spread) / n)
    normal = statistics.NormalDist().inv_cdf(1 - each / 2)
    suspects = [
        Suspect(want[::-1], "ends-swapped", "The lower end comes first."),
        Suspect(-want[::-1], "sign", "The difference is ticket minus baseline."),
        Suspect(at(_sided(n - 1, each) * unpaired), "unpaired",
                "You lost the pairs. Take differences seed by seed, then their spread."),
        Suspect(at(_sided(2 * n - 2, each) * unpaired), "unpaired",
                "You lost the pairs. Take differences seed by seed, then their spread."),
        Suspect(at(normal * error), "normal-not-student",
                "That is the normal distribution's factor. The spread is itself an estimate from "
                "a few seeds: Student's t knows that."),
        Suspect(at(_sided(n, each) * error), "wrong-freedom", "n seeds leave n - 1 degrees."),
        Suspect(at(_sided(n - 1, 2 * each) * error), "one-sided",
                "Half of the risk belongs to each side: t at 1 - risk / 2."),
        Suspect(at(_sided(n - 1, each) * error * math.sqrt((n - 1) / n)), "biased-spread",
                "You divided the squares by n. With ddof=1 it is n - 1."),
        Suspect(at(_sided(n - 1, each) * error * math.sqrt(n)), "spread-not-error",
                "That is where single differences lie. A mean of n varies less, by √n."),
        Suspect(at(_sided(n - 1, risk) * error), "selection-free",
                "The number of candidates is not used."),
        Suspect(at(_sided(n - 1, min(1.0, risk * candidates) - 1e-12) * error), "risk-multiplied",
                "With more candidates the interval must become wider: divide the risk."),
        Suspect(at(_sided(n - 1, 1 - confidence / candidates) * error), "confidence-divided",
                "You divided the confidence. Divide the risk, 1 - confidence."),
        Suspect(at(_sided(n - 1, 1 - confidence ** (1 / candidates)) * error), "other-correction",
                "That is Šidák's correction, nearly the same. Divide the risk instead."),
        Suspect(at(_sided(n - 1, risk) * error * candidates), "interval-multiplied",
                "You multiplied the interval. Divide the risk by the number of candidates."),
    ]  # fmt: skip
    if candidates == 1:
        suspects = [s for s in suspects if not np.allclose(s.value, want)]
    trial.expect(got, want, case, "the interval should be {want}; yours is {got}", suspects,
                 tolerance=1e-8)  # fmt: skip


def _ends(trial: Trial, got, case: str):
    """What came back, as two numbers."""
    if got is None:
        trial.fail(f"{case} yours returned None. Is there a `return`?", "no-return")
    if not isinstance(got, tuple | list | np.ndarray) or np.shape(got) != (2,):
        trial.fail(f"{case} return two numbers, the lower and the upper end.", "not-a-pair")
    return got[0], got[1]


def _one_seed(trial: Trial) -> None:
    case = "For one seed"
    got = _ends(trial, trial.call(np.array([0.9]), np.array([0.8])), case)
    if tuple(float(v) for v in got) != (-math.inf, math.inf):
        trial.fail(
            f"{case} the interval should be (-inf, inf): one difference tells nothing of its "
            f"spread. Yours is ({float(got[0]):.3g}, {float(got[1]):.3g}).",
            "one-seed-certain",
        )
