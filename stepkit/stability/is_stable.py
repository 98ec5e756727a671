"""is_stable, largest_stable_step: a step and the eigenvalues of a problem."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from stepkit.stability.stability_function import stability_function
from stepkit.stability.stability_interval import stable_until


@dataclass(frozen=True, eq=False)
class StepReport:
    """What a step does to each eigenvalue; true where no component grows.

    Args:
        h: float, the step.
        amplification: array of the shape of the eigenvalues, |R(h lambda)|.
        margin: float, 1 less the largest of these; negative where the step is unstable.

    Example:
    >>> report = stepkit.stability.is_stable(0.5, [-1.0, -6.0], "euler")
    >>> bool(report), report.amplification.tolist(), report.margin
    (False, [0.5, 2.0], -1.0)
    """

    h: float
    amplification: np.ndarray
    margin: float

    def __bool__(self) -> bool:
        # A step at the very end of the interval, such as h = 2 / k, is stable.
        return bool(self.margin >= -64 * np.finfo(float).eps)


def is_stable(h: float, eigenvalues: Any, solver: Any) -> StepReport:
    """Returns whether |R(h lambda)| <= 1 for all eigenvalues, with each of these and the margin.

    For y' = A y with a matrix A that has a basis of eigenvectors this decides whether repeated
    steps stay bounded; a matrix far from normal may still amplify much before it decays.

    Args:
        h: number, the step.
        eigenvalues: real or complex numbers, an array or tensor of any shape, at least one.
        solver: what `stability_function` takes.

    Returns:
        `StepReport`; `if is_stable(...)` asks for its truth.

    Raises:
        ValueError: where a number is not finite, or there is no eigenvalue.
        TypeError: where `h` is no real number.

    Example:
    >>> bool(is_stable(0.02, [-100.0, -1.0], "euler")), bool(is_stable(0.021, -100.0, "euler"))
    (True, False)
    >>> is_stable(0.01, [-100.0, -1.0], "euler").amplification.tolist()
    [0.0, 0.99]

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.2.
    """
    if isinstance(h, bool) or not isinstance(h, (int, float, np.number)) or not np.isreal(h):
        raise TypeError(f"`h` must be a real number. Received: h={h!r}")
    if not np.isfinite(h):
        raise ValueError(f"`h` must be finite. Received: h={h!r}")
    size = np.abs(stability_function(solver)(h * numbers(eigenvalues)))
    return StepReport(float(h), size, float(1.0 - np.max(size)))


def largest_stable_step(eigenvalues: Any, solver: Any) -> float:
    """Returns the largest x such that every step in [0, x] is stable for all eigenvalues.

    Args:
        eigenvalues: as in `is_stable`.
        solver: what `stability_function` takes.

    Returns:
        Float; 0 where every short step is unstable, infinity where each step is stable.

    Raises:
        ValueError: where a number is not finite, or there is no eigenvalue.

    Example:
    >>> largest_stable_step([-100.0, -1.0], "euler")
    0.02
    >>> largest_stable_step(-100.0, "implicit_euler")
    inf

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.2.
    """
    function = stability_function(solver)
    steps = [_along(function, complex(value)) for value in numbers(eigenvalues).ravel()]
    return float(min(steps))


def numbers(eigenvalues: Any) -> np.ndarray:
    """Returns eigenvalues as an array of floats or complex numbers, or says what is wrong."""
    tensor = ops.is_tensor(eigenvalues)
    values = np.asarray(ops.convert_to_numpy(eigenvalues) if tensor else eigenvalues)
    if values.dtype.kind not in "iufc" or not values.size or not np.all(np.isfinite(values)):
        raise ValueError(
            "`eigenvalues` must be finite numbers, at least one. "
            f"Received: eigenvalues={eigenvalues!r}"
        )
    return values.astype(complex if values.dtype.kind == "c" else float)


def _along(function, value):
    size = abs(value)
    return stable_until(function, value / size) / size if size else np.inf
