# %% [markdown]
# # Lesson 01 · A residual block is an Euler step
#
# A residual network is a sum: the input, plus a change, plus another change, and so on. Anyone who solves differential equations knows this sum: it is the oldest method of all, and there somebody must choose how long each step is. **If a block is a step, how long is it? And what would a shorter one do?**
#
# After this lesson you can
#
# - **write** Euler's method and hand it to a solver,
# - **measure** its order,
# - **build** a residual network whose blocks are Euler steps,
# - **follow** samples through the blocks of a trained network,
# - **explain** where the likeness of blocks and steps ends.
#
# You need lesson 00: the check loop, and a Keras layer with `build`, `call` and `get_config`. Differential equations begin here. Plan 90 minutes.

# %%
import time
from fractions import Fraction

import keras
import matplotlib.pyplot as plt
import numpy as np

from stepkit import datasets, ode, plots

# %% [markdown]
# ## 1. One step
#
# An *ordinary differential equation* (ODE) says how fast a state `y` changes: `dy/dt = f(t, y)`. Here `t` is the time, and `f` is called the slope, or the *field*. If the start is given too, `y(t0) = y0`, we have an *initial value problem*: one curve leaves from `y0` and follows the field.
#
# For `f = -y` and `y(0) = 1` the curve is `exp(-t)`. Mostly there is no formula. Euler's way out (1768): look up the slope where you are, follow it straight for a short time `h`, look again. That is one *step*, and `h` is the *step size*.
#
# By hand: at `y = 1` the slope is -1. With `h = 0.1` the state falls by 0.1, to 0.9. The curve is at `exp(-0.1) = 0.905`: close, since the step is short.

# %% [markdown] exercise="euler_step"
# A residual block adds a change to its input. Write the same thing as a numerical analyst would: given the slope `f(t, y)` at the start of a step, move along it for a time `h`.
#
# `y` may have any shape, and `h` may be negative (stepping back in time). Do not change `y` itself. One line is enough.

# %% answer="euler_step"
def euler_step(f, t, y, h):
    """One explicit Euler step from t to t + h.

    f: callable (t, y) -> dy/dt, an array of the shape of y
    y: array of any shape
    Returns an array of the shape of y.
    """
    # BEGIN SOLUTION
    return y + h * f(t, y)
    # END SOLUTION


# %%
check("01.euler_step")

# %% [markdown] help="euler_step"
# ## what are the units?
# `f` gives change *per time*. What turns that into a change?
# ## the shape of the line
# new state = old state + (something) × `f(…, …)`
# ## Why
# `f(t, y)` is a speed. A speed times a time is a distance, and the distance is added to where you are.

# %% [markdown] question="overshoot"
# **Predict before you run.**

# %%
predict("01.overshoot", ...)

# %%
step = use("01.euler_step")
print("one step of length 2.5 lands at", step(lambda t, y: -y, 0.0, 1.0, 2.5))
predict("01.overshoot")

# %% [markdown]
# Now put a residual block (He et al., CVPR 2016) beside it: block number `k` makes `x + f_k(x)` of its input `x`. The state is `x`, the time is the number of the block, the slope is what the block computes. W. E (2017) and E. Haber and L. Ruthotto (2017) read residual networks in this way.
#
# One of the four papers behind this course goes on from there. Figure 1 of Huang et al. (ICCV 2023) writes a block as `f(x)` times 1, a constant step size, and a block with attention as `f(x)` times the attention: a step size that adapts. Lessons 07 and 08 build those.

# %% [markdown] question="which_step"
# **Checkpoint.**

# %%
checkpoint("01.which_step", ...)

# %% [markdown]
# ## 2. Many steps
#
# To go far, take one step after the other; each begins where the last one ended. The times need not be evenly spaced.

# %% [markdown] exercise="euler_solve"
# Start from `y0` at time `ts[0]` and take one Euler step per interval of `ts`. Return the states at *all* times, the first one included, as one array with time along its first axis: shape `(len(ts), *y0.shape)`.
#
# The times may be unevenly spaced, and they may decrease: then the steps go back in time. You may use `euler_step`. The check uses a correct one, even if yours is wrong. About four lines.

# %% answer="euler_solve"
def euler_solve(f, y0, ts):
    """The states of dy/dt = f(t, y), y(ts[0]) = y0, one Euler step per interval.

    f: callable (t, y) -> dy/dt, an array of the shape of y
    y0: array of any shape
    ts: array of n >= 2 times, increasing or decreasing
    Returns an array of shape (n, *y0.shape).
    """
    # BEGIN SOLUTION
    states = [y0]
    for k in range(len(ts) - 1):
        states.append(euler_step(f, ts[k], states[k], ts[k + 1] - ts[k]))
    return np.stack(states)
    # END SOLUTION


# %%
check("01.euler_solve")

# %% [markdown] help="euler_solve"
# ## how many steps, how many states?
# Between `n` times lie `n - 1` intervals, so there are `n - 1` steps. With the start there are `n` states.
# ## how do I collect the states?
# A list that begins with `y0` and grows by one state per step. `np.stack` makes one array of it.
# ## all my rows are the same
# `y += …` changes the array that is in your list already. Make a new array in each step.
# ## Why
# A step needs the slope at its own start: the time and the state there. So the loop carries both. `ts[k + 1] - ts[k]` is negative where time runs backwards, and Euler's step does not mind.

# %% [markdown] question="halving"
# The next cell solves `dy/dt = cos(t) y` from `y(0) = 1`; the exact solution is `exp(sin t)`. **Predict before you run.**

# %%
predict("01.halving", ...)

# %%
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=["#0072B2", "#D55E00", "#009E73"])


def field(t, y):
    return np.cos(t) * y


solve = use("01.euler_solve")
for steps, line in ((10, "o-"), (20, "s--")):
    ts = np.linspace(0, 2, steps + 1)
    ys = solve(field, np.array(1.0), ts)
    error = abs(ys[-1] - np.exp(np.sin(2)))
    plt.plot(ts, ys, line, markersize=4, label=f"{steps} steps, error at t = 2: {error:.3f}")
fine = np.linspace(0, 2, 100)
plt.plot(fine, np.exp(np.sin(fine)), "k:", label="exact")
plt.xlabel("time t")
plt.ylabel("state y")
plt.legend()
plt.show()
predict("01.halving")

# %% [markdown]
# *What the figure shows:* both Euler paths run below the curve for most of its climb and above it at the end. At t = 2 the path with 20 steps is about half as far from the curve as the one with 10.
#
# Your step also drives the library's solver. `ode.odeint` takes any function `step(f, t, y, h)`:

# %%
solution = ode.odeint(field, 1.0, ts, solver=step)
print(solution)
print("largest difference from euler_solve:", np.abs(solution.ys - ys).max())

