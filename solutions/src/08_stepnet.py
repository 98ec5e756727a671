# %% [markdown]
# # Lesson 08 · StepNet: a gate that sees two states
#
# A driver who looks at the pedal alone cannot know whether the car will leave the road. **Can a gate that looks at the slope alone know whether a step is too long? And if you show it more, how do you find out whether that was worth it?**
#
# After this lesson you can
#
# - **say** what a gate knows that sees the state before a step and an estimate of the state after it,
# - **build** that gate as a Keras layer, and train a network with it,
# - **read** its gates as step sizes,
# - **test** whether gates follow the stiffness index, without fooling yourself,
# - **compare** two networks over paired seeds, and say what you could not have seen.
#
# You need lessons 01 (a block is a step), 05 (the index) and 07: a *gate* is a factor `a` on the branch of a residual block, one number per sample and channel, and squeeze-and-excitation (SE) computes it from the means of the branch. Plan 85 minutes.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from stepkit import attention, datasets, layers, models, stiffness

# %% [markdown]
# ## 1. Two states
#
# A residual block computes `x + f(x)`: from the *state* `x` a step along the *branch* `f`. The solvers of lesson 04 chose their step size by comparing two estimates of the next state. The index of lesson 05 compares two states, before and after. SE looks at `f` and at nothing else.

# %% [markdown] question="same_slope"
# **Predict before you run.**

# %%
predict("08.same_slope", ...)

# %%
rng = np.random.default_rng(0)
slope = rng.normal(0.2, 1.0, (1, 8, 8, 16)).astype("float32")
state = rng.uniform(0.0, 1.0, (1, 8, 8, 16)).astype("float32")
slopes, states = np.concatenate([slope, slope]), np.concatenate([state, 10 * state])
sizes = [np.linalg.norm(v.reshape(2, -1), axis=1) for v in (slopes, states)]
print("index ||f|| / ||x|| of the two samples:", (sizes[0] / sizes[1]).round(2))

keras.utils.set_random_seed(0)
for gate in (attention.SqueezeExcite(reduction=1), attention.StepNetAttention(reduction=1)):
    gate(slopes, states)  # makes the weights
    for sample, row in zip(("small state", "large state"), gate.gate(slopes, states), strict=True):
        first = keras.ops.convert_to_numpy(row)[0, 0, :4]  # of 16 channels
        print(f"{type(gate).__name__:16s} {sample}: gates", first.round(3))
predict("08.same_slope")

# %% [markdown]
# The two steps differ tenfold in the index, and SE cannot see it. The second gate at least answers differently.
#
# That second gate is our reading of *StepNet*, of Huang, Liang, Qin, Zhong and Lin (ICCV 2023). Ours is a **reconstruction**; section 2 says why.
#
# Our idea: a first estimate of the next state is at hand, the Euler step `x + f`. We call it the *predictor*, and let the gate see two states, `x` and `x + f`. Like SE it looks at each channel's mean over its map.

# %% [markdown] exercise="predictor_features"
# Return what the gate gets to see: for each sample the means of all channels of the state, then those of the predictor, state plus branch. Both maps have shape `(batch, height, width, channels)`; the result has shape `(batch, 2 * channels)`.
#
# Write it with `keras.ops` (`cast`, `mean`, `concatenate`), which also takes the tensors without numbers (`KerasTensor`) of a model that is being built; NumPy does not.
#
# The maps may come in half precision, which ends at 65504 and has 3 digits. The result is float32: cast before you sum. About three lines.

# %% answer="predictor_features"
def predictor_features(branch, shortcut):
    """Means of the state, then of the predictor.

    branch: f, tensor or array (batch, height, width, channels)
    shortcut: the state x, of the same shape
    Returns a float32 tensor (batch, 2 * channels).
    """
    # BEGIN SOLUTION
    state = keras.ops.mean(keras.ops.cast(shortcut, "float32"), axis=(1, 2))
    slope = keras.ops.mean(keras.ops.cast(branch, "float32"), axis=(1, 2))
    return keras.ops.concatenate([state, state + slope], axis=-1)
    # END SOLUTION


# %%
check("08.predictor_features")

# %% [markdown] help="predictor_features"
# ## how do I take the mean over the map?
# `keras.ops.mean` takes several axes: `axis=(1, 2)` are height and width.
# ## must I add the maps first?
# You may. But what is the mean of a sum?
# ## half precision goes wrong
# `keras.ops.cast(x, "float32")` first. A sum of two large float16 numbers is infinite before any mean is taken.
# ## Why
# The mean of a sum is the sum of the means. So the map `x + f` is never needed: two means of each channel tell the same, at less cost and without overflow.

# %% [markdown]
# If the means are `m` for the state and `s` for the branch, the gate gets `m` and `m + s`. Next comes a Dense layer, a weighted sum with free weights: `u m + v (m + s) = (u + v) m + v s`.

# %% [markdown] question="linear"
# **Checkpoint.**

# %%
checkpoint("08.linear", ...)

# %% [markdown]
# Is something lost there? The next cell makes two steps from the same state. In the first, `f` adds to the pattern of `x`; in the second it takes the pattern away.

# %% [markdown] question="pattern"
# **Predict before you run.**

# %%
predict("08.pattern", ...)

# %%
features = use("08.predictor_features")
y, x = np.mgrid[0:8, 0:8]
pattern = np.sin(x) * np.cos(y)
pattern = (pattern - pattern.mean()) / pattern.std()
state = 1.0 + 0.5 * pattern
figure, axes = plt.subplots(2, 3, figsize=(7, 4.6), layout="constrained")
for row, sign, name in zip(axes, (1, -1), ("adds", "takes away"), strict=True):
    slope = 0.2 + sign * 0.4 * pattern
    images = {"x": state, "f": slope, "x + f": state + slope}
    for ax, (title, image) in zip(row, images.items(), strict=True):
        ax.imshow(image, cmap="Greys_r", vmin=-1, vmax=3)
        ax.set_title(f"{title}: mean {image.mean():.1f}, std {image.std():.1f}")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(f"f {name}")
    seen = features(slope[None, ..., None], state[None, ..., None])
    print(f"f {name:10s}: features", keras.ops.convert_to_numpy(seen)[0].round(3))
plt.show()
predict("08.pattern")

# %% [markdown]
# *What the figure shows:* both rows have the same mean of `x`, of `f` and of `x + f`. The standard deviation of `x + f` is 0.9 in the upper row and 0.1 in the lower one: the second step wipes the picture out.
#
# Means add up, so the mean of the predictor brings nothing that the mean of the branch did not have. A standard deviation does not add up: that of `x + f` contains the *covariance* of `x` and `f`, how far the two go up and down together. **So the pair knows what SE knows, plus the means of the state, and no more.** Not even the index itself, which is made of squares.

