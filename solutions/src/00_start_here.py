# %% [markdown]
# # Lesson 00 · Start here
#
# A deep network is a chain of *blocks*, small networks one after the other. Each changes what it gets a little. **How long is that step, who chooses it, and what happens if it is too long?** This course asks that of residual networks, of solvers for differential equations, and of *attention*: factors that say how much something counts.
#
# After this lesson you can
#
# - **check** an answer and read what the check says,
# - **measure** how much an input was changed,
# - **write** a function that works inside a Keras model,
# - **make** a layer with a weight of its own,
# - **build** a model, train it, and look at its mistakes.
#
# You need Python functions and classes, NumPy, derivatives and matrices, and up to 90 minutes. Run the cells from top to bottom, with Shift+Enter. The next one tells you whether all is well.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## 1. A block adds a change
#
# A *residual block* computes a change and adds it to its input. It learns only what is left to add, the residual. A *step* says how much of the change is taken.
#
# Your first exercise shows how all the others work:
#
# 1. Run the answer cell and its check as they are. The check says *not attempted*.
# 2. Be wrong on purpose: replace the last line by `return x + change`. Run both cells again and read.
# 3. Then write the right line.

# %% [markdown] exercise="residual_update"
# Add `change` to `x`; `step` says how much of it is taken: all for 1, half for 0.5, none for 0.
#
# `x` and `change` have the same shape, whatever it is. `step` is a number, or an array that NumPy can broadcast against `x`, such as one step per channel. Do not change `x` itself. One line is enough.

# %% answer="residual_update"
def residual_update(x, change, step):
    """The state after one update.

    x, change: numbers, or arrays of the same shape
    step: number, or array that broadcasts against x
    Returns a new array of the shape of x.
    """
    # BEGIN SOLUTION
    return x + step * change
    # END SOLUTION


# %%
check("00.residual_update")

# %% [markdown] help="residual_update"
# ## what happens to x when the step is 0?
# It stays. So `x` itself must not be multiplied by anything.
# ## do I have to treat a step per channel differently?
# No. NumPy lines up the last axes: a step of shape `(3,)` meets the 3 channels of shape `(2, 5, 4, 3)`.
# ## Why
# Only the change is scaled. With a step of 1 this is the residual block of the literature. `x += …` would overwrite the caller's array.

# %% [markdown]
# ### What a check can say
#
# | outcome | meaning |
# |---|---|
# | not attempted | the stub is still there, or nothing has that name |
# | crashed | your code raised an error: your line, and what it was asked |
# | not yet | the result is wrong: what was asked, what came back, and why |
# | correct | you have the points |
# | could not check | a fault of ours; it costs nothing |
#
# Check as often as you like. After a first fixed case, each check draws new numbers.
#
# - **Stuck?** Below each check are hints, then the solution with its reason. Reading it is no failure.
# - **Start an exercise again?** In a terminal: `course reset 00.residual_update`. A backup is kept.
# - **Where is my work?** In this notebook, which lies in the folder `work/`; no command deletes that folder. Your points are kept apart, in your user folder.
# - **How far am I?** `course progress` shows your points. `course check 00` runs the whole notebook afresh and checks every exercise.
#
# An unsolved exercise blocks nothing. A later cell that needs it says `use("00.residual_update")`: that is yours if it is correct, else ours, and it says which.

# %% [markdown] question="steps"
# **Predict before you run.** Write your letter in quotes: `predict("00.steps", "a")`, if it is a. Predictions carry no marks.

# %%
predict("00.steps", ...)

# %%
update = use("00.residual_update")
for step, line, colour in ((0.5, "o-", "#0072B2"), (1.5, "s--", "#D55E00"), (2.1, "^:", "black")):
    path = [1.0]
    for _ in range(12):
        path.append(update(path[-1], -path[-1], step))
    plt.plot(path, line, color=colour, label=f"step {step}")
plt.axhline(0, color="0.7", zorder=0)
plt.xlabel("update")
plt.ylabel("x")
plt.legend()
plt.show()
predict("00.steps")

# %% [markdown]
# *What the figure shows:* with step 0.5, x falls to 0. With step 1.5 it jumps from side to side and comes to rest. With step 2.1 each jump is longer than the last.
#
# So a step can be too long even in the right direction. How long is too long depends on the change; lesson 03 computes it.

# %% [markdown]
# ## 2. How large was the change?
#
# A change of 1 is much for a state of size 2, and little for one of size 1000. So we divide by the size, which is the *Euclidean norm*: the root of the sum of all squares.
#
# A *batch* is an array that holds several samples along its first axis. Each sample gets its own number.

# %% [markdown] exercise="relative_change"
# For each sample of a batch: the Euclidean norm of `after - before`, divided by the norm of `before`. The norms run over all axes except the first.
#
# A sample may be zero before. If it is zero afterwards too, nothing changed: return 0. If it is not, return `np.inf`. Two to five lines.

