"""The options that all experiments on training runs share."""

from __future__ import annotations

import os
from pathlib import Path

from experiments.record import parser
from experiments.training.pool import Job, run_all
from experiments.training.setting import SETTINGS


class Options:
    """What the command line says, and the runs that follow from it.

    Args:
        description: str, of the script.
        seeds: int, the default.
        arguments: of the command line, or `None` for those of the process.
    """

    def __init__(self, description: str, seeds: int, arguments: list[str] | None) -> None:
        reader = parser(description, seeds)
        reader.add_argument(
            "--setting", choices=SETTINGS, default="digits", help="task, network and schedule"
        )
        reader.add_argument(
            "--workers", type=int, default=os.cpu_count() or 1, help="runs at a time"
        )
        reader.add_argument("--data", type=Path, help="local file of the data set")
        reader.add_argument("--fresh", action="store_true", help="ignore runs that were kept")
        given = reader.parse_args(arguments)
        if given.data is not None and not given.data.is_file():
            reader.error(f"--data: there is no file {given.data}")
        self.name, self.setting = given.setting, SETTINGS[given.setting]
        self.seeds, self.workers, self.out = range(given.seeds), given.workers, given.out
        self.data, self.fresh = given.data, given.fresh

    def command(self, module: str) -> str:
        """Returns the command that makes this result."""
        data = f" --data {self.data.name}" if self.data else ""
        return f"python -m {module} --setting {self.name} --seeds {len(self.seeds)}{data}"

    def file(self, stem: str) -> str:
        """Returns the name of a result: that of the small setting has no suffix."""
        return stem if self.name == "digits" else f"{stem}_{self.name}"

    def run(self, arms: list[tuple[str, int, tuple[bool, ...] | None]]) -> list[dict]:
        """Returns what each `(arm, seed, blocks)` found."""
        data = str(self.data.resolve()) if self.data else None
        jobs = [Job(self.setting, arm, seed, blocks, data) for arm, seed, blocks in arms]
        return run_all(jobs, self.workers, self.fresh)

    def run_arms(self, arms: list[str]) -> dict[str, list[dict]]:
        """Returns what each arm found on every seed."""
        found = self.run([(arm, seed, None) for seed in self.seeds for arm in arms])
        return {arm: found[i :: len(arms)] for i, arm in enumerate(arms)}