# %% [markdown]
# ## 3. How fast the error falls
#
# A step follows the tangent, and a smooth curve leaves its tangent by about `h²`. To reach a fixed time takes a number of steps in proportion to `1 / h`. So about `h² / h = h` of error is left at the end.
#
# In general the error is close to `C h^p` for small `h`, and `p` is called the *order* of the method. Take logarithms: `log(error) = log C + p log h`. That is a line, and its slope is the order.

# %% [markdown] exercise="convergence_order"
# Given step sizes and the error that each gave, return the order as one number: the slope of the straight line that fits `log(error)` over `log(step size)` best, by least squares over all points. The line may have an offset.
#
# The pairs come in any order. An error may be exactly 0, which has no logarithm: leave such pairs out. Two or more pairs remain. Two or three lines.

# %% answer="convergence_order"
def convergence_order(step_sizes, errors):
    """The order of a method, from measured errors.

    step_sizes: array (n,) of positive numbers
    errors: array (n,) of numbers >= 0
    Returns a number.
    """
    # BEGIN SOLUTION
    kept = errors > 0
    slope, _ = np.polyfit(np.log(step_sizes[kept]), np.log(errors[kept]), deg=1)
    return slope
    # END SOLUTION


# %%
check("01.convergence_order")

# %% [markdown] help="convergence_order"
# ## is there a function for straight lines?
# `np.polyfit(x, y, deg=1)` returns two numbers: the slope, then the offset. What is your x, and what is your y?
# ## how do I leave pairs out?
# A comparison gives an array of True and False, and an array can be indexed with it. Use the same mask for both arrays.
# ## Why
# A power law is a line in logarithms, and a least-squares line uses all points, so that one unlucky error does not decide. The base of the logarithms does not matter as long as it is the same for both.

# %%
order_of = use("01.convergence_order")
hs, errors = 2.0 / 2 ** np.arange(2, 9), []
for h in hs:
    ys = solve(field, np.array(1.0), np.arange(0, 2 + h / 2, h))
    errors.append(abs(ys[-1] - np.exp(np.sin(2))))
errors = np.array(errors)
plots.convergence(hs, errors, orders=[1, 2], label="Euler")
plt.show()
print(f"order from all steps: {order_of(hs, errors):.2f}")
print(f"order from the four smallest: {order_of(hs[-4:], errors[-4:]):.2f}")

# %% [markdown]
# *What the figure shows:* on logarithmic axes Euler's errors lie on a line that runs along the reference line of slope 1, and not along the one of slope 2: ten times smaller steps, ten times smaller errors.

# %% [markdown] question="order_two"
# **Checkpoint.** Lesson 02 has methods of higher order.

# %%
checkpoint("01.order_two", ...)

# %% [markdown] question="too_long"
# Small errors are one matter. Here is another. **Predict before you run.**

# %%
predict("01.too_long", ...)

# %%
for h, line in ((0.05, "o-"), (0.15, "s--"), (0.25, "^-.")):
    ts = np.arange(0, 1.6, h)
    plt.plot(ts, solve(lambda t, y: -10 * y, np.array(1.0), ts), line, label=f"h = {h}")
plt.xlabel("time t")
plt.ylabel("state y")
plt.ylim(-4, 4)  # the third path leaves the figure
plt.legend()
plt.show()
predict("01.too_long")

# %% [markdown]
# *What the figure shows:* for h = 0.05 the states fall to 0. For h = 0.15 they jump across 0 and come to rest. For h = 0.25 each jump is longer than the one before, until the path leaves the figure.
#
# The exact solution does nothing but fall. So the third path is no property of the ODE: the step is too long for it. Lesson 03 says how long is too long.

# %% [markdown]
# ## 4. The step as a layer
#
# In a network the slope is a sub-layer, and `h` is a setting. There is no `t`: each block has a field of its own. The layer gets the sub-layer as an argument, as in `ResidualStep(keras.layers.Dense(3), step_size=0.5)`.
#
# Two things are new. Weights belong to the sub-layer, so `build` passes the shape on to `residual.build`. And a configuration must be text that a file can hold, so a layer cannot stand in it: `keras.saving.serialize_keras_object(layer)` turns a layer into a dictionary of names and numbers, and `from_config`, which is given, turns it back.

# %% [markdown] exercise="ResidualStep"
# Write `build`, `call` and `get_config`. The layer returns `y` plus `step_size` times the residual at `y`.
#
# `build` must create the weights of the sub-layer. `get_config` returns what `super().get_config()` returns, and both arguments; the sub-layer as such a dictionary. The batch size may be unknown, and `step_size` may be 0 or negative. Three methods, one to six lines each.

# %% answer="ResidualStep"
class ResidualStep(keras.layers.Layer):
    """y + step_size * residual(y).

    residual: Keras layer that keeps the shape of its input, not built yet
    step_size: float
    """

    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual = residual
        self.step_size = step_size

    def build(self, input_shape):
        # BEGIN SOLUTION
        self.residual.build(input_shape)
        # END SOLUTION

    def call(self, y):
        # BEGIN SOLUTION
        return y + self.step_size * self.residual(y)
        # END SOLUTION

    def get_config(self):
        # BEGIN SOLUTION
        return {
            **super().get_config(),
            "residual": keras.saving.serialize_keras_object(self.residual),
            "step_size": self.step_size,
        }
        # END SOLUTION

    @classmethod
    def from_config(cls, config):
        residual = keras.saving.deserialize_keras_object(config["residual"])
        # the same configuration, with a layer in place of its dictionary
        return cls(**{**config, "residual": residual})


# %%
check("01.ResidualStep")

# %% [markdown] help="ResidualStep"
# ## what does `build` have to do here?
# No `add_weight` of your own: the weights belong to `self.residual`. Give it the shape that you were given.
# ## what goes into `call`?
# Your line from Exercise 1.1, with `self.residual` as the slope and `self.step_size` as the step.
# ## what goes into `get_config`?
# A dictionary with everything from `super().get_config()`, and two entries named as the arguments of `__init__`. Which of the two entries needs `serialize_keras_object`?
# ## Why
# Keras finds the weights of a sub-layer that is an attribute. `build` makes them at a known moment, so that they can be loaded from a file. With `step_size=1.0` this is the residual block; with 0 it is the identity.

# %% [markdown] question="four_steps"
# Take the field `tanh(yK)` with a fixed matrix `K`, and start at time 0. Look at the state at time 1. **Predict before you run.**

# %%
predict("01.four_steps", ...)

