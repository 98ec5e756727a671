# %% [markdown]
# # Lesson 02 · Higher order
#
# **If a network is a solver, does it matter which solver it is?**
#
# You build better solvers than Euler's for ordinary differential equations (ODEs). You train a network whose layer runs Euler's method. Then you exchange the solver for your own and keep the weights. After this lesson you can
#
# - write one step of any explicit Runge-Kutta method,
# - tell the order of a method from its numbers,
# - compare solvers by their work,
# - write an ODE block, whose steps share their weights,
# - test whether a trained block has learned an ODE, or its solver.
#
# You need lesson 00 (a layer of your own) and lesson 01 (Euler's step, order), and about 90 minutes.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

from stepkit import ode, plots
from stepkit.datasets import digits

# %% [markdown]
# ## 1. Look ahead before you step
#
# Euler's method trusts the slope at the start of a step. Heun's looks ahead: it takes Euler's step as a trial, asks for the slope there, goes back, and steps with the mean of both slopes.
#
# $$k_1 = f(t,\; y), \qquad k_2 = f(t + h,\; y + h\,k_1), \qquad y_\text{next} = y + h\left(\tfrac12 k_1 + \tfrac12 k_2\right)$$

# %% [markdown] exercise="heun_step"
# Write one step of Heun's method: from the state `y` at time `t` to the state at time `t + h`.
#
# Call `f` twice, no more. `y` may be a number or an array of any shape; do not change it. `h` may be negative. Three lines are enough.

# %% answer="heun_step"
def heun_step(f, t, y, h):
    """One step of Heun's method from t to t + h.

    f: callable (t, y) -> dy/dt, of the shape of y
    y: number, or array of any shape
    Returns the state at t + h, of the shape of y.
    """
    # BEGIN SOLUTION
    first = f(t, y)
    second = f(t + h, y + h * first)
    return y + h * (first + second) / 2
    # END SOLUTION


# %%
check("02.heun_step")

# %% [markdown] help="heun_step"
# ## where is the second slope taken?
# At the end of Euler's step: at the time `t + h` and the state where Euler's step lands.
# ## what is the last line?
# Euler's step once more, from `y`, with the mean of both slopes in place of the first.
# ## Why
# The trial state is thrown away; only its slope is kept. If the slope changes evenly during the step, the mean of the slopes at both ends is the mean over the whole step.

# %% [markdown]
# Each slope $k_i$ is a *stage*. An explicit Runge-Kutta method does the same with $s$ stages:
#
# $$k_i = f\Big(t + c_i h,\;\; y + h \sum_{j<i} a_{ij} k_j\Big), \qquad y_\text{next} = y + h \sum_{i=1}^{s} b_i k_i$$
#
# *Explicit*: a stage uses only those before it. $A = (a_{ij})$, $b$ and $c$ are the *tableau*: $A$ says where each stage looks, $c$ when, and $b$ how much each slope counts. Heun's tableau is
#
# $$A = \begin{pmatrix} 0 & 0 \\ 1 & 0 \end{pmatrix}, \qquad b = \left(\tfrac12, \tfrac12\right), \qquad c = (0, 1).$$

# %% [markdown] exercise="rk_step"
# Write one step of the explicit method with the tableau `A, b, c`; `A` is zero on and above the diagonal.
#
# Every stage has its own time and its own trial state, and every trial state starts from `y`. Call `f` exactly once per stage: its calls are the costly part. `y` may be a number or an array of any shape; do not change it. `h` may be negative.
#
# Heun's method is the case of two stages; yours takes any number. Five lines are enough.

# %% answer="rk_step"
def rk_step(A, b, c, f, t, y, h):
    """One explicit Runge-Kutta step from t to t + h.

    A: array (s, s), strictly lower triangular
    b, c: arrays (s,)
    f: callable (t, y) -> dy/dt, of the shape of y
    y: number, or array of any shape
    Returns the state at t + h, of the shape of y.
    """
    # BEGIN SOLUTION
    slopes = []
    for i in range(len(b)):
        trial = y + h * sum(A[i, j] * slopes[j] for j in range(i))
        slopes.append(f(t + c[i] * h, trial))
    return y + h * sum(b[i] * slopes[i] for i in range(len(b)))
    # END SOLUTION


# %%
check("02.rk_step")

# %% [markdown] help="rk_step"
# ## how do I keep the stages?
# In a list. Stage i needs the slopes 0 to i - 1, and at that moment these are all that the list holds.
# ## what is the state of a stage?
# `y + h * (…)`, where the bracket is row i of `A` times the slopes so far. For the first stage the bracket is empty, and Python's `sum` of nothing is 0.
# ## two stages are right and three are wrong
# Do all your trial states start from `y`, or from the trial state before? Does a stage use all slopes before it, or only the last one?
# ## Why
# A stage is a trial: nothing of its state is kept, only its slope. The last line is Euler's again, with a weighted mean of slopes in place of the first one.

# %% [markdown] question="halving"
# Does the second look pay? **Predict before you run.**

# %%
predict("02.halving", ...)

# %%
one_step = use("02.rk_step")
euler_tableau = [[0.0]], [1.0], [0.0]
heun_tableau = [[0.0, 0.0], [1.0, 0.0]], [0.5, 0.5], [0.0, 1.0]
circle = ode.problems.HarmonicOscillator()  # x' = v, v' = -x, for 3 units of time


def error_at_end(tableau, num_steps):
    a_, b_, c_ = (np.array(part) for part in tableau)
    t0, t1 = circle.t_span
    h, y = (t1 - t0) / num_steps, circle.y0
    for i in range(num_steps):
        y = one_step(a_, b_, c_, circle.f, t0 + i * h, y, h)
    return np.max(np.abs(y - circle.exact(t1)))


# %%
steps = 2 ** np.arange(2, 10)  # 4, 8, ..., 512
errors = {
    "Euler": [error_at_end(euler_tableau, n) for n in steps],
    "Heun": [error_at_end(heun_tableau, n) for n in steps],
}
plots.convergence(3 / steps, errors, orders=[1, 2]).set_title("Errors after 3 units of time")
plt.show()
predict("02.halving")

# %% [markdown]
# What the figure shows: both errors are straight lines on logarithmic axes. Euler's has slope 1 and Heun's has slope 2. At the smallest step Heun's error is about 500 times smaller than Euler's, for twice the work.
#
# ## 2. Where the weights come from
#
# Why one half and one half? Compare two expansions in powers of $h$ (Taylor series). For the exact solution, $y' = f$, so by the chain rule $y'' = f_t + f_y f$. Here $f_t$ and $f_y$ are the derivatives of $f$ by time and by state; for vectors $f_y$ is a matrix. Hence
#
# $$y(t+h) = y + h f + \tfrac{h^2}{2}\,(f_t + f_y f) + \dots$$
#
# A method with two stages takes its second slope a little further on: by $c_2 h$ in time and by $h a_{21} f$ in state. There the slope is
#
# $$k_2 = f + h\,(c_2 f_t + a_{21} f_y f) + \dots$$
#
# Put into $y + h\,(b_1 k_1 + b_2 k_2)$, with $k_1 = f$, this gives
#
# $$y_\text{next} = y + h\,(b_1 + b_2)\, f + h^2\, b_2\,(c_2 f_t + a_{21} f_y f) + \dots$$
#
# They agree up to $h^2$ if $b_1 + b_2 = 1$, $b_2 c_2 = \tfrac12$ and $a_{21} = c_2$. One number stays free. $c_2 = 1$ is Heun's method, $c_2 = \tfrac12$ the midpoint method, $c_2 = \tfrac23$ Ralston's.
#
# The order of a method is the largest $p$ for which the expansions agree up to $h^p$. From now on $c_i = \sum_j a_{ij}$: a stage looks as far ahead in time as in state. Then there are eight conditions up to order 4.
#
# | order | conditions |
# |---|---|
# | 1 | $\sum b_i = 1$ |
# | 2 | $\sum b_i c_i = \frac12$ |
# | 3 | $\sum b_i c_i^2 = \frac13$, $\quad\sum b_i a_{ij} c_j = \frac16$ |
# | 4 | $\sum b_i c_i^3 = \frac14$, $\quad\sum b_i c_i a_{ij} c_j = \frac18$, $\quad\sum b_i a_{ij} c_j^2 = \frac1{12}$, $\quad\sum b_i a_{ij} a_{jk} c_k = \frac1{24}$ |
#
# Each sum runs over all its indices. Each condition belongs to one way in which derivatives of $f$ can be nested: those without $A$ also hold for a rule that integrates a function of $t$ alone, and those with $A$ appear because the slope depends on $y$.

