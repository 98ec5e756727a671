"""Measures what the stiffness monitor adds to an epoch, spectra with and without whole Jacobians,
and what `import stepkit` adds to Keras.

    python -m benchmarks.stiffness           into benchmarks/results/stiffness_<backend>.json
    python -m benchmarks.stiffness --quick   small networks, printed only
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

GOALS = {"monitor_share": 0.03, "import_seconds": 0.3}
QUICK = {
    "repeats": 3,
    "samples": {"dense": 2048, "convolutional": 128},
    "widths": (16, 32, 64),
    "depths": (1, 2, 4),
    "depth_width": 32,
}
FULL = {
    "repeats": 7,
    "samples": {"dense": 20_000, "convolutional": 2048},
    "widths": (64, 128, 256, 512, 1024),
    "depths": (2, 4, 8, 16),
    "depth_width": 256,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    found = {"goals": GOALS} | measured(QUICK if quick else FULL)
    if quick:
        print(found)
        return
    from experiments import record

    around = record.circumstances("python -m benchmarks.stiffness")
    path = Path("benchmarks/results") / f"stiffness_{around['backend']}.json"
    record.write(path, {"circumstances": around, **found})


def measured(setting: dict) -> dict:
    """Every measurement of a setting."""
    from benchmarks.stiffness import imports, monitor, spectra

    repeats, found = setting["repeats"], {}
    found["import"] = imports.import_seconds(repeats)
    _say("import", found["import"])
    found["monitor"] = {}
    for kind, samples in setting["samples"].items():
        found["monitor"][kind] = monitor.monitor_share(kind, samples, repeats)
        _say("monitor", kind, found["monitor"][kind])
    few = min(3, repeats)
    found["width"] = spectra.growth([(width, 2) for width in setting["widths"]], few)
    _say("width", found["width"])
    found["depth"] = spectra.growth([(setting["depth_width"], d) for d in setting["depths"]], few)
    _say("depth", found["depth"])
    return found


def _say(*words) -> None:
    print(*words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
