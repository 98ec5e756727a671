# %% [markdown]
# # Lesson 06 · The Jacobian view
#
# Lesson 03 judged a step by eigenvalues of a matrix with two or three rows. A block of a network has thousands of rows: its matrix would not fit into memory. **What can you know of a matrix that you never write down? And do trained blocks make steps that a solver would call stable?**
#
# After this lesson you can
#
# - **compute** a product with a Jacobian without the Jacobian,
# - **find** its largest eigenvalue or singular value from products alone,
# - **measure** how much a layer can stretch,
# - **tell** growth on the way from growth in the end,
# - **place** the blocks of a trained network in a stability region, and say what that means.
#
# You need lesson 03: Jacobian, eigenvalues, stability region. Two reminders. The Jacobian `J` of `f` at `x` is the matrix that turns a small change `v` of `x` into the change `J v` of `f(x)`. An eigenvalue `λ` with its eigenvector `v` means `J v = λ v`: in that direction the matrix only scales. Plan 80 minutes.

# %%
import time

import keras
import matplotlib.pyplot as plt
import numpy as np

from stepkit import datasets, plots, spectra, stability
from stepkit.layers import ResidualStep

# %% [markdown]
# ## 1. One direction is cheap
#
# Move `x` a little way `h` along `v`, and a little way back. The difference of the two values, divided by `2 h`, is nearly `J v`: the rate at which `f` changes in the direction `v`. This is a *central difference*. Looking to both sides cancels the error that grows with `h`; one of size `h²` is left.
#
# How far should one move, `h` times the length of `v`? Too far, and the function bends on the way. Not far enough, and the two values agree in nearly all their digits, so that rounding is left. With 16 digits (float64) a move of about `1e-5` is a good compromise.

# %% [markdown] exercise="directional_derivative"
# Return `J v` for `function` at `x`, by a central difference. `x` and `v` are arrays of the same shape, a batch perhaps; the result has the shape of `function(x)`, which may be another.
#
# `v` may be very long or very short: the way that you *move* should be about 1e-5 all the same. The result is still proportional to `v`. For `v = 0` it is an array of zeros, not NaN. Six digits must be right. About four lines.

# %% answer="directional_derivative"
def directional_derivative(function, x, v):
    """J v, the derivative of function at x in the direction v.

    function: callable, array of the shape of x -> array
    x: array of any shape, float64
    v: array of the shape of x
    Returns an array of the shape of function(x).
    """
    # BEGIN SOLUTION
    length = np.sqrt(np.sum(v**2))
    if length == 0:
        return 0 * function(x)
    h = 1e-5 / length
    return (function(x + h * v) - function(x - h * v)) / (2 * h)
    # END SOLUTION


# %%
check("06.directional_derivative")

# %% [markdown] help="directional_derivative"
# ## what is a central difference?
# The value ahead minus the value behind, divided by the distance between them. That is `2 h`, not `h`.
# ## how do I deal with a long v?
# You move by `h` times the length of `v`. Which `h` makes that 1e-5? The length is the root of the sum of all squares.
# ## Why
# With `h = 1e-5 / |v|` the way moved is the same for each `v`. Since `h` is also what you divide by, doubling `v` doubles the result, as it should for a product `J v`.

# %% [markdown] question="cost"
# **Predict before you run.**

# %%
predict("06.cost", ...)

# %%
derivative = use("06.directional_derivative")
draw = np.random.default_rng(0)
n = 1024
W = draw.normal(size=(n, n)) / np.sqrt(n)
x, v = draw.normal(size=(2, n))


def big_block(x):
    return np.tanh(W @ x)


start = time.perf_counter()
product = derivative(big_block, x, v)
one = time.perf_counter() - start
start = time.perf_counter()
columns = [derivative(big_block, x, e) for e in np.eye(n)[:20]]
twenty = time.perf_counter() - start
print(f"one product J v: {1000 * one:.1f} ms")
print(f"20 columns of J: {1000 * twenty:.0f} ms; all {n} would take about {n / 20 * twenty:.1f} s")
exact = (1 - np.tanh(W @ x) ** 2) * (W @ v)
print(f"largest error of J v: {np.abs(product - exact).max():.1e}")
predict("06.cost")

# %% [markdown]
# Differences need 16 digits, and networks count with 7 (float32). So frameworks do better: they apply the chain rule to `v` while they compute `f`. That is the *Jacobian-vector product*, `jvp`: exact but for rounding, at the price of about one more call. Going backwards through the same rule gives the *vector-Jacobian product*, `vjp`: `Jᵀ u`. It is what training uses to get gradients.
#
# `J = spectra.jacobian_operator(…)`, for a layer and a point, offers both: `J(v)` is `J v`, and `J.rmatvec(u)` is `Jᵀ u`.

# %%
dense = keras.layers.Dense(2)
dense.build((None, 3))
dense.set_weights([np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]]), np.zeros(2)])
J = spectra.jacobian_operator(dense, np.zeros((1, 3)))
to_numpy = keras.ops.convert_to_numpy
print("J v for v = (1, 0, 0), a column:", to_numpy(J(np.array([[1.0, 0.0, 0.0]]))))
print("J^T u for u = (1, 0), a row:    ", to_numpy(J.rmatvec(np.array([[1.0, 0.0]]))))

