"""What really happened: results entered by hand or from a file, and how good the predictions were."""

from __future__ import annotations

import html
from datetime import UTC, date, datetime
from typing import Any

import gradio as gr

from lcbm_model.errors import InputError
from lcbm_model.metrics import get_metric
from ui import plots, render, words
from ui.campaigns_service import CampaignsService
from ui.forms import metric_choices
from ui.notify import told
from ui.uploads import TABLES, checked_table

SHOWN = 12
LIGHT: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "outcomes", "concurrency_limit": 4}
ALL = "all"


class ResultsPanel:
    """The form on the left, the report on the right. `run` is filled by the tab around it."""

    def __init__(self, campaigns: CampaignsService) -> None:
        self.campaigns = campaigns
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=4, min_width=300, elem_classes="lc-form"):
                self._form()
            with gr.Column(scale=9, min_width=320, elem_classes="lc-results"):
                self.board = gr.HTML(render.render("outcomes", r=_Nothing), elem_id="o-report")
                self.plot = gr.Plot(
                    visible=False, show_label=False, elem_classes="lc-plot", elem_id="o-plot", buttons=[]
                )
                self.noted = gr.HTML(elem_id="o-list")
        self._wire()

    def _form(self) -> None:
        gr.HTML("<h2>What a text reached</h2>")
        self.run = gr.Dropdown([], label="Run", elem_id="o-run")
        self.candidate = gr.Dropdown([], label="The text you published", elem_id="o-candidate")
        with gr.Row():
            self.count = gr.Number(label="Counted", info="clicks, shares, ...", minimum=0, elem_id="o-count")
            self.exposure = gr.Number(label="Out of", info="impressions, views", minimum=0, elem_id="o-exposure")
        self.day = gr.Textbox(
            label="Published on", placeholder="2026-03-31", info="Optional", max_length=10, elem_id="o-day"
        )
        self.save = gr.Button("Note the result", variant="primary", elem_id="o-save")
        with gr.Accordion("Many at once, from a file", open=False, elem_id="o-many"):
            self.file = gr.File(
                label="Table with the columns text (or run) and the figures",
                file_types=list(TABLES),
                type="filepath",
                height=130,
                elem_id="o-file",
            )
            self.file_metric = gr.Dropdown(metric_choices(), value="click_rate", label="Measured", elem_id="o-metric")
            self.load = gr.Button("Note them all", elem_id="o-load")
        with gr.Accordion("Learn from the results", open=False, elem_id="o-learn"):
            self.only = gr.Dropdown([("Every goal", ALL), *metric_choices()], value=ALL, label="Show", elem_id="o-only")
            self.fit = gr.Button("Fit the ranges to my audience", elem_id="o-fit")
            self.unfit = gr.Button("Back to the model's own ranges", size="sm", elem_id="o-unfit")
            self.posts = gr.DownloadButton("Results as posts for your library", size="sm", elem_id="o-posts")
            self.make = gr.Button("Make that file", size="sm", elem_id="o-make")

    def _wire(self) -> None:
        self.run.change(self._candidates, [self.run], [self.candidate, self.count, self.exposure],
                        show_progress="hidden", **LIGHT)  # fmt: skip
        board = [self.board, self.plot, self.noted]
        self.save.click(
            self._save, [self.run, self.candidate, self.count, self.exposure, self.day, self.only], board, **LIGHT
        )
        self.load.click(self._load, [self.file, self.file_metric, self.only], board, **LIGHT)
        self.fit.click(self._fit, [self.only], board, **LIGHT)
        self.unfit.click(self._unfit, [self.only], board, **LIGHT)
        gr.on([self.only.change, self.run.change], self._show, [self.only], board, show_progress="hidden", **LIGHT)
        self.make.click(self._posts, None, [self.posts], **LIGHT)

    # Showing ------------------------------------------------------------------------------------------------------

    def shown(self, only: str) -> list[Any]:
        """Report, plot and the latest results."""
        metric = None if only == ALL else only
        found, calibration = self.campaigns.report(metric)
        outcomes = self.campaigns.store.list(metric=metric)
        board = render.render("outcomes", r=found, calibration=calibration, tiles=tiles(found))
        noted = render.render("outcome_list", outcomes=outcomes[:SHOWN], total=len(outcomes))
        plot: Any = gr.update(visible=False)
        if found.points:
            plot = gr.update(value=plots.outcome_plot(found), visible=True)
        return [board, plot, noted]

    def _show(self, only: str) -> list[Any]:
        with told():
            return self.shown(only)

    def _candidates(self, run_id: str | None) -> list[Any]:
        if not run_id:
            return [gr.update(choices=[], value=None), gr.skip(), gr.skip()]
        with told():
            result = self.campaigns.open(run_id)
            ranked = result.ranked
            choices = [(f"{c.score:.0f} · {_cut(c.text)}", c.id) for c in ranked]
            metric = get_metric(result.brief.metric)
            count = (metric.count_column or metric.unit).replace("_", " ")
            out_of = (metric.exposure_column or "people reached").replace("_", " ")
            counted = metric.title if metric.kind == "rating" else count
            optional = "" if metric.kind == "rate" else ", optional"
            return [
                gr.update(choices=choices, value=result.best_id),
                gr.update(label=counted.capitalize(), info=f"for {metric.title}"),
                gr.update(label=out_of.capitalize(), info=f"behind it{optional}"),
            ]

    # Keeping ------------------------------------------------------------------------------------------------------

    def _save(
        self,
        run_id: str | None,
        candidate: str | None,
        count: float | None,
        exposure: float | None,
        day: str,
        only: str,
        request: gr.Request,
    ) -> list[Any]:
        with told():
            noted, new = self.campaigns.note(
                run_id,
                candidate,
                value=None,
                count=count,
                exposure=exposure or None,
                published=parse_day(day),
                noted_by=request.username,
            )
            place = f", the {words.ordinal(noted.percentile)} percentile of your own" if noted.percentile else ""
            gr.Info(f"{words.raw(noted.value, noted.metric)}{place}.", title="Noted" if new else "Newer figures noted")
            return self.shown(only)

    def _load(self, file: str | None, metric: str, only: str, request: gr.Request) -> list[Any]:
        with told():
            if not file:
                raise InputError("File", "none is chosen", remedy="Choose a table of results first")
            found, new = self.campaigns.import_file(checked_table(file), metric, request.username)
            if found.rejected:
                first = found.rejected[0]
                said = f"{len(found.rejected)} in all; the first, row {first.row}, {first.column}: {first.problem}."
                gr.Warning(html.escape(said), title="Some rows were left out", duration=15)
            gr.Info(f"{len(found.outcomes)} results, {new} of them new, {found.matched} written here.", title="Noted")
            return self.shown(only)

    def _fit(self, only: str) -> list[Any]:
        with told():
            self.campaigns.calibrate()
            return self.shown(only)

    def _unfit(self, only: str) -> list[Any]:
        with told():
            self.campaigns.calibrate(remove=True)
            return self.shown(only)

    def _posts(self) -> Any:
        with told():
            return gr.update(value=str(self.campaigns.posts_file()))


