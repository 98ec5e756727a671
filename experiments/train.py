"""Trains a CIFAR ResNet with any attention: the recipe on the command line.

    python -m experiments.train --attention stepnet_pair --out /tmp/run
    python -m experiments.train --setting cifar10 --attention squeeze_excite --out runs/se --data cifar-10-python.tar.gz

A run that was killed goes on where it stopped: give the same command again. In `--out` are
`log.csv` (an epoch a line), `state.weights.h5` (weights and optimizer, to go on from),
`model.keras` (the trained network) and `result.json`. What counts is the last epoch.
"""  # noqa: E501

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from experiments.record import circumstances, write
from experiments.training.arms import ARMS
from experiments.training.run import Run
from experiments.training.setting import SETTINGS
from stepkit.callbacks import StiffnessMonitor

NUMBERS = {
    "depth": (int, "layers: 9 n + 2 with bottlenecks, 6 n + 2 with basic blocks"),
    "width": (int, "planes of the first stage"),
    "epochs": (int, "in all; drops of the learning rate move along"),
    "batch_size": (int, "images in a batch"),
    "learning_rate": (float, "at the start"),
    "weight_decay": (float, "coupled: added to the gradient"),
}


def main(arguments: list[str] | None = None) -> None:
    """Train one network."""
    given = options().parse_args(arguments)
    run = Run(
        setting(given),
        ARMS[given.attention](SETTINGS[given.setting].reduction),
        given.seed,
        data=given.data,
        precision=given.precision,
        jit_compile={"auto": "auto", "on": True, "off": False}[given.jit_compile],
    )
    given.out.mkdir(parents=True, exist_ok=True)
    command = f"python -m experiments.train --setting {given.setting} --attention {given.attention}"
    record = {
        **circumstances(f"{command} --seed {given.seed}"),
        "setting": run.setting.words(),
        "attention": given.attention,
        "seed": given.seed,
        "precision": given.precision,
        "data": given.data.name if given.data else None,
        "parameters": sum(int(np.prod(w.shape)) for w in run.model.trainable_weights),
    }
    run.train(given.out, extras(given, run), verbose=0 if given.quiet else 1, validate=True)
    record["accuracy"] = run.accuracy()
    write(given.out / "result.json", record)
    run.model.save(given.out / "model.keras")
    print(f"Test accuracy after the last epoch: {record['accuracy']:.4f}. In {given.out}")


def options() -> argparse.ArgumentParser:
    """The command line."""
    first, _, rest = __doc__.partition("\n")
    rest += "\nsettings:\n" + "\n".join(map(described, SETTINGS))
    parser = argparse.ArgumentParser(
        prog="python -m experiments.train",
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--setting", choices=SETTINGS, default="digits", help="task, network, schedule (digits)")
    add("--attention", choices=ARMS, default="none", help="what gates the branches (none)")
    add("--out", type=Path, required=True, help="folder of this run")
    add("--seed", type=int, default=0, help="of weights, batches and drawn images (0)")
    add("--data", type=Path, help="local file of the data set; else Keras's own loader")
    for name, (kind, words) in NUMBERS.items():
        add(f"--{name.replace('_', '-')}", type=kind, help=f"{words} (that of the setting)")
    add(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default="float32",
        help="dtype policy (float32)",
    )
    add("--jit-compile", choices=("auto", "on", "off"), default="auto", help="XLA (auto)")
    add("--monitor", action="store_true", help="log the stiffness index of each block")
    add("--tensorboard", action="store_true", help="log for TensorBoard, into OUT/tensorboard")
    add("--quiet", action="store_true", help="no progress bars")
    return parser


def described(name: str) -> str:
    """A setting in a line."""
    s = SETTINGS[name]
    return (
        f"  {name:14s} {s.task}, {s.depth} layers ({s.block}), width {s.width}, {s.epochs} epochs, "
        f"batch {s.batch_size}"
    )


def setting(given: argparse.Namespace):
    """The setting, with what the command line changes in it."""
    base = SETTINGS[given.setting]
    changes = {name: getattr(given, name) for name in NUMBERS}
    changes = {name: value for name, value in changes.items() if value is not None}
    if "epochs" in changes:
        share = changes["epochs"] / base.epochs
        changes["milestones"] = tuple(max(1, round(m * share)) for m in base.milestones)
    return replace(base, **changes)


def extras(given: argparse.Namespace, run: Run) -> list[keras.callbacks.Callback]:
    """Callbacks that were asked for."""
    found: list[keras.callbacks.Callback] = []
    if given.monitor:
        found.append(StiffnessMonitor(run.arrays[2][:128]))
    if given.tensorboard:
        found.append(keras.callbacks.TensorBoard(given.out / "tensorboard"))
    return found


if __name__ == "__main__":
    main()
