"""The table in `docs/export.md`, from the record of `experiments.export`."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "export.md"
MARKS = ("<!-- table: python -m experiments.export -->", "<!-- end of table -->")
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
FORMATS = {"tf_saved_model": "SavedModel", "onnx": "ONNX", "litert": "LiteRT", "torch": ".pt2"}


def fill(record: dict, titles: dict[str, str], page: Path = PAGE) -> None:
    """Puts the table of a record between the marks of the page; `titles` says what models are."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    filled = before + MARKS[0] + "\n" + table(record, titles) + MARKS[1] + after
    page.write_text(filled, encoding="utf-8")


def table(record: dict, titles: dict[str, str]) -> str:
    """A table for each backend in Markdown, and the reasons under it."""
    return "\n".join(_one(BACKENDS[name], cells, titles) for name, cells in record["cells"].items())


def _one(backend: str, cells: dict, titles: dict[str, str]) -> str:
    formats = list(next(iter(cells.values())))
    lines = [f"| {backend} | " + " | ".join(FORMATS[form] for form in formats) + " |"]
    lines.append("|---" * (len(formats) + 1) + "|")
    reasons: list[str] = []
    for name, row in cells.items():
        words = (_words(row[form], reasons) for form in formats)
        lines.append(f"| {titles[name]} | " + " | ".join(words) + " |")
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)]
    return "\n".join(["", *lines, "", *notes, ""])


def _words(cell: dict, reasons: list[str]) -> str:
    if cell["outcome"] == "works":
        largest = max(cell["error"].values(), key=float)
        return f"works, {largest if float(largest) else 'exactly'}"
    if "reason" not in cell:
        return cell["outcome"]
    if cell["reason"] not in reasons:
        reasons.append(cell["reason"])
    return f"{cell['outcome']} ({reasons.index(cell['reason']) + 1})"
