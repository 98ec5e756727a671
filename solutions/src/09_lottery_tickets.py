# %% [markdown]
# # Lesson 09 · Tickets and chance
#
# Lesson 07 put a gate on every block of a network. Each gate costs weights and time. **Must every block have one? And if a network with fewer gates scores higher, how would you know that it was not luck?**
#
# After this lesson you can
#
# - **place** gates at chosen blocks of a network,
# - **rank** blocks by their stiffness index,
# - **replace** a gate by fixed numbers, and say what was lost,
# - **draw** placements by chance, as a yardstick for chosen ones,
# - **judge** the best of many by an interval that counts how many there were.
#
# Reminders from lessons 05 and 07. A residual block adds its *branch* `f(x)` to its *state* `x`. A *gate* multiplies the branch, channel by channel, with numbers that it computes from the input: a step size. *Squeeze and excitation* computes them from the mean of each channel of the branch, by two small dense layers. The *raw index* of a block is `||f(x)|| / ||x||`, for each image. Plan 75 minutes.

# %%
import itertools
import math

import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from stepkit import attention, datasets, stiffness
from stepkit.layers import residual_blocks
from stepkit.models import cifar_resnet

# %% [markdown]
# ## 1. A gate here, none there
#
# Huang and others (arXiv 2207.07858) gave gates to some blocks of a network only, drawn by chance. One of their figures shows a ResNet with 38 layers, apparently on images of 100 classes. Read off by eye: about 65.0 % right without gates, 66.8 % with gates everywhere, and between 63.7 % and 67.2 % for the placements with gates at a fifth of the blocks.
#
# So some do better than gates everywhere, and some do worse than none. The authors call the good ones *lottery tickets*, after Frankle and Carbin, and search for them.
#
# `cifar_resnet(…, attention_blocks=mask)` builds such networks. A *mask* has one bool for each block: has it a gate?

# %% [markdown] exercise="attention_mask"
# Return a mask for `num_blocks` blocks that is `True` at the numbers in `chosen`, a list or an array of whole numbers from 0. A number may come twice, and `chosen` may be empty.
#
# A number that is no block, too large or *negative*, is a mistake of the caller: raise a `ValueError` (or `IndexError`) whose message contains it. About five lines.

# %% answer="attention_mask"
def attention_mask(num_blocks, chosen):
    """For each block whether it gets attention.

    num_blocks: int
    chosen: list or array of ints, numbers of blocks
    Returns a bool array (num_blocks,).
    """
    # BEGIN SOLUTION
    mask = np.zeros(num_blocks, dtype=bool)
    for number in chosen:
        if number < 0 or number >= num_blocks:
            raise ValueError(f"there is no block {number} among {num_blocks}")
        mask[number] = True
    return mask
    # END SOLUTION


# %%
check("09.attention_mask")

# %% [markdown] help="attention_mask"
# ## how do I begin?
# With an array of `False`: `np.zeros` takes a `dtype`. Then set some places.
# ## why are negative numbers a mistake?
# `mask[-1]` is the last block in Python. A caller who computed -1 by accident would never know.
# ## Why
# A loop sets one place after the other, so that twice is as good as once and an empty list sets none. The test before each place keeps -1 from counting from the end.

# %% [markdown] question="cost"
# **Predict before you run.**

# %%
predict("09.cost", ...)

# %%
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=["#0072B2", "#D55E00", "#009E73"])
mask_of = use("09.attention_mask")


def network(gate=None, chosen=range(6)):
    mask = None if gate is None else mask_of(6, list(chosen))
    return cifar_resnet(14, gate, 10, block="basic", width=8, input_shape=(8, 8, 1),
                        attention_blocks=mask)  # fmt: skip


gate = attention.SqueezeExcite(reduction=4)
plain = network()
costs = [network(gate, [i]).count_params() - plain.count_params() for i in range(6)]
names = [block.name for block in residual_blocks(plain)]
print(f"without gates {plain.count_params()} weights; "
      f"first three gates {sum(costs[:3])} more, last three {sum(costs[3:])} more")  # fmt: skip
plt.figure(figsize=(7, 2.6))
plt.bar(names, costs)
plt.ylabel("weights of a gate")
plt.xticks(rotation=20)
plt.show()
predict("09.cost")

# %% [markdown]
# *What the figure shows:* the two gates of a stage cost the same, and each stage costs nearly four times what the stage before costs. A placement is judged by what it costs, too.
#
# ## 2. Stiffest first
#
# Which blocks should keep their gates? The StepNet paper (ICCV 2023) says in its abstract that its view explains the tickets: a gate adapts a step size, as a solver does where a problem is stiff. We have not read how it argues. Our reading, to be tested: *gates are needed at the stiff blocks only*. So rank the blocks by their index.
#
# One trap: an index compares a block's step with the state that it steps from. In a block that changes the shape of the state, the two live in different spaces. So `neural_stiffness_index` leaves such blocks out. Its columns have names, and column 2 need not be block 2.

# %% [markdown] exercise="rank_blocks"
# `values[i, j]` is the index of the block called `names[j]` for image `i`. Return the *numbers of these blocks in the list* `blocks`, from the stiffest to the least stiff.
#
# What counts is the median over the images, since one image may have an enormous or even infinite index. Blocks with equal medians stay in the order of their columns. `blocks` has all names in order; some were not measured, and are left out. About three lines.

# %% answer="rank_blocks"
def rank_blocks(values, names, blocks):
    """Numbers of the measured blocks, the stiffest first.

    values: array (images, measured blocks)
    names: list or tuple of str, one for each column of values
    blocks: list of str, all blocks of the network
    Returns an int array (measured blocks,).
    """
    # BEGIN SOLUTION
    medians = np.median(values, axis=0)
    order = np.argsort(-medians, kind="stable")
    return np.array([blocks.index(names[column]) for column in order])
    # END SOLUTION


# %%
check("09.rank_blocks")

# %% [markdown] help="rank_blocks"
# ## how do I sort from the largest on?
# `np.argsort` gives the places of the smallest first. Sort the medians with a minus sign.
# ## what happens with equal medians?
# Ask `np.argsort` for `kind="stable"`, which keeps the order of equal values. Turning a rising order round would reverse them.
# ## from column to block
# The column has a name. Where in the list `blocks` does this name stand? Lists have a method `index`.
# ## Why
# The order is one of columns. A block without a column would shift all later numbers by one, so each goes through its name.

