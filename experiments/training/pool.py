"""Runs many training runs, some at a time, and keeps what each of them found."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from experiments.training.setting import Setting
from stepkit.course.store import write_text

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "runs"
# What a result depends on, beside its setting.
SOURCES = ("experiments/training", "stepkit/attention", "stepkit/models", "stepkit/layers")
SOURCES += ("stepkit/stiffness",)
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


@dataclass(frozen=True)
class Job:
    """One run: arm, seed, and perhaps the blocks that get attention."""

    setting: Setting
    arm: str
    seed: int
    blocks: tuple[bool, ...] | None = None
    data: str | None = None
    precision: str = "float32"

    def key(self) -> dict[str, Any]:
        """Returns all that the result depends on."""
        return {
            "setting": self.setting.words(),
            "arm": self.arm,
            "seed": self.seed,
            "blocks": list(self.blocks) if self.blocks else None,
            "data": Path(self.data).name if self.data else None,
            "precision": self.precision,
            "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
            "sources": _sources(),
        }


def run_all(jobs: Sequence[Job], workers: int, fresh: bool = False) -> list[dict[str, Any]]:
    """Returns what `measure.measured` found for each job, in their order.

    Results are kept in `build/runs`, so an interrupted experiment goes on where it stopped and
    experiments share runs.

    Args:
        jobs: what to run.
        workers: processes at a time, each with one thread on a CPU.
        fresh: whether kept results are ignored.
    """
    keys = [job.key() for job in jobs]
    found = {i: None if fresh else _kept(key) for i, key in enumerate(keys)}
    missing = [i for i in found if found[i] is None]
    start = time.monotonic()
    if missing:
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(ONE_THREAD)  # the processes inherit them
        try:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                futures = {pool.submit(_one, jobs[i]): i for i in missing}
                for done, future in enumerate(as_completed(futures), start=1):
                    i = futures[future]
                    found[i] = future.result()
                    _keep(keys[i], found[i])
                    say = f"{jobs[i].arm}, seed {jobs[i].seed}: {found[i]['accuracy']:.3f}"
                    minutes = (time.monotonic() - start) / 60
                    print(f"{done}/{len(missing)} {say} ({minutes:.1f} min)", file=sys.stderr)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    return [found[i] for i in range(len(jobs))]


def _one(job: Job) -> dict[str, Any]:
    import keras

    from experiments.training.arms import ARMS
    from experiments.training.measure import measured
    from experiments.training.run import Run

    keras.backend.clear_session()
    data = Path(job.data) if job.data else None
    run = Run(
        job.setting,
        ARMS[job.arm](job.setting.reduction),
        job.seed,
        job.blocks,
        data=data,
        precision=job.precision,
    )
    return measured(run)


def _sources() -> str:
    """Returns a digest of the code, without comments and documentation."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                    documented = ast.get_docstring(node, clean=False) is not None
                    node.body = node.body[documented:]
            digest.update(path.name.encode() + ast.dump(tree).encode())
    return digest.hexdigest()[:16]


def _path(key: dict[str, Any]) -> Path:
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return KEPT / f"{key['arm']}-{key['seed']}-{name}.json"


def _kept(key: dict[str, Any]) -> dict[str, Any] | None:
    path = _path(key)
    return json.loads(path.read_text(encoding="utf-8"))["found"] if path.exists() else None


def _keep(key: dict[str, Any], found: dict[str, Any]) -> None:
    write_text(_path(key), json.dumps({"key": key, "found": found}))