# %% [markdown]
# ## 2. The module, reconstructed
#
# Of StepNet we know the abstract of the paper and two of its figures, and found no public code. So there are three reconstructions here, `StepNetAttention(variant)`. No accuracy measured with them says anything about the module of the paper.
#
# | variant | what it sees | weights, for `C` channels |
# |---|---|---|
# | `"pair"` | means of `x` and `x + f`, through two Dense layers as in SE | your prediction below |
# | `"statistics"` | means and standard deviations of both, channel by channel | `6 C` |
# | `"index"` | the index of each channel, against that of the others | `2 C` |
#
# You build the first. Between its two layers it has `C / r` hidden units; `r` is the *reduction*.

# %% [markdown] exercise="StepNetAttention"
# `gate`: your features go through Dense with a relu and through Dense with a sigmoid, back to one number per channel. It returns shape `(batch, 1, 1, channels)`. `call` returns the gate times the branch; the block adds the state.
#
# - `build` makes **and builds** both Dense layers, with bias. Hidden width: `channels / reduction`, rounded, at least 1.
# - Without `shortcut`, `gate` raises a `ValueError` whose text names `shortcut`.
# - `get_config` adds `reduction` to what the base class knows.
# - Gate and branch may differ in precision: `keras.ops.multiply` takes both, `*` may not.
#
# You may use `predictor_features`; a correct one while this is judged. About 14 lines.

# %% answer="StepNetAttention"
class StepNetAttention(keras.layers.Layer):
    """A step size for each sample and channel, from the state and the predictor.

    reduction: positive number
    """

    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        """branch_shape: tuple, such as (None, 8, 8, 16)"""
        # BEGIN SOLUTION
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))
        # END SOLUTION

    def gate(self, branch, shortcut=None):
        """Maps (batch, height, width, channels) to (batch, 1, 1, channels)."""
        # BEGIN SOLUTION
        if shortcut is None:
            raise ValueError("This gate looks at the state: give it `shortcut`, too.")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]
        # END SOLUTION

    def call(self, branch, shortcut=None):
        # BEGIN SOLUTION
        return keras.ops.multiply(self.gate(branch, shortcut), branch)
        # END SOLUTION

    def get_config(self):
        # BEGIN SOLUTION
        return {**super().get_config(), "reduction": self.reduction}
        # END SOLUTION


# %%
check("08.StepNetAttention")

# %% [markdown] help="StepNetAttention"
# ## what does build have to do?
# Make two `keras.layers.Dense` and keep them as attributes. Then call `build` of each with the shape of what it will get. The first gets two numbers per channel.
# ## how do I get from (batch, channels) to (batch, 1, 1, channels)?
# Index with `None` where a new axis should be, `a[:, None, None, :]`, or use `keras.ops.reshape` with `-1` for the batch.
# ## where do I look for a missing state?
# In `gate`, which `call` uses. What is left out is `None`. Then `raise ValueError`, with a sentence that says what is missing.
# ## get_config?
# A dictionary with all of `super().get_config()` and one entry more. The library copies your layer for each block by it.
# ## Why
# Everything but the features is SE. The sigmoid keeps each gate between 0 and 1, so a step can only become shorter. Sub-layers that are built in `build` have their weights before the first call, so a file with weights can be loaded.

# %% [markdown] question="weights"
# More inputs need more weights. **Predict before you run.**

# %%
predict("08.weights", ...)

# %%
counts = {}
for name, layer in (
    ("SE on f", attention.SqueezeExcite(reduction=16)),
    ("pair", use("08.StepNetAttention")(reduction=16)),
    ("SE, reduction 32/3", attention.SqueezeExcite(reduction=32 / 3)),
    ("statistics", attention.StepNetAttention("statistics")),
    ("index", attention.StepNetAttention("index")),
    ("constant", attention.ConstantGate()),
):
    layer.build((None, 8, 8, 64), (None, 8, 8, 64))
    counts[name] = sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
bars = ax.barh(list(counts), list(counts.values()), color="#0072B2")
ax.bar_label(bars, padding=3)
ax.set(xlabel="trainable weights of one gate for 64 channels", xlim=(0, 1000))
ax.invert_yaxis()
plt.show()
predict("08.weights")

# %% [markdown]
# *What the figure shows:* for 64 channels the pair has 836 weights, SE has 580. SE with the reduction 32/3 has 838, nearly those of the pair. The other variants need 384 and 128, a constant gate 64.
#
# If the pair does better than SE, it may be for its weights and not for the state.

# %% [markdown]
# ## 3. The block, and what training makes of the gates
#
# The gate sits on the branch, before the addition. The relu comes after it, as in most residual networks: then the next state has no negative numbers. Where the number of channels changes, the state first goes through a layer that changes it too, a *projection*; the gate then sees the projected state.

# %% [markdown] exercise="stepnet_block"
# Return `relu(x + a * f)` for `f = residual(x)`. The product `a * f` is what `attention(f, x)` returns.
#
# With a `projection`, `projection(x)` takes the place of `x` in the sum and in `attention`. The residual still gets `x`. With `attention=None` nothing gates the branch.
#
# `residual`, `attention` and `projection` are layers or other callables. `x` may be a tensor without numbers, of a functional model: then `layers.residual_blocks` must find the block in it. Call the residual once. About five lines.

# %% answer="stepnet_block"
def stepnet_block(x, residual, attention=None, projection=None):
    """relu(x + a * f): one step, its size chosen by attention.

    x: tensor (batch, ..., channels)
    residual: callable, x -> f
    attention: callable, (f, state) -> a * f, or None
    projection: callable, x -> tensor of the shape of f, or None
    Returns a tensor of the shape of f.
    """
    # BEGIN SOLUTION
    branch = residual(x)
    state = x if projection is None else projection(x)
    if attention is not None:
        branch = attention(branch, state)
    return keras.ops.relu(state + branch)
    # END SOLUTION


# %%
check("08.stepnet_block")

# %% [markdown] help="stepnet_block"
# ## what do I compute first?
# The branch, from `x`. Then the state: `x` itself or its projection. Then the gated branch.
# ## how do I treat a missing projection?
# Ask whether it is `None`, once, and give the state that you use from there on a name of its own.
# ## which relu?
# `keras.ops.relu` or a layer, `keras.layers.ReLU()`. Only one, around the sum.
# ## Why
# With the gate before the addition, `a` scales the step and not the state: an Euler step of size `a`, then a relu. A gate after the addition would shrink the state itself, and the identity would be lost.

# %% [markdown] question="where"
# **Checkpoint.**

# %%
checkpoint("08.where", ...)

# %%
x = keras.Input((8, 8, 16))
branch = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)
y = use("08.stepnet_block")(x, branch, use("08.StepNetAttention")(reduction=4))
for block in layers.residual_blocks(keras.Model(x, y)):
    print("a block; gate:", block.attention.name, "| projection:", block.projection)

