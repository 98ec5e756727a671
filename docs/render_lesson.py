"""Renders one executed lesson as Markdown, to be read without installing anything.

    python docs/render_lesson.py 01        writes docs/lesson_01/README.md and its figures

It runs the solution notebook in a clean kernel.
"""

import argparse
import re
import shutil
import tempfile

import nbclient
import nbformat
from nbconvert import MarkdownExporter
from traitlets.config import Config

from stepkit.course import folders
from stepkit.course.runner import ThisPython

NOTE = "*An executed copy of lesson {number}, to be read. Work through it with `make lab`.*\n\n"


def main() -> None:
    """Run a lesson's solution notebook and write it as Markdown with figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lesson", help="number of the lesson, such as 01")
    number = parser.parse_args().lesson
    target = folders.root() / "docs" / f"lesson_{number}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    text, figures = rendered(number)
    (target / "README.md").write_text(text, encoding="utf-8", newline="\n")
    for name, content in figures.items():
        (target / name).write_bytes(content)
    print(f"docs/lesson_{number}: {len(figures)} figures")


def rendered(number: str) -> tuple[str, dict[str, bytes]]:
    """The Markdown of a lesson, and its figures by file name."""
    path = folders.root() / "solutions" / folders.lesson_file(number).name
    node = nbformat.read(path, as_version=4)
    node.cells = node.cells[1:]  # without the line about the master
    run(node)
    config = Config()
    config.NbConvertBase.display_data_priority = ["image/png", "text/plain"]
    body, resources = MarkdownExporter(config=config).from_notebook_node(node)
    body = re.sub(r"!\[png\]\((\S+)\)", r"![Described in the text below](\1)", body)
    return NOTE.format(number=number) + body.strip() + "\n", resources["outputs"]


def run(node) -> None:
    """Execute the notebook with progress kept in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        aside = nbformat.v4.new_code_cell(f"import os; os.environ['STEPKIT_HOME'] = {folder!r}")
        node.cells.insert(0, aside)
        client = nbclient.NotebookClient(
            node, km=ThisPython(kernel_name="python3"), timeout=600,
            resources={"metadata": {"path": folder}},
        )  # fmt: skip
        client.execute()
        del node.cells[0]


if __name__ == "__main__":
    main()