fig, axes = plt.subplots(1, 2, figsize=(7, 2.2))
for ax, title, lit in zip(axes, ("J v: one column", "Jᵀ u: one row"), ((..., 0), (0, ...))):
    shade = np.zeros((2, 3))
    shade[lit] = 0.5
    ax.imshow(shade, cmap="Greys", vmin=0, vmax=1)
    for i in range(2):
        for j in range(3):
            ax.text(j, i, f"{dense.get_weights()[0].T[i, j]:.0f}", ha="center", va="center")
    ax.set(title=title, xlabel="inputs", ylabel="outputs", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# *What the figure shows:* the Jacobian of this layer is a matrix with 2 rows and 3 columns. A product from the right with (1, 0, 0) picks its first column, 1 and 0. A product from the left with (1, 0) picks its first row, 1, 2, 0.

# %% [markdown] question="transposed"
# **Checkpoint.**

# %%
checkpoint("06.transposed", ...)

# %% [markdown]
# ## 2. The largest eigenvalue, from products alone
#
# Multiply a vector by a symmetric matrix `A` again and again. Each part of the vector along an eigenvector grows by its own eigenvalue, so the part with the largest one (in modulus) takes over. Give the vector length 1 again after each product, so that it does not overflow. This is *power iteration*:
#
# `v ← A v / |A v|`
#
# The eigenvalue is then read off by the *Rayleigh quotient* `v · A v`, for `v` of length 1. It keeps the sign, which the length `|A v|` does not.
#
# By hand: `A = [[2, 1], [1, 2]]` has the eigenvalues 3 and 1. From `(1, 0)` the product is `(2, 1)`, of length √5. There the quotient is 14/5 = 2.8: close to 3 after one step.

# %% [markdown] exercise="power_iteration"
# `matvec(v)` returns `A v` for a symmetric `A`. Start from `v0`, scaled to length 1, make exactly `num_steps` steps, and return two things: the Rayleigh quotient of the last vector, and that vector, of length 1. Its sign is free.
#
# `v0` may have several axes, as an image has; lengths and dot products run over all entries. If `A v` is 0, return the eigenvalue 0 and `v`, and no NaN. About seven lines.

# %% answer="power_iteration"
def power_iteration(matvec, v0, num_steps):
    """Eigenvalue of largest modulus of a symmetric operator, and its vector.

    matvec: callable v -> A v, arrays of the shape of v0
    v0: array of any shape, not zero
    num_steps: int, at least 1
    Returns (eigenvalue, vector): a number, and an array of length 1 of the shape of v0.
    """
    # BEGIN SOLUTION
    v = v0 / np.sqrt(np.sum(v0**2))
    for _ in range(num_steps):
        w = matvec(v)
        length = np.sqrt(np.sum(w**2))
        if length == 0:
            return 0.0, v
        v = w / length
    return np.sum(v * matvec(v)), v
    # END SOLUTION


# %%
check("06.power_iteration")

# %% [markdown] help="power_iteration"
# ## what happens in one step?
# A product, then a division by the length of the product. That is all that the loop does.
# ## how do I take lengths of an image?
# `np.sum(w * w)` adds over all axes; its root is the length. `@` does something else with two axes.
# ## how many products?
# One in each step, and one more at the end for the Rayleigh quotient `v · A v`.
# ## Why
# After k steps the part along an eigenvector has been multiplied by its eigenvalue k times. What remains beside the largest shrinks like the ratio of the two largest, to the power k. In the quotient that error counts squared.

# %% [markdown] question="slower"
# **Predict before you run.**

# %%
predict("06.slower", ...)

# %%
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=["#0072B2", "#D55E00", "#009E73"])
power = use("06.power_iteration")
for values, name, line in (([10, 9, 1], "A: 10, 9, 1", "o-"), ([2, 1, 0.5], "B: 2, 1, 0.5", "s--")):
    values, steps = np.array(values), np.arange(1, 31)
    found = np.array([power(lambda v: values * v, np.ones(3), int(k))[0] for k in steps])
    plt.semilogy(steps, np.maximum(1 - found / values[0], 1e-16), line, markersize=4, label=name)
plt.xlabel("steps")
plt.ylabel("relative error of the eigenvalue")
plt.legend()
plt.show()
predict("06.slower")

# %% [markdown]
# *What the figure shows:* the errors of B fall by a factor of 4 a step, down to rounding. Those of A fall by about 0.8 a step only, and are still about 0.0002 after 30.
#
# The ratio of the two largest eigenvalues is 1/2 for B and 9/10 for A; its square is the factor per step. Only the ratio counts: units do not matter, and two nearly equal eigenvalues make it slow.

# %% [markdown]
# ## 3. How much can a layer stretch?
#
# The *operator norm* of `J` is the largest factor `|J v| / |v|`. It is also the largest *singular value*. A Jacobian is not symmetric, and often not square. But `JᵀJ` is symmetric and square, and `v · JᵀJ v = |J v|²`. So its largest eigenvalue is the square of the operator norm, and power iteration finds it, with one `J v` and one `Jᵀ u` a step.

# %% [markdown] exercise="operator_norm"
# Return the operator norm of the Jacobian of `layer` at `x`, by `num_steps` steps of power iteration on `JᵀJ`. The operator `J` is given; turn the tensors that it returns into NumPy arrays by `keras.ops.convert_to_numpy`.
#
# Start from a random vector of the shape of `x`. A vector of ones may lie where `J v` is 0. For a layer that is constant the norm is 0. You may use `power_iteration`, which returns two things; you need the first. The check uses a correct one, even if yours is wrong. About five lines.