# %% answer="relative_change"
def relative_change(before, after):
    """How much each sample changed, relative to its size before.

    before, after: arrays of the same shape (n, ...), with at least 2 axes
    Returns an array of shape (n,).
    """
    # BEGIN SOLUTION
    n = len(before)
    change = np.linalg.norm((after - before).reshape(n, -1), axis=1)
    size = np.linalg.norm(before.reshape(n, -1), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(change == 0, 0.0, change / size)
    # END SOLUTION


# %%
check("00.relative_change")

# %% [markdown] help="relative_change"
# ## my samples are images; along which axis do I take the norm?
# Along all but the first. Make each sample one long row, `array.reshape(len(array), -1)`: then the axis is 1.
# ## what does NumPy do with a division by zero?
# In arrays, `1.0 / 0.0` is `inf`, which is wanted, and `0.0 / 0.0` is `nan`, which is not. `np.where(condition, a, b)` picks between two arrays.
# ## Why
# One norm per row does it for images and vectors alike. Only 0/0 needs a rule, and `change == 0` covers it: no change is 0, whatever the size. `np.errstate` only silences the warning.

# %% [markdown] question="doubled"
# **Predict before you run.**

# %%
predict("00.doubled", ...)

# %%
relative = use("00.relative_change")
images = np.random.default_rng(0).uniform(size=(3, 8, 8, 1))
print("doubled:    ", relative(images, 2 * images))
for step in (0.1, 0.5, 2.1):
    print(f"step {step}:   ", relative(images, update(images, -images, step)))
predict("00.doubled")

# %% [markdown]
# When the change is `-x`, the relative change of one update is the step itself. In a network nobody tells us the step, so we shall measure. In lesson 05 the same quotient, divided by a length of time, is the *stiffness-aware index*.

# %% [markdown]
# ## 3. Keras: tensors and their functions
#
# Keras builds networks and trains them. TensorFlow, JAX or PyTorch does its arithmetic: these are the *backends*. Their arrays are called *tensors*. `keras.ops` has NumPy's functions for tensors, mostly under the same names.
#
# A model is first described, then run. `keras.Input((4, 3))` is a tensor that stands for data to come: it has a shape, `(None, 4, 3)`, and no numbers. Such a tensor is *symbolic*. `None` is the number of samples, not known yet.

# %% [markdown] question="symbolic"
# **Predict before you run.**

# %%
predict("00.symbolic", ...)

# %%
inputs = keras.Input((4, 3))
print("keras.ops.mean:", keras.ops.mean(inputs, axis=-1))
try:
    print("np.mean:", np.mean(inputs, axis=-1))
except Exception as error:
    print("np.mean:", type(error).__name__, "-", error)
predict("00.symbolic")

# %% [markdown]
# So inside a model, write `keras.ops`. It takes ordinary arrays as well.

# %% [markdown] exercise="keras_ops_axis"
# Standardise `x` along one axis: subtract the mean along it, then divide by the standard deviation along it. So that nothing is divided by zero, add ε = 1e-5 (epsilon) to the variance before you take the root:
#
# $$\frac{x - \text{mean}}{\sqrt{\text{variance} + \varepsilon}}$$
#
# The variance is the mean of the squared distances from the mean. The shape stays. `axis` may be negative. The function must work inside a model, so use `keras.ops`, not NumPy. Three lines.

# %% answer="keras_ops_axis"
def keras_ops_axis(x, axis):
    """x, standardised along an axis.

    x: tensor or array of any shape with at least 1 axis, also symbolic
    axis: int, may be negative
    Returns a tensor of the shape of x.
    """
    # BEGIN SOLUTION
    mean = keras.ops.mean(x, axis=axis, keepdims=True)
    variance = keras.ops.var(x, axis=axis, keepdims=True)
    return (x - mean) / keras.ops.sqrt(variance + 1e-5)
    # END SOLUTION


# %%
check("00.keras_ops_axis")

# %% [markdown] help="keras_ops_axis"
# ## my shapes do not fit together
# The mean along axis 1 of shape `(2, 3)` has shape `(2,)`, which does not broadcast against `(2, 3)`. With `keepdims=True` the axis stays, with length 1.
# ## which functions do I need?
# `keras.ops.mean`, `keras.ops.var` and `keras.ops.sqrt`. Does the 1e-5 come before the root, or after it?
# ## Why
# With `keepdims=True` mean and variance line up with `x`, whatever the axis. This is the heart of the normalisation layers in most networks.

# %% [markdown]
# ## 4. A layer of your own
#
# A *layer* is a function with a memory: its *weights*, arrays of numbers that training changes. You write one as a class. `Shift` adds one number to everything it gets. An *initializer* is an object that says with which numbers a weight begins: `Constant(2.0)` sets them all to 2.

# %%
class Shift(keras.layers.Layer):
    """y = x + shift, with one trainable number."""

    def __init__(self, start=0.0, **kwargs):
        super().__init__(**kwargs)  # Keras's own arguments, such as name
        self.start = start

    def build(self, input_shape):  # makes the weights
        self.shift = self.add_weight(shape=(), initializer=keras.initializers.Constant(self.start))

    def call(self, x):  # what the layer computes
        return x + self.shift

    def get_config(self):  # the arguments, so that it can be saved and made again
        config = super().get_config()
        config["start"] = self.start
        return config


# %% [markdown] question="when_built"
# **Checkpoint.** Write your letter in quotes here too. Each choice gets a reply.

# %%
checkpoint("00.when_built", ...)

# %%
layer = Shift(start=0.5)
print("weights before the first call:", len(layer.weights))
print("result:", keras.ops.convert_to_numpy(layer(np.zeros((1, 3)))))
print("weights after it:", len(layer.weights))

# %% [markdown]
# `Shift` has one weight, and that is a single trainable number. Often we want a number for each *channel*. The channels are the last axis: red, green and blue of an image, or the numbers that a layer puts out.

# %% [markdown] exercise="ScaleLayer"
# Multiply each channel by a trainable number: `y = scale * x`.
#
# - `build` makes one trainable weight with one entry per channel. Every entry begins at `initial`.
# - `call` multiplies. It must work whatever the number of samples, and whatever the axes before the last.
# - `get_config` returns what is needed to make the layer again: `initial`, beside what Keras itself keeps.
#
# `__init__` is written. Each of the others needs one to three lines.

# %% answer="ScaleLayer"
class ScaleLayer(keras.layers.Layer):
    """y = scale * x, with one trainable number per channel.

    initial: float, where every entry of scale begins
    input and output: shape (n, ..., channels)
    """

    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        # BEGIN SOLUTION
        initializer = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=initializer)
        # END SOLUTION

    def call(self, inputs):
        # BEGIN SOLUTION
        return inputs * self.scale
        # END SOLUTION

    def get_config(self):
        # BEGIN SOLUTION
        return {**super().get_config(), "initial": self.initial}
        # END SOLUTION


