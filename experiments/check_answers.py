"""Draws what a check says: the named wrong answers of one exercise, and the right one.

    python -m experiments.check_answers

It judges the answers that stand in the master and writes `experiments/results/check_answers.png`.
"""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from stepkit.course import build, folders, masters
from stepkit.course.judging import judge
from stepkit.course.verification.bench import execute

EXERCISE = "01.euler_step"
SHOWN = ("change-not-state", "slope-at-end", "mutates-input", "scalar-only")


def main() -> None:
    """Judge each answer and draw code and reply, one above the other."""
    tree = build.Tree(folders.root())
    master = next(m for m in masters.read_all(tree.masters) if m.number == "01")
    name = EXERCISE.partition(".")[2]
    wrong = [c.source for c in master.marked("wrong", name) if c.words["shows"] in SHOWN]
    right = master.marked("variant", name)[0].source
    draw([(source.strip(), reply(master, source)) for source in (*wrong, right)], tree)


def reply(master, source: str) -> str:
    """The outcome of one answer in words, as the learner reads it."""
    names = {"__name__": "__main__"}
    execute(master.imports(), names, "<imports>")
    execute(source, names, "<answer>")
    return str(judge(EXERCISE, names, seed=1))


def draw(pairs: list[tuple[str, str]], tree) -> None:
    """One block per answer: the code on the left, the reply of the check on the right."""
    rows = sum(max(code.count("\n"), text.count("\n")) + 2.4 for code, text in pairs)
    figure, axes = plt.subplots(figsize=(11.5, 0.185 * rows))
    axes.set(xlim=(0, 1), ylim=(rows, 0))
    axes.axis("off")
    top, words = 0.6, {"family": "DejaVu Sans Mono", "fontsize": 8.5, "va": "top"}
    for code, text in pairs:
        height = max(code.count("\n"), text.count("\n")) + 1
        axes.text(0.0, top, code, **words)
        axes.text(0.36, top, text, **words)
        axes.plot([0.35, 0.35], [top, top + height], color="#0072B2", linewidth=2.5)
        top += height + 1.4
    figure.savefig(tree.results / "check_answers.png", dpi=130, bbox_inches="tight")


if __name__ == "__main__":
    main()