# %%
K, start = np.array([[-0.5, 2.0], [-2.0, -0.5]]), np.array([[1.0, 0.5]])
# a very accurate method, from lesson 02, stands for the exact solution
exact = ode.odeint(lambda t, y: np.tanh(y @ K), start, [0, 1], solver="rk4", step_size=0.01).ys[-1]
Step, kernel = use("01.ResidualStep"), keras.initializers.Constant(K)
for blocks in (1, 4, 16):
    dense = keras.layers.Dense(2, "tanh", kernel_initializer=kernel)
    block, y = Step(dense, step_size=1 / blocks), start.astype("float32")
    for _ in range(blocks):  # the same block again and again: the same weights
        y = block(y)
    distance = np.linalg.norm(keras.ops.convert_to_numpy(y) - exact)
    print(f"{blocks:2d} blocks: {distance:.3f} away from the exact solution")
predict("01.four_steps")

# %% [markdown]
# Here depth is accuracy: the same weights, more and shorter steps, nearer to the curve. Residual networks in practice differ: each block has weights of its own, and the step size is 1 however many there are.

# %% [markdown]
# ## 5. A network of steps on digits
#
# Now a network for small images of digits, 8 by 8 pixels, as 64 numbers. The *stem* maps them to a state of `width` numbers, each block makes a step, and the *head* reads ten probabilities off the last state.

# %% [markdown] exercise="residual_net"
# Return a Keras model, not compiled: input `(64,)`; a Dense stem with `width` units and no activation; `depth` blocks; a Dense head with 10 units and softmax.
#
# Each block is a `ResidualStep` with the given step size around a Dense layer of its own, with `width` units and tanh. Name the layers `"stem"`, `"block_1"`, `"block_2"` and so on, and `"head"`: later code finds them by name. With `depth=0` the head follows the stem. You may use `ResidualStep`. The check uses a correct one, even if yours is wrong. About seven lines.

# %% answer="residual_net"
def residual_net(depth, width=16, step_size=1.0):
    """Classifier of digits: stem, `depth` Euler steps, head.

    depth: number of blocks, 0 or more
    width: size of the hidden state
    step_size: step size of every block
    Returns a keras.Model from shape (batch, 64) to (batch, 10).
    """
    # BEGIN SOLUTION
    inputs = keras.Input((64,))
    x = keras.layers.Dense(width, name="stem")(inputs)
    for k in range(depth):
        slope = keras.layers.Dense(width, activation="tanh")
        x = ResidualStep(slope, step_size=step_size, name=f"block_{k + 1}")(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="head")(x)
    return keras.Model(inputs, outputs)
    # END SOLUTION


# %%
check("01.residual_net")

# %% [markdown] help="residual_net"
# ## how do I chain layers?
# `x = Layer(...)(x)`: make a layer, call it on the last tensor, go on with the result. Begin with `keras.Input((64,))`.
# ## how do I name layers in a loop?
# Every Keras layer takes `name=`, yours too: an f-string with the number of the block.
# ## my network has too few weights
# Is your Dense layer made once, before the loop? Then all blocks share it. Make a new one for each.
# ## Why
# Stem and head change the size of the state, so they cannot be steps. Between them the state keeps its shape, and only there one can speak of a path.

# %% [markdown]
# On all clean digits almost any network is nearly perfect. So we take 300 training images, and add noise to all. The next two cells train three networks; that takes about half a minute. `Adam` is the rule that changes the weights, `3e-3` how far at a time (the learning rate), and `batch_size` the number of images behind each change.

# %%
(x, y), (x_test, y_test) = datasets.digits(test_fraction=0.5, flat=True)
rng = np.random.default_rng(0)
chosen = rng.permutation(len(x))[:300]
x, y = x[chosen] + rng.normal(0, 0.25, (300, 64)) - 0.5, y[chosen]
x_test = x_test + rng.normal(0, 0.25, x_test.shape) - 0.5

# %%
make_net = use("01.residual_net")
nets, began = {}, time.perf_counter()
for depth, h in ((4, 1.0), (16, 1.0), (16, 1 / 16)):
    keras.utils.set_random_seed(0)
    net = nets[depth, h] = make_net(depth, step_size=h)
    loss = keras.losses.SparseCategoricalCrossentropy()
    net.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    net.fit(x, y, epochs=30, batch_size=64, verbose=0)
    train, test = (net.evaluate(*data, verbose=0)[1] for data in ((x, y), (x_test, y_test)))
    print(f"{depth:2d} blocks, step {Fraction(h)}: training {train:.1%}, test {test:.1%}")
print(f"{time.perf_counter() - began:.0f} seconds")

# %% [markdown] exercise="hidden_states"
# Return the path of each sample through a network: the state before the first block (what the stem gives) and the state after each block. One NumPy array of shape `(depth + 1, samples, width)`.
#
# The model is a chain of the layers `"stem"`, `"block_1"`, `"block_2"`, ..., `"head"`, and `x` has shape `(samples, 64)`. Find the blocks by name: in the check they are of another class, and there may be more than nine, or none. About five lines.

# %% answer="hidden_states"
def hidden_states(model, x):
    """The states before the first block and after each block.

    model: a chain of layers "stem", "block_1", ..., "block_<depth>", "head"
    x: array (samples, 64)
    Returns a NumPy array of shape (depth + 1, samples, width).
    """
    # BEGIN SOLUTION
    blocks = [layer for layer in model.layers if layer.name.startswith("block_")]
    states = [model.get_layer("stem")(x)]
    for block in blocks:
        states.append(block(states[-1]))
    return keras.ops.convert_to_numpy(keras.ops.stack(states))
    # END SOLUTION


# %%
check("01.hidden_states")

# %% [markdown] help="hidden_states"
# ## how do I find the blocks?
# `model.layers` lists the layers from input to output, and each has a `name`. The first entry is an `InputLayer`, which computes nothing. `model.get_layer("stem")` gives one layer.
# ## how do I get a state?
# A layer can be called on an array: `layer(x)`. The state after a block is that block, called on the state before it. It is the loop of `euler_solve`.
# ## how do I get one NumPy array?
# `keras.ops.stack` puts tensors of one shape together along a new first axis, and `keras.ops.convert_to_numpy` makes an array of a tensor.
# ## Why
# Computing a chain's output is a solver loop, so its states are a trajectory. A second model with all these outputs does the same.

# %% [markdown]
# The state has 16 numbers, so we draw its two *principal components*: the two directions in which all these states differ most. *Straightness* is the distance from first to last state over the length of the path. It is 1 for a straight path.

# %% [markdown] question="straighter"
# **Predict before you run.**

# %%
predict("01.straighter", ...)

