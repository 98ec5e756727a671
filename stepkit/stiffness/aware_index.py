"""The stiffness-aware index of a trajectory."""

from typing import Any

import numpy as np
from keras import ops

from stepkit.stiffness import _numbers


def stiffness_aware_index(
    y0: Any, y1: Any, dt: Any = 1.0, axis: int | tuple[int, ...] | None = None
) -> Any:
    """Returns how fast a state moves, relative to its size, one value per sample.

    ```
    index = ||(y1 - y0) / dt|| / ||y0||,  about ||y'|| / ||y||
    ```

    Euclidean norms, over all axes but the first. In units of 1 / time. A state that is zero and
    stays zero has index 0; one that leaves zero has an infinite index. Formulas in print that add
    a small number to ||y0|| differ from this one near zero only.

    **It is a proxy.** Stiffness is a matter of the Jacobian J of the field: some modes are so much
    faster than the solution that the step h of an explicit method is ruled by stability, h times
    the spectral radius rho(J), and not by accuracy. The index sees the solution alone:

    - y' = 5 y: index 5 for ever, and nothing is stiff. There is one mode and the solution follows
      it: accuracy wants small steps too.
    - Van der Pol's slow manifold: the solution creeps, index about 1 / (3 mu) at x = 2, while
      rho(J) is about 3 mu. The index is small just where the problem is stiff.
    - y' = A (y - c), the same problem seen from another origin: the Jacobian and the steps that a
      solver needs do not change, the index goes to 0 as c grows.

    Args:
        y0: array or tensor `(samples, ...)`, states at t. A single state of shape `(d,)` is read
            as d samples of one number; give it `axis=0`.
        y1: like `y0`, states at t + dt.
        dt: number, or one number per sample, not zero; negative where time runs backwards.
            Defaults to `1.0`, a block of a residual network.
        axis: int or tuple of ints, the axes of the norm. Defaults to all but the first.

    Returns:
        Array or tensor `(samples,)`: NumPy for NumPy, in at least single precision.

    Raises:
        ValueError: where the shapes of `y0`, `y1` and `dt` do not fit, or `dt` is zero or not
            finite.

    Example: a trajectory, all steps at once.
    >>> ts = np.array([0.0, 0.5, 1.0])
    >>> ys = np.array([[3.0, 4.0], [3.0, 9.0], [3.0, 9.0]])
    >>> stiffness_aware_index(ys[:-1], ys[1:], np.diff(ts)).tolist()
    [2.0, 0.0]

    Reference: S. Liang, Z. Huang, H. Zhang, *Stiffness-aware neural network for learning
    Hamiltonian systems*, ICLR 2022. On what stiffness is: E. Hairer, G. Wanner, *Solving Ordinary
    Differential Equations II*, section IV.1.
    """
    xp = _numbers.namespace(y0, y1, dt)
    y0, y1 = _numbers.floating(y0, xp), _numbers.floating(y1, xp)
    if tuple(y0.shape) != tuple(y1.shape):
        raise ValueError(
            "`y0` and `y1` must have the same shape. "
            f"Received: y0 of shape {tuple(y0.shape)}, y1 of shape {tuple(y1.shape)}"
        )
    index = _numbers.relative_size(y1 - y0, y0, axis, xp)
    return index / _size(dt, index, xp)


def _size(dt, index, xp):
    """Returns |dt| in the precision of the index, after checks as far as it has a value."""
    shape = tuple(np.shape(dt))
    if shape not in ((), tuple(index.shape)):
        raise ValueError(
            f"`dt` must be a number, or one per sample: shape {tuple(index.shape)}. "
            f"Received: dt of shape {shape}"
        )
    if not ops.is_tensor(dt):
        if not np.all(np.isfinite(dt)) or np.any(np.equal(dt, 0)):
            raise ValueError(f"`dt` must be finite and not zero. Received: dt={dt!r}")
        if shape == ():
            return abs(float(dt))  # a Python number: single precision stays single
    return xp.abs(np.asarray(dt, index.dtype) if xp is np else ops.cast(dt, index.dtype))
