# %% [markdown]
# # Lesson 05 · Stiffness in networks
#
# **Does a trained network have moments in which everything happens at once, as a stiff solution has?**
#
# A paper says so. You measure it: first along a solution, then in networks that you train. Then you ask what the number means, and find three places where it says the wrong thing. After this lesson you can
#
# - compute how fast a state moves relative to its size, along a solution and through a network,
# - describe a curve over blocks by one number,
# - say why a high index is not yet stiffness,
# - tell the raw index from the applied one, and why only one may be compared with attention,
# - watch a number of your own while a network trains.
#
# You need lessons 01 (blocks as steps) and 03 (stiffness), and about 90 minutes.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

from stepkit import layers, ode, plots, stiffness
from stepkit.datasets import digits

# %% [markdown]
# ## 1. How fast is a state?
#
# A stiff solution has quiet stretches and sudden ones. A simple way to see them is the speed of the state, relative to its size:
#
# $$s = \frac{1}{\|y_0\|}\,\left\|\frac{y_1 - y_0}{\Delta t}\right\|$$
#
# Here $y_0$ and $y_1$ are two states, a time $\Delta t$ apart, and $\|y\|$ is the Euclidean norm, the root of the sum of squares. Liang, Huang and Zhang (2022) call it the *stiffness-aware index*. Its unit is 1 / time: with $s = 2$ the state would move by twice its size in one unit of time.

# %% [markdown] exercise="stiffness_aware_index"
# Write the index for many samples at once. `y0` and `y1` have shape `(samples, ...)`: a sample may be a vector or an image, so the norm goes over all axes but the first. The result has shape `(samples,)`.
#
# `dt` is a number and may be negative, where time runs backwards; the index is never negative. A state that is zero and stays zero has index 0: 0 / 0 must not become NaN. One that leaves zero has index `np.inf`. Add no small number to the size. A warning of NumPy costs nothing. About five lines.

# %% answer="stiffness_aware_index"
def stiffness_aware_index(y0, y1, dt):
    """How fast each state moves, relative to its size.

    y0, y1: arrays (samples, ...), states at t and at t + dt
    dt: number, not zero
    Returns an array (samples,).
    """
    # BEGIN SOLUTION
    y0 = np.reshape(y0, (len(y0), -1))
    y1 = np.reshape(y1, (len(y1), -1))
    change = np.linalg.norm(y1 - y0, axis=1)
    size = np.linalg.norm(y0, axis=1)
    return np.where(change == 0, 0.0, change / size / abs(dt))
    # END SOLUTION


# %%
check("05.stiffness_aware_index")

# %% [markdown] help="stiffness_aware_index"
# ## how do I treat vectors and images alike?
# Make each sample a row: `reshape` to `(samples, -1)`, where -1 stands for "whatever is left". Then the norm goes over axis 1.
# ## how do I avoid 0 / 0?
# `np.where(condition, a, b)` takes `a` where the condition holds and `b` elsewhere. Which condition says that nothing moves?
# ## Why
# Sum of squares over all numbers of a sample: the norm does not care whether they form a vector or an image. Dividing by the size makes the index independent of the unit of the state.

# %% [markdown] question="where"
# Van der Pol's oscillator is the standard example: $x'' = \mu\,(1 - x^2)\,x' - x$, here with $\mu = 5$. **Predict before you run.**

# %%
predict("05.where", ...)

# %%
index_of = use("05.stiffness_aware_index")
oscillator = ode.problems.VanDerPol(mu=5.0)
ts = np.linspace(0.0, 25.0, 1001)
ys = ode.odeint(oscillator.f, oscillator.y0, ts, rtol=1e-6).ys
speed = index_of(ys[:-1], ys[1:], ts[1] - ts[0])
figure, (above, below) = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
above.plot(ts, ys[:, 0], color="#0072B2")
above.set_ylabel("state x")
below.semilogy(ts[:-1], speed, color="#D55E00")
below.set(xlabel="time", ylabel="index")
plt.show()
print(f"median index {np.median(speed):.2f}, largest {speed.max():.1f}")
predict("05.where")

# %% [markdown]
# *What the figure shows:* the state creeps down, jumps to the other side, and creeps again. The index is low while it creeps and rises from below 0.1 to nearly 10 at each jump, in two peaks close together. Between the two x' is largest: there the state, which is x and x' together, is large and hardly changes, so the index dips.
#
# ## 2. One index per block
#
# A residual block is a step with $\Delta t = 1$: $x_{t+1} = x_t + f(x_t)$. So each block of a network has an index, for each sample. Huang and others (ICCV 2023) call it the *neural stiffness index* and draw it over the blocks of trained networks: some blocks stand out from their neighbours. They see in this the network's own jumps. We have not compared our formula with theirs; it is a reading of their figures.
#
# If a gate or a step size $a$ is multiplied with the branch $f$, there are two indices. (If $a$ is the step size, the raw one is that of section 1 with $\Delta t = a$.)
#
# $$\text{raw} = \frac{\|f(x)\|}{\|x\|}, \qquad \text{applied} = \frac{\|a \cdot f(x)\|}{\|x\|}$$
#
# `layers.residual_blocks(model)` finds the blocks of a Keras model. Each has `projection`, which says whether the shortcut is more than the identity (as in a block that halves an image), and `states(x)`, which returns what the block computes for a batch `x` of inputs **of the network**:

