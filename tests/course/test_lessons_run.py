"""Every notebook runs from top to bottom in a clean kernel, with the network off."""

import json
import os
import subprocess
import sys

import pytest

from stepkit.course import catalogue, folders

RUN = """
import json, sys
import nbformat, nbclient
from pathlib import Path
from stepkit.course.runner import ThisPython
from stepkit.course.view import RECORD

path, folder = Path(sys.argv[1]), sys.argv[2]
node = nbformat.read(path, as_version=4)
offline = nbformat.v4.new_code_cell(
    "import socket\\n_real = socket.socket.connect\\n"
    "def _local_only(self, address):\\n"
    "    if isinstance(address, tuple) and not str(address[0]).startswith('127.'):\\n"
    "        raise OSError('the network is off: ' + str(address))\\n"
    "    return _real(self, address)\\n"
    "socket.socket.connect = _local_only"
)
node.cells.insert(0, offline)
manager = ThisPython(kernel_name="python3")
client = nbclient.NotebookClient(node, km=manager, timeout=300,
                                 resources={"metadata": {"path": folder}})
client.execute()
found, noise = {}, []
for cell in node.cells:
    for output in cell.get("outputs", []):
        if output.get("name") == "stderr":
            noise.append(output.text)
        if RECORD in output.get("data", {}):
            found[output.data[RECORD]["exercise"]] = output.data[RECORD]["outcome"]
print("OUTCOMES " + json.dumps({"found": found, "noise": noise}))
"""


def outcomes_of(path, tmp_path):
    env = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path), str(tmp_path)],
        capture_output=True, text=True, env=env, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    line = next(x for x in done.stdout.splitlines() if x.startswith("OUTCOMES "))
    seen = json.loads(line.removeprefix("OUTCOMES "))
    assert seen["noise"] == []
    return seen["found"]


@pytest.mark.slow
@pytest.mark.parametrize("number", catalogue.lesson_numbers())
def test_the_unsolved_lesson_runs_through(number, tmp_path):
    found = outcomes_of(folders.lesson_file(number), tmp_path)
    assert found == dict.fromkeys(catalogue.lesson(number).exercises, "not attempted")


@pytest.mark.slow
@pytest.mark.parametrize("number", catalogue.lesson_numbers())
def test_the_solution_notebook_is_correct_throughout(number, tmp_path):
    path = folders.root() / "solutions" / folders.lesson_file(number).name
    found = outcomes_of(path, tmp_path)
    assert found == dict.fromkeys(catalogue.lesson(number).exercises, "correct")
