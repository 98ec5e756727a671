"""A model saved on any backend loads on every backend and answers the same: all nine pairs."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

BACKENDS = ("tensorflow", "jax", "torch")

SAVE = """
import sys, numpy as np, keras
from stepkit.layers import ODEBlock, ResidualStep
folder = sys.argv[1]
name = keras.backend.backend()
x = np.load(f"{folder}/x.npy")
dense = [keras.layers.Dense(4, activation="tanh") for _ in range(2)]
body = keras.Sequential([dense[0], keras.layers.BatchNormalization()])
model = keras.Sequential([
    keras.Input((4,)),
    ResidualStep(body, step_size=0.5, learn_step=True),
    ODEBlock(dense[1], solver="heun", num_steps=3, t_span=(1.0, 0.0)),
])
model.compile("sgd", "mse")
model.fit(x, x, epochs=2, verbose=0)
model.save(f"{folder}/{name}.keras")
np.save(f"{folder}/{name}.npy", model.predict(x, verbose=0))
"""

LOAD = """
import sys, numpy as np, keras, stepkit
folder = sys.argv[1]
x = np.load(f"{folder}/x.npy")
for name in ("tensorflow", "jax", "torch"):
    received = keras.saving.load_model(f"{folder}/{name}.keras").predict(x, verbose=0)
    print(name, float(np.abs(received - np.load(f"{folder}/{name}.npy")).max()))
"""


def run(backend, code, folder):
    env = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.once
def test_nine_pairs(tmp_path):
    for backend in BACKENDS:
        if importlib.util.find_spec(backend) is None:
            pytest.skip(f"{backend} is not installed")
    np.save(tmp_path / "x.npy", np.random.default_rng().normal(size=(16, 4)).astype("float32"))
    for backend in BACKENDS:
        run(backend, SAVE, tmp_path)
    for backend in BACKENDS:
        lines = run(backend, LOAD, tmp_path).split("\n")
        errors = {
            line.split()[0]: float(line.split()[1]) for line in lines if line.startswith(BACKENDS)
        }
        assert set(errors) == set(BACKENDS)
        assert max(errors.values()) < 1e-5, (backend, errors)
