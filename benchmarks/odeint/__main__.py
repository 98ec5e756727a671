"""Measures our solvers beside diffrax (JAX), torchdiffeq (torch) and SciPy.

    python -m benchmarks.odeint --backend jax            everything, into benchmarks/results
    python -m benchmarks.odeint --backend torch --quick  a small part, printed only

    python -m benchmarks.odeint --backend jax --part memory   one part of the record anew

float64 throughout. Needs SciPy; a peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

QUICK = {
    "names": ("lorenz", "van_der_pol_1000", "neural"),
    "batches": (1, 64),
    "powers": (4, 6),
    "repeats": 3,
    "steps": (64, 256),
}
FULL = {
    "names": (
        "lorenz", "van_der_pol_1", "van_der_pol_10", "van_der_pol_1000", "robertson", "neural",
    ),
    "batches": (1, 64, 4096),
    "powers": (3, 5, 7),
    "repeats": 5,
    "steps": (64, 256, 1024, 4096),
}  # fmt: skip


MODERATE = 64  # samples of a batch, for what takes long
REMEMBERED = ("lorenz", "neural")
SHOWN = ("ratios", "ratio", "ours", "diffrax", "torchdiffeq")


def main() -> None:
    options = _options()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ["JAX_ENABLE_X64"] = "1"
    if options.device == "cpu":
        os.environ["JAX_PLATFORMS"], os.environ["CUDA_VISIBLE_DEVICES"] = "cpu", ""
    path = options.output
    if path is None and not options.quick:
        path = Path("benchmarks/results") / f"odeint_{options.backend}_{options.device}.json"
    for part in options.part or PARTS:
        rows = measured(part, QUICK if options.quick else FULL)
        if path is not None:
            keep(path, part, {"circumstances": _circumstances(options), "rows": rows})


def keep(path: Path, part: str, found: dict) -> None:
    """Puts one part into a record, beside the others that it has."""
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    record[part] = _short(found)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def measured(part: str, setting: dict) -> list[dict]:
    """The rows of a part; each line of progress shows the ratios."""
    from benchmarks.odeint.cases import cases

    known, rows = cases(), []
    for name in setting["names"]:
        for size in setting["batches"]:
            for row in PARTS[part](known[name], size, setting):
                rows.append(row)
                _say(part, name, size, {k: v for k, v in row.items() if k in SHOWN})
    return rows


def _forward(case, size: int, setting: dict) -> Iterator[dict]:
    from benchmarks.odeint import measure

    yield measure.forward(case, size, setting["powers"], setting["repeats"])


def _gradient(case, size: int, setting: dict) -> Iterator[dict]:
    from benchmarks.odeint import measure

    middle = setting["powers"][len(setting["powers"]) // 2]
    if not case.stiff or size <= MODERATE:
        yield measure.gradient(case, size, middle, setting["repeats"])


def _memory(case, size: int, setting: dict) -> Iterator[dict]:
    from benchmarks.odeint import measure

    tells = os.environ["KERAS_BACKEND"] != "tensorflow"
    for steps in setting["steps"] if tells and case.name in REMEMBERED and size <= MODERATE else ():
        yield measure.memory(case, size, steps)


PARTS = {"forward": _forward, "gradient": _gradient, "memory": _memory}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("jax", "torch", "tensorflow"), required=True)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _circumstances(options: argparse.Namespace) -> dict:
    import importlib.metadata

    from experiments import record

    flags = f"XLA_FLAGS={os.environ['XLA_FLAGS']} " if "XLA_FLAGS" in os.environ else ""
    found = record.circumstances(f"{flags}python -m benchmarks.odeint {' '.join(sys.argv[1:])}")
    for name in ("diffrax", "torchdiffeq"):
        try:
            found["versions"][name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _short(value):
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _say(*words) -> None:
    print(*words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
