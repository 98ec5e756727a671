"""Compares the StepNet reconstructions with their peers and controls.

    python -m experiments.stepnet_comparison --seeds 10

One network and schedule for all arms (`experiments/training/setting.py`); the seeds draw images,
noise, weights and batches, the same for each arm. Last epoch, never the best one. It writes
`stepnet_comparison.json` and `.png` to `experiments/results`.

**Primary comparison, fixed before any run:** the reconstruction "pair" against SE, against SE with
as many weights, and against a learned constant gate. Everything else is secondary.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.record import circumstances, figure, spread, write
from experiments.training.arms import ARMS, WORDS
from experiments.training.compare import paired
from experiments.training.options import Options

PRIMARY = ("stepnet_pair", ("squeeze_excite", "se_matched", "constant_gate"))


def main(arguments: list[str] | None = None) -> None:
    """Train all arms on all seeds, and write numbers and picture."""
    options = Options(__doc__.partition("\n")[0], 10, arguments)
    runs = options.run_arms(list(ARMS))
    record = {
        **circumstances(options.command("experiments.stepnet_comparison")),
        "setting": options.setting.words(),
        "seeds": len(options.seeds),
        "arms": {arm: summary(found) for arm, found in runs.items()},
        "primary": differences(runs, PRIMARY[0], PRIMARY[1]),
        "secondary": {
            arm: differences(runs, arm, ["none"])["none"] for arm in runs if arm != "none"
        },
    }
    record["caption"] = caption(record)
    name = options.file("stepnet_comparison")
    write(options.out / f"{name}.json", record)
    draw(options.out / f"{name}.png", record)
    print(table(record))
    print(record["caption"])


def summary(found: list[dict]) -> dict[str, Any]:
    """What an arm did, over seeds."""
    return {
        "accuracy": spread([run["accuracy"] for run in found]),
        "parameters": found[0]["parameters"],
        "raw_index": spread([run["trained"]["raw"]["median"] for run in found]),
        "applied_index": spread([run["trained"]["applied"]["median"] for run in found]),
        "epoch_seconds": spread([run["epoch_seconds"] for run in found]),
    }


def differences(runs: dict, arm: str, others: Any) -> dict[str, Any]:
    """The accuracy of an arm less that of each other one, on the same seeds."""
    accuracy = {name: [run["accuracy"] for run in found] for name, found in runs.items()}
    return {other: paired(accuracy[arm], accuracy[other]) for other in others}


def table(record: dict) -> str:
    """The arms, a line each."""
    lines = [f"{'arm':36s} {'accuracy':>19s} {'weights':>9s} {'minus none':>20s}"]
    for arm, row in record["arms"].items():
        acc, less = row["accuracy"], record["secondary"].get(arm)
        gain = f"{less['mean']:+.3f} ({less['low']:+.3f}, {less['high']:+.3f})" if less else ""
        low, mid, high = acc["min"], acc["median"], acc["max"]
        lines.append(
            f"{WORDS[arm]:36s} {mid:.3f} ({low:.3f}-{high:.3f}) {row['parameters']:9,d} {gain}"
        )
    return "\n".join(lines)


def caption(record: dict) -> str:
    """The primary comparison, in words."""
    parts = [
        f"{100 * each['mean']:+.1f} points against {WORDS[arm]} "
        f"(95% interval {100 * each['low']:+.1f} to {100 * each['high']:+.1f})"
        for arm, each in record["primary"].items()
    ]
    return (
        f"Test accuracy after the last epoch, {record['seeds']} seeds. The reconstruction of "
        f"StepNet from the pair of states: {'; '.join(parts)}."
    )


def draw(path: Path, record: dict) -> None:
    """Accuracies of all arms, and the paired differences to no attention."""
    with figure(path, 1, 2, width=12, height=4.8) as axes:
        arms = list(record["arms"])[::-1]
        for place, arm in enumerate(arms):
            values = record["arms"][arm]["accuracy"]["values"]
            axes[0].plot(values, np.full(len(values), place), "o", color="#0072B2", alpha=0.5)
            axes[0].plot(np.median(values), place, "|", color="black", markersize=16)
            less = record["secondary"].get(arm)
            if less:
                axes[1].plot([less["low"], less["high"]], [place, place], "-", color="#0072B2")
                axes[1].plot(less["mean"], place, "s", color="#D55E00")
        axes[0].set_yticks(range(len(arms)), [WORDS[arm] for arm in arms])
        axes[0].set(xlabel="test accuracy, one dot a seed; bar: median")
        axes[1].set_yticks(range(len(arms)), [])
        axes[1].axvline(0, color="black", linestyle=":")
        axes[1].set(xlabel="accuracy minus that without attention, mean and 95% interval")


if __name__ == "__main__":
    main()