# %% [markdown]
# Now train a network with your own layer. `cifar_resnet` makes such blocks itself, each with a copy of your layer that it makes from `get_config`. Here it has 14 layers: six blocks of two in three *stages*, with 8, 16 and 32 channels, and two more layers at the ends. The task is 300 noisy digits. At the start all gates lie near 0.5.

# %% [markdown] question="stage"
# **Predict before you run.**

# %%
predict("08.stage", ...)

# %%
(x_train, y_train), (x_test, y_test) = datasets.digits(test_fraction=0.5, seed=0)
x_train, y_train = x_train[:300], y_train[:300]
rng = np.random.default_rng(0)
x_train, x_test = (v + rng.normal(0, 0.25, v.shape) - 0.5 for v in (x_train, x_test))
x_train, x_test = x_train.astype("float32"), x_test.astype("float32")

keras.utils.set_random_seed(0)
Gate = use("08.StepNetAttention")
network = models.cifar_resnet(
    14, Gate(reduction=4), 10, width=8, block="basic", input_shape=(8, 8, 1)
)
network.compile(
    keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"]
)
network.fit(x_train, y_train, batch_size=64, epochs=15, verbose=0)
print(f"test accuracy {network.evaluate(x_test, y_test, verbose=0)[1]:.2f}")

# %%
gates = attention.gate_values(network, x_test[:200])  # {block: (200, channels)}
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for place, values in enumerate(gates.values()):
    channels = place + np.linspace(-0.35, 0.35, values.shape[1])
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
    ax.vlines(channels, low, high, color="#0072B2", alpha=0.6)
    ax.plot(channels, middle, ".", color="#D55E00")
ax.axhline(0.5, color="k", linestyle=":", label="about where gates start")
ax.set_xticks(range(len(gates)), [name.replace("_", "\n") for name in gates])
ax.set(ylabel="gate = step size", ylim=(0, 1))
ax.legend(loc="lower left")
plt.show()
for name, values in gates.items():
    spread = values.std(axis=0).mean()
    print(f"{name}: mean gate {values.mean():.2f}, spread over images {spread:.3f}")
predict("08.stage")

# %% [markdown]
# *What the figure shows:* one dot per channel, its median gate over 200 images; the line spans 90 % of the images. In the first stage the lines are short: a channel has nearly the same step size for every image. In the last stage they are long, and gates reach from below 0.3 to above 0.8. Blocks with a projection are no steps of a solver; they are shown all the same.
#
# So the early gates of this network are close to constants, as Zhong and others (ASR, 2023) report of trained gates in general. What a constant gate does could be folded into the layer before it. Whether the long lines of the last stage are worth anything, section 5 asks.

# %% [markdown]
# ## 4. Does the gate follow stiffness?
#
# The paper claims that attention adapts the step to stiffness. So compare the gate with the (neural stiffness) index of lesson 05, NSI for short. There are two:
#
# $$\text{raw} = \frac{\|f\|}{\|x\|}, \qquad \text{applied} = \frac{\|a \cdot f\|}{\|x\|}$$

# %% [markdown] exercise="attention_nsi"
# Return both indices of one block for each sample, as two arrays `(samples,)`: first the raw one, then the applied one. Norms are roots of sums of squares, over all axes but the first.
#
# `branch` and `shortcut` have shape `(samples, ..., channels)`, with any number of axes between, perhaps none. The gate has shape `(samples, channels)`, as `gate_values` returns it. Mind how NumPy pairs axes: from the right. With 8 samples of 8 pixels width a wrong pairing raises no error. No state is zero. NumPy only; about five lines.

# %% answer="attention_nsi"
def attention_nsi(branch, shortcut, gate):
    """The raw and the applied index of one block.

    branch: f, array (samples, ..., channels)
    shortcut: the state x, array of the same shape
    gate: a, array (samples, channels)
    Returns (raw, applied): arrays (samples,).
    """
    # BEGIN SOLUTION
    samples, channels = gate.shape
    a = gate.reshape(samples, *[1] * (branch.ndim - 2), channels)
    moves = branch.reshape(samples, -1), (a * branch).reshape(samples, -1)
    size = np.linalg.norm(shortcut.reshape(samples, -1), axis=1)
    return tuple(np.linalg.norm(move, axis=1) / size for move in moves)
    # END SOLUTION


# %%
check("08.attention_nsi")

# %% [markdown] help="attention_nsi"
# ## how do I take one norm per sample?
# Make each sample a row, `reshape(samples, -1)`, and take `np.linalg.norm` along axis 1.
# ## how do I multiply with the gate?
# It needs axes of size 1 between its two: as many as the branch has between its first and its last. `branch.ndim - 2` says how many. Or let `np.einsum` name the axes: `"n...c,nc->n...c"`.
# ## Why
# The applied index contains the gate, inside the norm. Channels with large values count for more there, so a mean gate in front of the raw index would give something else.

# %% [markdown]
# Which sign would speak for the claim? A step controller makes smaller steps where the index is larger: a *negative* relation with the raw index.
#
# The next cell takes the last block and three kinds of gates: the trained ones, the same gates given to the wrong images, and random numbers. It asks how far the mean gate of an image goes with its index: the *rank correlation*, 1 where the larger gate always has the larger index, about 0 without a relation. The *permutation test* shuffles the images 999 times, and `p` is the share of shuffles that look as strong.

# %% [markdown] question="random_gates"
# **Predict before you run.**

# %%
predict("08.random_gates", ...)

# %%
index_of = use("08.attention_nsi")
block = layers.residual_blocks(network)[-1]
found = block.states(x_test[:200])
branch, state = (keras.ops.convert_to_numpy(v) for v in (found.raw, found.state))
rng = np.random.default_rng(1)
trained = gates[block.name]
kinds = {
    "trained": trained,
    "shuffled": trained[rng.permutation(200)],
    "random": rng.uniform(0.1, 1.0, (200, 1)) * np.ones_like(trained),
}
figure, axes = plt.subplots(2, 3, figsize=(9, 5), sharex="col", layout="constrained")
for (name, a), column in zip(kinds.items(), axes.T, strict=True):
    indices = index_of(branch, state, a)
    for ax, index, which in zip(column, indices, ("raw", "applied"), strict=True):
        test = stiffness.permutation_test(
            stiffness.rank_correlation, a.mean(axis=1), index, num_permutations=999, seed=0
        )
        ax.plot(a.mean(axis=1), index, ".", color="#0072B2" if which == "raw" else "#D55E00")
        ax.set(title=f"{name}, {which}: {test.statistic:.2f}", ylabel=f"{which} index")
        print(f"{name:9s} {which:8s} rank correlation {test.statistic:5.2f}, p {test.p_value:.3f}")
    ax.set_xlabel("mean gate of an image")
