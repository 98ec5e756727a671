# %% [markdown]
# # Lesson 03 · Stability and stiffness
#
# **Why does an accurate solver blow up?**
#
# Lesson 02 ended with a promise about short steps. Here you learn when a step is too long, and what to do when every affordable step is. After this lesson you can
#
# - compute by how much a step multiplies an error, for any tableau,
# - draw where that factor is harmless, in the plane of complex numbers,
# - measure the rates of a system by its Jacobian and its eigenvalues,
# - find the longest stable step,
# - write an implicit Euler step and solve a stiff problem with it,
# - say what a stiffness ratio tells, and what it does not.
#
# You need lesson 01 (Euler's step), lesson 02 (tableau, order), and about 80 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from stepkit import ode

# %% [markdown]
# ## 1. Small errors, multiplied
#
# Take $y' = -50\,(y - \cos t)$ from $y(0) = 0$. The state is pulled to $\cos t$ within a tenth of a time unit, and then follows it smoothly.

# %% [markdown] question="smooth"
# **Predict before you run.**

# %%
predict("03.smooth", ...)


# %%
def follow(h, ax=None):
    ts = np.arange(0, 1.5 + h / 2, h)
    ys = [0.0]
    for t in ts[:-1]:
        ys.append(ys[-1] - h * 50 * (ys[-1] - np.cos(t)))
    ax = ax or plt.gca()
    ax.plot(ts, np.cos(ts), "k:", label="cos t")
    ax.plot(ts, ys, "o-", color="#0072B2", markersize=3, label="Euler")
    ax.set(title=f"h = {h:.3f}, factor {1 - 50 * h:.2f}", xlabel="t", ylim=(-6, 8))
    ax.legend()


figure, panels = plt.subplots(1, 3, figsize=(11, 3), sharey=True)
for h, ax in zip((0.01, 0.038, 0.042), panels):
    follow(h, ax)
plt.show()
predict("03.smooth")

# %% [markdown]
# What the figure shows: with h = 0.01 Euler's method settles on the curve. With 0.038 it swings around the curve, less and less. With 0.042 it swings further and further.
#
# Move the step yourself.

# %%
try:
    from ipywidgets import FloatSlider, interact

    slider = FloatSlider(0.03, min=0.005, max=0.045, step=0.001, readout_format=".3f")
    interact(lambda h: follow(h), h=slider)
except ImportError:
    follow(0.03)

# %% [markdown]
# The reason: subtract two numerical solutions that start at different states. The $\cos t$ drops out, and a step multiplies their difference by $1 + h\lambda$ with $\lambda = -50$. If $|1 + h\lambda| > 1$, every error that was ever made grows, however small it began.
#
# So one problem tells most: $y' = \lambda y$. A step of any Runge-Kutta method multiplies $y$ by a number that depends on $z = h\lambda$ only: its *stability function* $R(z)$. To find it, write $\mathbf 1$ for a column of ones and $k$ for the column of the stages. On $y' = \lambda y$ the stages are $k = \lambda\,(y\,\mathbf 1 + h A k)$. Times $h$ this is $h k = z\,(y\,\mathbf 1 + A\, h k)$, so $(I - zA)\, h k = z\, y\, \mathbf 1$. Put $h k$ into $y + b^T h k$:
#
# $$R(z) = 1 + z\, b^T (I - z A)^{-1} \mathbf 1$$

# %% [markdown] exercise="stability_function"
# Return R(z) for the tableau `A`, `b`. `z` is a real or complex number, or an array of any shape; the result has the shape of `z`.
#
# `A` may have entries on and above the diagonal: then the method is *implicit*, and you meet one in section 4. So solve the system with `np.linalg.solve`; a finite sum over stages works for explicit methods only.
#
# About five lines are enough. A loop over the entries of `z` is fine.

# %% answer="stability_function"
def stability_function(A, b, z):
    """R(z) = 1 + z b^T (I - z A)^-1 1, entry by entry.

    A: array (s, s)
    b: array (s,)
    z: real or complex number, or array of any shape
    Returns R, of the shape of z.
    """
    # BEGIN SOLUTION
    z = np.asarray(z)
    ones = np.ones(len(b))
    values = [1 + each * (b @ np.linalg.solve(np.eye(len(b)) - each * A, ones)) for each in z.flat]
    return np.reshape(values, z.shape)
    # END SOLUTION


# %%
check("03.stability_function")

# %% [markdown] help="stability_function"
# ## what do I do with an array z?
# Loop over `z.flat`, collect the numbers in a list, and give the list the shape of `z` in the end: `np.reshape` does that.
# ## what is (I - zA)^-1 1?
# The solution v of `(I - z A) v = ones`: `np.linalg.solve(matrix, ones)`. Then `b @ v` is a number.
# ## Why
# For an explicit method the inverse is a finite sum, and R is a polynomial: every polynomial grows for large z. For an implicit method R is a quotient, which need not grow.

# %% [markdown]
# ## 2. Where a step is harmless
#
# Why complex $z$? Oscillations. A *complex number* is $z = a + ib$ with $i^2 = -1$, a point of a plane; its size is $|z| = \sqrt{a^2 + b^2}$. For $\lambda = a + i\omega$ the solution $e^{\lambda t}$ has the size $e^{at}$ and turns at the rate $\omega$. So the real part damps, or grows, and the imaginary part turns.
#
# The *stability region* of a method is the set of all $z$ with $|R(z)| \le 1$.

