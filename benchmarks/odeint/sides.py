"""Who solves: each side is a callable that solves a batch and waits for the answer.

`ours(...)` and `peer(...)` return a function of no arguments, whose answer `plain` makes into the
states at the end as NumPy, and a dictionary with steps and evaluations where they are known.
Ours and the peer control one step for the whole batch; SciPy solves one sample after another.
For stiff batches ours knows that samples are independent (`batch_axes=1`), diffrax does not.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import keras
import numpy as np
from keras import ops
from scipy import integrate

from benchmarks.odeint.cases import Case
from stepkit import ode

STEPS = 4096  # max_steps of gradient solves, on both sides
MANY = 100_000
LARGEST = 256  # entries of a stiff batch for diffrax, whose Newton factors one dense matrix for all


def peer_name(case: Case, size: int = 1) -> str | None:
    """The peer on this backend, if it is installed and has a solver for the problem."""
    if case.stiff and size * len(case.y0) > LARGEST:
        return None
    name = {"jax": "diffrax", "torch": "torchdiffeq"}.get(keras.backend.backend())
    if name is None or importlib.util.find_spec(name) is None:
        return None
    return None if name == "torchdiffeq" and case.stiff else name


def ours(case: Case, y0: np.ndarray, rtol: float, gradient: bool = False) -> Callable:
    """stepkit: dopri5, or kvaerno5 where the problem is stiff."""
    return _runner(our_solve(case, rtol, STEPS if gradient else MANY, gradient), y0, gradient)


def peer(case: Case, y0: np.ndarray, rtol: float, gradient: bool = False) -> Callable:
    """Diffrax on JAX, torchdiffeq on torch."""
    return _runner(peer_solve(case, rtol, STEPS if gradient else MANY), y0, gradient)


def our_solve(case: Case, rtol: float, max_steps: int, gradient: bool) -> Callable:
    """The function of a batch of tensors that returns its end, steps and evaluations."""
    solver = ode.Kvaerno5(batch_axes=1) if case.stiff else "dopri5"
    options = {"rtol": rtol, "atol": rtol * case.atol, "max_steps": max_steps}

    def solve(y):
        times = [0.0, case.end]
        solved = ode.odeint(case.f, y, times, solver=solver, differentiable=gradient, **options)
        stats = solved.stats
        return solved.ys[-1], stats.num_steps + stats.num_rejected, stats.num_evaluations

    return solve


def peer_solve(case: Case, rtol: float, max_steps: int) -> Callable:
    """The same by the peer; `-1` for what it does not tell."""
    make = {"jax": _diffrax, "torch": _torchdiffeq}[keras.backend.backend()]
    return make(case, rtol, max_steps)


def scipy_side(case: Case, y0: np.ndarray, rtol: float) -> Callable:
    """SciPy's RK45 or Radau, one sample after another."""
    options = {"rtol": rtol, "atol": rtol * case.atol, "method": "Radau" if case.stiff else "RK45"}

    def run():
        solved = [integrate.solve_ivp(case.f, (0.0, case.end), y, **options) for y in y0]
        ends = np.stack([each.y[:, -1] for each in solved])
        return ends, -1, sum(each.nfev for each in solved)

    return run


def _diffrax(case: Case, rtol: float, max_steps: int) -> Callable:
    import diffrax

    term = diffrax.ODETerm(lambda t, y, args: case.f(t, y))
    controller = diffrax.PIDController(rtol=rtol, atol=rtol * case.atol)
    solver = diffrax.Kvaerno5() if case.stiff else diffrax.Dopri5()
    adjoint = diffrax.RecursiveCheckpointAdjoint()  # diffrax's own default

    def solve(y):
        solved = diffrax.diffeqsolve(
            term, solver, 0.0, case.end, None, y,
            stepsize_controller=controller, adjoint=adjoint, max_steps=max_steps,
        )  # fmt: skip
        tried = solved.stats["num_steps"]
        # Six new stages in a step of Dopri5, one slope and one trial of the first step; Newton's
        # evaluations inside Kvaerno5 are not counted by diffrax.
        return solved.ys[-1], tried, (-1 if case.stiff else 6 * tried + 2)

    return solve


def _torchdiffeq(case: Case, rtol: float, max_steps: int) -> Callable:
    import torch
    from torchdiffeq import odeint

    times = torch.tensor([0.0, case.end], dtype=torch.float64)

    def solve(y):
        calls = 0

        def counted(t, y):
            nonlocal calls
            calls += 1
            return case.f(t, y)

        ys = odeint(counted, y, times.to(y.device), rtol=rtol, atol=rtol * case.atol)
        return ys[-1], -1, calls

    return solve


def plain(answer: tuple) -> tuple[np.ndarray, dict[str, int | None]]:
    """The end of a batch in NumPy, and steps and evaluations; `None` for what is not told."""
    end, tried, evaluations = answer
    known = {"steps": int(tried), "evaluations": int(evaluations)}
    costs = {key: value if value >= 0 else None for key, value in known.items()}
    return ops.convert_to_numpy(end), costs


def _runner(solve: Callable, y0: np.ndarray, gradient: bool) -> Callable:
    backend = keras.backend.backend()
    make = {"jax": _on_jax, "torch": _on_torch, "tensorflow": _on_tensorflow}[backend]
    return make(solve, ops.convert_to_tensor(y0, dtype="float64"), gradient)


def _on_jax(solve: Callable, y0, gradient: bool) -> Callable:
    import jax

    def loss(y):
        end, tried, evaluations = solve(y)
        return (end**2).sum(), (tried, evaluations)

    def descend(y):
        slope, costs = jax.grad(loss, has_aux=True)(y)
        return slope, *costs

    program = jax.jit(descend if gradient else solve)
    return lambda: jax.block_until_ready(program(y0))


def _on_torch(solve: Callable, y0, gradient: bool) -> Callable:
    import torch

    def forward():
        with torch.no_grad():
            end, *costs = solve(y0)
        _wait(end)
        return end, *costs

    def descend():
        y = y0.detach().clone().requires_grad_()
        end, *costs = solve(y)
        (slope,) = torch.autograd.grad((end**2).sum(), y)
        _wait(slope)
        return slope, *costs

    return descend if gradient else forward


def _wait(tensor) -> None:
    if tensor.is_cuda:
        import torch

        torch.cuda.synchronize()


def _on_tensorflow(solve: Callable, y0, gradient: bool) -> Callable:
    import tensorflow as tf

    def descend():
        with tf.GradientTape() as tape:
            tape.watch(y0)
            end, *costs = solve(y0)
            loss = tf.reduce_sum(end**2)
        return _read(tape.gradient(loss, y0)), *costs

    def forward():
        end, *costs = solve(y0)
        return _read(end), *costs

    return descend if gradient else forward


def _read(tensor):
    tensor.numpy()  # waits
    return tensor
