"""stability_function: what one step makes of y' = z y."""

from typing import Any

import numpy as np
from keras import ops
from numpy.polynomial import Polynomial

from stepkit import ode
from stepkit.stability import _fit, _tableaux
from stepkit.stability._polynomials import Rounded


class StabilityFunction:
    """R(z), a quotient of two real polynomials; made by `stability_function`.

    Attributes:
        numerator: `numpy.polynomial.Polynomial`; `.coef` has the lowest power first.
        denominator: likewise, with the value 1 at 0; the constant 1 for an explicit method.

    Example:
    >>> R = stepkit.stability.stability_function("trapezoid")
    >>> R.numerator.coef.tolist(), R.denominator.coef.tolist()
    ([1.0, 0.5], [1.0, -0.5])
    >>> float(R(-1.0)), float(R(-np.inf))
    (0.3333333333333333, -1.0)
    """

    def __init__(self, numerator: Rounded, denominator: Rounded) -> None:
        self.rounded = numerator, denominator
        self.numerator, self.denominator = Polynomial(numerator.coef), Polynomial(denominator.coef)

    def __call__(self, z: Any) -> Any:
        """Returns R(z), entry by entry.

        Args:
            z: real or complex number, array or tensor. At infinity the limit is given.

        Returns:
            NumPy number or array of the shape of `z`, complex where `z` is; infinite at a pole.
        """
        z = np.asarray(ops.convert_to_numpy(z) if ops.is_tensor(z) else z)
        z = z.astype(complex if np.iscomplexobj(z) else float)
        with np.errstate(all="ignore"):
            near = self.numerator(z) / self.denominator(z)
            return np.where(np.abs(z) > 1.0, self._far(z), near)[()]

    def _far(self, z):
        """Returns R(z) in powers of 1/z, which do not overflow."""
        n, d = self.numerator, self.denominator
        ratio = Polynomial(n.coef[::-1])(1 / z) / Polynomial(d.coef[::-1])(1 / z)
        excess = n.degree() - d.degree()
        return ratio * (z**excess if excess > 0 else (1 / z) ** -excess)

    def __repr__(self) -> str:
        return (
            f"StabilityFunction(numerator={self.numerator.coef.tolist()}, "
            f"denominator={self.denominator.coef.tolist()})"
        )


def stability_function(solver: Any) -> StabilityFunction:
    """Returns the stability function of a one-step method: on y' = z y / h a step is y -> R(z) y.

    ```
    R(z) = 1 + z b^T (I - z A)^-1 1 = det(I - z A + z 1 b^T) / det(I - z A)
    ```

    with z = h times an eigenvalue. Both polynomials are computed from the tableau in exact
    arithmetic; coefficients that rounding of the tableau's numbers explains are zero. Stages on
    which the result does not depend are left out; other common factors stay.

    A step without a tableau is tried on y' = z y, written as two real equations, at 16 points of
    the unit circle. A polynomial of degree <= 12, or a quotient of degrees <= 3, is fitted to the
    answers and has to predict others.

    Args:
        solver: name, `ButcherTableau` (explicit, diagonally implicit or fully implicit), solver,
            callable `step(f, t, y, h)`, or a `StabilityFunction`, which is returned as it is.

    Returns:
        `StabilityFunction` with `.numerator` and `.denominator`.

    Raises:
        ValueError: for an unknown name, or a step that is not linear in the state.
        TypeError: where `solver` is none of these.

    Example:
    >>> stability_function("heun").numerator.coef.tolist()
    [1.0, 1.0, 0.5]
    >>> float(abs(stability_function("euler")(-1.0 + 1.0j)))
    1.0

    Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, section IV.3.
    """
    if isinstance(solver, StabilityFunction):
        return solver
    if not isinstance(solver, ode.ButcherTableau):  # a solver need not be able to make its steps
        solver = ode.get(solver)
    tableau = getattr(solver, "tableau", solver)
    if isinstance(tableau, ode.ButcherTableau):
        return StabilityFunction(*_tableaux.polynomials(tableau))
    return StabilityFunction(*_fit.polynomials(solver.step))