# %% [markdown] exercise="order_conditions"
# Return the order of an explicit tableau, from 0 to 4: the largest `p` such that every condition up to order `p` holds. A condition of order 4 that holds does not repair a broken one of order 2.
#
# The order is 0 if `b` does not sum to 1. Methods of order 5 and more get 4, because the table ends there. The numbers are floating point: use `np.isclose`, or call two of them equal if they differ by less than 1e-8.
#
# In NumPy, $\sum_j a_{ij} c_j$ is `A @ c`, and `b @ v` is $\sum_i b_i v_i$. About twelve lines are enough.

# %% answer="order_conditions"
def order_conditions(A, b, c):
    """The order of an explicit Runge-Kutta method, as far as 4.

    A: array (s, s), strictly lower triangular
    b: array (s,)
    c: array (s,), the row sums of A
    Returns an integer, 0 to 4.
    """
    # BEGIN SOLUTION
    conditions = [
        [b.sum() - 1],
        [b @ c - 1 / 2],
        [b @ c**2 - 1 / 3, b @ A @ c - 1 / 6],
        [b @ c**3 - 1 / 4, b @ (c * (A @ c)) - 1 / 8, b @ A @ c**2 - 1 / 12, b @ A @ A @ c - 1 / 24],
    ]
    order = 0
    for differences in conditions:
        if max(abs(each) for each in differences) > 1e-8:
            break
        order += 1
    return order
    # END SOLUTION


# %%
check("02.order_conditions")

# %% [markdown] help="order_conditions"
# ## how do I write a sum with three letters?
# From the right: `A @ c` is a vector with one entry per stage. `A @ (A @ c)` is one again. In the end `b @ (…)` makes a number of it.
# ## which one is the odd one, with c outside and inside?
# In $\sum b_i c_i a_{ij} c_j$ the first $c_i$ stands at the same stage as $b_i$, so it is multiplied entry by entry: `c * (A @ c)`.
# ## how do I count without a gap?
# Go through the orders 1, 2, 3, 4 and stop at the first that fails. What you have passed by then is the answer.
# ## Why
# The eight numbers 1, 1/2, 1/3, 1/6, ... are what the exact solution has in the places of these sums. An order is a promise about all terms up to $h^p$, so one wrong term ends it.

# %% [markdown] question="simpson"
# **Predict before you run.**

# %%
predict("02.simpson", ...)

# %%
order_of_tableau = use("02.order_conditions")
simpson_tableau = [[0, 0, 0], [0.5, 0, 0], [0, 1, 0]], [1 / 6, 2 / 3, 1 / 6], [0, 0.5, 1]
tableaux = {"Euler": euler_tableau, "Heun": heun_tableau, "Simpson's weights": simpson_tableau}
for label, tableau in tableaux.items():
    print(f"{label}: order", order_of_tableau(*(np.array(part) for part in tableau)))
predict("02.simpson")

# %% [markdown]
# ## 3. RK4, and what work buys
#
# With four stages all eight conditions can be met. The best known solution is the *classical* method of 1901, often just called RK4. It looks four times: at the start; at the middle, with the first slope; at the middle again, with the second slope; at the end, with the third. The weights of the four slopes are 1 : 2 : 2 : 1.

# %% [markdown] exercise="rk4_tableau"
# Write down the tableau of the classical method, as described above: return `A`, `b` and `c` as NumPy arrays of shapes (4, 4), (4,) and (4,).
#
# Other methods of order 4 with four stages exist, such as Kutta's 3/8 rule. The classical one is asked for.
#
# A function without arguments, of about five lines.

# %% answer="rk4_tableau"
def rk4_tableau():
    """The classical Runge-Kutta method.

    Returns A, b, c: arrays (4, 4), (4,), (4,).
    """
    # BEGIN SOLUTION
    A = np.array([[0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 1 / 2, 0, 0], [0, 0, 1, 0]])
    b = np.array([1, 2, 2, 1]) / 6
    c = np.array([0, 1 / 2, 1 / 2, 1])
    return A, b, c
    # END SOLUTION


# %%
check("02.rk4_tableau")

# %% [markdown] help="rk4_tableau"
# ## what are the rows of A?
# Row i tells how stage i gets to its trial state. The second stage goes half a step with the first slope, so its row begins with 1/2.
# ## what is c?
# The row sums of `A`: the times at which the four stages look, in units of the step.
# ## why does b not sum to 1?
# The weights 1 : 2 : 2 : 1 have to sum to 1.
# ## Why
# On a slope that depends on `t` alone the method is Simpson's rule, with the weight 4/6 of the middle split between two looks. The second look at the middle mends what the first got wrong about `y`.

# %% [markdown] question="same_work"
# A fair comparison counts calls of `f`, not steps: a step of RK4 costs four of Euler's. **Predict before you run.**

# %%
predict("02.same_work", ...)