# %%
shown = keras.Sequential([
    keras.Input((2,)),
    layers.ResidualStep(keras.layers.Rescaling(3.0), 0.5, name="first"),
])
block = layers.residual_blocks(shown)[0]
states = block.states(np.array([[1.0, 2.0]], "float32"))
print("state  ", states.state)  # x
print("raw    ", states.raw)  # f(x) = 3 x
print("applied", states.applied)  # 0.5 f(x)
print("projection:", block.projection)

# %% [markdown] exercise="neural_stiffness_index"
# Return the index of every block of a network for every sample: a NumPy array of shape `(samples, blocks)`. `which` is `"raw"` or `"applied"`, as above; without it, raw.
#
# Leave out blocks with a projection: their state and their output live in different spaces. Norms are over all axes but the first. The state of a block is what goes into it, `states.state`; in networks with a ReLU after each addition that is the state after the ReLU.
#
# `states` holds tensors or arrays. `keras.ops.convert_to_numpy` makes arrays of both. You may use `stiffness_aware_index`: while this exercise is judged it is a correct one. About nine lines.

# %% answer="neural_stiffness_index"
def neural_stiffness_index(model, x, which="raw"):
    """How much each residual block moves its state, relative to its size.

    model: keras.Model
    x: array, a batch of inputs of the model
    which: "raw" or "applied"
    Returns a NumPy array (samples, blocks).
    """
    # BEGIN SOLUTION
    columns = []
    for block in layers.residual_blocks(model):
        if block.projection:
            continue
        states = block.states(x)
        move = states.raw if which == "raw" else states.applied
        x0 = keras.ops.convert_to_numpy(states.state)
        columns.append(stiffness_aware_index(x0, x0 + keras.ops.convert_to_numpy(move), 1.0))
    return np.stack(columns, axis=1)
    # END SOLUTION


# %%
check("05.neural_stiffness_index")

# %% [markdown] help="neural_stiffness_index"
# ## how do I go through the blocks?
# `layers.residual_blocks(model)` is a tuple: loop over it. Skip a block whose `projection` is true; of the others take `block.states(x)`. The `x` is always the input of the network: the block finds its own state.
# ## how does the first exercise help?
# A move `m` away from the state `x0` ends at `x0 + m`, with dt = 1. That is what `stiffness_aware_index` takes.
# ## how do I get the shape?
# Collect one array `(samples,)` per block in a list. `np.stack` puts arrays side by side along a new axis; here the new axis is the second.
# ## Why
# Raw and applied differ only in what was added to the state. Everything else is the index of a trajectory with step 1: the trajectory of a sample through the network.

# %% [markdown]
# Now train a network of your own: 8 blocks of lesson 01 with step size 1, on few and noisy digits, so that the task is not too easy.

# %% [markdown] question="training"
# **Predict before you run.**

# %%
predict("05.training", ...)

# %%
(x_train, y_train), (x_test, y_test) = digits(test_fraction=0.5, flat=True, seed=0)
rng = np.random.default_rng(0)
x_train, y_train = x_train[:300], y_train[:300]
x_train, x_test = (x + rng.normal(0, 0.25, x.shape) - 0.5 for x in (x_train, x_test))
x_train, x_test = x_train.astype("float32"), x_test.astype("float32")

