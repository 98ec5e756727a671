"""Initial value problems y' = f(t, y): tableaux, solvers, odeint, problems."""

from stepkit.ode import problems
from stepkit.ode.auto import AutoSwitch
from stepkit.ode.embedded import Bosh3, Dopri5, Tsit5
from stepkit.ode.explicit import RK4, Euler, Heun, Midpoint, Ralston
from stepkit.ode.implicit import ImplicitEuler, Kvaerno5, Trapezoid
from stepkit.ode.implicit_runge_kutta import ImplicitRungeKutta
from stepkit.ode.integrate import odeint
from stepkit.ode.lookup import deserialize, get, serialize
from stepkit.ode.newton import Newton
from stepkit.ode.runge_kutta import ExplicitRungeKutta
from stepkit.ode.solution import Ending, Result, Solution, SolveError, Statistics
from stepkit.ode.step_function import StepFunction
from stepkit.ode.step_size import PIDController
from stepkit.ode.tableau import ButcherTableau

__all__ = [
    "RK4",
    "AutoSwitch",
    "Bosh3",
    "ButcherTableau",
    "Dopri5",
    "Ending",
    "Euler",
    "ExplicitRungeKutta",
    "Heun",
    "ImplicitEuler",
    "ImplicitRungeKutta",
    "Kvaerno5",
    "Midpoint",
    "Newton",
    "PIDController",
    "Ralston",
    "Result",
    "Solution",
    "SolveError",
    "Statistics",
    "StepFunction",
    "Trapezoid",
    "Tsit5",
    "deserialize",
    "get",
    "odeint",
    "problems",
    "serialize",
]