# %% [markdown] question="seeds"
# **Predict before you run.** The cell after it trains two small networks on 300 noisy images of digits. Their *stem* is the one convolution before the first block.

# %%
predict("09.seeds", ...)

# %%
(x, y), (x_test, y_test) = datasets.digits(test_fraction=0.5, seed=0)
rng = np.random.default_rng(0)
x, x_test = (v + rng.normal(0, 0.25, v.shape).astype("float32") - 0.5 for v in (x, x_test))
x, y = x[:300], y[:300]


def train(seed, *placement):
    keras.utils.set_random_seed(seed)
    model = network(*placement)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=15, batch_size=64, verbose=0)
    return model


def answers(model):
    return model.predict(x_test, batch_size=128, verbose=0).argmax(axis=-1)


rank = use("09.rank_blocks")
scores, orders = {}, {}
for seed, line in ((0, "o-"), (1, "s--")):
    plain = train(seed)
    index = stiffness.neural_stiffness_index(plain, x_test)
    orders[seed] = rank(index.values, index.names, names)
    scores[seed] = np.mean(answers(plain) == y_test)
    print(f"seed {seed}: {scores[seed]:.3f} right, stiffest first: {orders[seed]}")
    plt.plot(index.names, np.median(index.values, axis=0), line, label=f"seed {seed}")
plt.ylabel("raw index, median over images")
plt.ylim(bottom=0)
plt.legend()
plt.show()
predict("09.seeds")

# %% [markdown]
# *What the figure shows:* after training, both networks have their largest index in the first block. The other three lie close together.
#
# Note what this does to our test. If the stiffest block is the first one in every network, then "a gate at the stiffest block" and "a gate at the first block" are the same placement, and no accuracy can tell them apart. A cause and a companion that always come together are *confounded*.
#
# ## 3. What does a gate do that a number cannot?
#
# There is a cheaper question than training again: what does a trained gate do? If it gave the same value for every image, it would be a fixed step size. And a fixed factor needs no gate: the branch ends with a batch normalisation,
#
# `γ (y − mean) / √(variance + ε) + β`
#
# with learned `γ` and `β`; mean and variance are moving averages, kept from training. A factor `a` turns `γ` and `β` into `a γ` and `a β`. This is called *folding*. The gate, its weights and its time are gone.

# %% [markdown] exercise="prune_attention"
# `full` has a gate in each block, `sparse` is the same network with fewer gates. Give each layer of `sparse` the weights of the layer of `full` with the same name. Then, for each block that has lost its gate, fold the *mean over the images* of that gate into its last normalisation, and return `sparse`.
#
# The layers of block `b` are called `b + "_attention"` and `b + "_bn2"`. A normalisation has the weights γ, β, moving mean, moving variance, in this order. Blocks that keep their gate get no factor, and `full` stays as it is. About nine lines.

# %% answer="prune_attention"
def prune_attention(full, sparse, gates):
    """Move a trained network into one with fewer gates; means stand for those that are missing.

    full: keras.Model with attention in each block
    sparse: keras.Model, the same with attention in some blocks or in none
    gates: dict, block name -> array (images, channels), the gates of full
    Returns sparse.
    """
    # BEGIN SOLUTION
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())
    present = [layer.name for layer in sparse.layers]
    for block, gate in gates.items():
        if block + "_attention" not in present:
            norm = sparse.get_layer(block + "_bn2")
            gamma, beta, mean, variance = norm.get_weights()
            step = np.mean(gate, axis=0)
            norm.set_weights([step * gamma, step * beta, mean, variance])
    return sparse
    # END SOLUTION


# %%
check("09.prune_attention")

# %% [markdown] help="prune_attention"
# ## how do I move weights?
# `layer.get_weights()` is a list of arrays, and `set_weights` takes such a list. `model.get_layer(name)` finds a layer. Which of the two networks has all the names?
# ## which blocks have lost their gate?
# Those whose `_attention` layer is in `gates`, by its block, but not among the names of the layers of `sparse`.
# ## what exactly do I scale?
# Two of the four arrays. Mean and variance describe what comes into the normalisation, and that stays as it was.
# ## Why
# Names survive where positions do not: a missing layer shifts everything after it. The gate multiplies the whole output of the normalisation, so scale and offset both get the factor.

# %% [markdown] question="pruned"
# **Predict before you run.**

# %%
predict("09.pruned", ...)

# %%
prune = use("09.prune_attention")
full = train(0, gate)
gates = attention.gate_values(full, x)
before = answers(full)
forms = {"gates left out (1)": {name: np.ones_like(g) for name, g in gates.items()},
         "gates replaced by means": gates}  # fmt: skip
changed = {}
for form, numbers in forms.items():
    after = answers(prune(full, network(), numbers))
    changed[form] = np.mean(after != before)
    print(f"{form}: {np.mean(after == y_test):.3f} right, {changed[form]:.1%} of answers changed")
print(f"with gates: {np.mean(before == y_test):.3f} right")
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.bar(list(changed), list(changed.values()), color=["#D55E00", "#0072B2"])
left.set(ylabel="share of answers changed")
left.tick_params(axis="x", labelsize=8)
right.plot(names, [g.mean(axis=0).std() for g in gates.values()], "o-", label="between channels")
right.plot(names, [g.std(axis=0).mean() for g in gates.values()], "s--", label="between images")
right.set(ylabel="standard deviation of the gate", ylim=(0, None))
right.tick_params(axis="x", labelsize=7, rotation=20)
right.legend()
plt.show()
predict("09.pruned")

# %% [markdown]
# *What the figure shows:* left, without any factor a large share of the answers changes; with the mean gate hardly any does. Right, gates differ between channels in every block; between images they hardly differ in the early blocks, and more in the last ones.
#
# So the answers hardly depend on how these gates adapt to the image. In the early blocks the gates are close to fixed numbers; in the last ones they do adapt, and it hardly shows. Zhong and others (ASR, 2024) saw gates of larger networks become nearly constant in training, too.

# %% [markdown] question="constant"
# **Checkpoint.**