# %%
classical = use("02.rk4_tableau")()
evaluations = np.array([4, 8, 16, 32, 64, 128, 256])
looks = {"Euler": ("#0072B2", "o-"), "Heun": ("#D55E00", "s--"), "RK4": ("#009E73", "^-.")}
methods = {"Euler": euler_tableau, "Heun": heun_tableau, "RK4": classical}
for label, tableau in methods.items():
    stages = len(tableau[1])
    errors = [error_at_end(tableau, n // stages) for n in evaluations]
    colour, form = looks[label]
    plt.loglog(evaluations, errors, form, color=colour, label=label)
plt.xlabel("evaluations of the slope")
plt.ylabel("error after 3 units of time")
plt.legend()
plt.show()
predict("02.same_work")

# %% [markdown]
# What the figure shows: with 4 evaluations RK4, in one step of length 3, has the largest error of the three. From 8 evaluations on it has the smallest. With 256 evaluations Euler's error is near 0.02, Heun's near 0.0003 and RK4's near 0.0000001.
#
# So order is a promise about short steps. The shorter the step, the more it pays; for a step as long as the solution's own time scale it promises nothing.

# %% [markdown] question="stages"
# **Checkpoint.**

# %%
checkpoint("02.stages", ...)

# %% [markdown]
# ## 4. A block that solves an ODE
#
# A residual net has a residual of its own in each block. Make them all the same, and let the number of blocks become the number of steps: the network is then a solver of $y' = f(y)$, where the *field* $f$ is a small network. Its input is the state at time 0, its output the state at time 1. Such a layer is called an *ODE block*; with good solvers it is the neural ODE of Chen and others (2018).
#
# | | residual net (lesson 01) | ODE block |
# |---|---|---|
# | weights | one set per block | one set, shared in time |
# | length of a step | 1 | 1 / number of steps |
# | more steps mean | another, larger network | the same ODE, solved more finely |

# %% [markdown] exercise="ODEBlock"
# Write a layer that returns y(1), where y' = `field(y)` and y(0) is the layer's input. It takes `num_steps` equal steps from time 0 to time 1 with `solver`, a function `step(f, t, y, h)` such as `euler_step`.
#
# A solver calls its `f` as `f(t, y)`, but `field` is a Keras layer that takes `y` alone. All steps use the same field. Keep the arguments as `self.field`, `self.solver` and `self.num_steps`: the next exercise reads them.
#
# Three lines in `__init__` and about four in `call`. Saving (`get_config`) is not asked for.

# %% answer="ODEBlock"
class ODEBlock(keras.layers.Layer):
    """The state at time 1 of y' = field(y), which starts from the layer's input.

    field: keras.layers.Layer that keeps the shape of its input
    solver: callable (f, t, y, h) -> the state after a step of length h
    num_steps: int, the number of equal steps
    """

    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        # BEGIN SOLUTION
        self.field = field
        self.solver = solver
        self.num_steps = num_steps
        # END SOLUTION

    def call(self, inputs):
        # BEGIN SOLUTION
        h = 1 / self.num_steps
        y = inputs
        for i in range(self.num_steps):
            y = self.solver(lambda t, y: self.field(y), i * h, y, h)
        return y
        # END SOLUTION


# %%
check("02.ODEBlock")

# %% [markdown] help="ODEBlock"
# ## my field takes one argument, the solver gives it two
# Wrap it: a `lambda` that takes `t` and `y` and forgets `t`.
# ## how long is a step?
# All steps together cover the time from 0 to 1.
# ## do I need build?
# Not here. Keras builds `self.field` when the layer is first called, because the field is an attribute and `call` uses it.
# ## Why
# The loop is that of `euler_solve`. Only the field holds weights, and every step asks the same field. That sharing is what makes the layer a solver of one ODE.

# %% [markdown] question="weights"
# **Predict before you run.**

# %%
predict("02.weights", ...)

# %%
Block = use("02.ODEBlock")
euler = use("01.euler_step")


def rk4(f, t, y, h):  # your step, your tableau; tensors come in now, in place of arrays
    return one_step(*classical, f, t, y, h)  # fails? then ode.RK4().step(f, t, y, h)


def make_field():  # two layers, one after the other
    return keras.Sequential([keras.layers.Dense(64, activation="tanh"), keras.layers.Dense(64)])


for solver, label, num_steps in ((euler, "Euler", 4), (rk4, "RK4", 8)):
    block = Block(make_field(), solver, num_steps)
    block(np.zeros((1, 64), "float32"))
    print(f"{label} with {num_steps} steps: {block.count_params()} weights")
predict("02.weights")

# %% [markdown]
# ## 5. Swap the solver
#
# Now the question of the lesson. We train a block with two steps of Euler on 300 digits, with noise on training and new images alike: few and noisy, so that there is room between good and bad.
#
# The last layer returns ten *logits*: scores, the largest for the predicted digit. `from_logits=True` tells the loss that they are not yet probabilities.

# %%
keras.utils.set_random_seed(2)
noise = np.random.default_rng(2)
new_share = 1 - 300 / 1797  # of the 1,797 digits all but 300
(x_train, y_train), (x_test, y_test) = digits(test_fraction=new_share, flat=True, seed=2)
x_train = (x_train + noise.normal(scale=0.2, size=x_train.shape)).astype("float32")
x_test = (x_test + noise.normal(scale=0.2, size=x_test.shape)).astype("float32")
trained = Block(make_field(), euler, 2)
readout = keras.layers.Dense(10)
model = keras.Sequential([keras.Input((64,)), trained, readout])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=40, batch_size=32, verbose=0)
print(f"accuracy on new images: {model.evaluate(x_test, y_test, verbose=0)[1]:.3f}")

# %% [markdown] exercise="swap_solver"
# Return a new block that runs the field of `block` with another solver and another number of steps. The new block shares the weights with the old one: no copy, nothing made anew, nothing trained. If the first block is trained further, the second one changes with it.
#
# `block` stays as it is, because you want to compare the two. You may use `ODEBlock`; while this is checked, it is a correct one.
#
# One line is enough.

# %% answer="swap_solver"
def swap_solver(block, solver, num_steps):
    """The same field, run by another solver.

    block: an ODEBlock
    solver: callable (f, t, y, h) -> the state after a step of length h
    num_steps: int
    Returns a new ODEBlock that shares the field of `block`.
    """
    # BEGIN SOLUTION
    return type(block)(block.field, solver, num_steps)
    # END SOLUTION


# %%
check("02.swap_solver")

# %% [markdown] help="swap_solver"
# ## where are the weights?
# All of them are in `block.field`. Whoever holds that object holds the weights.
# ## how do I make a new block?
# As you made the first one: call the class with a field, a solver and a number of steps. If you would rather not name the class, `type(block)` is it.
# ## Why
# Passing on an object does not copy it: two blocks, one field. `copy.deepcopy`, `from_config` and `clone_model` all make a second field, and the two would part at the next training step.

# %% [markdown] question="swap"
# **Predict before you run.**

# %%
predict("02.swap", ...)

# %%
swap = use("02.swap_solver")
to_numpy = keras.ops.convert_to_numpy
runs = (("Euler, 2 steps, as trained", euler, 2), ("Euler, 4 steps", euler, 4),
        ("Euler, 8 steps", euler, 8), ("RK4, 2 steps", rk4, 2), ("RK4, 32 steps", rk4, 32))  # fmt: skip
before = to_numpy(readout(trained(x_test))).argmax(axis=1)
for label, solver, num_steps in runs:
    swapped = swap(trained, solver, num_steps)
    after = to_numpy(readout(swapped(x_test))).argmax(axis=1)
    changed = np.mean(after != before)
    print(f"{label:27} accuracy {np.mean(after == y_test):.3f}, predictions changed {changed:.3f}")
predict("02.swap")

# %% [markdown]
# RK4 solves the ODE of the field better, and the network gets worse. With 32 steps of RK4 the block follows the *flow*, the exact solution of its ODE. That is not what it was trained to compute.
#
# One run proves little. `experiments/solver_swap.py` repeats this with {{solver_swap.seeds}} seeds (other digits, noise and initial weights) and with more steps in training. Each entry is the accuracy on new images, smallest to largest over the seeds. "The flow" is run as RK4 with 64 steps, which follow it closely.
#
# | trained with | as trained | Euler, twice the steps | RK4, as many steps | the flow | predictions that the flow changes |
# |---|---|---|---|---|---|
# | Euler, 1 step | {{solver_swap.trained.euler_1.as_trained.accuracy.min|.1%}} to {{solver_swap.trained.euler_1.as_trained.accuracy.max|.1%}} | {{solver_swap.trained.euler_1.twice.accuracy.min|.1%}} to {{solver_swap.trained.euler_1.twice.accuracy.max|.1%}} | {{solver_swap.trained.euler_1.rk4.accuracy.min|.1%}} to {{solver_swap.trained.euler_1.rk4.accuracy.max|.1%}} | {{solver_swap.trained.euler_1.flow.accuracy.min|.1%}} to {{solver_swap.trained.euler_1.flow.accuracy.max|.1%}} | {{solver_swap.trained.euler_1.flow.changed.min|.1%}} to {{solver_swap.trained.euler_1.flow.changed.max|.1%}} |
# | Euler, 2 steps | {{solver_swap.trained.euler_2.as_trained.accuracy.min|.1%}} to {{solver_swap.trained.euler_2.as_trained.accuracy.max|.1%}} | {{solver_swap.trained.euler_2.twice.accuracy.min|.1%}} to {{solver_swap.trained.euler_2.twice.accuracy.max|.1%}} | {{solver_swap.trained.euler_2.rk4.accuracy.min|.1%}} to {{solver_swap.trained.euler_2.rk4.accuracy.max|.1%}} | {{solver_swap.trained.euler_2.flow.accuracy.min|.1%}} to {{solver_swap.trained.euler_2.flow.accuracy.max|.1%}} | {{solver_swap.trained.euler_2.flow.changed.min|.1%}} to {{solver_swap.trained.euler_2.flow.changed.max|.1%}} |
# | Euler, 4 steps | {{solver_swap.trained.euler_4.as_trained.accuracy.min|.1%}} to {{solver_swap.trained.euler_4.as_trained.accuracy.max|.1%}} | {{solver_swap.trained.euler_4.twice.accuracy.min|.1%}} to {{solver_swap.trained.euler_4.twice.accuracy.max|.1%}} | {{solver_swap.trained.euler_4.rk4.accuracy.min|.1%}} to {{solver_swap.trained.euler_4.rk4.accuracy.max|.1%}} | {{solver_swap.trained.euler_4.flow.accuracy.min|.1%}} to {{solver_swap.trained.euler_4.flow.accuracy.max|.1%}} | {{solver_swap.trained.euler_4.flow.changed.min|.1%}} to {{solver_swap.trained.euler_4.flow.changed.max|.1%}} |
# | Euler, 8 steps | {{solver_swap.trained.euler_8.as_trained.accuracy.min|.1%}} to {{solver_swap.trained.euler_8.as_trained.accuracy.max|.1%}} | {{solver_swap.trained.euler_8.twice.accuracy.min|.1%}} to {{solver_swap.trained.euler_8.twice.accuracy.max|.1%}} | {{solver_swap.trained.euler_8.rk4.accuracy.min|.1%}} to {{solver_swap.trained.euler_8.rk4.accuracy.max|.1%}} | {{solver_swap.trained.euler_8.flow.accuracy.min|.1%}} to {{solver_swap.trained.euler_8.flow.accuracy.max|.1%}} | {{solver_swap.trained.euler_8.flow.changed.min|.1%}} to {{solver_swap.trained.euler_8.flow.changed.max|.1%}} |
# | RK4, 2 steps | {{solver_swap.trained.rk4_2.as_trained.accuracy.min|.1%}} to {{solver_swap.trained.rk4_2.as_trained.accuracy.max|.1%}} | (RK4) {{solver_swap.trained.rk4_2.twice.accuracy.min|.1%}} to {{solver_swap.trained.rk4_2.twice.accuracy.max|.1%}} | the same | {{solver_swap.trained.rk4_2.flow.accuracy.min|.1%}} to {{solver_swap.trained.rk4_2.flow.accuracy.max|.1%}} | {{solver_swap.trained.rk4_2.flow.changed.min|.1%}} to {{solver_swap.trained.rk4_2.flow.changed.max|.1%}} |
#
# **Trained with few steps, the block has learned its solver.** Run a block of one Euler step as a flow: its end state moves by {{solver_swap.trained.euler_1.flow.distance.min|.0%}} to {{solver_swap.trained.euler_1.flow.distance.max|.0%}} of its size, and in the median run the accuracy falls by {{solver_swap.trained.euler_1.flow.drop.median|.1%}} (here and below in percentage points).
#
# **Trained with more steps, it comes close to a flow.** With 8 Euler steps the end state moves by {{solver_swap.trained.euler_8.flow.distance.min|.0%}} to {{solver_swap.trained.euler_8.flow.distance.max|.0%}}, and in the median run the accuracy falls by {{solver_swap.trained.euler_8.flow.drop.median|.1%}}. With {{solver_swap.seeds}} seeds one can tell a mean fall from none if it is about {{solver_swap.trained.euler_8.flow.drop.detectable|.1%}} or more. So the fall is real, and small. Two steps of RK4 need the same 8 evaluations, and the end state moves by {{solver_swap.trained.rk4_2.flow.distance.median|.0%}}.
#
# **Being a good ODE did not buy accuracy.** As trained, the block with one Euler step was right most often, by the medians. Its worst run ({{solver_swap.trained.euler_1.as_trained.accuracy.min|.1%}}) is better than the best run with 8 Euler steps ({{solver_swap.trained.euler_8.as_trained.accuracy.max|.1%}}) or with RK4 ({{solver_swap.trained.rk4_2.as_trained.accuracy.max|.1%}}); its range overlaps with those of 2 and 4 Euler steps.
#
# That a block trained with coarse steps does not survive a change of solver was described by Ott and others (2021). The numbers here are ours, from one small task; where the border between "solver" and "flow" lies depends on the task.

# %% [markdown] question="what_was_learnt"
# **Checkpoint.**

# %%
checkpoint("02.what_was_learnt", ...)

# %% [markdown]
# ## Summary
#
# - A Runge-Kutta method looks ahead several times and steps with a weighted mean of the slopes. Its tableau says all.
# - The order follows from eight conditions, and it is a promise about short steps. Compare methods by evaluations, not by steps.
# - An ODE block has one field. Steps and stages cost time and no weights, so the solver can be exchanged after training.
# - Whether the answer survives the exchange is a test. If it does not, the network was fitted to the errors of its solver.
#
# **Still open.** In the figure of section 3, RK4 with one long step lost to Euler. When is a step too long? Not order but *stability* answers that: lesson 03. And why choose one step for the whole way? Lesson 04 lets the solver choose.
#
# **To read**
#
# - E. Hairer, S. P. Nørsett, G. Wanner, *Solving Ordinary Differential Equations I*, sections II.1 and II.2: Runge-Kutta methods, and the trees behind the conditions.
# - R. T. Q. Chen and others, *Neural Ordinary Differential Equations*, NeurIPS 2018.
# - K. Ott, P. Katiyar, P. Hennig, M. Tiemann, *ResNet After All: Neural ODEs and Their Numerical Solution*, ICLR 2021.

# %% wrong="heun_step" shows="look-ahead-ignored" outcome="not yet"
def heun_step(f, t, y, h):
    k1 = f(t, y)
    k2 = f(t + h, y)
    return y + h * (k1 + k2) / 2

# %% wrong="heun_step" shows="mean-forgotten" outcome="not yet"
def heun_step(f, t, y, h):
    k1 = f(t, y)
    return y + h * (k1 + f(t + h, y + h * k1))

# %% wrong="heun_step" shows="half-of-one" outcome="not yet"
def heun_step(f, t, y, h):
    k1 = f(t, y)
    return y + h * (1 / 2 * k1 + f(t + h, y + h * k1))

# %% wrong="heun_step" shows="trial-without-step" outcome="not yet"
def heun_step(f, t, y, h):
    k1 = f(t, y)
    k2 = f(t + h, y + k1)
    return y + h * (k1 + k2) / 2

# %% wrong="heun_step" shows="state-overwritten" outcome="not yet"
def heun_step(f, t, y, h):
    k1 = f(t, y)
    y = y + h * k1
    return y + h * (k1 + f(t + h, y)) / 2

# %% wrong="heun_step" shows="time-not-advanced" outcome="not yet"
def heun_step(f, t, y, h):
    k1 = f(t, y)
    return y + h / 2 * (k1 + f(t, y + h * k1))

# %% wrong="heun_step" shows="midpoint" outcome="not yet"
def heun_step(f, t, y, h):
    return y + h * f(t + h / 2, y + h / 2 * f(t, y))

# %% wrong="heun_step" shows="wasted-evaluations" outcome="not yet"
def heun_step(f, t, y, h):
    return y + h * (f(t, y) + f(t + h, y + h * f(t, y))) / 2

# %% wrong="heun_step" shows="mutates-input" outcome="not yet"
def heun_step(f, t, y, h):
    k1 = f(t, y)
    trial = y
    trial += h * k1
    return trial + h * (f(t + h, trial) - k1) / 2

# %% variant="heun_step" style="Euler's step as the trial"
def heun_step(f, t, y, h):
    def euler(slope):
        return y + h * slope

    start = f(t, y)
    return euler(0.5 * start + 0.5 * f(t + h, euler(start)))

# %% variant="heun_step" style="mean of two Euler steps"
def heun_step(f, t, y, h):
    looked = y + h * f(t, y)
    return (y + looked + h * f(t + h, looked)) / 2

# %% variant="heun_step" style="NumPy mean"
def heun_step(f, t, y, h):
    slopes = [np.asarray(f(t, y))]
    slopes.append(np.asarray(f(t + h, y + np.multiply(h, slopes[0]))))
    return y + h * np.mean(slopes, axis=0)

# %% probe="heun_step"
def probe(answer, draw):
    shape = tuple(int(n) for n in draw.integers(1, 4, size=int(draw.integers(1, 4))))
    y, k = draw.normal(size=shape), draw.normal(size=shape)
    t, h = draw.normal(size=2)
    return [answer(lambda t, y: np.cos(t * y) * k + y, t, y, h)]

# %% wrong="rk_step" shows="stage-times-forgotten" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    slopes = []
    for row in A:
        slopes.append(f(t, y + h * sum(a * k for a, k in zip(row, slopes))))
    return y + h * sum(w * k for w, k in zip(b, slopes))

# %% wrong="rk_step" shows="stage-times-without-step" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    slopes = []
    for row, ci in zip(A, c):
        slopes.append(f(t + ci, y + h * sum(a * k for a, k in zip(row, slopes))))
    return y + h * sum(w * k for w, k in zip(b, slopes))

# %% wrong="rk_step" shows="step-size-twice" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    changes = []
    for row, ci in zip(A, c):
        changes.append(h * f(t + ci * h, y + h * sum(a * k for a, k in zip(row, changes))))
    return y + h * sum(w * k for w, k in zip(b, changes))

# %% wrong="rk_step" shows="stage-without-step" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    slopes = []
    for row, ci in zip(A, c):
        slopes.append(f(t + ci * h, y + sum(a * k for a, k in zip(row, slopes))))
    return y + h * sum(w * k for w, k in zip(b, slopes))

# %% wrong="rk_step" shows="b-in-stages" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    slopes = []
    for ci in c:
        slopes.append(f(t + ci * h, y + h * sum(w * k for w, k in zip(b, slopes))))
    return y + h * sum(w * k for w, k in zip(b, slopes))

# %% wrong="rk_step" shows="stages-ignored" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    slopes = [f(t + ci * h, y) for ci in c]
    return y + h * sum(w * k for w, k in zip(b, slopes))

# %% wrong="rk_step" shows="state-overwritten" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    slopes = []
    for row, ci in zip(A, c):
        y = y + h * sum(a * k for a, k in zip(row, slopes))
        slopes.append(f(t + ci * h, y))
    return y + h * sum(w * k for w, k in zip(b, slopes))

# %% wrong="rk_step" shows="stages-chained" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    slopes, trial = [], y
    for row, ci in zip(A, c):
        trial = trial + h * sum(a * k for a, k in zip(row, slopes))
        slopes.append(f(t + ci * h, trial))
    return y + h * sum(w * k for w, k in zip(b, slopes))

# %% wrong="rk_step" shows="wasted-evaluations" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    def slope(i):
        return f(t + c[i] * h, y + h * sum(A[i, j] * slope(j) for j in range(i)))
    return y + h * sum(b[i] * slope(i) for i in range(len(b)))

# %% wrong="rk_step" shows="change-not-state" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    slopes = []
    for row, ci in zip(A, c):
        slopes.append(f(t + ci * h, y + h * sum(a * k for a, k in zip(row, slopes))))
    return h * sum(w * k for w, k in zip(b, slopes))

# %% wrong="rk_step" shows="step-size-forgotten" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    slopes = []
    for row, ci in zip(A, c):
        slopes.append(f(t + ci * h, y + h * sum(a * k for a, k in zip(row, slopes))))
    return y + sum(w * k for w, k in zip(b, slopes))

# %% wrong="rk_step" shows="step-size-twice" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    k = []
    for i in range(len(b)):
        k.append(h * f(t + c[i] * h, y + h * sum(A[i, j] * k[j] for j in range(i))))
    return y + sum(b[i] * k[i] for i in range(len(b)))

# %% wrong="rk_step" shows="stages-missing" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    k1 = f(t, y)
    k2 = f(t + c[1] * h, y + h * A[1, 0] * k1)
    return y + h * (b[0] * k1 + b[1] * k2)

# %% wrong="rk_step" shows="earlier-slopes-forgotten" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    k = [f(t, y)]
    for i in range(1, len(b)):
        k.append(f(t + c[i] * h, y + h * A[i, i - 1] * k[i - 1]))
    return y + h * sum(w * slope for w, slope in zip(b, k))

# %% wrong="rk_step" shows="earlier-slopes-forgotten" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    k = [f(t, y)]
    for i in range(1, len(b)):
        k.append(f(t + c[i] * h, y + h * c[i] * k[i - 1]))
    return y + h * sum(w * slope for w, slope in zip(b, k))

# %% wrong="rk_step" shows="arguments-swapped" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    k = []
    for i in range(len(b)):
        k.append(f(y + h * sum(A[i, j] * k[j] for j in range(i)), t + c[i] * h))
    return y + h * sum(w * slope for w, slope in zip(b, k))

# %% wrong="rk_step" shows="mutates-input" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    k = []
    for i in range(len(b)):
        yi = y
        for j in range(i):
            yi += h * A[i, j] * k[j]
        k.append(f(t + c[i] * h, yi))
    return y + h * sum(w * slope for w, slope in zip(b, k))

# %% wrong="rk_step" shows="mutates-slope" outcome="not yet"
def rk_step(A, b, c, f, t, y, h):
    changes = []
    for row, node in zip(A, c):
        state = y + sum(weight * change for weight, change in zip(row, changes))
        change = f(t + node * h, state)
        change *= h
        changes.append(change)
    return y + sum(weight * change for weight, change in zip(b, changes))

# %% wrong="rk_step" shows="scalar-only" outcome="crashed"
def rk_step(A, b, c, f, t, y, h):
    k = np.zeros(len(b))
    for i in range(len(b)):
        k[i] = f(t + c[i] * h, y + h * A[i] @ k)
    return y + h * b @ k

# %% variant="rk_step" style="zip over rows"
def rk_step(A, b, c, f, t, y, h):
    slopes = []
    for row, node in zip(A, c):
        trial = y
        for weight, slope in zip(row, slopes):
            trial = trial + h * weight * slope
        slopes.append(f(t + node * h, trial))
    return y + h * sum(weight * slope for weight, slope in zip(b, slopes))

# %% variant="rk_step" style="one array of slopes"
def rk_step(A, b, c, f, t, y, h):
    k = np.zeros((len(b), *np.shape(y)))
    for i in range(len(b)):
        k[i] = f(t + c[i] * h, y + h * np.tensordot(A[i], k, axes=1))
    return y + h * np.tensordot(b, k, axes=1)

# %% variant="rk_step" style="changes instead of slopes"
def rk_step(A, b, c, f, t, y, h):
    changes = []
    for i, node in enumerate(c):
        looked_at = y + sum(A[i][j] * each for j, each in enumerate(changes))
        changes.append(np.multiply(h, f(t + h * node, looked_at)))
    result = np.array(y, dtype=float)
    for weight, each in zip(b, changes):
        result = result + weight * each
    return result

# %% probe="rk_step"
def probe(answer, draw):
    s = int(draw.integers(1, 6))
    A = np.tril(draw.normal(size=(s, s)), -1)
    b = draw.normal(size=s)
    c = A.sum(axis=1)
    shape = tuple(int(n) for n in draw.integers(1, 4, size=int(draw.integers(1, 4))))
    y, k = draw.normal(size=shape), draw.normal(size=shape)
    t, h = draw.normal(size=2)
    return [answer(A, b, c, lambda t, y: np.cos(t * y) * k + y, t, y, h)]

# %% wrong="order_conditions" shows="quadrature-only" outcome="not yet"
def order_conditions(A, b, c):
    order = 0
    for p in (1, 2, 3, 4):
        if abs(b @ c ** (p - 1) - 1 / p) > 1e-8:
            break
        order = p
    return order

# %% wrong="order_conditions" shows="stages-are-order" outcome="not yet"
def order_conditions(A, b, c):
    return len(b) if abs(sum(b) - 1) < 1e-8 else 0

# %% wrong="order_conditions" shows="later-orders-repair" outcome="not yet"
def order_conditions(A, b, c):
    near = lambda value, want: abs(value - want) < 1e-8
    order = 0
    if near(b.sum(), 1):
        order = 1
    if near(b @ c, 1 / 2):
        order = 2
    if near(b @ c**2, 1 / 3) and near(b @ A @ c, 1 / 6):
        order = 3
    if (near(b @ c**3, 1 / 4) and near(b @ (c * (A @ c)), 1 / 8)
            and near(b @ A @ c**2, 1 / 12) and near(b @ A @ A @ c, 1 / 24)):
        order = 4
    return order

# %% wrong="order_conditions" shows="counts-conditions" outcome="not yet"
def order_conditions(A, b, c):
    differences = [b.sum() - 1, b @ c - 1 / 2, b @ c**2 - 1 / 3, b @ A @ c - 1 / 6,
                   b @ c**3 - 1 / 4, b @ (c * (A @ c)) - 1 / 8, b @ A @ c**2 - 1 / 12,
                   b @ A @ A @ c - 1 / 24]
    return sum(abs(each) < 1e-8 for each in differences)

# %% wrong="order_conditions" shows="tolerance-too-wide" outcome="not yet"
def order_conditions(A, b, c):
    groups = [
        [b.sum() - 1],
        [b @ c - 1 / 2],
        [b @ c**2 - 1 / 3, b @ A @ c - 1 / 6],
        [b @ c**3 - 1 / 4, (b * c) @ A @ c - 1 / 8, b @ A @ c**2 - 1 / 12, b @ A @ A @ c - 1 / 24],
    ]
    order = 0
    for errors in groups:
        if max(abs(error) for error in errors) > 1e-3:
            break
        order += 1
    return order

# %% wrong="order_conditions" shows="exact-equality" outcome="not yet"
def order_conditions(A, b, c):
    conditions = [
        [sum(b) == 1],
        [b @ c == 1 / 2],
        [b @ c**2 == 1 / 3, b @ A @ c == 1 / 6],
        [b @ c**3 == 1 / 4, b @ (c * (A @ c)) == 1 / 8, b @ A @ c**2 == 1 / 12, b @ A @ A @ c == 1 / 24],
    ]
    order = 0
    while order < 4 and all(conditions[order]):
        order += 1
    return order

# %% wrong="order_conditions" shows="condition-forgotten" outcome="not yet"
def order_conditions(A, b, c):
    conditions = [[b.sum() - 1], [b @ c - 1 / 2], [b @ c**2 - 1 / 3, b @ A @ c - 1 / 6],
                  [b @ c**3 - 1 / 4, b @ A @ c**2 - 1 / 12, b @ A @ A @ c - 1 / 24]]
    order = 0
    while order < 4 and max(map(abs, conditions[order])) < 1e-8:
        order += 1
    return order

# %% wrong="order_conditions" shows="abs-forgotten" outcome="not yet"
def order_conditions(A, b, c):
    conditions = [[b.sum() - 1], [b @ c - 1 / 2], [b @ c**2 - 1 / 3, b @ A @ c - 1 / 6],
                  [b @ c**3 - 1 / 4, b @ (c * (A @ c)) - 1 / 8, b @ A @ c**2 - 1 / 12,
                   b @ A @ A @ c - 1 / 24]]
    order = 0
    while order < 4 and max(conditions[order]) < 1e-8:
        order += 1
    return order

# %% wrong="order_conditions" shows="sum-misread" outcome="not yet"
def order_conditions(A, b, c):
    conditions = [[b.sum() - 1], [b @ c - 1 / 2], [b @ c**2 - 1 / 3, b @ A @ c - 1 / 6],
                  [b @ c**3 - 1 / 4, b @ (c * (A @ c)) - 1 / 8, b @ A @ c**2 - 1 / 12,
                   b @ A**2 @ c - 1 / 24]]
    order = 0
    while order < 4 and max(map(abs, conditions[order])) < 1e-8:
        order += 1
    return order

# %% wrong="order_conditions" shows="sum-misread" outcome="not yet"
def order_conditions(A, b, c):
    conditions = [[b.sum() - 1], [b @ c - 1 / 2], [b @ c**2 - 1 / 3, c @ A @ b - 1 / 6],
                  [b @ c**3 - 1 / 4, b @ (c * (A @ c)) - 1 / 8, b @ A @ c**2 - 1 / 12,
                   b @ A @ A @ c - 1 / 24]]
    order = 0
    while order < 4 and max(map(abs, conditions[order])) < 1e-8:
        order += 1
    return order

# %% variant="order_conditions" style="np.isclose with its own tolerances"
def order_conditions(A, b, c):
    sums = [[b.sum()], [b @ c], [b @ c**2, b @ A @ c],
            [b @ c**3, (b * c) @ A @ c, b @ A @ c**2, b @ A @ A @ c]]
    wants = [[1], [1 / 2], [1 / 3, 1 / 6], [1 / 4, 1 / 8, 1 / 12, 1 / 24]]
    order = 0
    for got, want in zip(sums, wants):
        if not np.isclose(got, want).all():
            break
        order += 1
    return order

# %% variant="order_conditions" style="loops over all indices"
def order_conditions(A, b, c):
    s = range(len(b))
    sums = {
        1: [(sum(b[i] for i in s), 1)],
        2: [(sum(b[i] * c[i] for i in s), 1 / 2)],
        3: [
            (sum(b[i] * c[i] ** 2 for i in s), 1 / 3),
            (sum(b[i] * A[i][j] * c[j] for i in s for j in s), 1 / 6),
        ],
        4: [
            (sum(b[i] * c[i] ** 3 for i in s), 1 / 4),
            (sum(b[i] * c[i] * A[i][j] * c[j] for i in s for j in s), 1 / 8),
            (sum(b[i] * A[i][j] * c[j] ** 2 for i in s for j in s), 1 / 12),
            (sum(b[i] * A[i][j] * A[j][k] * c[k] for i in s for j in s for k in s), 1 / 24),
        ],
    }
    for p in (1, 2, 3, 4):
        if any(abs(got - want) > 1e-8 for got, want in sums[p]):
            return p - 1
    return 4

# %% variant="order_conditions" style="einsum and allclose"
def order_conditions(A, b, c):
    got = [np.einsum("i->", b), np.einsum("i,i->", b, c), np.einsum("i,i,i->", b, c, c),
           np.einsum("i,ij,j->", b, A, c), np.einsum("i,i,i,i->", b, c, c, c),
           np.einsum("i,i,ij,j->", b, c, A, c), np.einsum("i,ij,j,j->", b, A, c, c),
           np.einsum("i,ij,jk,k->", b, A, A, c)]
    want = 1 / np.array([1, 2, 3, 6, 4, 8, 12, 24])
    order = np.array([1, 2, 3, 3, 4, 4, 4, 4])
    wrong = order[~np.isclose(got, want, rtol=0, atol=1e-8)]
    return int(wrong.min()) - 1 if wrong.size else 4

# %% variant="order_conditions" style="trees without c"
def order_conditions(A, b, c):
    one = np.ones(len(b))
    first, second = A @ one, A @ A @ one
    if not np.isclose(one @ b, 1):
        return 0
    if not np.isclose(first @ b, 0.5):
        return 1
    if not (np.isclose(first**2 @ b, 1 / 3) and np.isclose(second @ b, 1 / 6)):
        return 2
    fourth = [first**3 @ b * 4, (first * second) @ b * 8, A @ first**2 @ b * 12, A @ second @ b * 24]
    return 4 if np.allclose(fourth, 1) else 3

# %% probe="order_conditions"
def probe(answer, draw):
    def solve_for_b(A, number, off):
        c = A.sum(axis=1)
        rows = np.array([c**0, c, c**2, A @ c, c**3, c * (A @ c), A @ c**2, A @ A @ c])
        right = 1 / np.array([1, 2, 3, 6, 4, 8, 12, 24])
        right[number] += off
        return np.linalg.lstsq(rows, right, rcond=None)[0], c
    A = np.tril(draw.uniform(-1, 1, size=(9, 9)), -1)
    found = []
    for number in range(8):
        for off in (0.0, draw.uniform(0.01, 0.3), -draw.uniform(0.01, 0.3)):
            b, c = solve_for_b(A, number, off)
            found.append(answer(A, b, c))
    return found

# %% wrong="rk4_tableau" shows="three-eighths" outcome="not yet"
def rk4_tableau():
    A = np.array([[0, 0, 0, 0], [1 / 3, 0, 0, 0], [-1 / 3, 1, 0, 0], [1, -1, 1, 0]])
    return A, np.array([1, 3, 3, 1]) / 8, np.array([0, 1 / 3, 2 / 3, 1])

# %% wrong="rk4_tableau" shows="equal-weights" outcome="not yet"
def rk4_tableau():
    A = np.array([[0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 1 / 2, 0, 0], [0, 0, 1, 0]])
    return A, np.full(4, 1 / 4), np.array([0, 1 / 2, 1 / 2, 1])

# %% wrong="rk4_tableau" shows="weights-not-normalised" outcome="not yet"
def rk4_tableau():
    A = np.array([[0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 1 / 2, 0, 0], [0, 0, 1, 0]])
    return A, np.array([1, 2, 2, 1]), np.array([0, 1 / 2, 1 / 2, 1])

# %% wrong="rk4_tableau" shows="transposed" outcome="not yet"
def rk4_tableau():
    A = np.array([[0, 1 / 2, 0, 0], [0, 0, 1 / 2, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    return A, np.array([1, 2, 2, 1]) / 6, np.array([0, 1 / 2, 1 / 2, 1])

# %% wrong="rk4_tableau" shows="row-sums" outcome="not yet"
def rk4_tableau():
    A = np.array([[0, 0, 0, 0], [1 / 2, 0, 0, 0], [1 / 2, 1 / 2, 0, 0], [0, 0, 1, 0]])
    return A, np.array([1, 2, 2, 1]) / 6, np.array([0, 1 / 2, 1 / 2, 1])

# %% wrong="rk4_tableau" shows="another-order-four" outcome="not yet"
def rk4_tableau():
    A = np.array([[0, 0, 0, 0], [1 / 4, 0, 0, 0], [0, 1 / 2, 0, 0], [1, -2, 2, 0]])
    return A, np.array([1 / 6, 0, 2 / 3, 1 / 6]), np.array([0, 1 / 4, 1 / 2, 1])

# %% wrong="rk4_tableau" shows="wrong-weights" outcome="not yet"
def rk4_tableau():
    A = np.array([[0, 0, 0, 0], [1 / 2, 0, 0, 0], [1 / 2, 0, 0, 0], [1, 0, 0, 0]])
    return A, np.array([1, 2, 2, 1]) / 6, np.array([0, 1 / 2, 1 / 2, 1])

# %% wrong="rk4_tableau" shows="exchanged" outcome="not yet"
def rk4_tableau():
    A = np.array([[0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 1 / 2, 0, 0], [0, 0, 1, 0]])
    return A, np.array([0, 1 / 2, 1 / 2, 1]), np.array([1, 2, 2, 1]) / 6

# %% wrong="rk4_tableau" shows="integers" outcome="not yet"
def rk4_tableau():
    A = np.zeros((4, 4), dtype=int)
    A[1, 0] = A[2, 1] = 0.5
    A[3, 2] = 1
    return A, np.array([1, 2, 2, 1]) / 6, np.array([0, 1 / 2, 1 / 2, 1])

# %% variant="rk4_tableau" style="filled in"
def rk4_tableau():
    A = np.zeros((4, 4))
    A[1, 0] = A[2, 1] = 0.5
    A[3, 2] = 1
    return A, np.array([1 / 6, 1 / 3, 1 / 3, 1 / 6]), A.sum(axis=1)

# %% variant="rk4_tableau" style="lists"
def rk4_tableau():
    return [[[0, 0, 0, 0], [0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 1, 0]],
            [1 / 6, 2 / 6, 2 / 6, 1 / 6], [0, 0.5, 0.5, 1]]

# %% variant="rk4_tableau" style="a diagonal"
def rk4_tableau():
    A = np.diag([0.5, 0.5, 1.0], k=-1)
    weights = np.array([1.0, 2.0, 2.0, 1.0])
    return A, weights / weights.sum(), A @ np.ones(4)

# %% probe="rk4_tableau"
def probe(answer, draw):
    return [np.asarray(part, dtype=float) for part in answer()]

# %% wrong="ODEBlock" shows="step-size-one" outcome="not yet"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        y = inputs
        for i in range(self.num_steps):
            y = self.solver(lambda t, y: self.field(y), float(i), y, 1.0)
        return y

# %% wrong="ODEBlock" shows="weights-per-step" outcome="not yet"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps
        self.fields = [type(field).from_config(field.get_config()) for _ in range(num_steps)]

    def call(self, inputs):
        h, y = 1 / self.num_steps, inputs
        for i, field in enumerate(self.fields):
            y = self.solver(lambda t, y: field(y), i * h, y, h)
        return y

# %% wrong="ODEBlock" shows="weights-not-tracked" outcome="not yet"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.slope = lambda t, y: field(y)
        self.solver, self.num_steps = solver, num_steps

    def call(self, inputs):
        h, y = 1 / self.num_steps, inputs
        for i in range(self.num_steps):
            y = self.solver(self.slope, i * h, y, h)
        return y

# %% wrong="ODEBlock" shows="solver-ignored" outcome="not yet"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        y = inputs
        for _ in range(self.num_steps):
            y = y + self.field(y) / self.num_steps
        return y

# %% wrong="ODEBlock" shows="restarts" outcome="not yet"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        h = 1 / self.num_steps
        for i in range(self.num_steps):
            y = self.solver(lambda t, y: self.field(y), i * h, inputs, h)
        return y

# %% wrong="ODEBlock" shows="same-slope" outcome="not yet"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        h, y = 1 / self.num_steps, inputs
        for i in range(self.num_steps):
            y = self.solver(lambda t, y: self.field(inputs), i * h, y, h)
        return y

# %% wrong="ODEBlock" shows="num-steps-not-kept" outcome="not yet"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.steps = field, solver, num_steps

    def call(self, inputs):
        h, y = 1 / self.steps, inputs
        for i in range(self.steps):
            y = self.solver(lambda t, y: self.field(y), i * h, y, h)
        return y

# %% wrong="ODEBlock" shows="time-not-advanced" outcome="not yet"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        h, y = 1 / self.num_steps, inputs
        for _ in range(self.num_steps):
            y = self.solver(lambda t, y: self.field(y), 0.0, y, h)
        return y

# %% wrong="ODEBlock" shows="gradient-lost" outcome="not yet"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        h, y = 1 / self.num_steps, inputs
        for i in range(self.num_steps):
            y = self.solver(lambda t, y: keras.ops.stop_gradient(self.field(y)), i * h, y, h)
        return y

# %% wrong="ODEBlock" shows="field-takes-time" outcome="crashed"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        h, y = 1 / self.num_steps, inputs
        for i in range(self.num_steps):
            y = self.solver(self.field, i * h, y, h)
        return y

# %% wrong="ODEBlock" shows="arguments-swapped" outcome="crashed"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        h, y = 1 / self.num_steps, inputs
        for i in range(self.num_steps):
            y = self.solver(lambda y, t: self.field(y), i * h, y, h)
        return y

# %% wrong="ODEBlock" shows="solver-arguments-swapped" outcome="crashed"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        h, y = 1 / self.num_steps, inputs
        for i in range(self.num_steps):
            y = self.solver(lambda t, y: self.field(y), y, i * h, h)
        return y

# %% wrong="ODEBlock" shows="numpy-on-tensors" outcome="crashed"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def call(self, inputs):
        h, y = 1 / self.num_steps, np.array(inputs)
        for i in range(self.num_steps):
            y = self.solver(lambda t, y: self.field(y), i * h, y, h)
        return y

# %% variant="ODEBlock" style="builds its field, loops over times"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field, self.solver, self.num_steps = field, solver, num_steps

    def build(self, input_shape):
        if not self.field.built:
            self.field.build(input_shape)

    def slope(self, t, y):
        return self.field(y)

    def call(self, inputs):
        times = np.linspace(0.0, 1.0, self.num_steps + 1).tolist()
        y = inputs
        for start, end in zip(times[:-1], times[1:]):
            y = self.solver(self.slope, start, y, end - start)
        return y

# %% variant="ODEBlock" style="a running clock"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.field = field
        self.num_steps = num_steps
        self.solver = solver

    def call(self, inputs):
        def f(t, y):
            return self.field(y)

        t, y, left = 0.0, inputs, self.num_steps
        while left:
            y = self.solver(f, t, y, 1.0 / self.num_steps)
            t += 1.0 / self.num_steps
            left -= 1
        return y

    def compute_output_shape(self, input_shape):
        return input_shape

# %% variant="ODEBlock" style="reduce, and tensors for time"
class ODEBlock(keras.layers.Layer):
    def __init__(self, field, solver, num_steps=4, **kwargs):
        super().__init__(**kwargs)
        self.num_steps, self.solver, self.field = num_steps, solver, field

    def call(self, inputs):
        from functools import reduce

        h = keras.ops.convert_to_tensor(1.0 / self.num_steps, dtype=inputs.dtype)
        f = lambda t, y: self.field(y)
        starts = [i / self.num_steps for i in range(self.num_steps)]
        return reduce(lambda y, t: self.solver(f, t, y, h), starts, inputs)

# %% probe="ODEBlock"
def probe(answer, draw):
    size, num_steps = int(draw.integers(1, 4)), int(draw.integers(1, 6))
    field = keras.layers.Dense(size)
    field.build((None, size))
    field.set_weights([draw.normal(size=(size, size)), draw.normal(size=size)])
    def step(f, t, y, h):
        return y + h * f(t, y) * (1.0 + t) + h * h
    layer = answer(field, step, num_steps, name="flow")
    default = answer(field, step)
    x = draw.normal(size=(2, size)).astype("float32")
    facts = [len(layer.name), layer.num_steps, default.num_steps, layer.solver is step,
             layer.field is field]
    return [layer(x), default(x), np.array(facts, int), len(layer.trainable_weights)]

# %% wrong="swap_solver" shows="weights-copied" outcome="not yet"
def swap_solver(block, solver, num_steps):
    field = type(block.field).from_config(block.field.get_config())
    field.build((None, block.field.kernel.shape[0]))
    field.set_weights(block.field.get_weights())
    return ODEBlock(field, solver, num_steps)

# %% wrong="swap_solver" shows="new-weights" outcome="not yet"
def swap_solver(block, solver, num_steps):
    field = type(block.field).from_config(block.field.get_config())
    return ODEBlock(field, solver, num_steps)

# %% wrong="swap_solver" shows="original-changed" outcome="not yet"
def swap_solver(block, solver, num_steps):
    block.solver = solver
    block.num_steps = num_steps
    return block

# %% wrong="swap_solver" shows="num-steps-ignored" outcome="not yet"
def swap_solver(block, solver, num_steps):
    return ODEBlock(block.field, solver, block.num_steps)

# %% wrong="swap_solver" shows="solver-ignored" outcome="not yet"
def swap_solver(block, solver, num_steps):
    return ODEBlock(block.field, block.solver, num_steps)

# %% wrong="swap_solver" shows="weights-copied" outcome="not yet"
def swap_solver(block, solver, num_steps):
    import copy

    field = copy.deepcopy(block.field)
    return ODEBlock(field, solver, num_steps)

# %% wrong="swap_solver" shows="wrong-type" outcome="not yet"
def swap_solver(block, solver, num_steps):
    return lambda x: solver(lambda t, y: block.field(y), 0.0, x, 1 / num_steps)

# %% wrong="swap_solver" shows="block-as-field" outcome="not yet"
def swap_solver(block, solver, num_steps):
    return ODEBlock(block, solver, num_steps)

# %% wrong="swap_solver" shows="block-copied" outcome="not yet"
def swap_solver(block, solver, num_steps):
    import copy

    new = copy.deepcopy(block)
    new.solver, new.num_steps = solver, num_steps
    return new

# %% wrong="swap_solver" shows="block-copied" outcome="not yet"
def swap_solver(block, solver, num_steps):
    import copy

    new = copy.copy(block)
    new.solver, new.num_steps = solver, num_steps
    return new

# %% wrong="swap_solver" shows="block-copied" outcome="not yet"
def swap_solver(block, solver, num_steps):
    new = keras.models.clone_model(block)
    new.solver, new.num_steps = solver, num_steps
    return new

# %% variant="swap_solver" style="names the class"
def swap_solver(block, solver, num_steps):
    return ODEBlock(block.field, solver, num_steps)

# %% variant="swap_solver" style="keywords"
def swap_solver(block, solver, num_steps):
    same_field = block.field
    return block.__class__(field=same_field, solver=solver, num_steps=num_steps)

# %% variant="swap_solver" style="a subclass that keeps the original"
def swap_solver(block, solver, num_steps):
    class Swapped(ODEBlock):
        def __init__(self, original, *args):
            super().__init__(original.field, *args)

    return Swapped(block, solver, num_steps)

# %% probe="swap_solver"
def probe(answer, draw):
    size = int(draw.integers(1, 4))
    field = keras.layers.Dense(size)
    field.build((None, size))
    field.set_weights([draw.normal(size=(size, size)), draw.normal(size=size)])
    def step(f, t, y, h):
        return y + h * f(t, y) * (1.0 + t)
    block = ODEBlock(field, step, int(draw.integers(1, 4)))
    new = answer(block, lambda f, t, y, h: step(f, t, y, h) + h, int(draw.integers(4, 7)))
    x = draw.normal(size=(2, size)).astype("float32")
    return [new(x), block(x), new is block, new.field is field]
