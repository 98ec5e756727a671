"""Which models leave Keras, in which format, from which backend.

    python -m experiments.export

Models made of stepkit's layers are exported by `model.export(format=...)` on each backend, each in
a process of its own, and run without Keras and stepkit (`experiments/load_exported.py`) on fresh
inputs of three batch sizes. It writes `experiments/results/export.json` and the table in
`docs/export.md`. The packages of the extra `export` should be there; a cell whose package is
missing is "not tried". A process that hangs or dies is ended, and said so, and the next goes on.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from experiments import export_page, load_exported
from experiments.record import RESULTS, circumstances, write
from stepkit import ode
from stepkit.layers import ODEBlock, ResidualStep

COMMAND = "python -m experiments.export"
ROOT = Path(__file__).resolve().parents[1]
RESULT = RESULTS / "export.json"
BACKENDS = tuple(export_page.BACKENDS)
FORMATS = tuple(export_page.FORMATS)
SIZES = (1, 5, 17)  # 1 is what an exporter that needs an example takes
LIMIT = 120  # seconds for one cell
EPS = float(np.finfo("float32").eps)
# What says more than the beginning of a long error.
TELLING = (
    r"No Op registered for \w+",
    r"Flex\w+",
    r"No FFI handler registered for \w+",
    r"data-dependent control flow",
    r"Unsupported value kind: Tensor",
    r"INTERNAL ASSERT FAILED",
    r"An adaptive or implicit solve cannot be exported from torch",
    r"Detected mismatch between the structure of `inputs` and `dynamic_shapes`",
    r"install the `litert-torch` package",
)
RTOL = 1e-4  # of the adaptive solves
KVAERNO5 = ode.Kvaerno5(batch_axes=1)


class AdaptiveFlow(layers.Layer):
    """A user's layer: the state at t = 1 of y' = f(y) - y^3, by an adaptive solver."""

    def __init__(self, solver):
        super().__init__()
        self.solver, self.f = solver, layers.Dense(4, activation="tanh")

    def build(self, shape):
        """Builds the slope."""
        self.f.build(shape)

    def call(self, x):
        """Returns the state at the end."""

        def slope(t, y):
            return self.f(y) - y**3  # large states are stiffer: other inputs, other steps

        return ode.odeint(slope, x, [0.0, 1.0], solver=self.solver, rtol=RTOL, atol=RTOL).ys[-1]

    def compute_output_shape(self, shape):
        """Returns the input shape."""
        return shape


def _vectors(*middle: layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((4,)), *middle, layers.Dense(3)])


def _branch() -> keras.Sequential:
    return keras.Sequential([layers.Dense(8, activation="tanh"), layers.Dense(4)])


def _residual() -> keras.Model:
    return _vectors(*(ResidualStep(_branch(), step_size=0.5) for _ in range(3)))


def _convolutional() -> keras.Model:
    def branch():
        convolution = layers.Conv2D(6, 3, padding="same")
        return keras.Sequential([layers.BatchNormalization(), layers.ReLU(), convolution])

    steps = (ResidualStep(branch()) for _ in range(2))
    ends = layers.Conv2D(6, 3, padding="same"), layers.GlobalAveragePooling2D()
    return keras.Sequential([keras.Input((8, 8, 3)), ends[0], *steps, ends[1], layers.Dense(3)])


def _block(solver: str) -> Callable[[], keras.Model]:
    return lambda: _vectors(ODEBlock(_branch(), solver=solver, num_steps=8))


def _adaptive(solver: str) -> Callable[[], keras.Model]:
    return lambda: _vectors(AdaptiveFlow(solver))


# Name, what it is in words, how it is made, and how far an export may be off, in units of
# max |answer|. Fixed steps: some hundred roundings, of which each is at most eps. Adaptive steps
# follow an estimate that is itself mostly rounding, so that other roundings are other steps: then
# both answers are right to the tolerance of the solver.
MODELS = {
    "residual": ("net of `ResidualStep`", _residual, 200 * EPS),
    "convolutional": ("convolutional `ResidualStep`", _convolutional, 200 * EPS),
    "block_rk4": ('`ODEBlock(solver="rk4")`', _block("rk4"), 200 * EPS),
    "block_implicit": ('`ODEBlock(solver="implicit_euler")`', _block("implicit_euler"), RTOL),
    "dopri5": ('`odeint(solver="dopri5")` in `call`', _adaptive("dopri5"), 10 * RTOL),
    "kvaerno5": (
        "`odeint(solver=Kvaerno5(batch_axes=1))` in `call`",
        _adaptive(KVAERNO5),
        10 * RTOL,
    ),
}


def main() -> None:
    """All backends, each in its process; the record and the page."""
    record: dict = {"circumstances": circumstances(COMMAND)}
    del record["circumstances"]["backend"]
    record["cells"] = {backend: rows(backend) for backend in BACKENDS}
    write(RESULT, record)
    export_page.fill(record, titles())


def titles() -> dict[str, str]:
    """The models in words."""
    return {name: title for name, (title, *_) in MODELS.items()}


def rows(backend: str, models: Iterable[str] = MODELS, formats: Iterable[str] = FORMATS) -> dict:
    """What each export from a backend comes to: `rows[model][format]`."""
    formats = [each for each in formats if each != "torch" or backend == "torch"]
    cells = [f"{name}.{form}" for name in models for form in formats]
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("JAX_ENABLE_X64", None)
    with tempfile.TemporaryDirectory() as folder:
        make = [sys.executable, "-m", "experiments.export", folder]
        made = by_cell(make, cells, environment)
        there = [cell for cell in cells if "refusal" not in made[cell]]
        load = [sys.executable, str(ROOT / "experiments" / "load_exported.py"), folder]
        run = {}
        for form in formats:  # a process each: several runtimes in one might disturb each other
            mine = [cell for cell in there if cell.endswith("." + form)]
            run |= by_cell(load, mine, environment)
        found = {cell: judged(Path(folder), cell, made[cell], run.get(cell)) for cell in cells}
    return {name: {form: found[f"{name}.{form}"] for form in formats} for name in models}


def by_cell(command: list[str], cells: list[str], environment: dict) -> dict[str, dict]:
    """Runs `command cells...`, which prints a row for each, and again after a cell that ends it."""
    done: dict[str, dict] = {}
    while rest := [cell for cell in cells if cell not in done]:
        process = subprocess.Popen(
            [*command, *rest], cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for cell, row in zip(rest, printed(process), strict=False):
            done[cell] = row
    return done


def printed(process: subprocess.Popen) -> Iterable[dict]:
    """The rows that a process prints; at its end by time limit or crash, a row that says so."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read():
        for line in process.stdout:
            if line.startswith("ROW "):
                lines.put(line[4:])
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=LIMIT)
        except queue.Empty:
            process.kill()
            yield {"refusal": f"stopped after {LIMIT} s"}
            return
        if line is None:
            yield {"refusal": f"the process died (exit status {process.wait()})"}
            return
        yield json.loads(line)