plt.show()
predict("08.random_gates")

# %% [markdown]
# *What the figure shows:* each dot is an image. Random gates, in the right column, have no relation to the raw index in the upper row, and a strong one to the applied index below.
#
# Those random gates measured nothing: they are a factor of the applied index. So a relation with the applied index is no evidence. Ask the raw index, and compare with a shuffle. In the middle column, gates of other images may still go with the applied index. Only what is left in the upper row can be knowledge, and it may have been there before training, since this gate sees `f` and `x`.
#
# One block of one network is an example. Over {{attention_stiffness.seeds}} seeds (`experiments/attention_stiffness.py`), SE made the median raw index {{attention_stiffness.ratio.raw.median.min|.2f}} to {{attention_stiffness.ratio.raw.median.max|.2f}} times that without attention, and the applied one {{attention_stiffness.ratio.applied.median.min|.2f}} to {{attention_stiffness.ratio.applied.median.max|.2f}} times: where a gate shortens the step, training makes the branch longer. And the index is a proxy for stiffness, as lesson 05 found.

# %% [markdown]
# ## 5. What is it worth?
#
# Say the pair scores better than SE. What could be the reason? A *control* is a network that lacks one possible reason.
#
# | control | what its gate sees | what it lacks of the pair |
# |---|---|---|
# | SE on the branch | means of `f` | the state, and some weights |
# | SE, reduction 32/3 | means of `f` | the state alone |
# | SE on the state | means of `x` | the branch, and some weights |
# | a constant gate | nothing: one learned number per channel | adapting to the image at all, and most weights |
#
# Every training has luck: the split of the data, the first weights. So train each network with several *seeds*, and give both networks of a pair the same split and noise.

# %% [markdown]
# For `n` differences `d` with mean `m` and standard deviation `s` (dividing by `n - 1`), the *standard error* of the mean is `s / √n`. `t(p)` is the quantile `p` of Student's t distribution with `n - 1` degrees of freedom, `stats.t.ppf(p, n - 1)`: the fewer seeds, the wider. Then
#
# - the 95 % interval is `m ± t(0.975) · s / √n`;
# - a true difference of `(t(0.975) + t(0.8)) · s / √n` would be found in about 80 % of such experiments: the smallest *detectable* difference. Smaller ones are often missed.

# %% [markdown] exercise="paired_comparison"
# `a` and `b` are the accuracies of two networks, seed by seed: arrays or lists of the same length `n`. Return a dictionary with four numbers: `"mean"` of `a - b`, `"low"` and `"high"` ends of its 95 % interval, and `"detectable"`, all as above.
#
# `n = 2` must work: there the quantiles are large, and the interval is honest about it. If all differences are the same, the interval has length 0, and no NaN arises. Five or six lines.

# %% answer="paired_comparison"
def paired_comparison(a, b):
    """Mean difference over paired seeds, its 95 % interval, and what could have been seen.

    a, b: arrays or lists of n >= 2 accuracies, in the order of the seeds
    Returns {"mean": ..., "low": ..., "high": ..., "detectable": ...}, numbers.
    """
    # BEGIN SOLUTION
    d = np.asarray(a) - np.asarray(b)
    error = np.std(d, ddof=1) / np.sqrt(len(d))
    edge = stats.t.ppf(0.975, len(d) - 1)
    power = stats.t.ppf(0.8, len(d) - 1)
    return {
        "mean": np.mean(d),
        "low": np.mean(d) - edge * error,
        "high": np.mean(d) + edge * error,
        "detectable": (edge + power) * error,
    }
    # END SOLUTION


# %%
check("08.paired_comparison")

# %% [markdown] help="paired_comparison"
# ## where do I begin?
# With the differences, seed by seed. From there on only the differences count.
# ## my interval is a little too short
# `np.std` divides by `n`, unless you give it `ddof=1`. And with few seeds 1.96 is too small: take Student's t.
# ## what is the second quantile for?
# With a true difference of `t(0.975) · s / √n`, 0 lies outside of the interval only every other time. `t(0.8)` more makes that about four times in five.
# ## Why
# What both networks of a seed share, an easy split for example, cancels in the difference. The standard error then holds only what they do not share.

# %% [markdown] question="pairing"
# The next cell makes up accuracies of two networks with 10 seeds. The true difference is 0.015, and the luck of a seed, which both share, is larger. **Predict before you run.**

# %%
predict("08.pairing", ...)

# %%
compare = use("08.paired_comparison")
rng = np.random.default_rng(4)
luck = rng.normal(0.80, 0.03, 10)  # shared by both networks of a seed
a, b = luck + 0.015 + rng.normal(0, 0.01, 10), luck + rng.normal(0, 0.01, 10)
paired = compare(a, b)
error = np.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / 10)
half = stats.t.ppf(0.975, 18) * error  # as if the seeds had nothing in common
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
left.plot([0, 1], [b, a], "o-", color="#0072B2", alpha=0.6)
left.set_xticks([0, 1], ["network b", "network a"])
left.set_ylabel("accuracy")
centre = [paired["mean"]] * 2
widths = [(paired["high"] - paired["low"]) / 2, half]
right.errorbar(centre, [1, 0], xerr=widths, fmt="s", color="#D55E00", capsize=4)
right.axvline(0, color="k", linestyle=":")
right.set_yticks([1, 0], ["paired", "unpaired"])
right.set(xlabel="a - b, with 95 % interval", ylim=(-0.5, 1.5))
plt.show()
print({key: round(float(value), 4) for key, value in paired.items()})
predict("08.pairing")

# %% [markdown]
# *What the figure shows:* on the left each line is a seed; most lines rise, though the seeds lie far apart. On the right the paired interval is short and lies above 0. The unpaired one, of the same numbers, is about twice as long and contains 0.

# %% [markdown] question="nothing_found"
# **Checkpoint.**

# %%
checkpoint("08.nothing_found", ...)

# %% [markdown]
# Now the real runs: networks of {{stepnet_comparison.setting.depth}} layers on noisy digits, {{stepnet_comparison.seeds}} seeds for each kind of gate (`experiments/stepnet_comparison.py`). The last epoch counts, not the best. Three comparisons were fixed before any run, the *primary* ones; of many comparisons some look good by luck.

