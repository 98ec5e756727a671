"""Keeps attention in some blocks only: the stiffest, the least stiff, random ones, all, none.

    python -m experiments.attention_tickets --seeds 6

SE is placed in blocks with an identity shortcut. For each seed a network without attention is
trained first; the median raw index of its blocks says which are the stiffest. Random tickets are
drawn once and trained on every seed; the best of them on the first half of the seeds is looked at
again on the second half. It writes `attention_tickets.json` and `.png` to `experiments/results`.
About 11 minutes on 2 CPU cores, 8 with `--seeds 4`.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from experiments.record import circumstances, figure, spread, write
from experiments.training.compare import paired
from experiments.training.options import Options

GATE = "squeeze_excite"
TICKETS = 8
PAIRS = (
    ("stiffest", "random"),
    ("stiffest", "least_stiff"),
    ("stiffest", "all"),
    ("all", "none"),
    ("random", "none"),
)


def main(arguments: list[str] | None = None) -> None:
    """Train all arms and tickets on all seeds, and write numbers and picture."""
    options = Options(__doc__.partition("\n")[0], 6, arguments)
    plain = options.run([("none", seed, None) for seed in options.seeds])
    places, total = candidates(plain[0])
    keep = max(1, len(places) * 3 // 7)
    masks = {seed: arms(run, seed, places, total, keep) for seed, run in enumerate(plain)}
    tickets = draws(places, total, keep)
    names = list(masks[0])
    jobs = [(GATE, seed, masks[seed][name]) for seed in options.seeds for name in names]
    jobs += [(GATE, seed, ticket) for seed in options.seeds for ticket in tickets]
    found = [run["accuracy"] for run in options.run(jobs)]
    split = len(options.seeds) * len(names)
    accuracy = {name: found[i : split : len(names)] for i, name in enumerate(names)}
    accuracy["none"] = [run["accuracy"] for run in plain]
    by_ticket = np.reshape(found[split:], (len(options.seeds), len(tickets)))
    record = {
        **circumstances(options.command("experiments.attention_tickets")),
        "setting": options.setting.words(),
        "gate": GATE,
        "seeds": len(options.seeds),
        "blocks": len(places),
        "keep": keep,
        "places": list(plain[0]["trained"]["blocks"]),
        "kept_stiffest": [kept(masks[seed]["stiffest"], places) for seed in options.seeds],
        "arms": {name: {"accuracy": spread(values)} for name, values in accuracy.items()},
        "paired": {f"{a}-{b}": paired(accuracy[a], accuracy[b]) for a, b in PAIRS},
        "tickets": halves(by_ticket, [kept(ticket, places) for ticket in tickets]),
    }
    record["caption"] = caption(record)
    name = options.file("attention_tickets")
    write(options.out / f"{name}.json", record)
    draw(options.out / f"{name}.png", record)
    print(record["caption"])


def candidates(run: dict) -> tuple[list[int], int]:
    """Places of the identity blocks among all blocks, and how many blocks there are."""
    named = [name.removeprefix("stage").split("_block") for name in run["trained"]["blocks"]]
    per_stage = max(int(block) for _, block in named)
    return [(int(s) - 1) * per_stage + int(b) - 1 for s, b in named], 3 * per_stage


def arms(run: dict, seed: int, places: list[int], total: int, keep: int) -> dict[str, tuple]:
    """The masks of one seed."""
    order = np.argsort(run["trained"]["raw"]["by_block"], kind="stable")[::-1]
    rng = np.random.default_rng(seed)
    chosen = {
        "all": range(len(places)),
        "stiffest": order[:keep],
        "least_stiff": order[-keep:],
        "random": rng.choice(len(places), keep, replace=False),
    }
    return {name: mask([places[i] for i in some], total) for name, some in chosen.items()}


def draws(places: list[int], total: int, keep: int) -> list[tuple]:
    """Distinct random masks, the same for all seeds."""
    every = list(combinations(places, keep))
    chosen = np.random.default_rng(0).choice(len(every), min(TICKETS, len(every)), replace=False)
    return [mask(every[i], total) for i in chosen]


def mask(some: Any, total: int) -> tuple[bool, ...]:
    """The mask that is True at some places."""
    return tuple(i in set(some) for i in range(total))


def kept(blocks: tuple[bool, ...], places: list[int]) -> list[int]:
    """Which of the identity blocks have attention, counted from 0."""
    return [i for i, place in enumerate(places) if blocks[place]]


def halves(accuracy: np.ndarray, masks: list[list[int]]) -> dict[str, Any]:
    """The mean of each ticket on either half of the seeds, and the fall of the best."""
    half = len(accuracy) // 2
    first, second = accuracy[:half].mean(axis=0), accuracy[half:].mean(axis=0)
    best = int(np.argmax(first))
    return {
        "masks": masks,
        "accuracy": accuracy.T.tolist(),
        "first": first.tolist(),
        "second": second.tolist(),
        "best": best,
        "lead_first": float(first[best] - first.mean()),
        "lead_second": float(second[best] - second.mean()),
        "correlation": float(np.corrcoef(first, second)[0, 1]),
    }


def caption(record: dict) -> str:
    """What the stiffest blocks and the best ticket are worth, in words."""
    each, tickets = record["paired"]["stiffest-random"], record["tickets"]
    return (
        f"SE in {record['keep']} of {record['blocks']} identity blocks, {record['seeds']} seeds. "
        f"The stiffest against random ones: {100 * each['mean']:+.1f} points (95% interval "
        f"{100 * each['low']:+.1f} to {100 * each['high']:+.1f}). The best of "
        f"{len(tickets['masks'])} random tickets on the first half of the seeds leads their mean "
        f"by {100 * tickets['lead_first']:.1f} points there, and by "
        f"{100 * tickets['lead_second']:.1f} points on the second half."
    )


def draw(path: Path, record: dict) -> None:
    """Accuracies of the arms, and of tickets on one half of the seeds against the other."""
    with figure(path, 1, 2, width=11, height=4.4) as axes:
        names = list(record["arms"])
        for place, name in enumerate(names):
            values = record["arms"][name]["accuracy"]["values"]
            axes[0].plot(values, np.full(len(values), place), "o", color="#0072B2", alpha=0.5)
            axes[0].plot(np.mean(values), place, "|", color="black", markersize=16)
        axes[0].set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        axes[0].set(xlabel="test accuracy, one dot a seed; bar: mean")
        tickets = record["tickets"]
        axes[1].plot(tickets["first"], tickets["second"], "o", color="#0072B2", label="a ticket")
        best = tickets["best"]
        axes[1].plot(
            tickets["first"][best],
            tickets["second"][best],
            "D",
            color="#D55E00",
            label="best on the first half",
        )
        axes[1].axhline(np.mean(tickets["second"]), color="black", linestyle=":", label="mean")
        axes[1].set(xlabel="mean accuracy, first half of the seeds", ylabel="second half")
        axes[1].legend()


if __name__ == "__main__":
    main()