# %%
check("00.ScaleLayer")

# %% [markdown] help="ScaleLayer"
# ## how do I know the number of channels?
# `build` gets the input's shape, such as `(None, 5, 3)`; the channels are its last entry. A weight's shape is a tuple too: `(3,)`, with the comma.
# ## "Could not interpret initializer identifier"
# An initializer is an object, not a number. See how `Shift` makes one.
# ## what does get_config have to return?
# A dictionary: that of `super().get_config()`, with the entry `"initial"` added.
# ## Why
# The last entry of the shape is known even where `None` stands for the samples. The product broadcasts over all axes before it. Keras can often record simple arguments by itself; `get_config` makes sure that a saved layer comes back with yours.

# %% [markdown]
# ## 5. A model
#
# Now put layers together. Begin with `keras.Input`, call one layer after the other on what comes out, and name the two ends:
#
# ```python
# inputs = keras.Input((4,))
# hidden = keras.layers.Dense(6, activation="relu")(inputs)
# model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
# model.compile(optimizer="sgd", loss="mean_squared_error", metrics=["mean_absolute_error"])
# ```
#
# `Dense(6)` multiplies by a matrix, adds a vector, and puts out 6 numbers. A layer between input and output is called *hidden*. The *activation* is a function of what a layer puts out, asked for by its name: *relu* sets what is negative to 0; *softmax* makes the numbers positive with sum 1.
#
# `compile` says how to train: the *optimizer* changes the weights, the *loss* is the number that it makes small, and *metrics* are only reported.

# %% [markdown] exercise="digits_model"
# Build a network that reads images of shape `(8, 8, 1)` and returns ten probabilities, one per digit:
#
# 1. `Flatten`: 64 numbers per image,
# 2. `Dense` with `units` numbers and relu,
# 3. `gate`, a layer such as `ScaleLayer()`; nothing if it is `None`,
# 4. `Dense` with 10 numbers and softmax.
#
# Compile it with an optimizer such as `"adam"` and the metric accuracy. The labels are whole numbers from 0 to 9; their loss is `"sparse_categorical_crossentropy"`. Return the model untrained. About eight lines.