# %% [markdown] question="longer"
# For Euler $R(z) = 1 + z$, for RK4 $R(z) = 1 + z + z^2/2 + z^3/6 + z^4/24$: try $z = -2.5$ and $z = -3$. **Predict before you run.**

# %%
predict("03.longer", ...)

# %%
R_of = use("03.stability_function")
names = {"Euler": ode.Euler(), "Heun": ode.Heun(), "RK4": ode.RK4()}
x, y = np.meshgrid(np.linspace(-4, 1.5, 111), np.linspace(-3.5, 3.5, 141))
figure, ax = plt.subplots(figsize=(5, 5))
looks = zip(("#0072B2", "#D55E00", "#009E73"), ("-", "--", "-."))
for (label, method), (colour, dash) in zip(names.items(), looks):
    A, b = np.array(method.tableau.a), np.array(method.tableau.b)
    ax.contour(x, y, np.abs(R_of(A, b, x + 1j * y)), [1.0], colors=colour, linestyles=dash)
    ax.plot([], [], color=colour, linestyle=dash, label=label)
    real = np.linspace(-4, -0.01, 4000)
    end = real[np.abs(R_of(A, b, real)) <= 1].min()
    print(f"{label:5}: stable from z = {end:.3f} to 0; with lambda = -50 up to h = {-end / 50:.4f}")
ax.axhline(0, color="0.6", linewidth=0.8)
ax.axvline(0, color="0.6", linewidth=0.8)
ax.set(xlabel="Re z", ylabel="Im z", title="Inside each line |R| <= 1", aspect="equal")
ax.legend()
plt.show()
predict("03.longer")

# %% [markdown]
# What the figure shows: Euler's region is the disc of radius 1 around -1. Heun's reaches as far to the left, but is higher. RK4's reaches to about -2.8 and covers a piece of the imaginary axis, so RK4 bears oscillations without damping; Euler bears none.
#
# **A residual block is such a step with h = 1.** If $f$ answers a small disturbance with $\lambda$ times that disturbance, the block $x + f(x)$ multiplies it by $1 + \lambda$. That is harmless in the disc around -1: $f$ pulls back, but less than twice as far as the disturbance. Lesson 06 puts trained blocks into this picture.

# %% [markdown]
# ## 3. From one rate to a system
#
# A system $y' = Jy$ has several rates. A vector $v \neq 0$ with $Jv = \lambda v$ is an *eigenvector* of the matrix $J$ and $\lambda$ its *eigenvalue*: along $v$ the system is $y' = \lambda y$ again. The part of a solution along one eigenvector is called a *mode*. `np.linalg.eigvals(J)` returns all eigenvalues. A turning motion has a complex pair, $a \pm i\omega$.
#
# A field $f$ that is not linear looks linear to small disturbances. Its matrix there is the *Jacobian*, with the entries $J_{ij} = \partial f_i / \partial y_j$.

# %% [markdown] exercise="jacobian_by_differences"
# Return the Jacobian of `f` at `(t, y)`: column j is the change of `f` divided by a small change of `y[j]`, all else kept.
#
# How small? About `1e-6` times the size of `y[j]`, so that it is neither rounded away for 3e8 nor zero for `y[j] = 0`: use `1e-6 * max(1, abs(y[j]))`. Four digits of the result are asked for.
#
# `y` is an array (n,), perhaps of whole numbers; do not change it. `f` takes one state and returns an array (m,), where m need not be n. The shape of the answer is (m, n). About six lines.

# %% answer="jacobian_by_differences"
def jacobian_by_differences(f, t, y):
    """The matrix of the derivatives of f by the state.

    f: callable (t, y) -> array (m,)
    t: number
    y: array (n,)
    Returns an array (m, n).
    """
    # BEGIN SOLUTION
    y = np.asarray(y, dtype=float)
    columns = []
    for j in range(len(y)):
        move = np.zeros(len(y))
        move[j] = 1e-6 * max(1.0, abs(y[j]))
        columns.append((f(t, y + move) - f(t, y - move)) / (2 * move[j]))
    return np.stack(columns, axis=1)
    # END SOLUTION


# %%
check("03.jacobian_by_differences")

# %% [markdown] help="jacobian_by_differences"
# ## how do I change one entry?
# Copy `y` into an array of floats, and add the small step to entry j of the copy.
# ## rows or columns?
# One moved state gives the change of all slopes: a column. `np.stack` with `axis=1` puts columns side by side.
# ## Why
# Too long a step sees the curvature of f; too short a step loses its digits in the subtraction. Moving to both sides cancels the first part of the curvature.

# %% [markdown] exercise="largest_stable_step"
# Return the largest `h`, at most `h_max`, such that **every** step from 0 to `h` is stable: $|R(h\lambda)| \le 1$ for all eigenvalues. An error of `h_max / 200` is allowed, so you may simply try many steps.
#
# `R` takes a number or an array. Count a size up to `1 + 1e-9` as 1. If all steps are stable, return `h_max`. If every short step amplifies some mode (a real part above 0; Euler with $\pm i$), return 0, even if some longer step would be stable.
#
# `eigenvalues` is an array (n,), real or complex. The result is a number. About five lines.

