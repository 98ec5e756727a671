# %% [markdown]
# # Lesson 04 · Adaptive steps
#
# **How long should a step be, if nobody knows the solution?**
#
# In lessons 01 to 03 you chose the step. Here a solver chooses it, from what it sees on the way. After this lesson you can
#
# - measure an error in units of what is allowed,
# - write a controller that chooses the next step,
# - build a solver that rejects its bad steps,
# - compare solvers by what accuracy costs,
# - detect, from slopes that you have anyway, that stability holds a step back.
#
# You need lesson 02 (Runge-Kutta steps, stages, order) and lesson 03 (stiffness, the border of stability). Plan 80 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.integrate import solve_ivp

from stepkit import ode, plots

# %% [markdown]
# ## 1. Two answers are better than one
#
# Van der Pol's oscillator creeps for a long time, jumps, and creeps again. Equal steps of RK4 meet it:

# %%
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=["#0072B2", "#D55E00", "#009E73", "#000000"])
oscillator = ode.problems.VanDerPol(mu=10.0, t_span=(0.0, 40.0))
exact = solve_ivp(
    oscillator.f, oscillator.t_span, oscillator.y0, method="DOP853", rtol=1e-10, atol=1e-10
)
end_state = exact.y[:, -1]
for steps in (400, 500, 1000):
    with np.errstate(all="ignore"):  # the first one overflows
        way = ode.odeint(oscillator.f, oscillator.y0, np.linspace(0, 40, steps + 1), solver="rk4")
    error = np.max(np.abs(way.ys[-1] - end_state))
    print(f"RK4, {steps:4} steps: {way.result}, error at the end {error:.4f}")
plt.plot(exact.t, exact.y[0])
plt.xlabel("time t")
plt.ylabel("position x")
plt.show()

# %% [markdown]
# *What the figure shows:* x falls slowly from 2 to 1, jumps to -2, creeps back, jumps again.
#
# With 400 steps the numbers overflow, with 500 the answer is useless, with 1000 it is good: the jumps decide, which take a small part of the time. A step that is short enough for them is wasted on the rest. A fixed step is always wrong somewhere.
#
# To choose, a solver needs an estimate of its error. It gets one by a second, cheaper answer. A method of order p errs by about $h^{p+1}$ in one step, and 1/h steps make $h^p$ of it. An *embedded pair* is one tableau with two rows of weights: from the same stages it makes an answer of order p + 1 and one of order p. Their difference estimates the error of the worse answer, with hardly any extra calls of `f`. (Going on with the better answer is called *local extrapolation*.)
#
# The next cell supplies such pairs: Bogacki and Shampine's of orders 3 and 2 (1989), and Dormand and Prince's of orders 5 and 4 (1980). A pair is called as `pair(f, t, y, h)`.

# %%
class Pair:
    """An embedded pair: pair(f, t, y, h) returns the state at t + h and its estimated error."""

    def __init__(self, solver):
        tableau = solver.tableau
        self.a, self.c = np.array(tableau.a), tableau.c
        self.weights = np.array([tableau.b, tableau.b_err])  # of the answer, of the difference
        self.order = tableau.embedded_order  # the order of the lower answer
        self.attempts = []  # a record: t, h, and the last two slopes and states

    def __call__(self, f, t, y, h):
        states, slopes = [y], [f(t, y)]
        for i in range(1, len(self.c)):
            states.append(y + h * np.tensordot(self.a[i, :i], slopes, axes=1))
            slopes.append(f(t + self.c[i] * h, states[i]))
        self.attempts.append((t, h, np.array(slopes[-2:]), np.array(states[-2:])))
        change, error = h * np.tensordot(self.weights, slopes, axes=1)
        return y + change, error


# %% [markdown] question="estimate"
# **Predict before you run.**

# %%
predict("04.estimate", ...)

# %%
def swing(t, y):
    return np.cos(t) * y


hs = 0.5 ** np.arange(1, 8)
bosh3 = Pair(ode.Bosh3())
answers = [bosh3(swing, 1.0, np.exp(np.sin(1.0)), h) for h in hs]  # from t = 1
one_step = {  # the exact solution is exp(sin t)
    "estimate": np.array([abs(error) for _, error in answers]),
    "true error": np.array([abs(y - np.exp(np.sin(1.0 + h))) for (y, _), h in zip(answers, hs)]),
}
plots.convergence(hs, one_step, orders=[3, 4]).set_title("One step of the pair")
plt.show()
predict("04.estimate")

# %% [markdown]
# *What the figure shows:* the estimate follows the line of slope 3. The true error of the answer that we keep lies below it, along slope 4. So the estimate is on the safe side as long as h is short: it belongs to the answer that is thrown away.
#
# Is an error of 0.001 large? That depends on the state, and on you. You name two tolerances: `rtol`, relative to the state, and `atol`, for entries near 0. Each entry may be wrong by
#
# $$\text{allowed}_i = \text{atol} + \text{rtol}\cdot\max(|y_i^\text{before}|,\ |y_i^\text{after}|).$$

# %% [markdown] exercise="error_norm"
# Return one number: divide the error by what is allowed, entry by entry, and take the root mean square over all entries (square, mean, square root). 1 then means "just allowed".
#
# All three arrays have the same shape, which may be any; numbers are possible too. Errors may be negative. A state may be 0: that is what `atol` is for. Two lines.

# %% answer="error_norm"
def error_norm(error, y_before, y_after, rtol, atol):
    """The size of an error in units of what is allowed.

    error, y_before, y_after: numbers, or arrays of one shape
    rtol, atol: positive numbers
    Returns a number >= 0.
    """
    # BEGIN SOLUTION
    allowed = atol + rtol * np.maximum(np.abs(y_before), np.abs(y_after))
    return np.sqrt(np.mean((error / allowed) ** 2))
    # END SOLUTION


# %%
check("04.error_norm")

# %% [markdown] help="error_norm"
# ## how do I take the larger of two arrays?
# `np.maximum(a, b)` compares entry by entry; `np.max` looks for the largest entry of one array. Take absolute values first.
# ## in which order?
# The name says it backwards: root, of the mean, of the squares. The division comes before all of them.
# ## Why
# Each entry has its own unit, so each is divided by its own allowance. The mean, instead of a sum, makes the norm of a state with a thousand entries comparable to that of two.

# %% [markdown]
# ## 2. The controller
#
# The estimate of a pair whose lower order is p goes like $h^{p+1}$. So if the norm was $e$, the step that would have given exactly 1 is $h\,e^{-1/(p+1)}$. Engineers call a rule that steers by what it has just measured a *controller*, and this one is the heart of *step-size control*:
#
# $$h_\text{next} = h \cdot \text{clip}\big(\text{safety}\cdot e^{-1/(p+1)},\ \text{smallest},\ \text{largest}\big)$$
#
# The safety factor aims a little below 1, because a rejected step is wasted work. The bounds distrust the estimate where it promises too much: far away from $h$ the power law need not hold.

