"""The mapping by hand: which heading of a file carries what, which export it is, which sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from lcbm_model.errors import TableError
from lcbm_model.metrics import get_metric

if TYPE_CHECKING:
    from agents.library import Preview

AUTO = ""
FIELDS = (
    ("text", "Text"),
    ("result", "Result (the goal itself)"),
    ("count", "Counted (clicks, opens)"),
    ("exposure", "Out of (impressions, views)"),
    ("channel", "Channel"),
    ("date", "Date"),
    ("audience", "Audience"),
    ("format", "Kind of post"),
    ("image", "Picture"),
)
_ROWS_ABOVE = 1000


class Mapping:
    """The fields, built inside the open Blocks."""

    def __init__(self) -> None:
        self.source = gr.Dropdown(
            [("Told from the headings", AUTO), ("Our own columns", "plain"), *_exports()],
            value=AUTO,
            label="Where the file is from",
            elem_id="l-source",
        )
        with gr.Row():
            self.sheet = gr.Textbox(label="Sheet", placeholder="the first with cells", max_length=80, elem_id="l-sheet")
            self.header = gr.Number(
                label="Rows above the headings", value=None, precision=0, minimum=0, elem_id="l-header"
            )
        self.choices = [
            gr.Dropdown(
                [("as it was understood", AUTO)],
                value=AUTO,
                label=label,
                allow_custom_value=True,
                elem_id=f"l-map-{name}",
            )
            for name, label in FIELDS
        ]
        gr.HTML("<p class='lc-quiet'>Press “See how it is read” to have your headings to choose from.</p>")
        self.fields = [self.source, self.sheet, self.header, *self.choices]

    @staticmethod
    def options(source: str, sheet: str, header: float | None, *columns: str) -> dict[str, Any]:
        """The fields as `LibraryService.keep` takes them. `result`, `count` and `exposure` are named by the metric."""
        named = {name: heading for (name, _), heading in zip(FIELDS, columns, strict=True) if heading}
        if header is not None and not 0 <= header <= _ROWS_ABOVE:
            raise TableError("Rows above the headings", f"must be 0 to {_ROWS_ABOVE}", value=header)
        return {
            "source": source or None,
            "sheet": (sheet or "").strip() or None,
            "header": None if header is None else int(header),
            "columns": named,
        }

    def offered(self, seen: Preview) -> list[Any]:
        """The file's headings as choices; what a person has chosen stays."""
        headings = [("as it was understood", AUTO), *((c.heading, c.heading) for c in seen.columns)]
        return [gr.update(choices=headings) for _ in self.choices]

    def cleared(self) -> list[Any]:
        """Another file: nothing of the last one's mapping stays."""
        fresh = gr.update(choices=[("as it was understood", AUTO)], value=AUTO)
        return [gr.update(value=AUTO), "", None, *(fresh for _ in self.choices)]


def by_our_names(columns: dict[str, str], metric: str) -> dict[str, str]:
    """A mapping with `result`, `count` and `exposure` under the names that tables of this metric have.

    Raises:
        TableError: A count for a metric that is not made of one.
    """
    known = get_metric(metric)
    names = {"result": known.name, "count": known.count_column, "exposure": known.exposure_column or "exposure"}
    mapped: dict[str, str] = {}
    for name, heading in columns.items():
        ours = names.get(name, name)
        if ours is None:
            remedy = "Choose the column with the result itself instead"
            raise TableError("Counted", f"is not what {known.title} is made of", value=heading, remedy=remedy)
        mapped[ours] = heading
    return mapped


def _exports() -> list[tuple[str, str]]:
    from agents.library.exports import known_sources

    return [(source.title, name) for name, source in known_sources().items()]