# %% answer="digits_model"
def digits_model(units, gate=None):
    """A classifier of digits: compiled, not trained.

    units: int, how many numbers the hidden layer puts out
    gate: layer that gets these numbers, or None
    Returns a keras.Model from (n, 8, 8, 1) to (n, 10).
    """
    # BEGIN SOLUTION
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(units, activation="relu")(x)
    if gate is not None:
        x = gate(x)
    outputs = keras.layers.Dense(10, activation="softmax")(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
    # END SOLUTION


# %%
check("00.digits_model")

# %% [markdown] help="digits_model"
# ## how do I leave the gate out?
# Keep the hidden layer's result in a variable. If there is a gate, replace the variable by the gate's result.
# ## how do I compile it?
# With the line of the example. Put in the optimizer and the loss of the statement, and `metrics=["accuracy"]`, a list: Keras picks the kind of accuracy that fits the labels.
# ## how do I get probabilities?
# As you get relu: by the name of the activation, in the last `Dense`.
# ## my function returns None
# `model.compile(...)` returns nothing. Return the model itself, on a line of its own.
# ## Why
# *Sparse*: a label is one whole number, not a row of ten. The loss is the mean of -log(probability of the right digit). The softmax is in the model, so the loss keeps `from_logits=False`, its default.

# %% [markdown] question="untrained"
# The data are handwritten digits that come with scikit-learn. Some are set aside for testing. **Predict before you run.**

# %%
predict("00.untrained", ...)

# %%
from stepkit.datasets import digits

(x_train, y_train), (x_test, y_test) = digits()
keras.utils.set_random_seed(0)
gate = use("00.ScaleLayer")()
model = use("00.digits_model")(32, gate)
print("images to train on:", x_train.shape, " to test on:", x_test.shape)
print(f"accuracy before training: {model.evaluate(x_test, y_test, verbose=0)[1]:.1%}")
predict("00.untrained")

# %% [markdown]
# On average over all random weights, a network guesses right once in ten. One network alone scatters around that, because its random numbers favour some digits.
#
# Now train. `fit` takes 32 images at a time, a batch, and changes the weights after each. One *epoch* goes once through all training images.

# %%
history = model.fit(x_train, y_train, epochs=10, validation_data=(x_test, y_test), verbose=0)
chances = model.predict(x_test, verbose=0)
print(f"accuracy after training: {np.mean(chances.argmax(axis=1) == y_test):.1%}")

# %%
epochs = range(1, 11)
plt.plot(epochs, history.history["accuracy"], "o-", color="#0072B2", label="training images")
plt.plot(epochs, history.history["val_accuracy"], "s--", color="#D55E00", label="test images")
plt.xlabel("epoch")
plt.ylabel("accuracy")
plt.legend()
plt.show()

# %%
misread = np.flatnonzero(chances.argmax(axis=1) != y_test)[:6]
figure, places = plt.subplots(1, 6, figsize=(10, 2))
for place in places:
    place.axis("off")
for place, index in zip(places, misread):
    place.imshow(x_test[index, :, :, 0], cmap="gray_r")
    place.set_title(f"{y_test[index]}, read as {chances[index].argmax()}", fontsize=9)
plt.show()

# %% [markdown]
# *What the figures show:* both curves rise fast and then level off. At first the test curve may lie above the other: the training accuracy is averaged over an epoch, while the weights still improve. Below them are test images that the network misread. Would you read them rightly?
#
# And the gate? It began with every scale at 1, where it changes nothing. Your own measure tells how much it changes the hidden numbers now.

# %%
# gate.input is the tensor that goes into the gate: this model ends there.
hidden = keras.Model(model.inputs, gate.input).predict(x_test, verbose=0)
gated = keras.ops.convert_to_numpy(gate(hidden))
scale = gate.get_weights()[0]
print(f"scales: from {scale.min():.2f} to {scale.max():.2f}")
print(f"relative change of a test image's hidden numbers: median {np.median(relative(hidden, gated)):.2f}")

# %% [markdown]
# Training has chosen a factor for each channel. Put such a layer on the *change* of a residual block, and each factor is a step: **a gate is a learned step, one per channel.** This course is about that sentence.

# %% [markdown]
# ## 6. Three things are called attention
#
# This course meets three things of that name, and keeps them apart:
#
# | we say | it weights | it answers | lessons |
# |---|---|---|---|
# | channel gate | each channel of a block's change | how much of this channel? | 07 to 09 |
# | node weight | each node of a graph | how important is this node? | 10 |
# | token score | each pair of positions in a sequence | how much does this one read from that one? | 11 |

# %% [markdown] question="which_attention"
# **Checkpoint.** Your letter, in quotes.

# %%
checkpoint("00.which_attention", ...)

# %% [markdown]
# ## Summary
#
# - A residual block adds a change; the step says how much of it. A step can be too long even in the right direction.
# - The relative change measures a step, sample by sample.
# - Inside a model, tensors have shapes and no numbers yet: use `keras.ops`.
# - A layer has `build` for its weights, `call` for what it computes, and `get_config` for its arguments.
#
# **Still open.** Why is 2 the limit in section 1, and what is it in a network? Does the relative change warn of trouble? Does a gate that looks at its input choose better steps? Lessons 03, 05 and 08 take these up. Next, in lesson 01, a residual block becomes one step of Euler's method.
#
# **To read**
#
# - He, Zhang, Ren, Sun (2016), *Deep Residual Learning for Image Recognition*, CVPR: residual blocks. Lesson 01 lists their second paper, at ECCV.
# - W. E (2017), *A Proposal on Machine Learning via Dynamical Systems*, Communications in Mathematics and Statistics: networks as differential equations.
# - Haber, Ruthotto (2018), *Stable architectures for deep neural networks*, Inverse Problems 34, first posted 2017: what makes such networks stable.
# - keras.io, the guide *Making new layers and models via subclassing*.

# %% wrong="residual_update" shows="change-not-state" outcome="not yet"
def residual_update(x, change, step):
    return step * change

# %% wrong="residual_update" shows="step-ignored" outcome="not yet"
def residual_update(x, change, step):
    return x + change

# %% wrong="residual_update" shows="sign" outcome="not yet"
def residual_update(x, change, step):
    return x - step * change

# %% wrong="residual_update" shows="step-on-the-sum" outcome="not yet"
def residual_update(x, change, step):
    return step * (x + change)

# %% wrong="residual_update" shows="mutates-input" outcome="not yet"
def residual_update(x, change, step):
    x += step * change
    return x

# %% wrong="residual_update" shows="dot-product" outcome="not yet"
def residual_update(x, change, step):
    return x + np.dot(step, change)

# %% wrong="residual_update" shows="scalar-step" outcome="crashed"
def residual_update(x, change, step):
    return x + float(step) * change

# %% wrong="residual_update" shows="integer-result" outcome="not yet"
def residual_update(x, change, step):
    new = np.empty_like(x)
    new[...] = x + step * change
    return new

# %% wrong="residual_update" shows="no-return" outcome="not yet"
def residual_update(x, change, step):
    x = x + step * change

# %% variant="residual_update" style="the formula"
def residual_update(x, change, step):
    return x + step * change

# %% variant="residual_update" style="a mean of both ends"
def residual_update(x, change, step):
    end = x + change
    return (1 - step) * x + step * end

# %% variant="residual_update" style="NumPy functions, copied first"
def residual_update(x, change, step):
    new = np.array(x, copy=True)
    new += np.multiply(step, change)
    return new

# %% variant="residual_update" style="Keras tensors"
def residual_update(x, change, step):
    return keras.ops.convert_to_tensor(x) + keras.ops.convert_to_tensor(step * change)

# %% probe="residual_update"
def probe(answer, draw):
    shape = tuple(draw.integers(1, 5, size=draw.integers(0, 5)))
    x, change = draw.normal(size=(2, *shape))
    step = draw.normal(size=shape[-1:]) if draw.integers(2) else float(draw.normal())
    return [answer(x, change, step)]

# %% wrong="relative_change" shows="whole-batch" outcome="not yet"
def relative_change(before, after):
    return np.linalg.norm(after - before) / np.linalg.norm(before)

# %% wrong="relative_change" shows="axes-left-over" outcome="not yet"
def relative_change(before, after):
    return np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)

