"""Error against evaluations of the field, for each solver on problems from easy to stiff.

    python -m experiments.work_precision

It runs in NumPy, double precision, and writes `experiments/results/work_precision.json` and `.png`.
References: exact solutions where there are any, else SciPy's Radau and DOP853 at rtol 1e-12.
SciPy's RK45 and Radau are drawn beside. No randomness; evaluations do not depend on the machine.
"""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from scipy import integrate

from experiments.record import RESULTS, circumstances, write
from stepkit import ode
from stepkit.ode import problems

COMMAND = "python -m experiments.work_precision"
PROBLEMS = {
    "Logistic": (problems.Logistic(), "DOP853"),
    "Van der Pol, mu = 10": (problems.VanDerPol(10.0, t_span=(0.0, 20.0)), "Radau"),
    "Van der Pol, mu = 1000": (problems.VanDerPol(1000.0, t_span=(0.0, 1500.0)), "Radau"),
    "Robertson to t = 1e4": (problems.Robertson(t_span=(0.0, 1e4)), "Radau"),
}
SOLVERS = ("bosh3", "dopri5", "tsit5", "kvaerno5")
POWERS = (3, 4, 5, 6, 7, 8)
MOST = 20_000  # steps: an explicit solver that needs more is left out
STYLES = {
    "bosh3": ("#56B4E9", "o", "-"),
    "dopri5": ("#0072B2", "s", "-"),
    "tsit5": ("#009E73", "^", "-"),
    "kvaerno5": ("#D55E00", "D", "-"),
    "SciPy RK45": ("#0072B2", "s", ":"),
    "SciPy Radau": ("#D55E00", "D", ":"),
}


def main() -> None:
    """Measure, write the record, draw."""
    record = {"circumstances": circumstances(COMMAND), "problems": {}}
    for name, (problem, method) in PROBLEMS.items():
        record["problems"][name] = measure(problem, reference(problem, method))
    write_exactly(record)
    draw(record)


def reference(problem: problems.Problem, method: str) -> np.ndarray:
    """The state at the end."""
    try:
        return problem.exact(problem.t_span[1])
    except NotImplementedError:
        tight = {"rtol": 1e-12, "atol": 1e-14}
        return integrate.solve_ivp(problem.f, problem.t_span, problem.y0, method=method, **tight).y[
            :, -1
        ]


def measure(problem: problems.Problem, end: np.ndarray) -> dict[str, list[dict]]:
    """Points of each curve: relative error at the end, and evaluations."""
    size = np.linalg.norm(end)
    curves: dict[str, list[dict]] = {}
    for power in POWERS:
        tolerance = {"rtol": 10.0**-power, "atol": 10.0 ** -(power + 4)}
        for name in SOLVERS:
            solved = ode.odeint(
                problem.f, problem.y0, problem.t_span, solver=name, max_steps=MOST, throw=False,
                **tolerance,
            )  # fmt: skip
            if solved.result == "success":
                error = np.linalg.norm(solved.ys[-1] - end) / size
                add(curves, name, power, error, solved.stats.num_evaluations)
        for name in ("RK45", "Radau"):
            if name == "RK45" and "dopri5" not in curves:
                continue  # hopeless for ours, and so for theirs
            theirs = integrate.solve_ivp(
                problem.f, problem.t_span, problem.y0, method=name, **tolerance
            )
            error = np.linalg.norm(theirs.y[:, -1] - end) / size
            add(curves, f"SciPy {name}", power, error, theirs.nfev)
    return curves


def add(curves: dict, name: str, power: int, error: float, evaluations: int) -> None:
    """Adds a point to a curve."""
    point = {"power": power, "error": float(error), "evaluations": int(evaluations)}
    curves.setdefault(name, []).append(point)


def write_exactly(record: dict) -> None:
    """As `record.write`, which rounds to four digits after the point: errors here are tiny."""
    as_words = {
        name: {
            solver: [{**point, "error": f"{point['error']:.3e}"} for point in points]
            for solver, points in curves.items()
        }
        for name, curves in record["problems"].items()
    }
    write(RESULTS / "work_precision.json", {**record, "problems": as_words})


def draw(record: dict) -> None:
    """One panel for each problem."""
    figure, axes = plt.subplots(2, 2, figsize=(10.5, 7.5), layout="constrained")
    for axis, (name, curves) in zip(axes.flat, record["problems"].items(), strict=True):
        for solver, points in curves.items():
            colour, marker, line = STYLES[solver]
            axis.loglog(
                [point["evaluations"] for point in points],
                [max(point["error"], 1e-16) for point in points],
                color=colour, marker=marker, linestyle=line, markersize=4,
                markerfacecolor="white" if line == ":" else colour, label=solver,
            )  # fmt: skip
        axis.set(title=name, xlabel="evaluations of the field", ylabel="relative error at the end")
        axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=8)
    figure.savefig(RESULTS / "work_precision.png", dpi=110)


if __name__ == "__main__":
    main()