# %%
checkpoint("09.constant", ...)

# %% [markdown]
# ## 4. What chance can do
#
# To judge a chosen placement, compare it with placements that nobody chose: as many gates, at blocks drawn by lot. If the stiffest blocks do no better than those, stiffness was no guide.

# %% [markdown] exercise="random_tickets"
# Draw `count` *different* masks with exactly `keep` of `num_blocks` blocks each, such that every mask is equally likely. Draw with the generator `rng` only, so that a seed repeats the experiment.
#
# If fewer masks than `count` exist, raise a `ValueError`; if just as many exist, return all of them. `keep` may be 0. There are at most 18 blocks. About eight lines.

# %% answer="random_tickets"
def random_tickets(num_blocks, keep, count, rng):
    """Different random masks.

    num_blocks, keep, count: ints
    rng: np.random.Generator
    Returns a bool array (count, num_blocks) with `keep` times True in each row.
    """
    # BEGIN SOLUTION
    if count > math.comb(num_blocks, keep):
        raise ValueError(f"there are no {count} different masks with {keep} of {num_blocks}")
    masks = []
    while len(masks) < count:
        mask = [block < keep for block in rng.permutation(num_blocks)]
        if mask not in masks:
            masks.append(mask)
    return np.array(masks)
    # END SOLUTION


# %%
check("09.random_tickets")

# %% [markdown] help="random_tickets"
# ## how do I draw one mask?
# `rng.choice(num_blocks, size=keep, replace=False)` draws `keep` different blocks. So does a random order, `rng.permutation`, of which you take the first `keep`.
# ## how do I get different ones?
# Draw again while the new one is there already. Lists can be compared with `==` and found with `in`; arrays cannot.
# ## how many masks are there?
# `math.comb(n, k)` counts the ways to choose k of n. Without that test a loop that waits for one more mask never ends.
# ## Why
# Each draw is fair, and throwing away repetitions favours none of the masks that are left. Tossing a coin for each block would give the right number on average only.

# %% [markdown] question="best"
# **Predict before you run.** No network is needed for this: only chance.

# %%
predict("09.best", ...)

# %%
draw_tickets = use("09.random_tickets")
tickets = draw_tickets(18, 6, 20, np.random.default_rng(0))
first, second = np.random.default_rng(1).normal(80, 1, (2, 2000, 20))  # 2000 studies
winners = np.arange(2000), first.argmax(axis=1)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.imshow(tickets, cmap="Greys", vmax=2, aspect="auto")
left.set(xlabel="block", ylabel="ticket", xticks=range(0, 18, 3), yticks=range(0, 20, 5))
for values, name, kind, line in ((first.ravel(), "all tickets, first", "stepfilled", "-"),
                                 (first[winners], "best of 20, first", "step", "--"),
                                 (second[winners], "the same ones, second", "step", ":")):  # fmt: skip
    right.hist(values, np.arange(76, 85, 0.4), density=True, histtype=kind, linestyle=line,
               linewidth=2, alpha=0.4 if kind == "stepfilled" else 1, label=name)  # fmt: skip
    print(f"{name}: mean {values.mean():.2f} %")
right.set(xlabel="measured accuracy, %", ylabel="density", ylim=(0, 1.15))
right.legend(loc="upper left")
plt.show()
predict("09.best")

# %% [markdown]
# *What the figure shows:* left, 20 tickets: 6 gates (grey) at 18 blocks, without any pattern. Right, 2,000 studies of 20 equal tickets. The winners of the first measurement look nearly two points better than the rest; in the second they are spread as all tickets are.
#
# This fall is *regression to the mean*. It needs no cause: who is picked for a high number is picked for luck as well, and luck is not drawn twice.
#
# Now look at the published figure again. Around a median of about 65.5 % the best placement lies 1.7 points up and the worst 1.8 points down. Equal tickets with noise look just like that. Different tickets may look like that, too. **One measurement of each cannot tell, as long as the noise is not known; a second one, of the same tickets, can.**
#
# There is a hint that not all of it is noise. For a ResNet with 164 layers the same figure spreads from about 72.1 % to 76.7 %. Another repository of the group (RAS) gives 0.34 points as the standard deviation between repeated trainings of that network without gates. With so little noise even thousands of equal tickets would hardly spread over 3 points. Whether the two experiments had the same noise, we do not know.

# %% [markdown] question="fallback"
# **Checkpoint.**

# %%
checkpoint("09.fallback", ...)

# %% [markdown]
# ## 5. An interval that counts the looks
#
# Train a ticket and a *baseline*, say gates everywhere, with the same seeds: same images, same order. Take the difference for each seed. What both share, an easy or a hard set of images, cancels.
#
# The mean `m` of `n` differences with standard deviation `s` (squares divided by `n − 1`) has the interval `m ± t s / √n`. `t` comes from Student's distribution with `n − 1` degrees of freedom: it leaves half of the *risk* above, half below. A confidence of 95 % is a risk of 5 %.
#
# That holds for a ticket named beforehand. For the best of 20 you looked 20 times. *Bonferroni's* remedy: give each look 1/20 of the risk. Then in at most 5 % of all studies at least one of the 20 fails, and the one that you pick fails no more often, however you pick it.

# %% [markdown] exercise="ticket_interval"
# `ticket[i]` and `baseline[i]` are accuracies with seed `i`. Return the ends of the interval for the mean of ticket minus baseline, with Student's `t` and the risk `1 - confidence` divided by `candidates`.
#
# `stats.t.ppf(p, n - 1)` is the value below which a share `p` lies. With one seed nothing is known of the spread: return `(-np.inf, np.inf)`. About seven lines.

