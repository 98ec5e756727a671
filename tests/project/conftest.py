"""bootstrap.py as a module."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture
def bootstrap():
    path = Path(__file__).parents[2] / "bootstrap.py"
    spec = importlib.util.spec_from_file_location("bootstrap", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