# %% [markdown] question="eightfold"
# **Checkpoint.**

# %%
checkpoint("04.eightfold", ...)

# %% [markdown] exercise="step_controller"
# Write the formula above: return the next step. `order` is p, the lower order of the pair; *clip* means: no smaller than `smallest`, no larger than `largest`.
#
# Three edge cases. An error of 0 ends in the longest step that is allowed, `h * largest`. An error that is infinite or NaN (not a number; for instance because the state overflowed) ends in the shortest, `h * smallest`. And `h` may be negative, which it stays.
#
# About six lines.

# %% answer="step_controller"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    """The length of the next step.

    h: the step that was tried
    error: its error norm, a number >= 0, infinite or NaN
    order: int, the lower order of the pair
    safety, smallest, largest: positive numbers
    Returns a number.
    """
    # BEGIN SOLUTION
    if np.isnan(error):
        return h * smallest
    if error == 0:
        return h * largest
    factor = safety * error ** (-1 / (order + 1))
    return h * min(largest, max(smallest, factor))
    # END SOLUTION


# %%
check("04.step_controller")

# %% [markdown] help="step_controller"
# ## which power?
# A large error must give a small factor: the exponent is negative. And it takes the root of the *local* error, so p + 1, not p.
# ## what is wrong with NaN?
# Every comparison with NaN is false, and `min`, `max` and `np.clip` each do something else with it. Ask `np.isnan(error)` first.
# ## Python refuses 0 to a negative power
# Return before you come to the power.
# ## Why
# The controller solves $C h^{p+1} = 1$ for the step, with the constant $C$ taken from the step just made. It assumes that C changes little from one step to the next.

# %% [markdown]
# Now the solver. It tries a step. If the norm is at most 1, the step is *accepted*: time and state move on. Otherwise it is *rejected*: time and state stay as they were, and a shorter step is tried from there. Either way the controller says how long the next try is. The last step is cut so that it ends at the end.

# %% [markdown] exercise="adaptive_solve"
# Write that solver. In each attempt call `pair(f, t, y, h)` once: it returns a new state and its estimated error; `pair.order` is its lower order. Judge with `error_norm`, choose with `step_controller` (its defaults); both are correct ones while this is checked.
#
# The first attempt has `h = first_step`. No attempt goes beyond `t_span[1]`, and the last one ends there. An error that is NaN is rejected. Time runs forward only.
#
# Return three things: the times of the accepted states, starting with `t_span[0]`, shape `(n,)`; the states, starting with `y0`, shape `(n, *y0.shape)`; the number of rejected steps. About 16 lines.

# %% answer="adaptive_solve"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    """Solve dy/dt = f(t, y) by steps whose size follows their error.

    pair: callable (f, t, y, h) -> (state at t + h, estimated error); pair.order is an int
    f: callable (t, y) -> dy/dt, an array of the shape of y
    t_span: pair of times, the first one smaller
    y0: array of any shape
    rtol, atol, first_step: positive numbers
    Returns times (n,), states (n, *y0.shape), number of rejected steps.
    """
    # BEGIN SOLUTION
    t, end = t_span
    y, h, rejected = y0, first_step, 0
    ts, ys = [t], [y]
    while t < end:
        is_last = t + h >= end
        if is_last:
            h = end - t
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        if size <= 1:
            t = end if is_last else t + h
            y = y_next
            ts.append(t)
            ys.append(y)
        else:
            rejected += 1
        h = step_controller(h, size, pair.order)
    return np.array(ts), np.array(ys), rejected
    # END SOLUTION


# %%
check("04.adaptive_solve")

# %% [markdown] help="adaptive_solve"
# ## which loop?
# You do not know how many steps it takes: `while t < end`.
# ## what happens in one turn?
# Cut h if it is too long. Call the pair. Measure. Accept (time, state, two lists) or count a rejection. New h, in both cases.
# ## it never arrives
# After a rejected step, h must change; after an accepted one, t must. And `t + (end - t)` may miss `end` by a rounding: set `t = end` in the last step.
# ## NaN slips through
# `size > 1` is false for NaN. Ask `size <= 1`: it is false as well, and then false means rejected.
# ## Why
# A rejected step costs its evaluations and leaves no other trace. That is why the state must not move before the verdict.

# %% [markdown] question="where_short"
# **Predict before you run.** Then your steps stand beside those of SciPy, which uses the same pair.

# %%
predict("04.where_short", ...)

# %%
solve = use("04.adaptive_solve")
bosh3 = Pair(ode.Bosh3())
ts, ys, rejected = solve(bosh3, oscillator.f, oscillator.t_span, oscillator.y0, 1e-3, 1e-6, 0.01)
theirs = solve_ivp(
    oscillator.f, oscillator.t_span, oscillator.y0, method="RK23", rtol=1e-3, atol=1e-6
)
tried = np.array([(t, h) for t, h, _, _ in bosh3.attempts])
bad = ~np.isin(tried[:, 0] + tried[:, 1], ts)
_, (upper, lower) = plt.subplots(2, sharex=True, figsize=(7, 5))
upper.plot(ts, ys[:, 0], ".-", markersize=3)
upper.set_ylabel("position x")
lower.semilogy(ts[1:], np.diff(ts), "-", label="yours")
lower.semilogy(theirs.t[1:], np.diff(theirs.t), "--", label="SciPy's RK23")
lower.semilogy(*tried[bad].T, "kx", markersize=4, label="yours, rejected")
lower.set_xlabel("time t")
lower.set_ylabel("step h")
lower.legend(ncols=3, fontsize=8)
plt.show()
print(f"yours: {len(ts) - 1} steps accepted, {rejected} rejected")
print(f"SciPy: {len(theirs.t) - 1} steps accepted")
print(f"the shortest of your steps: {np.diff(ts).min():.4f}, the longest: {np.diff(ts).max():.4f}")
predict("04.where_short")

# %% [markdown]
# *What the figure shows:* at each jump the step falls to about a thirtieth of its size on the way there, and grows again behind it. Your steps and SciPy's run along each other. Crosses stand where a step was rejected: most as the solver runs into a jump.
#
# ## 3. A tolerance is not an accuracy
#
# Your solver keeps the error of *each step* near the tolerance. At the end you see what all of these errors have become. Three problems, from t = 0 to 4: a decay, a circle, a growth.

# %% [markdown] question="tolerance"
# **Predict before you run.**

# %%
predict("04.tolerance", ...)

# %%
fields = {
    "decay y' = -y": (lambda t, y: -y, [1.0], lambda t: [np.exp(-t)]),
    "circle x' = v, v' = -x": (
        lambda t, y: np.array([y[1], -y[0]]), [1.0, 0.0], lambda t: [np.cos(t), -np.sin(t)]
    ),
    "growth y' = y": (lambda t, y: y, [1.0], lambda t: [np.exp(t)]),
}  # fmt: skip
tolerances = 10.0 ** -np.arange(2, 8)
for (label, (field, start, solution)), look in zip(fields.items(), ("o-", "s--", "^-.")):
    errors = []
    for tol in tolerances:
        _, ys, _ = solve(Pair(ode.Bosh3()), field, (0.0, 4.0), np.array(start), tol, tol, 0.01)
        errors.append(np.max(np.abs(ys[-1] - solution(4.0))))
    slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
    plt.loglog(tolerances, errors, look, label=label)
    print(f"{label:23} error / tolerance at 1e-6: {errors[4] / 1e-6:9.3f}, slope {slope:.2f}")
plt.loglog(tolerances, tolerances, "k:", label="error = tolerance")
plt.xlabel("tolerance, rtol = atol")
plt.ylabel("error at t = 4")
plt.legend()
plt.show()
predict("04.tolerance")

# %% [markdown]
# *What the figure shows:* three nearly parallel lines, far apart. The error follows the tolerance almost in proportion (the slopes are printed), but the factor in between belongs to the ODE: decay forgets old errors, the circle adds them up, growth enlarges them with the solution.
#
# This is what no step controller can do: it controls the *local* error, of one step. It does not know what the ODE will make of it.
#
# So compare solvers by what they reach, not by what they were asked for. A *work-precision diagram* shows evaluations against the error achieved.

# %% [markdown] exercise="work_precision"
# `solve(f, setting)` runs some solver on the field `f` and returns the state at the end. A setting is a tolerance or a number of steps; you need not know. Run it once per setting, in the given order, and find out for each how often it called `f`, and the largest absolute difference of its state from `y_end`.
#
# Hand it an `f` of your own that counts and passes on the slope. Each setting counts from 0. Return two arrays of shape `(n,)`: evaluations, then errors. States are arrays of any shape. About ten lines.

# %% answer="work_precision"
def work_precision(solve, f, y_end, settings):
    """What a solver spends and what it reaches.

    solve: callable (f, setting) -> the state at the end, an array
    f: callable (t, y) -> dy/dt
    y_end: the exact state at the end, an array of any shape
    settings: sequence of n settings
    Returns evaluations (n,), errors (n,).
    """
    # BEGIN SOLUTION
    evaluations, errors = [], []
    for setting in settings:
        calls = 0

        def counting(t, y):
            nonlocal calls
            calls += 1
            return f(t, y)

        state = solve(counting, setting)
        evaluations.append(calls)
        errors.append(np.max(np.abs(state - y_end)))
    return np.array(evaluations), np.array(errors)
    # END SOLUTION


# %%
check("04.work_precision")

# %% [markdown] help="work_precision"
# ## how does a function count its calls?
# Define it inside your loop. It appends something to a list, or changes a number that it declares `nonlocal`; then it returns what `f` returns.
# ## my counts grow from setting to setting
# Begin a new list, or set the number to 0, before each run.
# ## Why
# The solver is a black box: it gets an f and hands back a state. Whatever it does in between, rejected steps included, has to go through f, so f is the place to count.

# %% [markdown] question="who_wins"
# **Predict before you run.**

# %%
predict("04.who_wins", ...)

# %%
measure = use("04.work_precision")
problem = oscillator.t_span, oscillator.y0


def equal_steps(name):
    def run(f, steps):
        return ode.odeint(f, problem[1], np.linspace(*problem[0], steps + 1), solver=name).ys[-1]

    return run


runs = {  # all of them take about 3 s
    "Euler, equal steps": (equal_steps("euler"), [1000, 2000, 4000, 8000]),
    "RK4, equal steps": (equal_steps("rk4"), [1000, 1500, 2000, 3000]),
    "yours, orders 3 and 2": (
        lambda f, tol: solve(Pair(ode.Bosh3()), f, *problem, tol, tol, 0.01)[1][-1],
        10.0 ** -np.arange(2.0, 7.0),
    ),
    "Dopri5, orders 5 and 4": (
        lambda f, tol: ode.odeint(f, problem[1], problem[0], rtol=tol, atol=tol).ys[-1],
        10.0 ** -np.arange(2.0, 8.0),
    ),
}
for (label, (run, settings)), look in zip(runs.items(), ("o-", "s--", "^-.", "d:")):
    evaluations, errors = measure(run, oscillator.f, end_state, settings)
    plt.loglog(errors, evaluations, look, label=label)
plt.xlabel("error at t = 40 (smaller is further left)")
plt.ylabel("evaluations of f")
plt.legend()
plt.show()
predict("04.who_wins")

# %% [markdown]
# *What the figure shows:* Euler's points lie far to the right: 8,000 evaluations leave an error above 0.1. (The others of its errors are as large as the oscillation, where order means nothing.) For an error of 0.0001 RK4 with equal steps takes several times the evaluations of your solver, and Dopri5 takes the fewest. Part of that is bookkeeping: your pair asks for its first slope anew in each attempt, and stepkit's solvers keep the last one. But Dopri5's line is the flattest: the more digits you want, the more its order pays.
#
# For loose tolerances Dopri5's evaluations hardly fall any more: its steps do not grow. Why not?
#
# ## 4. Where stability takes over
#
# Lesson 03 knows an answer. Here is the plainest case: $y' = -50\,(y - \cos t)$. Its solution is close to $\cos t$, and nothing fast is to be seen.

# %% [markdown] question="looser"
# **Predict before you run.**

# %%
predict("04.looser", ...)

# %%
def held(t, y):
    return -50 * (y - np.cos(t))


def attempts(controller, tol):
    """Starts and lengths of all attempts by stepkit's Bosh3, from the times at which it asks."""
    asked = []

    def listening(t, y):
        asked.append(t)
        return held(t, y)

    ode.odeint(listening, np.array([1.0]), (0.0, 10.0), solver="bosh3", rtol=tol, atol=tol,
               controller=controller, first_step=0.01)  # fmt: skip
    middle, later, end = np.reshape(asked[1:], (-1, 3)).T  # at h/2, 3h/4 and h of each attempt
    h = 4 * (end - later)
    good = np.append(np.diff(end - h) > 1e-9, True)
    return end - h, h, good