# %% answer="ticket_interval"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    """Confidence interval for the advantage of a ticket that was picked from several.

    ticket, baseline: arrays (seeds,), accuracies with the same seeds
    candidates: int, from how many tickets this one was picked
    confidence: float between 0 and 1
    Returns (low, high), two numbers.
    """
    # BEGIN SOLUTION
    differences = ticket - baseline
    n = len(differences)
    if n == 1:
        return -np.inf, np.inf
    risk = (1 - confidence) / candidates
    t = stats.t.ppf(1 - risk / 2, n - 1)
    reach = t * np.std(differences, ddof=1) / np.sqrt(n)
    middle = np.mean(differences)
    return middle - reach, middle + reach
    # END SOLUTION


# %%
check("09.ticket_interval")

# %% [markdown] help="ticket_interval"
# ## where do pairs come in?
# Subtract seed by seed before anything else. From then on there is one array only.
# ## which p do I ask for?
# The risk of one look is split in two: `p = 1 - risk / 2`. For one candidate and 95 % that is 0.975.
# ## which standard deviation?
# `np.std(…, ddof=1)` divides by n − 1. The mean of n varies less than a single difference, by the root of n.
# ## Why
# The chance that at least one of several things happens is at most the sum of their chances. So 20 risks of 0.25 % make at most 5 %, also where the tickets share a baseline and their failures hang together.

# %% [markdown] question="false"
# **Predict before you run.**

# %%
predict("09.false", ...)

# %%
interval = use("09.ticket_interval")
studies = np.random.default_rng(0).normal(0, 1, (1000, 20, 8))  # 20 equal tickets, 8 seeds
ranked = [sorted(study, key=np.mean) for study in studies]
for looks in (1, 20):
    fooled = [interval(study[-1], np.zeros(8), looks)[0] > 0 for study in ranked]
    print(f"candidates = {looks}: the best one's interval lies above 0 in {np.mean(fooled):.0%}")
shown = next(study for study in ranked if interval(study[-1], np.zeros(8))[0] > 0)
for looks, color, width in ((20, "#0072B2", 1), (1, "#D55E00", 4)):
    ends = np.array([interval(ticket, np.zeros(8), looks) for ticket in shown])
    plt.vlines(range(20), *ends.T, color=color, linewidth=width, label=f"candidates = {looks}")
plt.axhline(0, color="k", linestyle=":")
plt.xlabel("ticket, from the worst to the best")
plt.ylabel("difference, in points")
plt.xticks(range(0, 20, 5))
plt.legend(loc="lower right")
plt.show()
predict("09.false")

# %% [markdown]
# *What the figure shows:* one of the studies that would be fooled. The thick interval of the best of 20 equal tickets lies above 0. The thin one, which counts 20 looks, contains it.
#
# The corrected interval is honest about the risk. Its middle is still too high, since the winner's luck is in it. For an unbiased number, pick with one half of the seeds and measure with the other half. That is the second measurement of section 4.
#
# ## 6. A ticket of your own
#
# Keep gates at the stiffest three of the ranked blocks, train once, and compare with the networks of sections 2 and 3, of the same seed. Only four of the six blocks have a rank: the two that change the shape of the state cannot be chosen here.

# %%
stiffest = [int(number) for number in orders[0][:3]]
mine = np.mean(answers(train(0, gate, stiffest)) == y_test)
everywhere = np.mean(before == y_test)
print(f"no gates {scores[0]:.3f}, everywhere {everywhere:.3f}, at blocks {stiffest} {mine:.3f}")
print(f"standard error from the test images alone: {np.sqrt(mine * (1 - mine) / len(y_test)):.3f}")
print("interval for yours minus everywhere:", interval(np.array([mine]), np.array([everywhere])))

# %% [markdown]
# Each accuracy comes from a sample of test images. The *standard error* says how far another sample would typically move it. Besides, another seed would move it. Whatever order you see, it is one seed, and the interval of one seed is endless: that is the honest answer to "does my ticket win?" so far.

# %% [markdown]
# ## 7. Several seeds
#
# `experiments/attention_tickets.py` repeats this with {{attention_tickets.seeds}} seeds. Its gates, again squeeze and excitation, stand at {{attention_tickets.keep}} of the {{attention_tickets.blocks}} blocks that keep the shape of the state: at the stiffest, at the least stiff, or at blocks drawn by lot for each seed. "All" has gates at all of these. Besides, some random tickets were trained with every seed.

# %%
accuracy = {
    "none": measured("attention_tickets.arms.none.accuracy.values"),
    "all": measured("attention_tickets.arms.all.accuracy.values"),
    "stiffest": measured("attention_tickets.arms.stiffest.accuracy.values"),
    "least stiff": measured("attention_tickets.arms.least_stiff.accuracy.values"),
    "random": measured("attention_tickets.arms.random.accuracy.values"),
}
by_ticket = np.array(measured("attention_tickets.tickets.accuracy"))  # (tickets, seeds)
accuracy = {name: np.array(values) for name, values in accuracy.items()}
best = by_ticket.mean(axis=1).argmax()
rows = [(f"{name} minus all", values, 4) for name, values in accuracy.items() if name != "all"]
rows.append(("best ticket minus all", by_ticket[best], len(by_ticket)))
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
for place, (name, values, looks) in enumerate(rows):
    low, high = interval(values, accuracy["all"], looks)
    verdict = "contains 0" if low <= 0 <= high else "leaves out 0"
    print(f"{name}: {100 * low:+.2f} to {100 * high:+.2f} points, {looks} looks; {verdict}")
    left.plot([100 * low, 100 * high], [place, place], "-", color="#0072B2")
    left.plot(100 * np.mean(values - accuracy["all"]), place, "o", color="#0072B2")
left.axvline(0, color="k", linestyle=":")
left.set(yticks=range(len(rows)), yticklabels=[row[0] for row in rows], xlabel="points")
half = by_ticket.shape[1] // 2
first, second = by_ticket[:, :half].mean(axis=1), by_ticket[:, half:].mean(axis=1)
winner = first.argmax()
right.plot(100 * first, 100 * second, "o", color="0.6", label="ticket")
right.plot(100 * first[winner], 100 * second[winner], "s", color="#D55E00", label="best of the first")
right.axhline(100 * second.mean(), color="k", linestyle=":", label="mean, second half")
right.set(xlabel="accuracy, first half of the seeds, %", ylabel="second half, %")
right.legend()
plt.show()

# %% [markdown]
# *What the figure shows:* left, the intervals for the advantage over gates at all blocks, each with its number of looks. Right, random tickets on one half of the seeds against the other half. The best of the first half leads the mean by {{attention_tickets.tickets.lead_first|.3f}} there, as a fraction of 1, and by {{attention_tickets.tickets.lead_second|.3f}} in the second half.
#
# The intervals that follow count one look each.
#
# - **All against none:** {{attention_tickets.paired.all-none.mean|+.3f}}, 95 % interval from {{attention_tickets.paired.all-none.low|+.3f}} to {{attention_tickets.paired.all-none.high|+.3f}}. Gates help here.
# - **Stiffest against all:** {{attention_tickets.paired.stiffest-all.mean|+.3f}}, from {{attention_tickets.paired.stiffest-all.low|+.3f}} to {{attention_tickets.paired.stiffest-all.high|+.3f}}. Three gates at the stiffest blocks do not do what gates at all blocks do.
# - **Stiffest against drawn by lot:** {{attention_tickets.paired.stiffest-random.mean|+.3f}}, from {{attention_tickets.paired.stiffest-random.low|+.3f}} to {{attention_tickets.paired.stiffest-random.high|+.3f}}. A difference of {{attention_tickets.paired.stiffest-random.detectable|.3f}} would usually have shown; a smaller one may be there.
# - **Stiffest against least stiff:** {{attention_tickets.paired.stiffest-least_stiff.mean|+.3f}}, from {{attention_tickets.paired.stiffest-least_stiff.low|+.3f}} to {{attention_tickets.paired.stiffest-least_stiff.high|+.3f}}.
#
# So stiffness was not shown to be a guide to where gates should go. Nor was it shown that it is none.

# %% [markdown] question="judge"
# **Checkpoint.**

# %%
checkpoint("09.judge", ...)

# %% [markdown]
# ## Summary
#
# - A mask says which blocks have a gate. Late gates cost most.
# - Blocks can be ranked by their median index. In both of our small networks without gates the first block leads: stiffness and position are confounded.
# - A gate that hardly depends on the image can be folded into the normalisation, and hardly an answer changes.
# - The best of n equal tickets looks better than all of them, and falls back when it is measured again.
# - Over {{attention_tickets.seeds}} seeds gates at all blocks helped, and gates at the stiffest ones were not shown to beat gates drawn by lot.
# - An interval for a picked ticket divides the risk by the number of candidates. A second measurement, with new seeds, has no such bias.
#
# **Still open.** Do tickets exist that win again with new seeds, on tasks where gates help clearly? Could stiffness and position be told apart, say by moving the origin of the state as in lesson 05? And does training with fewer gates find other gates than pruning leaves?
#
# ## What to read
#
# - J. Frankle, M. Carbin, "The Lottery Ticket Hypothesis", ICLR 2019.
# - Z. Huang et al., "The Lottery Ticket Hypothesis for Self-attention in Convolutional Neural Network", arXiv:2207.07858.
# - Z. Huang et al., "Efficient Attention Network: Accelerate Attention by Searching Where to Plug", arXiv:2011.14058: another search.
# - S. Zhong and others, "ASR: Attention-alike Structural Re-parameterization", arXiv:2304.06345: gates become constants, and are folded.
# - G. Cawley, N. Talbot, "On Over-fitting in Model Selection and Subsequent Selection Bias in Performance Evaluation", *JMLR* 11 (2010) 2079–2107.
# - X. Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks", MLSys 2021.

# %% wrong="attention_mask" shows="out-of-range-passes" outcome="not yet"
def attention_mask(num_blocks, chosen):
    return np.isin(np.arange(num_blocks), chosen)

# %% wrong="attention_mask" shows="out-of-range-passes" outcome="not yet"
def attention_mask(num_blocks, chosen):
    mask = np.zeros(num_blocks, dtype=bool)
    for number in chosen:
        mask[number] = True
    return mask

# %% wrong="attention_mask" shows="empty-is-float" outcome="not yet"
def attention_mask(num_blocks, chosen):
    chosen = np.array(chosen)
    if (chosen < 0).any() or (chosen >= num_blocks).any():
        raise ValueError(f"not a block: {chosen}")
    mask = np.zeros(num_blocks, dtype=bool)
    mask[chosen] = True
    return mask

# %% wrong="attention_mask" shows="repeated-toggles" outcome="not yet"
def attention_mask(num_blocks, chosen):
    mask = np.zeros(num_blocks, dtype=bool)
    for number in chosen:
        if number not in range(num_blocks):
            raise ValueError(f"no block {number}")
        mask[number] = not mask[number]
    return mask

# %% wrong="attention_mask" shows="first-ones" outcome="not yet"
def attention_mask(num_blocks, chosen):
    return np.arange(num_blocks) < len(set(chosen))

# %% wrong="attention_mask" shows="culprit-unnamed" outcome="not yet"
def attention_mask(num_blocks, chosen):
    if any(number not in range(num_blocks) for number in chosen):
        raise ValueError("chosen holds a number that is no block")
    return np.array([block in chosen for block in range(num_blocks)])

# %% wrong="attention_mask" shows="wrong-dtype" outcome="not yet"
def attention_mask(num_blocks, chosen):
    mask = np.zeros(num_blocks)
    for number in chosen:
        if number not in range(num_blocks):
            raise ValueError(f"no block {number}")
        mask[number] = 1
    return mask

# %% variant="attention_mask" style="a list by membership"
def attention_mask(num_blocks, chosen):
    wanted = {int(c) for c in chosen}
    strangers = wanted - set(range(num_blocks))
    if strangers:
        raise ValueError(f"not among {num_blocks} blocks: {sorted(strangers)}")
    return [block in wanted for block in range(num_blocks)]

# %% variant="attention_mask" style="fancy index, NumPy's own IndexError"
def attention_mask(num_blocks, chosen):
    chosen = np.asarray(chosen, dtype=int)
    if chosen.size and chosen.min() < 0:
        raise IndexError("negative: " + str(chosen.min()))
    mask = np.full(num_blocks, False)
    mask[chosen] = True
    return mask

# %% variant="attention_mask" style="counting"
def attention_mask(num_blocks, chosen):
    for c in chosen:
        if not 0 <= c < num_blocks:
            raise ValueError(f"{c} is no block")
    return np.bincount(np.array(chosen, dtype=int), minlength=num_blocks) > 0

# %% probe="attention_mask"
def probe(answer, draw):
    n = int(draw.integers(1, 9))
    found = [answer(n, draw.integers(0, n, size=draw.integers(0, n + 1)))]
    try:
        found.append(answer(n, [int(draw.choice([-1, n, 0]))]))
    except (ValueError, IndexError):
        found.append(-1)
    return found

# %% wrong="rank_blocks" shows="other-axis" outcome="not yet"
def rank_blocks(values, names, blocks):
    order = np.argsort(-np.median(values, axis=1), kind="stable")
    return np.array([blocks.index(names[column]) for column in order])

# %% wrong="rank_blocks" shows="column-is-block" outcome="not yet"
def rank_blocks(values, names, blocks):
    return np.argsort(-np.median(values, axis=0), kind="stable")

# %% wrong="rank_blocks" shows="mean-not-median" outcome="not yet"
def rank_blocks(values, names, blocks):
    order = np.argsort(-np.mean(values, axis=0), kind="stable")
    return np.array([blocks.index(names[j]) for j in order])

# %% wrong="rank_blocks" shows="least-stiff-first" outcome="not yet"
def rank_blocks(values, names, blocks):
    order = np.argsort(np.median(values, axis=0), kind="stable")
    return np.array([blocks.index(names[j]) for j in order])

# %% wrong="rank_blocks" shows="ties-reversed" outcome="not yet"
def rank_blocks(values, names, blocks):
    order = np.argsort(np.median(values, axis=0), kind="stable")[::-1]
    return np.array([blocks.index(names[j]) for j in order])

# %% wrong="rank_blocks" shows="names-not-numbers" outcome="not yet"
def rank_blocks(values, names, blocks):
    order = np.argsort(-np.median(values, axis=0), kind="stable")
    return [names[j] for j in order]

# %% wrong="rank_blocks" shows="peak-not-median" outcome="not yet"
def rank_blocks(values, names, blocks):
    order = np.argsort(-np.max(values, axis=0), kind="stable")
    return np.array([blocks.index(names[j]) for j in order])

# %% variant="rank_blocks" style="sorted with a key, a list"
def rank_blocks(values, names, blocks):
    medians = np.median(values, axis=0)
    columns = sorted(range(len(names)), key=lambda j: medians[j], reverse=True)
    return [blocks.index(names[j]) for j in columns]

# %% variant="rank_blocks" style="a dictionary of numbers, transposed"
def rank_blocks(values, names, blocks):
    number = {name: i for i, name in enumerate(blocks)}
    columns = np.array([number[name] for name in names])
    return columns[np.argsort(np.median(np.transpose(values), axis=1) * -1, kind="mergesort")]

# %% variant="rank_blocks" style="pairs"
def rank_blocks(values, names, blocks):
    pairs = [(-np.median(values[:, j]), j) for j in range(values.shape[1])]
    return np.array([blocks.index(names[j]) for _, j in sorted(pairs)])

# %% probe="rank_blocks"
def probe(answer, draw):
    n = int(draw.integers(1, 8))
    kept = np.flatnonzero(draw.uniform(size=n) < 0.7)
    kept = kept if len(kept) else np.array([n - 1])
    blocks = [f"b{i}" for i in range(n)]
    values = draw.integers(0, 4, size=(int(draw.integers(1, 5)), len(kept))) / 2
    return [np.asarray(answer(values, [blocks[i] for i in kept], blocks))]

# %% wrong="prune_attention" shows="other-axis" outcome="not yet"
def prune_attention(full, sparse, gates):
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())
    present = [layer.name for layer in sparse.layers]
    for block, gate in gates.items():
        if block + "_attention" not in present:
            norm = sparse.get_layer(block + "_bn2")
            gamma, beta, mean, variance = norm.get_weights()
            step = np.mean(gate, axis=1)
            norm.set_weights([step * gamma, step * beta, mean, variance])
    return sparse

# %% wrong="prune_attention" shows="gate-becomes-one" outcome="not yet"
def prune_attention(full, sparse, gates):
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())
    return sparse

# %% wrong="prune_attention" shows="by-position" outcome="not yet"
def prune_attention(full, sparse, gates):
    sparse.set_weights(full.get_weights())
    return sparse

# %% wrong="prune_attention" shows="layers-of-full" outcome="not yet"
def prune_attention(full, sparse, gates):
    for layer in full.layers:
        sparse.get_layer(layer.name).set_weights(layer.get_weights())
    return sparse

# %% wrong="prune_attention" shows="scale-only" outcome="not yet"
def prune_attention(full, sparse, gates):
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())
    for block in gates:
        if block + "_attention" not in [layer.name for layer in sparse.layers]:
            norm = sparse.get_layer(block + "_bn2")
            gamma, beta, mean, variance = norm.get_weights()
            norm.set_weights([gates[block].mean(axis=0) * gamma, beta, mean, variance])
    return sparse

# %% wrong="prune_attention" shows="kept-folded" outcome="not yet"
def prune_attention(full, sparse, gates):
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())
    for block, gate in gates.items():
        norm = sparse.get_layer(block + "_bn2")
        gamma, beta, mean, variance = norm.get_weights()
        step = gate.mean(axis=0)
        norm.set_weights([step * gamma, step * beta, mean, variance])
    return sparse

# %% wrong="prune_attention" shows="mean-over-all" outcome="not yet"
def prune_attention(full, sparse, gates):
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())
    for block, gate in gates.items():
        if block + "_attention" not in [layer.name for layer in sparse.layers]:
            norm = sparse.get_layer(block + "_bn2")
            gamma, beta, mean, variance = norm.get_weights()
            norm.set_weights([gate.mean() * gamma, gate.mean() * beta, mean, variance])
    return sparse

# %% wrong="prune_attention" shows="statistics-too" outcome="not yet"
def prune_attention(full, sparse, gates):
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())
    for block, gate in gates.items():
        if block + "_attention" not in [layer.name for layer in sparse.layers]:
            norm = sparse.get_layer(block + "_bn2")
            norm.set_weights([gate.mean(axis=0) * w for w in norm.get_weights()])
    return sparse

# %% wrong="prune_attention" shows="full-changed" outcome="not yet"
def prune_attention(full, sparse, gates):
    kept = {layer.name for layer in sparse.layers}
    for block, gate in gates.items():
        if block + "_attention" not in kept:
            norm = full.get_layer(block + "_bn2")
            gamma, beta, mean, variance = norm.get_weights()
            step = gate.mean(axis=0)
            norm.set_weights([step * gamma, step * beta, mean, variance])
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())
    return sparse

# %% wrong="prune_attention" shows="no-return" outcome="not yet"
def prune_attention(full, sparse, gates):
    for layer in sparse.layers:
        layer.set_weights(full.get_layer(layer.name).get_weights())

# %% variant="prune_attention" style="variables of the normalisation, assigned"
def prune_attention(full, sparse, gates):
    names = {layer.name for layer in sparse.layers}
    for layer in full.layers:
        if layer.name in names:
            for own, other in zip(sparse.get_layer(layer.name).weights, layer.weights):
                own.assign(other)
    for block in gates:
        if f"{block}_attention" not in names:
            norm = sparse.get_layer(f"{block}_bn2")
            norm.gamma.assign(norm.gamma * gates[block].mean(0))
            norm.beta.assign(norm.beta * gates[block].mean(0))
    return sparse

# %% variant="prune_attention" style="a dictionary of weights first"
def prune_attention(full, sparse, gates):
    weights = {layer.name: layer.get_weights() for layer in full.layers}
    names = [layer.name for layer in sparse.layers]
    for block, gate in gates.items():
        if block + "_attention" in names:
            continue
        gamma, beta, *rest = weights[block + "_bn2"]
        step = np.sum(gate, axis=0) / len(gate)
        weights[block + "_bn2"] = [gamma * step, beta * step, *rest]
    for name in names:
        sparse.get_layer(name).set_weights(weights[name])
    return sparse

# %% variant="prune_attention" style="one pass over the layers"
def prune_attention(full, sparse, gates):
    present = [layer.name for layer in sparse.layers]
    for layer in sparse.layers:
        new = full.get_layer(layer.name).get_weights()
        block = layer.name.removesuffix("_bn2")
        if layer.name.endswith("_bn2") and block + "_attention" not in present:
            step = np.average(gates[block], axis=0)
            new[:2] = [step * new[0], step * new[1]]
        layer.set_weights(new)
    return sparse

# %% probe="prune_attention"
def probe(answer, draw):
    def net(gated):
        x = inputs = keras.Input((2,), name="image")
        for block in "ab":
            y = keras.layers.Dense(2, name=f"{block}_conv2")(x)
            y = keras.layers.BatchNormalization(name=f"{block}_bn2")(y)
            if block in gated:
                y = keras.layers.Dense(2, name=f"{block}_attention")(y)
            x = keras.layers.Add(name=block)([x, y])
        return keras.Model(inputs, x)

    full, sparse = net("ab"), net(str(draw.choice(["a", "b", "ab", ""])))
    full.set_weights([draw.uniform(0.5, 1.5, w.shape) for w in full.get_weights()])
    gates = {block: draw.uniform(0, 1, (2, 2)) for block in "ab"}
    return [w.astype("float32") for w in answer(full, sparse, gates).get_weights()]

# %% wrong="random_tickets" shows="number-varies" outcome="not yet"
def random_tickets(num_blocks, keep, count, rng):
    if count > math.comb(num_blocks, keep):
        raise ValueError("too many")
    masks = []
    while len(masks) < count:
        mask = list(rng.uniform(size=num_blocks) < keep / num_blocks)
        if mask not in masks:
            masks.append(mask)
    return np.array(masks)

# %% wrong="random_tickets" shows="repeats" outcome="not yet"
def random_tickets(num_blocks, keep, count, rng):
    if count > math.comb(num_blocks, keep):
        raise ValueError("too many")
    return np.array([rng.permutation(num_blocks) < keep for _ in range(count)])

# %% wrong="random_tickets" shows="always-the-same" outcome="not yet"
def random_tickets(num_blocks, keep, count, rng):
    rng = np.random.default_rng(0)
    every = list(itertools.combinations(range(num_blocks), keep))
    picked = rng.choice(len(every), size=count, replace=False)
    return np.array([[b in every[i] for b in range(num_blocks)] for i in picked])

# %% wrong="random_tickets" shows="rng-ignored" outcome="not yet"
def random_tickets(num_blocks, keep, count, rng):
    every = list(itertools.combinations(range(num_blocks), keep))
    picked = np.random.choice(len(every), size=count, replace=False)
    return np.array([[b in every[i] for b in range(num_blocks)] for i in picked])

# %% wrong="random_tickets" shows="more-than-exist" outcome="not yet"
def random_tickets(num_blocks, keep, count, rng):
    every = np.array(list(itertools.combinations(range(num_blocks), keep)), dtype=int)
    picked = rng.permutation(every)[:count]
    return np.array([np.isin(np.arange(num_blocks), row) for row in picked])

# %% wrong="random_tickets" shows="too-few" outcome="not yet"
def random_tickets(num_blocks, keep, count, rng):
    if count > math.comb(num_blocks, keep):
        raise ValueError("too many")
    masks = {tuple(rng.permutation(num_blocks) < keep) for _ in range(count)}
    return np.array(sorted(masks))

# %% wrong="random_tickets" shows="always-the-same" outcome="not yet"
def random_tickets(num_blocks, keep, count, rng):
    if count > math.comb(num_blocks, keep):
        raise ValueError("too many")
    every = itertools.combinations(range(num_blocks), keep)
    return np.array([[b in one for b in range(num_blocks)] for one in itertools.islice(every, count)])

# %% wrong="random_tickets" shows="not-uniform" outcome="not yet"
def random_tickets(num_blocks, keep, count, rng):
    if count > math.comb(num_blocks, keep):
        raise ValueError("too many")
    every = list(itertools.combinations(range(num_blocks), keep))
    start = int(rng.integers(len(every) - count + 1))
    return np.array([[b in one for b in range(num_blocks)] for one in every[start:start + count]])

# %% variant="random_tickets" style="choose from the list of all"
def random_tickets(num_blocks, keep, count, rng):
    every = list(itertools.combinations(range(num_blocks), keep))
    if count > len(every):
        raise ValueError(f"only {len(every)}")
    picked = rng.choice(len(every), size=count, replace=False)
    masks = np.zeros((count, num_blocks), dtype=bool)
    for row, i in zip(masks, picked):
        row[list(every[i])] = True
    return masks

# %% variant="random_tickets" style="a set of tuples"
def random_tickets(num_blocks, keep, count, rng):
    if math.comb(num_blocks, keep) < count:
        raise ValueError("there are not so many")
    chosen = set()
    while len(chosen) != count:
        chosen.add(tuple(sorted(rng.choice(num_blocks, keep, replace=False).tolist())))
    return np.array([[b in c for b in range(num_blocks)] for c in sorted(chosen)])

# %% variant="random_tickets" style="shuffled rows, unique"
def random_tickets(num_blocks, keep, count, rng):
    if count > math.comb(num_blocks, keep):
        raise ValueError("not so many masks")
    masks = np.zeros((0, num_blocks), dtype=bool)
    while len(masks) < count:
        more = rng.permuted(np.tile(np.arange(num_blocks) < keep, (count, 1)), axis=1)
        both = np.concatenate([masks, more])
        _, first = np.unique(both, axis=0, return_index=True)
        masks = both[np.sort(first)]
    return masks[:count].copy()

# %% probe="random_tickets"
def probe(answer, draw):
    n = int(draw.integers(1, 6))
    keep = int(draw.integers(0, n + 1))
    count = int(draw.integers(1, math.comb(n, keep) + 1))
    found = [answer(n, keep, count, np.random.default_rng(int(draw.integers(1000))))]
    try:
        answer(n, keep, math.comb(n, keep) + 1, np.random.default_rng(0))
    except ValueError:
        found.append(1)
    return found

# %% wrong="ticket_interval" shows="confidence-divided" outcome="not yet"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = ticket - baseline
    n = len(d)
    if n == 1:
        return -np.inf, np.inf
    t = stats.t.ppf(1 - (1 - confidence / candidates) / 2, n - 1)
    reach = t * np.std(d, ddof=1) / np.sqrt(n)
    return np.mean(d) - reach, np.mean(d) + reach

# %% wrong="ticket_interval" shows="selection-free" outcome="not yet"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = ticket - baseline
    if len(d) == 1:
        return -np.inf, np.inf
    return stats.t.interval(confidence, len(d) - 1, d.mean(), stats.sem(d))

# %% wrong="ticket_interval" shows="unpaired" outcome="not yet"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    n = len(ticket)
    if n == 1:
        return -np.inf, np.inf
    error = np.sqrt((np.var(ticket, ddof=1) + np.var(baseline, ddof=1)) / n)
    t = stats.t.ppf(1 - (1 - confidence) / candidates / 2, 2 * n - 2)
    middle = np.mean(ticket) - np.mean(baseline)
    return middle - t * error, middle + t * error

# %% wrong="ticket_interval" shows="normal-not-student" outcome="not yet"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = ticket - baseline
    if len(d) == 1:
        return -np.inf, np.inf
    z = stats.norm.ppf(1 - (1 - confidence) / candidates / 2)
    reach = z * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - reach, d.mean() + reach

# %% wrong="ticket_interval" shows="spread-not-error" outcome="not yet"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = ticket - baseline
    if len(d) == 1:
        return -np.inf, np.inf
    reach = stats.t.ppf(1 - (1 - confidence) / candidates / 2, len(d) - 1) * d.std(ddof=1)
    return d.mean() - reach, d.mean() + reach

# %% wrong="ticket_interval" shows="one-sided" outcome="not yet"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = ticket - baseline
    if len(d) == 1:
        return -np.inf, np.inf
    reach = stats.t.ppf(1 - (1 - confidence) / candidates, len(d) - 1) * stats.sem(d)
    return d.mean() - reach, d.mean() + reach

# %% wrong="ticket_interval" shows="biased-spread" outcome="not yet"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = ticket - baseline
    if len(d) == 1:
        return -np.inf, np.inf
    reach = stats.t.ppf(1 - (1 - confidence) / candidates / 2, len(d) - 1) * d.std() / np.sqrt(len(d))
    return d.mean() - reach, d.mean() + reach

# %% wrong="ticket_interval" shows="one-seed-certain" outcome="not yet"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = ticket - baseline
    if len(d) == 1:
        return d[0], d[0]
    reach = stats.t.ppf(1 - (1 - confidence) / candidates / 2, len(d) - 1) * stats.sem(d)
    return d.mean() - reach, d.mean() + reach

# %% wrong="ticket_interval" shows="other-correction" outcome="not yet"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = ticket - baseline
    if len(d) == 1:
        return -np.inf, np.inf
    return stats.t.interval(confidence ** (1 / candidates), len(d) - 1, d.mean(), stats.sem(d))

# %% variant="ticket_interval" style="scipy's interval"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = np.subtract(ticket, baseline)
    if d.size < 2:
        return (-np.inf, np.inf)
    level = 1 - (1 - confidence) / candidates
    return stats.t.interval(level, d.size - 1, loc=d.mean(), scale=stats.sem(d))

# %% variant="ticket_interval" style="an array, upper tail"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    d = np.asarray(ticket) - np.asarray(baseline)
    n = len(d)
    if n < 2:
        return np.array([-np.inf, np.inf])
    t = stats.t(n - 1).isf((1 - confidence) / (2 * candidates))
    return d.mean() + t * np.sqrt(d.var(ddof=1) / n) * np.array([-1, 1])

# %% variant="ticket_interval" style="plain sums"
def ticket_interval(ticket, baseline, candidates=1, confidence=0.95):
    pairs = [a - b for a, b in zip(ticket, baseline)]
    n, m = len(pairs), sum(pairs) / len(pairs)
    if n == 1:
        return -math.inf, math.inf
    s2 = sum((p - m) ** 2 for p in pairs) / (n - 1)
    t = -stats.t.ppf((1 - confidence) / candidates / 2, n - 1)
    return m - t * math.sqrt(s2 / n), m + t * math.sqrt(s2 / n)

# %% probe="ticket_interval"
def probe(answer, draw):
    n = int(draw.integers(1, 9))
    a, b = draw.normal(size=(2, n))
    found = answer(a, b, int(draw.integers(1, 30)), float(draw.uniform(0.2, 0.99)))
    return [np.array(found), np.array(answer(a, b))]