# %% wrong="relative_change" shows="wrong-axis" outcome="not yet"
def relative_change(before, after):
    return np.linalg.norm(after - before, axis=0) / np.linalg.norm(before, axis=0)

# %% wrong="relative_change" shows="divided-by-after" outcome="not yet"
def relative_change(before, after):
    n = len(before)
    change = np.linalg.norm((after - before).reshape(n, -1), axis=1)
    return change / np.linalg.norm(after.reshape(n, -1), axis=1)

# %% wrong="relative_change" shows="ratio-not-change" outcome="not yet"
def relative_change(before, after):
    n = len(before)
    size = np.linalg.norm(before.reshape(n, -1), axis=1)
    return np.linalg.norm(after.reshape(n, -1), axis=1) / size

# %% wrong="relative_change" shows="change-of-norm" outcome="not yet"
def relative_change(before, after):
    n = len(before)
    size = np.linalg.norm(before.reshape(n, -1), axis=1)
    return (np.linalg.norm(after.reshape(n, -1), axis=1) - size) / size

# %% wrong="relative_change" shows="wrong-norm" outcome="not yet"
def relative_change(before, after):
    axes = tuple(range(1, before.ndim))
    return np.abs(after - before).sum(axis=axes) / np.abs(before).sum(axis=axes)

# %% wrong="relative_change" shows="squared" outcome="not yet"
def relative_change(before, after):
    axes = tuple(range(1, before.ndim))
    return ((after - before) ** 2).sum(axis=axes) / (before**2).sum(axis=axes)

# %% wrong="relative_change" shows="mean-of-ratios" outcome="not yet"
def relative_change(before, after):
    return np.abs((after - before) / before).mean(axis=tuple(range(1, before.ndim)))

# %% wrong="relative_change" shows="not-relative" outcome="not yet"
def relative_change(before, after):
    return np.linalg.norm((after - before).reshape(len(before), -1), axis=1)

# %% wrong="relative_change" shows="zero-over-zero" outcome="not yet"
def relative_change(before, after):
    n = len(before)
    change = np.linalg.norm((after - before).reshape(n, -1), axis=1)
    return change / np.linalg.norm(before.reshape(n, -1), axis=1)

