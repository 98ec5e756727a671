"""What every test needs before Keras is imported."""

import os

import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_ENABLE_X64", "1")


def pytest_collection_modifyitems(items):
    """Tests that start processes of their own need to run beside one backend only."""
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        return
    for item in items:
        if item.get_closest_marker("once"):
            item.add_marker(pytest.mark.skip(reason="runs with the tests on TensorFlow"))
