# %% [markdown]
# # Lesson 07 · Channel attention
#
# A residual block makes a step of size 1, for every image alike. **Can a network choose its steps, and does it choose them for each input?**
#
# Channel attention is said to do so. You build three such modules, read the steps that they take, and ask whether these depend on the input. Then you can
#
# - **read** a gate as a step size,
# - **build** three gates as Keras layers, and count what they cost,
# - **place** a gate so that the block stays a step,
# - **read** the gates of a trained network,
# - **tell** a step that adapts from one that is merely not 1.
#
# You need lessons 00 (layers of your own), 01 (blocks as steps) and 05 (raw and applied index), and about 90 minutes.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

from stepkit import attention, datasets, layers, models, stiffness

# %% [markdown]
# ## 1. A gate is a step size
#
# A residual block is $y = x + f(x)$: Euler's step of size 1 along the *branch* $f$. The state $x$ reaches the addition on the *shortcut*. Now multiply the branch:
#
# $$y = x + a(f) \cdot f(x), \qquad 0 < a < 1$$
#
# The factor $a$ is a *gate*: one number for each sample and each channel of the image. Read as a solver, it is a step size that the block chooses when it sees the slope. A solver with step control (lesson 04) does that too, from an error. The gate is learned.
#
# The usual word is *channel attention*. Three things are called attention in this course:
#
# | lesson | attention weighs | range |
# |---|---|---|
# | 07 to 09 | the channels of a branch: a gate | 0 to 1 each |
# | 10 | the nodes of a network of neighbours | a weight per node |
# | 11 | pairs of tokens, as in a transformer | weights that add up to 1 |
#
# For one block, the gates make a table with a row for each sample and a column for each channel. If all rows are alike, the step is not chosen for the input: it is a constant per channel. So ask where the variance of the table lies:
#
# $$\text{share} = \frac{\text{mean over channels of the variance over samples}}{\text{variance of all gates}}$$
#
# It is 0 if all rows are alike, and 1 if all channels have the same mean. The rest of the variance lies between the means of the channels.

# %% [markdown] question="share"
# **Predict before you run.**

# %%
predict("07.share", ...)

# %% [markdown] exercise="input_dependence"
# Return that share, one number from 0 to 1, for a table `gates` of shape `(samples, channels)`.
#
# Both variances are those of `np.var`. If all gates are equal, the share is 0, in spite of rounding. About three lines.

# %% answer="input_dependence"
def input_dependence(gates):
    """Share of the variance of gates that lies between samples.

    gates: array (samples, channels)
    Returns a number from 0 to 1.
    """
    # BEGIN SOLUTION
    if np.min(gates) == np.max(gates):
        return 0.0
    return np.mean(np.var(gates, axis=0)) / np.var(gates)
    # END SOLUTION


# %%
check("07.input_dependence")

# %% [markdown] help="input_dependence"
# ## which axis?
# The variance over samples, for each channel: `np.var(gates, axis=0)` has one number per channel.
# ## how do I deal with equal gates?
# Return before you divide. But not by asking whether the variance is 0: rounding may leave `1e-33`. Compare the smallest gate with the largest.
# ## Why
# The variance of all gates is the mean variance within the channels plus the variance of the channels' means. Both parts are positive, so the share lies between 0 and 1.

# %%
share_of = use("07.input_dependence")
swing, level = np.array([[-0.1], [0.1]]), np.array([[0.2, 0.8]])
print("the gates of the question:", (level + swing).round(1).tolist())
print(f"share between samples: {share_of(level + swing):.2f}")
predict("07.share")

# %% [markdown]
# ## 2. Squeeze and excitation
#
# The best known gate (Hu, Shen and Sun, 2018) works in two moves. *Squeeze*: take the mean $m_c$ of each channel's map. *Excite*: two small dense layers look at all means,
#
# $$a = \sigma\bigl(W_2\,\mathrm{relu}(W_1 m + b_1) + b_2\bigr)$$
#
# The *sigmoid* $\sigma(z) = 1 / (1 + e^{-z})$ maps any number to one between 0 and 1, and 0 to 0.5. The layer in between is narrow: with $C$ channels it has $C / r$ units. The *reduction* $r$ is 16 by default.
#
# Keras layers of this course that gate a branch have two methods. `gate(branch, shortcut=None)` returns the step size. `call(branch, shortcut=None)` returns gate times branch; the addition is the caller's. Today's gates do not look at the shortcut, but take it, because those of lesson 08 do.

# %% [markdown] exercise="SqueezeExcite"
# Write four methods. `build` makes two dense layers, with biases, and builds them; channels are the last axis. The hidden width is `channels / reduction`, a whole number or below 1; then it is 1. Keras also passes the shape of the shortcut; you need only that of the branch.
#
# `gate` returns shape `(batch, 1, 1, channels)`, `call` the product, `get_config` what `super().get_config()` returns and `reduction`. Image and batch size may be unknown. One to five lines each.

# %% answer="SqueezeExcite"
class SqueezeExcite(keras.layers.Layer):
    """Gates a branch by two dense layers on the means of its channels.

    reduction: int, channels per hidden unit
    """

    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        # BEGIN SOLUTION
        channels = branch_shape[-1]
        hidden = max(1, channels // self.reduction)
        self.squeeze = keras.layers.Dense(hidden, activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.squeeze.build((None, channels))
        self.excite.build((None, hidden))
        # END SOLUTION

    def gate(self, branch, shortcut=None):
        """branch: tensor (batch, height, width, channels)."""
        # BEGIN SOLUTION
        mean = keras.ops.mean(branch, axis=(1, 2), keepdims=True)
        return self.excite(self.squeeze(mean))
        # END SOLUTION

    def call(self, branch, shortcut=None):
        # BEGIN SOLUTION
        return self.gate(branch) * branch
        # END SOLUTION

    def get_config(self):
        # BEGIN SOLUTION
        return {**super().get_config(), "reduction": self.reduction}
        # END SOLUTION


# %%
check("07.SqueezeExcite")

# %% [markdown] help="SqueezeExcite"
# ## what goes into `build`?
# Two `keras.layers.Dense`, kept as attributes of `self`: one with the hidden width and a relu, one with as many units as channels and a sigmoid. Call `build` of each with a shape whose last entry is the number of its inputs.
# ## how do I get the shape of the gate?
# `keras.ops.mean(..., axis=(1, 2), keepdims=True)` keeps the two axes, with length 1. Dense layers work on the last axis and leave the others alone.
# ## why is the hidden width 0?
# `3 // 16` is 0. `max(1, ...)` helps.
# ## Why
# Axes of length 1 let the product use one gate for all pixels of a channel. `get_config` matters: `cifar_resnet` makes one gate for each block by copying yours from its configuration.

# %% [markdown] question="shuffle"
# **Predict before you run.**

# %%
predict("07.shuffle", ...)

# %%
def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)
branch = draw.normal(1.0, 1.0, (1, 8, 8, 6)).astype("float32")
shuffled = draw.permutation(branch.reshape(1, 64, 6), axis=1).reshape(branch.shape)
se = use("07.SqueezeExcite")(reduction=2)
se(branch)  # builds it
print("gates:           ", numbers(se.gate(branch)).ravel().round(3))
print("pixels shuffled: ", numbers(se.gate(shuffled)).ravel().round(3))

scales = np.linspace(-8, 8, 33)
gates = np.stack([numbers(se.gate((s * branch).astype("float32"))).ravel() for s in scales])
styles = (("-", "#0072B2"), ("--", "#D55E00"), ("-.", "#009E73"))
for channel, (line, color) in enumerate(styles):
    plt.plot(scales, gates[:, channel], line, color=color, label=f"channel {channel + 1}")
plt.xlabel("factor on the branch")
plt.ylabel("gate")
plt.ylim(0, 1)
plt.legend()
plt.show()
predict("07.shuffle")

# %% [markdown]
# *What the figure shows:* scale the whole branch, and the step size changes, in each channel in its own way. At 0 the gates are those of the biases alone. So $a \cdot f$ is not proportional to $f$: the block looks at the slope before it decides how far to go.
#
# The network has learned nothing yet; these are random weights.

# %% [markdown]
# ## 3. Fewer weights, or another look
#
# *Efficient channel attention* (ECA; Wang and others, 2020) has no dense layers. Each gate looks at the mean of its own channel and of its neighbours, with one *filter* of $k$ weights for all channels:
#
# $$a_c = \sigma\Bigl(\sum_{j=-h}^{h} w_j\, m_{c+j}\Bigr), \qquad h = (k - 1) / 2$$
#
# Beyond the first and the last channel there are zeros. The first weight of the filter belongs to $j = -h$. The authors choose $k$ by the number of channels: $t = (\log_2 C + 1) / 2$ without its decimals, and $k = t$ if $t$ is odd, else $t + 1$.

# %% [markdown] exercise="EfficientChannelAttention"
# Write `build` and `gate`. If `kernel_size` is `None`, the rule above gives `k`, else it is `k`, which may exceed the number of channels. There is one trainable weight with `k` numbers, whatever its shape, and no bias.
#
# A `Conv1D` with one filter, padding "same" and no bias does the sum: it wants the shape `(batch, channels, 1)`, with channels as places. The gate again has shape `(batch, 1, 1, channels)`. Four to seven lines each.

# %% answer="EfficientChannelAttention"
class EfficientChannelAttention(keras.layers.Layer):
    """Gates a branch by one filter along the means of its channels.

    kernel_size: odd int, or None for the rule
    """

    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        # BEGIN SOLUTION
        channels, k = branch_shape[-1], self.kernel_size
        if k is None:
            t = int((np.log2(channels) + 1) / 2)
            k = t if t % 2 == 1 else t + 1
        self.filter = keras.layers.Conv1D(1, k, padding="same", use_bias=False)
        self.filter.build((None, channels, 1))
        # END SOLUTION

    def gate(self, branch, shortcut=None):
        """branch: tensor (batch, height, width, channels)."""
        # BEGIN SOLUTION
        channels = branch.shape[-1]
        mean = keras.ops.mean(branch, axis=(1, 2))
        z = self.filter(keras.ops.reshape(mean, (-1, channels, 1)))
        return keras.ops.sigmoid(keras.ops.reshape(z, (-1, 1, 1, channels)))
        # END SOLUTION

    def call(self, branch, shortcut=None):
        return self.gate(branch, shortcut) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}