# %% wrong="relative_change" shows="zero-hidden" outcome="not yet"
def relative_change(before, after):
    n = len(before)
    change = np.linalg.norm((after - before).reshape(n, -1), axis=1)
    return change / (np.linalg.norm(before.reshape(n, -1), axis=1) + 1e-12)

# %% wrong="relative_change" shows="zero-hidden" outcome="not yet"
def relative_change(before, after):
    n = len(before)
    change = np.linalg.norm((after - before).reshape(n, -1), axis=1)
    size = np.linalg.norm(before.reshape(n, -1), axis=1)
    return np.where(size == 0, 0.0, change / size)

# %% wrong="relative_change" shows="size-guarded" outcome="not yet"
def relative_change(before, after):
    axes = tuple(range(1, np.ndim(before)))
    change = np.sqrt(np.sum((after - before) ** 2, axis=axes))
    size = np.sqrt(np.sum(before ** 2, axis=axes))
    return np.where(size == 0, np.where(change == 0, 0, np.inf), change / (size + 1e-8))

# %% wrong="relative_change" shows="not-an-array" outcome="not yet"
def relative_change(before, after):
    def size(sample):
        return np.sqrt(np.sum(sample**2))

    return [size(a - b) / size(b) if np.any(a - b) else 0.0 for b, a in zip(before, after)]

# %% wrong="relative_change" shows="mutates-input" outcome="not yet"
def relative_change(before, after):
    n = len(before)
    after -= before
    change = np.linalg.norm(after.reshape(n, -1), axis=1)
    return np.where(change == 0, 0.0, change / np.linalg.norm(before.reshape(n, -1), axis=1))

# %% variant="relative_change" style="rows"
def relative_change(before, after):
    rows = before.reshape(len(before), -1)
    change = np.linalg.norm(after.reshape(rows.shape) - rows, axis=-1)
    ratio = change / np.linalg.norm(rows, axis=-1)
    ratio[change == 0] = 0
    return ratio

# %% variant="relative_change" style="a loop over samples"
def relative_change(before, after):
    ratios = []
    for b, a in zip(before, after):
        change, size = np.linalg.norm((a - b).ravel()), np.linalg.norm(b.ravel())
        if change == 0:
            ratios.append(0.0)
        elif size == 0:
            ratios.append(np.inf)
        else:
            ratios.append(change / size)
    return np.array(ratios)

# %% variant="relative_change" style="root mean squares over all axes but the first"
def relative_change(before, after):
    axes = tuple(range(1, np.ndim(before)))
    change = np.sqrt(np.mean((after - before) ** 2, axis=axes))
    size = np.sqrt(np.mean(before**2, axis=axes))
    return np.nan_to_num(change / size, nan=0.0, posinf=np.inf)

# %% variant="relative_change" style="Keras tensors"
def relative_change(before, after):
    axes = list(range(1, before.ndim))
    squares = keras.ops.sum(keras.ops.square(keras.ops.subtract(after, before)), axis=axes)
    ratio = keras.ops.sqrt(squares) / keras.ops.sqrt(keras.ops.sum(keras.ops.square(before), axis=axes))
    return keras.ops.where(squares == 0, keras.ops.zeros_like(ratio), ratio)

# %% probe="relative_change"
def probe(answer, draw):
    shape = tuple(draw.integers(1, 5, size=draw.integers(2, 6)))
    before, after = draw.normal(size=(2, *shape))
    before[draw.uniform(size=len(before)) < 0.3] = 0
    same = draw.uniform(size=len(before)) < 0.3
    after[same] = before[same]
    return [answer(before, after)]

# %% wrong="keras_ops_axis" shows="numpy-in-model" outcome="crashed"
def keras_ops_axis(x, axis):
    mean = np.mean(x, axis=axis, keepdims=True)
    return (x - mean) / np.sqrt(np.var(x, axis=axis, keepdims=True) + 1e-5)

# %% wrong="keras_ops_axis" shows="keepdims-forgotten" outcome="crashed"
def keras_ops_axis(x, axis):
    mean = keras.ops.mean(x, axis=axis)
    return (x - mean) / keras.ops.sqrt(keras.ops.var(x, axis=axis) + 1e-5)

# %% wrong="keras_ops_axis" shows="axis-ignored" outcome="not yet"
def keras_ops_axis(x, axis):
    return (x - keras.ops.mean(x)) / keras.ops.sqrt(keras.ops.var(x) + 1e-5)

# %% wrong="keras_ops_axis" shows="wrong-axis" outcome="not yet"
def keras_ops_axis(x, axis):
    mean = keras.ops.mean(x, axis=-1, keepdims=True)
    return (x - mean) / keras.ops.sqrt(keras.ops.var(x, axis=-1, keepdims=True) + 1e-5)

# %% wrong="keras_ops_axis" shows="mean-only" outcome="not yet"
def keras_ops_axis(x, axis):
    return x - keras.ops.mean(x, axis=axis, keepdims=True)