# %%
pair = measured("stepnet_comparison.arms.stepnet_pair.accuracy.values")
primary = {
    "SE": measured("stepnet_comparison.arms.squeeze_excite.accuracy.values"),
    "SE, as many weights": measured("stepnet_comparison.arms.se_matched.accuracy.values"),
    "constant gate": measured("stepnet_comparison.arms.constant_gate.accuracy.values"),
}
secondary = {
    "SE on the state": measured("stepnet_comparison.arms.se_on_state.accuracy.values"),
    "no attention": measured("stepnet_comparison.arms.none.accuracy.values"),
    "statistics": measured("stepnet_comparison.arms.stepnet_statistics.accuracy.values"),
    "index": measured("stepnet_comparison.arms.stepnet_index.accuracy.values"),
    "ECA": measured("stepnet_comparison.arms.efficient_channel_attention.accuracy.values"),
    "SRM": measured("stepnet_comparison.arms.style_recalibration.accuracy.values"),
    "GCT": measured("stepnet_comparison.arms.gated_channel_transform.accuracy.values"),
}
figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for place, (name, other) in enumerate([*primary.items(), *secondary.items()]):
    found = compare(pair, other)
    color, marker = ("#D55E00", "s") if name in primary else ("#0072B2", "o")
    ax.plot([found["low"], found["high"]], [place, place], "-", color=color)
    ax.plot(found["mean"], place, marker, color=color)
    ax.plot([-found["detectable"], found["detectable"]], [place, place], "|", color="k")
    print(f"pair - {name:20s}", {key: f"{float(value):+.3f}" for key, value in found.items()})
ax.axvline(0, color="k", linestyle=":")
ax.set_yticks(range(10), [*primary, *secondary])
ax.invert_yaxis()
ax.set(xlabel="accuracy of the pair minus that of ...", title="squares: primary, circles: secondary")
plt.show()

# %% [markdown]
# *What the figure shows:* all three primary intervals contain 0. The pair was not shown to be better than SE, than SE with as many weights, or than a gate that never looks at the image. Black ticks mark the smallest detectable difference, {{stepnet_comparison.primary.squeeze_excite.detectable|.3f}} against SE. Against no attention and GCT the interval leaves out 0; with seven secondary looks that is a hint.
#
# And the long lines of section 3? With each gate of the pair frozen at its mean over training images, accuracy changed by {{gate_adaptivity.arms.stepnet_pair.frozen_minus_free.mean|+.3f}} ({{gate_adaptivity.arms.stepnet_pair.frozen_minus_free.low|+.3f}} to {{gate_adaptivity.arms.stepnet_pair.frozen_minus_free.high|+.3f}}). That of SRM changed by {{gate_adaptivity.arms.style_recalibration.frozen_minus_free.mean|+.3f}}: its network relies on gates that adapt (`experiments/gate_adaptivity.py`).
#
# All of this is about small noisy pictures and our reconstruction.

# %% [markdown] question="which_control"
# **Checkpoint.**

# %%
checkpoint("08.which_control", ...)

# %% [markdown]
# ## Summary
#
# - Stiffness shows in two states, before and after a step. SE sees the branch alone; our reconstruction of StepNet sees the state and the predictor `x + f`.
# - Means add up: the pair knows what SE knows plus the means of the state. A standard deviation of `x + f` would tell how the two fit together.
# - The gate stands before the addition, the relu after it. In our network early gates are close to constants.
# - The applied index contains the gate and goes with random gates, too. Only the raw index, with a permutation test, may be related to attention.
# - A comparison names its controls before it is run, pairs its seeds, and says which difference it could have seen. In ours the pair beat none of its three controls.
#
# **Still open.** What the published module looks like, and whether anything here holds for deep networks on colour images.
#
# ## What to read
#
# - Z. Huang, M. Liang, J. Qin, S. Zhong, L. Lin, "Understanding Self-attention Mechanism via Dynamical System Perspective", ICCV 2023: the claim and the idea of StepNet.
# - J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
# - S. Zhong and others, "ASR: Attention-alike Structural Re-parameterization", arXiv:2304.06345 (2023): trained gates come close to constants.
# - H. Lee, H. Kim, H. Nam, "SRM: A Style-based Recalibration Module for Convolutional Neural Networks", ICCV 2019: gates from means and standard deviations.
# - X. Bouthillier and others, "Accounting for Variance in Machine Learning Benchmarks", MLSys 2021: what luck does to comparisons.

# %% wrong="predictor_features" shows="branch-for-predictor" outcome="not yet"
def predictor_features(branch, shortcut):
    branch, shortcut = (keras.ops.cast(v, "float32") for v in (branch, shortcut))
    means = [keras.ops.mean(v, axis=(1, 2)) for v in (shortcut, branch)]
    return keras.ops.concatenate(means, axis=-1)

# %% wrong="predictor_features" shows="features-swapped" outcome="not yet"
def predictor_features(branch, shortcut):
    branch, shortcut = (keras.ops.cast(v, "float32") for v in (branch, shortcut))
    means = [keras.ops.mean(v, axis=(1, 2)) for v in (shortcut + branch, shortcut)]
    return keras.ops.concatenate(means, axis=-1)

# %% wrong="predictor_features" shows="branch-for-state" outcome="not yet"
def predictor_features(branch, shortcut):
    branch, shortcut = (keras.ops.cast(v, "float32") for v in (branch, shortcut))
    means = [keras.ops.mean(v, axis=(1, 2)) for v in (branch, shortcut + branch)]
    return keras.ops.concatenate(means, axis=-1)

# %% wrong="predictor_features" shows="sum-not-mean" outcome="not yet"
def predictor_features(branch, shortcut):
    branch, shortcut = (keras.ops.cast(v, "float32") for v in (branch, shortcut))
    sums = [keras.ops.sum(v, axis=(1, 2)) for v in (shortcut, shortcut + branch)]
    return keras.ops.concatenate(sums, axis=-1)

# %% wrong="predictor_features" shows="interleaved" outcome="not yet"
def predictor_features(branch, shortcut):
    branch, shortcut = (keras.ops.cast(v, "float32") for v in (branch, shortcut))
    means = [keras.ops.mean(v, axis=(1, 2)) for v in (shortcut, shortcut + branch)]
    return keras.ops.reshape(keras.ops.stack(means, axis=-1), (-1, 2 * branch.shape[-1]))

# %% wrong="predictor_features" shows="stacked" outcome="not yet"
def predictor_features(branch, shortcut):
    branch, shortcut = (keras.ops.cast(v, "float32") for v in (branch, shortcut))
    means = [keras.ops.mean(v, axis=(1, 2)) for v in (shortcut, shortcut + branch)]
    return keras.ops.stack(means, axis=-1)

# %% wrong="predictor_features" shows="half-precision" outcome="not yet"
def predictor_features(branch, shortcut):
    predictor = keras.ops.add(shortcut, branch)
    means = [keras.ops.mean(v, axis=(1, 2)) for v in (shortcut, predictor)]
    return keras.ops.cast(keras.ops.concatenate(means, axis=-1), "float32")