# %%
check("07.EfficientChannelAttention")

# %% [markdown] help="EfficientChannelAttention"
# ## how do I get k?
# `int` drops decimals, `np.log2` is the logarithm, and `t % 2` is 0 for an even number.
# ## how do the channels become places?
# The means have shape `(batch, channels)`. `keras.ops.reshape(mean, (-1, channels, 1))` adds an axis; -1 stands for the batch.
# ## where does the sigmoid go?
# After the filter, and last of all a reshape to `(-1, 1, 1, channels)`.
# ## Why
# A convolution along the channels shares its weights between them. "same" pads with zeros, so that each channel keeps a gate of its own.

# %% [markdown]
# *Style-based recalibration* (SRM; Lee, Kim and Nam, 2019) looks at each channel alone, but at two numbers of it: its mean $m_c$ and its standard deviation $s_c$, the contrast of the map. Each channel has two weights. A *batch normalisation* (BN) follows. In training it gives each channel mean 0 and variance 1 over the samples of the batch; in use it takes running averages of the two. Then it applies a scale and an offset per channel, which are trained. Keras tells it which of the two is on:
#
# $$a_c = \sigma\bigl(\mathrm{BN}(w_{c1} m_c + w_{c2} s_c)\bigr), \qquad s_c = \sqrt{v_c + 10^{-5}}$$
#
# Here $v_c$ is the unbiased variance: the sum of squared differences from the mean, over the number of pixels less 1.

# %% [markdown] exercise="StyleRecalibration"
# Write `build` and `gate`. `build` makes a weight of shape `(channels, 2)`, mean first, that starts at zeros, and a `BatchNormalization` with momentum 0.9 and epsilon 1e-5, built for `(None, channels)`.
#
# A map may have one pixel: then the variance is 0, not 0 / 0. Height and width are known. `keras.ops.var` divides by the number of pixels; correct that by a factor. The gate has shape `(batch, 1, 1, channels)`. Three to eight lines each.

# %% answer="StyleRecalibration"
class StyleRecalibration(keras.layers.Layer):
    """Gates a branch by the mean and the standard deviation of each channel."""

    def build(self, branch_shape, shortcut_shape=None):
        # BEGIN SOLUTION
        channels = branch_shape[-1]
        self.kernel = self.add_weight(shape=(channels, 2), initializer="zeros")
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.norm.build((None, channels))
        # END SOLUTION

    def gate(self, branch, shortcut=None):
        """branch: tensor (batch, height, width, channels)."""
        # BEGIN SOLUTION
        pixels = branch.shape[1] * branch.shape[2]
        mean = keras.ops.mean(branch, axis=(1, 2))
        variance = keras.ops.var(branch, axis=(1, 2)) * (pixels / max(pixels - 1, 1))
        s = (variance + 1e-5) ** 0.5
        z = self.norm(self.kernel[:, 0] * mean + self.kernel[:, 1] * s)
        return keras.ops.sigmoid(keras.ops.reshape(z, (-1, 1, 1, branch.shape[-1])))
        # END SOLUTION

    def call(self, branch, shortcut=None):
        return self.gate(branch, shortcut) * branch


# %%
check("07.StyleRecalibration")

# %% [markdown] help="StyleRecalibration"
# ## how do I make the weight?
# `self.add_weight(shape=..., initializer="zeros")`, as in lesson 00. Its first column, `[:, 0]`, holds the weights of the means.
# ## which factor makes the variance unbiased?
# `n / (n - 1)`, where `n` is height times width. With one pixel, divide by 1 instead.
# ## what is the order?
# Mean and deviation, both `(batch, channels)`; their weighted sum; the normalisation; the sigmoid; a reshape.
# ## Why
# The weights start at 0, so all gates start at 0.5. As soon as they are not 0, the normalisation makes the numbers before the sigmoid vary over the samples with variance 1, however small the weights are.

# %% [markdown] question="contrast"
# **Predict before you run.**

# %%
predict("07.contrast", ...)

# %%
signs = np.where(np.indices((8, 8)).sum(axis=0) % 2, 1.0, -1.0)[None, :, :, None]
contrasts = np.linspace(0, 2, 21)
names = ("SqueezeExcite", "EfficientChannelAttention", "StyleRecalibration")
for name, (line, color) in zip(names, styles):
    keras.utils.set_random_seed(1)
    gate = use(f"07.{name}")()
    gate.build((None, 8, 8, 4))
    for weight in gate.trainable_weights:
        if tuple(weight.shape) == (4, 2):  # those of SRM, which start at 0
            weight.assign(np.tile([0.0, 1.0], (4, 1)))
    maps = [(1 + c * signs * np.ones(4)).astype("float32") for c in contrasts]
    plt.plot(contrasts, [numbers(gate.gate(m)).ravel()[0] for m in maps], line, color=color, label=name)
plt.xlabel("contrast c")
plt.ylabel("gate of the first channel")
plt.ylim(0, 1)
plt.legend()
plt.show()
predict("07.contrast")

# %% [markdown]
# *What the figure shows:* two lines are flat. That of SRM rises with the contrast: a deviation weight of 1 makes its steps longer where the map has more contrast.

# %% [markdown] question="placement"
# **Checkpoint.**

# %%
checkpoint("07.placement", ...)

# %% [markdown]
# ## 4. What it costs
#
# A module is paid once for each block. Count the trainable weights: those that `fit` changes. The running averages of a normalisation are none of them.

# %% [markdown] question="price"
# **Predict before you run.**

# %%
predict("07.price", ...)

# %% [markdown] exercise="parameter_count"
# Return the number of trainable weights of one module. `kind` is `"se"`, `"eca"` (its size by the rule) or `"srm"`; the others need no `reduction`. Biases count.
#
# The hidden width of SE is `channels / reduction`, a whole number or below 1; then it is 1. About seven lines.

