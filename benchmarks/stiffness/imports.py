"""Import time, in fresh processes."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.timing import summary


def import_seconds(repeats: int) -> dict[str, float]:
    """Seconds that `import stepkit` takes in a fresh process after `import keras`."""
    clock = "time.perf_counter()"
    code = f"import keras, time; start = {clock}; import stepkit; print({clock} - start)"
    command = [sys.executable, "-c", code]
    answers = [
        subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(repeats)
    ]
    return summary([float(answer.stdout.split()[-1]) for answer in answers])