# %% wrong="predictor_features" shows="numpy-in-call" outcome="crashed"
def predictor_features(branch, shortcut):
    state = np.mean(shortcut, axis=(1, 2), dtype="float32")
    slope = np.mean(branch, axis=(1, 2), dtype="float32")
    return np.concatenate([state, state + slope], axis=-1)

# %% variant="predictor_features" style="the predictor as a map, a layer for the mean"
def predictor_features(branch, shortcut):
    pool = keras.layers.GlobalAveragePooling2D(dtype="float32")
    x, f = keras.ops.cast(shortcut, "float32"), keras.ops.cast(branch, "float32")
    return keras.ops.concatenate([pool(x), pool(keras.ops.add(x, f))], axis=1)

# %% variant="predictor_features" style="both maps side by side, one mean"
def predictor_features(branch, shortcut):
    x = keras.ops.cast(shortcut, dtype="float32")
    y = x + keras.ops.cast(branch, dtype="float32")
    return keras.ops.mean(keras.ops.concatenate((x, y), axis=3), axis=[1, 2])

# %% variant="predictor_features" style="sums over rows, then over columns"
def predictor_features(branch, shortcut):
    def pooled(v):
        v = keras.ops.cast(v, "float32")
        return keras.ops.mean(keras.ops.mean(v, axis=1), axis=1)
    
    m, s = pooled(shortcut), pooled(branch)
    return keras.ops.concatenate([m, keras.ops.add(m, s)], -1)

# %% probe="predictor_features"
def probe(answer, draw):
    shape = draw.integers(1, 6, size=4)
    branch, shortcut = draw.normal(size=(2, *shape)).astype(draw.choice(["float16", "float32"]))
    got = keras.ops.convert_to_numpy(answer(branch, shortcut))
    return [np.round(got.astype("float64"), 3), got.dtype.itemsize]

# %% wrong="StepNetAttention" shows="gate-not-applied" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return self.gate(branch, shortcut)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="adds-the-state" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.add(shortcut, keras.ops.multiply(self.gate(branch, shortcut), branch))

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="gates-the-state" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), shortcut)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="order-of-arguments" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(shortcut, branch)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="not-built" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="one-state-only" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)[:, branch.shape[-1]:]))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="no-hidden-unit" outcome="crashed"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = channels // self.reduction
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="no-relu" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden)
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="no-sigmoid" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels)
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="state-not-needed" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            shortcut = branch
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="unclear-error" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise TypeError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="gate-without-axes" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut)[:, None, None, :], branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="gradient-stopped" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(keras.ops.stop_gradient(self.squeeze(predictor_features(branch, shortcut))))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="StepNetAttention" shows="config-incomplete" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return super().get_config()

# %% wrong="StepNetAttention" shows="config-incomplete" outcome="not yet"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {"reduction": self.reduction}

# %% wrong="StepNetAttention" shows="numpy-in-call" outcome="crashed"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        hidden = max(1, round(channels / self.reduction))
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, 2 * channels))
        self.excite.build((None, hidden))

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("`shortcut` is missing")
        a = self.excite(self.squeeze(predictor_features(branch, shortcut)))
        return np.expand_dims(a, (1, 2))

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(self.gate(branch, shortcut), branch)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% variant="StepNetAttention" style="own weights, and keras.ops"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        c = branch_shape[-1]
        h = max(1, int(round(c / self.reduction)))
        self.w1 = self.add_weight(shape=(2 * c, h), name="w1")
        self.b1 = self.add_weight(shape=(h,), initializer="zeros", name="b1")
        self.w2 = self.add_weight(shape=(h, c), name="w2")
        self.b2 = self.add_weight(shape=(c,), initializer="zeros", name="b2")

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError(f"{self.name}: shortcut=None, but this gate needs the state.")
        z = keras.ops.matmul(predictor_features(branch, shortcut), self.w1)
        z = keras.ops.matmul(keras.ops.relu(keras.ops.add(z, self.b1)), self.w2)
        return keras.ops.expand_dims(keras.ops.sigmoid(keras.ops.add(z, self.b2)), (1, 2))

    def call(self, branch, shortcut=None):
        return branch * keras.ops.cast(self.gate(branch, shortcut), self.compute_dtype)

    def get_config(self):
        config = super().get_config()
        config["reduction"] = self.reduction
        return config