for tol in (1e-4, 1e-3, 1e-2):
    _, h, good = attempts(ode.PIDController(), tol)
    print(f"tolerance {tol:.0e}: {good.sum()} steps accepted, {(~good).sum()} rejected, "
          f"median of 50 h: {50 * np.median(h[good]):.2f}")  # fmt: skip
predict("04.looser")

# %% [markdown]
# At the two looser tolerances the median of h times 50 comes to rest at 2.5: there the interval of stability of this method ends, on the negative axis (lesson 03's `stability_function` gives 2.51 for its tableau). A longer step makes errors grow from step to step until the estimate sees it. Then the step shrinks, the errors die, the step grows again.
#
# Yours is an *integral* controller, short I: its step is the product of all factors so far. A PI controller also looks at the norm before:
#
# $$\text{factor} = \text{safety}\cdot e_n^{-(\beta_P + \beta_I)/(p+1)}\; e_{n-1}^{\beta_P/(p+1)}$$
#
# P stands for *proportional*: this part answers to how the norm has just changed. At the same $\beta_I$ it shortens the step more after a rise, and less after a fall. $\beta_P = 0$, $\beta_I = 1$ is yours. With 0.3 and 0.4, as below, the controller also reacts more weakly altogether. (Gustafsson, 1991, and Söderlind, 2003, made control theory of it; `ode.PIDController` has their formula.)