# %% answer="largest_stable_step"
def largest_stable_step(eigenvalues, R, h_max):
    """The end of the stable steps that begin at 0.

    eigenvalues: array (n,), real or complex
    R: callable, the stability function of a method, for numbers and arrays
    h_max: positive number
    Returns a number between 0 and h_max.
    """
    # BEGIN SOLUTION
    last = 0.0
    for h in np.linspace(0, h_max, 401):
        if np.max(np.abs(R(h * eigenvalues))) > 1 + 1e-9:
            break
        last = h
    return last
    # END SOLUTION


# %%
check("03.largest_stable_step")

# %% [markdown] help="largest_stable_step"
# ## which steps do I try?
# `np.linspace(0, h_max, 401)` is fine enough.
# ## all eigenvalues at once?
# `R(h * eigenvalues)` is an array of factors. The largest size decides.
# ## Why
# Going up from 0 and stopping at the first unstable step is what "every step" asks for. Halving an interval would step over gaps.

# %% [markdown]
# Now a system of two modes, $e^{-t}$ and $e^{-100t}$. After a tenth of a time unit the second is gone.

# %% [markdown] question="asleep"
# **Predict before you run.**

# %%
predict("03.asleep", ...)

# %%
jacobian, longest = use("03.jacobian_by_differences"), use("03.largest_stable_step")
modes = np.array([[0.6, 0.8], [-0.8, 0.6]])  # columns: the slow and the fast direction
matrix = modes @ np.diag([-1.0, -100.0]) @ modes.T


def two_rates(t, y):
    return matrix @ y


rates = np.linalg.eigvals(jacobian(two_rates, 0.0, modes[:, 0]))
print("eigenvalues", np.round(rates, 3))
print("longest stable Euler step", round(longest(rates, lambda z: 1 + z, 0.04), 4))
ts = np.arange(0, 1.8, 0.03)
state, first = modes[:, 0], []
for t in ts:
    first.append(state[0])
    state = state + 0.03 * two_rates(t, state)
plt.plot(ts, modes[0, 0] * np.exp(-ts), "k:", label="exact")
plt.plot(ts, first, "o-", color="#D55E00", markersize=3, label="Euler, h = 0.03")
plt.ylim(-1, 1.5)
plt.xlabel("t")
plt.ylabel("first component")
plt.legend()
plt.show()
predict("03.asleep")

# %% [markdown]
# What the figure shows: Euler's method follows the slow mode smoothly, and then leaves it in growing swings. The start holds no fast mode; rounding alone supplied it.
#
# So an explicit method has to resolve a mode that is long dead. That is *stiffness*, and one number is often quoted for it.

# %% [markdown] exercise="stiffness_ratio"
# Return the ratio of the fastest to the slowest rate of decay of the matrix `system`, an array (n, n): $\max |\mathrm{Re}\,\lambda| \,/\, \min |\mathrm{Re}\,\lambda|$ over the eigenvalues with negative real part.
#
# Growing modes do not count, nor do real parts of zero. Rounding makes a zero into something like -1e-16: treat as zero what is smaller than 1e-10 times the largest $|\lambda|$. Return `np.nan` if nothing decays.
#
# The result is a real number. About five lines.

# %% answer="stiffness_ratio"
def stiffness_ratio(system):
    """The fastest over the slowest rate of decay.

    system: array (n, n)
    Returns a number, or np.nan if no mode decays.
    """
    # BEGIN SOLUTION
    eigenvalues = np.linalg.eigvals(system)
    zero = 1e-10 * np.max(np.abs(eigenvalues))
    decay = [-value.real for value in eigenvalues if value.real < -zero]
    return max(decay) / min(decay) if decay else np.nan
    # END SOLUTION


# %%
check("03.stiffness_ratio")

# %% [markdown] help="stiffness_ratio"
# ## how do I get the real parts?
# Every entry of an array of complex numbers has one: the attribute `.real` gives them all.
# ## what if the list is empty?
# Then nothing decays: return `np.nan` before you take the maximum.
# ## Why
# A rate is a real part: an imaginary part turns and does not damp. The fastest rate limits the step, the slowest sets how long you must wait.

# %% [markdown]
# ## 4. Ask at the end of the step
#
# The *implicit Euler method* takes its slope at the end of the step:
#
# $$z = y + h\, f(t + h,\; z)$$
#
# Here $z$ is a state, the one that is looked for. It stands on both sides, so each step has to solve an equation. On $y' = \lambda y$ the method has $R(h\lambda) = 1/(1 - h\lambda)$.

# %% [markdown] question="implicit"
# **Checkpoint.**

# %%
checkpoint("03.implicit", ...)

# %% [markdown]
# Equations $g(z) = 0$ are solved by *Newton's method*: replace $g$ by its tangent at $z$, and go to where the tangent is zero. With the Jacobian $J$ of $g$ at $z$, the new $z$ is $z - J^{-1} g(z)$.

