"""Writes `docs/attention.md` from the records of the experiments on attention.

python -m experiments.attention_page
"""

from __future__ import annotations

import json
from pathlib import Path

from experiments.record import RESULTS
from experiments.training.arms import WORDS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "attention.md"

HEAD = """# What attention does, measured

All networks here are residual networks of {depth} layers, {width} channels in the first of three
stages, on 8 x 8 pictures of digits with noise; 300 are trained on, the others test. They train for
{epochs} epochs of {batch_size}, with PyTorch's SGD (momentum {momentum}, weight decay
{weight_decay}), the reduction of gates is {reduction}. The last epoch counts, never the best one.
All arms of a seed share images, noise and the order of batches. Hardware: {hardware}.
The settings of the same scripts for CIFAR (`--setting cifar10`) have not been run.

Of StepNet we know the abstract of the paper and two of its figures, and found no public code.
"StepNet" below means the reconstructions of this library, and no number says anything about the
published module.
"""

COMPARISON = """## Which gate is worth what?

Three comparisons were fixed before any run: the pair against SE, against SE with as many weights,
and against a learned constant gate. All the rest of the table is secondary: of many comparisons
some look good by luck.

{caption} A true difference of {detectable} points against SE, of {detectable_matched} against SE
with as many weights, or of {detectable_constant} against the constant gate would have been found
four times out of five; a smaller one is often missed.
"""

STIFFNESS = """## Is a network with attention stiffer?

A figure of the ICCV 2023 paper shows a larger and more varied index with SE. Which index it is, we
do not know: `raw` leaves the gate out, `applied` contains it, `change` is taken after the
activation. {caption}

So both answers are right, each for its index. A gate near one half shortens every step, and
trained branches are longer. The variation over blocks is not larger with SE here, in any of the
three readings. In the table: with SE over without, seed by seed.
"""

ADAPTIVITY = """## Do gates adapt to the image?

{caption} Freezing the gates of SE, GCT, the pair and the index variant was not seen to cost
anything: they might as well be constants. Zhong and others (ASR, arXiv 2304.06345) report that
trained gates come close to constants. SRM and the statistics variant, which normalise before the
sigmoid, do adapt, and their networks rely on it.
"""

TICKETS = """## Does attention belong where the network is stiff?

{caption} Gates at all {blocks} blocks: {all} points over none (95% interval {all_low} to
{all_high}).
"""

STEPS = """## Is a gate a step-size controller?

In a network whose middle is one ODE the weights are the same at all times, and only the state
decides what the gate answers. {caption} A controller would have a correlation near 1. With SE and
the pair it is positive and small in every seed; with the other two its sign depends on the seed.
Running averages of a normalisation in the gate are shared by all times and fit none of them: that
is why the statistics variant answers so badly here.
"""

TAIL = """## What this does not show

One task of small noisy pictures, one depth, five or six seeds. Nothing here says what happens with
colour images, deeper networks or longer training. The index is a proxy for stiffness
([lesson 05](../lessons/05_stiffness_in_networks.ipynb) shows where the two part).
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(RESULTS), encoding="utf-8")


def page(folder: Path) -> str:
    """The page, from the records in a folder."""
    compared, stiff, gates, tickets, steps = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in (
            "stepnet_comparison",
            "attention_stiffness",
            "gate_adaptivity",
            "attention_tickets",
            "gate_step_size",
        )
    )
    detectable = {
        name: f"{100 * each['detectable']:.1f}" for name, each in compared["primary"].items()
    }
    everywhere = tickets["paired"]["all-none"]
    parts = [
        HEAD.format(**compared["setting"], hardware=compared["hardware"]),
        COMPARISON.format(
            caption=compared["caption"],
            detectable=detectable["squeeze_excite"],
            detectable_matched=detectable["se_matched"],
            detectable_constant=detectable["constant_gate"],
        ),
        comparison(compared) + shown(compared, "stepnet_comparison", "accuracy of all arms"),
        STIFFNESS.format(**stiff),
        ratios(stiff) + shown(stiff, "attention_stiffness", "index by block, one line an image"),
        ADAPTIVITY.format(**gates),
        spreads(gates) + shown(gates, "gate_adaptivity", "share of the variance across samples"),
        TICKETS.format(
            caption=tickets["caption"],
            blocks=tickets["blocks"],
            all=_points(everywhere["mean"]),
            all_low=_points(everywhere["low"]),
            all_high=_points(everywhere["high"]),
        ),
        shown(tickets, "attention_tickets", "accuracy of placements").lstrip(),
        STEPS.format(**steps),
        shown(steps, "gate_step_size", "mean gate against the accepted step").lstrip(),
        TAIL,
    ]
    return "\n".join(parts)


def comparison(record: dict) -> str:
    """A line for each arm."""
    lines = [
        "| gate | accuracy: median (range) | minus none: mean (95% interval) | weights "
        "| raw index | applied index |",
        "|---|---|---|---|---|---|",
    ]
    for arm, row in record["arms"].items():
        acc, less = row["accuracy"], record["secondary"].get(arm)
        lines.append(
            f"| {WORDS[arm]} | {acc['median']:.3f} ({acc['min']:.3f} to {acc['max']:.3f}) "
            f"| {_interval(less) if less else ''} | {row['parameters']:,d} "
            f"| {row['raw_index']['median']:.2f} | {row['applied_index']['median']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def ratios(record: dict) -> str:
    """With SE over without: a line for each measure."""
    readings = list(record["ratio"])
    lines = ["| with SE over without | " + " | ".join(readings) + " |", "|---" * 4 + "|"]
    for measure in record["ratio"]["raw"]:
        cells = (record["ratio"][which][measure] for which in readings)
        words = (f"{cell['min']:.2f} to {cell['max']:.2f}" for cell in cells)
        lines.append(f"| {measure.replace('_', ' ')} | " + " | ".join(words) + " |")
    return "\n".join(lines) + "\n"


def spreads(record: dict) -> str:
    """A line for each kind of gate."""
    lines = [
        "| gate | mean | share of variance across samples | accuracy, frozen minus free |",
        "|---|---|---|---|",
    ]
    for arm, row in record["arms"].items():
        share = row["share"]
        lines.append(
            f"| {WORDS[arm]} | {row['mean']['median']:.2f} | {share['median']:.2f} "
            f"({share['min']:.2f} to {share['max']:.2f}) | {_interval(row['frozen_minus_free'])} |"
        )
    return "\n".join(lines) + "\n"


def shown(record: dict, name: str, words: str) -> str:
    """The picture of a record, and the command that made it."""
    words = words[0].upper() + words[1:]
    picture = f"../experiments/results/{name}.png"
    return f"\n![{words}.]({picture})\n\n`{record['command']}`: {record['seeds']} seeds.\n"


def _interval(each: dict) -> str:
    return f"{each['mean']:+.3f} ({each['low']:+.3f} to {each['high']:+.3f})"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


if __name__ == "__main__":
    main()