# %%
def draw_gains(p, i, tol, axes, look="o"):
    t, h, good = attempts(ode.PIDController(p=p, i=i), tol)
    axes.plot(t[good], 50 * h[good], look + "-", markersize=3)
    axes.plot(t[~good], 50 * h[~good], "kx", markersize=4)
    axes.axhline(2.51, color="gray", linestyle=":")
    axes.set_title(f"P gain {p:.1f}, I gain {i:.1f}, tolerance {tol:.0e}", fontsize=10)
    axes.set_ylabel("50 h")
    axes.set_ylim(0, 5)
    later = h[good & (t > 2)]
    wobble = np.std(np.diff(np.log2(later[:-1])))  # the last step is cut
    print(f"P {p:.1f}, I {i:.1f}, tolerance {tol:.0e}: {len(h)} attempts, "
          f"{(~good).sum()} rejected, step to step {wobble:.3f} doublings")  # fmt: skip


_, panels = plt.subplots(2, sharex=True, figsize=(7, 5))
draw_gains(0.0, 1.0, 1e-4, panels[0])
draw_gains(0.3, 0.4, 1e-4, panels[1])
plt.xlabel("time t")
plt.show()
for tol in (1e-3, 1e-5):  # the same, elsewhere
    for gains in ((0.0, 1.0), (0.3, 0.4)):
        draw_gains(*gains, tol, plt.figure().gca())
        plt.close()

# %% [markdown]
# *What the figures show:* with the I controller the steps saw up and down near the border (dotted), and many attempts (crosses) are rejected. With the PI controller the steps stay lower and closer together, and few are rejected.
#
# The printed numbers say how far this goes. At all three tolerances the PI controller has fewer rejections. But its steps are not smoother at each of them, and it needs about as many attempts: no gain lifts the border. If you have sliders, move them:

# %%
def show_gains(p=0.3, i=0.4, digits=4):
    draw_gains(p, i, 10.0**-digits, plt.figure(figsize=(7, 2.5)).gca())
    plt.show()


try:
    from ipywidgets import interact

    interact(show_gains, p=(0.0, 0.8, 0.1), i=(0.1, 1.0, 0.1), digits=(2, 6))
except ImportError:  # no sliders: one more setting
    show_gains(p=0.6, i=0.2)

# %% [markdown]
# *What the figures show, wherever you move:* the steps swing about the border or rest below it. (Single steps may lie above the axis, which ends at 5.) No setting makes the typical step clearly longer than the border allows.
#
# ## 5. Stiffness, seen from inside
#
# A solver has no eigenvalues at hand. But Dopri5's last two of seven stages ask for the slope at the *same time*, t + h, in two nearby states $Y_6$ and $Y_7$. How far the slopes $k_6$ and $k_7$ part, relative to the states, estimates the fastest rate of the field there:
#
# $$|h|\,\frac{\lVert k_7 - k_6 \rVert}{\lVert Y_7 - Y_6 \rVert}$$
#
# The test goes back to Shampine; Hairer and Wanner use it in this form. It costs no evaluation. Compare it with 3.3, where Dopri5's interval of stability ends.

# %% [markdown] exercise="stiffness_from_stages"
# Return the number above. `slopes` holds $k_6$ and $k_7$, `states` holds $Y_6$ and $Y_7$, both as arrays of shape `(2, ...)`: two states of any shape, or two numbers. The norm is Euclidean, over all entries of the state.
#
# `h` may be negative; the result is not. If the two states are equal, nothing can be seen: return 0. About four lines.

# %% answer="stiffness_from_stages"
def stiffness_from_stages(h, slopes, states):
    """|h| times the fastest rate that the last two stages show.

    h: number, the step
    slopes: array (2, ...), the last two slopes
    states: array (2, ...), where they were taken
    Returns a number >= 0.
    """
    # BEGIN SOLUTION
    distance = np.linalg.norm(states[1] - states[0])
    if distance == 0:
        return 0.0
    return abs(h) * np.linalg.norm(slopes[1] - slopes[0]) / distance
    # END SOLUTION


# %%
check("04.stiffness_from_stages")

# %% [markdown] help="stiffness_from_stages"
# ## which differences?
# `slopes[1] - slopes[0]` and `states[1] - states[0]`. Subtract first, then take the norm.
# ## which norm?
# `np.linalg.norm` without further arguments is the Euclidean norm over all entries, for any shape.
# ## Why
# For y' = λ y the slopes differ by λ times what the states differ, so the quotient is |λ|. For a linear system it is at most the norm of the matrix, and close to the fastest rate where that rate dominates the difference.

# %% [markdown] question="along"
# Dopri5 follows Van der Pol's oscillator. **Predict before you run.**

# %%
predict("04.along", ...)

# %%
stiffness = use("04.stiffness_from_stages")
dopri5 = Pair(ode.Dopri5())
ts, ys, _ = solve(dopri5, oscillator.f, oscillator.t_span, oscillator.y0, 1e-3, 1e-6, 0.01)
taken = [each for each in dopri5.attempts if np.isin(each[0] + each[1], ts)]
shown = np.array([stiffness(h, slopes, states) for _, h, slopes, states in taken])
_, (upper, lower) = plt.subplots(2, sharex=True, figsize=(7, 5))
upper.plot(ts, ys[:, 0], ".-", markersize=3)
upper.set_ylabel("position x")
lower.plot([t for t, *_ in taken], shown, "o", markersize=3)
lower.axhline(3.3, color="gray", linestyle=":")
lower.set_ylim(0, 6)  # where the states almost agree, a point may lie above
lower.set_xlabel("time t")
lower.set_ylabel("h times the rate")
plt.show()
creeping = np.abs(oscillator.f(0.0, ys[:-1].reshape(-1, 2))[:, 0]) < 0.5
print(f"median while it creeps: {np.median(shown[creeping]):.2f}, "
      f"at the jumps: {np.median(shown[~creeping]):.2f}")  # fmt: skip
