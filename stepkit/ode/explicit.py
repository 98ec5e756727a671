"""Explicit Runge-Kutta methods by name: each is its tableau."""

from typing import Any

from stepkit._registry import Names
from stepkit.ode.runge_kutta import ExplicitRungeKutta
from stepkit.ode.tableau import ButcherTableau

SOLVERS = Names("solver")


class NamedRungeKutta(ExplicitRungeKutta):
    """A method whose tableau belongs to its class."""

    TABLEAU: ButcherTableau

    def __init__(self) -> None:
        super().__init__(self.TABLEAU)

    def get_config(self) -> dict[str, Any]:
        """Returns an empty configuration: the class says it all."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "NamedRungeKutta":
        """Returns the solver."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@SOLVERS.register()
class Euler(NamedRungeKutta):
    """Euler's method: order 1, 1 stage; `y + h f(t, y)`. A residual block is one step of it.

    Also known as forward or explicit Euler. Not to be confused with implicit (backward) Euler, nor
    with the symplectic (semi-implicit) Euler method.

    Example:
    >>> float(Euler().step(lambda t, y: -y, 0.0, 1.0, 0.25))
    0.75

    Reference: L. Euler, *Institutionum calculi integralis* I (1768), chapter 7.
    """

    TABLEAU = ButcherTableau(a=[[0]], b=[1], c=[0])


@SOLVERS.register()
class Midpoint(NamedRungeKutta):
    """The explicit midpoint method: order 2, 2 stages; the slope half a step ahead.

    Also known as modified Euler (a name that others give to Heun's method). Not to be confused with
    the implicit midpoint rule, nor with the two-step midpoint (leapfrog) rule.

    Example:
    >>> float(Midpoint().step(lambda t, y: -y, 0.0, 1.0, 0.5))
    0.625

    Reference: C. Runge, Math. Ann. 46 (1895) 167-178.
    """

    TABLEAU = ButcherTableau(a=[[0, 0], [1 / 2, 0]], b=[0, 1], c=[0, 1 / 2])


@SOLVERS.register()
class Heun(NamedRungeKutta):
    """Heun's method: order 2, 2 stages; the mean of the slopes at both ends of an Euler step.

    Also known as improved Euler and as the explicit trapezoidal rule. Not to be confused with
    Heun's method of order 3 (3 stages), nor with Ralston's method, which some books call Heun's.

    Example:
    >>> float(Heun().step(lambda t, y: -y, 0.0, 1.0, 0.5))
    0.625

    Reference: K. Heun, Z. Math. Phys. 45 (1900) 23-38.
    """

    TABLEAU = ButcherTableau(a=[[0, 0], [1, 0]], b=[1 / 2, 1 / 2], c=[0, 1])


@SOLVERS.register()
class Ralston(NamedRungeKutta):
    """Ralston's method: order 2, 2 stages; the smallest bound on the local error among these.

    Not to be confused with Ralston's method of order 3 (3 stages).

    Example:
    >>> round(float(Ralston().step(lambda t, y: -y, 0.0, 1.0, 0.5)), 12)
    0.625

    Reference: A. Ralston, Math. Comp. 16 (1962) 431-437.
    """

    TABLEAU = ButcherTableau(a=[[0, 0], [2 / 3, 0]], b=[1 / 4, 3 / 4], c=[0, 2 / 3])


@SOLVERS.register("runge_kutta4")
class RK4(NamedRungeKutta):
    """The classical Runge-Kutta method: order 4, 4 stages, no error estimate.

    Also known as *the* Runge-Kutta method. Not to be confused with Kutta's 3/8 rule (order 4 as
    well), nor with RK45 (Fehlberg's or Dormand and Prince's embedded pairs).

    Example:
    >>> round(float(RK4().step(lambda t, y: -y, 0.0, 1.0, 0.5)), 6)
    0.606771

    Reference: W. Kutta, Z. Math. Phys. 46 (1901) 435-453.
    """

    TABLEAU = ButcherTableau(
        a=[[0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 1 / 2, 0, 0], [0, 0, 1, 0]],
        b=[1 / 6, 1 / 3, 1 / 3, 1 / 6],
        c=[0, 1 / 2, 1 / 2, 1],
    )