# %%
states_of = use("01.hidden_states")
shown = np.concatenate([np.flatnonzero(y_test == digit)[:12] for digit in (0, 1, 4)])
figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for (depth, h), ax in zip(nets, axes, strict=True):
    states = states_of(nets[depth, h], x_test.astype("float32"))
    plots.hidden_trajectories(states[:, shown], y_test[shown], ax=ax)
    moves = np.linalg.norm(np.diff(states, axis=0), axis=-1)
    change = np.median(moves / np.linalg.norm(states[:-1], axis=-1))
    length = np.median(moves.sum(axis=0))
    straight = np.median(np.linalg.norm(states[-1] - states[0], axis=-1) / moves.sum(axis=0))
    ax.set_title(f"{depth} blocks, step {Fraction(h)}: straightness {straight:.2f}")
    print(
        f"{depth:2d} blocks, step {Fraction(h)}: path length {length:.1f}, "
        f"relative change per block {change:.2f}"
    )
plt.show()
predict("01.straighter")

# %% [markdown]
# *What the figure shows:* each line is one image's path, with a marker at its end. Only with 16 blocks and step size 1 are the paths crooked: zigzags that cross each other. With 4 blocks and step size 1, and with 16 and 1/16, they are about equally straight in this run. Their lengths differ, as the cell prints: the axes of the panels have different ranges.
#
# One run proves little. The script `experiments/hidden_trajectories.py` repeats it with other splits, noise and weights. The ranges are those of {{hidden_trajectories.seeds}} seeds, after training:
#
# | network | test accuracy | straightness | path length |
# |---|---|---|---|
# | no blocks | {{hidden_trajectories.no_blocks.depth_0.accuracy.min|.0%}} to {{hidden_trajectories.no_blocks.depth_0.accuracy.max|.0%}} | | |
# | 4 blocks, step 1 | {{hidden_trajectories.step_1.depth_4.accuracy.min|.0%}} to {{hidden_trajectories.step_1.depth_4.accuracy.max|.0%}} | {{hidden_trajectories.step_1.depth_4.straightness.min|.2f}} to {{hidden_trajectories.step_1.depth_4.straightness.max|.2f}} | {{hidden_trajectories.step_1.depth_4.path_length.min|.1f}} to {{hidden_trajectories.step_1.depth_4.path_length.max|.1f}} |
# | 16 blocks, step 1 | {{hidden_trajectories.step_1.depth_16.accuracy.min|.0%}} to {{hidden_trajectories.step_1.depth_16.accuracy.max|.0%}} | {{hidden_trajectories.step_1.depth_16.straightness.min|.2f}} to {{hidden_trajectories.step_1.depth_16.straightness.max|.2f}} | {{hidden_trajectories.step_1.depth_16.path_length.min|.1f}} to {{hidden_trajectories.step_1.depth_16.path_length.max|.1f}} |
# | 4 blocks, step 1/4 | {{hidden_trajectories.step_1_over_depth.depth_4.accuracy.min|.0%}} to {{hidden_trajectories.step_1_over_depth.depth_4.accuracy.max|.0%}} | {{hidden_trajectories.step_1_over_depth.depth_4.straightness.min|.2f}} to {{hidden_trajectories.step_1_over_depth.depth_4.straightness.max|.2f}} | {{hidden_trajectories.step_1_over_depth.depth_4.path_length.min|.1f}} to {{hidden_trajectories.step_1_over_depth.depth_4.path_length.max|.1f}} |
# | 16 blocks, step 1/16 | {{hidden_trajectories.step_1_over_depth.depth_16.accuracy.min|.0%}} to {{hidden_trajectories.step_1_over_depth.depth_16.accuracy.max|.0%}} | {{hidden_trajectories.step_1_over_depth.depth_16.straightness.min|.2f}} to {{hidden_trajectories.step_1_over_depth.depth_16.straightness.max|.2f}} | {{hidden_trajectories.step_1_over_depth.depth_16.path_length.min|.1f}} to {{hidden_trajectories.step_1_over_depth.depth_16.path_length.max|.1f}} |
#
# - With step size 1 the deeper network is worse on test images, though it fits the training images. With step size 1/depth, depth hardly matters. The gap at 16 blocks is {{hidden_trajectories.differences.depth_16_small_step_minus_step_1.mean|.2f}} on average, as a fraction of 1. With {{hidden_trajectories.seeds}} seeds we would notice a gap of {{hidden_trajectories.differences.depth_16_small_step_minus_step_1.detectable|.2f}} four times in five.
# - Moves of equal length in 16 unrelated directions would have a straightness of about 1/√16 = 0.25. Step size 1 comes close to that. So does step size 1/16 *before* training: {{hidden_trajectories.step_1_over_depth.depth_16.straightness_before_training.min|.2f}} to {{hidden_trajectories.step_1_over_depth.depth_16.straightness_before_training.max|.2f}}. There training straightens the paths; with 16 steps of size 1 it hardly does.
# - The best networks with blocks are no better than the one without. This task shows what steps do to states, not that depth helps.

# %% [markdown]
# ## 6. Where the likeness ends
#
# **A field of its own.** Each block has its own weights, and nothing in training asks neighbours to be alike. In the networks with 16 blocks and step size 1/16, the weights of neighbouring blocks are as far apart as those of any two blocks: {{hidden_trajectories.step_1_over_depth.depth_16.neighbour_distance.min|.2f}} to {{hidden_trajectories.step_1_over_depth.depth_16.neighbour_distance.max|.2f}} times as far. So the blocks are no samples of one field that changes smoothly with time.
#
# **A step that is resolved?** If a block is a step along its field, two steps of half the size should lead almost to the same place. With step size 1/16, {{hidden_trajectories.step_1_over_depth.depth_16.same_label_with_half_steps.min|.1%}} to {{hidden_trajectories.step_1_over_depth.depth_16.same_label_with_half_steps.max|.1%}} of the test images keep their label when every block is split so. With step size 1 it is {{hidden_trajectories.step_1.depth_16.same_label_with_half_steps.min|.0%}} to {{hidden_trajectories.step_1.depth_16.same_label_with_half_steps.max|.0%}}.
#
# **A ReLU after the addition.** The first ResNets, and many since, compute `relu(x + f(x))`. Then the state does not move by `f(x)`, and the block is not exactly an Euler step: from `x = 1` with `f(x) = -3` it moves by -1, to 0. He et al. (ECCV 2016) took this last ReLU away.
#
# **Blocks that change the shape.** Stem, head, and blocks that halve an image are no steps.

# %% [markdown] question="when_ode"
# **Checkpoint.**

# %%
checkpoint("01.when_ode", ...)

