"""Every example in a docstring runs, and gives what it shows."""

import doctest
import importlib
import pkgutil
import sys

import keras
import matplotlib
import numpy as np
import pytest

import stepkit

matplotlib.use("Agg")

ROOMS = ("_backend", *stepkit.__all__)


def modules():
    for room in ROOMS:
        package = importlib.import_module(f"stepkit.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"stepkit.{room}."):
            yield found.name


@pytest.mark.parametrize("name", modules())
def test_examples(name):
    importlib.import_module(name)
    module = sys.modules[name]
    names = {"keras": keras, "np": np, "stepkit": stepkit}
    result = doctest.testmod(module, extraglobs=names)
    assert result.failed == 0


@pytest.mark.parametrize("room", stepkit.__all__)
def test_every_public_object_has_an_example(room):
    """Contracts and plain records excepted."""
    package = importlib.import_module(f"stepkit.{room}")
    without = {"ConformanceError", "Result", "Statistics", "jvp", "problems", "vjp"}
    for public in set(package.__all__) - without:
        assert ">>>" in getattr(package, public).__doc__, f"{room}.{public}"