predict("04.along")

# %% [markdown]
# *What the figure shows:* behind each jump, for the first half of the slow stretch, the points lie along the dotted line at 3.3. Then they fall: near x = 1 the fast rate, about 10 (x² - 1), fades away, and from there through the jump accuracy sets the step.
#
# So the oscillator is stiff where nothing happens. A solver can act on this. `solver="auto"` counts such steps and changes to an implicit method, and back:

# %%
strong = ode.problems.VanDerPol(mu=50.0, t_span=(0.0, 100.0))
strong_end = ode.odeint(strong.f, strong.y0, strong.t_span, solver="kvaerno5", rtol=1e-9, atol=1e-9,
                        max_steps=20000).ys[-1]  # fmt: skip
for name in ("dopri5", "auto"):
    found = ode.odeint(strong.f, strong.y0, strong.t_span, solver=name, max_steps=20000)
    error = np.max(np.abs(found.ys[-1] - strong_end))
    print(f"{name:6}: {found.stats.num_steps} steps, {found.stats.num_evaluations} evaluations, "
          f"error at the end {error:.4f}")  # fmt: skip

# %% [markdown] question="reading"
# **Checkpoint.**

# %%
checkpoint("04.reading", ...)

# %% [markdown]
# ## 6. And attention?
#
# A controller looks at states and slopes, and answers with a number that multiplies the next change. In a network with attention, something looks at a block's output, and answers with numbers that multiply it. Figure 1 of the paper of Huang and others (ICCV 2023) takes this literally: attention as an adaptive step size.
#
# Is it one? A controller has a target, the tolerance; it knows an error estimate; it rejects. A gate has a loss, far away, and never goes back. **Does trained attention shorten the step where a network is stiff?** That is a question, and it can be tested. Lessons 07 and 08 do.
#
# ## Summary
#
# - An embedded pair makes two answers from the same stages. Their difference estimates the error of one step.
# - A controller turns the error norm into the next step. Bad steps are rejected and leave no trace.
# - A tolerance bounds the local error. What becomes of it at the end is up to the ODE; mostly it stays in proportion.
# - On stiff problems stability caps the step. A PI controller rejects less there; only another method lifts the cap.
# - The last two stages show it at no cost.
#
# **Still open.** The estimate trusts that h is small. Pairs can be fooled: by events between the stages, or by an error that happens to vanish. And for a block of a network, what would be the tolerance?
#
# **To read**
#
# - E. Hairer, S. P. Nørsett, G. Wanner, *Solving Ordinary Differential Equations I*, section II.4: step-size control.
# - E. Hairer, G. Wanner, *Solving Ordinary Differential Equations II*, section IV.2: detection of stiffness, PI control.
# - P. Bogacki, L. F. Shampine, *A 3(2) pair of Runge-Kutta formulas*, Applied Mathematics Letters 2 (1989) 321-325.
# - G. Söderlind, *Digital filters in adaptive time-stepping*, ACM Transactions on Mathematical Software 29 (2003) 1-26.
# - Z. Huang and others, *Understanding Self-attention Mechanism via Dynamical System Perspective*, ICCV 2023.

# %% wrong="error_norm" shows="largest-entry" outcome="not yet"
def error_norm(error, y_before, y_after, rtol, atol):
    allowed = atol + rtol * np.maximum(np.abs(y_before), np.abs(y_after))
    return np.max(np.abs(error) / allowed)

# %% wrong="error_norm" shows="sum-not-mean" outcome="not yet"
def error_norm(error, y_before, y_after, rtol, atol):
    allowed = atol + rtol * np.maximum(np.abs(y_before), np.abs(y_after))
    return np.linalg.norm(error / allowed)

# %% wrong="error_norm" shows="before-only" outcome="not yet"
def error_norm(error, y_before, y_after, rtol, atol):
    return np.sqrt(np.mean((error / (atol + rtol * np.abs(y_before))) ** 2))

# %% wrong="error_norm" shows="size-without-abs" outcome="not yet"
def error_norm(error, y_before, y_after, rtol, atol):
    return np.sqrt(np.mean((error / (atol + rtol * np.maximum(y_before, y_after))) ** 2))

# %% wrong="error_norm" shows="tolerances-swapped" outcome="not yet"
def error_norm(error, y_before, y_after, rtol, atol):
    scale = rtol + atol * np.maximum(abs(y_before), abs(y_after))
    return np.sqrt(np.mean((error / scale) ** 2))

# %% wrong="error_norm" shows="no-mean" outcome="not yet"
def error_norm(error, y_before, y_after, rtol, atol):
    scale = atol + rtol * np.maximum(abs(y_before), abs(y_after))
    return np.sqrt((error / scale) ** 2)

# %% wrong="error_norm" shows="no-atol" outcome="not yet"
def error_norm(error, y_before, y_after, rtol, atol):
    return np.sqrt(np.mean((error / (rtol * np.maximum(abs(y_before), abs(y_after)))) ** 2))

# %% wrong="error_norm" shows="python-max" outcome="crashed"
def error_norm(error, y_before, y_after, rtol, atol):
    return np.sqrt(np.mean((error / (atol + rtol * max(abs(y_before), abs(y_after)))) ** 2))

# %% variant="error_norm" style="a loop over all entries"
def error_norm(error, y_before, y_after, rtol, atol):
    total, count = 0.0, 0
    for e, a, b in zip(np.ravel(error), np.ravel(y_before), np.ravel(y_after)):
        total += (e / (atol + rtol * max(abs(a), abs(b)))) ** 2
        count += 1
    return (total / count) ** 0.5

# %% variant="error_norm" style="the Euclidean norm, divided by the root of the size"
def error_norm(error, y_before, y_after, rtol, atol):
    sizes = np.max(np.abs(np.stack([y_before, y_after])), axis=0)
    ratio = np.asarray(error) / (atol + rtol * sizes)
    return np.linalg.norm(ratio.ravel()) / np.sqrt(ratio.size)

# %% variant="error_norm" style="np.where and np.square"
def error_norm(error, y_before, y_after, rtol, atol):
    a, b = np.absolute(y_before), np.absolute(y_after)
    scale = np.add(atol, np.multiply(rtol, np.where(a > b, a, b)))
    return float(np.sqrt(np.square(np.divide(error, scale)).mean()))

# %% probe="error_norm"
def probe(answer, draw):
    shape = tuple(draw.integers(1, 4, size=draw.integers(0, 3)))
    error, before, after = draw.normal(size=(3, *shape))
    rtol, atol = (float(x) for x in 10.0 ** draw.uniform(-4, 0, 2))
    return [answer(error, before, after, rtol, atol)]

