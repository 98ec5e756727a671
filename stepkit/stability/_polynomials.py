"""Real polynomials whose coefficients carry their rounding, lowest power first."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

EPS = float(np.finfo(float).eps)


class Rounded(NamedTuple):
    """A polynomial whose coefficients are known up to `error`; those below it are zero.

    Without that, a coefficient that cancels (the leading one of an L-stable method, the low ones of
    an error of order p) would be left at 1e-17 and decide what happens at infinity, or at zero.

    Attributes:
        coef: float array, lowest power first.
        error: float array of the same length.
    """

    coef: np.ndarray
    error: np.ndarray

    def value(self, x: float) -> float:
        """Returns the value at x >= 0, and zero where it is lost in rounding."""
        # In powers of 1/x where x is large: only the sign counts, and nothing overflows.
        powers = np.arange(len(self.coef)) - (len(self.coef) - 1 if x > 1.0 else 0)
        monomials = float(x) ** powers
        value = self.coef @ monomials
        noise = (self.error + 4 * EPS * np.abs(self.coef)) @ monomials
        return float(value) if abs(value) > noise else 0.0


def rounded(coef: np.ndarray, error: np.ndarray) -> Rounded:
    """Returns a polynomial without the coefficients that are rounding only."""
    kept = np.where(np.abs(coef) > error, coef, 0.0)
    last = int(np.max(np.flatnonzero(kept), initial=0))
    return Rounded(kept[: last + 1], error[: last + 1])


def square_along(polynomial: Rounded, direction: complex) -> Rounded:
    """Returns |p(t z)|^2 as a polynomial in the real number t, z being the direction."""
    count = len(polynomial.coef)
    powers = np.cumprod(np.concatenate([[1.0 + 0j], np.full(count - 1, direction)]))
    terms, size = polynomial.coef * powers, np.abs(powers)
    square = np.convolve(terms, terms.conj()).real
    spread = polynomial.error * size + 4 * EPS * np.abs(terms)
    return Rounded(square, 2 * np.convolve(spread, np.abs(terms) + spread))


def difference(p: Rounded, q: Rounded) -> Rounded:
    """Returns p - q."""
    length = max(len(p.coef), len(q.coef))
    (a, c), (b, d) = ([np.pad(x, (0, length - len(x))) for x in pair] for pair in (p, q))
    return rounded(a - b, c + d)


def nonnegative_until(polynomial: Rounded) -> float:
    """Returns the largest x such that p >= 0 on [0, x]; infinity where there is none."""
    edges = positive_roots(polynomial.coef)
    ends = [0.0, *edges, 2 * max(edges, default=0.0) + 2.0]
    for left, right in pairwise(ends):
        if polynomial.value((left + right) / 2) < 0:
            return left
    return np.inf


def positive_roots(coef: np.ndarray) -> list[float]:
    """Returns the positive real roots in ascending order, to the last digits where simple."""
    roots = np.roots(coef[::-1])
    found = sorted(float(r.real) for r in roots if r.imag == 0 and r.real > 0)
    return [_polished(coef, root) for root in found]


def _polished(coef: np.ndarray, x: float) -> float:
    """Returns a root after Newton's iteration, as long as that brings the value down."""
    p = np.polynomial.Polynomial(coef)
    slope = p.deriv()
    for _ in range(8):
        step = p(x) / slope(x) if slope(x) else 0.0
        if x - step <= 0 or abs(p(x - step)) >= abs(p(x)):
            break
        x = x - step
    return float(x)
