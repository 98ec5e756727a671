"""get, serialize, deserialize: solvers by name, as Keras does it for activations."""

from typing import Any

import keras

from stepkit.ode.explicit import SOLVERS
from stepkit.ode.implicit_runge_kutta import ImplicitRungeKutta
from stepkit.ode.runge_kutta import ExplicitRungeKutta
from stepkit.ode.step_function import StepFunction
from stepkit.ode.tableau import ButcherTableau


def get(solver: Any) -> Any:
    """Returns a solver: an object with `.step(f, t, y, h)`, `.order` and `.tableau`.

    Args:
        solver: a name (`"euler"`, `"midpoint"`, `"heun"`, `"ralston"`, `"rk4"`; with an error
            estimate `"bosh3"`, `"dopri5"`, `"tsit5"`; implicit `"implicit_euler"`, `"trapezoid"`,
            `"kvaerno5"`; `"auto"` switches), a `ButcherTableau`, a solver or its class, a callable
            `step(f, t, y, h) -> y_next`, or what `serialize` wrote.

    Raises:
        ValueError: for an unknown name.
        TypeError: for anything else.

    Example:
    >>> get("rk4").order
    4
    """
    if isinstance(solver, str):
        return SOLVERS.make(solver)
    if isinstance(solver, dict):
        return deserialize(solver)
    if isinstance(solver, ButcherTableau):
        return _from_tableau(solver)
    if isinstance(solver, type) and hasattr(solver, "step"):
        return solver()
    if callable(getattr(solver, "step", None)):
        return solver
    if callable(solver):
        return StepFunction(solver)
    raise TypeError(
        "`solver` must be a name, a ButcherTableau, a solver with a method `step`, or a callable "
        f"`step(f, t, y, h)`. Received: solver={solver!r}"
    )


def serialize(solver: Any) -> str | dict[str, Any]:
    """Returns the name of a solver that has one, else a dictionary fit for JSON.

    Example:
    >>> serialize(get("heun"))
    'heun'
    """
    solver = get(solver)
    return SOLVERS.name_of(solver) or keras.saving.serialize_keras_object(solver)


def deserialize(config: str | dict[str, Any]) -> Any:
    """Returns the solver that `serialize` wrote.

    Example:
    >>> deserialize(serialize("ralston")) == get("ralston")
    True
    """
    if isinstance(config, str):
        return SOLVERS.make(config)
    solver = keras.saving.deserialize_keras_object(config)
    return _from_tableau(solver) if isinstance(solver, ButcherTableau) else solver


def _from_tableau(tableau: ButcherTableau) -> Any:
    return (ExplicitRungeKutta if tableau.explicit else ImplicitRungeKutta)(tableau)
