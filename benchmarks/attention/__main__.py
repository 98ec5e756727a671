"""Measures what each channel attention adds to a training step and to an answer.

    python -m benchmarks.attention
    python -m benchmarks.attention --shapes cifar_164 resnet_50 --precision mixed_bfloat16

Every module stands beside the same network without attention, in turns, in one process. On torch,
where timm is installed, so do timm's SE, ECA and CBAM under `torch.compile`. Into
benchmarks/results/attention_<backend>_<device>.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

from benchmarks.attention import steps
from benchmarks.attention.networks import SHAPES, network
from benchmarks.timing import side_by_side
from experiments import record
from stepkit import attention

GOALS = {"training_ratio": 1.05}
MODULES = {
    "none": lambda: None,
    "squeeze_excite": lambda: "squeeze_excite",
    "efficient_channel_attention": lambda: "efficient_channel_attention",
    "style_recalibration": lambda: "style_recalibration",
    "gated_channel_transform": lambda: "gated_channel_transform",
    "conv_block_attention": lambda: "conv_block_attention",
    "constant_gate": lambda: "constant_gate",
    "stepnet_pair": lambda: attention.StepNetAttention("pair"),
    "stepnet_statistics": lambda: attention.StepNetAttention("statistics"),
    "stepnet_index": lambda: attention.StepNetAttention("index"),
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["cifar_20"])
    parser.add_argument("--modules", nargs="+", choices=list(MODULES)[1:], help="default: all")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args(arguments)
    keras.config.set_dtype_policy(given.precision)
    around = record.circumstances(
        f"python -m benchmarks.attention --shapes {' '.join(given.shapes)} "
        f"--precision {given.precision}"
    )
    names = given.modules or list(MODULES)[1:]
    found = {
        shape: measured(shape, names, given.repeats, given.precision) for shape in given.shapes
    }
    device = "gpu" if record.accelerator() else "cpu"
    path = given.out / f"attention_{around['backend']}_{device}.json"
    head = {"circumstances": around, "goals": GOALS, "precision": given.precision}
    record.write(path, {**head, "shapes": found})


def measured(shape: str, names: list[str], repeats: int, precision: str) -> dict:
    """The module against none, one by one: two networks at a time fit into memory."""
    rows = {}
    for name in names:
        rows[name] = row(shape, name, repeats)
        if keras.backend.backend() == "torch":
            rows[name] |= timm_row(shape, name, repeats, precision)
        print(shape, name, rows[name], file=sys.stderr, flush=True)
    return {"batch": SHAPES[shape][-1], "rows": rows}


def row(shape: str, name: str, repeats: int) -> dict:
    """Seconds of both sides of a training step and of an answer, and their ratio.

    On JAX a training step also has the ratios of bytes moved and held, as XLA plans them.
    """
    models = {}
    for side, module in (("none", "none"), ("gated", name)):
        keras.utils.set_random_seed(0)
        models[side] = network(shape, MODULES[module]())
    x, y = steps.batch(models["none"], SHAPES[shape][-1])
    found = {"parameters": count(models["gated"]) - count(models["none"])}
    for what, make in (
        ("answer", lambda model: steps.answering(model, x)),
        ("training", lambda model: steps.training(model, x, y)),
    ):
        runs = {side: make(model) for side, model in models.items()}
        found[what] = compared(runs, repeats)
        plans = {side: getattr(run, "plan", {}) for side, run in runs.items()}
        for key in plans["none"]:
            found[what][key] = plans["gated"][key] / plans["none"][key]
    return found


def compared(runs: dict, repeats: int) -> dict:
    """Seconds of both sides and their ratio; that of the memory too, on a GPU with torch."""
    times = side_by_side(runs, repeats)
    found = times | {"ratio": times["gated"]["median"] / times["none"]["median"]}
    held = {side: steps.peak(run) for side, run in runs.items()}
    return found | ({"held": held["gated"] / held["none"]} if held["none"] else {})


def timm_row(shape: str, name: str, repeats: int, precision: str) -> dict:
    """The same for timm's module of that name; empty where there is none."""
    from benchmarks.attention import peers

    modules = peers.modules()
    if name not in modules:
        return {}
    batch, image = SHAPES[shape][-1], SHAPES[shape][2]
    sides = {"none": modules["none"], "gated": modules[name]}
    nets = {side: peers.network(shape, module) for side, module in sides.items()}
    found = {}
    for what, make in (("training", peers.training), ("answer", peers.answering)):
        runs = {side: make(net, batch, image, precision) for side, net in nets.items()}
        found[what] = compared(runs, repeats)
    return {"timm": found}


def count(model: keras.Model) -> int:
    """Trainable weights."""
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


if __name__ == "__main__":
    main()
