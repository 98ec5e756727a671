"""The two polynomials of a tableau's stability function, in exact arithmetic."""

from fractions import Fraction
from functools import lru_cache

import numpy as np

from stepkit.ode import ButcherTableau
from stepkit.stability._polynomials import EPS, Rounded, rounded

Row = list[Fraction]


@lru_cache(maxsize=64)
def polynomials(tableau: ButcherTableau) -> tuple[Rounded, Rounded]:
    """Returns numerator and denominator of R(z) = 1 + z b^T (I - z A)^-1 1.

    With m_i = b^T A^(i-1) 1 and d the coefficients of det(I - z A), the coefficients of the
    numerator are n_k = d_k + sum over j < k of d_j m_(k-j), for k up to the number of stages. They
    are exact for the numbers of the tableau as they are stored; what rounding of those numbers can
    do is the error.
    """
    a, b = _used(tableau)
    moments, sizes = _moments(a, b), _moments(_sizes(a), [abs(x) for x in b])
    d, bounds = _determinant(a), _determinant_bounds(a)
    n, n_bounds = _numerator(d, moments), _numerator(bounds, sizes)
    # The entries are right to about one rounding each; a product of k of them, to k of these.
    unit = 8 * EPS * np.arange(len(d))
    return tuple(
        rounded(np.array([float(x) for x in values]), unit * [float(x) for x in limits])
        for values, limits in ((n, n_bounds), (d, bounds))
    )


def _used(tableau):
    """Returns `a` and `b` without the stages on which the result does not depend.

    Such a stage, kept for an error estimate, would bring a factor into both polynomials.
    """
    a, b = np.array(tableau.a), np.array(tableau.b)
    used = b != 0
    for _ in b:
        used = used | np.any(a[used] != 0, axis=0)
    exact = [[Fraction(x) for x in row[used].tolist()] for row in a[used]]
    return exact, [Fraction(x) for x in b[used].tolist()]


def _moments(a: list[Row], b: Row) -> Row:
    moments, v = [], [Fraction(1)] * len(b)
    for _ in b:
        moments.append(_dot(b, v))
        v = [_dot(row, v) for row in a]
    return moments


def _numerator(d: Row, moments: Row) -> Row:
    return [
        d[k] + sum((d[j] * moments[k - j - 1] for j in range(k)), Fraction(0))
        for k in range(len(d))
    ]


def _determinant(a: list[Row]) -> Row:
    """Returns the coefficients of det(I - z a), by Faddeev and LeVerrier's recursion."""
    coefficients, power = [Fraction(1)], a
    for k in range(1, len(a) + 1):
        c = -sum((power[i][i] for i in range(len(a))), Fraction(0)) / k
        coefficients.append(c)
        shifted = [[x + c * (i == j) for j, x in enumerate(row)] for i, row in enumerate(power)]
        columns = list(zip(*shifted, strict=True))
        power = [[_dot(row, column) for column in columns] for row in a]
    return coefficients


def _determinant_bounds(a: list[Row]) -> Row:
    """Returns bounds of the sums of the sizes of all products in those coefficients."""
    triangular = not any(x for i, row in enumerate(a) for x in row[i + 1 :])
    sizes = [abs(row[i]) if triangular else sum(map(abs, row)) for i, row in enumerate(a)]
    bounds = [Fraction(1)]
    for size in sizes:  # times (1 + size z)
        longer, shifted = [*bounds, Fraction(0)], [Fraction(0), *bounds]
        bounds = [x + size * y for x, y in zip(longer, shifted, strict=True)]
    return bounds


def _sizes(a: list[Row]) -> list[Row]:
    return [[abs(x) for x in row] for row in a]


def _dot(u, v) -> Fraction:
    return sum((x * y for x, y in zip(u, v, strict=True) if x and y), Fraction(0))