# %% wrong="step_controller" shows="order-not-plus-one" outcome="not yet"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if error == 0:
        return h * largest
    return h * np.clip(safety * error ** (-1 / order), smallest, largest)

# %% wrong="step_controller" shows="wrong-direction" outcome="not yet"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if np.isnan(error):
        return h * smallest
    return h * np.clip(safety * error ** (1 / (order + 1)), smallest, largest)

# %% wrong="step_controller" shows="no-safety" outcome="not yet"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if np.isnan(error) or error == 0:
        return h * (largest if error == 0 else smallest)
    return h * np.clip(error ** (-1 / (order + 1)), smallest, largest)

# %% wrong="step_controller" shows="factor-not-step" outcome="not yet"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if np.isnan(error) or error == 0:
        return largest if error == 0 else smallest
    return np.clip(safety * error ** (-1 / (order + 1)), smallest, largest)

# %% wrong="step_controller" shows="no-largest" outcome="not yet"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if np.isnan(error):
        return h * smallest
    return h * max(smallest, safety * error ** (-1 / (order + 1)))

# %% wrong="step_controller" shows="nan-passed-on" outcome="not yet"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if error == 0:
        return h * largest
    return h * np.clip(safety * error ** (-1 / (order + 1)), smallest, largest)

# %% wrong="step_controller" shows="nan-as-zero" outcome="not yet"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if not error > 0:
        return h * largest
    return h * np.clip(safety * error ** (-1 / (order + 1)), smallest, largest)

# %% wrong="step_controller" shows="sign-lost" outcome="not yet"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if np.isnan(error):
        return abs(h) * smallest
    if error == 0:
        return abs(h) * largest
    return abs(h) * np.clip(safety * error ** (-1 / (order + 1)), smallest, largest)

# %% wrong="step_controller" shows="safety-after-bounds" outcome="not yet"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if np.isnan(error):
        return h * smallest
    if error == 0:
        return h * largest
    return safety * h * np.clip(error ** (-1 / (order + 1)), smallest, largest)

# %% wrong="step_controller" shows="zero-division" outcome="crashed"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    if np.isnan(error):
        return h * smallest
    return h * min(largest, max(smallest, safety * (1 / error) ** (1 / (order + 1))))

# %% variant="step_controller" style="np.clip, NaN taken for infinite, a tiny error for 0"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    error = np.nan_to_num(error, nan=np.inf, posinf=np.inf)
    factor = safety / np.maximum(error, 1e-300) ** (1 / (order + 1))
    return h * np.clip(factor, smallest, largest)

# %% variant="step_controller" style="cases, and math"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    import math

    if not math.isfinite(error):
        factor = smallest
    elif error <= 0.0:
        factor = largest
    else:
        factor = safety * math.pow(error, -1.0 / (order + 1.0))
        if factor < smallest:
            factor = smallest
        if factor > largest:
            factor = largest
    return factor * h

# %% variant="step_controller" style="logarithms and np.errstate"
def step_controller(h, error, order, safety=0.9, smallest=0.2, largest=10.0):
    with np.errstate(divide="ignore"):
        factor = safety * np.exp(-np.log(np.float64(error)) / (1 + order))
    bounded = np.minimum(largest, np.maximum(smallest, factor))
    return h * (smallest if error != error else bounded)

# %% probe="step_controller"
def probe(answer, draw):
    h, order = draw.normal(), int(draw.integers(0, 9))
    some, more = 10 ** draw.uniform(-4, 4), 10 ** draw.uniform(-1, 1)
    error = float(draw.choice([0.0, np.nan, np.inf, some, more]))
    bounds = draw.uniform(0.5, 1), draw.uniform(0.05, 0.4), draw.uniform(1, 20)
    return [answer(h, error, order), answer(h, error, order, *bounds)]

# %% wrong="adaptive_solve" shows="advances-on-reject" outcome="not yet"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = t_span
    y, h, rejected, ts, ys = y0, first_step, 0, [t], [y0]
    while t < end:
        h = min(h, end - t)
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        t, y = t + h, y_next
        if size <= 1:
            ts.append(t)
            ys.append(y)
        else:
            rejected += 1
        h = step_controller(h, size, pair.order)
    return np.array(ts), np.array(ys), rejected

# %% wrong="adaptive_solve" shows="nan-accepted" outcome="not yet"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = t_span
    y, h, rejected, ts, ys = y0, first_step, 0, [t], [y0]
    while t < end:
        h = min(h, end - t)
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        if size > 1:
            rejected += 1
        else:
            t, y = t + h, y_next
            ts.append(t)
            ys.append(y)
        h = step_controller(h, size, pair.order)
    return np.array(ts), np.array(ys), rejected

# %% wrong="adaptive_solve" shows="beyond-the-end" outcome="not yet"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = t_span
    y, h, rejected, ts, ys = y0, first_step, 0, [t], [y0]
    while t < end:
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        if size <= 1:
            t, y = t + h, y_next
            ts.append(t)
            ys.append(y)
        else:
            rejected += 1
        h = step_controller(h, size, pair.order)
    return np.array(ts), np.array(ys), rejected

# %% wrong="adaptive_solve" shows="step-kept-after-accept" outcome="not yet"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = t_span
    y, h, rejected, ts, ys = y0, first_step, 0, [t], [y0]
    while t < end:
        h = min(h, end - t)
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        if size <= 1:
            t, y = t + h, y_next
            ts.append(t)
            ys.append(y)
        else:
            rejected += 1
            h = step_controller(h, size, pair.order)
    return np.array(ts), np.array(ys), rejected

# %% wrong="adaptive_solve" shows="step-kept-after-reject" outcome="not yet"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = t_span
    y, h, rejected, ts, ys = y0, first_step, 0, [t], [y0]
    while t < end:
        h = min(h, end - t)
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        if size <= 1:
            t, y = t + h, y_next
            ts.append(t)
            ys.append(y)
            h = step_controller(h, size, pair.order)
        else:
            rejected += 1
            h = h / 2
    return np.array(ts), np.array(ys), rejected

# %% wrong="adaptive_solve" shows="start-missing" outcome="not yet"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = t_span
    y, h, rejected, ts, ys = y0, first_step, 0, [], []
    while t < end:
        h = min(h, end - t)
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        if size <= 1:
            t, y = t + h, y_next
            ts.append(t)
            ys.append(y)
        else:
            rejected += 1
        h = step_controller(h, size, pair.order)
    return np.array(ts), np.array(ys), rejected

# %% wrong="adaptive_solve" shows="counts-attempts" outcome="not yet"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = t_span
    y, h, tries, ts, ys = y0, first_step, 0, [t], [y0]
    while t < end:
        h = min(h, end - t)
        tries += 1
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        if size <= 1:
            t, y = t + h, y_next
            ts.append(t)
            ys.append(y)
        h = step_controller(h, size, pair.order)
    return np.array(ts), np.array(ys), tries

