"""Writes docs/benchmarks.md from the records: `python -m benchmarks.report`."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = """# Benchmarks

Written by `python -m benchmarks.report` from `benchmarks/results`. All times are medians of
alternating repeats in one process; the first call, which compiles, is kept apart. Nothing was
measured on a GPU as yet.

"""
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
SOLVERS = """## Solvers

A ratio is ours divided by theirs: **above 1 (bold) ours is slower**, or needs more. It is read at
equal error, off two work-precision curves: the geometric mean over the errors that both cover.
Errors are measured against SciPy at rtol 1e-11. float64 throughout.

- Ours and the peers choose one step for the whole batch. SciPy, timed by itself, solves sample
  after sample; beyond 8 samples its time is in proportion.
- Stiff problems: `Kvaerno5(batch_axes=1)` knows that the samples are independent; diffrax's
  Kvaerno5 on the whole array factors one dense matrix, so it stands beside small batches only.
- diffrax does not count Newton's evaluations: no ratio there. torchdiffeq and torch are eager.
- Memory of a gradient: JAX's plan of temporary bytes; on torch, the bytes of saved tensors
  (a tensor that is saved twice counts twice); TensorFlow tells no such number.

What lies above 1, and why:

- JAX, 4096 samples, no gradient. XLA on a CPU sums up the norm of the error in a kernel of its YNN
  library (`ynn_fusion` in the compiled program), together with all that leads to it, and of that we
  have more. Without that library (the table *JAX, with flags*) both are faster, and ours is ahead.
  Flat states, a product r'r in place of the sum, and barriers before it did not help.
- JAX, one sample of the neural field, few steps: some 20 microseconds more for a whole solve.
- JAX, gradients of 4096 samples and of the neural field. Our loop is three loops within each other,
  so that memory grows as the cube root of `max_steps`; the price is that a step is made up to three
  times again.
- SciPy beside a single sample: on TensorFlow and torch each operation of a small state costs more
  than its arithmetic. From 64 samples on ours is ahead.
"""
CONTROLLERS = """## Step controllers

Evaluations that `ode.PIDController(p, i)` needs at equal error, in units of those of the default
(p = 0, i = 1): the range over Lorenz, Van der Pol with mu = 1 and 10, and the neural field.
"""
STIFFNESS = """## Looking at stiffness

`callbacks.StiffnessMonitor` on 64 samples, against the same epoch without it; and
`stability.block_margin` on 4 samples, by 24 products for Ritz values (`max_dense=0`) and by whole
Jacobians. Both ways are compared on untrained networks of random weights, whose largest factor
|1 + z| lies at the rim of a dense disc of eigenvalues: a hard case for Ritz values.
"""
ATTENTION = """## What a gate costs

A network with a gate in every block against the same network without, in turns: ratios of the time
of a training step and of an answer; on JAX also of the bytes that the compiled step moves and holds
besides weights and data, as XLA plans them. Where a step is limited by memory traffic, as on an
accelerator, the ratio of bytes moved is the limit for its time. The goal is 1.05 for StepNet on a
GPU; above it bold. A CPU pays more for the many small operations of a gate.