# %% [markdown] exercise="newton_step"
# Return the state after **one** step of Newton's method from `z` towards g(z) = 0.
#
# `z` is an array (n,), and `g(z)` another; do not change `z`. Take the Jacobian by `jacobian_by_differences`; its `f` has two arguments, so wrap `g` in a `lambda`. While this is checked, that function is a correct one.
#
# The shape of the answer is (n,). Two lines are enough.

# %% answer="newton_step"
def newton_step(g, z):
    """One step of Newton's method towards g(z) = 0.

    g: callable, array (n,) -> array (n,)
    z: array (n,)
    Returns an array (n,).
    """
    # BEGIN SOLUTION
    slopes = jacobian_by_differences(lambda t, z: g(z), 0.0, z)
    return z - np.linalg.solve(slopes, g(z))
    # END SOLUTION


# %%
check("03.newton_step")

# %% [markdown] help="newton_step"
# ## how do I wrap g?
# `lambda t, z: g(z)` takes a time and forgets it. Any time will do.
# ## how do I divide by a matrix?
# You do not: solve the linear system whose matrix is the Jacobian and whose right side is g at z.
# ## Why
# Where g is linear the tangent is g itself, and one step is exact. Elsewhere the error is roughly squared by each step, once z is near.

# %% [markdown] exercise="implicit_euler_step"
# Write one step of the implicit Euler method: return the `z` that solves `z = y + h * f(t + h, z)`, to 8 digits. Start from `z = y` and repeat `newton_step` until the correction is small, or 50 times at most. While this is checked, `newton_step` is a correct one.
#
# `y` is an array (n,) of floats; do not change it. The answer is (n,). About five lines.

# %% answer="implicit_euler_step"
def implicit_euler_step(f, t, y, h):
    """One step of the implicit Euler method from t to t + h.

    f: callable (t, y) -> array (n,)
    y: array (n,)
    Returns the state at t + h, an array (n,).
    """
    # BEGIN SOLUTION
    z = y
    for _ in range(50):
        last = z
        z = newton_step(lambda w: w - y - h * f(t + h, w), z)
        if np.allclose(z, last, rtol=1e-10, atol=1e-12):
            break
    return z
    # END SOLUTION


# %%
check("03.implicit_euler_step")

# %% [markdown] help="implicit_euler_step"
# ## what is g?
# Bring all to one side: `lambda z: z - y - h * f(t + h, z)`.
# ## when do I stop?
# Keep the last `z`. If the new one hardly differs (`np.allclose` with `rtol=1e-10`), you are done.
# ## Why
# Repeating `z = y + h * f(t + h, z)` would find the same z, but only if h is short; its limit is that of the explicit method. Newton's method uses the Jacobian, and has no such limit.

# %% [markdown]
# Now Van der Pol's oscillator, $x'' = \mu (1 - x^2) x' - x$ with $\mu = 100$: long slow branches, with jumps between them. We follow the first branch, to t = 75.

# %%
implicit = use("03.implicit_euler_step")
vdp = ode.problems.VanDerPol(mu=100.0)
grid = np.linspace(0, 75, 151)  # h = 0.5
with np.errstate(all="ignore"):
    for name in ("euler", "rk4"):
        run = ode.odeint(vdp.f, vdp.y0, grid, solver=name)
        print(f"{name}, 150 steps: {run.result}")
walk = ode.odeint(vdp.f, vdp.y0, grid, solver=implicit)
exact = ode.odeint(vdp.f, vdp.y0, grid, solver="kvaerno5", rtol=1e-8, atol=1e-8).ys[:, 0]
error = np.max(np.abs(walk.ys[:, 0] - exact))
print(f"implicit Euler, 150 steps: {walk.result}, largest error of x {error:.4f}")
fast = np.linalg.eigvals(jacobian(vdp.f, 0.0, vdp.y0)).real.min()
print(f"fastest rate at the start {fast:.0f}: Euler bears h up to {-2 / fast:.4f}")
plt.plot(grid, walk.ys[:, 0], "o", color="#0072B2", markersize=3, label="implicit Euler, h = 0.5")
plt.plot(grid, exact, "k:", label="accurate solution")
plt.xlabel("t")
plt.ylabel("x")
plt.legend()
plt.show()

# %% [markdown]
# What the figure shows: the implicit Euler method walks along the slow branch with steps 75 times longer than Euler's method could bear at the start. With the same steps, Euler's method and RK4 leave all finite numbers. An implicit step costs several evaluations and a linear system; here it pays.
#
# In the jump that comes next the solution itself is fast. Put 80 in place of 75 and 161 in place of 151: the result still says success, and the error of x is large. A step of 0.5 is too long for accuracy there. Stable is not accurate. A solver has to shorten its step: lesson 04.

# %% [markdown]
# ## 5. What the ratio does not tell
#
# Look at the slow branch for $\mu = 1000$, and at the problem of section 1.

