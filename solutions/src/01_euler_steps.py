# %% [markdown]
# # Lesson 01 · A residual block is an Euler step

# %%
import keras
import numpy as np

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
