"""Asks whether gates adapt to the input, and what is lost when each is frozen at its mean.

    python -m experiments.gate_adaptivity --seeds 5

A gate is a step size for each sample and channel. How much of its variance lies across samples,
rather than across channels, over training? And what does the trained network lose when each gate
answers its mean over training images, whatever the input? It writes `gate_adaptivity.json` and
`.png` to `experiments/results`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.record import circumstances, figure, spread, write
from experiments.training.arms import WORDS
from experiments.training.compare import paired
from experiments.training.options import Options

GATES = (
    "squeeze_excite",
    "efficient_channel_attention",
    "style_recalibration",
    "gated_channel_transform",
    "stepnet_pair",
    "stepnet_statistics",
    "stepnet_index",
)
MEASURES = ("mean", "across_samples", "across_channels", "share")


def main(arguments: list[str] | None = None) -> None:
    """Train networks with each gate on all seeds, and write numbers and picture."""
    options = Options(__doc__.partition("\n")[0], 5, arguments)
    runs = options.run_arms(list(GATES))
    record = {
        **circumstances(options.command("experiments.gate_adaptivity")),
        "setting": options.setting.words(),
        "seeds": len(options.seeds),
        "epochs": runs[GATES[0]][0]["gates"]["epoch"],
        "arms": {arm: summary(found) for arm, found in runs.items()},
    }
    record["caption"] = caption(record)
    name = options.file("gate_adaptivity")
    write(options.out / f"{name}.json", record)
    draw(options.out / f"{name}.png", record)
    print(record["caption"])


def summary(found: list[dict]) -> dict[str, Any]:
    """How one kind of gate differs, after training and on the way; what freezing it costs."""
    last = {key: spread([run["gates"][key][-1] for run in found]) for key in MEASURES}
    way = {
        key: np.median([run["gates"][key] for run in found], axis=0).tolist() for key in MEASURES
    }
    frozen, free = ([run[key] for run in found] for key in ("frozen_accuracy", "accuracy"))
    return {
        **last,
        "by_epoch": way,
        "accuracy": spread(free),
        "frozen_accuracy": spread(frozen),
        "frozen_minus_free": paired(frozen, free),
    }


def caption(record: dict) -> str:
    """Shares and losses, in words."""
    shares = [arm["share"]["median"] for arm in record["arms"].values()]
    losses = [100 * arm["frozen_minus_free"]["mean"] for arm in record["arms"].values()]
    return (
        f"After training, {100 * min(shares):.0f}% to {100 * max(shares):.0f}% of the variance of "
        f"gates lies across samples (median over {record['seeds']} seeds, by kind of gate). With "
        f"each gate frozen at its mean, accuracy changes by {min(losses):+.1f} to "
        f"{max(losses):+.1f} points (mean over seeds)."
    )


def draw(path: Path, record: dict) -> None:
    """The share over training, and the price of freezing."""
    marks = "osD^vPX"
    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
    with figure(path, 1, 2, width=12, height=4.6) as axes:
        arms = list(record["arms"])
        for place, (arm, mark, colour) in enumerate(zip(arms, marks, colours, strict=True)):
            cell = record["arms"][arm]
            share = cell["by_epoch"]["share"]
            axes[0].plot(record["epochs"], share, marker=mark, color=colour, markersize=4)
            loss = cell["frozen_minus_free"]
            axes[1].plot([loss["low"], loss["high"]], [place, place], "-", color=colour)
            axes[1].plot(loss["mean"], place, mark, color=colour)
        axes[0].set(xlabel="epochs (colours and marks as on the right)", ylim=(0, None))
        axes[0].set(ylabel="share of variance across samples")
        axes[1].set_yticks(range(len(arms)), [WORDS[arm] for arm in arms])
        axes[1].axvline(0, color="black", linestyle=":")
        axes[1].set(xlabel="accuracy, frozen gates minus free ones, 95% interval")


if __name__ == "__main__":
    main()