# %%
ratio = use("03.stiffness_ratio")
stiffer = ode.problems.VanDerPol(mu=1000.0)
slow_branch = np.array([1.8, 1.8 / (1000.0 * (1 - 1.8**2))])
at = jacobian(stiffer.f, 0.0, slow_branch)
print("Van der Pol: eigenvalues", np.round(np.linalg.eigvals(at), 4), "ratio", ratio(at))
print("y' = -50 (y - cos t): ratio", ratio(np.array([[-50.0]])))
for t_end, tolerance in ((2.0, 1e-2), (2.0, 1e-3), (2.0, 1e-5), (0.02, 1e-3)):
    exact = np.exp(-t_end) * modes[:, 0] + np.exp(-100 * t_end) * modes[:, 1]
    needed = {}
    for label, factors in (("Euler", lambda h: 1 + h * np.array([-1, -100])),
                           ("implicit", lambda h: 1 / (1 + h * np.array([1, 100])))):  # fmt: skip
        n = 1
        while np.max(np.abs(modes @ factors(t_end / n) ** n - exact)) > tolerance:
            n *= 2
        needed[label] = n
    print(f"two modes to t = {t_end}, tolerance {tolerance}: steps {needed}")

# %% [markdown]
# On the slow branch the slow eigenvalue is *positive*, so it is left out and the ratio is 1, though the fast rate is over 2000. With one eigenvalue the ratio is 1 by definition, though section 1 was stiff: the slow part was the forcing.
#
# In the last lines both modes are there at the start, the ratio is 100 throughout, and the number of steps is doubled until the error is within the tolerance. With a coarse tolerance and a long interval the implicit method needs fewer steps. With a fine tolerance both need as many, since both have order 1; then the explicit step is cheaper. On the short interval neither wins.
#
# So stiffness belongs to a problem, a tolerance and an interval together: **a task is stiff when implicit pays.**

# %% [markdown] question="stiff"
# **Checkpoint.**

# %%
checkpoint("03.stiff", ...)

# %% [markdown]
# ## Summary
#
# - A step multiplies old errors by $R(h\lambda)$. If that is larger than 1 in size, accuracy does not help.
# - The Jacobian gives the rates; the fastest limits an explicit step, even after its mode has died out.
# - Implicit Euler is stable for every decaying mode. Each step solves an equation by Newton's method.
# - A stiffness ratio is a hint. Stiff is what makes implicit steps pay.
#
# **Still open.** How does a solver notice that it steps too far, or too carefully? Lesson 04 measures the error and adapts the step. Eigenvalues also misjudge matrices far from normal, whose modes are almost parallel: lesson 06.
#
# **To read**
#
# - E. Hairer, G. Wanner, *Solving Ordinary Differential Equations II*, sections IV.1 to IV.3: examples of stiff equations, stability, implicit methods.
# - G. Söderlind, L. Jay, M. Calvo, *Stiffness 1952-2012: Sixty years in search of a definition*, BIT 55 (2015).
# - J. D. Lambert, *Numerical Methods for Ordinary Differential Systems*, Wiley 1991, section 6.1.


# %% wrong="stability_function" shows="sign" outcome="not yet"
def stability_function(A, b, z):
    z = np.asarray(z)
    one, eye = np.ones(len(b)), np.eye(len(b))
    return np.reshape([1 + w * (b @ np.linalg.solve(eye + w * A, one)) for w in z.flat], z.shape)

# %% wrong="stability_function" shows="transposed" outcome="not yet"
def stability_function(A, b, z):
    z = np.asarray(z)
    one, eye = np.ones(len(b)), np.eye(len(b))
    return np.reshape([1 + w * (b @ np.linalg.solve(eye - w * A.T, one)) for w in z.flat], z.shape)

# %% wrong="stability_function" shows="size-not-value" outcome="not yet"
def stability_function(A, b, z):
    z = np.asarray(z)
    one, eye = np.ones(len(b)), np.eye(len(b))
    return np.reshape([abs(1 + w * (b @ np.linalg.solve(eye - w * A, one))) for w in z.flat], z.shape)

# %% wrong="stability_function" shows="explicit-only" outcome="not yet"
def stability_function(A, b, z):
    z = np.asarray(z)
    one, eye = np.ones(len(b)), np.eye(len(b))
    return 1 + z * np.sum(b)

# %% wrong="stability_function" shows="one-forgotten" outcome="not yet"
def stability_function(A, b, z):
    z = np.asarray(z)
    one, eye = np.ones(len(b)), np.eye(len(b))
    return np.reshape([w * (b @ np.linalg.solve(eye - w * A, one)) for w in z.flat], z.shape)

# %% wrong="stability_function" shows="z-forgotten" outcome="not yet"
def stability_function(A, b, z):
    z = np.asarray(z)
    one, eye = np.ones(len(b)), np.eye(len(b))
    return np.reshape([1 + b @ np.linalg.solve(eye - w * A, one) for w in z.flat], z.shape)

# %% wrong="stability_function" shows="integer-result" outcome="not yet"
def stability_function(A, b, z):
    z = np.asarray(z)
    R = np.empty_like(z)
    for place, each in np.ndenumerate(z):
        R[place] = 1 + each * (b @ np.linalg.solve(np.eye(len(b)) - each * A, np.ones(len(b))))
    return R

# %% variant="stability_function" style="inverse"
def stability_function(A, b, z):
    z = np.asarray(z)
    one, eye = np.ones(len(b)), np.eye(len(b))
    return np.reshape([1 + w * b @ np.linalg.inv(eye - w * A) @ one for w in z.flat], z.shape)

