"""Initial value problems y' = f(t, y): tableaux, solvers, odeint, problems."""

from stepkit.ode import problems
from stepkit.ode.explicit import RK4, Euler, Heun, Midpoint, Ralston
from stepkit.ode.integrate import odeint
from stepkit.ode.lookup import deserialize, get, serialize
from stepkit.ode.runge_kutta import ExplicitRungeKutta
from stepkit.ode.solution import Result, Solution, Statistics
from stepkit.ode.step_function import StepFunction
from stepkit.ode.tableau import ButcherTableau

__all__ = [
    "RK4",
    "ButcherTableau",
    "Euler",
    "ExplicitRungeKutta",
    "Heun",
    "Midpoint",
    "Ralston",
    "Result",
    "Solution",
    "Statistics",
    "StepFunction",
    "deserialize",
    "get",
    "odeint",
    "problems",
    "serialize",
]