# %% wrong="adaptive_solve" shows="wrong-type" outcome="not yet"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = t_span
    y, h, ts, ys = y0, first_step, [t], [y0]
    while t < end:
        h = min(h, end - t)
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        if size <= 1:
            t, y = t + h, y_next
            ts.append(t)
            ys.append(y)
        h = step_controller(h, size, pair.order)
    return np.array(ts), np.array(ys)

# %% wrong="adaptive_solve" shows="never-arrives" outcome="not yet"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = t_span
    y, rejected, ts, ys = y0, 0, [t], [y0]
    while t < end:
        h = min(first_step, end - t)
        y_next, error = pair(f, t, y, h)
        size = error_norm(error, y, y_next, rtol, atol)
        if size > 1:
            rejected += 1
            continue
        y = y_next
        ts.append(t)
        ys.append(y)
    return np.array(ts), np.array(ys), rejected

# %% variant="adaptive_solve" style="min, and one more turn if rounding left a rest"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, t1 = t_span
    y = np.array(y0)
    h = first_step
    ts = [t]
    ys = [y.copy()]
    bad = 0
    while t < t1:
        h = min(h, t1 - t)
        new, err = pair(f, t, y, h)
        e = error_norm(err, y, new, rtol, atol)
        if not e <= 1.0:
            bad = bad + 1
            h = step_controller(h, e, pair.order)
            continue
        t = t + h
        y = new
        ts += [t]
        ys += [y]
        h = step_controller(h, e, pair.order)
    return [np.asarray(ts), np.stack(ys), bad]

# %% variant="adaptive_solve" style="a loop within a loop, and a helper for the end"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    start, stop = t_span
    times, states, rejections, wish = [start], [y0], 0, first_step
    while times[-1] != stop:
        while True:
            ends = wish >= stop - times[-1]
            step = stop - times[-1] if ends else wish
            state, error = pair(f, times[-1], states[-1], step)
            norm = error_norm(error, states[-1], state, rtol=rtol, atol=atol)
            wish = step_controller(step, norm, pair.order)
            if norm <= 1:
                break
            rejections += 1
        times.append(stop if ends else times[-1] + step)
        states.append(state)
    return np.array(times), np.array(states), rejections

# %% variant="adaptive_solve" style="the wish is kept uncut, norm and controller by hand, recursion of arrays"
def adaptive_solve(pair, f, t_span, y0, rtol, atol, first_step):
    t, end = float(t_span[0]), float(t_span[1])
    h, n_bad = float(first_step), 0
    path_t, path_y = np.array([t]), np.array([y0])
    while abs(end - t) > 1e-14 * abs(end - t_span[0]):
        cut = h if t + h < end else end - t
        y = path_y[-1]
        y_next, error = pair(f, t, y, cut)
        scale = atol + rtol * np.maximum(np.abs(y), np.abs(y_next))
        norm = np.sqrt(np.mean((error / scale) ** 2))
        factor = 0.2 if np.isnan(norm) else min(10, max(0.2, 0.9 * norm ** (-1 / (1 + pair.order))))
        if norm <= 1:
            t += cut
            path_t = np.append(path_t, t)
            path_y = np.concatenate([path_y, np.array(y_next)[None]])
            h = cut * factor
        else:
            n_bad += 1
            h = h * factor
    return path_t, path_y, n_bad

# %% probe="adaptive_solve"
def probe(answer, draw):
    def pair(f, t, y, h):
        first = f(t, y)
        second = f(t + h, y + h * first)
        return y + h / 2 * (first + second), h / 2 * (second - first)

    pair.order = 1
    shape = tuple(draw.integers(1, 4, size=draw.integers(0, 3)))
    y0, k, t = np.asarray(draw.normal(size=shape)), draw.normal(), draw.normal()
    span, tolerances = (t, t + draw.uniform(0.1, 2)), 10.0 ** draw.uniform(-4, -1, 2)
    return list(answer(pair, lambda t, y: np.cos(3 * t * y) * k + t, y0=y0, t_span=span,
                       rtol=tolerances[0], atol=tolerances[1], first_step=draw.uniform(0.01, 1)))

# %% wrong="work_precision" shows="count-not-reset" outcome="not yet"
def work_precision(solve, f, y_end, settings):
    calls, evaluations, errors = [], [], []

    def counted(t, y):
        calls.append(t)
        return f(t, y)

    for setting in settings:
        errors.append(np.max(np.abs(solve(counted, setting) - y_end)))
        evaluations.append(len(calls))
    return np.array(evaluations), np.array(errors)

# %% wrong="work_precision" shows="signed-error" outcome="not yet"
def work_precision(solve, f, y_end, settings):
    evaluations, errors = [], []
    for setting in settings:
        calls = []

        def counted(t, y):
            calls.append(t)
            return f(t, y)

        errors.append(np.max(solve(counted, setting) - y_end))
        evaluations.append(len(calls))
    return np.array(evaluations), np.array(errors)

# %% wrong="work_precision" shows="norm-not-largest" outcome="not yet"
def work_precision(solve, f, y_end, settings):
    evaluations, errors = [], []
    for setting in settings:
        calls = []

        def counted(t, y):
            calls.append(t)
            return f(t, y)

        errors.append(np.linalg.norm(solve(counted, setting) - y_end))
        evaluations.append(len(calls))
    return np.array(evaluations), np.array(errors)

# %% wrong="work_precision" shows="not-counted" outcome="not yet"
def work_precision(solve, f, y_end, settings):
    count, errors = np.zeros(len(settings)), []

    def counted(t, y):
        count[0] += 1
        return f(t, y)

    for setting in settings:
        errors.append(np.max(np.abs(solve(f, setting) - y_end)))
    return count, np.array(errors)

# %% wrong="work_precision" shows="results-swapped" outcome="not yet"
def work_precision(solve, f, y_end, settings):
    evaluations, errors = [], []
    for setting in settings:
        calls = []

        def counted(t, y):
            calls.append(t)
            return f(t, y)

        errors.append(np.max(np.abs(solve(counted, setting) - y_end)))
        evaluations.append(len(calls))
    return np.array(errors), np.array(evaluations)

# %% wrong="work_precision" shows="slope-not-passed-on" outcome="not yet"
def work_precision(solve, f, y_end, settings):
    evaluations, errors = [], []
    for setting in settings:
        calls = []

        def counted(t, y):
            calls.append(f(t, y))

        errors.append(np.max(np.abs(solve(counted, setting) - y_end)))
        evaluations.append(len(calls))
    return np.array(evaluations), np.array(errors)