# %% variant="stability_function" style="two determinants"
def stability_function(A, b, z):
    z = np.asarray(z)
    one, eye = np.ones(len(b)), np.eye(len(b))
    return np.reshape([np.linalg.det(eye - w * A + w * np.outer(one, b)) / np.linalg.det(eye - w * A) for w in z.flat], z.shape)

# %% variant="stability_function" style="one stacked solve"
def stability_function(A, b, z):
    z = np.asarray(z, dtype=complex)
    matrices = np.eye(len(b)) - z[..., None, None] * A
    return 1 + z * (np.linalg.inv(matrices).sum(axis=-1) @ b)

# %% probe="stability_function"
def probe(answer, draw):
    s = int(draw.integers(1, 5))
    z = draw.normal(size=(2, 2)) + 1j * draw.normal(size=(2, 2))
    return [answer(draw.normal(size=(s, s)), draw.normal(size=s), z)]

# %% wrong="largest_stable_step" shows="gap-stepped-over" outcome="not yet"
def largest_stable_step(eigenvalues, R, h_max):
    steps = np.linspace(0, h_max, 601)
    return max(h for h in steps if np.all(np.abs(R(h * eigenvalues)) <= 1 + 1e-9))

# %% wrong="largest_stable_step" shows="size-forgotten" outcome="not yet"
def largest_stable_step(eigenvalues, R, h_max):
    steps = np.linspace(0, h_max, 601)
    last = 0.0
    for h in steps:
        if np.max(np.real(R(h * eigenvalues))) > 1 + 1e-9:
            break
        last = h
    return last

# %% wrong="largest_stable_step" shows="slowest-decides" outcome="not yet"
def largest_stable_step(eigenvalues, R, h_max):
    steps = np.linspace(0, h_max, 601)
    last = 0.0
    for h in steps:
        if np.min(np.abs(R(h * eigenvalues))) > 1 + 1e-9:
            break
        last = h
    return last

# %% wrong="largest_stable_step" shows="interval-halved" outcome="not yet"
def largest_stable_step(eigenvalues, R, h_max):
    return min(h_max, 1 / np.max(np.abs(eigenvalues)))

# %% wrong="largest_stable_step" shows="fastest-only" outcome="not yet"
def largest_stable_step(eigenvalues, R, h_max):
    fastest = eigenvalues[np.argmax(np.abs(eigenvalues))]
    last = 0.0
    for h in np.linspace(0, h_max, 401):
        if np.abs(R(h * fastest)) > 1 + 1e-9:
            break
        last = h
    return last

# %% variant="largest_stable_step" style="all at once"
def largest_stable_step(eigenvalues, R, h_max):
    steps = np.linspace(0, h_max, 601)
    good = (np.abs(R(np.outer(steps, eigenvalues))) <= 1 + 1e-9).all(axis=1)
    return h_max if good.all() else steps[np.argmin(good) - 1]

# %% variant="largest_stable_step" style="plain loops"
def largest_stable_step(eigenvalues, R, h_max):
    n = 0
    while n < 300:
        h = (n + 1) * h_max / 300
        if any(abs(R(h * value)) > 1 + 1e-9 for value in eigenvalues):
            break
        n += 1
    return n * h_max / 300

# %% variant="largest_stable_step" style="cumulated"
def largest_stable_step(eigenvalues, R, h_max):
    steps = np.linspace(0, h_max, 601)
    sizes = [np.max(np.abs(R(h * eigenvalues))) for h in steps]
    worst = np.maximum.accumulate(sizes)
    return float(steps[worst <= 1 + 1e-9][-1])

# %% probe="largest_stable_step"
def probe(answer, draw):
    values = -draw.uniform(0.1, 5, size=3) + 1j * draw.normal(size=3)
    h = answer(values, lambda z: 1 + z, 3.0)
    return [float(np.round(h * 100 / 3))]

# %% wrong="jacobian_by_differences" shows="transposed" outcome="not yet"
def jacobian_by_differences(f, t, y):
    y = np.array(y, dtype=float)
    out = []
    for j in range(len(y)):
        s = 1e-6 * max(1.0, abs(y[j]))
        p, m = y.copy(), y.copy()
        p[j] += s
        m[j] -= s
        out.append((f(t, p) - f(t, m)) / (2 * s))
    return np.array(out)

# %% wrong="jacobian_by_differences" shows="half-forgotten" outcome="not yet"
def jacobian_by_differences(f, t, y):
    y = np.array(y, dtype=float)
    out = []
    for j in range(len(y)):
        s = 1e-6 * max(1.0, abs(y[j]))
        p, m = y.copy(), y.copy()
        p[j] += s
        m[j] -= s
        out.append((f(t, p) - f(t, m)) / s)
    return np.array(out).T

# %% wrong="jacobian_by_differences" shows="sign" outcome="not yet"
def jacobian_by_differences(f, t, y):
    y = np.array(y, dtype=float)
    out = []
    for j in range(len(y)):
        s = 1e-6 * max(1.0, abs(y[j]))
        p, m = y.copy(), y.copy()
        p[j] += s
        m[j] -= s
        out.append((f(t, m) - f(t, p)) / (2 * s))
    return np.array(out).T