On a CPU most gates lie above the goal, and the pair costs about what SE costs. On two shared cores
a ratio moves by some 0.1 from run to run: the constant gate, which adds one product, tells.
Most of it is no arithmetic of the gate: a gated branch is read and written once more, and kept for
the gradient, for a constant gate as well (the columns *moved* and *held*).
"""


def main() -> None:
    (ROOT / "docs" / "benchmarks.md").write_text(text(), encoding="utf-8")


def text() -> str:
    """The page, from the records that are there."""
    parts = [HEAD, SOLVERS, *map(solvers, _records("odeint_"))]
    parts += [CONTROLLERS, *map(controllers, _records("controllers"))]
    parts += [STIFFNESS, *map(stiffness, _records("stiffness_"))]
    gates = _records("attention_")
    return "\n".join([*parts, *([ATTENTION] if gates else []), *map(attention, gates)])


def solvers(record: dict) -> str:
    """The tables of one record of `benchmarks.odeint`."""
    lines = _title(record["forward"]["circumstances"])
    for part, (head, shape) in PARTS.items():
        if part in record:
            lines += table(head, shape(record[part]["rows"]))
    return "\n".join(lines)


def controllers(record: dict) -> str:
    """The table of the record of `benchmarks.controllers`."""
    around, ratios = record["circumstances"], {}
    for row in record["rows"]:
        ratios.setdefault((row["p"], row["i"]), {}).setdefault(row["solver"], []).append(
            row["ratio"]
        )
    names = list(next(iter(ratios.values())))
    lines = [f"`{around['command']}`, counts only.", ""]
    rows = [
        (*pair, *(f"{min(each):.2f} to {max(each):.2f}" for each in found.values()))
        for pair, found in ratios.items()
    ]
    return "\n".join(lines + table(("p", "i", *names), rows))


def stiffness(record: dict) -> str:
    """The tables of one record of `benchmarks.stiffness`."""
    lines = _title(record["circumstances"])
    lines += [f"`import stepkit` beyond Keras: {shown(record['import']['median'])} s.", ""]
    watched = [
        (kind, *(row[name]["median"] for name in ("plain", "watched", "within")), row["share"])
        for kind, row in record["monitor"].items()
    ]
    lines += table(
        ("network", "plain epoch, s", "with the monitor, s", "within it, s", "share"), watched
    )
    for varied in ("width", "depth"):
        rows, powers = record[varied]["rows"], record[varied]["powers"]
        head = ("width", "blocks", "matrix-free, s", "full, s", "ratio", "largest factor apart")
        lines += table(head, list(map(_spectrum_row, rows)))
        lines += [
            f"Time grows as {varied} to the power {shown(powers['matrix_free'])} matrix-free, "
            f"{shown(powers['full'])} with whole Jacobians (least squares through the rows).",
            "",
        ]
    return "\n".join(lines)


def attention(record: dict) -> str:
    """A table for each shape of a record of `benchmarks.attention`."""
    goal, lines = record["goals"]["training_ratio"], _title(record["circumstances"])
    for shape, found in record["shapes"].items():
        title = f"{shape}, batch {found['batch']}"
        head = (title, "weights", "training", "answer", "moved", "held", *TIMM)
        columns = zip(
            head, *(_gate_row(*each, goal) for each in found["rows"].items()), strict=True
        )
        head, *rows = zip(*(c for c in columns if any(v is not None for v in c[1:])), strict=True)
        lines += table(head, rows)
    return "\n".join(lines)


def _gate_row(name: str, row: dict, goal: float) -> tuple:
    training, theirs = row["training"], row.get("timm", {})
    times = (_bold(each["ratio"], goal) for each in (training, row["answer"]))
    timm = (theirs[what]["ratio"] if theirs else None for what in ("training", "answer"))
    planned = (training.get(key) for key in ("moved", "held"))
    return (name.replace("_", " "), row["parameters"], *times, *planned, *timm)


def _spectrum_row(row: dict) -> tuple:
    ways = (row["times"][way]["median"] for way in ("matrix_free", "full"))
    return (row["width"], row["depth"], *ways, row["ratio"], row["apart"])


def _records(name: str) -> list[dict]:
    paths = sorted((ROOT / "benchmarks" / "results").glob(f"{name}*.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths]


def _title(around: dict) -> list[str]:
    flags = ", with flags" if around["command"].startswith("XLA_FLAGS") else ""
    name = NAMES[around["backend"]] + flags
    return [f"### {name}", "", f"`{around['command']}`: {around['hardware']}.", ""]


def forward_rows(rows: list[dict]) -> list[tuple]:
    """Our ratio to each other side."""
    return [
        (row["problem"], row["batch"], peer, *(_bold(ratio[k]) for k in ("time", "evaluations")))
        for row in rows
        for peer, ratio in row["ratios"].items()
    ]


def gradient_rows(rows: list[dict]) -> list[tuple]:
    """Our ratio to the peer, at equal tolerances."""
    return [
        (row["problem"], row["batch"], _bold(row["ratio"]), row["disagreement"])
        for row in rows
        if "ratio" in row
    ]


def _bold(ratio: float | None, goal: float = 1.0) -> str:
    """A ratio, bold where it is beyond the goal once rounded."""
    text = shown(ratio)
    return f"**{text}**" if ratio is not None and float(text) > goal else text


def memory_rows(rows: list[dict]) -> list[tuple]:
    """What a gradient solve keeps."""
    return [
        (row["problem"], row["batch"], row["max_steps"], row["ours"], _theirs(row)) for row in rows
    ]


def _theirs(row: dict) -> int | None:
    return next((row[name] for name in ("diffrax", "torchdiffeq") if name in row), None)


TIMM = ("timm, training", "timm, answer")
PARTS = {
    "forward": (("problem", "batch", "peer", "time", "evaluations"), forward_rows),
    "gradient": (("gradient of", "batch", "time", "disagreement"), gradient_rows),
    "memory": (("memory of", "batch", "max_steps", "ours, bytes", "theirs, bytes"), memory_rows),
}


def table(head: tuple, rows: list[tuple]) -> list[str]:
    """Lines of a Markdown table; `-` where a number is missing; nothing without rows."""
    if not rows:
        return []
    lines = [head, ("---",) * len(head), *(tuple(map(shown, row)) for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def shown(value) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