# %% [markdown]
# ## Summary
#
# - Euler's method adds step size times slope. Its order is 1: half the step, half the error.
# - A step can be too long: then the states grow where the exact solution falls.
# - A residual block is an Euler step of size 1, along a field of its own.
# - In our small networks, 16 steps of size 1 made long, crooked paths, and 1/depth made short ones that training straightened.
#
# **Still open.** Did straighter paths cause the better accuracy? This experiment cannot tell: a step of 1/16 also makes the total time 16 times shorter. Are there better steps (lesson 02)? How long is too long (03)? Who should choose the step: a solver (04), or attention (07, 08)?
#
# **To read**
#
# - K. He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016, and *Identity Mappings in Deep Residual Networks*, ECCV 2016.
# - W. E, *A Proposal on Machine Learning via Dynamical Systems*, Commun. Math. Stat. 5 (2017).
# - E. Haber, L. Ruthotto, *Stable Architectures for Deep Neural Networks*, Inverse Problems 34 (2018), first posted in 2017.
# - Z. Huang et al., *Understanding Self-attention Mechanism via Dynamical System Perspective*, ICCV 2023.
# - E. Hairer, S. P. Nørsett, G. Wanner, *Solving Ordinary Differential Equations I*, section I.7.

# %% wrong="euler_step" shows="change-not-state" outcome="not yet"
def euler_step(f, t, y, h):
    return f(t, y) * h

# %% wrong="euler_step" shows="step-ignored" outcome="not yet"
def euler_step(f, t, y, h):
    return y + f(t, y)

# %% wrong="euler_step" shows="slope-at-end" outcome="not yet"
def euler_step(f, t, y, h):
    return y + h * f(t + h, y)

# %% wrong="euler_step" shows="sign" outcome="not yet"
def euler_step(f, t, y, h):
    return y - h * f(t, y)

# %% wrong="euler_step" shows="mutates-input" outcome="not yet"
def euler_step(f, t, y, h):
    y += h * f(t, y)
    return y

# %% wrong="euler_step" shows="integer-result" outcome="not yet"
def euler_step(f, t, y, h):
    return np.asarray(y + h * f(t, y), dtype=np.asarray(y).dtype)

# %% wrong="euler_step" shows="mutates-slope" outcome="not yet"
def euler_step(f, t, y, h):
    change = f(t, y)
    change *= h
    return y + change

# %% wrong="euler_step" shows="scalar-only" outcome="crashed"
def euler_step(f, t, y, h):
    return float(y + h * f(t, y))

# %% wrong="euler_step" shows="no-return" outcome="not yet"
def euler_step(f, t, y, h):
    y + h * f(t, y)

# %% variant="euler_step" style="the formula"
def euler_step(f, t, y, h):
    return y + h * f(t, y)

# %% variant="euler_step" style="NumPy functions"
def euler_step(f, t, y, h):
    return np.add(y, np.multiply(h, f(t, y)))

# %% variant="euler_step" style="Keras tensors"
def euler_step(f, t, y, h):
    return keras.ops.convert_to_tensor(y) + keras.ops.convert_to_tensor(h * f(t, y))

# %% probe="euler_step"
def probe(answer, draw):
    shape = tuple(draw.integers(1, 5, size=draw.integers(0, 4)))
    y, k = draw.normal(size=shape), draw.normal()
    t, h = draw.normal(size=2)
    return [answer(lambda t, y: np.cos(t * y) * k, t, y, h)]

# %% wrong="euler_solve" shows="initial-state-missing" outcome="not yet"
def euler_solve(f, y0, ts):
    y, states = y0, []
    for t, following in zip(ts[:-1], ts[1:]):
        y = y + (following - t) * f(t, y)
        states.append(y)
    return np.array(states)

# %% wrong="euler_solve" shows="first-step-size" outcome="not yet"
def euler_solve(f, y0, ts):
    h, states = ts[1] - ts[0], [y0]
    for t in ts[:-1]:
        states.append(euler_step(f, t, states[-1], h))
    return np.array(states)

# %% wrong="euler_solve" shows="slope-at-end" outcome="not yet"
def euler_solve(f, y0, ts):
    states = [y0]
    for t, h in zip(ts[1:], np.diff(ts)):
        states.append(euler_step(f, t, states[-1], h))
    return np.array(states)

# %% wrong="euler_solve" shows="rows-aliased" outcome="not yet"
def euler_solve(f, y0, ts):
    y = np.array(y0)
    states = [y]
    for t, h in zip(ts, np.diff(ts)):
        y += h * f(t, y)
        states.append(y)
    return np.array(states)

# %% wrong="euler_solve" shows="mutates-input" outcome="not yet"
def euler_solve(f, y0, ts):
    states = [y0.copy()]
    for t, h in zip(ts, np.diff(ts)):
        y0 += h * f(t, y0)
        states.append(y0.copy())
    return np.array(states)

# %% wrong="euler_solve" shows="integer-result" outcome="not yet"
def euler_solve(f, y0, ts):
    ys = np.zeros((len(ts), *np.shape(y0)), dtype=np.asarray(y0).dtype)
    ys[0] = y0
    for k, h in enumerate(np.diff(ts)):
        ys[k + 1] = euler_step(f, ts[k], ys[k], h)
    return ys

# %% wrong="euler_solve" shows="last-only" outcome="not yet"
def euler_solve(f, y0, ts):
    for t, h in zip(ts, np.diff(ts)):
        y0 = euler_step(f, t, y0, h)
    return y0

# %% wrong="euler_solve" shows="step-without-sign" outcome="not yet"
def euler_solve(f, y0, ts):
    states = [y0]
    for t, h in zip(ts, np.abs(np.diff(ts))):
        states.append(euler_step(f, t, states[-1], h))
    return np.array(states)

# %% wrong="euler_solve" shows="not-an-array" outcome="not yet"
def euler_solve(f, y0, ts):
    states = [y0]
    for t, h in zip(ts, np.diff(ts)):
        states.append(euler_step(f, t, states[-1], h))
    return states

# %% wrong="euler_solve" shows="one-too-many" outcome="crashed"
def euler_solve(f, y0, ts):
    states = [y0]
    for k in range(len(ts)):
        states.append(euler_step(f, ts[k], states[k], ts[k + 1] - ts[k]))
    return np.array(states)

# %% variant="euler_solve" style="an array made beforehand"
def euler_solve(f, y0, ts):
    ys = np.empty((len(ts), *np.shape(y0)))
    ys[0] = y0
    for k, h in enumerate(np.diff(ts)):
        ys[k + 1] = ys[k] + h * f(ts[k], ys[k])
    return ys

# %% variant="euler_solve" style="itertools"
def euler_solve(f, y0, ts):
    from itertools import accumulate, pairwise

    def go(y, interval):
        t, following = interval
        return euler_step(f, t, y, following - t)

    return np.array(list(accumulate(pairwise(ts), go, initial=y0)))