# %% answer="operator_norm"
def operator_norm(layer, x, num_steps=100):
    """The largest singular value of the Jacobian of layer at x.

    layer: Keras layer, or callable from tensor to tensor
    x: array (1, ...), one sample
    Returns a number >= 0.
    """
    J = spectra.jacobian_operator(layer, x)  # J(v) is J v, and J.rmatvec(u) is Jᵀ u
    # BEGIN SOLUTION
    def gram(v):
        return keras.ops.convert_to_numpy(J.rmatvec(J(v)))

    v0 = np.random.default_rng().normal(size=np.shape(x))
    eigenvalue, _ = power_iteration(gram, v0, num_steps)
    return np.sqrt(eigenvalue)
    # END SOLUTION


# %%
check("06.operator_norm")

# %% [markdown] help="operator_norm"
# ## which operator do I iterate?
# Write a function of `v` that first takes `J v` and then `Jᵀ` of the result. Hand it to `power_iteration`.
# ## how do I get a start?
# A generator, `np.random.default_rng()`, has a method `normal` that takes a `size`. Which size has `x`?
# ## my result is far too large
# The eigenvalue of `JᵀJ` is a square.
# ## Why
# A random vector has some part along every direction. The iteration turns it to the direction that the layer stretches most.

# %% [markdown] question="convolution"
# **Predict before you run.**

# %%
predict("06.convolution", ...)

# %%
norm_of = use("06.operator_norm")
keras.utils.set_random_seed(0)
layer = keras.layers.Dense(12)
found = norm_of(lambda x: layer(x), np.zeros((1, 20), "float32"), 100)  # builds it, too
kernel = layer.get_weights()[0]
print(f"Dense: {float(found):.4f}; the norm of its kernel, by NumPy: {np.linalg.norm(kernel, 2):.4f}")
third = keras.initializers.Constant(1 / 3)
conv = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer=third)
sizes = (4, 8, 16)
images = [np.zeros((1, s, s, 1), "float32") for s in sizes]
norms = [float(norm_of(lambda x: conv(x), image, 60)) for image in images]
plt.plot(sizes, norms, "o-", label="operator norm of the convolution")
plt.axhline(1, color="k", linestyle=":", label="norm of its kernel as a column")
plt.axhline(3, color="#D55E00", linestyle="--", label="sum of its weights")
plt.xlabel("side of the image")
plt.ylabel("norm")
plt.ylim(0, 3.5)
plt.legend(loc="center right")
plt.show()
predict("06.convolution")

# %% [markdown]
# *What the figure shows:* the convolution's norm grows with the image, from about 2.3 towards 3, the sum of the weights. The norm of the kernel, 1, is far below at every size.
#
# For a Dense layer the norm of the kernel is the norm of the layer. A convolution uses each pixel in nine windows, so stride, padding and the size of the image take part (Sedghi, Gupta and Long, 2019).

# %% [markdown]
# ## 4. Eigenvalues do not tell everything
#
# A matrix of n rows is called *normal* if it has n eigenvectors, each at right angles to all others. Symmetric matrices are normal. Most Jacobians are not.

# %% [markdown] question="transient"
# **Predict before you run.**

# %%
predict("06.transient", ...)

# %%
A = np.array([[-1.0, 20.0], [0.0, -2.0]])
ts = np.linspace(0, 5, 201)
moving = np.exp(-ts) - np.exp(-2 * ts)  # the exact flow of this A, from (0, 1)
length = np.hypot(20 * moving, np.exp(-2 * ts))
plt.plot(ts, length, "-", label="A = [[-1, 20], [0, -2]]")
plt.plot(ts, np.exp(-2 * ts), "--", label="without the 20")
plt.xlabel("time t")
plt.ylabel("length of the state")
plt.legend()
plt.show()
print("eigenvalues:", np.linalg.eigvals(A), " longest state:", f"{length.max():.1f}")
predict("06.transient")

# %% [markdown]
# *What the figure shows:* the state of the matrix with the 20 grows to about five times its length before it falls. Without the 20, with the same eigenvalues, it falls from the start.
#
# Eigenvalues say what happens after many steps. At the start, the length grows at the rate `v · A v`, for `v` of length 1. Only the *symmetric part* `(A + Aᵀ) / 2` counts there, since the rest turns vectors without making them longer. The largest such rate is the largest eigenvalue of the symmetric part: the *logarithmic norm*, `μ(A)`. Then `|y(t)| ≤ exp(μ t) |y(0)|`, whatever the start. It may be negative: then every state shrinks at once.

# %% [markdown] exercise="logarithmic_norm"
# Return the logarithmic norm: the largest eigenvalue of the symmetric part of `matrix`, which is half of the matrix plus its transpose.
#
# `matrix` has shape `(..., n, n)`: one matrix, or a stack of them with any number of leading axes. The result has shape `(...)`: one number for each matrix, which may be negative. One or two lines.

# %% answer="logarithmic_norm"
def logarithmic_norm(matrix):
    """The largest eigenvalue of the symmetric part.

    matrix: array (..., n, n), real
    Returns an array (...).
    """
    # BEGIN SOLUTION
    symmetric = (matrix + np.swapaxes(matrix, -1, -2)) / 2
    return np.max(np.linalg.eigvalsh(symmetric), axis=-1)
    # END SOLUTION


# %%
check("06.logarithmic_norm")

# %% [markdown] help="logarithmic_norm"
# ## how do I transpose a stack?
# `.T` reverses all axes. `np.swapaxes(matrix, -1, -2)` swaps the last two and leaves the stack alone.
# ## which function gives the eigenvalues?
# `np.linalg.eigvalsh` is made for symmetric matrices and takes stacks. Which axis holds the eigenvalues of one matrix?
# ## Why
# The derivative of `|y|²` along `y' = A y` is `2 y · A y`, and the part of `A` that is not symmetric contributes nothing to it.

