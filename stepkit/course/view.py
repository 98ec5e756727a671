"""Shows a message: plain text everywhere, with a coloured edge where HTML can be shown."""

from __future__ import annotations

import html
import sys
from dataclasses import dataclass, field
from typing import Any

RECORD = "application/vnd.stepkit.outcome+json"
EDGES = {"correct": "#0072B2", "not yet": "#D55E00", "crashed": "#CC79A7"}
GREY = "#888888"
BOX = (
    "border-left: 4px solid {edge}; padding: 4px 10px; margin: 2px 0; "
    "font-family: var(--jp-code-font-family, monospace); white-space: pre-wrap;"
)


@dataclass(frozen=True)
class Message:
    """Text for the learner; the edge's colour repeats the outcome, which the words state."""

    text: str
    outcome: str
    record: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        style = BOX.format(edge=EDGES.get(self.outcome, GREY))
        return {
            "text/plain": self.text,
            "text/html": f'<div style="{style}">{html.escape(self.text)}</div>',
            RECORD: self.record,
        }


def show(message: Message) -> None:
    """Display the message in a notebook, or print it."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display(message)
    else:
        print(message)