keras.utils.set_random_seed(0)
network = use("01.residual_net")(8, 16, 1.0)
blocks_of = use("05.neural_stiffness_index")
before = blocks_of(network, x_test[:200])
network.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
network.fit(x_train, y_train, epochs=30, batch_size=64, verbose=0)  # about 4 s
after = blocks_of(network, x_test[:200])
print(f"test accuracy {network.evaluate(x_test, y_test, verbose=0)[1]:.1%}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
for ax, index, when in zip(axes, (before, after), ("before", "after"), strict=True):
    ax.plot(np.arange(1, 9), index.T, color="#0072B2", alpha=0.1, linewidth=1)
    ax.plot(np.arange(1, 9), np.median(index, axis=0), "o-", color="#D55E00", label="median")
    ax.set(xlabel="block", title=f"{when} training", ylim=(0, None))
    ax.legend()
axes[0].set_ylabel("raw index of 200 images")
plt.show()
print("before training:", np.median(before, axis=0).round(2))
print("after training: ", np.median(after, axis=0).round(2))
predict("05.training")

# %% [markdown]
# *What the figure shows:* each thin line is one image. Before and after training the median is highest in the first block and falls, not evenly, to the last. Training lowers the later blocks a little. No block in the middle stands out for all images.
#
# ## 3. A curve in one number
#
# To compare networks and seeds, make one number of each curve. Two are used here; both are this course's own choice.

# %% [markdown] exercise="total_variation"
# Return how much each row of `index`, an array `(samples, blocks)`, goes up and down along the blocks:
#
# $$\sum_t |s_{t+1} - s_t|$$
#
# One number per sample. With a single block there is no neighbour, and the sum is 0. One line is enough.

# %% answer="total_variation"
def total_variation(index):
    """How much an index goes up and down along the blocks.

    index: array (samples, blocks)
    Returns an array (samples,).
    """
    # BEGIN SOLUTION
    return np.sum(np.abs(np.diff(index, axis=1)), axis=1)
    # END SOLUTION


# %%
check("05.total_variation")

# %% [markdown] help="total_variation"
# ## how do I get the changes?
# `np.diff(index, axis=1)` is each column minus the one before; it has one column less.
# ## mine is too small
# Do a rise and a fall cancel? Take absolute values before you sum.
# ## Why
# A curve that rises once has the total variation last minus first. Each detour adds twice its height.

# %% [markdown] exercise="peak_to_median"
# Return how far the highest block of each row stands out: the largest entry over the median of the row, for an array `(samples, blocks)`. With an even number of blocks the median is the mean of the middle two, as everywhere.
#
# A constant row gives 1. So does a row of zeros: 0 / 0 must not become NaN. A median of zero under a peak that is not gives `np.inf`. A warning of NumPy costs nothing. About four lines.

# %% answer="peak_to_median"
def peak_to_median(index):
    """The highest index of the blocks over their median.

    index: array (samples, blocks), values >= 0
    Returns an array (samples,).
    """
    # BEGIN SOLUTION
    peak = np.max(index, axis=1)
    median = np.median(index, axis=1)
    return np.where(peak == 0, 1.0, peak / median)
    # END SOLUTION


# %%
check("05.peak_to_median")

# %% [markdown] help="peak_to_median"
# ## which functions?
# `np.max` and `np.median`, both with `axis=1`.
# ## a row of zeros gives NaN
# `np.where(peak == 0, 1.0, ...)` takes 1 there. The warning about 0 / 0 may stay.
# ## Why
# The median does not notice a single peak; the mean does, and would hide it.

# %%
variation, peak = use("05.total_variation"), use("05.peak_to_median")
for when, index in (("before", before), ("after", after)):
    print(
        f"{when} training: total variation {np.median(variation(index)):.2f}, "
        f"peak over median {np.median(peak(index)):.2f}"
    )

# %% [markdown]
# One network proves little. The script `experiments/network_stiffness.py` trains networks of {{network_stiffness.task.blocks}} blocks with {{network_stiffness.seeds}} seeds: with step size 1, with step size 1/16, and with step size 1 and batch normalisation at the start of each branch. It measures the raw index, so that networks of both step sizes can be compared. The ranges are over seeds, of medians over {{network_stiffness.task.samples}} test images:
#
# | network | peak over median, before | after | total variation, before | after | test accuracy |
# |---|---|---|---|---|---|
# | step 1 | {{network_stiffness.step_1.before.peak_to_median.min|.1f}} to {{network_stiffness.step_1.before.peak_to_median.max|.1f}} | {{network_stiffness.step_1.after.peak_to_median.min|.1f}} to {{network_stiffness.step_1.after.peak_to_median.max|.1f}} | {{network_stiffness.step_1.before.total_variation.min|.2f}} to {{network_stiffness.step_1.before.total_variation.max|.2f}} | {{network_stiffness.step_1.after.total_variation.min|.2f}} to {{network_stiffness.step_1.after.total_variation.max|.2f}} | {{network_stiffness.step_1.accuracy.min|.0%}} to {{network_stiffness.step_1.accuracy.max|.0%}} |
# | step 1/16 | {{network_stiffness.step_1_over_depth.before.peak_to_median.min|.1f}} to {{network_stiffness.step_1_over_depth.before.peak_to_median.max|.1f}} | {{network_stiffness.step_1_over_depth.after.peak_to_median.min|.1f}} to {{network_stiffness.step_1_over_depth.after.peak_to_median.max|.1f}} | {{network_stiffness.step_1_over_depth.before.total_variation.min|.2f}} to {{network_stiffness.step_1_over_depth.before.total_variation.max|.2f}} | {{network_stiffness.step_1_over_depth.after.total_variation.min|.2f}} to {{network_stiffness.step_1_over_depth.after.total_variation.max|.2f}} | {{network_stiffness.step_1_over_depth.accuracy.min|.0%}} to {{network_stiffness.step_1_over_depth.accuracy.max|.0%}} |
# | step 1, normalised | {{network_stiffness.normalised.before.peak_to_median.min|.1f}} to {{network_stiffness.normalised.before.peak_to_median.max|.1f}} | {{network_stiffness.normalised.after.peak_to_median.min|.1f}} to {{network_stiffness.normalised.after.peak_to_median.max|.1f}} | {{network_stiffness.normalised.before.total_variation.min|.2f}} to {{network_stiffness.normalised.before.total_variation.max|.2f}} | {{network_stiffness.normalised.after.total_variation.min|.2f}} to {{network_stiffness.normalised.after.total_variation.max|.2f}} | {{network_stiffness.normalised.accuracy.min|.0%}} to {{network_stiffness.normalised.accuracy.max|.0%}} |
#
# - With step size 1 the first or second block is the highest, with every seed, before training and after it. The state grows from block to block while a layer of tanh moves it by a bounded amount, so the index falls. Training leaves the peak where it was and makes it somewhat higher, most with normalisation.
# - With step size 1/16 no block stands out, and the test accuracy is higher. So here a peak is no sign of a good network. The total variation after training is about that of step size 1: the two numbers do not measure the same.
# - No network shows a peak in the middle that training made. The paper draws such peaks for networks of 164 layers on colour images. Whether they arise there is not tested here.
#
# ## 4. Is that stiffness?
#
# Lesson 03 said what stiffness is: stability asks for much shorter steps than accuracy does. The index looks at the solution alone. It knows nothing of how neighbouring solutions behave, and stability is about nothing else.

# %% [markdown] question="growth"
# Begin with the plainest case. **Predict before you run.**

# %%
predict("05.growth", ...)

# %% [markdown]
# The next cell solves four problems and prints for each the median index along the solution, the *spectral radius* of the Jacobian (the largest of its eigenvalues in absolute value; if its mode decays, it rules the steps of an explicit solver), and the steps that an explicit and an implicit solver take. Each step may have an error of 0.0001.

# %%
def compare(name, f, jacobian, y0, end):
    ts = np.linspace(0.0, end, 201)
    ys = ode.odeint(f, y0, ts, solver="kvaerno5", rtol=0.0, atol=1e-7, max_steps=10_000).ys
    index = np.median(index_of(ys[:-1], ys[1:], ts[1] - ts[0]))
    radius = np.median([np.max(np.abs(np.linalg.eigvals(jacobian(y)))) for y in ys])
    explicit, implicit = (
        ode.odeint(f, y0, [0.0, end], solver=solver, rtol=0.0, atol=1e-4, max_steps=50_000).stats
        for solver in ("tsit5", "kvaerno5")
    )
    print(
        f"{name:30} index {index:8.2g}, radius {radius:6.1f}, "
        f"steps: explicit {explicit.num_steps:4}, implicit {implicit.num_steps:2}"
    )


creeping = ode.problems.VanDerPol(mu=1000.0)


def jacobian_of_creeping(y):
    return np.array([[0.0, 1.0], [-2000.0 * y[0] * y[1] - 1.0, 1000.0 * (1 - y[0] ** 2)]])


A = np.array([[-100.0, 99.0], [0.0, -1.0]])
start, far = np.array([2.0, 1.0]), np.array([100.0, 100.0])
compare("y' = 5 y", lambda t, y: 5.0 * y, lambda y: np.array([[5.0]]), np.array([1.0]), 1.0)
compare("Van der Pol creeps, mu = 1000", creeping.f, jacobian_of_creeping, np.array([2.0, 0.0]), 5.0)
compare("two modes, rates 100 and 1", lambda t, y: A @ y, lambda y: A, start, 10.0)
compare("the same, moved by 100", lambda t, y: A @ (y - far), lambda y: A, start + far, 10.0)
predict("05.growth")

# %% [markdown]
# Read it line by line.
#
# - y' = 5y has the largest index of all (5.06, because it is taken over a short step). It is not stiff: the implicit solver saves nothing.
# - Van der Pol's oscillator creeps. Its index is tiny, and it is the stiffest: the explicit solver takes hundreds of times as many steps as the implicit one.
# - The last two lines are one problem, seen from two origins. The Jacobian is the same, and so are the steps. The index falls by a factor of more than a thousand.

# %% [markdown] question="origin"
# **Checkpoint.**

# %%
checkpoint("05.origin", ...)

# %% [markdown]
# So the index is a relative speed. It is one *proxy* for stiffness, a number that often goes with it. Where a claim needs stiffness itself, look at the Jacobian: lesson 06 does that for trained blocks.
#
# ## 5. Raw and applied
#
# In lessons 07 and 08 a gate $a$ sits on each branch, and the claim is that attention finds the stiff blocks. To test it one compares the gate with the index. With which one?
#
# The next cell draws gates at random. They cannot have found anything.

# %%
rng = np.random.default_rng(0)
raw = rng.lognormal(0.0, 0.5, size=300)  # 300 raw indices
gate = rng.uniform(0.1, 1.0, size=300)  # and gates that know nothing of them
for name, index in (("raw", raw), ("applied", gate * raw)):
    test = stiffness.permutation_test(stiffness.rank_correlation, gate, index, seed=0)
    print(f"{name:8s} rank correlation with the gate {test.statistic:5.2f}, p = {test.p_value:.4f}")

# %% [markdown]
# The rank correlation is 1 if the larger gate always has the larger index, and about 0 if they have nothing to do with each other. `permutation_test` shuffles the gates 999 times and counts how often chance does as well; that share is $p$. It cannot be below 0.001.
#
# The random gates clearly go with the applied index, and not with the raw one.

# %% [markdown] question="gates"
# **Checkpoint.**

# %%
checkpoint("05.gates", ...)

# %% [markdown]
# ## 6. Watch it while it trains
#
# A *callback* is an object whose methods Keras calls during `fit`: `on_train_begin(logs)` once, and `on_epoch_end(epoch, logs)` after each epoch. The model is in `self.model`. The dictionary `logs` holds the numbers of the epoch, such as the loss. What you put into it, Keras records with the others.

# %% [markdown] exercise="StiffnessMonitor"
# Write a callback that measures the raw index on a fixed batch `x` after each epoch.
#
# - `self.history` is a list with one array `(blocks,)` per epoch: the index of each block, averaged over the samples. Each training begins with an empty list.
# - `logs["stiffness"]` is one number: the mean over the blocks. Keep the other entries. `logs` may be `None`: then only `history` grows.
#
# Use `neural_stiffness_index`; while this exercise is judged it is a correct one. About eight lines.

# %% answer="StiffnessMonitor"
class StiffnessMonitor(keras.callbacks.Callback):
    """Measures the raw index of all blocks after each epoch.

    x: array, a batch of inputs of the model
    """

    def __init__(self, x):
        super().__init__()
        # BEGIN SOLUTION
        self.x = x
        self.history = []
        # END SOLUTION

    def on_train_begin(self, logs=None):
        # BEGIN SOLUTION
        self.history = []
        # END SOLUTION

    def on_epoch_end(self, epoch, logs=None):
        # BEGIN SOLUTION
        index = neural_stiffness_index(self.model, self.x)
        self.history.append(index.mean(axis=0))
        if logs is not None:
            logs["stiffness"] = float(self.history[-1].mean())
        # END SOLUTION


# %%
check("05.StiffnessMonitor")

# %% [markdown] help="StiffnessMonitor"
# ## what does each method do?
# `__init__` keeps `x`. `on_train_begin` makes an empty list. `on_epoch_end` measures, appends a row to the list, and puts one number into `logs`.
# ## my entry does not show up
# Change the dictionary that came in, `logs["stiffness"] = ...`. A new dictionary under the same name is seen by nobody else.
# ## Why
# The batch is fixed, so that the numbers of two epochs can be compared. `fit` may be called again with the same callback, hence the fresh list.

# %%
keras.utils.set_random_seed(0)
network = use("01.residual_net")(8, 16, 1.0)
network.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
monitor = use("05.StiffnessMonitor")(x_test[:64])
network.fit(x_train, y_train, epochs=20, batch_size=64, verbose=0, callbacks=[monitor])  # about 6 s
image = plt.imshow(np.array(monitor.history).T, aspect="auto", origin="lower", cmap="cividis", extent=(0.5, 20.5, 0.5, 8.5))
plt.colorbar(image, label="raw index, mean over 64 images")
plt.xlabel("epoch")
plt.ylabel("block")
plt.xticks(range(2, 21, 2))
plt.show()
print("first epoch:", monitor.history[0].round(2))
print("last epoch: ", monitor.history[-1].round(2))

# %% [markdown]
# *What the figure shows:* the first block is the brightest row from the first epoch to the last. Most rows darken a little as training goes on; the picture stays the same.
#
# stepkit's own `callbacks.StiffnessMonitor` does this for any functional model, per block, with the spread over samples, and sends the numbers to CSV files and TensorBoard.
#
# ## Summary
#
# - The stiffness-aware index is a relative speed. Along Van der Pol's cycle it peaks at the jumps.
# - Each residual block has one, per sample. In our small networks training did not make a block in the middle stand out.
# - It is a proxy. It is high for plain growth, low on a stiff slow branch, and depends on the origin.
# - The applied index contains the gate. Compare attention with the raw index, and with shuffled gates.
#
# **Still open.** Do large networks show the peaks that the paper draws? Is a peak useful, or only there? What does the Jacobian of a block say (lesson 06)? Do gates follow the raw index (lessons 07 and 08)?
#
# **To read**
#
# - Z. Huang and others, *Understanding Self-attention Mechanism via Dynamical System Perspective*, ICCV 2023.
# - S. Liang, Z. Huang, H. Zhang, *Stiffness-aware neural network for learning Hamiltonian systems*, ICLR 2022.
# - E. Hairer, G. Wanner, *Solving Ordinary Differential Equations II*, section IV.1, on what stiffness is.

# %% wrong="stiffness_aware_index" shows="sample-axis-lost" outcome="not yet"
def stiffness_aware_index(y0, y1, dt):
    return np.linalg.norm(y1 - y0) / np.linalg.norm(y0) / abs(dt)

# %% wrong="stiffness_aware_index" shows="last-axis-only" outcome="not yet"
def stiffness_aware_index(y0, y1, dt):
    change = np.linalg.norm(y1 - y0, axis=-1)
    return np.where(change == 0, 0.0, change / np.linalg.norm(y0, axis=-1) / abs(dt))

# %% wrong="stiffness_aware_index" shows="step-ignored" outcome="not yet"
def stiffness_aware_index(y0, y1, dt):
    y0, y1 = (np.reshape(y, (len(y), -1)) for y in (y0, y1))
    return np.linalg.norm(y1 - y0, axis=1) / np.linalg.norm(y0, axis=1)

# %% wrong="stiffness_aware_index" shows="sign" outcome="not yet"
def stiffness_aware_index(y0, y1, dt):
    y0, y1 = (np.reshape(y, (len(y), -1)) for y in (y0, y1))
    return np.linalg.norm(y1 - y0, axis=1) / np.linalg.norm(y0, axis=1) / dt

# %% wrong="stiffness_aware_index" shows="zero-over-zero" outcome="not yet"
def stiffness_aware_index(y0, y1, dt):
    y0, y1 = (np.reshape(y, (len(y), -1)) for y in (y0, y1))
    return np.linalg.norm((y1 - y0) / dt, axis=1) / np.linalg.norm(y0, axis=1)

# %% wrong="stiffness_aware_index" shows="leaving-zero" outcome="not yet"
def stiffness_aware_index(y0, y1, dt):
    y0, y1 = (np.reshape(y, (len(y), -1)) for y in (y0, y1))
    size = np.linalg.norm(y0, axis=1)
    return np.where(size == 0, 0.0, np.linalg.norm(y1 - y0, axis=1) / size / abs(dt))

# %% wrong="stiffness_aware_index" shows="size-of-the-end" outcome="not yet"
def stiffness_aware_index(y0, y1, dt):
    y0, y1 = (np.reshape(y, (len(y), -1)) for y in (y0, y1))
    change = np.linalg.norm(y1 - y0, axis=1)
    return np.where(change == 0, 0.0, change / np.linalg.norm(y1, axis=1) / abs(dt))

# %% wrong="stiffness_aware_index" shows="squared" outcome="not yet"
def stiffness_aware_index(y0, y1, dt):
    y0, y1 = (np.reshape(y, (len(y), -1)) for y in (y0, y1))
    change = np.sum(((y1 - y0) / dt) ** 2, axis=1)
    return np.where(change == 0, 0.0, change / np.sum(y0**2, axis=1))

# %% wrong="stiffness_aware_index" shows="entry-by-entry" outcome="not yet"
def stiffness_aware_index(y0, y1, dt):
    return np.abs((y1 - y0) / dt) / np.abs(y0)

# %% variant="stiffness_aware_index" style="axes in a tuple"
def stiffness_aware_index(y0, y1, dt):
    axes = tuple(range(1, np.ndim(y0)))
    speed = np.sqrt(np.sum(((y1 - y0) / dt) ** 2, axis=axes))
    size = np.sqrt(np.sum(y0**2.0, axis=axes))
    return np.divide(speed, size, out=np.zeros_like(speed), where=speed > 0)

# %% variant="stiffness_aware_index" style="a loop over samples"
def stiffness_aware_index(y0, y1, dt):
    found = []
    for a, b in zip(y0, y1):
        speed = np.linalg.norm(np.ravel(b - a)) / abs(dt)
        found.append(0.0 if speed == 0 else speed / np.linalg.norm(np.ravel(a)))
    return np.array(found)

# %% variant="stiffness_aware_index" style="the quotient, mended afterwards"
def stiffness_aware_index(y0, y1, dt):
    flat0, flat1 = y0.reshape(len(y0), -1), y1.reshape(len(y1), -1)
    quotient = np.linalg.norm(flat1 - flat0, axis=1) / np.linalg.norm(flat0 * dt, axis=1)
    return np.nan_to_num(quotient, nan=0.0, posinf=np.inf)

# %% variant="stiffness_aware_index" style="Keras tensors"
def stiffness_aware_index(y0, y1, dt):
    y0, y1 = (keras.ops.convert_to_tensor(np.asarray(y, "float64")) for y in (y0, y1))
    axes = tuple(range(1, len(y0.shape)))
    change = keras.ops.sqrt(keras.ops.sum((y1 - y0) * (y1 - y0), axis=axes))
    size = keras.ops.sqrt(keras.ops.sum(y0 * y0, axis=axes))
    still = change == 0
    return keras.ops.where(still, 0 * change, change / keras.ops.where(still, size + 1, size) / abs(dt))

# %% probe="stiffness_aware_index"
def probe(answer, draw):
    shape = tuple(draw.integers(1, 5, size=draw.integers(2, 5)))
    y0, y1 = draw.normal(size=(2, *shape)) * 10 ** draw.uniform(-3, 3)
    if draw.random() < 0.3:
        y0[0] = 0.0
    if draw.random() < 0.5:
        y1[0] = y0[0]
    return [answer(y0, y1, float(draw.choice([-1, 1]) * draw.uniform(0.01, 10)))]

# %% wrong="neural_stiffness_index" shows="projection-kept" outcome="not yet"
def neural_stiffness_index(model, x, which="raw"):
    columns = []
    for block in layers.residual_blocks(model):
        states = block.states(x)
        move = keras.ops.convert_to_numpy(states.raw if which == "raw" else states.applied)
        state = keras.ops.convert_to_numpy(states.state)
        rows = [np.linalg.norm(m) / np.linalg.norm(s) for m, s in zip(move, state)]
        columns.append(rows)
    return np.array(columns).T

# %% wrong="neural_stiffness_index" shows="which-ignored" outcome="not yet"
def neural_stiffness_index(model, x, which="raw"):
    columns = []
    for block in layers.residual_blocks(model):
        if not block.projection:
            states = block.states(x)
            x0 = keras.ops.convert_to_numpy(states.state)
            columns.append(stiffness_aware_index(x0, x0 + keras.ops.convert_to_numpy(states.applied), 1.0))
    return np.stack(columns, axis=1)

# %% wrong="neural_stiffness_index" shows="blocks-first" outcome="not yet"
def neural_stiffness_index(model, x, which="raw"):
    rows = []
    for block in layers.residual_blocks(model):
        if not block.projection:
            states = block.states(x)
            x0 = keras.ops.convert_to_numpy(states.state)
            move = keras.ops.convert_to_numpy(getattr(states, which))
            rows.append(stiffness_aware_index(x0, x0 + move, 1.0))
    return np.array(rows)

# %% wrong="neural_stiffness_index" shows="mean-over-samples" outcome="not yet"
def neural_stiffness_index(model, x, which="raw"):
    found = []
    for block in layers.residual_blocks(model):
        if not block.projection:
            states = block.states(x)
            x0 = keras.ops.convert_to_numpy(states.state)
            move = keras.ops.convert_to_numpy(getattr(states, which))
            found.append(stiffness_aware_index(x0, x0 + move, 1.0).mean())
    return np.array(found)

# %% wrong="neural_stiffness_index" shows="which-ignored" outcome="not yet"
def neural_stiffness_index(model, x, which="raw"):
    columns = []
    for block in layers.residual_blocks(model):
        if not block.projection:
            states = block.states(x)
            x0 = keras.ops.convert_to_numpy(states.state)
            columns.append(stiffness_aware_index(x0, keras.ops.convert_to_numpy(states.output), 1.0))
    return np.stack(columns, axis=1)

# %% wrong="neural_stiffness_index" shows="branch-as-state" outcome="not yet"
def neural_stiffness_index(model, x, which="raw"):
    columns = []
    for block in layers.residual_blocks(model):
        if not block.projection:
            states = block.states(x)
            x0 = keras.ops.convert_to_numpy(states.state)
            columns.append(stiffness_aware_index(x0, keras.ops.convert_to_numpy(getattr(states, which)), 1.0))
    return np.stack(columns, axis=1)

# %% variant="neural_stiffness_index" style="norms of rows"
def neural_stiffness_index(model, x, which="raw"):
    def norms(tensor):
        array = keras.ops.convert_to_numpy(tensor)
        return np.linalg.norm(array.reshape(len(array), -1), axis=1)

    blocks = [block for block in layers.residual_blocks(model) if not block.projection]
    result = np.empty((len(x), len(blocks)))
    for k, block in enumerate(blocks):
        states = block.states(x)
        result[:, k] = norms(getattr(states, which)) / norms(states.state)
    return result

# %% variant="neural_stiffness_index" style="comprehensions, and the first exercise"
def neural_stiffness_index(model, x, which="raw"):
    everything = [b.states(x) for b in layers.residual_blocks(model) if not b.projection]
    pairs = [(np.asarray(keras.ops.convert_to_numpy(s.state)), np.asarray(keras.ops.convert_to_numpy(s.raw if which == "raw" else s.applied))) for s in everything]
    return np.array([stiffness_aware_index(a, a + b, 1) for a, b in pairs]).transpose()

# %% variant="neural_stiffness_index" style="tensors to the end"
def neural_stiffness_index(model, x, which="raw"):
    columns = []
    for block in layers.residual_blocks(model):
        if block.projection:
            continue
        states = block.states(keras.ops.convert_to_tensor(x))
        move = {"raw": states.raw, "applied": states.applied}[which]
        axes = tuple(range(1, len(move.shape)))
        squares = [keras.ops.sum(keras.ops.square(v), axis=axes) for v in (move, states.state)]
        columns.append(keras.ops.sqrt(squares[0] / squares[1]))
    return keras.ops.convert_to_numpy(keras.ops.stack(columns, axis=1))

# %% excuse="neural_stiffness_index" mutant="columns.append(stiffness_aware_index(x0, x0 + keras.ops.convert_to_numpy(move), 1.0)) -> columns.append(stiffness_aware_index(x0, x0 - keras.ops.convert_to_numpy(move), 1.0))"
# A move the other way is as long: the norms are the same but for rounding.

# %% probe="neural_stiffness_index"
def probe(answer, draw):
    inputs = keras.Input((2,))
    x = inputs
    for h in draw.normal(size=2):
        x = layers.ResidualStep(keras.layers.Rescaling(float(draw.normal())), float(h))(x)
    model = keras.Model(inputs, x)
    data = draw.normal(size=(3, 2)).astype("float32")
    return [answer(model, data, which) for which in ("raw", "applied")] + [answer(model, data)]

# %% wrong="total_variation" shows="signed" outcome="not yet"
def total_variation(index):
    return np.sum(np.diff(index, axis=1), axis=1)

# %% wrong="total_variation" shows="range" outcome="not yet"
def total_variation(index):
    return index.max(axis=1) - index.min(axis=1)

# %% wrong="total_variation" shows="wrong-axis" outcome="not yet"
def total_variation(index):
    return np.sum(np.abs(np.diff(index, axis=0)), axis=0)

# %% wrong="total_variation" shows="sample-axis-lost" outcome="not yet"
def total_variation(index):
    return np.sum(np.abs(np.diff(index, axis=1)))

# %% wrong="total_variation" shows="mean" outcome="not yet"
def total_variation(index):
    return np.mean(np.abs(np.diff(index, axis=1)), axis=1)

# %% wrong="total_variation" shows="first-forgotten" outcome="not yet"
def total_variation(index):
    return np.array([sum(abs(row[k + 1] - row[k]) for k in range(1, len(row) - 1)) for row in index])

# %% variant="total_variation" style="slices"
def total_variation(index):
    return np.abs(index[:, 1:] - index[:, :-1]).sum(axis=1)

# %% variant="total_variation" style="a loop over neighbours"
def total_variation(index):
    result = np.zeros(len(index))
    for k in range(1, index.shape[1]):
        result += abs(index[:, k] - index[:, k - 1])
    return result

# %% variant="total_variation" style="the norm of order 1"
def total_variation(index):
    return np.linalg.norm(np.diff(index), ord=1, axis=1)

# %% probe="total_variation"
def probe(answer, draw):
    return [answer(draw.normal(size=draw.integers(1, 9, size=2)))]

# %% wrong="peak_to_median" shows="mean-not-median" outcome="not yet"
def peak_to_median(index):
    return np.max(index, axis=1) / np.mean(index, axis=1)

# %% wrong="peak_to_median" shows="upper-median" outcome="not yet"
def peak_to_median(index):
    ordered = np.sort(index, axis=1)
    peak = ordered[:, -1]
    return np.where(peak == 0, 1.0, peak / ordered[:, index.shape[1] // 2])

# %% wrong="peak_to_median" shows="wrong-axis" outcome="not yet"
def peak_to_median(index):
    return np.max(index, axis=0) / np.median(index, axis=0)

# %% wrong="peak_to_median" shows="sample-axis-lost" outcome="not yet"
def peak_to_median(index):
    return np.max(index) / np.median(index)

# %% wrong="peak_to_median" shows="one-median" outcome="not yet"
def peak_to_median(index):
    return np.max(index, axis=1) / np.median(index)

# %% wrong="peak_to_median" shows="zero-over-zero" outcome="not yet"
def peak_to_median(index):
    return np.max(index, axis=1) / np.median(index, axis=1)

# %% wrong="peak_to_median" shows="peak-over-zero" outcome="not yet"
def peak_to_median(index):
    median = np.median(index, axis=1)
    return np.where(median == 0, 1.0, np.max(index, axis=1) / median)

# %% wrong="peak_to_median" shows="difference" outcome="not yet"
def peak_to_median(index):
    return np.max(index, axis=1) - np.median(index, axis=1)

# %% variant="peak_to_median" style="divide where it is allowed"
def peak_to_median(index):
    peak, median = index.max(axis=1).astype(float), np.median(index, axis=1)
    return np.divide(peak, median, out=np.ones_like(peak), where=peak > 0)

# %% variant="peak_to_median" style="sorted rows"
def peak_to_median(index):
    result = []
    for row in np.sort(index, axis=1):
        n = len(row)
        middle = (row[(n - 1) // 2] + row[n // 2]) / 2
        result.append(row[-1] / middle if row[-1] else 1.0)
    return np.array(result)

# %% variant="peak_to_median" style="NaN mended"
def peak_to_median(index):
    return np.nan_to_num(np.amax(index, 1) / np.quantile(index, 0.5, axis=1), nan=1.0, posinf=np.inf)

# %% probe="peak_to_median"
def probe(answer, draw):
    index = draw.exponential(size=draw.integers(1, 9, size=2))
    if draw.random() < 0.3:
        index[0] = 0.0
    return [answer(index)]

# %% wrong="StiffnessMonitor" shows="history-kept" outcome="not yet"
class StiffnessMonitor(keras.callbacks.Callback):
    def __init__(self, x):
        super().__init__()
        self.x, self.history = x, []

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(neural_stiffness_index(self.model, self.x).mean(axis=0))
        if logs is not None:
            logs["stiffness"] = float(self.history[-1].mean())

# %% wrong="StiffnessMonitor" shows="logs-replaced" outcome="not yet"
class StiffnessMonitor(keras.callbacks.Callback):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def on_train_begin(self, logs=None):
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(neural_stiffness_index(self.model, self.x).mean(axis=0))
        logs = {"stiffness": float(self.history[-1].mean())}

# %% wrong="StiffnessMonitor" shows="logs-none" outcome="crashed"
class StiffnessMonitor(keras.callbacks.Callback):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def on_train_begin(self, logs=None):
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(neural_stiffness_index(self.model, self.x).mean(axis=0))
        logs["stiffness"] = float(self.history[-1].mean())

# %% wrong="StiffnessMonitor" shows="logs-replaced" outcome="not yet"
class StiffnessMonitor(keras.callbacks.Callback):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def on_train_begin(self, logs=None):
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(neural_stiffness_index(self.model, self.x).mean(axis=0))
        if logs:
            logs["stiffness"] = float(self.history[-1].mean())

# %% wrong="StiffnessMonitor" shows="blocks-lost" outcome="not yet"
class StiffnessMonitor(keras.callbacks.Callback):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def on_train_begin(self, logs=None):
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(neural_stiffness_index(self.model, self.x).mean())
        if logs is not None:
            logs["stiffness"] = self.history[-1]

# %% wrong="StiffnessMonitor" shows="applied-index" outcome="not yet"
class StiffnessMonitor(keras.callbacks.Callback):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def on_train_begin(self, logs=None):
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(neural_stiffness_index(self.model, self.x, "applied").mean(axis=0))
        if logs is not None:
            logs["stiffness"] = float(self.history[-1].mean())

# %% wrong="StiffnessMonitor" shows="measured-once" outcome="not yet"
class StiffnessMonitor(keras.callbacks.Callback):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def on_train_begin(self, logs=None):
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.row = neural_stiffness_index(self.model, self.x).mean(axis=0)
        self.history.append(self.row)
        if logs is not None:
            logs["stiffness"] = float(self.row.mean())

# %% wrong="StiffnessMonitor" shows="not-a-callback" outcome="not yet"
class StiffnessMonitor:
    def __init__(self, x):
        self.x, self.history = x, []

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(neural_stiffness_index(self.model, self.x).mean(axis=0))

# %% variant="StiffnessMonitor" style="update"
class StiffnessMonitor(keras.callbacks.Callback):
    def __init__(self, x):
        super().__init__()
        self.batch = np.array(x)
        self.history = []

    def on_train_begin(self, logs=None):
        self.history.clear()

    def on_epoch_end(self, epoch, logs=None):
        row = np.mean(neural_stiffness_index(self.model, self.batch, "raw"), axis=0)
        self.history += [row]
        (logs if logs is not None else {}).update(stiffness=np.mean(row))

# %% variant="StiffnessMonitor" style="its own computation"
class StiffnessMonitor(keras.callbacks.Callback):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def on_train_begin(self, logs=None):
        self.history = []
        self.blocks = [b for b in layers.residual_blocks(self.model) if not b.projection]

    def on_epoch_end(self, epoch, logs=None):
        row = []
        for block in self.blocks:
            states = block.states(self.x)
            raw, state = (keras.ops.convert_to_numpy(v) for v in (states.raw, states.state))
            row.append(np.mean(np.linalg.norm(raw, axis=-1) / np.linalg.norm(state, axis=-1)))
        self.history.append(np.array(row))
        if isinstance(logs, dict):
            logs["stiffness"] = sum(row) / len(row)

# %% variant="StiffnessMonitor" style="a list for each row"
class StiffnessMonitor(keras.callbacks.Callback):
    history = ()

    def __init__(self, data):
        super().__init__()
        self.data = data

    def on_train_begin(self, *args):
        self.history = []

    def on_epoch_end(self, *args):
        index = neural_stiffness_index(self.model, self.data)
        self.history.append(list(index.mean(0)))
        logs = args[1] if len(args) > 1 else None
        if logs is not None:
            logs["stiffness"] = index.mean().item()

# %% probe="StiffnessMonitor"
def probe(answer, draw):
    step = layers.ResidualStep(keras.layers.Rescaling(float(draw.normal())), 0.5)
    model = keras.Sequential([keras.Input((2,)), step])
    monitor = answer(draw.normal(size=(3, 2)).astype("float32"))
    monitor.set_model(model)
    monitor.on_train_begin()
    logs = {}
    monitor.on_epoch_end(0, logs)
    monitor.on_epoch_end(1, None)
    return [np.array(monitor.history), np.array(logs["stiffness"])]
