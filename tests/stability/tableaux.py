"""Tableaux for the tests: random ones, and implicit ones from the literature."""

import numpy as np
from scipy.integrate import DOP853, RK45

from stepkit.ode import ButcherTableau

S3, S6, S15 = np.sqrt(3.0), np.sqrt(6.0), np.sqrt(15.0)


def tableau(a, b):
    a = np.asarray(a, float)
    return ButcherTableau(a, b, a.sum(axis=1))


def random(rng, kind, stages):
    """A consistent method of no particular order."""
    a = rng.normal(size=(stages, stages))
    a = {"explicit": np.tril(a, -1), "diagonal": np.tril(a), "full": a}[kind]
    b = rng.normal(size=stages)
    return tableau(a, b + (1 - b.sum()) / stages)


def chain(coefficients):
    """The explicit method with R = 1 + z + c_2 z^2 + ..., each stage built on the one before."""
    c = np.asarray(coefficients, float)
    assert c[0] == c[1] == 1
    stages = len(c) - 1
    below = (c[2:] / c[1:-1])[::-1]
    return tableau(np.diag(below, -1), np.eye(stages)[-1])


def theta_method(theta):
    return tableau([[0, 0], [1 - theta, theta]], [1 - theta, theta])


def sdirk2(gamma):
    """Two stages, the last one the result: R = (1 + (1 - 2g) z) / (1 - g z)^2."""
    return tableau([[gamma, 0], [1 - gamma, gamma]], [1 - gamma, gamma])


def norsett(gamma):
    """Two stages, order 2; order 3 for gamma = (3 +- sqrt 3) / 6.

    R = (1 + (1 - 2g) z + (1/2 - 2g + g^2) z^2) / (1 - g z)^2, A-stable for g >= 1/4.
    """
    return tableau([[gamma, 0], [1 - 2 * gamma, gamma]], [1 / 2, 1 / 2])


def gauss(stages):
    if stages == 1:
        return tableau([[1 / 2]], [1])
    if stages == 2:
        return tableau([[1 / 4, 1 / 4 - S3 / 6], [1 / 4 + S3 / 6, 1 / 4]], [1 / 2, 1 / 2])
    return tableau(
        [
            [5 / 36, 2 / 9 - S15 / 15, 5 / 36 - S15 / 30],
            [5 / 36 + S15 / 24, 2 / 9, 5 / 36 - S15 / 24],
            [5 / 36 + S15 / 30, 2 / 9 + S15 / 15, 5 / 36],
        ],
        [5 / 18, 4 / 9, 5 / 18],
    )


RADAU2 = tableau([[5 / 12, -1 / 12], [3 / 4, 1 / 4]], [3 / 4, 1 / 4])
RADAU3 = tableau(
    [
        [(88 - 7 * S6) / 360, (296 - 169 * S6) / 1800, (-2 + 3 * S6) / 225],
        [(296 + 169 * S6) / 1800, (88 + 7 * S6) / 360, (-2 - 3 * S6) / 225],
        [(16 - S6) / 36, (16 + S6) / 36, 1 / 9],
    ],
    [(16 - S6) / 36, (16 + S6) / 36, 1 / 9],
)
IMPLICIT_EULER = tableau([[1]], [1])
TRAPEZOID = tableau([[0, 0], [1 / 2, 1 / 2]], [1 / 2, 1 / 2])
DOPRI5 = ButcherTableau(np.pad(RK45.A, ((0, 0), (0, 1))), RK45.B, RK45.C)
DOP853_ = ButcherTableau(DOP853.A, DOP853.B, DOP853.C)