# %% variant="StepNetAttention" style="a small network, features of its own"
class StepNetAttention(keras.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        *_, channels = branch_shape
        self.net = keras.Sequential([
            keras.layers.Dense(max(round(channels / self.reduction), 1), "relu"),
            keras.layers.Dense(channels),
            keras.layers.Activation("sigmoid"),
            keras.layers.Reshape((1, 1, channels)),
        ])
        self.net.build((None, 2 * channels))
        self.built = True

    def gate(self, branch, shortcut=None):
        if shortcut is None:
            raise ValueError("layer(branch, shortcut), please")
        x, f = (keras.ops.mean(v, axis=(1, 2)) for v in (shortcut, branch))
        return self.net(keras.ops.concatenate([x, x + f], axis=-1))

    def call(self, branch, shortcut=None):
        return self.gate(branch, shortcut) * branch

    def get_config(self):
        return super().get_config() | dict(reduction=self.reduction)

# %% variant="StepNetAttention" style="sub-layers of full precision, shapes from the layer"
class StepNetAttention(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        n = int(branch_shape[-1])
        h = int(n / self.reduction + 0.5) or 1
        self.first = keras.layers.Dense(h, activation=keras.ops.relu, dtype="float32")
        self.second = keras.layers.Dense(n, activation=keras.ops.sigmoid, dtype="float32")
        self.first.build((None, n + n))
        self.second.build((None, h))
        super().build(branch_shape)

    def gate(self, branch, shortcut=None):
        if shortcut is not None:
            a = self.second(self.first(predictor_features(branch, shortcut)))
            return keras.ops.reshape(a, (-1, 1, 1, branch.shape[-1]))
        raise ValueError("no shortcut")

    def call(self, branch, shortcut=None):
        gate = self.gate(branch, shortcut)
        return keras.ops.cast(keras.ops.cast(branch, "float32") * gate, branch.dtype)

    def compute_output_shape(self, branch_shape, shortcut_shape=None):
        return branch_shape

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% probe="StepNetAttention"
def probe(answer, draw):
    shape, r = draw.integers(1, 6, size=4), float(draw.choice([1, 2, 16, 32 / 3]))
    branch, state = draw.normal(size=(2, *shape)).astype("float32")
    layer = answer(reduction=r)
    layer.build((None, *shape[1:]), (None, *shape[1:]))
    for weight in layer.weights:
        weight.assign(draw.normal(size=weight.shape))
    try:
        layer.gate(branch)
        refused = 0
    except ValueError as error:
        refused = 1 + ("shortcut" in str(error))
    again = answer.from_config(layer.get_config())
    return [layer(branch, state), layer.gate(branch, state), refused, np.array(again.reduction)]

# %% wrong="stepnet_block" shows="no-relu" outcome="not yet"
def stepnet_block(x, residual, attention=None, projection=None):
    branch = residual(x)
    state = x if projection is None else projection(x)
    if attention is not None:
        branch = attention(branch, state)
    return state + branch

# %% wrong="stepnet_block" shows="relu-before-addition" outcome="not yet"
def stepnet_block(x, residual, attention=None, projection=None):
    branch = residual(x)
    state = x if projection is None else projection(x)
    if attention is not None:
        branch = attention(branch, state)
    return state + keras.ops.relu(branch)

# %% wrong="stepnet_block" shows="relu-before-addition" outcome="not yet"
def stepnet_block(x, residual, attention=None, projection=None):
    branch = residual(x)
    state = x if projection is None else projection(x)
    branch = keras.ops.relu(branch)
    if attention is not None:
        branch = attention(branch, state)
    return keras.ops.relu(state + branch)

# %% wrong="stepnet_block" shows="gates-the-sum" outcome="not yet"
def stepnet_block(x, residual, attention=None, projection=None):
    branch = residual(x)
    state = x if projection is None else projection(x)
    y = state + branch
    if attention is not None:
        y = attention(y, state)
    return keras.ops.relu(y)

# %% wrong="stepnet_block" shows="order-of-arguments" outcome="not yet"
def stepnet_block(x, residual, attention=None, projection=None):
    branch = residual(x)
    state = x if projection is None else projection(x)
    if attention is not None:
        branch = attention(state, branch)
    return keras.ops.relu(state + branch)

# %% wrong="stepnet_block" shows="change-not-state" outcome="not yet"
def stepnet_block(x, residual, attention=None, projection=None):
    branch = residual(x)
    state = x if projection is None else projection(x)
    if attention is not None:
        branch = attention(branch, state)
    return keras.ops.relu(branch)

# %% wrong="stepnet_block" shows="residual-twice" outcome="not yet"
def stepnet_block(x, residual, attention=None, projection=None):
    state = x if projection is None else projection(x)
    if attention is None:
        return keras.ops.relu(state + residual(x))
    return keras.ops.relu(state + attention(residual(x), residual(x) * 0 + state))

# %% wrong="stepnet_block" shows="block-not-found" outcome="not yet"
def stepnet_block(x, residual, attention=None, projection=None):
    branch = residual(x)
    state = x if projection is None else projection(x)
    if attention is not None and hasattr(attention, 'gate'):
        branch = attention.gate(branch, state) * branch
    elif attention is not None:
        branch = attention(branch, state)
    return keras.ops.relu(state + branch)

# %% wrong="stepnet_block" shows="projection-into-residual" outcome="crashed"
def stepnet_block(x, residual, attention=None, projection=None):
    x = x if projection is None else projection(x)
    branch = residual(x)
    if attention is not None:
        branch = attention(branch, x)
    return keras.ops.relu(x + branch)

# %% wrong="stepnet_block" shows="attention-always" outcome="crashed"
def stepnet_block(x, residual, attention=None, projection=None):
    branch = residual(x)
    state = x if projection is None else projection(x)
    return keras.ops.relu(state + attention(branch, state))

# %% variant="stepnet_block" style="layers for sum and relu"
def stepnet_block(x, residual, attention=None, projection=None):
    state = projection(x) if projection else x
    step = residual(x)
    if attention:
        step = attention(step, shortcut=state)
    return keras.layers.ReLU()(keras.layers.Add()([state, step]))

# %% variant="stepnet_block" style="keras.ops, without if"
def stepnet_block(x, residual, attention=None, projection=None):
    keep = lambda f, *_: f
    gate, project = attention or keep, projection or keep
    state = project(x)
    return keras.ops.relu(keras.ops.add(gate(residual(x), state), state))

# %% variant="stepnet_block" style="a maximum"
def stepnet_block(x, residual, attention=None, projection=None):
    f = residual(x)
    if projection is not None:
        x = projection(x)
    if attention is not None:
        f = attention(f, x)
    return keras.ops.maximum(x + f, 0.0)

# %% probe="stepnet_block"
def probe(answer, draw):
    x, k, p = draw.normal(size=(3, 4, 4)).astype("float32")
    residual = lambda x: keras.ops.tanh(keras.ops.matmul(x, k))
    attention = (lambda f, s: f * keras.ops.sigmoid(s)) if draw.random() < 0.7 else None
    projection = (lambda x: keras.ops.matmul(x, p)) if draw.random() < 0.5 else None
    return [answer(keras.ops.convert_to_tensor(x), residual, attention, projection)]

# %% wrong="attention_nsi" shows="pair-swapped" outcome="not yet"
def attention_nsi(branch, shortcut, gate):
    n, c = gate.shape
    a = gate.reshape(n, *[1] * (branch.ndim - 2), c)
    norm = lambda v: np.linalg.norm(v.reshape(n, -1), axis=1)
    return norm(a * branch) / norm(shortcut), norm(branch) / norm(shortcut)

# %% wrong="attention_nsi" shows="gate-along-a-row" outcome="not yet"
def attention_nsi(branch, shortcut, gate):
    n = len(branch)
    norm = lambda v: np.linalg.norm(v.reshape(n, -1), axis=1)
    return norm(branch) / norm(shortcut), norm(gate * branch) / norm(shortcut)

# %% wrong="attention_nsi" shows="mean-gate" outcome="not yet"
def attention_nsi(branch, shortcut, gate):
    n, c = gate.shape
    a = gate.reshape(n, *[1] * (branch.ndim - 2), c)
    norm = lambda v: np.linalg.norm(v.reshape(n, -1), axis=1)
    raw = norm(branch) / norm(shortcut)
    return raw, raw * gate.mean(axis=1)

# %% wrong="attention_nsi" shows="gate-unused" outcome="not yet"
def attention_nsi(branch, shortcut, gate):
    n, c = gate.shape
    a = gate.reshape(n, *[1] * (branch.ndim - 2), c)
    norm = lambda v: np.linalg.norm(v.reshape(n, -1), axis=1)
    raw = norm(branch) / norm(shortcut)
    return raw, raw

# %% wrong="attention_nsi" shows="sample-axis-lost" outcome="not yet"
def attention_nsi(branch, shortcut, gate):
    n, c = gate.shape
    a = gate.reshape(n, *[1] * (branch.ndim - 2), c)
    size = np.linalg.norm(shortcut)
    return np.linalg.norm(branch) / size, np.linalg.norm(a * branch) / size

# %% wrong="attention_nsi" shows="squared" outcome="not yet"
def attention_nsi(branch, shortcut, gate):
    n, c = gate.shape
    a = gate.reshape(n, *[1] * (branch.ndim - 2), c)
    norm = lambda v: np.linalg.norm(v.reshape(n, -1), axis=1)
    norm = lambda v: np.sum(v.reshape(n, -1) ** 2, axis=1)
    return norm(branch) / norm(shortcut), norm(a * branch) / norm(shortcut)

# %% wrong="attention_nsi" shows="not-a-pair" outcome="not yet"
def attention_nsi(branch, shortcut, gate):
    n, c = gate.shape
    a = gate.reshape(n, *[1] * (branch.ndim - 2), c)
    norm = lambda v: np.linalg.norm(v.reshape(n, -1), axis=1)
    return norm(a * branch) / norm(shortcut)

# %% wrong="attention_nsi" shows="predictor-for-branch" outcome="not yet"
def attention_nsi(branch, shortcut, gate):
    n, c = gate.shape
    a = gate.reshape(n, *[1] * (branch.ndim - 2), c)
    norm = lambda v: np.linalg.norm(v.reshape(n, -1), axis=1)
    return norm(shortcut + branch) / norm(shortcut), norm(shortcut + a * branch) / norm(shortcut)

# %% variant="attention_nsi" style="einsum names the axes"
def attention_nsi(branch, shortcut, gate):
    gated = np.einsum("n...c,nc->n...c", branch, gate)
    axes = tuple(range(1, branch.ndim))
    f2, g2, x2 = (np.sum(v.astype("float64") ** 2, axis=axes) for v in (branch, gated, shortcut))
    return np.sqrt(f2 / x2), np.sqrt(g2 / x2)

# %% variant="attention_nsi" style="a loop over samples"
def attention_nsi(branch, shortcut, gate):
    raw, applied = [], []
    for f, x, a in zip(branch, shortcut, gate):
        size = np.linalg.norm(x.ravel())
        raw.append(np.linalg.norm(f.ravel()) / size)
        applied.append(np.linalg.norm((f * a).ravel()) / size)
    return np.array(raw), np.array(applied)

# %% variant="attention_nsi" style="the library's index, from state to next state"
def attention_nsi(branch, shortcut, gate):
    a = np.expand_dims(gate, tuple(range(1, branch.ndim - 1)))
    return [stiffness.stiffness_aware_index(shortcut, shortcut + v) for v in (branch, a * branch)]

# %% probe="attention_nsi"
def probe(answer, draw):
    shape = draw.integers(1, 6, size=draw.integers(2, 5))
    branch, shortcut = draw.normal(size=(2, *shape))
    raw, applied = answer(branch, shortcut, draw.random(size=(shape[0], shape[-1])))
    return [np.asarray(raw).astype("float32"), np.asarray(applied).astype("float32")]

# %% wrong="paired_comparison" shows="ddof" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    n = len(d)
    error = np.std(d) / np.sqrt(n)
    edge, power = stats.t.ppf([0.975, 0.8], n - 1)
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="deviation-not-error" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    n = len(d)
    error = np.std(d, ddof=1)
    edge, power = stats.t.ppf([0.975, 0.8], n - 1)
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="deviation-not-error" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    n = len(d)
    error = np.std(d, ddof=1) / n
    edge, power = stats.t.ppf([0.975, 0.8], n - 1)
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="normal-not-t" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    n = len(d)
    error = np.std(d, ddof=1) / np.sqrt(n)
    edge, power = stats.norm.ppf([0.975, 0.8])
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="one-sided" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    n = len(d)
    error = np.std(d, ddof=1) / np.sqrt(n)
    edge, power = stats.t.ppf([0.95, 0.8], n - 1)
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="degrees-of-freedom" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    n = len(d)
    error = np.std(d, ddof=1) / np.sqrt(n)
    edge, power = stats.t.ppf([0.975, 0.8], n)
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="unpaired" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    n = len(d)
    error = np.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / n)
    edge, power = stats.t.ppf([0.975, 0.8], n - 1)
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="power-ignored" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    n = len(d)
    error = np.std(d, ddof=1) / np.sqrt(n)
    edge, power = stats.t.ppf(0.975, n - 1), 0
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="sign" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(b, a)
    n = len(d)
    error = np.std(d, ddof=1) / np.sqrt(n)
    edge, power = stats.t.ppf([0.975, 0.8], n - 1)
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="entry-missing" outcome="not yet"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    n = len(d)
    error = np.std(d, ddof=1) / np.sqrt(n)
    edge, power = stats.t.ppf([0.975, 0.8], n - 1)
    m = np.mean(d)
    return {"mean": m, "interval": (m - edge * error, m + edge * error), "detectable": (edge + power) * error}

# %% wrong="paired_comparison" shows="lists-subtracted" outcome="crashed"
def paired_comparison(a, b):
    d = a - b
    n = len(d)
    error = np.std(d, ddof=1) / np.sqrt(n)
    edge, power = stats.t.ppf([0.975, 0.8], n - 1)
    m = np.mean(d)
    return {"mean": m, "low": m - edge * error, "high": m + edge * error, "detectable": (edge + power) * error}

# %% variant="paired_comparison" style="SciPy's interval and standard error"
def paired_comparison(a, b):
    d = np.array(a) - np.array(b)
    error, m = stats.sem(d), d.mean()
    low, high = (m, m) if error == 0 else stats.t.interval(0.95, len(d) - 1, loc=m, scale=error)
    return dict(mean=m, low=low, high=high, detectable=(stats.t.isf(0.025, len(d) - 1) + stats.t.isf(0.2, len(d) - 1)) * error)

# %% variant="paired_comparison" style="a frozen distribution, plain sums"
def paired_comparison(a, b):
    d = [p - q for p, q in zip(a, b)]
    n = len(d)
    m = sum(d) / n
    s = (sum((v - m) ** 2 for v in d) / (n - 1)) ** 0.5
    t = stats.t(df=n - 1)
    half = t.ppf(0.975) * s / n**0.5
    return {"mean": m, "low": m - half, "high": m + half, "detectable": half + t.ppf(0.8) * s / n**0.5}

# %% variant="paired_comparison" style="the lower end as a quantile of the lower tail"
def paired_comparison(a, b):
    d = np.subtract(a, b)
    size = np.sqrt(np.var(d, ddof=1) / d.size)
    low, high = d.mean() + size * stats.t.ppf([0.025, 0.975], d.size - 1)
    reach = -stats.t.ppf(0.2, d.size - 1)
    return {"detectable": (high - low) / 2 + reach * size, "high": high, "low": low, "mean": float(np.mean(d))}

# %% probe="paired_comparison"
def probe(answer, draw):
    n = int(draw.integers(2, 12))
    got = answer(draw.random(n), list(draw.random(n)))
    return [np.array(got[key]).astype("float32") for key in ("mean", "low", "high", "detectable")]
