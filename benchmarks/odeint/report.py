"""Writes docs/benchmarks.md from the records: `python -m benchmarks.odeint.report`."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = """# Benchmarks

Written by `python -m benchmarks.odeint.report` from `benchmarks/results`. A ratio is ours divided
by theirs: **above 1 ours is slower.** It is read at equal error, off two work-precision curves
interpolated in logarithms. Errors are measured against SciPy at rtol 1e-11. float64 throughout;
medians of alternating repeats in one process; the first call, which compiles, is kept apart.

- Ours and the peers choose one step for the whole batch. SciPy solves sample after sample; beyond
  64 samples its time is in proportion.
- Stiff problems: `Kvaerno5(batch_axes=1)` knows that the samples are independent; diffrax's
  Kvaerno5 on the whole array factors one dense matrix, so it stands beside small batches only.
- diffrax does not count Newton's evaluations: no ratio there. torchdiffeq and torch are eager.
- Memory of a gradient: JAX's plan of temporary bytes; on torch, the bytes of saved tensors
  (a tensor that is saved twice counts twice); TensorFlow tells no such number.
"""


def main() -> None:
    records = sorted((ROOT / "benchmarks" / "results").glob("odeint_*.json"))
    parts = [section(json.loads(path.read_text("utf-8"))) for path in records]
    text = "\n".join([HEAD, *(parts or ["No full run has been recorded yet.\n"])])
    (ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")


def section(record: dict) -> str:
    """The tables of one record."""
    around = record["circumstances"]
    lines = [f"## {around['backend']}", "", f"`{around['command']}`: {around['hardware']}.", ""]
    lines += table(("problem", "batch", "peer", "time", "evaluations"), forward_rows(record))
    lines += table(("gradient of", "batch", "time", "disagreement"), gradient_rows(record))
    memory = [(r["problem"], r["batch"], r["max_steps"], r["bytes"]) for r in record["memory"]]
    return "\n".join(lines + table(("memory of", "batch", "max_steps", "bytes"), memory))


def forward_rows(record: dict) -> list[tuple]:
    """Our ratio to each other side."""
    return [
        (row["problem"], row["batch"], peer, ratio["time"], ratio["evaluations"])
        for row in record["forward"]
        for peer, ratio in row["ratios"].items()
    ]


def gradient_rows(record: dict) -> list[tuple]:
    """Our ratio to the peer, at equal tolerances."""
    return [
        (row["problem"], row["batch"], row["ratio"], row["disagreement"])
        for row in record["gradient"]
        if "ratio" in row
    ]


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