# %%
growth = use("06.logarithmic_norm")
for B in (A, np.diag([-1.0, -2.0]), np.array([[-1.0, 5.0], [-5.0, -1.0]])):
    largest = np.linalg.eigvals(B).real.max()
    print(f"{B.tolist()}: largest real part {largest:.1f}, logarithmic norm {growth(B):.2f}")

# %% [markdown]
# The first has eigenvalues that decay and a logarithmic norm far above 0. In the other two, which are normal, the two numbers agree: also in the last, which turns as it decays.

# %% [markdown]
# ## 5. Trained blocks in the region
#
# A residual block adds `f(x)`: Euler's step with `h = 1`. Near a state, small differences are multiplied by `I + h J`, with the Jacobian `J` of the branch `f`. An eigenvalue `λ` of `J` becomes the factor `1 + h λ`. Its modulus is at most 1 in the disc around -1 that you know from lesson 03. The *margin* is 1 minus the largest of these moduli: negative as soon as one eigenvalue lies outside.

# %% [markdown] exercise="block_margin"
# Return the margin of Euler's step: 1 minus the largest `|1 + step_size · λ|` over the eigenvalues `λ` of `jacobian`, the Jacobian of the branch.
#
# `jacobian` has shape `(..., n, n)`, and the result `(...)`: one margin per matrix. Eigenvalues may be complex, and `|a + ib|` is `√(a² + b²)`. One or two lines.

# %% answer="block_margin"
def block_margin(jacobian, step_size=1.0):
    """How far inside of Euler's stability region the eigenvalues lie.

    jacobian: array (..., n, n), of the branch without its input
    Returns an array (...); negative where an eigenvalue lies outside.
    """
    # BEGIN SOLUTION
    eigenvalues = np.linalg.eigvals(jacobian)
    return 1 - np.max(np.abs(1 + step_size * eigenvalues), axis=-1)
    # END SOLUTION


# %%
check("06.block_margin")

# %% [markdown] help="block_margin"
# ## what do I need of NumPy?
# `np.linalg.eigvals` takes stacks. `np.abs` of a complex number is its modulus.
# ## my margin is 1 for a stable step, or larger
# The block keeps its input. So the factor is `1 + h λ`, not `h λ`.
# ## Why
# The region of a method is where one step on `y' = λ y` does not grow. For Euler's method that step is a multiplication by `1 + h λ`, and the eigenvalue that is farthest out decides.

# %% [markdown]
# Now a network of eight blocks, for digits with noise, as in lesson 01. `stability.block_margin(model, x)` finds the eigenvalues of all blocks at all samples. It returns an object: `margin` is your number, `amplification` the largest factor.

# %% [markdown] question="trained"
# **Predict before you run.**

# %%
predict("06.trained", ...)

# %%
train, test = datasets.digits(test_fraction=0.8, flat=True, seed=0)
noise = np.random.default_rng(0)
x_train, x_test = (s[0] + 0.2 * noise.normal(size=s[0].shape).astype("float32") for s in (train, test))


