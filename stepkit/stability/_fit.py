"""The stability function of a step that has no tableau, from what it does to y' = z y."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from stepkit.stability._polynomials import Rounded, rounded

COUNT = 32  # points on the unit circle; half of them, as R of the conjugate is the conjugate
MAX_DEGREE = 12  # of a polynomial
MAX_RATIONAL = 3  # of numerator and denominator: beyond, the equations say too little


def polynomials(step: Callable) -> tuple[Rounded, Rounded]:
    """Returns numerator and denominator of the stability function of `step(f, t, y, h)`.

    Raises:
        ValueError: where the answers are not those of a rational function of the degrees above, as
            with a step that is not linear in the state.
    """
    points = np.exp(2j * np.pi * (np.arange(COUNT // 2) + 0.5) / COUNT)
    values, eps = _responses(step, points)
    points, values = np.append(points, points.conj()), np.append(values, values.conj())
    if np.all(np.isfinite(values)):
        for found in (_polynomial(points, values, eps), *_rationals(points, values, eps)):
            if found is not None and _holds(step, found, eps):
                return found
    raise ValueError(
        "A solver without a tableau must be a linear one-step method: on y' = z y it must multiply "
        "the state by a polynomial of z of degree <= "
        f"{MAX_DEGREE}, or a quotient of two of degree <= {MAX_RATIONAL}. Received: {step!r}, "
        "whose answers are not of that kind. Give its ButcherTableau where it has one"
    )


def response(step: Callable, z: complex, start: complex = 1.0) -> tuple[complex, float]:
    """Returns what one step of size 1 makes of `start` on y' = z y, and the unit of its rounding.

    As a real system of two equations, since a step need not understand complex numbers.
    """
    matrix = np.array([[z.real, -z.imag], [z.imag, z.real]])

    def f(t: Any, y: Any) -> Any:
        if not ops.is_tensor(y):
            return matrix @ y
        return ops.reshape(ops.convert_to_tensor(matrix, dtype=y.dtype) @ y[:, None], (2,))

    y = np.array([start.real, start.imag])
    result = ops.convert_to_numpy(step(f, 0.0, y, 1.0))
    eps = np.finfo(result.dtype).eps if np.issubdtype(result.dtype, np.floating) else 0.0
    real, imaginary = result.astype(float)
    return complex(real, imaginary), float(max(eps, np.finfo(float).eps))


def _responses(step, points):
    answers = [response(step, complex(z)) for z in points]
    return np.array([value for value, _ in answers]), max(eps for _, eps in answers)


def _polynomial(points, values, eps):
    """Returns the polynomial through the values, by the orthogonality of powers on the circle."""
    coef = np.array([np.mean(values * points ** -float(k)).real for k in range(COUNT)])
    error = np.full(COUNT, 16 * eps * np.abs(values).max())
    if np.any(np.abs(coef[MAX_DEGREE + 1 :]) > error[0]):
        return None
    return rounded(coef, error), Rounded(np.ones(1), np.zeros(1))


def _rationals(points, values, eps):
    """Yields fits of n(z) - R(z) (d(z) - 1) = R(z), the lowest degree first."""
    for degree in range(1, MAX_RATIONAL + 1):
        powers = points[:, None] ** np.arange(degree + 1)
        table = np.hstack([powers, -values[:, None] * powers[:, 1:]])
        table, right = np.vstack([table.real, table.imag]), np.append(values.real, values.imag)
        solution, _, rank, singular = np.linalg.lstsq(table, right)
        scale = np.abs(values).max()
        if rank < table.shape[1] or np.abs(table @ solution - right).max() > 64 * eps * scale:
            continue
        error = np.full(2 * degree + 1, 64 * eps * scale * np.sqrt(COUNT) / singular[-1])
        n, d = np.split(solution, [degree + 1])
        yield (
            rounded(n, error[: degree + 1]),
            rounded(np.append(1.0, d), np.append(0.0, error[:degree])),
        )


def _holds(step, found, eps):
    """Whether a fit also predicts other points, other starts, and a larger z."""
    n, d = found
    for z, start in ((-2.7 + 1.3j, 1.0), (0.3 - 3.1j, -0.4 + 2.0j), (-0.2 + 0.1j, 1e-3j)):
        value, _ = response(step, z, start)
        powers = z ** np.arange(max(len(n.coef), len(d.coef)))
        below = powers[: len(d.coef)] @ d.coef
        predicted = start * (powers[: len(n.coef)] @ n.coef) / below
        slack = np.abs(powers[: len(n.coef)]) @ (n.error + 16 * eps * np.abs(n.coef))
        slack = slack + np.abs(value / start) * (
            np.abs(powers[: len(d.coef)]) @ (d.error + 16 * eps * np.abs(d.coef))
        )
        if not np.abs(value - predicted) <= abs(start) * slack / abs(below):
            return False
    return True
