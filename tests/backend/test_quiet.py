"""Many solves in a row, each of another size, are no cause for a warning."""

import subprocess
import sys

import pytest

CODE = """
import keras
from stepkit.ode import odeint
for n in range(20, 30):
    odeint(lambda t, y: -y, keras.ops.ones((2,)), [0.0, 1.0], solver="euler", step_size=1 / n)
"""


@pytest.mark.once
def test_repeated_solves_say_nothing():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=300
    )
    assert "retracing" not in done.stderr and "Warning" not in done.stderr
