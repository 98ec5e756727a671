"""ImplicitRungeKutta: steps of a diagonally implicit tableau."""

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

from stepkit._backend.autodiff import unrecorded
from stepkit._registry import serializable
from stepkit.ode._attempt import Attempt
from stepkit.ode._field import Field, same_structure
from stepkit.ode._scalars import both, choose
from stepkit.ode._state import all_numpy, as_state, is_numpy
from stepkit.ode._vector import Vector
from stepkit.ode.newton import Newton, apply, inverse_of
from stepkit.ode.runge_kutta import advance, combination, dense_output
from stepkit.ode.tableau import ButcherTableau


@serializable
class ImplicitRungeKutta:
    """A diagonally implicit Runge-Kutta method: its stages are solved one after the other.

    Stage i is the root z of `z = base_i + h a_ii f(t + c_i h, z)`, found by Newton's iteration. Its
    Jacobian comes from products J v, in NumPy from differences.
    Gradients come from one Newton update at the root, with the Jacobian there, and not from the
    iterations.

    Args:
        tableau: `ButcherTableau` with lower triangular `a`.
        batch_axes: int, how many leading axes of the state count independent samples; each has its
            own Jacobian. Defaults to `0`: the whole state is one system of equations.
        newton: `Newton`. Defaults to `None`: `Newton()`.

    Raises:
        ValueError: for a tableau with entries above the diagonal.

    Example: the implicit midpoint rule.
    >>> midpoint = ImplicitRungeKutta(ButcherTableau(a=[[1 / 2]], b=[1], c=[1 / 2]))
    >>> round(float(midpoint.step(lambda t, y: -y, 0.0, 1.0, 1.0)), 6)
    0.333333

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, sections IV.6 and IV.8.
    """

    def __init__(
        self, tableau: ButcherTableau, batch_axes: int = 0, newton: Newton | None = None
    ) -> None:
        if not isinstance(tableau, ButcherTableau):
            raise TypeError(f"`tableau` must be a ButcherTableau. Received: tableau={tableau!r}")
        if not tableau.diagonally_implicit:
            raise ValueError(
                "`tableau` must be diagonally implicit: `a` lower triangular. "
                f"Received: a={tableau.a}"
            )
        if isinstance(batch_axes, bool) or int(batch_axes) != batch_axes or batch_axes < 0:
            raise ValueError(
                f"`batch_axes` must be an integer >= 0. Received: batch_axes={batch_axes!r}"
            )
        self._tableau, self.batch_axes, self.newton = tableau, batch_axes, newton or Newton()

    @property
    def tableau(self) -> ButcherTableau:
        """The coefficients."""
        return self._tableau

    @property
    def order(self) -> int:
        """The order p: the error after a fixed time shrinks as h^p."""
        return self.tableau.order

    def step(self, f: Callable, t: Any, y: Any, h: Any) -> Any:
        """Returns the state one step of size `h` after `y`; NaN where no root was found.

        Args:
            f: callable `f(t, y)`, the slope.
            t: number or scalar tensor, the time at `y`.
            y: nested structure of numbers, NumPy arrays or tensors. NumPy in, NumPy out.
            h: number or scalar tensor; negative to step back.
        """
        field = f if isinstance(f, Field) else Field(f)
        y = y if isinstance(f, Field) else as_state(y)
        h = float(h) if is_numpy(h) else h
        precise = _to_the_last_digits(y)
        slopes, last, converged, *_ = self._stages(field, t, y, h, None, precise)
        result = last if self._stiffly_accurate else advance(y, h, self.tableau.b, slopes)
        return _or_nan(converged, result)

    def attempt(
        self,
        field: Field,
        t: Any,
        y: Any,
        h: Any,
        slope: Any,
        norm: Callable,
        state: tuple = (),
        dense: bool = True,
    ) -> Attempt:
        """Returns one step with its error estimate; only for a tableau with `b_err`.

        Args:
            field: `Field`.
            t: number or scalar tensor, the time at `y`.
            y: structure of arrays or tensors.
            h: number or scalar tensor, the signed step.
            slope: the slope at `t` and `y`.
            norm: callable `(error, y) -> scalar` in units of the tolerance.
            state: not used here; this solver remembers nothing.
            dense: whether the coefficients of the dense output are wanted.
        """
        tableau = self.tableau
        slopes, last, converged, evaluations, rate = self._stages(field, t, y, h, slope, norm)
        if not self._stiffly_accurate:
            last = advance(y, h, tableau.b, slopes)
        with unrecorded():
            error = combination(h, tableau.b_err, slopes)
        if not tableau.fsal:
            slopes, evaluations = [*slopes, field(t + h, last)], evaluations + 1
        found = dense_output(tableau, y, last, h, slopes) if dense else ()
        return Attempt(last, error, slopes[-1], found, evaluations, converged, rate=rate)

    @property
    def _stiffly_accurate(self) -> bool:
        return self.tableau.a[-1] == self.tableau.b

    def _stages(
        self, field: Field, t: Any, y: Any, h: Any, slope: Any, norm: Callable
    ) -> tuple[list, Any, Any, Any, Any]:
        """Returns slopes, the last stage's state, whether all were found, the cost, the rate."""
        vector = Vector(y, self.batch_axes)
        solver = _Stage(self.newton, field, vector, norm, alone=slope is None)
        slopes, state, converged, evaluations = [], y, True, 0
        for row, c in zip(self.tableau.a, self.tableau.c, strict=True):
            i, time = len(slopes), t + c * h
            base = advance(y, h, row[:i], slopes)
            if row[i] == 0.0:
                known = i == 0 and slope is not None
                slopes.append(slope if known else field(time, base))
                state, evaluations = base, evaluations + (not known)
                continue
            if not slopes:
                guess, evaluations = field(t, y), evaluations + 1
            else:
                guess = combination(1.0, predictor(self.tableau.c, i), slopes)
            if solver.weight != row[i]:
                evaluations = evaluations + solver.linearise(t, y, h, row[i])
            state, found, cost = solver.root(time, base, guess, converged)
            slopes.append(solver.slope(state, base))
            converged, evaluations = both(converged, found), evaluations + cost
        return slopes, state, converged, evaluations, solver.rate

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, the tableau serialised."""
        config = {"tableau": keras.saving.serialize_keras_object(self.tableau)}
        return {**config, **self._options()}

    def _options(self) -> dict[str, Any]:
        return {"batch_axes": self.batch_axes, "newton": vars(self.newton)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ImplicitRungeKutta":
        """Returns the solver that `get_config` described."""
        config = dict(config)
        if "tableau" in config:
            config["tableau"] = keras.saving.deserialize_keras_object(config["tableau"])
        if isinstance(config.get("newton"), dict):
            config["newton"] = Newton(**config["newton"])
        return cls(**config)

    def _identity(self) -> tuple:
        return type(self), self.tableau, self.batch_axes, self.newton

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.tableau!r})"


@cache
def predictor(c: tuple[float, ...], i: int) -> tuple[float, ...]:
    """Weights of the slopes before stage i, from which its own is guessed.

    The slope of a stage at the same time, if there is one; else the polynomial through the first
    three slopes at different times.
    """
    same = [j for j in range(i) if abs(c[j] - c[i]) < 1e-9]
    nodes = same[-1:] or [j for j in range(i) if c[j] not in c[:j]][:3]
    weights = [0.0] * i
    for j in nodes:
        factors = [(c[i] - c[k]) / (c[j] - c[k]) for k in nodes if k != j]
        weights[j] = float(np.prod(factors))
    return tuple(weights)


class _Stage:
    """The equations of the implicit stages of one step."""

    def __init__(
        self, newton: Newton, field: Field, vector: Vector, norm: Callable, alone: bool
    ) -> None:
        self.newton, self.field, self.vector, self.norm = newton, field, vector, norm
        self.alone = alone
        self.weight: float | None = None
        self.rate: Any = None
        self.differentiable = not vector.numpy and field.differentiable

    def linearise(self, t: Any, y: Any, h: Any, weight: float) -> int:
        """Takes the Jacobian at the start of the step; returns how many evaluations it cost."""
        at = self.vector.flat(y)
        self.weight, self.scaled = weight, self._like(h * weight, at)
        if self.alone:
            return 0
        jacobian, cost = self.vector.jacobian(self._function(t), at)
        self.inverse = inverse_of(self.vector, self.scaled, jacobian)
        self.rate = _largest_row(jacobian, t)
        return cost

    def root(self, t: Any, base: Any, slope: Any, worth: Any) -> tuple[Any, Any, Any]:
        """Returns `(state, found, evaluations)` of a stage whose slope is guessed.

        Nothing is solved where it is not `worth` it: an earlier stage has failed.
        """
        vector, w = self.vector, self.scaled
        base = vector.flat(base)
        guess = base + w * vector.flat(slope)
        function = self._function(t)

        def norm(correction, z):
            return self.norm(vector.state(correction), vector.state(z))

        solve, each = self.newton.solve, 1 + vector.size * self.alone
        if vector.numpy:
            z, found, cost = solve(function, base, w, guess, self._inverse(function), norm, worth)
            return vector.state(z), found, each * cost
        held = (_held(base), _held(w), _held(guess))
        z, found, cost = solve(function, *held, self._inverse(function), norm, worth)
        cost = each * cost
        if self.differentiable:
            # Where Newton ran away the step is rejected; far off, its derivative may be infinite,
            # and nothing times infinity is no number.
            z = choose(both(found, worth), _held(z), _held(base))
            inverse = self._inverse_at(function, z)
            z = z - apply(inverse, z - base - w * function(z))
        return vector.state(z), found, cost

    def _inverse(self, function: Callable) -> Callable:
        if self.alone:
            return lambda z: self._inverse_at(function, z)
        inverse = self.inverse if self.vector.numpy else _held(self.inverse)
        return lambda z: inverse

    def _inverse_at(self, function: Callable, z: Any) -> Any:
        jacobian, _ = self.vector.jacobian(function, z)
        if self.vector.numpy:
            return inverse_of(self.vector, self.scaled, jacobian)
        return _held(inverse_of(self.vector, _held(self.scaled), _held(jacobian)))

    def slope(self, state: Any, base: Any) -> Any:
        """Returns the slope at a root: from the equation, which does not magnify its error."""
        vector = self.vector
        return vector.state((vector.flat(state) - vector.flat(base)) / self.scaled)

    def _function(self, t: Any) -> Callable:
        return lambda z: self.vector.flat(self.field(t, self.vector.state(z)))

    def _like(self, h: Any, leaf: Any) -> Any:
        return h if is_numpy(h) else ops.cast(h, leaf.dtype)


def _largest_row(jacobian: Any, t: Any) -> Any:
    """The maximum norm of the Jacobian, in the kind of number that `t` is; no gradient."""
    if isinstance(jacobian, np.ndarray):
        return float(np.max(np.sum(np.abs(jacobian), axis=-1)))
    rows = ops.max(ops.sum(abs(ops.stop_gradient(jacobian)), axis=-1))
    return float(rows) if is_numpy(t) else ops.cast(rows, t.dtype)


def _held(value: Any) -> Any:
    """Returns a value through which no gradient flows."""
    return value if is_numpy(value) else ops.stop_gradient(value)


def _to_the_last_digits(y: Any) -> Callable:
    """A norm for a step on its own: corrections in units of 100,000 times the rounding of `y`."""
    numpy = all_numpy(y)

    def largest(correction: Any, size: Any) -> Any:
        def ratio(a, b):
            dtype = np.asarray(b).dtype if numpy else keras.backend.standardize_dtype(b.dtype)
            unit = 1e5 * float(np.finfo(dtype).eps)
            return abs(a) / (unit * (1.0 + abs(b)))

        ratios = keras.tree.flatten(same_structure(ratio, correction, size))
        if numpy:
            return float(max(np.max(each) for each in ratios))
        return ops.max(ops.stack([ops.max(each) for each in ratios]))

    return largest


def _or_nan(converged: Any, state: Any) -> Any:
    if isinstance(converged, (bool, np.bool_)):
        return state if converged else same_structure(lambda leaf: leaf * float("nan"), state)
    return same_structure(
        lambda leaf: ops.where(converged, leaf, ops.cast(float("nan"), leaf.dtype)), state
    )
