"""The loop over steps whose size is chosen from their estimated error."""

from typing import Any

import numpy as np
from keras import ops, tree

from stepkit._backend import while_loop
from stepkit._backend.autodiff import unrecorded
from stepkit.ode import _state
from stepkit.ode._demands import Demands
from stepkit.ode._field import Field, same_structure
from stepkit.ode._scalars import both, branch, choose, either, finite, is_plain, maximum, minimum
from stepkit.ode.runge_kutta import advance
from stepkit.ode.step_size import PIDController

RUNNING, NOT_FINITE, TOO_SMALL = 0, 1, 2
HUGE = 1e8  # the norm of an error that is not a number, or of a step without a solution


class AdaptiveLoop:
    """One solve: its constants, and the functions of its loop."""

    def __init__(
        self, field: Field, y0: Any, ts: Any, solver: Any, demands: Demands, direction: float
    ) -> None:
        self.field, self.y0, self.solver, self.demands = field, y0, solver, demands
        field.differentiable = demands.differentiable
        self.numpy = _state.all_numpy(y0)
        self.plain = self.numpy or while_loop.runs_in_python()
        clock = "float64" if self.numpy else _state.time_dtype(_state.dtypes_of(y0))
        self.epsilon = float(np.finfo(clock).eps)
        self.clock, self.direction = clock, direction
        self.times = ts.tolist() if self.plain else ts
        self.end = self.times[-1]
        self.span = abs(self.end - self.times[0])
        self.slots, self.dense = ts.shape[0] - 1, ts.shape[0] > 2
        self.order = solver.tableau.embedded_order
        self.controller = demands.controller or PIDController()

    # The start

    def start(self) -> dict[str, Any]:
        """Returns the carry before the first step."""
        t, slope = self.scalar(self.times[0]), self.field(self.times[0], self.y0)
        first = self.demands.first_step
        h = self._first_step(t, slope) if first is None else self.scalar(float(first))
        carry = {
            "t": t,
            "h": h,
            "y": self.y0,
            "slope": slope,
            "errors": (self.scalar(1.0), self.scalar(1.0)),
            "slot": self.count(0),
            "accepted": self.count(0),
            "rejected": self.count(0),
            "evaluations": self.count(1 if first is not None else 2),
            "status": self._status(h),
            "memory": self.field.memory,
            "solver": tree.map_structure(self.count, getattr(self.solver, "START", ())),
        }
        if self.dense:
            degree = self._degree()
            nothing = tree.map_structure(lambda leaf: 0 * leaf, self.y0)
            carry |= {
                "start": self.y0,
                "since": t,
                "width": self.scalar(self.direction),
                "coefficients": (nothing,) * degree,
            }
        return carry

    def _first_step(self, t: Any, slope: Any) -> Any:
        """Hairer, Norsett, Wanner I, section II.4: from the slope and how fast it changes."""
        size, speed = self.norm(self.y0, self.y0), self.norm(slope, self.y0)
        guess = choose(both(size > 1e-5, speed > 1e-5), 0.01 * size / maximum(speed, 1e-5), 1e-6)
        guess = minimum(self.scalar(guess), self.span)
        ahead = advance(self.y0, self.direction * guess, (1.0,), (slope,))
        later = self.field(t + self.direction * guess, ahead)
        change = same_structure(lambda a, b: a - b, later, slope)
        bend = maximum(self.norm(change, self.y0) / guess, speed)
        h = choose(
            bend > 1e-15,
            (0.01 / maximum(bend, 1e-15)) ** (1.0 / (self.order + 1)),
            maximum(1e-6 * (guess / guess), 1e-3 * guess),
        )
        return self.scalar(minimum(minimum(100.0 * guess, h), self.span))

    def _status(self, h: Any) -> Any:
        return choose(finite(h), self.count(RUNNING), self.count(NOT_FINITE))

    def _degree(self) -> int:
        interpolant = self.solver.tableau.interpolant
        return 3 if interpolant is None else len(interpolant[0])

    # The loop

    def running(self, carry: dict[str, Any]) -> Any:
        """Whether times are left and nothing has gone wrong."""
        going = both(carry["slot"] < self.slots, carry["status"] == RUNNING)
        left = carry["accepted"] + carry["rejected"] < self.demands.max_steps
        return both(going, either(left, self._due(carry)) if self.dense else left)

    def _next_time(self, carry: dict[str, Any]) -> Any:
        if self.plain:
            return self.times[min(carry["slot"] + 1, self.slots)]
        return ops.take(self.times, ops.minimum(carry["slot"] + 1, self.slots))

    def _due(self, carry: dict[str, Any]) -> Any:
        return self.direction * (self._next_time(carry) - carry["t"]) <= 0

    def body(self, carry: dict[str, Any]) -> tuple[dict[str, Any], Any, Any]:
        """Keeps the state at the next time if the last step went beyond it, else tries a step."""
        if not self.dense:  # one time to reach: the last step ends there, in the carry
            after = self._attempt(carry)
            arrived = choose(after["t"] == self.end, self.count(1), self.count(0))
            return {**after, "slot": carry["slot"] + arrived}, self.count(0), ()
        slot, value = carry["slot"], self._value(carry)
        after = branch(
            self._due(carry), lambda: {**carry, "slot": slot + 1}, lambda: self._attempt(carry)
        )
        return after, slot, value

    def _value(self, carry: dict[str, Any]) -> Any:
        """The dense output at the next time; of no use before the last step has reached it."""
        theta = (self._next_time(carry) - carry["since"]) / carry["width"]
        at_end = theta >= 1.0

        def horner(start, end, *coefficients):
            x = self.like(theta, start)
            total = 0.0
            for coefficient in reversed(coefficients):
                total = (total + coefficient) * x
            return choose(at_end, end, start + total)

        return same_structure(horner, carry["start"], carry["y"], *carry["coefficients"])

    def _attempt(self, carry: dict[str, Any]) -> dict[str, Any]:
        self.field.memory = carry["memory"]
        t, h, y = carry["t"], carry["h"], carry["y"]
        left = self.direction * (self.end - t)
        size = minimum(h, left)
        last = h >= left
        signed = self.direction * size
        tried = self.solver.attempt(
            self.field, t, y, signed, carry["slope"], self.norm, carry["solver"], self.dense
        )
        error = self._error(tried, y)
        accept = error <= 1.0
        end = choose(last, self.scalar(self.end), t + signed)
        factor = self.controller.factor(error, carry["errors"], self.order)
        factor = choose(accept, factor, minimum(factor, 1.0))
        factor = choose(error >= HUGE, self.scalar(self.controller.smallest), factor)
        shorter = size * factor
        near = maximum(maximum(abs(t), abs(end)), self.epsilon * self.span)
        lost = both(error > 1.0, shorter <= 16 * self.epsilon * near)
        ones = self.count(1)
        after = {
            **carry,
            **choose(
                accept,
                {
                    "t": end,
                    "y": tried.y,
                    "slope": tried.slope,
                    "errors": (error, carry["errors"][0]),
                    "accepted": carry["accepted"] + ones,
                    "rejected": carry["rejected"],
                    "solver": tried.state,
                },
                {
                    "t": t,
                    "y": y,
                    "slope": carry["slope"],
                    "errors": carry["errors"],
                    "accepted": carry["accepted"],
                    "rejected": carry["rejected"] + ones,
                    "solver": carry["solver"],
                },
            ),
            "h": shorter,
            "evaluations": carry["evaluations"] + self.count(tried.evaluations),
            "status": choose(lost, self._why(error), carry["status"]),
            "memory": self.field.memory,
        }
        if self.dense:
            new = {
                "start": y,
                "since": t,
                "width": signed,
                "coefficients": tried.coefficients,
            }
            old = {key: carry[key] for key in new}
            after |= choose(accept, new, old)
        return after

    def _why(self, error: Any) -> Any:
        return choose(error >= HUGE, self.count(NOT_FINITE), self.count(TOO_SMALL))

    def _error(self, tried: Any, y: Any) -> Any:
        """The norm of the error in units of the tolerance; HUGE where there is no number."""
        with unrecorded():
            size = same_structure(lambda a, b: _larger(abs(a), abs(b)), y, tried.y)
            error = self.norm(tried.error, size)
        fine = both(finite(error), tried.converged)
        return minimum(choose(fine, error, self.scalar(HUGE)), HUGE)

    # Numbers

    def norm(self, y: Any, size: Any) -> Any:
        """Root mean square of `y / (atol + rtol * |size|)` over all entries; no gradient."""
        atol, rtol = self.demands.atol, self.demands.rtol
        total, count = 0.0, 0
        for leaf, scale in zip(tree.flatten(y), tree.flatten(size), strict=True):
            ratio = abs(leaf) / (atol + rtol * abs(scale))
            square = ratio**2 if self.numpy else ops.stop_gradient(ratio) ** 2
            total = total + (np.sum(square) if self.numpy else ops.sum(square))
            count = count + (np.size(leaf) if self.numpy else ops.size(leaf))
        if self.plain:
            return float((float(total) / float(count)) ** 0.5)
        mean = ops.cast(total, self.clock) / ops.cast(count, self.clock)
        return mean**0.5

    def scalar(self, value: Any) -> Any:
        """Returns a real number of the loop: Python's own, or a tensor of the clock's dtype."""
        if self.plain:
            return float(value)
        # A Python number that is cast would be float32 on the way.
        return ops.convert_to_tensor(value, dtype=self.clock) if is_plain(value) else value

    def count(self, value: Any) -> Any:
        """Returns a whole number of the loop."""
        return int(value) if self.plain else ops.cast(value, "int32")

    def like(self, value: Any, leaf: Any) -> Any:
        """Returns a scalar that keeps the dtype of `leaf`."""
        return value if self.plain else ops.cast(value, leaf.dtype)

    def states(self, table: Any, carry: dict[str, Any]) -> Any:
        """Returns the states at all times after the first; NaN at those that were not reached."""
        if not self.dense:
            table = tree.map_structure(lambda leaf: leaf[None], carry["y"])
        return self._only_reached(table, carry)

    def _only_reached(self, table: Any, carry: dict[str, Any]) -> Any:
        slots, reached = self.slots, carry["slot"]
        if self.plain and reached == slots:
            return table
        order = np.arange(slots) if self.numpy else ops.arange(slots)
        good = order < reached

        def hide(leaf: Any) -> Any:
            if self.numpy:
                leaf = np.array(leaf)
                leaf[~good] = np.nan
                return leaf
            mask = ops.reshape(good, (slots,) + (1,) * (len(leaf.shape) - 1))
            return ops.where(mask, leaf, ops.cast(float("nan"), leaf.dtype))

        return tree.map_structure(hide, table)


def _larger(a: Any, b: Any) -> Any:
    return np.maximum(a, b) if _state.is_numpy(a) else maximum(a, b)