# %% variant="euler_solve" style="recursion"
def euler_solve(f, y0, ts):
    if len(ts) == 1:
        return np.asarray(y0)[None]
    rest = euler_solve(f, y0 + (ts[1] - ts[0]) * f(ts[0], y0), ts[1:])
    return np.concatenate([np.asarray(y0)[None], rest])

# %% variant="euler_solve" style="Keras tensors"
def euler_solve(f, y0, ts):
    states = [y0]
    for t, h in zip(ts, np.diff(ts)):
        states.append(euler_step(f, t, states[-1], h))
    return keras.ops.stack([keras.ops.convert_to_tensor(y, dtype="float64") for y in states])

# %% probe="euler_solve"
def probe(answer, draw):
    shape = tuple(draw.integers(1, 4, size=draw.integers(0, 3)))
    y0, k = np.asarray(draw.normal(size=shape)), draw.normal()
    ts = draw.normal() + draw.choice([-1, 1]) * np.cumsum(draw.uniform(0.01, 1, draw.integers(2, 9)))
    return [answer(lambda t, y: np.cos(t * y) * k + t, y0, ts)]

# %% wrong="convergence_order" shows="one-log" outcome="not yet"
def convergence_order(step_sizes, errors):
    return np.polyfit(step_sizes, np.log(errors), 1)[0]

# %% wrong="convergence_order" shows="axes-swapped" outcome="not yet"
def convergence_order(step_sizes, errors):
    return np.polyfit(np.log(errors), np.log(step_sizes), 1)[0]

# %% wrong="convergence_order" shows="sign" outcome="not yet"
def convergence_order(step_sizes, errors):
    return np.polyfit(np.log(1 / step_sizes), np.log(errors), 1)[0]

# %% wrong="convergence_order" shows="first-two-only" outcome="not yet"
def convergence_order(step_sizes, errors):
    return np.log(errors[0] / errors[1]) / np.log(step_sizes[0] / step_sizes[1])

# %% wrong="convergence_order" shows="ends-only" outcome="not yet"
def convergence_order(step_sizes, errors):
    kept = errors > 0
    h, e = step_sizes[kept], errors[kept]
    return np.log(e[-1] / e[0]) / np.log(h[-1] / h[0])

# %% wrong="convergence_order" shows="mean-of-slopes" outcome="not yet"
def convergence_order(step_sizes, errors):
    return np.mean(np.diff(np.log(errors)) / np.diff(np.log(step_sizes)))

# %% wrong="convergence_order" shows="log-base" outcome="not yet"
def convergence_order(step_sizes, errors):
    return np.polyfit(np.log(step_sizes), np.log10(errors), 1)[0]

# %% wrong="convergence_order" shows="whole-fit" outcome="not yet"
def convergence_order(step_sizes, errors):
    return np.polyfit(np.log(step_sizes), np.log(errors), 1)

# %% wrong="convergence_order" shows="through-origin" outcome="not yet"
def convergence_order(step_sizes, errors):
    x, y = np.log(step_sizes), np.log(errors)
    return (x @ y) / (x @ x)

# %% wrong="convergence_order" shows="zero-error" outcome="not yet"
def convergence_order(step_sizes, errors):
    return np.polyfit(np.log(step_sizes), np.log(np.maximum(errors, 1e-12)), 1)[0]

# %% wrong="convergence_order" shows="zero-error" outcome="not yet"
def convergence_order(step_sizes, errors):
    return np.polyfit(np.log(step_sizes), np.log(errors), 1)[0]

# %% variant="convergence_order" style="polyfit with a mask"
def convergence_order(step_sizes, errors):
    mask = errors != 0
    return np.polyfit(np.log2(step_sizes[mask]), np.log2(errors[mask]), 1)[0]

# %% variant="convergence_order" style="covariance over variance"
def convergence_order(step_sizes, errors):
    x, y = np.log(step_sizes[errors > 0]), np.log(errors[errors > 0])
    c = np.cov(x, y)
    return float(c[0, 1] / c[0, 0])

# %% variant="convergence_order" style="normal equations by lstsq"
def convergence_order(step_sizes, errors):
    pairs = np.array([(h, e) for h, e in zip(step_sizes, errors) if e > 0])
    logs = np.log10(pairs)
    matrix = np.stack([logs[:, 0], np.ones(len(logs))], axis=1)
    return np.linalg.lstsq(matrix, logs[:, 1], rcond=None)[0][0]

# %% probe="convergence_order"
def probe(answer, draw):
    n = int(draw.integers(2, 9))
    h = 10 ** draw.uniform(-4, 1, n)
    errors = 10 ** draw.uniform(-10, 3, n)
    if n > 3:
        errors[draw.integers(n)] = 0.0
    return [answer(h, errors)]

# %% wrong="ResidualStep" shows="change-not-state" outcome="not yet"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual, self.step_size = residual, step_size

    def build(self, input_shape):
        self.residual.build(input_shape)

    def call(self, y):
        return self.step_size * self.residual(y)

# %% wrong="ResidualStep" shows="step-ignored" outcome="not yet"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual, self.step_size = residual, step_size

    def build(self, input_shape):
        self.residual.build(input_shape)

    def call(self, y):
        return y + self.residual(y)

# %% wrong="ResidualStep" shows="step-on-state" outcome="not yet"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual, self.step_size = residual, step_size

    def call(self, y):
        return self.step_size * y + self.residual(y)

# %% wrong="ResidualStep" shows="relu-after-addition" outcome="not yet"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual, self.step_size = residual, step_size

    def build(self, input_shape):
        self.residual.build(input_shape)

    def call(self, y):
        return keras.ops.relu(y + self.step_size * self.residual(y))

# %% wrong="ResidualStep" shows="not-built" outcome="not yet"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual, self.step_size = residual, step_size

    def build(self, input_shape):
        self.shape = input_shape

    def call(self, y):
        return y + self.step_size * self.residual(y)

# %% wrong="ResidualStep" shows="config-incomplete" outcome="not yet"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual, self.step_size = residual, step_size

    def build(self, input_shape):
        self.residual.build(input_shape)

    def call(self, y):
        return y + self.step_size * self.residual(y)

    def get_config(self):
        residual = keras.saving.serialize_keras_object(self.residual)
        return {**super().get_config(), "residual": residual}

    @classmethod
    def from_config(cls, config):
        residual = keras.saving.deserialize_keras_object(config["residual"])
        return cls(**{**config, "residual": residual})

# %% wrong="ResidualStep" shows="config-raw-layer" outcome="not yet"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual, self.step_size = residual, step_size

    def build(self, input_shape):
        self.residual.build(input_shape)

    def call(self, y):
        return y + self.step_size * self.residual(y)

    def get_config(self):
        arguments = {"residual": self.residual, "step_size": self.step_size}
        return {**super().get_config(), **arguments}

