"""Implicit Runge-Kutta methods by name, for stiff problems."""

from typing import Any

from stepkit.ode.explicit import SOLVERS
from stepkit.ode.implicit_runge_kutta import ImplicitRungeKutta
from stepkit.ode.newton import Newton
from stepkit.ode.tableau import ButcherTableau


class NamedImplicit(ImplicitRungeKutta):
    """A method whose tableau belongs to its class."""

    TABLEAU: ButcherTableau

    def __init__(self, batch_axes: int = 0, newton: Newton | None = None) -> None:
        super().__init__(self.TABLEAU, batch_axes, newton)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return self._options()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_axes={self.batch_axes})"


@SOLVERS.register("backward_euler")
class ImplicitEuler(NamedImplicit):
    """The implicit Euler method: order 1, 1 stage, L-stable, no error estimate.

    `z = y + h f(t + h, z)`. Also known as backward Euler. Not to be confused with the symplectic
    (semi-implicit) Euler method.

    Args:
        batch_axes: int, how many leading axes of the state count samples. Defaults to `0`.
        newton: `Newton`. Defaults to `None`: `Newton()`.

    Example: a step 100 times longer than Euler's method could bear.
    >>> round(float(ImplicitEuler().step(lambda t, y: -200 * y, 0.0, 1.0, 1.0)), 6)
    0.004975

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.3.
    """

    TABLEAU = ButcherTableau(a=[[1]], b=[1], c=[1])


@SOLVERS.register("crank_nicolson")
class Trapezoid(NamedImplicit):
    """The trapezoidal rule: order 2, 2 stages, A-stable, not L-stable, no error estimate.

    `z = y + h/2 (f(t, y) + f(t + h, z))`. Also known as Crank and Nicolson's method. Fast
    components do not die out; they change their sign from step to step.

    Args:
        batch_axes: int, how many leading axes of the state count samples. Defaults to `0`.
        newton: `Newton`. Defaults to `None`: `Newton()`.

    Example:
    >>> round(float(Trapezoid().step(lambda t, y: -y, 0.0, 1.0, 1.0)), 6)
    0.333333

    Reference: J. Crank, P. Nicolson, Proc. Camb. Phil. Soc. 43 (1947) 50-67.
    """

    TABLEAU = ButcherTableau(a=[[0, 0], [1 / 2, 1 / 2]], b=[1 / 2, 1 / 2], c=[0, 1])


def _kvaerno5() -> ButcherTableau:
    g = 0.26
    a = [
        [0, 0, 0, 0, 0, 0, 0],
        [g, g, 0, 0, 0, 0, 0],
        [0.13, 0.84033320996790809, g, 0, 0, 0, 0],
        [0.22371961478320505, 0.47675532319799699, -0.06470895363112615, g, 0, 0, 0],
        [
            0.16648564323248321,
            0.10450018841591720,
            0.03631482272098715,
            -0.13090704451073998,
            g,
            0,
            0,
        ],
        [
            0.13855640231268224,
            0,
            -0.04245337201752043,
            0.02446657898003141,
            0.61943039072480676,
            g,
            0,
        ],
        [
            0.13659751177640291,
            0,
            -0.05496908796538376,
            -0.04118626728321046,
            0.62993304899016403,
            0.06962479448202728,
            g,
        ],
    ]
    c = [sum(row) for row in a[:-2]] + [1, 1]
    return ButcherTableau(a, b=a[-1], c=c, b_err=[x - y for x, y in zip(a[-1], a[-2], strict=True)])


@SOLVERS.register()
class Kvaerno5(NamedImplicit):
    """Kværnø's method: order 5 with an embedded order 4, 7 stages, L-stable, for stiff problems.

    The first stage is explicit, the six others have one and the same diagonal entry, 0.26 (ESDIRK).
    Stiffly accurate: the last stage is the result, and its slope begins the next step. The dense
    output is the cubic Hermite polynomial.

    Args:
        batch_axes: int, how many leading axes of the state count samples. Defaults to `0`.
        newton: `Newton`. Defaults to `None`: `Newton()`.

    Example:
    >>> solver = Kvaerno5()
    >>> solver.order, solver.tableau.embedded_order
    (5, 4)

    Reference: A. Kværnø, BIT 44 (2004) 489-502.
    """

    TABLEAU = _kvaerno5()