# %% answer="parameter_count"
def parameter_count(kind, channels, reduction=16):
    """Trainable weights of one module.

    kind: "se", "eca" or "srm"
    channels, reduction: int
    Returns an int.
    """
    # BEGIN SOLUTION
    if kind == "se":
        hidden = max(1, channels // reduction)
        return (channels + 1) * hidden + (hidden + 1) * channels
    if kind == "eca":
        t = int((np.log2(channels) + 1) / 2)
        return t if t % 2 == 1 else t + 1
    return 4 * channels
    # END SOLUTION


# %%
check("07.parameter_count")

# %% [markdown] help="parameter_count"
# ## what does a dense layer cost?
# One weight for each pair of input and unit, and one bias for each unit.
# ## why four for SRM?
# Two weights of its own per channel. What has the normalisation that is trained?
# ## Why
# SE grows with the square of the channels, SRM in proportion to them, ECA hardly at all.

# %%
count = use("07.parameter_count")
widths = [16, 32, 64, 128, 256, 512]
for kind, line, color in (("se", "o-", "#0072B2"), ("srm", "s--", "#009E73"), ("eca", "^-.", "#D55E00")):
    plt.loglog(widths, [count(kind, c) for c in widths], line, color=color, label=kind.upper())
    # ResNet-164 for 100 classes: 1,727,284 weights, 18 blocks each of 64, 128 and 256 channels
    print(f"ResNet-164 with {kind}: {1_727_284 + 18 * sum(count(kind, c) for c in (64, 128, 256)):,}")
plt.xticks(widths, widths)
plt.minorticks_off()
plt.xlabel("channels")
plt.ylabel("weights of one module")
plt.legend()
plt.show()
predict("07.price")

# %% [markdown]
# *What the figure shows:* on logarithmic axes SE rises about twice as steeply as SRM once it has several hidden units. ECA stays below ten weights.
#
# Zhong and others (2023) print 1.73 million for this network, 1.93 with SE and 1.76 with SRM. Such counts are a cheap test of an implementation, here with 100 classes.

# %% [markdown]
# ## 5. Steps of a trained network
#
# `models.cifar_resnet(attention=...)` takes a layer of yours and gives a copy of it to each block, after the last normalisation of the branch. Now read the steps back.

# %% [markdown] exercise="gate_values"
# Return a dictionary from the name of a block, `block.name`, to its gates: a NumPy array `(samples, channels)`.
#
# `layers.residual_blocks(model)` finds the blocks. Leave out those without a gate (`block.attention` is `None`) and those whose `block.projection` is true, which are no steps. Otherwise `block.attention.gate(branch, shortcut)` is the gate; of what `block.states(x)` returns, the attribute `raw` is the branch and `state` the shortcut.
#
# A constant gate may come with one row for all samples: repeat it. Branches may be images or vectors. About eight lines.

# %% answer="gate_values"
def gate_values(model, x):
    """The step sizes that the blocks of a network choose.

    model: keras.Model
    x: array, a batch of inputs of the model
    Returns a dictionary: name of a block -> array (samples, channels).
    """
    # BEGIN SOLUTION
    found = {}
    for block in layers.residual_blocks(model):
        if block.attention is None or block.projection:
            continue
        states = block.states(x)
        gate = keras.ops.convert_to_numpy(block.attention.gate(states.raw, states.state))
        rows = gate.reshape(len(gate), gate.shape[-1])
        found[block.name] = np.broadcast_to(rows, (len(x), rows.shape[1]))
    return found
    # END SOLUTION


# %%
check("07.gate_values")

# %% [markdown] help="gate_values"
# ## how do I go through the blocks?
# As in lesson 05: loop, skip, take `block.states(x)`. The `x` is the input of the network.
# ## how do I get rid of the axes of length 1?
# `keras.ops.convert_to_numpy` makes an array; its `reshape` to two axes keeps the rows.
# ## how do I repeat one row?
# `np.broadcast_to(rows, (samples, channels))` leaves a full table as it is.
# ## Why
# The gate must see the raw branch, before the multiplication. Calling `gate` outside of training uses the running averages of a normalisation, as `predict` does.

# %% [markdown]
# Now train. The task is that of lesson 05, few digits with noise, here as images of 8 by 8 pixels. Two networks get SE gates and differ in the biases that these start from: all 0, or at random. A third gets SRM. Each has four blocks that are steps, and two with a projection.

# %% [markdown] question="starts"
# **Predict before you run.**

# %%
predict("07.starts", ...)

# %%
(x_train, y_train), (x_test, y_test) = datasets.digits(test_fraction=0.5, seed=0)
noise = np.random.default_rng(0)
x_train, y_train = x_train[:300], y_train[:300]
x_train, x_test = (x + noise.normal(0, 0.25, x.shape) - 0.5 for x in (x_train, x_test))
seen = x_test[:200][np.argsort(y_test[:200], kind="stable")]  # sorted by digit


def trained(gate, biases=None):
    keras.utils.set_random_seed(0)
    model = models.cifar_resnet(14, gate, block="basic", width=8, input_shape=(8, 8, 1))
    rng = np.random.default_rng(0)
    inside = [weight for step in layers.residual_blocks(model) for weight in step.attention.weights]
    for weight in inside:
        if biases is not None and len(weight.shape) == 1:
            weight.assign(rng.uniform(-biases, biases, tuple(weight.shape)))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=15, batch_size=64, verbose=0)
    print(f"test accuracy {model.evaluate(x_test, y_test, verbose=0)[1]:.0%}")
    return model


SE, SRM = use("07.SqueezeExcite"), use("07.StyleRecalibration")
networks = {"SE, biases from 0": trained(SE(reduction=4), biases=0.0)}

# %%
networks["SE, biases random"] = trained(SE(reduction=4), biases=0.5)

# %%
networks["SRM"] = trained(SRM())

# %%
steps_of = use("07.gate_values")
tables = {name: steps_of(model, seen) for name, model in networks.items()}
fig, axes = plt.subplots(3, 4, figsize=(10, 6.5), layout="constrained")
for row, (name, table) in zip(axes, tables.items()):
    row[0].set_ylabel(f"{name}\nimage")
    for ax, (block, gates) in zip(row, table.items()):
        picture = ax.imshow(gates, aspect="auto", vmin=0, vmax=1, cmap="cividis", interpolation="none")
        ax.set_title(block.replace("_", ", ").replace("k", "k ").replace("stage", "stage "), fontsize=9)
        ax.set_xticks([])
        swing = gates.std(axis=0).mean()
        print(f"{name:18} {block}: mean {gates.mean():.2f}, share {share_of(gates):.2f}, swing {swing:.3f}")
for ax in axes[-1]:
    ax.set_xlabel("channel")
fig.colorbar(picture, ax=axes, label="gate: step size")
plt.show()
predict("07.starts")

# %% [markdown]
# *What the figure shows:* with SE the first blocks are nearly even (biases from 0) or striped from top to bottom (random biases): all images get the same steps. Only in the last block do rows differ clearly, in bands: the images are sorted by digit. With SRM rows differ in every block.
#
# The *swing* is the standard deviation over the images, averaged over the channels. Read it with the share.
#
# - **On average the steps are about 0.5.** That is where all these gates start.
# - **SE.** In the first blocks the swing is a few hundredths at most, in the last it is several times larger. One reason: SE looks at means of a normalised branch. From image to image those differ little, and the less the larger the map; the maps shrink from 8 by 8 pixels to 2 by 2.
# - **The share depends on the start.** Random biases make stripes, and the share of the first blocks falls to nearly 0. Training did not make the stripes; it left them. Without them a large share may be a share of next to nothing.
# - **SRM.** The swing is about 0.2 in every block. Its weights start at 0, so that at first nothing swings. Once they leave 0, however little, the normalisation stretches the result to variance 1: the sigmoid of normally distributed numbers with mean 0 and variance 1 has the standard deviation 0.21.
#
# So "the gate depends on the input" may be a fact of the construction, and "the gate is constant" one of the initial biases. Neither says that a network needs one or the other.

# %% [markdown] question="share_alone"
# **Checkpoint.**

# %%
checkpoint("07.share_alone", ...)

# %% [markdown]
# Zhong and others (2023) looked into trained networks and saw stripes: gates of channel attention that had come close to constants. They replaced the gates by learned constants, merged those into the normalisation, and report about the same accuracy as with the gates. If that is so in general, an *adaptive* step is not what makes attention work there. Our networks are far too small to decide it. They do show what to ask first: how large is the swing, and how was it before training?

