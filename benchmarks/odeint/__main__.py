"""Measures our solvers beside diffrax (JAX), torchdiffeq (torch) and SciPy.

    python -m benchmarks.odeint --backend jax            everything, into benchmarks/results
    python -m benchmarks.odeint --backend torch --quick  a small part, printed only

float64 throughout. Needs SciPy; a peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
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


def main() -> None:
    options = _options()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ["JAX_ENABLE_X64"] = "1"
    if options.device == "cpu":
        os.environ["JAX_PLATFORMS"], os.environ["CUDA_VISIBLE_DEVICES"] = "cpu", ""
    found = measured(QUICK if options.quick else FULL)
    record = {"circumstances": _circumstances(options)} | found
    text = json.dumps(_short(record), indent=1) + "\n"
    path = options.output
    if path is None and not options.quick:
        path = Path("benchmarks/results") / f"odeint_{options.backend}_{options.device}.json"
    if path is not None:
        path.write_text(text, encoding="utf-8")


def measured(setting: dict) -> dict:
    """Every measurement of a setting; each line of progress shows the ratios."""
    from benchmarks.odeint import measure
    from benchmarks.odeint.cases import cases

    known, found = cases(), {"forward": [], "gradient": [], "memory": []}
    middle = setting["powers"][len(setting["powers"]) // 2]
    for name in setting["names"]:
        for size in setting["batches"]:
            row = measure.forward(known[name], size, setting["powers"], setting["repeats"])
            found["forward"].append(row)
            _say("forward", name, size, row["ratios"])
            if not known[name].stiff:
                row = measure.gradient(known[name], size, middle, setting["repeats"])
                found["gradient"].append(row)
                _say("gradient", name, size, row.get("ratio"))
    if os.environ["KERAS_BACKEND"] != "tensorflow":  # TensorFlow tells no such number
        found["memory"] = [
            measure.memory(known[name], size, steps)
            for name in ("lorenz", "neural")
            for size in setting["batches"][:2]
            for steps in setting["steps"]
        ]
        _say("memory", found["memory"])
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("jax", "torch", "tensorflow"), required=True)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _circumstances(options: argparse.Namespace) -> dict:
    import importlib.metadata

    from experiments import record

    found = record.circumstances(f"python -m benchmarks.odeint {' '.join(sys.argv[1:])}")
    for name in ("diffrax", "torchdiffeq"):
        try:
            found["versions"][name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if options.device == "gpu":
        found["hardware"] = found["hardware"].replace("no GPU used", _accelerator())
    return found


def _accelerator() -> str:
    if os.environ["KERAS_BACKEND"] == "torch":
        import torch

        return torch.cuda.get_device_name(0)
    import jax

    return jax.devices()[0].device_kind


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