# %% wrong="jacobian_by_differences" shows="step-lost" outcome="not yet"
def jacobian_by_differences(f, t, y):
    y = np.array(y, dtype=float)
    out = []
    for j in range(len(y)):
        s = 1e-30
        p, m = y.copy(), y.copy()
        p[j] += s
        m[j] -= s
        out.append((f(t, p) - f(t, m)) / (2 * s))
    return np.array(out).T

# %% wrong="jacobian_by_differences" shows="half-too-many" outcome="not yet"
def jacobian_by_differences(f, t, y):
    y = np.array(y, dtype=float)
    out = []
    for j in range(len(y)):
        s = 1e-6 * max(1.0, abs(y[j]))
        p, m = y.copy(), y.copy()
        p[j] += s
        m[j] -= s
        out.append((f(t, p) - f(t, y)) / (2 * s))
    return np.array(out).T

# %% variant="jacobian_by_differences" style="forward differences"
def jacobian_by_differences(f, t, y):
    y = np.array(y, dtype=float)
    out = []
    for j in range(len(y)):
        s = 1e-7 * max(1.0, abs(y[j]))
        p, m = y.copy(), y.copy()
        p[j] += s
        m[j] -= s
        out.append((f(t, p) - f(t, y)) / s)
    return np.array(out).T

# %% variant="jacobian_by_differences" style="unit vectors"
def jacobian_by_differences(f, t, y):
    y = np.asarray(y, dtype=float)
    s = 1e-6 * np.maximum(1, np.abs(y))
    return np.column_stack([(f(t, y + e * s) - f(t, y - e * s)) / (2 * s @ e) for e in np.eye(len(y))])

# %% variant="jacobian_by_differences" style="filled matrix"
def jacobian_by_differences(f, t, y):
    y = np.array(y, dtype=float)
    out = []
    for j in range(len(y)):
        s = 1e-6 * max(1.0, abs(y[j]))
        p, m = y.copy(), y.copy()
        p[j] += s
        m[j] -= s
        out.append([(a - c) / (p[j] - m[j]) for a, c in zip(f(t, p), f(t, m))])
    return np.transpose(out)

# %% probe="jacobian_by_differences"
def probe(answer, draw):
    a = draw.normal(size=(2, 3))
    return [np.round(answer(lambda t, y: a @ y**2 + t, 0.3, draw.normal(size=3)), 4)]

# %% wrong="stiffness_ratio" shows="upside-down" outcome="not yet"
def stiffness_ratio(system):
    rates = -np.linalg.eigvals(system).real
    rates = rates[rates > 1e-10 * np.abs(np.linalg.eigvals(system)).max()]
    if len(rates) == 0:
        return np.nan
    return rates.min() / rates.max()

# %% wrong="stiffness_ratio" shows="difference" outcome="not yet"
def stiffness_ratio(system):
    rates = -np.linalg.eigvals(system).real
    rates = rates[rates > 1e-10 * np.abs(np.linalg.eigvals(system)).max()]
    if len(rates) == 0:
        return np.nan
    return rates.max() - rates.min()

# %% wrong="stiffness_ratio" shows="singular-values" outcome="not yet"
def stiffness_ratio(system):
    return np.linalg.cond(system)

# %% wrong="stiffness_ratio" shows="growing-counted" outcome="not yet"
def stiffness_ratio(system):
    r = np.abs(np.linalg.eigvals(system).real)
    return r.max() / r.min()

# %% wrong="stiffness_ratio" shows="size-not-rate" outcome="not yet"
def stiffness_ratio(system):
    v = np.linalg.eigvals(system)
    v = np.abs(v[v.real < -1e-10 * np.abs(v).max()])
    return v.max() / v.min() if len(v) else np.nan

# %% wrong="stiffness_ratio" shows="rounding-is-a-rate" outcome="not yet"
def stiffness_ratio(system):
    v = -np.linalg.eigvals(system).real
    v = v[v > 0]
    return v.max() / v.min() if len(v) else np.nan

# %% variant="stiffness_ratio" style="masked array"
def stiffness_ratio(system):
    rates = -np.linalg.eigvals(system).real
    rates = rates[rates > 1e-10 * np.abs(np.linalg.eigvals(system)).max()]
    if len(rates) == 0:
        return np.nan
    return float(rates.max() / rates.min())

# %% variant="stiffness_ratio" style="sorted"
def stiffness_ratio(system):
    rates = -np.linalg.eigvals(system).real
    rates = rates[rates > 1e-10 * np.abs(np.linalg.eigvals(system)).max()]
    if len(rates) == 0:
        return np.nan
    rates = sorted(rates)
    return rates[-1] / rates[0]

# %% variant="stiffness_ratio" style="logarithms"
def stiffness_ratio(system):
    rates = -np.linalg.eigvals(system).real
    rates = rates[rates > 1e-10 * np.abs(np.linalg.eigvals(system)).max()]
    if len(rates) == 0:
        return np.nan
    return np.exp(np.ptp(np.log(rates)))

# %% probe="stiffness_ratio"
def probe(answer, draw):
    turn = np.linalg.qr(draw.normal(size=(3, 3)))[0]
    return [answer(turn @ np.diag([-2.0, -draw.uniform(3, 9), draw.normal()]) @ turn.T)]

