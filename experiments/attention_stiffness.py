"""Compares the stiffness index by block of trained networks without attention and with SE.

    python -m experiments.attention_stiffness --seeds 5

A figure of the ICCV 2023 paper shows the index larger, and more varied over blocks and samples,
with SE than without attention. This measures how far that is so here, and how much of it is the
gate itself: the raw index leaves the gate out, the applied one contains it. It writes
`attention_stiffness.json` and `.png` to `experiments/results`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.record import circumstances, figure, spread, write
from experiments.training.arms import WORDS
from experiments.training.compare import paired
from experiments.training.options import Options

PAIR = ("none", "squeeze_excite")
READINGS = ("raw", "applied", "change")
MEASURES = (
    "median",
    "spread_over_blocks",
    "spread_over_samples",
    "total_variation",
    "peak_to_median",
)


def main(arguments: list[str] | None = None) -> None:
    """Train both networks on all seeds, and write numbers and picture."""
    options = Options(__doc__.partition("\n")[0], 5, arguments)
    runs = options.run_arms(list(PAIR))
    record = {
        **circumstances(options.command("experiments.attention_stiffness")),
        "setting": options.setting.words(),
        "seeds": len(options.seeds),
        "blocks": runs["none"][0]["trained"]["blocks"],
        "arms": {arm: summary(found) for arm, found in runs.items()},
        "ratio": {which: ratios(runs, which) for which in READINGS},
        "log_ratio": {which: logarithms(runs, which) for which in READINGS},
    }
    record["caption"] = caption(record)
    name = options.file("attention_stiffness")
    write(options.out / f"{name}.json", record)
    draw(options.out / f"{name}.png", {arm: found[0]["trained"] for arm, found in runs.items()})
    print(record["caption"])


def summary(found: list[dict]) -> dict[str, Any]:
    """Every measure of every reading, before and after training, over seeds."""
    return {
        when: {
            which: {
                **{key: spread([run[when][which][key] for run in found]) for key in MEASURES},
                "by_block": np.median([run[when][which]["by_block"] for run in found], 0).tolist(),
            }
            for which in READINGS
        }
        for when in ("untrained", "trained")
    }


def ratios(runs: dict, which: str) -> dict[str, Any]:
    """With SE over without, seed by seed, after training."""
    found = {}
    for key in MEASURES:
        none, gated = ([run["trained"][which][key] for run in runs[arm]] for arm in PAIR)
        found[key] = spread(list(np.divide(gated, none)))
    return found


def logarithms(runs: dict, which: str) -> dict[str, Any]:
    """The logarithm of that ratio for the median index, with its interval."""
    none, gated = ([np.log(run["trained"][which]["median"]) for run in runs[arm]] for arm in PAIR)
    return paired(gated, none)


def caption(record: dict) -> str:
    """The ratios, in words."""
    parts = []
    for which, words in (
        ("applied", "with the gate in it"),
        ("raw", "without the gate"),
        ("change", "after the activation"),
    ):
        cell = record["ratio"][which]["median"]
        parts.append(f"{cell['min']:.2f} to {cell['max']:.2f} {words} ({which})")
    return (
        "Index of trained networks by block, of the same test images. Median index with SE over "
        f"that without attention, {record['seeds']} seeds: {'; '.join(parts)}."
    )


def draw(path: Path, found: dict) -> None:
    """The curves of single images, stage by stage, in two readings."""
    first = found["none"]
    stages = np.asarray(first["stages"])
    numbers = sorted(set(stages))
    with figure(path, 2, len(numbers), width=11, height=6) as axes:
        for row, which in zip(np.reshape(axes, (2, -1)), ("applied", "raw"), strict=True):
            for axis, stage in zip(row, numbers, strict=True):
                place = np.flatnonzero(stages == stage)
                labels = [first["blocks"][i].rpartition("block")[2] for i in place]
                for arm, colour, line in (("none", "#0072B2", "-"), (PAIR[1], "#D55E00", "--")):
                    curves = np.asarray(found[arm][which]["lines"])[:, place].T
                    axis.plot(curves, line, color=colour, alpha=0.08, linewidth=1)
                    middle = np.median(curves, axis=1)
                    axis.plot(middle, line, marker="o", color=colour, label=WORDS[arm])
                axis.set_xticks(range(len(place)), labels)
                axis.set(title=f"{which}, stage {stage + 1}", ylim=(0, None), xlabel="block")
        np.reshape(axes, (2, -1))[0, 0].legend()


if __name__ == "__main__":
    main()
