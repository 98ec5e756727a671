"""What every measurement carries: spread over seeds, versions, hardware; written whole."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import matplotlib
import numpy as np
from scipy import stats

from stepkit.course.store import write_text

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("stepkit", "keras", "tensorflow-cpu", "tensorflow", "jax", "torch", "numpy", "scipy")
PACKAGES += ("onnx", "onnxruntime", "tf2onnx", "jax2onnx", "litert-torch")


def parser(description: str, seeds: int) -> argparse.ArgumentParser:
    """Returns a reader of `--seeds` and `--out`, which every experiment has."""
    reader = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    reader.add_argument("--seeds", type=_seed_count, default=seeds, help="how many seeds")
    reader.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return reader


def _seed_count(text: str) -> int:
    count = int(text)
    if count < 2:
        raise argparse.ArgumentTypeError("should be at least 2: a spread is part of the result")
    return count


def circumstances(command: str) -> dict[str, Any]:
    """The command, backend, versions and hardware of a run."""
    return {
        "command": command,
        "backend": keras.backend.backend(),
        "versions": {"python": platform.python_version()} | _versions(),
        "hardware": f"{_processor()}, {os.cpu_count()} cores, {accelerator() or 'no GPU used'}",
    }


def accelerator() -> str | None:
    """The name of the GPU that the running backend uses, or `None`."""
    return {"jax": _on_jax, "torch": _on_torch}.get(keras.backend.backend(), _on_tensorflow)()


def _on_jax() -> str | None:
    import jax

    device = jax.devices()[0]
    return device.device_kind if device.platform == "gpu" else None


def _on_torch() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _on_tensorflow() -> str | None:
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(found[0])["device_name"] if found else None


def spread(values: list[float]) -> dict[str, Any]:
    """Minimum, median and maximum, and the values in the order of the seeds."""
    low, middle, high = (float(f(values)) for f in (np.min, np.median, np.max))
    return {"min": low, "median": middle, "max": high, "values": [float(v) for v in values]}


def detectable(differences: list[float]) -> float:
    """Smallest mean difference that a paired t-test would find: two-sided 5 %, power 80 %."""
    n = len(differences)
    if n < 2:
        return float("nan")
    t = stats.t(n - 1)
    return float((t.ppf(0.975) + t.ppf(0.8)) * np.std(differences, ddof=1) / np.sqrt(n))


@contextmanager
def figure(path: Path, rows: int, columns: int, width: float, height: float) -> Iterator[Any]:
    """Give the axes of a new picture, and save it under `path` when they are drawn."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    drawing, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
    try:
        yield axes
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}")
        drawing.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
        temporary.replace(path)
    finally:
        plt.close(drawing)


def write(path: Path, record: dict[str, Any]) -> None:
    """Write the record as JSON, numbers to four digits, whole or not at all."""
    write_text(path, json.dumps(_rounded(record), indent=1, ensure_ascii=False) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
