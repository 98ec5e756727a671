"""PIDController: how long the next step may be, from the errors of the last three."""

from dataclasses import dataclass
from typing import Any

from stepkit._registry import serializable
from stepkit.ode._scalars import clip


@serializable
@dataclass(frozen=True)
class PIDController:
    """Chooses the next step so that the estimated error stays near the tolerance.

    With the scaled error norms e_n (1 is at the tolerance) and k = 1 + order of the estimate:

    ```
    factor = safety * e_n^(-(p + i + d) / k) * e_(n-1)^((p + 2 d) / k) * e_(n-2)^(-d / k)
    h_next = h * min(largest, max(smallest, factor))
    ```

    `PIDController()` is the plain (integral) controller of most codes. A proportional part makes
    the steps smoother on mildly stiff problems: `p=0.3, i=0.4` is a common PI controller, and
    `p=0.2, i=0.3, d=0.1` a PID controller.

    Args:
        p: float, the proportional part. Defaults to `0.0`.
        i: float > 0, the integral part. Defaults to `1.0`.
        d: float, the derivative part. Defaults to `0.0`.
        safety: float in (0, 1], aims below the tolerance. Defaults to `0.9`.
        smallest: float in (0, 1), the smallest factor. Defaults to `0.2`.
        largest: float > 1, the largest factor; at most 1 after a rejected step. Defaults to `10.0`.

    Raises:
        ValueError: for values outside of these ranges.

    Example: at four times the tolerance a method of order 3 with an estimate of order 2 goes on
    with a step shorter by 4^(1/3), and a little more for safety.
    >>> round(PIDController().factor(4.0, (1.0, 1.0), order=2), 4)
    0.567

    Reference: G. Söderlind, *Digital filters in adaptive time-stepping*, ACM TOMS 29 (2003) 1-26;
    Hairer, Norsett, Wanner, *Solving Ordinary Differential Equations I*, section II.4.
    """

    p: float = 0.0
    i: float = 1.0
    d: float = 0.0
    safety: float = 0.9
    smallest: float = 0.2
    largest: float = 10.0

    def __post_init__(self) -> None:
        fine = self.i > 0 and 0 < self.safety <= 1 and 0 < self.smallest < 1 < self.largest
        if not fine:
            raise ValueError(
                "A PIDController needs i > 0, 0 < safety <= 1 and 0 < smallest < 1 < largest. "
                f"Received: {self}"
            )

    def factor(self, error: Any, before: tuple[Any, Any], order: int) -> Any:
        """Returns by how much the step may grow.

        Args:
            error: scaled error norm of this step.
            before: scaled error norms of the two accepted steps before, the last one first.
            order: int, the order of the lower method of the pair.
        """
        k, tiny = order + 1.0, 1e-8
        last, older = (clip(each, tiny, 1.0 / tiny) for each in before)
        factor = self.safety * clip(error, tiny, 1.0 / tiny) ** (-(self.p + self.i + self.d) / k)
        if self.p or self.d:
            factor = factor * last ** ((self.p + 2 * self.d) / k)
        if self.d:
            factor = factor * older ** (-self.d / k)
        return clip(factor, self.smallest, self.largest)

    def get_config(self) -> dict[str, float]:
        """Returns the constructor's arguments."""
        return dict(vars(self))