class _Nothing:
    total = 0


def tiles(found: Any) -> list[dict[str, str]]:
    """The report's figures, each with its unit and what it means."""
    made = [
        {"value": str(found.total), "unit": "results noted", "hint": "Published texts whose result you have entered."},
        {
            "value": str(found.n),
            "unit": "beside a prediction",
            "hint": "Results that can be held against a prediction.",
        },
    ]
    for c in found.coverage:
        held, low, high, level = (words.percent(p) for p in (c.held.share, c.held.low, c.held.high, c.level))
        hint = f"Of {c.held.n} results; with so many, anything from {low} to {high} is likely."
        made.append({"value": held, "unit": f"inside the {level} range", "hint": hint})
    if found.error is not None:
        hint = f"Mean distance. Someone who always says 50 would miss by {found.error_of_middle:.0f}."
        made.append({"value": f"{found.error:.0f} points", "unit": "mean miss", "hint": hint})
        hint = f"What happened less what was predicted, on average: {found.bias_low:+.0f} to {found.bias_high:+.0f}."
        made.append({"value": words.points(found.bias), "unit": "bias", "hint": hint})
    if found.rank_correlation is not None:
        ends = f"{found.correlation_low:.2f} to {found.correlation_high:.2f}"
        hint = f"1: the order was right; 0: no better than chance. With so many results anything from {ends} is likely."
        made.append({"value": f"{found.rank_correlation:.2f}", "unit": "rank correlation", "hint": hint})
    return made


def parse_day(text: str | None) -> date | None:
    """A day as people write it into the form.

    Raises:
        InputError: No day, or one that is yet to come.
    """
    if not text or not text.strip():
        return None
    try:
        day = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise InputError("Published on", "is no day", value=text, remedy="Write it as 2026-03-31") from error
    if day > datetime.now(UTC).date():
        raise InputError("Published on", "is yet to come", value=text, remedy="Give the day it was published")
    return day


def _cut(text: str, most: int = 70) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"
