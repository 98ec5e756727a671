"""Evaluations that step controllers need, beside those of the default, at equal error.

    python -m benchmarks.controllers     into benchmarks/results/controllers.json

Counts only, in NumPy: a ratio is the mean, in logarithms, over the errors that both curves cover,
and over some initial states.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.odeint.cases import Case, cases
from benchmarks.timing import at_equal_error
from stepkit import ode

PROBLEMS = ("lorenz", "van_der_pol_1", "van_der_pol_10", "neural")
CONTROLLERS = ((0.0, 0.9), (0.1, 0.7), (0.2, 0.6), (0.2, 0.7), (0.3, 0.5), (0.4, 0.3))
POWERS = range(3, 9)
STARTS = 4


def main() -> None:
    from experiments import record

    known = cases()
    references = {name: known[name].reference(STARTS, STARTS) for name in PROBLEMS}
    rows = []
    for solver in ("bosh3", "dopri5", "tsit5"):
        for name in PROBLEMS:
            case, truth = known[name], references[name]
            usual = curves(case, truth, solver, None)
            for p, i in CONTROLLERS:
                other = curves(case, truth, solver, ode.PIDController(p=p, i=i))
                pairs = zip(other, usual, strict=True)
                each = [at_equal_error(a, b, "evaluations") for a, b in pairs]
                ratio = float(np.exp(np.mean(np.log(each))))
                rows.append({"solver": solver, "problem": name, "p": p, "i": i, "ratio": ratio})
                print(rows[-1], flush=True)
    around = record.circumstances("python -m benchmarks.controllers")
    path = Path("benchmarks/results/controllers.json")
    record.write(path, {"circumstances": around, "rows": rows})


def curves(case: Case, truth: np.ndarray, solver: str, controller) -> list[list[dict]]:
    """A work-precision curve for each initial state."""
    return [
        [_point(case, y0, end, solver, controller, 10.0**-power) for power in POWERS]
        for y0, end in zip(case.batch(len(truth)), truth, strict=True)
    ]


def _point(case: Case, y0, end, solver: str, controller, rtol: float) -> dict:
    options = {"rtol": rtol, "atol": rtol, "controller": controller, "max_steps": 100_000}
    solved = ode.odeint(case.f, y0, [0.0, case.end], solver=solver, **options)
    miss = np.linalg.norm(solved.ys[-1] - end) / np.linalg.norm(end)
    return {"error": float(miss), "evaluations": solved.stats.num_evaluations}


if __name__ == "__main__":
    main()
