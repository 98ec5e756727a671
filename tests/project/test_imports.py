"""The house: every room imports only from rooms below it, and `import stepkit` stays light."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "stepkit"
FLOORS = (
    ("_backend", "_registry", "_axes"),
    ("ode", "spectra"),
    ("layers", "networks", "risk", "datasets"),
    ("attention",),
    ("stiffness", "stability"),
    ("callbacks", "models", "plots"),
    ("testing",),
    ("course",),
)
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def module_name(path, package):
    parts = path.relative_to(package.parent).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def absolute(node, path, package):
    """The full name of the module that `from ... import` names."""
    if not node.level:
        return node.module or ""
    name = module_name(path, package)
    base = name if path.name == "__init__.py" else name[:-1]
    base = base[: len(base) - node.level + 1]
    return ".".join([*base, *filter(None, [node.module])])


def imported(path, package):
    """Full names of everything a file imports, also inside functions and by import_module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(node, path, package)
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant))


def wrong_imports(package):
    """(file, import) pairs that lead up, sideways, or to the front door."""
    for path in sorted(package.rglob("*.py")):
        room = (*module_name(path, package), "")[1]
        level = FLOOR.get(room, len(FLOORS) - 1)  # the front door may import all but the course
        for name in imported(path, package):
            if not isinstance(name, str) or name.split(".")[0] != "stepkit" or room == "course":
                continue
            other = (*name.split("."), "")[1]
            if other == room or other == "__version__":
                continue
            if FLOOR.get(other, len(FLOORS)) >= level:
                yield path.relative_to(package).as_posix(), name


def test_every_room_has_its_floor():
    rooms = {p.stem for p in PACKAGE.glob("*.py")} | {p.parent.name for p in PACKAGE.glob("*/*.py")}
    assert rooms - {"__init__"} <= set(FLOOR)


def test_rooms_import_only_from_below():
    assert list(wrong_imports(PACKAGE)) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("ode/a.py", "from stepkit.layers import ResidualStep"),
        ("ode/a.py", "from stepkit import models"),
        ("ode/a.py", "from stepkit.spectra import lanczos"),
        ("ode/a.py", "import stepkit"),
        ("ode/a.py", "from stepkit import ODEBlock"),
        ("layers/a.py", "from ..stiffness import index"),
        ("layers/sub/a.py", "from ... import plots"),
        ("testing/a.py", "def f():\n    import stepkit.course.check"),
        ("testing/a.py", "importlib.import_module('stepkit.course')"),
        ("__init__.py", "from stepkit import course"),
        ("__init__.py", "from . import course"),
    ],
)
def test_a_wrong_import_is_found(tmp_path, file, line):
    path = tmp_path / "stepkit" / file
    path.parent.mkdir(parents=True)
    path.write_text(line, encoding="utf-8")
    assert [found for found, _ in wrong_imports(tmp_path / "stepkit")] == [file]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("layers/a.py", "from stepkit.ode import odeint"),
        ("layers/a.py", "from ..ode.tableau import Tableau"),
        ("layers/a.py", "from . import other\nfrom .other import x"),
        ("layers/__init__.py", "from .residual_step import ResidualStep"),
        ("course/a.py", "import stepkit\nfrom stepkit import models, testing"),
        ("__init__.py", "from stepkit import ode, testing\nfrom . import models"),
        ("ode/a.py", "from keras import ops\nimport numpy as np"),
    ],
)
def test_a_right_import_is_let_through(tmp_path, file, line):
    path = tmp_path / "stepkit" / file
    path.parent.mkdir(parents=True)
    path.write_text(line, encoding="utf-8")
    assert list(wrong_imports(tmp_path / "stepkit")) == []


def asks_for_backend(source):
    """True if a file asks which Keras backend runs."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "backend" or called.endswith((".backend", "backend.backend")):
                return True
        if isinstance(node, ast.ImportFrom) and node.module in ("keras.backend", "keras.config"):
            names = {alias.name for alias in node.names}
            if "backend" in names:
                return True
        if isinstance(node, ast.Constant) and node.value == "KERAS_BACKEND":
            return True
    return False


def test_only_the_backend_room_asks_which_backend_runs():
    asking = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if asks_for_backend(path.read_text(encoding="utf-8"))
    ]
    assert [name for name in asking if not name.startswith(("_backend/", "course/"))] == []


@pytest.mark.parametrize(
    "line",
    [
        "keras.backend.backend()",
        "from keras.backend import backend",
        "keras.config.backend() == 'jax'",
        "os.environ['KERAS_BACKEND']",
    ],
)
def test_asking_is_found(line):
    assert asks_for_backend(line)


# Keras loads some of these by itself, so it is counted who asks for a module, not only what is new.
LIGHT = """
import builtins, json, sys
import keras
before, asked, really = set(sys.modules), set(), builtins.__import__
def noted(name, globals=None, *rest, **named):
    if (globals or {}).get("__name__", "").split(".")[0] == "stepkit":
        asked.add(name.split(".")[0])
    return really(name, globals, *rest, **named)
builtins.__import__ = noted
import stepkit
new = {name for name in set(sys.modules) - before if "." not in name or "stepkit" in name}
print("FOUND", json.dumps([sorted(new), sorted(asked)]))
"""
LIGHT_ENOUGH = {"keras", "numpy", "stepkit", ""} | sys.stdlib_module_names


def test_the_light_test_knows_what_is_heavy():
    assert {"tensorflow", "jax", "torch", "scipy", "matplotlib", "sklearn"} & LIGHT_ENOUGH == set()


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_importing_stepkit_brings_nothing_heavy(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environ = dict(os.environ, KERAS_BACKEND=backend)
    answer = subprocess.run(
        [sys.executable, "-c", LIGHT],
        env=environ, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    new, asked = json.loads(answer.stdout.split("FOUND", 1)[1])
    assert "stepkit" in new
    assert "keras" in asked
    assert [name for name in new if name.startswith("stepkit.course")] == []
    assert {name.split(".")[0] for name in new} - LIGHT_ENOUGH == set()
    assert set(asked) - LIGHT_ENOUGH == set()