# %% wrong="ResidualStep" shows="numpy-in-call" outcome="crashed"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual, self.step_size = residual, step_size

    def build(self, input_shape):
        self.residual.build(input_shape)

    def call(self, y):
        return np.add(y, np.multiply(self.step_size, self.residual(y)))

# %% variant="ResidualStep" style="keras.ops, and super().build"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual = residual
        self.step_size = step_size

    def build(self, input_shape):
        if not self.residual.built:
            self.residual.build(input_shape)
        super().build(input_shape)

    def call(self, inputs):
        return keras.ops.add(inputs, keras.ops.multiply(self.step_size, self.residual(inputs)))

    def get_config(self):
        config = super().get_config()
        config["step_size"] = self.step_size
        config["residual"] = keras.saving.serialize_keras_object(self.residual)
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        residual = keras.saving.deserialize_keras_object(config.pop("residual"))
        return cls(residual, **config)

# %% variant="ResidualStep" style="sub-layers that scale and add"
class ResidualStep(keras.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        if isinstance(residual, dict):
            residual = keras.layers.deserialize(residual)
        self.f, self.h = residual, step_size
        self.scale = keras.layers.Rescaling(step_size, dtype=self.dtype_policy)
        self.add = keras.layers.Add(dtype=self.dtype_policy)

    def build(self, input_shape):
        self.f.build(input_shape)
        self.scale.build(input_shape)
        self.add.build([input_shape, input_shape])

    def call(self, y, training=None):
        return self.add([y, self.scale(self.f(y))])

    def get_config(self):
        own = {"residual": keras.layers.serialize(self.f), "step_size": self.h}
        return super().get_config() | own

# %% variant="ResidualStep" style="Euler's step, and a step that is a weight"
class ResidualStep(keras.layers.Layer):
    def __init__(self, residual, step_size=1.0, **kwargs):
        super().__init__(**kwargs)
        self.residual = residual
        self.step_size = step_size

    def euler_step(self, f, t, y, h):
        return y + h * f(t, y)

    def build(self, input_shape):
        self.residual.build(input_shape)

    def call(self, y):
        return self.euler_step(lambda t, y: self.residual(y), 0.0, y, self.step_size)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return dict(
            super().get_config(),
            step_size=float(self.step_size),
            residual=keras.saving.serialize_keras_object(self.residual),
        )

    @classmethod
    def from_config(cls, config):
        residual = keras.saving.deserialize_keras_object(config["residual"])
        return cls(**{**config, "residual": residual})

# %% probe="ResidualStep"
def probe(answer, draw):
    shape = (int(draw.integers(1, 4)), *draw.integers(1, 4, size=draw.integers(0, 3)), 3)
    kernel, y = draw.normal(size=(3, 3)), draw.normal(size=shape).astype("float32")
    dense = keras.layers.Dense(3, "tanh", kernel_initializer=keras.initializers.Constant(kernel))
    layer = answer(dense, step_size=float(draw.normal()))
    layer.build((None, *shape[1:]))
    again = answer.from_config(layer.get_config())
    return [layer(y), len(layer.weights), again(y), len(again.weights)]

# %% wrong="residual_net" shows="shared-weights" outcome="not yet"
def residual_net(depth, width=16, step_size=1.0):
    inputs = keras.Input((64,))
    x = keras.layers.Dense(width, name="stem")(inputs)
    slope = keras.layers.Dense(width, activation="tanh")
    for k in range(depth):
        x = ResidualStep(slope, step_size=step_size, name=f"block_{k + 1}")(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="head")(x)
    return keras.Model(inputs, outputs)

# %% wrong="residual_net" shows="no-softmax" outcome="not yet"
def residual_net(depth, width=16, step_size=1.0):
    inputs = keras.Input((64,))
    x = keras.layers.Dense(width, name="stem")(inputs)
    for k in range(depth):
        slope = keras.layers.Dense(width, activation="tanh")
        x = ResidualStep(slope, step_size=step_size, name=f"block_{k + 1}")(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="head")(x))

# %% wrong="residual_net" shows="linear-field" outcome="not yet"
def residual_net(depth, width=16, step_size=1.0):
    inputs = keras.Input((64,))
    x = keras.layers.Dense(width, name="stem")(inputs)
    for k in range(depth):
        x = ResidualStep(keras.layers.Dense(width), step_size, name=f"block_{k + 1}")(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="head")(x)
    return keras.Model(inputs, outputs)

# %% wrong="residual_net" shows="step-ignored" outcome="not yet"
def residual_net(depth, width=16, step_size=1.0):
    inputs = keras.Input((64,))
    x = keras.layers.Dense(width, name="stem")(inputs)
    for k in range(depth):
        slope = keras.layers.Dense(width, activation="tanh")
        x = ResidualStep(slope, name=f"block_{k + 1}")(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="head")(x)
    return keras.Model(inputs, outputs)

# %% wrong="residual_net" shows="no-skip" outcome="not yet"
def residual_net(depth, width=16, step_size=1.0):
    inputs = keras.Input((64,))
    x = keras.layers.Dense(width, name="stem")(inputs)
    for k in range(depth):
        x = keras.layers.Dense(width, activation="tanh", name=f"block_{k + 1}")(x)
        x = keras.layers.Rescaling(step_size)(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="head")(x)
    return keras.Model(inputs, outputs)

# %% wrong="residual_net" shows="step-outside" outcome="not yet"
def residual_net(depth, width=16, step_size=1.0):
    inputs = keras.Input((64,))
    x = keras.layers.Dense(width, name="stem")(inputs)
    for k in range(depth):
        x = x + step_size * keras.layers.Dense(width, activation="tanh", name=f"block_{k + 1}")(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="head")(x)
    return keras.Model(inputs, outputs)

# %% wrong="residual_net" shows="block-count" outcome="not yet"
def residual_net(depth, width=16, step_size=1.0):
    inputs = keras.Input((64,))
    x = keras.layers.Dense(width, name="stem")(inputs)
    for k in range(1, depth):
        slope = keras.layers.Dense(width, activation="tanh")
        x = ResidualStep(slope, step_size=step_size, name=f"block_{k}")(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="head")(x)
    return keras.Model(inputs, outputs)

# %% wrong="residual_net" shows="layer-names" outcome="not yet"
def residual_net(depth, width=16, step_size=1.0):
    inputs = keras.Input((64,))
    x = keras.layers.Dense(width)(inputs)
    for k in range(depth):
        x = ResidualStep(keras.layers.Dense(width, activation="tanh"), step_size)(x)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))