# %% [markdown] question="constant"
# **Checkpoint.**

# %%
checkpoint("07.constant", ...)

# %% [markdown]
# Another family begins where a network without attention is. The *gated channel transformation* (GCT; Yang and others, 2020) has $a = 1 + \tanh(\dots)$, between 0 and 2, and starts at exactly 1. And a *constant gate* learns one number per channel: the control for every gate that claims to adapt. stepkit has both. Its gates inherit from `attention.ChannelAttention`, which brings `call`; yours inherit from `keras.layers.Layer`, so that nothing is hidden.

# %%
for gate in (attention.GatedChannelTransform(), attention.ConstantGate()):
    gate(branch)  # builds it
    print(type(gate).__name__, "starts at", numbers(gate.gate(branch)).ravel())

# %% [markdown]
# Do longer steps go with stiffer blocks? Compare the mean gate of each image with the index of lesson 05, in each block. Only the raw index will do. The applied index contains the gate: random gates go with it, too.

# %%
index_of = use("05.neural_stiffness_index")
for name, model in networks.items():
    step = np.stack([gates.mean(axis=1) for gates in tables[name].values()], axis=1)
    for which in ("raw", "applied"):
        index = index_of(model, seen.astype("float32"), which)
        found = [stiffness.rank_correlation(step[:, k], index[:, k]) for k in range(4)]
        print(f"{name:18} {which:8}", np.round(found, 2))

# %% [markdown]
# The applied row is the higher one nearly everywhere, and it may even turn the sign: that is the gate inside it. The raw row is the one that counts, and with one training each it says little. Lesson 08 asks this question with several seeds and a test. It also builds StepNet's gate, which looks at the state as well; no code of the published module is public, so ours is a *reconstruction*.
#
# ## Summary
#
# - A gate in (0, 1) on the branch is a step size for each sample and channel. It sits after the last normalisation and before the addition.
# - SE looks at all means, ECA at neighbouring means, SRM at mean and contrast of each channel. They cost very different numbers of weights.
# - Whether a step adapts takes two numbers: the share of variance between samples, and the swing.
# - Both depend on how a gate is built and where its biases start, not on training alone.
#
# **Still open.** Do gates of large trained networks adapt, or are they constants? Does adapting pay, against a constant gate? Does a gate that sees the state choose better steps (lesson 08)?
#
# ## What to read
#
# - J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
# - Q. Wang and others, "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks", CVPR 2020.
# - H. Lee, H.-E. Kim, H. Nam, "SRM: A Style-based Recalibration Module for Convolutional Neural Networks", ICCV 2019.
# - Z. Yang and others, "Gated Channel Transformation for Visual Recognition", CVPR 2020.
# - S. Zhong and others, "ASR: Attention-alike Structural Re-parameterization", arXiv:2304.06345 (2023).
# - Z. Huang and others, "Understanding Self-attention Mechanism via Dynamical System Perspective", ICCV 2023: gates as step sizes.

# %% wrong="input_dependence" shows="axis-swapped" outcome="not yet"
def input_dependence(gates):
    total = np.var(gates)
    return 0.0 if total == 0 else np.mean(np.var(gates, axis=1)) / total

# %% wrong="input_dependence" shows="complement" outcome="not yet"
def input_dependence(gates):
    total = np.var(gates)
    return 0.0 if total == 0 else np.var(np.mean(gates, axis=0)) / total

# %% wrong="input_dependence" shows="means-first" outcome="not yet"
def input_dependence(gates):
    total = np.var(gates)
    return 0.0 if total == 0 else np.var(np.mean(gates, axis=1)) / total

# %% wrong="input_dependence" shows="deviations" outcome="not yet"
def input_dependence(gates):
    total = np.std(gates)
    return 0.0 if total == 0 else np.mean(np.std(gates, axis=0)) / total

# %% wrong="input_dependence" shows="ratio-not-share" outcome="not yet"
def input_dependence(gates):
    between = np.var(np.mean(gates, axis=0))
    return np.mean(np.var(gates, axis=0)) / between if between else 0.0

# %% wrong="input_dependence" shows="one-per-channel" outcome="not yet"
def input_dependence(gates):
    total = np.var(gates)
    return 0.0 if total == 0 else np.var(gates, axis=0) / total

# %% wrong="input_dependence" shows="not-finite" outcome="not yet"
def input_dependence(gates):
    return np.mean(np.var(gates, axis=0)) / np.var(gates)

# %% wrong="input_dependence" shows="unbiased" outcome="not yet"
def input_dependence(gates):
    total = np.var(gates)
    if total == 0 or len(gates) == 1:
        return 0.0
    return np.mean(np.var(gates, axis=0, ddof=1)) / total

# %% wrong="input_dependence" shows="rounded-zero" outcome="not yet"
def input_dependence(gates):
    total = np.var(gates)
    return 0.0 if total == 0 else np.mean(np.var(gates, axis=0)) / total

# %% variant="input_dependence" style="one minus the variance of the channels' means"
def input_dependence(gates):
    gates = np.asarray(gates, dtype=float)
    if np.ptp(gates) == 0:
        return 0
    return 1 - gates.mean(axis=0).var() / gates.var()

# %% variant="input_dependence" style="sums of squares, np.where"
def input_dependence(gates):
    gates = np.array(gates, dtype="float64")
    within = ((gates - gates.mean(0)) ** 2).sum()
    total = ((gates - gates.mean()) ** 2).sum()
    return np.where(np.all(gates == gates[0, 0]), 0.0, within / total)

# %% variant="input_dependence" style="plain Python"
def input_dependence(gates):
    columns = [[float(a) for a in column] for column in zip(*gates)]

    def variance(numbers):
        mean = sum(numbers) / len(numbers)
        return sum((a - mean) ** 2 for a in numbers) / len(numbers)

    total = variance([a for column in columns for a in column])
    within = sum(map(variance, columns)) / len(columns)
    return within / total if len({a for column in columns for a in column}) > 1 else 0.0

# %% probe="input_dependence"
def probe(answer, draw):
    n, c = (int(k) for k in draw.integers(1, 9, 2))
    gates = draw.uniform(0, 1, (n, c)) + draw.uniform(0, 1, c)
    return [np.float32(answer(gates)), answer(np.full((n, c), 0.25))]

