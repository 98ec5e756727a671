"""What the front door loads, and what it offers."""

import subprocess
import sys

import stepkit


def test_import_loads_keras_and_numpy_only():
    """Beyond `import keras`, it loads what is its own or the standard library's."""
    code = (
        "import sys, keras; before = set(sys.modules); import stepkit;"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(sorted(n for n in new if n not in sys.stdlib_module_names and n != 'stepkit'));"
        "print([m for m in sys.modules if m.startswith('stepkit.course')]);"
        "print([m for m in ('scipy', 'matplotlib', 'sklearn') if m in set(sys.modules) - before])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:3] == ["[]", "[]", "[]"]


def test_every_promised_name_is_there():
    for name in stepkit.__all__:
        room = getattr(stepkit, name)
        for public in room.__all__:
            assert hasattr(room, public), f"{name}.{public}"
        assert name in dir(stepkit)