def judged(folder: Path, cell: str, made: dict, run: dict | None) -> dict:
    """One cell of the table: an outcome, and the reason or the error by batch size."""
    if "refusal" in made:
        tried = not made["refusal"].startswith("ImportError")
        words = "no export" if tried else "not tried"
        return {"outcome": words, "reason": short(made["refusal"])}
    if "refusal" in run or "load" in run["troubles"]:
        reason = run.get("refusal") or run["troubles"]["load"]
        return {"outcome": "not loaded", "reason": short(reason)}
    name = cell.split(".")[0]
    wanted, answers = (np.load(folder / f"{each}.npz") for each in (f"{name}.wanted", cell))
    errors, reasons = {}, dict(run["troubles"])
    for size in wanted:
        if size not in reasons:
            errors[size] = distance(answers[size], wanted[size])
    found = {"outcome": outcome(errors, reasons, MODELS[name][2])}
    found["error"] = {size: f"{error:.0e}" for size, error in errors.items()}
    if reasons:
        found["reason"] = short(next(iter(reasons.values())))
    return found


def outcome(errors: dict[str, float], reasons: dict[str, str], tolerance: float) -> str:
    """In words, what answers by batch size come to."""
    if not errors:
        return "does not run"
    if any(not error <= tolerance for error in errors.values()):
        return "wrong numbers"
    return "one batch size only" if reasons else "works"


def distance(answer: np.ndarray, wanted: np.ndarray) -> float:
    """Largest difference, in units of the largest answer; infinite for another shape or for NaN."""
    if answer.shape != wanted.shape or not np.isfinite(answer).all():
        return float("inf")
    return float(np.max(np.abs(answer - wanted)) / np.max(np.abs(wanted)))


def short(reason: str) -> str:
    """The part of an error that says what is missing, else its beginning, without paths."""
    reason = re.sub(r"\x1b\[\d*m", "", " ".join(reason.split()))
    reason = re.sub(r"\S*/\S*/\S*", "...", reason)
    kind = reason.partition(":")[0]
    for telling in TELLING:
        if found := re.search(telling, reason):
            return f"{kind}: {found[0]}"
    return reason if len(reason) <= 150 else reason[:147] + "..."


def make(folder: Path, cells: list[str]) -> None:
    """Exports the cells into a folder, on the running backend, and prints a row for each."""
    built: dict[str, keras.Model] = {}
    for cell in cells:
        name, form = cell.split(".")
        row = {"cell": cell}
        try:
            if name not in built:
                built[name] = prepared(folder, name)
            path = load_exported.artefact(folder, cell)
            built[name].export(str(path), format=form, verbose=False, **options(form))
        except Exception as error:
            row["refusal"] = load_exported.said(error)
        print("ROW " + json.dumps(row), flush=True)


def options(form: str) -> dict:
    """What a format must be told for its batch size to stay open."""
    if form != "torch":
        return {}
    import torch

    return {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}


def prepared(folder: Path, name: str) -> keras.Model:
    """A model; its fresh inputs and own answers are put into the folder."""
    keras.utils.set_random_seed(0)
    model = MODELS[name][1]()
    draw = np.random.default_rng()
    inputs = {str(n): draw.normal(scale=2.0, size=(n, *model.input_shape[1:])) for n in SIZES}
    inputs = {size: x.astype("float32") for size, x in inputs.items()}
    np.savez(folder / f"{name}.npz", **inputs)
    wanted = {size: ops.convert_to_numpy(model(x, training=False)) for size, x in inputs.items()}
    np.savez(folder / f"{name}.wanted.npz", **wanted)
    return model


if __name__ == "__main__":
    if sys.argv[1:]:
        make(Path(sys.argv[1]), sys.argv[2:])
    else:
        main()