# %% wrong="work_precision" shows="not-an-array" outcome="not yet"
def work_precision(solve, f, y_end, settings):
    evaluations, errors = [], []
    for setting in settings:
        calls = []
        state = solve(lambda t, y: (calls.append(t), f(t, y))[1], setting)
        evaluations.append(len(calls))
        errors.append(np.abs(state - y_end).max())
    return evaluations, errors

# %% wrong="work_precision" shows="f-called-without-time" outcome="crashed"
def work_precision(solve, f, y_end, settings):
    evaluations, errors = [], []
    for setting in settings:
        calls = []

        def counted(y):
            calls.append(y)
            return f(0.0, y)

        errors.append(np.max(np.abs(solve(counted, setting) - y_end)))
        evaluations.append(len(calls))
    return np.array(evaluations), np.array(errors)

# %% variant="work_precision" style="a counter class"
def work_precision(solve, f, y_end, settings):
    class Counter:
        def __init__(self):
            self.calls = 0

        def __call__(self, *args):
            self.calls += 1
            return f(*args)

    rows = []
    for setting in settings:
        counter = Counter()
        state = solve(counter, setting)
        rows.append([counter.calls, np.linalg.norm(np.ravel(state - y_end), np.inf)])
    return np.array(rows).T

# %% variant="work_precision" style="differences of one running count"
def work_precision(solve, f, y_end, settings):
    times = []

    def listening(t, y):
        times.append(t)
        return f(t, y)

    marks, errors = [0], np.empty(len(settings))
    for k, setting in enumerate(settings):
        errors[k] = np.abs(np.asarray(solve(listening, setting)) - y_end).max()
        marks.append(len(times))
    return np.diff(marks), errors

# %% variant="work_precision" style="a helper for one setting, a list that holds the number"
def work_precision(solve, f, y_end, settings):
    def once(setting):
        count = [0]

        def g(t, y):
            count[0] = count[0] + 1
            return f(t, y)

        off = solve(g, setting) - y_end
        return count[0], max(np.max(off), -np.min(off))

    work, errors = zip(*map(once, settings))
    return np.asarray(work, dtype=float), np.asarray(errors)

# %% probe="work_precision"
def probe(answer, draw):
    number, shape = int(draw.integers(1, 6)), tuple(draw.integers(1, 4, size=draw.integers(0, 3)))
    calls, ends = draw.integers(0, 9, size=number), draw.normal(size=(number, *shape))

    def solve(f, setting):
        y = np.asarray(ends[setting])
        for k in range(calls[setting]):
            y = y + 0.01 * f(k, y)
        return y

    return list(answer(solve, lambda t, y: t - y, draw.normal(size=shape), list(range(number))))

# %% wrong="stiffness_from_stages" shows="step-size-forgotten" outcome="not yet"
def stiffness_from_stages(h, slopes, states):
    distance = np.linalg.norm(states[1] - states[0])
    return np.linalg.norm(slopes[1] - slopes[0]) / distance if distance > 0 else 0.0

# %% wrong="stiffness_from_stages" shows="upside-down" outcome="not yet"
def stiffness_from_stages(h, slopes, states):
    rise = np.linalg.norm(slopes[1] - slopes[0])
    return abs(h) * np.linalg.norm(states[1] - states[0]) / rise if rise > 0 else 0.0

# %% wrong="stiffness_from_stages" shows="equal-states" outcome="not yet"
def stiffness_from_stages(h, slopes, states):
    return abs(h) * np.linalg.norm(slopes[1] - slopes[0]) / np.linalg.norm(states[1] - states[0])

# %% wrong="stiffness_from_stages" shows="no-differences" outcome="not yet"
def stiffness_from_stages(h, slopes, states):
    return abs(h) * np.linalg.norm(slopes[1]) / np.linalg.norm(states[1])

# %% wrong="stiffness_from_stages" shows="norms-subtracted" outcome="not yet"
def stiffness_from_stages(h, slopes, states):
    rise = abs(np.linalg.norm(slopes[1]) - np.linalg.norm(slopes[0]))
    return abs(h) * rise / abs(np.linalg.norm(states[1]) - np.linalg.norm(states[0]))

# %% wrong="stiffness_from_stages" shows="sign" outcome="not yet"
def stiffness_from_stages(h, slopes, states):
    distance = np.linalg.norm(states[1] - states[0])
    return h * np.linalg.norm(slopes[1] - slopes[0]) / distance if distance > 0 else 0.0

# %% wrong="stiffness_from_stages" shows="largest-entry" outcome="not yet"
def stiffness_from_stages(h, slopes, states):
    distance = np.max(np.abs(states[1] - states[0]))
    return abs(h) * np.max(np.abs(slopes[1] - slopes[0])) / distance if distance > 0 else 0.0

# %% wrong="stiffness_from_stages" shows="close-as-equal" outcome="not yet"
def stiffness_from_stages(h, slopes, states):
    if np.allclose(states[0], states[1]):
        return 0.0
    return abs(h) * np.linalg.norm(slopes[1] - slopes[0]) / np.linalg.norm(states[1] - states[0])

# %% wrong="stiffness_from_stages" shows="third-stage" outcome="crashed"
def stiffness_from_stages(h, slopes, states):
    distance = np.linalg.norm(states[2] - states[1])
    return abs(h) * np.linalg.norm(slopes[2] - slopes[1]) / distance if distance > 0 else 0.0

# %% variant="stiffness_from_stages" style="roots of sums of squares"
def stiffness_from_stages(h, slopes, states):
    k6, k7 = slopes
    y6, y7 = states
    gap = np.sqrt(np.sum((y7 - y6) ** 2))
    if gap > 0:
        return np.abs(h) * np.sqrt(np.sum((k7 - k6) ** 2)) / gap
    return 0

# %% variant="stiffness_from_stages" style="np.diff and flat vectors"
def stiffness_from_stages(h, slopes, states):
    rise, gap = (np.linalg.norm(np.diff(each, axis=0).ravel()) for each in (slopes, states))
    with np.errstate(all="ignore"):
        rate = np.float64(rise) / gap
    return float(abs(h) * rate) if np.isfinite(rate) else 0.0

# %% variant="stiffness_from_stages" style="root mean squares: their quotient is the same"
def stiffness_from_stages(h, slopes, states):
    def rms(pair):
        return np.sqrt(np.mean(np.square(np.subtract(pair[0], pair[1]))))

    if np.array_equal(states[0], states[1]):
        return 0.0
    return abs(h * rms(slopes) / rms(states))

# %% probe="stiffness_from_stages"
def probe(answer, draw):
    shape = (2, *draw.integers(1, 4, size=draw.integers(0, 4)))
    slopes, states = draw.normal(size=(2, *shape))
    if draw.uniform() < 0.2:
        states[1] = states[0]
    return [answer(draw.normal(), slopes, states)]