# %% wrong="SqueezeExcite" shows="sum-not-mean" outcome="not yet"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(max(1, channels // self.reduction), activation="relu")
        self.squeeze.build((None, channels))
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.excite.build((None, self.squeeze.units))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.sum(branch, axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="SqueezeExcite" shows="wrong-width" outcome="not yet"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(self.reduction, activation="relu")
        self.squeeze.build((None, channels))
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.excite.build((None, self.reduction))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.mean(branch, axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="SqueezeExcite" shows="not-built" outcome="not yet"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(max(1, channels // self.reduction), activation="relu")
        self.excite = keras.layers.Dense(channels, activation="sigmoid")

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.mean(branch, axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="SqueezeExcite" shows="adds-the-branch" outcome="not yet"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(max(1, channels // self.reduction), activation="relu")
        self.squeeze.build((None, channels))
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.excite.build((None, self.squeeze.units))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.mean(branch, axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return branch + self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="SqueezeExcite" shows="adds-the-state" outcome="crashed"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(max(1, channels // self.reduction), activation="relu")
        self.squeeze.build((None, channels))
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.excite.build((None, self.squeeze.units))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.mean(branch, axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return shortcut + self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="SqueezeExcite" shows="no-relu" outcome="not yet"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(max(1, channels // self.reduction))
        self.squeeze.build((None, channels))
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.excite.build((None, self.squeeze.units))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.mean(branch, axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="SqueezeExcite" shows="gate-shape" outcome="not yet"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(max(1, channels // self.reduction), activation="relu")
        self.squeeze.build((None, channels))
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.excite.build((None, self.squeeze.units))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.mean(branch, axis=(1, 2))))

    def call(self, branch, shortcut=None):
        return self.gate(branch)[:, None, None] * branch

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="SqueezeExcite" shows="config-forgets-argument" outcome="not yet"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(max(1, channels // self.reduction), activation="relu")
        self.squeeze.build((None, channels))
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.excite.build((None, self.squeeze.units))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.mean(branch, axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return super().get_config()

# %% wrong="SqueezeExcite" shows="width-below-one" outcome="crashed"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(channels // self.reduction, activation="relu")
        self.squeeze.build((None, channels))
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.excite.build((None, self.squeeze.units))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(keras.ops.mean(branch, axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% wrong="SqueezeExcite" shows="numpy-in-call" outcome="crashed"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.squeeze = keras.layers.Dense(max(1, channels // self.reduction), activation="relu")
        self.squeeze.build((None, channels))
        self.excite = keras.layers.Dense(channels, activation="sigmoid")
        self.excite.build((None, self.squeeze.units))

    def gate(self, branch, shortcut=None):
        return self.excite(self.squeeze(np.mean(np.asarray(branch), axis=(1, 2), keepdims=True)))

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

# %% variant="SqueezeExcite" style="weights of its own, and matmul"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, branch_shape, shortcut_shape=None):
        c = branch_shape[-1]
        h = c // self.reduction or 1
        self.b2 = self.add_weight(shape=(c,), initializer="zeros")
        self.w1 = self.add_weight(shape=(c, h), initializer="he_normal")
        self.b1 = self.add_weight(shape=(h,), initializer="zeros")
        self.w2 = self.add_weight(shape=(h, c))

    def gate(self, branch, shortcut=None):
        m = keras.ops.mean(branch, axis=[1, 2])
        h = keras.ops.relu(keras.ops.matmul(m, self.w1) + self.b1)
        a = keras.ops.sigmoid(keras.ops.matmul(h, self.w2) + self.b2)
        return a[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(branch, self.gate(branch, shortcut))

    def get_config(self):
        return super().get_config() | {"reduction": self.reduction}

# %% variant="SqueezeExcite" style="pooling layer and 1 x 1 convolutions"
class SqueezeExcite(keras.Layer):
    def __init__(self, reduction=16, **kwargs):
        super().__init__(**kwargs)
        self.r = reduction

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.pool = keras.layers.GlobalAveragePooling2D(keepdims=True)
        self.down = keras.layers.Conv2D(max(channels // self.r, 1), 1, activation="relu")
        self.up = keras.layers.Conv2D(channels, 1)
        self.down.build((None, 1, 1, channels))
        self.up.build((None, 1, 1, self.down.filters))

    def gate(self, branch, shortcut=None):
        return keras.activations.sigmoid(self.up(self.down(self.pool(branch))))

    def call(self, branch, shortcut=None):
        return branch * self.gate(branch)

    def get_config(self):
        config = super().get_config()
        config["reduction"] = self.r
        return config

# %% variant="SqueezeExcite" style="a small Sequential"
class SqueezeExcite(keras.layers.Layer):
    def __init__(self, reduction=16, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.reduction = int(reduction)

    def build(self, branch_shape, shortcut_shape=None):
        channels = int(branch_shape[-1])
        self.excite = keras.Sequential([
            keras.layers.Dense(max(1, round(channels / self.reduction)), "relu"),
            keras.layers.Dense(channels, "sigmoid"),
        ])
        self.excite.build((None, channels))
        super().build(branch_shape)

    def gate(self, branch, shortcut=None):
        a = self.excite(keras.ops.mean(keras.ops.mean(branch, axis=1), axis=1))
        return keras.ops.expand_dims(a, axis=(1, 2))

    def call(self, branch, shortcut=None):
        gate = self.gate(branch, shortcut)
        return keras.ops.cast(gate, branch.dtype) * branch

    def compute_output_shape(self, branch_shape, shortcut_shape=None):
        return branch_shape

    def get_config(self):
        return dict(super().get_config(), reduction=self.reduction)

# %% probe="SqueezeExcite"
def probe(answer, draw):
    shape = (*(int(k) for k in draw.integers(1, 5, 3)), int(draw.integers(1, 5)) * 2)
    layer = answer(reduction=2)
    layer.build((None, None, None, shape[-1]))
    values = [draw.normal(size=tuple(w.shape)) for w in layer.weights]
    layer.set_weights(values)
    x = draw.normal(size=shape).astype("float32")
    again = answer.from_config(layer.get_config())
    again.build((None, None, None, shape[-1]))
    return [layer.gate(x), layer(x), layer(x, x), *(len(w) for w in again.get_weights())]

# %% wrong="EfficientChannelAttention" shows="even-size" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        k = self.kernel_size or int((np.log2(branch_shape[-1]) + 1) / 2)
        self.conv = keras.layers.Conv1D(1, k, padding="same", use_bias=False)
        self.conv.build((None, branch_shape[-1], 1))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(1, 2))
        return keras.ops.sigmoid(self.conv(mean[:, :, None]))[:, None, None, :, 0]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% wrong="EfficientChannelAttention" shows="wrong-size" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        k = self.kernel_size or round((np.log2(branch_shape[-1]) + 1) / 2)
        k = k if k % 2 else k + 1
        self.conv = keras.layers.Conv1D(1, k, padding="same", use_bias=False)
        self.conv.build((None, branch_shape[-1], 1))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(1, 2))
        return keras.ops.sigmoid(self.conv(mean[:, :, None]))[:, None, None, :, 0]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% wrong="EfficientChannelAttention" shows="size-ignored" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        t = int((np.log2(branch_shape[-1]) + 1) / 2)
        k = t + 1 - t % 2
        self.conv = keras.layers.Conv1D(1, k, padding="same", use_bias=False)
        self.conv.build((None, branch_shape[-1], 1))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(1, 2))
        return keras.ops.sigmoid(self.conv(mean[:, :, None]))[:, None, None, :, 0]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% wrong="EfficientChannelAttention" shows="cut-to-channels" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        t = int((np.log2(branch_shape[-1]) + 1) / 2)
        k = min(self.kernel_size or t + 1 - t % 2, branch_shape[-1])
        self.conv = keras.layers.Conv1D(1, k, padding="same", use_bias=False)
        self.conv.build((None, branch_shape[-1], 1))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(1, 2))
        return keras.ops.sigmoid(self.conv(mean[:, :, None]))[:, None, None, :, 0]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% wrong="EfficientChannelAttention" shows="as-long-as-channels" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        t = int((np.log2(branch_shape[-1]) + 1) / 2)
        k = self.kernel_size or branch_shape[-1]
        self.conv = keras.layers.Conv1D(1, k, padding="same", use_bias=False)
        self.conv.build((None, branch_shape[-1], 1))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(1, 2))
        return keras.ops.sigmoid(self.conv(mean[:, :, None]))[:, None, None, :, 0]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% wrong="EfficientChannelAttention" shows="too-many-weights" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        t = int((np.log2(branch_shape[-1]) + 1) / 2)
        self.conv = keras.layers.Conv1D(1, self.kernel_size or t + 1 - t % 2, padding="same")
        self.conv.build((None, branch_shape[-1], 1))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(1, 2))
        return keras.ops.sigmoid(self.conv(mean[:, :, None]))[:, None, None, :, 0]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% wrong="EfficientChannelAttention" shows="filter-per-channel" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        t = int((np.log2(branch_shape[-1]) + 1) / 2)
        self.k = self.kernel_size or t + 1 - t % 2
        self.kernel = self.add_weight(shape=(branch_shape[-1], self.k))

    def gate(self, branch, shortcut=None):
        mean, half = keras.ops.mean(branch, axis=(1, 2)), self.k // 2
        mean = keras.ops.pad(mean, [[0, 0], [half, half]])
        c = branch.shape[-1]
        z = sum(self.kernel[:, j] * mean[:, j : j + c] for j in range(self.k))
        return keras.ops.sigmoid(z)[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% wrong="EfficientChannelAttention" shows="ring" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        t = int((np.log2(branch_shape[-1]) + 1) / 2)
        self.k = self.kernel_size or t + 1 - t % 2
        self.kernel = self.add_weight(shape=(self.k,))

    def gate(self, branch, shortcut=None):
        mean, half = keras.ops.mean(branch, axis=(1, 2)), self.k // 2
        z = sum(self.kernel[j] * keras.ops.roll(mean, half - j, axis=1) for j in range(self.k))
        return keras.ops.sigmoid(z)[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% wrong="EfficientChannelAttention" shows="one-sided" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        t = int((np.log2(branch_shape[-1]) + 1) / 2)
        k = self.kernel_size or t + 1 - t % 2
        self.conv = keras.layers.Conv1D(1, k, padding="causal", use_bias=False)
        self.conv.build((None, branch_shape[-1], 1))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(1, 2))
        return keras.ops.sigmoid(self.conv(mean[:, :, None]))[:, None, None, :, 0]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% wrong="EfficientChannelAttention" shows="no-sigmoid" outcome="not yet"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        t = int((np.log2(branch_shape[-1]) + 1) / 2)
        k = self.kernel_size or t + 1 - t % 2
        self.conv = keras.layers.Conv1D(1, k, padding="same", use_bias=False)
        self.conv.build((None, branch_shape[-1], 1))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(1, 2))
        return self.conv(mean[:, :, None])[:, None, None, :, 0]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% variant="EfficientChannelAttention" style="a weight, padding and shifted slices"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        t = int(abs((np.log(branch_shape[-1]) / np.log(2) + 1) / 2))
        self.k = self.kernel_size or (t if t % 2 else t + 1)
        self.kernel = self.add_weight(shape=(self.k,), initializer="random_normal")

    def gate(self, branch, shortcut=None):
        mean, half = keras.ops.mean(branch, axis=(1, 2)), self.k // 2
        mean = keras.ops.pad(mean, [[0, 0], [half, half]])
        c = branch.shape[-1]
        z = sum(self.kernel[j] * mean[:, j : j + c] for j in range(self.k))
        return keras.ops.sigmoid(z)[:, None, None, :]

    def call(self, branch, shortcut=None):
        return keras.ops.cast(self.gate(branch), branch.dtype) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% variant="EfficientChannelAttention" style="Conv1D with a sigmoid, size from the bits"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        k = self.kernel_size
        if not k:
            k = channels.bit_length() // 2
            k = k + (k % 2 == 0)
        self.conv = keras.layers.Conv1D(
            1, kernel_size=k, padding="same", use_bias=False, activation="sigmoid"
        )
        self.conv.build((None, channels, 1))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(keras.ops.mean(branch, axis=1), axis=1)
        a = self.conv(keras.ops.expand_dims(mean, -1))
        return keras.ops.expand_dims(keras.ops.transpose(a, (0, 2, 1)), 1)

    def call(self, branch, shortcut=None):
        return keras.ops.multiply(branch, self.gate(branch, shortcut))

    def get_config(self):
        config = super().get_config()
        config.update(kernel_size=self.kernel_size)
        return config

# %% variant="EfficientChannelAttention" style="a band matrix"
class EfficientChannelAttention(keras.layers.Layer):
    def __init__(self, kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, branch_shape, shortcut_shape=None):
        c = branch_shape[-1]
        t = int((np.log2(c) + 1) // 2)
        k = self.kernel_size or t + (t + 1) % 2
        self.w = self.add_weight(shape=(k, 1), initializer="glorot_uniform", name="filter")
        place = np.arange(c)[:, None] - np.arange(c)[None, :] + k // 2
        self.bands = (np.arange(k)[:, None, None] == place).astype("float32").reshape(k, c * c)

    def gate(self, branch, shortcut=None):
        c = branch.shape[-1]
        bands = keras.ops.cast(self.bands, self.compute_dtype)
        w = keras.ops.cast(self.w, self.compute_dtype)
        matrix = keras.ops.reshape(keras.ops.sum(w * bands, axis=0), (c, c))
        mean = keras.ops.mean(branch, axis=(1, 2), keepdims=True)
        return keras.ops.sigmoid(keras.ops.matmul(mean, matrix))

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

# %% probe="EfficientChannelAttention"
def probe(answer, draw):
    shape = (*(int(k) for k in draw.integers(1, 5, 3)), int(draw.integers(1, 40)))
    size = [None, 1, 3, 5][int(draw.integers(4))]
    layer = answer(kernel_size=size)
    layer.build((None, None, None, shape[-1]))
    layer.set_weights([draw.normal(size=tuple(w.shape)) for w in layer.weights])
    x = draw.normal(size=shape).astype("float32")
    return [layer.gate(x), layer(x), layer(x, x), layer.count_params()]

# %% wrong="StyleRecalibration" shows="biased" outcome="not yet"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.kernel = self.add_weight(shape=(channels, 2), initializer="zeros")
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.norm.build((None, channels))

    def gate(self, branch, shortcut=None):
        mean = keras.ops.mean(branch, axis=(1, 2))
        s = (keras.ops.var(branch, axis=(1, 2)) + 1e-5) ** 0.5
        z = self.norm(self.kernel[:, 0] * mean + self.kernel[:, 1] * s)
        return keras.ops.sigmoid(z)[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

# %% wrong="StyleRecalibration" shows="not-finite" outcome="not yet"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.kernel = self.add_weight(shape=(channels, 2), initializer="zeros")
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.norm.build((None, channels))

    def gate(self, branch, shortcut=None):
        n = np.float32(branch.shape[1] * branch.shape[2])
        mean = keras.ops.mean(branch, axis=(1, 2), keepdims=True)
        squares = keras.ops.sum((branch - mean) ** 2, axis=(1, 2))
        s = keras.ops.sqrt(squares / (n - 1) + 1e-5)
        z = self.norm(self.kernel[:, 0] * mean[:, 0, 0] + self.kernel[:, 1] * s)
        return keras.ops.sigmoid(z)[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

# %% wrong="StyleRecalibration" shows="variance-not-deviation" outcome="not yet"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.kernel = self.add_weight(shape=(channels, 2), initializer="zeros")
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.norm.build((None, channels))

    def gate(self, branch, shortcut=None):
        n = branch.shape[1] * branch.shape[2]
        mean = keras.ops.mean(branch, axis=(1, 2))
        variance = keras.ops.var(branch, axis=(1, 2)) * (n / max(n - 1, 1))
        z = self.norm(self.kernel[:, 0] * mean + self.kernel[:, 1] * variance)
        return keras.ops.sigmoid(z)[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

# %% wrong="StyleRecalibration" shows="weights-not-zero" outcome="not yet"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.kernel = self.add_weight(shape=(channels, 2))
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.norm.build((None, channels))

    def gate(self, branch, shortcut=None):
        n = branch.shape[1] * branch.shape[2]
        mean = keras.ops.mean(branch, axis=(1, 2))
        variance = keras.ops.var(branch, axis=(1, 2)) * (n / max(n - 1, 1))
        z = self.kernel[:, 0] * mean + self.kernel[:, 1] * (variance + 1e-5) ** 0.5
        return keras.ops.sigmoid(self.norm(z))[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

# %% wrong="StyleRecalibration" shows="sigmoid-before-normalisation" outcome="not yet"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.kernel = self.add_weight(shape=(channels, 2), initializer="zeros")
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.norm.build((None, channels))

    def gate(self, branch, shortcut=None):
        n = branch.shape[1] * branch.shape[2]
        mean = keras.ops.mean(branch, axis=(1, 2))
        variance = keras.ops.var(branch, axis=(1, 2)) * (n / max(n - 1, 1))
        z = self.kernel[:, 0] * mean + self.kernel[:, 1] * (variance + 1e-5) ** 0.5
        return self.norm(keras.ops.sigmoid(z))[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

# %% wrong="StyleRecalibration" shows="no-normalisation" outcome="not yet"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        self.kernel = self.add_weight(shape=(branch_shape[-1], 2), initializer="zeros")

    def gate(self, branch, shortcut=None):
        n = branch.shape[1] * branch.shape[2]
        mean = keras.ops.mean(branch, axis=(1, 2))
        variance = keras.ops.var(branch, axis=(1, 2)) * (n / max(n - 1, 1))
        z = self.kernel[:, 0] * mean + self.kernel[:, 1] * (variance + 1e-5) ** 0.5
        return keras.ops.sigmoid(z)[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

# %% wrong="StyleRecalibration" shows="shared-weights" outcome="not yet"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        self.kernel = self.add_weight(shape=(2,), initializer="zeros")
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.norm.build((None, branch_shape[-1]))

    def gate(self, branch, shortcut=None):
        n = branch.shape[1] * branch.shape[2]
        mean = keras.ops.mean(branch, axis=(1, 2))
        variance = keras.ops.var(branch, axis=(1, 2)) * (n / max(n - 1, 1))
        z = self.norm(self.kernel[0] * mean + self.kernel[1] * (variance + 1e-5) ** 0.5)
        return keras.ops.sigmoid(z)[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

# %% wrong="StyleRecalibration" shows="keras-epsilon" outcome="not yet"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.kernel = self.add_weight(shape=(channels, 2), initializer="zeros")
        self.norm = keras.layers.BatchNormalization(momentum=0.9)
        self.norm.build((None, channels))

    def gate(self, branch, shortcut=None):
        n = branch.shape[1] * branch.shape[2]
        mean = keras.ops.mean(branch, axis=(1, 2))
        variance = keras.ops.var(branch, axis=(1, 2)) * (n / max(n - 1, 1))
        s = (variance + 1e-5) ** 0.5
        z = self.norm(self.kernel[:, 0] * mean + self.kernel[:, 1] * s)
        return keras.ops.sigmoid(z)[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

# %% wrong="StyleRecalibration" shows="always-inference" outcome="not yet"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.kernel = self.add_weight(shape=(channels, 2), initializer="zeros")
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.norm.build((None, channels))

    def gate(self, branch, shortcut=None):
        n = branch.shape[1] * branch.shape[2]
        mean = keras.ops.mean(branch, axis=(1, 2))
        variance = keras.ops.var(branch, axis=(1, 2)) * (n / max(n - 1, 1))
        s = (variance + 1e-5) ** 0.5
        z = self.kernel[:, 0] * mean + self.kernel[:, 1] * s
        return keras.ops.sigmoid(self.norm(z, training=False))[:, None, None]

    def call(self, branch, shortcut=None):
        return self.gate(branch) * branch

# %% variant="StyleRecalibration" style="stacked statistics, sums of squares"
class StyleRecalibration(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)

    def build(self, branch_shape, shortcut_shape=None):
        self.norm.build((None, branch_shape[-1]))
        self.w = self.add_weight(shape=(branch_shape[-1], 2), initializer="zeros", name="style")

    def gate(self, branch, shortcut=None):
        _, height, width, channels = branch.shape
        x = keras.ops.reshape(branch, (-1, height * width, channels))
        mean = keras.ops.mean(x, axis=1)
        squares = keras.ops.sum(keras.ops.square(x - mean[:, None]), axis=1)
        deviation = keras.ops.sqrt(squares / (max(height * width, 2) - 1) + 1e-5)
        style = keras.ops.stack([mean, deviation], axis=-1)
        z = self.norm(keras.ops.sum(style * self.w, axis=-1))
        return keras.ops.reshape(keras.ops.sigmoid(z), (-1, 1, 1, channels))

    def call(self, branch, shortcut=None):
        return keras.ops.cast(self.gate(branch), branch.dtype) * branch

# %% variant="StyleRecalibration" style="moments, in single precision, training passed on"
class StyleRecalibration(keras.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        c = branch_shape[-1]
        self.style = self.add_weight(shape=(c, 2), initializer=keras.initializers.Zeros())
        self.norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype="float32")
        self.norm.build((None, 1, 1, c))

    def gate(self, branch, shortcut=None, training=None):
        x = keras.ops.cast(branch, "float32")
        mean, variance = keras.ops.moments(x, axes=(1, 2), keepdims=True)
        pixels = branch.shape[1] * branch.shape[2]
        if pixels > 1:
            variance = variance * pixels / (pixels - 1)
        w = keras.ops.cast(self.style, "float32")
        z = w[:, 0] * mean + w[:, 1] * (variance + 1e-5) ** 0.5
        return keras.ops.sigmoid(self.norm(z, training=training))

    def call(self, branch, shortcut=None, training=None):
        gate = self.gate(branch, shortcut, training=training)
        return branch * keras.ops.cast(gate, branch.dtype)

# %% variant="StyleRecalibration" style="np.prod of the shape, einsum"
class StyleRecalibration(keras.layers.Layer):
    def build(self, branch_shape, shortcut_shape=None):
        channels = branch_shape[-1]
        self.norm = keras.layers.BatchNormalization(axis=-1, momentum=0.9, epsilon=1e-5)
        self.norm.build((None, channels))
        self.kernel = self.add_weight(shape=(channels, 2), initializer="zeros", name="kernel")

    def gate(self, branch, shortcut=None):
        n = int(np.prod(branch.shape[1:3]))
        mean = keras.ops.mean(branch, axis=(1, 2))
        factor = n / (n - 1) if n > 1 else 0.0
        deviation = (keras.ops.var(branch, axis=(1, 2)) * factor + 1e-5) ** 0.5
        both = keras.ops.stack([mean, deviation], axis=1)
        z = self.norm(keras.ops.einsum("nkc,ck->nc", both, keras.ops.cast(self.kernel, both.dtype)))
        return keras.ops.sigmoid(z)[:, None, None, :]

    def call(self, branch, shortcut=None):
        return branch * self.gate(branch, shortcut)

# %% probe="StyleRecalibration"
def probe(answer, draw):
    shape = tuple(int(k) for k in draw.integers(1, 5, 4))
    layer = answer()
    layer.build((None, *shape[1:]))
    layer.set_weights([draw.uniform(0.5, 1.5, tuple(w.shape)) for w in layer.weights])
    x = draw.normal(size=shape).astype("float32")
    inputs = keras.Input(shape[1:])
    other = answer()
    model = keras.Model(inputs, other(inputs))
    for weight in other.trainable_weights:
        weight.assign(np.ones(tuple(weight.shape)))
    return [layer.gate(x), layer(x), layer(x, x), model(x, training=True), *other.get_weights()]

# %% wrong="parameter_count" shows="no-bias" outcome="not yet"
def parameter_count(kind, channels, reduction=16):
    if kind == "se":
        return 2 * channels * max(1, channels // reduction)
    t = int((np.log2(channels) + 1) / 2)
    return t + 1 - t % 2 if kind == "eca" else 4 * channels

# %% wrong="parameter_count" shows="hidden-bias-forgotten" outcome="not yet"
def parameter_count(kind, channels, reduction=16):
    if kind == "se":
        hidden = max(1, channels // reduction)
        return 2 * channels * hidden + channels
    t = int((np.log2(channels) + 1) / 2)
    return {"eca": t + 1 - t % 2, "srm": 4 * channels}[kind]

# %% wrong="parameter_count" shows="one-layer" outcome="not yet"
def parameter_count(kind, channels, reduction=16):
    if kind == "se":
        return (channels + 1) * max(1, channels // reduction)
    t = int((np.log2(channels) + 1) / 2)
    return t + 1 - t % 2 if kind == "eca" else 4 * channels

# %% wrong="parameter_count" shows="width-below-one" outcome="not yet"
def parameter_count(kind, channels, reduction=16):
    if kind == "se":
        hidden = channels // reduction
        return 2 * channels * hidden + hidden + channels
    t = int((np.log2(channels) + 1) / 2)
    return t + 1 - t % 2 if kind == "eca" else 4 * channels

# %% wrong="parameter_count" shows="averages-counted" outcome="not yet"
def parameter_count(kind, channels, reduction=16):
    if kind == "se":
        hidden = max(1, channels // reduction)
        return 2 * channels * hidden + hidden + channels
    t = int((np.log2(channels) + 1) / 2)
    return t + 1 - t % 2 if kind == "eca" else 6 * channels

# %% wrong="parameter_count" shows="normalisation-forgotten" outcome="not yet"
def parameter_count(kind, channels, reduction=16):
    if kind == "se":
        hidden = max(1, channels // reduction)
        return 2 * channels * hidden + hidden + channels
    t = int((np.log2(channels) + 1) / 2)
    return t + 1 - t % 2 if kind == "eca" else 2 * channels

# %% wrong="parameter_count" shows="even-size" outcome="not yet"
def parameter_count(kind, channels, reduction=16):
    if kind == "se":
        hidden = max(1, channels // reduction)
        return 2 * channels * hidden + hidden + channels
    return int((np.log2(channels) + 1) / 2) if kind == "eca" else 4 * channels

# %% wrong="parameter_count" shows="filter-per-channel" outcome="not yet"
def parameter_count(kind, channels, reduction=16):
    if kind == "se":
        hidden = max(1, channels // reduction)
        return 2 * channels * hidden + hidden + channels
    t = int((np.log2(channels) + 1) / 2)
    return channels * (t + 1 - t % 2) if kind == "eca" else 4 * channels

# %% variant="parameter_count" style="a dictionary of formulas"
def parameter_count(kind, channels, reduction=16):
    hidden = max(1, round(channels / reduction))
    t = int(abs(np.log2(channels) + 1) / 2)
    return {
        "se": 2 * channels * hidden + hidden + channels,
        "eca": t if t % 2 else t + 1,
        "srm": 4 * channels,
    }[kind]

# %% variant="parameter_count" style="shapes, counted"
def parameter_count(kind, channels, reduction=16):
    shapes = []
    if kind == "se":
        hidden = int(np.maximum(channels // reduction, 1))
        shapes = [(channels, hidden), (hidden,), (hidden, channels), (channels,)]
    elif kind == "eca":
        shapes = [(channels.bit_length() // 2 // 2 * 2 + 1,)]
    elif kind == "srm":
        shapes = [(channels, 2), (channels,), (channels,)]
    return sum(int(np.prod(shape)) for shape in shapes)

# %% variant="parameter_count" style="match, and floor division"
def parameter_count(kind, channels, reduction=16):
    match kind:
        case "se":
            width = channels // reduction if channels >= reduction else 1
            return width * (2 * channels + 1) + channels
        case "eca":
            t = np.floor((np.log2(channels) + 1) / 2)
            return t + 1 if t % 2 == 0 else t
        case _:
            return sum((channels, channels, 2 * channels))

# %% probe="parameter_count"
def probe(answer, draw):
    r = int(draw.integers(1, 9))
    channels = r * int(draw.integers(1, 60))
    return [answer(kind, channels, r) for kind in ("se", "eca", "srm")] + [answer("se", 16 * r)]

# %% wrong="gate_values" shows="projection-included" outcome="not yet"
def gate_values(model, x):
    found = {}
    for block in layers.residual_blocks(model):
        if block.attention is not None:
            states = block.states(x)
            gate = numbers_of(block.attention.gate(states.raw, states.state))
            rows = gate.reshape(len(gate), -1)
            found[block.name] = np.broadcast_to(rows, (len(x), rows.shape[1]))
    return found


numbers_of = keras.ops.convert_to_numpy

# %% wrong="gate_values" shows="applied-not-raw" outcome="not yet"
def gate_values(model, x):
    found = {}
    for block in layers.residual_blocks(model):
        if block.attention is None or block.projection:
            continue
        states = block.states(x)
        gate = keras.ops.convert_to_numpy(block.attention.gate(states.applied, states.state))
        rows = gate.reshape(len(gate), -1)
        found[block.name] = np.broadcast_to(rows, (len(x), rows.shape[1]))
    return found

# %% wrong="gate_values" shows="arguments-swapped" outcome="not yet"
def gate_values(model, x):
    found = {}
    for block in layers.residual_blocks(model):
        if block.attention is None or block.projection:
            continue
        states = block.states(x)
        gate = keras.ops.convert_to_numpy(block.attention.gate(states.state, states.raw))
        rows = gate.reshape(len(gate), -1)
        found[block.name] = np.broadcast_to(rows, (len(x), rows.shape[1]))
    return found

# %% wrong="gate_values" shows="axes-left" outcome="not yet"
def gate_values(model, x):
    found = {}
    for block in layers.residual_blocks(model):
        if block.attention is None or block.projection:
            continue
        states = block.states(x)
        found[block.name] = keras.ops.convert_to_numpy(
            block.attention.gate(states.raw, states.state)
        )
    return found

# %% wrong="gate_values" shows="one-row" outcome="not yet"
def gate_values(model, x):
    found = {}
    for block in layers.residual_blocks(model):
        if block.attention is None or block.projection:
            continue
        states = block.states(x)
        gate = keras.ops.convert_to_numpy(block.attention.gate(states.raw, states.state))
        found[block.name] = gate.reshape(len(gate), -1)
    return found

# %% wrong="gate_values" shows="name-of-gate" outcome="not yet"
def gate_values(model, x):
    found = {}
    for block in layers.residual_blocks(model):
        if block.attention is None or block.projection:
            continue
        states = block.states(x)
        gate = keras.ops.convert_to_numpy(block.attention.gate(states.raw, states.state))
        rows = gate.reshape(len(gate), -1)
        found[block.attention.name] = np.broadcast_to(rows, (len(x), rows.shape[1]))
    return found

# %% wrong="gate_values" shows="product-not-gate" outcome="not yet"
def gate_values(model, x):
    found = {}
    for block in layers.residual_blocks(model):
        if block.attention is None or block.projection:
            continue
        states = block.states(x)
        product = keras.ops.convert_to_numpy(block.attention(states.raw, states.state))
        while product.ndim > 2:
            product = product.mean(axis=1)
        found[block.name] = product
    return found

# %% wrong="gate_values" shows="not-a-dictionary" outcome="not yet"
def gate_values(model, x):
    found = []
    for block in layers.residual_blocks(model):
        if block.attention is None or block.projection:
            continue
        states = block.states(x)
        found.append(block.attention.gate(states.raw, states.state))
    return found

# %% variant="gate_values" style="a second model that ends at what the gate sees"
def gate_values(model, x):
    found = {}
    for block in layers.residual_blocks(model):
        if block.attention is not None and not block.projection:
            seen = keras.Function(block.inputs, list(block.gate_inputs))(x)
            gate = keras.ops.convert_to_numpy(block.attention.gate(*seen))
            gate = gate.reshape(gate.shape[0], gate.shape[-1])
            found[block.name] = np.zeros((len(x), 1)) + gate
    return found

# %% variant="gate_values" style="comprehension, squeeze by axes"
def gate_values(model, x):
    def gates(block):
        s = block.states(x)
        a = keras.ops.convert_to_numpy(block.attention.gate(s.raw, s.state))
        if a.ndim == 4:
            a = a[:, 0, 0, :]
        return a if len(a) == len(x) else np.repeat(a, len(x), axis=0)

    blocks = [b for b in layers.residual_blocks(model) if b.attention and not b.projection]
    return {b.name: gates(b) for b in blocks}

# %% variant="gate_values" style="tensors broadcast, one block at a time"
def gate_values(model, x):
    blocks = layers.residual_blocks(model)
    table = dict()
    for b in blocks:
        if b.projection:
            continue
        if b.attention is None:
            continue
        states = b.states(x)
        gate = b.attention.gate(branch=states.raw, shortcut=states.state)
        channels = gate.shape[-1]
        gate = keras.ops.reshape(gate, (-1, channels))
        gate = keras.ops.broadcast_to(gate, (len(x), channels))
        table[b.name] = np.array(keras.ops.convert_to_numpy(gate))
    return table

# %% probe="gate_values"
def probe(answer, draw):
    shape = [(2, 2, 3), (3,)][int(draw.integers(2))]
    inputs = keras.Input(shape)
    short = keras.layers.Dense(4)(inputs)
    branch = keras.layers.Dense(4)(keras.layers.Dense(4, "tanh")(inputs))
    state = keras.layers.Add(name="wide")([short, attention.ConstantGate()(branch, short)])
    gated = attention.ConstantGate()(keras.layers.Dense(4, "tanh")(state), state)
    state = keras.layers.Add(name="fixed")([state, gated])
    state = keras.layers.Add(name="plain")([state, keras.layers.Dense(4, "tanh")(state)])
    if len(shape) == 3:
        gate = attention.SqueezeExcite(2, source="shortcut")
        state = keras.layers.Add(name="last")([state, gate(keras.layers.Dense(4)(state), state)])
    model = keras.Model(inputs, state)
    model.set_weights([draw.normal(size=w.shape) for w in model.get_weights()])
    x = draw.normal(size=(int(draw.integers(1, 4)), *shape)).astype("float32")
    found = answer(model, x)
    return [sorted(found), *(np.array(found[name]) for name in sorted(found))]