# %% wrong="keras_ops_axis" shows="variance-not-deviation" outcome="not yet"
def keras_ops_axis(x, axis):
    mean = keras.ops.mean(x, axis=axis, keepdims=True)
    return (x - mean) / (keras.ops.var(x, axis=axis, keepdims=True) + 1e-5)

# %% wrong="keras_ops_axis" shows="not-centred" outcome="not yet"
def keras_ops_axis(x, axis):
    return x / keras.ops.sqrt(keras.ops.var(x, axis=axis, keepdims=True) + 1e-5)

# %% wrong="keras_ops_axis" shows="epsilon-outside" outcome="not yet"
def keras_ops_axis(x, axis):
    mean = keras.ops.mean(x, axis=axis, keepdims=True)
    return (x - mean) / (keras.ops.std(x, axis=axis, keepdims=True) + 1e-5)

# %% wrong="keras_ops_axis" shows="no-epsilon" outcome="not yet"
def keras_ops_axis(x, axis):
    mean = keras.ops.mean(x, axis=axis, keepdims=True)
    return (x - mean) / keras.ops.std(x, axis=axis, keepdims=True)

# %% wrong="keras_ops_axis" shows="n-minus-one" outcome="not yet"
def keras_ops_axis(x, axis):
    d = x - keras.ops.mean(x, axis=axis, keepdims=True)
    n = x.shape[axis]
    return d / keras.ops.sqrt(keras.ops.sum(d**2, axis=axis, keepdims=True) / max(n - 1, 1) + 1e-5)

# %% variant="keras_ops_axis" style="squares by hand"
def keras_ops_axis(x, axis):
    centred = x - keras.ops.mean(x, axis=axis, keepdims=True)
    spread = keras.ops.mean(centred * centred, axis=axis, keepdims=True)
    return centred * keras.ops.rsqrt(spread + 1e-5)

# %% variant="keras_ops_axis" style="moments"
def keras_ops_axis(x, axis):
    mean, variance = keras.ops.moments(x, axes=[axis], keepdims=True)
    return keras.ops.divide(keras.ops.subtract(x, mean), keras.ops.sqrt(variance + 1e-5))

# %% variant="keras_ops_axis" style="the axis moved to the end"
def keras_ops_axis(x, axis):
    x = keras.ops.moveaxis(x, axis, -1)
    mean = keras.ops.mean(x, axis=-1)[..., None]
    std = keras.ops.sqrt(keras.ops.std(x, axis=-1)[..., None] ** 2 + 1e-5)
    return keras.ops.moveaxis((x - mean) / std, -1, axis)

# %% probe="keras_ops_axis"
def probe(answer, draw):
    shape = tuple(draw.integers(1, 6, size=draw.integers(1, 5)))
    axis = int(draw.integers(-len(shape), len(shape)))
    x = (draw.normal(size=shape) * 10.0 ** draw.integers(-4, 2)).astype("float32")
    return [keras.ops.convert_to_numpy(answer(x, axis))]

# %% wrong="ScaleLayer" shows="one-scale-for-all" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(), initializer=start)

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="initial-ignored" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="not-trainable" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=start, trainable=False)

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="weight-missing" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        self.scale = self.initial * np.ones(input_shape[-1], "float32")

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="wrong-axis" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[1],), initializer=start)

    def call(self, inputs):
        return keras.ops.moveaxis(keras.ops.moveaxis(inputs, 1, -1) * self.scale, -1, 1)

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="weight-per-entry" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=input_shape[1:], initializer=start)

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="adds-instead" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=start)

    def call(self, inputs):
        return inputs + self.scale

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="weight-unused" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=start)

    def call(self, inputs):
        return inputs * self.initial

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="no-gradient" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=start)

    def call(self, inputs):
        return inputs * keras.ops.stop_gradient(self.scale)

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="numpy-in-model" outcome="crashed"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=start)

    def call(self, inputs):
        return np.multiply(inputs, self.scale)

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% wrong="ScaleLayer" shows="config-forgets-argument" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=start)

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return super().get_config()

# %% wrong="ScaleLayer" shows="config-without-base" outcome="not yet"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=start)

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return {"initial": self.initial}

# %% wrong="ScaleLayer" shows="number-as-initializer" outcome="crashed"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=self.initial)

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}

# %% variant="ScaleLayer" style="a variable of its own"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        self.factor = keras.Variable(np.full(input_shape[-1], self.initial, "float32"))

    def call(self, x):
        return keras.ops.multiply(self.factor, x)

    def get_config(self):
        config = super().get_config()
        config.update(initial=self.initial)
        return config

# %% variant="ScaleLayer" style="arguments that Keras records itself"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        *_, channels = input_shape
        self.w = self.add_weight(
            name="w", shape=(channels,), initializer=lambda shape, dtype=None: keras.ops.full(shape, self.initial, dtype)
        )

    def call(self, inputs, training=None):
        return self.w * inputs

