"""The `course build` command: notebooks from masters, and what would be wrong with them."""

from __future__ import annotations

import json

from stepkit.course import build as notebooks
from stepkit.course import folders, leaks, masters
from stepkit.course.trouble import Trouble


def build(*, only_look: bool = False) -> int:
    """Write the notebooks that have changed; refuse to write one that leaks a solution."""
    tree = notebooks.Tree(folders.root())
    try:
        made = list(notebooks.notebooks(tree))
    except ValueError as error:  # a master that cannot be built, a number that is not there
        raise Trouble(str(error)) from None
    lessons = {path.name: json.loads(text) for path, text in made if path.parent.name == "lessons"}
    if found := leaks.find(lessons, masters.read_all(tree.masters)):
        raise Trouble("A lesson would show a solution:\n  " + "\n  ".join(found))
    changed = [(path, text) for path, text in made if notebooks.differs(path, text)]
    for path, text in changed:
        if not only_look:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        verb = "would change" if only_look else "written"
        print(f"{path.relative_to(tree.root).as_posix()} {verb}")
    print(f"{len(made)} notebooks, {len(changed)} changed.")
    return 1 if only_look and changed else 0