# %% wrong="newton_step" shows="sign" outcome="not yet"
def newton_step(g, z):
    J = jacobian_by_differences(lambda t, y: g(y), 0.0, z)
    return z + np.linalg.solve(J, g(z))

# %% wrong="newton_step" shows="change-not-state" outcome="not yet"
def newton_step(g, z):
    J = jacobian_by_differences(lambda t, y: g(y), 0.0, z)
    return np.linalg.solve(J, g(z))

# %% wrong="newton_step" shows="multiplied" outcome="not yet"
def newton_step(g, z):
    J = jacobian_by_differences(lambda t, y: g(y), 0.0, z)
    return z - J @ g(z)

# %% wrong="newton_step" shows="transposed" outcome="not yet"
def newton_step(g, z):
    J = jacobian_by_differences(lambda t, y: g(y), 0.0, z)
    return z - np.linalg.solve(J.T, g(z))

# %% wrong="newton_step" shows="jacobian-ignored" outcome="not yet"
def newton_step(g, z):
    return z - g(z)

# %% wrong="newton_step" shows="iterated" outcome="not yet"
def newton_step(g, z):
    for _ in range(20):
        z = z - np.linalg.solve(jacobian_by_differences(lambda t, y: g(y), 0.0, z), g(z))
    return z

# %% variant="newton_step" style="inverse"
def newton_step(g, z):
    J = jacobian_by_differences(lambda t, y: g(y), 0.0, z)
    return z - np.linalg.inv(J) @ g(z)

# %% variant="newton_step" style="tangent solved for the new state"
def newton_step(g, z):
    J = jacobian_by_differences(lambda t, y: g(y), 0.0, z)
    return np.linalg.solve(J, J @ z - g(z))

# %% variant="newton_step" style="least squares"
def newton_step(g, z):
    J = jacobian_by_differences(lambda t, y: g(y), 0.0, z)
    return z + np.linalg.lstsq(J, -g(z), rcond=None)[0]

# %% probe="newton_step"
def probe(answer, draw):
    a, z = draw.normal(size=(3, 3)) + 3 * np.eye(3), draw.normal(size=3)
    return [np.round(answer(lambda z: a @ z + 0.2 * z**2, z), 4)]

# %% wrong="implicit_euler_step" shows="explicit" outcome="not yet"
def implicit_euler_step(f, t, y, h):
    return y + h * f(t, y)

# %% wrong="implicit_euler_step" shows="guess-once" outcome="not yet"
def implicit_euler_step(f, t, y, h):
    return y + h * f(t + h, y + h * f(t, y))

# %% wrong="implicit_euler_step" shows="time-not-advanced" outcome="not yet"
def implicit_euler_step(f, t, y, h):
    z = y
    for _ in range(30):
        z = newton_step(lambda w: w - y - h * f(t, w), z)
    return z

# %% wrong="implicit_euler_step" shows="sign" outcome="not yet"
def implicit_euler_step(f, t, y, h):
    z = y
    for _ in range(30):
        z = newton_step(lambda w: w - y + h * f(t + h, w), z)
    return z

# %% wrong="implicit_euler_step" shows="trapezoid" outcome="not yet"
def implicit_euler_step(f, t, y, h):
    z = y
    for _ in range(30):
        z = newton_step(lambda w: w - y - h * (f(t, y) + f(t + h, w)) / 2, z)
    return z

# %% wrong="implicit_euler_step" shows="newton-once" outcome="not yet"
def implicit_euler_step(f, t, y, h):
    z = y
    for _ in range(1):
        z = newton_step(lambda w: w - y - h * f(t + h, w), z)
    return z

# %% wrong="implicit_euler_step" shows="fixed-point" outcome="not yet"
def implicit_euler_step(f, t, y, h):
    z = y
    for _ in range(50):
        z = y + h * f(t + h, z)
    return z

# %% wrong="implicit_euler_step" shows="state-overwritten" outcome="not yet"
def implicit_euler_step(f, t, y, h):
    for _ in range(50):
        y = newton_step(lambda z: z - y - h * f(t + h, z), y)
    return y

# %% variant="implicit_euler_step" style="always 30 steps"
def implicit_euler_step(f, t, y, h):
    z = y
    for _ in range(30):
        z = newton_step(lambda w: w - y - h * f(t + h, w), z)
    return z

# %% variant="implicit_euler_step" style="SciPy"
def implicit_euler_step(f, t, y, h):
    from scipy import optimize

    return optimize.root(lambda z: z - y - h * f(t + h, z), y, tol=1e-12).x

# %% variant="implicit_euler_step" style="solve for the slope"
def implicit_euler_step(f, t, y, h):
    k = 0.0 * y
    for _ in range(30):
        k = newton_step(lambda k: k - f(t + h, y + h * k), k)
    return y + h * k

# %% probe="implicit_euler_step"
def probe(answer, draw):
    y = draw.uniform(1, 2, size=3)
    return [np.round(answer(lambda t, y: -3 * y**3 + t, 0.2, y, 0.5), 7)]


# %% excuse="largest_stable_step" mutant="for h in np.linspace(0, h_max, 401): ... -> for h in np.linspace(0, h_max, 402): ..."
# One step more to try: the answer moves by less than is allowed.