# %% wrong="residual_net" shows="stem-missing" outcome="crashed"
def residual_net(depth, width=16, step_size=1.0):
    x = inputs = keras.Input((64,))
    for k in range(depth):
        slope = keras.layers.Dense(width, activation="tanh")
        x = ResidualStep(slope, step_size=step_size, name=f"block_{k + 1}")(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="head")(x)
    return keras.Model(inputs, outputs)

# %% variant="residual_net" style="Sequential"
def residual_net(depth, width=16, step_size=1.0):
    def block(k):
        slope = keras.layers.Dense(width, "tanh")
        return ResidualStep(slope, step_size, name=f"block_{k}")

    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(width, name="stem"),
            *[block(k) for k in range(1, depth + 1)],
            keras.layers.Dense(10, "softmax", name="head"),
        ]
    )

# %% variant="residual_net" style="Add layers beside the blocks' names"
def residual_net(depth, width=16, step_size=1.0):
    model = keras.Sequential(name="digits")
    model.add(keras.layers.Input(shape=(64,)))
    model.add(keras.layers.Dense(width, name="stem"))
    while len(model.layers) <= depth:
        name = "block_" + str(len(model.layers))
        model.add(ResidualStep(residual=keras.layers.Dense(units=width, activation=keras.ops.tanh),
                               step_size=step_size, name=name))
    model.add(keras.layers.Dense(10, activation=keras.activations.softmax, name="head"))
    return model

# %% variant="residual_net" style="the activation as a layer, reduce"
def residual_net(depth, width=16, step_size=1.0):
    import functools

    def grow(x, k):
        slope = keras.Sequential([keras.layers.Dense(width), keras.layers.Activation("tanh")])
        return ResidualStep(slope, step_size=step_size, name=f"block_{k}")(x)

    image = keras.Input(shape=(64,), name="image")
    first = keras.layers.Dense(width, activation="linear", name="stem")(image)
    last = functools.reduce(grow, range(1, depth + 1), first)
    scores = keras.layers.Dense(10, name="head")(last)
    return keras.Model(inputs=image, outputs=keras.layers.Softmax()(scores))

# %% probe="residual_net"
def probe(answer, draw):
    depth, width = int(draw.integers(0, 4)), int(draw.integers(1, 5))
    model = answer(depth, width, float(draw.normal()))
    weights = [draw.normal(size=w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    names = [layer.name for layer in model.layers[1:]]
    return [model(draw.normal(size=(3, 64)).astype("float32")), str(names)]

# %% wrong="hidden_states" shows="first-state-missing" outcome="not yet"
def hidden_states(model, x):
    y, states = model.get_layer("stem")(x), []
    for layer in model.layers:
        if layer.name.startswith("block_"):
            y = layer(y)
            states.append(keras.ops.convert_to_numpy(y))
    return np.array(states) if states else np.zeros((0, *y.shape))

# %% wrong="hidden_states" shows="class-not-name" outcome="not yet"
def hidden_states(model, x):
    states = [model.get_layer("stem")(x)]
    for layer in model.layers:
        if isinstance(layer, ResidualStep):
            states.append(layer(states[-1]))
    return np.array([keras.ops.convert_to_numpy(state) for state in states])

# %% wrong="hidden_states" shows="alphabetical" outcome="not yet"
def hidden_states(model, x):
    names = sorted(layer.name for layer in model.layers if layer.name.startswith("block_"))
    states = [model.get_layer("stem")(x)]
    for name in names:
        states.append(model.get_layer(name)(states[-1]))
    return np.array([keras.ops.convert_to_numpy(state) for state in states])

# %% wrong="hidden_states" shows="samples-first" outcome="not yet"
def hidden_states(model, x):
    states = [model.get_layer("stem")(x)]
    for layer in model.layers[2:-1]:
        states.append(layer(states[-1]))
    return keras.ops.convert_to_numpy(keras.ops.stack(states, axis=1))

# %% wrong="hidden_states" shows="not-an-array" outcome="not yet"
def hidden_states(model, x):
    states = [model.get_layer("stem")(x)]
    for layer in model.layers[2:-1]:
        states.append(layer(states[-1]))
    return states

# %% wrong="hidden_states" shows="change-not-state" outcome="not yet"
def hidden_states(model, x):
    y, moves = keras.ops.convert_to_numpy(model.get_layer("stem")(x)), []
    for layer in model.layers[2:-1]:
        moves.append(keras.ops.convert_to_numpy(layer(y)) - y)
        y = y + moves[-1]
    return np.array(moves) if moves else y[None]

# %% wrong="hidden_states" shows="head-included" outcome="crashed"
def hidden_states(model, x):
    states = [x]
    for layer in model.layers[1:]:
        states.append(keras.ops.convert_to_numpy(layer(states[-1])))
    return np.stack(states[1:])

# %% variant="hidden_states" style="the places of the layers"
def hidden_states(model, x):
    stem, *blocks, _ = [l for l in model.layers if not isinstance(l, keras.layers.InputLayer)]
    y = stem(x)
    path = [keras.ops.convert_to_numpy(y)]
    for block in blocks:
        y = block(y)
        path.append(keras.ops.convert_to_numpy(y))
    return np.array(path)

# %% variant="hidden_states" style="a second model with all the outputs"
def hidden_states(model, x):
    outputs, k = [model.get_layer("stem").output], 1
    names = {layer.name for layer in model.layers}
    while f"block_{k}" in names:
        outputs.append(model.get_layer(f"block_{k}").output)
        k += 1
    stacked = keras.ops.stack(outputs, axis=0)
    return keras.ops.convert_to_numpy(keras.Model(model.inputs, stacked)(x))

# %% variant="hidden_states" style="a model with a dictionary of outputs"
def hidden_states(model, x):
    import re

    wanted = [layer for layer in model.layers if re.fullmatch(r"stem|block_\d+", layer.name)]
    probe = keras.Model(model.inputs, {str(k): layer.output for k, layer in enumerate(wanted)})
    states = probe(keras.ops.convert_to_tensor(x))
    return np.stack([keras.ops.convert_to_numpy(states[str(k)]) for k in range(len(wanted))])

# %% probe="hidden_states"
def probe(answer, draw):
    depth, width = int(draw.integers(0, 13)), int(draw.integers(1, 5))
    tensor = inputs = keras.Input((64,))
    for name in ["stem", *(f"block_{k + 1}" for k in range(depth)), "head"]:
        tensor = keras.layers.Dense(10 if name == "head" else width, name=name)(tensor)
    model = keras.Model(inputs, tensor)
    states = answer(model, draw.normal(size=(int(draw.integers(1, 9)), 64)).astype("float32"))
    return [states, str(type(states))]