def network(strength):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(16)])
    for _ in range(8):
        branch = keras.layers.Dense(16, activation="tanh")
        if strength:
            branch = stability.JacobianPenalty(branch, strength=strength, seed=0)
        model.add(ResidualStep(branch))
    model.add(keras.layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    return model


model = network(0.0)
panels = [("before training", stability.block_margin(model, x_test[:20]))]
model.fit(x_train, train[1], epochs=15, batch_size=32, verbose=0)
panels.append(("after training", stability.block_margin(model, x_test[:20])))

# %%
model = network(0.1)  # the same start, with a penalty that is explained below
model.fit(x_train, train[1], epochs=15, batch_size=32, verbose=0)
panels.append(("trained with the penalty", stability.block_margin(model, x_test[:20])))
fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
for ax, (name, found) in zip(axes, panels):
    plots.stability_region("euler", np.concatenate([z.ravel() for z in found.eigenvalues]),
                           extent=(-2.2, 1.6, -1.9, 1.9), ax=ax)  # fmt: skip
    ax.set_title(name)
    print(f"{name}: {np.mean(found.stable):.0%} inside, median factor {np.median(found.amplification):.2f}")
plt.show()
predict("06.trained")

# %% [markdown]
# *What the figure shows:* eigenvalues of all blocks and samples, circles inside the disc and crosses outside. Before and after training they lie all around 0, so every block has some outside the disc. With the penalty they crowd around 0, where a block does nothing.
#
# Your own function agrees with the library's. Here is the whole Jacobian of the first block of the penalised network at one image, column by column, which 16 numbers allow:

# %%
margin_of = use("06.block_margin")
stem, block = model.layers[0], model.layers[1]
state = to_numpy(stem(x_test[:1]))
J = spectra.jacobian_operator(block.residual, state)
matrix = np.stack([to_numpy(J(e[None]))[0] for e in np.eye(16)], axis=-1)
print(f"yours {float(margin_of(matrix)):.4f}, the library's {panels[-1][1].margin[0, 0]:.4f}")
print(f"logarithmic norm {float(growth(matrix)):.4f}")

# %% [markdown]
# The *penalty* adds `strength · |Jᵀ u|²` to the loss, with a random vector `u` of signs. On average that is `strength` times the sum of all squared entries of `J`: again one product instead of a matrix (Hoffman, Roberts and Yaida, 2019).
#
# One run proves little. `experiments/blocks_in_the_region.py` repeats it with {{blocks_in_the_region.seeds}} seeds. The table gives the smallest and the largest value over the seeds, each a median over 8 blocks and 100 test images; accuracy is that on unseen images.
#
# | | pairs outside, smallest over seeds | largest factor | logarithmic norm | accuracy |
# |---|---|---|---|---|
# | before training | {{blocks_in_the_region.networks.plain.before.outside.min|.0%}} | {{blocks_in_the_region.networks.plain.before.amplification.min|.2f}} to {{blocks_in_the_region.networks.plain.before.amplification.max|.2f}} | {{blocks_in_the_region.networks.plain.before.logarithmic_norm.min|.2f}} to {{blocks_in_the_region.networks.plain.before.logarithmic_norm.max|.2f}} |  |
# | after training | {{blocks_in_the_region.networks.plain.after.outside.min|.0%}} | {{blocks_in_the_region.networks.plain.after.amplification.min|.2f}} to {{blocks_in_the_region.networks.plain.after.amplification.max|.2f}} | {{blocks_in_the_region.networks.plain.after.logarithmic_norm.min|.2f}} to {{blocks_in_the_region.networks.plain.after.logarithmic_norm.max|.2f}} | {{blocks_in_the_region.networks.plain.after.accuracy.min|.0%}} to {{blocks_in_the_region.networks.plain.after.accuracy.max|.0%}} |
# | after, penalty 0.01 | {{blocks_in_the_region.networks.light.after.outside.min|.0%}} | {{blocks_in_the_region.networks.light.after.amplification.min|.2f}} to {{blocks_in_the_region.networks.light.after.amplification.max|.2f}} | {{blocks_in_the_region.networks.light.after.logarithmic_norm.min|.2f}} to {{blocks_in_the_region.networks.light.after.logarithmic_norm.max|.2f}} | {{blocks_in_the_region.networks.light.after.accuracy.min|.0%}} to {{blocks_in_the_region.networks.light.after.accuracy.max|.0%}} |
# | after, penalty 0.1 | {{blocks_in_the_region.networks.heavy.after.outside.min|.0%}} | {{blocks_in_the_region.networks.heavy.after.amplification.min|.2f}} to {{blocks_in_the_region.networks.heavy.after.amplification.max|.2f}} | {{blocks_in_the_region.networks.heavy.after.logarithmic_norm.min|.2f}} to {{blocks_in_the_region.networks.heavy.after.logarithmic_norm.max|.2f}} | {{blocks_in_the_region.networks.heavy.after.accuracy.min|.0%}} to {{blocks_in_the_region.networks.heavy.after.accuracy.max|.0%}} |
# | no blocks at all | | | | {{blocks_in_the_region.no_blocks.accuracy.min|.0%}} to {{blocks_in_the_region.no_blocks.accuracy.max|.0%}} |
#
# - **The region is no description of these blocks.** Not one pair of a block and an image lies inside, in any seed, before or after training. Random weights put eigenvalues on all sides of 0, and training without the penalty leaves them there.
# - **The penalty draws them to 0, not into the disc.** 0 lies on the rim of the disc. So the crosses stay crosses, with factors closer to 1. A strength of 0.1 nearly switches the blocks off.
# - **Here that costs no accuracy.** The heavy penalty raises it by {{blocks_in_the_region.gain.heavy|.3f}} on average, as a fraction of 1, the light one by {{blocks_in_the_region.gain.light|.3f}}. With so many seeds differences of {{blocks_in_the_region.networks.heavy.cost.detectable|.3f}} and {{blocks_in_the_region.networks.light.cost.detectable|.3f}} would usually have shown.
# - **But this task does not need blocks.** Without any, the network is right more often still: look at the last row. So a penalty that silences them helps here. That does not say that stable blocks classify better.
#
# A logarithmic norm above 0 says the same from the side of the flow: along `f` some change would grow at once.

# %% [markdown] question="meaning"
# **Checkpoint.**

# %%
checkpoint("06.meaning", ...)

# %% [markdown]
# A block outside the region is no defect in itself. A flow that forgets its start should contract. A classifier must keep, or even enlarge, differences that matter. The region is about one step repeated for ever; a network makes eight different steps and stops. What an eigenvalue outside does tell: some small change of the input grows in this block. By how much the worst one grows in one step, the operator norm of `I + J` says.
#
# ## Summary
#
# - `J v` costs two calls by differences, about one more call by `jvp`; `Jᵀ u` comes from `vjp`.
# - Power iteration finds the largest eigenvalue of a symmetric operator from products alone. The ratio of the two largest eigenvalues sets its speed.
# - On `JᵀJ` it gives the operator norm of a layer, a convolution included.
# - The logarithmic norm bounds growth at once; eigenvalues describe the end.
# - The blocks that we trained lie outside of Euler's region, and that is no fault.
#
# **Still open.** Do the margins say anything that the index of lesson 05, a relative speed, does not? Does the picture hold for convolutional networks on harder images, where blocks are needed? And could a gate that chooses the step (lesson 07) keep a block inside?
#
# ## What to read
#
# - G. Golub, C. Van Loan, *Matrix Computations*, 4th ed., Johns Hopkins 2013, section 8.2: power iteration.
# - G. Söderlind, "The logarithmic norm. History and modern theory", *BIT* 46 (2006) 631–652.
# - L. Trefethen, M. Embree, *Spectra and Pseudospectra*, Princeton 2005: matrices that are not normal.
# - E. Haber, L. Ruthotto, "Stable architectures for deep neural networks", *Inverse Problems* 34 (2018) 014004.
# - H. Sedghi, V. Gupta, P. Long, "The Singular Values of Convolutional Layers", ICLR 2019.
# - J. Hoffman, D. Roberts, S. Yaida, "Robust Learning with Jacobian Regularization", arXiv:1908.02729 (2019).

# %% wrong="directional_derivative" shows="one-sided" outcome="not yet"
def directional_derivative(function, x, v):
    length = np.sqrt(np.sum(v**2))
    if length == 0:
        return np.zeros_like(function(x))
    h = 1e-5 / length
    return (function(x + h * v) - function(x)) / h

# %% wrong="directional_derivative" shows="length-of-v" outcome="not yet"
def directional_derivative(function, x, v):
    h = 1e-5
    return (function(x + h * v) - function(x - h * v)) / (2 * h)

# %% wrong="directional_derivative" shows="direction-normalised" outcome="not yet"
def directional_derivative(function, x, v):
    v = v / np.linalg.norm(v)
    return (function(x + 1e-5 * v) - function(x - 1e-5 * v)) / 2e-5

# %% wrong="directional_derivative" shows="half-span" outcome="not yet"
def directional_derivative(function, x, v):
    h = 1e-5 / np.linalg.norm(v)
    return (function(x + h * v) - function(x - h * v)) / h

# %% wrong="directional_derivative" shows="not-finite" outcome="not yet"
def directional_derivative(function, x, v):
    h = 1e-5 / np.linalg.norm(v)
    return (function(x + h * v) - function(x - h * v)) / (2 * h)

# %% wrong="directional_derivative" shows="columns-first" outcome="not yet"
def directional_derivative(function, x, v):
    total = 0 * function(x)
    for place in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[place] = 1e-5
        total = total + v[place] * (function(x + e) - function(x - e)) / 2e-5
    return total

# %% variant="directional_derivative" style="a unit vector, multiplied back"
def directional_derivative(function, x, v):
    size = np.sqrt((v * v).sum())
    if size < 1e-300:
        return np.zeros(np.shape(function(x)))
    unit = v / size
    ahead, behind = function(x + 1e-5 * unit), function(x - 1e-5 * unit)
    return (ahead - behind) / 2e-5 * size

# %% variant="directional_derivative" style="four points, moved farther"
def directional_derivative(function, x, v):
    size = np.linalg.norm(np.ravel(v)) or 1.0
    g = lambda s: np.asarray(function(x + s * 1e-3 / size * v))
    return (8 * (g(1) - g(-1)) - (g(2) - g(-2))) / (12 * 1e-3 / size)

# %% variant="directional_derivative" style="the step as an expression, cube root of eps"
def directional_derivative(function, x, v):
    x = np.asarray(x, dtype=float)
    norm = float(np.linalg.norm(v))
    h = np.cbrt(np.finfo(float).eps) / max(norm, 1e-30)
    return np.subtract(function(x + h * v), function(x - h * v)) / h / 2

# %% probe="directional_derivative"
def probe(answer, draw):
    n = int(draw.integers(1, 6))
    W, x, v = draw.normal(size=(3, n)), draw.normal(size=n), draw.normal(size=n)
    v = v * 10.0 ** draw.uniform(-3, 3) * (draw.uniform() < 0.9)
    # six digits were asked for, and single precision compares to five
    return [answer(lambda x: np.exp(np.sin(W @ x)), x, v).astype("float32")]

# %% wrong="power_iteration" shows="norm-not-rayleigh" outcome="not yet"
def power_iteration(matvec, v0, num_steps):
    v = v0 / np.linalg.norm(v0)
    for _ in range(num_steps):
        w = matvec(v)
        value = np.linalg.norm(w)
        v = w / value
    return value, v

# %% wrong="power_iteration" shows="not-normalised" outcome="not yet"
def power_iteration(matvec, v0, num_steps):
    v = v0
    for _ in range(num_steps):
        v = matvec(v)
    return np.sum(v * matvec(v)), v

# %% wrong="power_iteration" shows="one-step-short" outcome="not yet"
def power_iteration(matvec, v0, num_steps):
    v = v0 / np.linalg.norm(v0)
    for _ in range(num_steps - 1):
        v = matvec(v)
        v = v / np.linalg.norm(v)
    return np.sum(v * matvec(v)), v

# %% wrong="power_iteration" shows="pair-swapped" outcome="not yet"
def power_iteration(matvec, v0, num_steps):
    v = v0 / np.linalg.norm(v0)
    for _ in range(num_steps):
        v = matvec(v)
        v = v / np.linalg.norm(v)
    return v, np.sum(v * matvec(v))

# %% wrong="power_iteration" shows="not-a-pair" outcome="not yet"
def power_iteration(matvec, v0, num_steps):
    v = v0 / np.linalg.norm(v0)
    for _ in range(num_steps):
        v = matvec(v)
        v = v / np.linalg.norm(v)
    return np.sum(v * matvec(v))

# %% wrong="power_iteration" shows="not-finite" outcome="not yet"
def power_iteration(matvec, v0, num_steps):
    v = v0
    for _ in range(num_steps):
        v = matvec(v)
        v = v / np.sqrt(np.sum(v * v))
    return np.sum(v * matvec(v)), v

# %% wrong="power_iteration" shows="lengths-by-axis" outcome="crashed"
def power_iteration(matvec, v0, num_steps):
    v = v0 / np.linalg.norm(v0)
    for _ in range(num_steps):
        v = matvec(v)
        v = v / (np.linalg.norm(v) or 1.0)
    return v @ matvec(v), v

# %% variant="power_iteration" style="v scaled at the start of each step, linalg"
def power_iteration(matvec, v0, num_steps):
    w = np.asarray(v0, dtype=float)
    for _ in range(num_steps + 1):
        norm = np.linalg.norm(w.ravel())
        if not norm > 0:
            return 0.0, v
        v = w / norm
        w = matvec(v)
    return np.vdot(v, w), v

# %% variant="power_iteration" style="division by v . v, sign fixed"
def power_iteration(matvec, v0, num_steps):
    v = np.array(v0)
    for step in range(num_steps):
        w = matvec(v)
        biggest = np.max(np.abs(w))
        if biggest == 0:
            return 0.0, v / np.sqrt((v**2).sum())
        v = w / biggest
    value = (v * matvec(v)).sum() / (v * v).sum()
    v = v / np.sqrt((v * v).sum())
    if v.flat[0] < 0:
        v = -v
    return float(value), v

# %% variant="power_iteration" style="flat vectors, a list"
def power_iteration(matvec, v0, num_steps):
    shape = v0.shape
    apply = lambda flat: matvec(flat.reshape(shape)).reshape(-1)
    v = v0.reshape(-1) / np.linalg.norm(v0)
    while num_steps > 0:
        w = apply(v)
        v = w / np.linalg.norm(w) if w.any() else v
        num_steps -= 1
    return [np.dot(v, apply(v)), v.reshape(shape)]

# %% probe="power_iteration"
def probe(answer, draw):
    n = int(draw.integers(1, 6))
    A = draw.normal(size=(n, n)) * (draw.uniform() < 0.9)
    value, v = answer(lambda v: (A + A.T) @ v, draw.normal(size=n), int(draw.integers(1, 9)))
    return [value, v]

# %% wrong="operator_norm" shows="square" outcome="not yet"
def operator_norm(layer, x, num_steps=100):
    J = spectra.jacobian_operator(layer, x)
    v0 = np.random.normal(size=np.shape(x))
    gram = lambda v: keras.ops.convert_to_numpy(J.rmatvec(J(v)))
    return power_iteration(gram, v0, num_steps)[0]

# %% wrong="operator_norm" shows="blind-start" outcome="not yet"
def operator_norm(layer, x, num_steps=100):
    J = spectra.jacobian_operator(layer, x)
    v = np.ones(np.shape(x))
    for _ in range(num_steps):
        w = keras.ops.convert_to_numpy(J.gram(v)).astype("float64")
        if np.linalg.norm(w) < 1e-5:
            return 0.0
        v = w / np.linalg.norm(w)
    return np.linalg.norm(keras.ops.convert_to_numpy(J(v)))

# %% wrong="operator_norm" shows="frobenius" outcome="not yet"
def operator_norm(layer, x, num_steps=100):
    J = spectra.jacobian_operator(layer, x)
    n = np.size(x)
    columns = [keras.ops.convert_to_numpy(J(e.reshape(np.shape(x)))) for e in np.eye(n)]
    return np.sqrt(np.sum(np.square(columns)))

# %% wrong="operator_norm" shows="not-square" outcome="crashed"
def operator_norm(layer, x, num_steps=100):
    J = spectra.jacobian_operator(layer, x)
    matvec = lambda v: keras.ops.convert_to_numpy(J(v))
    value, v = power_iteration(matvec, np.random.normal(size=np.shape(x)), num_steps)
    return abs(value)

# %% variant="operator_norm" style="jvp and vjp, without power_iteration"
def operator_norm(layer, x, num_steps=100):
    x = keras.ops.convert_to_tensor(x)
    v = np.random.default_rng(1).normal(size=x.shape)
    for _ in range(num_steps):
        v = v / max(np.linalg.norm(v), 1e-30)
        u = spectra.jvp(layer, (x,), (keras.ops.convert_to_tensor(v, dtype=x.dtype),))[1]
        size = np.linalg.norm(keras.ops.convert_to_numpy(u))
        v = keras.ops.convert_to_numpy(spectra.vjp(layer, x)[1](u)[0])
    return size

# %% variant="operator_norm" style="the length of J v at the end"
def operator_norm(layer, x, num_steps=100):
    J = spectra.jacobian_operator(layer, x)
    start = keras.random.normal(np.shape(x), seed=3)
    _, v = power_iteration(lambda v: keras.ops.convert_to_numpy(J.gram(v)),
                           keras.ops.convert_to_numpy(start), num_steps)
    return float(keras.ops.sqrt(keras.ops.sum(keras.ops.square(J(v)))))

# %% variant="operator_norm" style="the other product, J J^T"
def operator_norm(layer, x, num_steps=100):
    J = spectra.jacobian_operator(layer, x)
    u0 = np.random.normal(size=tuple(J.output.shape))
    matvec = lambda u: keras.ops.convert_to_numpy(J(J.rmatvec(u)))
    return max(power_iteration(matvec, u0, num_steps)[0], 0.0) ** 0.5

# %% probe="operator_norm"
def probe(answer, draw):
    n = int(draw.integers(1, 4))
    left, right = np.linalg.qr(draw.normal(size=(2, n, n)))[0]
    K = (left * (3.0 * 0.1 ** np.arange(n))) @ right
    K = keras.ops.convert_to_tensor(K.astype("float32"))
    value = answer(lambda x: keras.ops.matmul(x, K), draw.normal(size=(1, n)).astype("float32"), 12)
    return [np.round(float(value), 3)]

# %% wrong="logarithmic_norm" shows="abscissa" outcome="not yet"
def logarithmic_norm(matrix):
    return np.max(np.linalg.eigvals(matrix).real, axis=-1)

# %% wrong="logarithmic_norm" shows="half-missing" outcome="not yet"
def logarithmic_norm(matrix):
    return np.linalg.eigvalsh(matrix + np.swapaxes(matrix, -1, -2)).max(axis=-1)

# %% wrong="logarithmic_norm" shows="modulus" outcome="not yet"
def logarithmic_norm(matrix):
    symmetric = (matrix + np.swapaxes(matrix, -1, -2)) / 2
    return np.abs(np.linalg.eigvalsh(symmetric)).max(axis=-1)

# %% wrong="logarithmic_norm" shows="norm" outcome="not yet"
def logarithmic_norm(matrix):
    return np.linalg.norm(matrix, 2, axis=(-2, -1))

# %% wrong="logarithmic_norm" shows="one-for-all" outcome="not yet"
def logarithmic_norm(matrix):
    symmetric = (matrix + np.swapaxes(matrix, -1, -2)) / 2
    return np.max(np.linalg.eigvalsh(symmetric))

# %% wrong="logarithmic_norm" shows="all-axes-reversed" outcome="crashed"
def logarithmic_norm(matrix):
    return np.linalg.eigvalsh((matrix + matrix.T) / 2)[..., -1]

# %% wrong="logarithmic_norm" shows="triangle-only" outcome="not yet"
def logarithmic_norm(matrix):
    return np.linalg.eigvalsh(matrix)[..., -1]

# %% variant="logarithmic_norm" style="the last of the sorted ones"
def logarithmic_norm(matrix):
    matrix = np.asarray(matrix)
    return np.linalg.eigvalsh(0.5 * matrix + 0.5 * matrix.swapaxes(-2, -1))[..., -1]

# %% variant="logarithmic_norm" style="one matrix after the other"
def logarithmic_norm(matrix):
    stack = np.reshape(matrix, (-1, *np.shape(matrix)[-2:]))
    found = [np.linalg.eigvals((m + m.T) / 2).real.max() for m in stack]
    return np.array(found).reshape(np.shape(matrix)[:-2])

# %% variant="logarithmic_norm" style="einsum and eigh"
def logarithmic_norm(matrix):
    turned = np.einsum("...ij->...ji", matrix)
    values, _ = np.linalg.eigh(np.add(matrix, turned) * 0.5)
    return np.amax(values, axis=values.ndim - 1)

# %% probe="logarithmic_norm"
def probe(answer, draw):
    shape = (*draw.integers(1, 4, size=draw.integers(0, 3)), *[int(draw.integers(1, 5))] * 2)
    return [answer(draw.normal(size=shape))]

# %% wrong="block_margin" shows="identity-forgotten" outcome="not yet"
def block_margin(jacobian, step_size=1.0):
    return 1 - np.abs(step_size * np.linalg.eigvals(jacobian)).max(axis=-1)

# %% wrong="block_margin" shows="real-part-only" outcome="not yet"
def block_margin(jacobian, step_size=1.0):
    return 1 - np.abs(1 + step_size * np.linalg.eigvals(jacobian).real).max(axis=-1)

# %% wrong="block_margin" shows="amplification" outcome="not yet"
def block_margin(jacobian, step_size=1.0):
    return np.abs(1 + step_size * np.linalg.eigvals(jacobian)).max(axis=-1)

# %% wrong="block_margin" shows="step-ignored" outcome="not yet"
def block_margin(jacobian, step_size=1.0):
    return 1 - np.abs(1 + np.linalg.eigvals(jacobian)).max(axis=-1)

# %% wrong="block_margin" shows="continuous-time" outcome="not yet"
def block_margin(jacobian, step_size=1.0):
    return -np.linalg.eigvals(jacobian).real.max(axis=-1)

# %% wrong="block_margin" shows="norm-not-eigenvalues" outcome="not yet"
def block_margin(jacobian, step_size=1.0):
    n = jacobian.shape[-1]
    return 1 - np.linalg.norm(np.eye(n) + step_size * jacobian, 2, axis=(-2, -1))

# %% wrong="block_margin" shows="one-for-all" outcome="not yet"
def block_margin(jacobian, step_size=1.0):
    return 1 - np.abs(1 + step_size * np.linalg.eigvals(jacobian)).max()

# %% variant="block_margin" style="eigenvalues of the update"
def block_margin(jacobian, step_size=1.0):
    n = np.shape(jacobian)[-1]
    factors = np.linalg.eigvals(np.eye(n) + step_size * np.asarray(jacobian))
    return np.min(1 - np.abs(factors), axis=-1)

# %% variant="block_margin" style="real and imaginary parts"
def block_margin(jacobian, step_size=1.0):
    z = step_size * np.linalg.eigvals(jacobian)
    return 1 - np.sqrt(((1 + z.real) ** 2 + z.imag**2).max(axis=-1))

# %% variant="block_margin" style="one matrix after the other"
def block_margin(jacobian, step_size=1.0):
    if np.ndim(jacobian) > 2:
        return np.array([block_margin(each, step_size) for each in jacobian])
    values, _ = np.linalg.eig(jacobian)
    return 1 - max(abs(1 + step_size * value) for value in values)

# %% probe="block_margin"
def probe(answer, draw):
    shape = (*draw.integers(1, 4, size=draw.integers(0, 2)), *[int(draw.integers(1, 5))] * 2)
    return [answer(draw.normal(size=shape), float(draw.uniform(0.1, 3))), answer(draw.normal(size=shape))]
