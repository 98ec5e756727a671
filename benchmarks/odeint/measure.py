"""One case at one batch size: answers first, then times, then ratios at equal error."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from benchmarks.odeint import sides
from benchmarks.odeint.cases import CHECKED, Case
from benchmarks.timing import ratios, side_by_side

SCIPY_MOST = 8  # samples that SciPy solves one by one; its time for more is in proportion


def forward(case: Case, size: int, powers: tuple[int, ...], repeats: int) -> dict:
    """Work-precision curves of each side, and our ratio to each of the others."""
    curves: dict[str, list[dict]] = {}
    y0, truth = case.batch(size), case.reference(size)
    for power in powers:
        answers: dict[str, tuple] = {}
        times = {}
        for runs in _forward_runs(case, y0, 10.0**-power):
            times |= side_by_side(_keeping(runs, answers), repeats)
        for name, answer in answers.items():
            ends, costs = sides.plain(answer)
            miss = np.linalg.norm(ends[:CHECKED] - truth) / np.linalg.norm(truth)
            point = {"power": power, "error": float(miss), **costs, **times[name]}
            if name == "scipy":
                point = _whole_batch(point, size)
            curves.setdefault(name, []).append(point)
    row = {"problem": case.name, "batch": size, "curves": curves}
    return row | {"ratios": ratios(curves, size)}


def gradient(case: Case, size: int, power: int, repeats: int) -> dict:
    """Times of the gradient of the squared end in the initial state, and how far two agree."""
    y0, rtol = case.batch(size), 10.0**-power
    runs = {"ours": sides.ours(case, y0, rtol, gradient=True)}
    name = sides.peer_name(case, size)
    if name:
        runs[name] = sides.peer(case, y0, rtol, gradient=True)
    answers: dict[str, tuple] = {}
    times = side_by_side(_keeping(runs, answers), repeats)
    found = {"problem": case.name, "batch": size, "power": power, "times": times}
    if name:
        (mine, _), (other, _) = (sides.plain(answers[each]) for each in ("ours", name))
        found["disagreement"] = float(np.linalg.norm(mine - other) / np.linalg.norm(other))
        found["ratio"] = times["ours"]["median"] / times[name]["median"]
    return found


def memory(case: Case, size: int, max_steps: int) -> dict:
    """Bytes that a gradient solve keeps: JAX's plan of its program, or what torch saves."""
    measured = {"jax": _planned_bytes, "torch": _saved_bytes}[keras.backend.backend()]
    rtol, y0 = 1e-4, case.batch(size)
    found = {"problem": case.name, "batch": size, "max_steps": max_steps}
    found["ours"] = measured(sides.our_solve(case, rtol, max_steps, gradient=True), y0)
    name = sides.peer_name(case, size)
    if name:
        found[name] = measured(sides.peer_solve(case, rtol, max_steps), y0)
    return found


def _planned_bytes(solve: Callable, y0: np.ndarray) -> int:
    import jax

    program = jax.jit(jax.grad(lambda y: (solve(y)[0] ** 2).sum()))
    plan = program.lower(jax.numpy.asarray(y0)).compile().memory_analysis()
    return int(plan.temp_size_in_bytes)


def _saved_bytes(solve: Callable, y0: np.ndarray) -> int:
    import torch

    total = 0

    def pack(tensor):
        nonlocal total
        total += tensor.numel() * tensor.element_size()
        return tensor

    y = torch.tensor(y0, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        (solve(y)[0] ** 2).sum()
    return total


def _forward_runs(case: Case, y0: np.ndarray, rtol: float) -> tuple[dict, dict]:
    """Ours beside the peer; then SciPy, whose threads and caches would disturb short runs."""
    runs = {"ours": sides.ours(case, y0, rtol)}
    name = sides.peer_name(case, len(y0))
    if name:
        runs[name] = sides.peer(case, y0, rtol)
    return runs, {"scipy": sides.scipy_side(case, y0[:SCIPY_MOST], rtol)}


def _keeping(runs: dict, answers: dict) -> dict:
    """The same runs, which leave their last answer in `answers`."""

    def keep(name, run):
        def kept():
            answers[name] = run()

        return kept

    return {name: keep(name, run) for name, run in runs.items()}


def _whole_batch(point: dict, size: int) -> dict:
    scale = max(1.0, size / SCIPY_MOST)
    return {k: v * scale if k in ("first", "median", "min", "max") else v for k, v in point.items()}