# %% variant="ScaleLayer" style="an einsum"
class ScaleLayer(keras.layers.Layer):
    def __init__(self, initial=1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = float(initial)

    def build(self, input_shape):
        self.scale = self.add_weight(
            shape=[input_shape[-1]], initializer=keras.initializers.Constant(self.initial), trainable=True, name="scale"
        )
        super().build(input_shape)

    def call(self, inputs):
        return keras.ops.einsum("...c,c->...c", inputs, self.scale)

    def get_config(self):
        return super().get_config() | {"initial": self.initial}

# %% probe="ScaleLayer"
def probe(answer, draw):
    shape = tuple(int(n) for n in draw.integers(1, 5, size=draw.integers(2, 5)))
    layer = answer(initial=float(draw.normal()))
    x = draw.normal(size=shape).astype("float32")
    first = keras.ops.convert_to_numpy(layer(x))
    layer.set_weights([draw.normal(size=each.shape) for each in layer.weights])
    config = layer.get_config()
    again = type(layer).from_config(config)
    return [
        first,
        keras.ops.convert_to_numpy(layer(x)),
        keras.ops.convert_to_numpy(again(x)),
        np.array([len(layer.trainable_weights), again.name == layer.name]),
    ]

# %% wrong="digits_model" shows="flatten-forgotten" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(inputs)
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="softmax-forgotten" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10)(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="relu-forgotten" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units)(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="sigmoid-not-softmax" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="sigmoid")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="wrong-loss" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="softmax-twice" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="metric-missing" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model

# %% wrong="digits_model" shows="wrong-metric" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=[keras.metrics.Accuracy()])
    return model

# %% wrong="digits_model" shows="gate-missing" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="gate-unused" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="gate-misplaced" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(inputs)
    if gate is not None:
        x = gate(x)
    x = keras.layers.Dense(units, activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="gate-before-relu" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units)(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    x = keras.layers.ReLU()(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="gate-not-optional" outcome="crashed"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="units-ignored" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(32, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="not-compiled" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))

# %% wrong="digits_model" shows="shared-weights" outcome="not yet"
ends = {units: keras.layers.Dense(10, activation="softmax") for units in range(40)}

def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    hidden = hidden if gate is None else gate(hidden)
    model = keras.Model(inputs, ends[units](hidden))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% wrong="digits_model" shows="no-return" outcome="not yet"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(inputs))
    if gate is not None:
        x = gate(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    return model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

# %% wrong="digits_model" shows="no-input" outcome="not yet"
def digits_model(units, gate=None):
    layers = [keras.layers.Flatten(), keras.layers.Dense(units, activation="relu")]
    layers += [] if gate is None else [gate]
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

# %% variant="digits_model" style="Sequential, SGD, named metric"
def digits_model(units, gate=None):
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(units, "relu")]
    if gate:
        layers.append(gate)
    layers.append(keras.layers.Dense(10, "softmax"))
    model = keras.Sequential(layers)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"])
    return model

# %% variant="digits_model" style="activations as layers, objects for loss and metric"
def digits_model(units, gate=None):
    inputs = keras.layers.Input(shape=(8, 8, 1), name="image")
    x = keras.layers.Reshape((64,))(inputs)
    x = keras.layers.Activation("relu")(keras.layers.Dense(units)(x))
    x = gate(x) if gate is not None else x
    outputs = keras.layers.Softmax()(keras.layers.Dense(10)(x))
    model = keras.Model(inputs=inputs, outputs=outputs, name="digits")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="share_right")],
    )
    return model

# %% variant="digits_model" style="keras.ops in the functional style"
def digits_model(units, gate=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.ops.relu(keras.layers.Dense(units)(keras.layers.Flatten()(inputs)))
    x = (gate or keras.layers.Identity())(x)
    model = keras.Model(inputs, keras.ops.softmax(keras.layers.Dense(10)(x), axis=-1))
    model.compile("rmsprop", loss="sparse_categorical_crossentropy", metrics=["acc"])
    return model

# %% excuse="digits_model" mutant="model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy']) -> model.compile(loss='sparse_categorical_crossentropy', metrics=['accuracy'])"
# Any optimizer will do, also the one that Keras takes if none is named.

# %% probe="digits_model"
def probe(answer, draw):
    units = int(draw.integers(3, 40))
    gate = keras.layers.Rescaling(-0.7, 0.1) if draw.integers(2) else None
    model = answer(units, gate)
    model.set_weights([draw.normal(size=each.shape) / 4 for each in model.weights])
    x = keras.ops.convert_to_tensor(draw.uniform(size=(5, 8, 8, 1)).astype("float32"))
    chances = model(x)
    loss = model.compute_loss(x=None, y=keras.ops.arange(5), y_pred=keras.ops.copy(chances))
    names = sorted(str(each) for each in model.get_compile_config()["metrics"] or [])
    sizes = [int(np.prod(each.shape)) for each in model.weights]
    return [keras.ops.convert_to_numpy(chances), float(loss), np.array(sizes), np.array(len(names))]
