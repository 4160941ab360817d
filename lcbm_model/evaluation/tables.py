"""docs/results.md and its plots, a pure function of the recorded results: same results, same bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from lcbm_model.errors import TableError
from lcbm_model.evaluation.plots import forest
from lcbm_model.evaluation.registry import get_suite, suite_names
from lcbm_model.evaluation.result import EvaluationResult, Figures, Intervals

SHIPPED = Path(__file__).parent / "results"
"""Recorded evaluations that come with the package."""

_HEAD = """# Results

Generated from the recorded evaluations in `lcbm_model/evaluation/results/` by `lcbm results tables`; CI checks with
`lcbm results tables --check` that not a letter differs. Brackets are 95 % intervals of a bootstrap over whole groups
(stories, pages, contests). [research.md](research.md) says how each figure is defined and how to add one;
[replay.md](replay.md) does so for the choices of the whole loop, [writing.md](writing.md) for what writers write.
"""

OF_CHOICES: Mapping[str, float] = {
    "lift_over_mean": 1.0,
    "share_of_possible": 0.0,
    "share_preferred": 0.5,
    "mean_gain": 0.0,
    "nll_gap": 0.0,
}
"""What a coin, or a draft left as it was, reaches in results that no suite of this package made: replayed choices
among arms that were run, and rewrites of drafts."""

BEGINS_A_TABLE = ("perplexity_winners", "distinct_1")
"""Keys with which another table of the same section begins: who writes has other figures than the model that is asked
how likely a text is."""

OF_THE_MODEL = ("best_of_n_by_mean",)
"""What stands beside a model and is made of its own scores: another figure beside each model."""

Line = tuple[str, Figures, Intervals]
"""One model's name, figures and intervals."""


def generate(folder: Path) -> dict[str, str]:
    """File name under docs/ to its text, from every result in `folder`.

    Raises:
        TableError: No results, one that cannot be read, or two of one model on the same rows.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise TableError(str(folder), "holds no results", remedy="Record one with lcbm evaluate ... --out")
    results = [EvaluationResult.load(path) for path in paths]
    files: dict[str, str] = {}
    sections = [_HEAD]
    for suite in dict.fromkeys([*suite_names(), *sorted(r.suite for r in results)]):
        own = [r for r in results if r.suite == suite]
        # Figures on other rows are other figures: they never share a table.
        for rows in sorted({(r.split, r.n) for r in own}, key=lambda rows: (rows[0], -rows[1])):
            text, figures = _section([r for r in own if (r.split, r.n) == rows])
            sections.append(text)
            files.update(figures)
    return {"results.md": "\n".join(sections), **files}


def differing(files: Mapping[str, str], docs: Path) -> list[str]:
    """Names of the files that are missing under `docs`, hold something else, or are plots of results long gone."""
    stale = {
        name
        for name, text in files.items()
        if not (docs / name).is_file() or (docs / name).read_text(encoding="utf-8") != text
    }
    plots = {f"figures/{path.name}" for path in (docs / "figures").glob("results-*.svg")}
    return sorted(stale | (plots - files.keys()))


def write(files: Mapping[str, str], docs: Path) -> list[str]:
    """Make `docs` hold exactly `files` and no older plots; returns the names that were not so before."""
    stale = differing(files, docs)
    for name in stale:
        path = docs / name
        if name in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name], encoding="utf-8")
        else:
            path.unlink()
    return stale


def cell(value: float | None, interval: Sequence[float] | None) -> str:
    """A figure with its interval, three decimals; counts as they are; a dash where undefined."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    ends = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval is not None else ""
    return f"{value:.3f}{ends}"


def _section(results: Sequence[EvaluationResult]) -> tuple[str, dict[str, str]]:
    """Markdown of one suite and split, and its plot by file name."""
    first = results[0]
    lines = _lines(results)
    keys = list(dict.fromkeys(key for r in results for key in r.metrics))
    name = f"results-{first.suite}-{first.split}-{first.n}.svg"
    chance = get_suite(first.suite).chance if first.suite in suite_names() else OF_CHOICES
    text = [
        f"## {first.suite}, {first.split} split, {first.n:,} rows in {first.groups:,} groups",
        "",
        *(line for part in _parts(keys) for line in _grid(_defining(lines, part, keys), part)),
        f"![{first.suite} figures with intervals](figures/{name})",
        "",
        *_remarks(results),
    ]
    drawn = [key for key in keys if key in chance or key in ("coverage_80", "ece_win_probability")]
    return "\n".join(text), {f"figures/{name}": forest(lines, drawn, chance)}


def _parts(keys: Sequence[str]) -> list[list[str]]:
    """The keys of each table of a section, in their order."""
    starts = [0, *(i for i, key in enumerate(keys) if i and key in BEGINS_A_TABLE), len(keys)]
    return [list(keys[start:end]) for start, end in pairwise(starts)]


def _defining(lines: Sequence[Line], part: Sequence[str], keys: Sequence[str]) -> list[Line]:
    """The lines of one of several tables: those with a figure in it. A section's only table has all of them."""
    return [line for line in lines if len(part) == len(keys) or any(line[1].get(key) is not None for key in part)]


def _grid(lines: Sequence[Line], keys: Sequence[str]) -> list[str]:
    """Models down, figures across, and an empty line; nothing where there are no lines."""
    if not lines:
        return []
    return [
        "| model | " + " | ".join(f"`{key}`" for key in keys) + " |",
        "|---|" + "---|" * len(keys),
        *(f"| {_line(label)} | " + " | ".join(cell(f.get(k), i.get(k)) for k in keys) + " |" for label, f, i in lines),
        "",
    ]


def _lines(results: Sequence[EvaluationResult]) -> list[Line]:
    """Models first, then each baseline once; it was measured on the same rows beside each model."""
    lines: list[Line] = []
    beside: dict[str, Line] = {}
    for r in results:
        label = model_label(r)
        if any(known == label for known, _, _ in lines):
            raise TableError(
                f"{r.suite}, {r.split}", "two results of one model", value=label, remedy="Keep one of them"
            )
        lines.append((label, r.metrics, r.intervals))
        for key, figures in r.baselines.items():
            name = f"{key}, {label.partition(' (')[0].removeprefix('the loop, ')}" if key in OF_THE_MODEL else key
            _, known, ends = beside.get(name, (name, {}, {}))
            beside[name] = (name, figures | known, r.baseline_intervals[key] | ends)
    shown = {label for label, _, _ in lines}
    return lines + [line for name, line in beside.items() if name not in shown]


def model_label(result: EvaluationResult) -> str:
    """What a result's own line is called in a table: the model, the loop that used it, or who wrote and with what."""
    if result.suite.startswith("writing-"):
        return result.model
    name = result.identity.label if result.identity is not None else result.model
    return name if result.suite in suite_names() else f"the loop, {name}"


def _remarks(results: Sequence[EvaluationResult]) -> list[str]:
    lines: list[str] = []
    for r in results:
        for name, figures in r.controls.items():
            told = ", ".join(f"`{key}` {cell(value, None)}" for key, value in figures.items())
            lines.append(f"- {_line(r.model)}, control {name}: {told}")
        lines += [f"- {_line(f'{r.model}: {note}')}" for note in r.notes]
    return [*dict.fromkeys(lines), ""] if lines else []


def _line(text: str) -> str:
    """Names and notes hold file contents: on one line, without anything that Markdown would read as markup."""
    return re.sub(r"([|<>`*\[\]\\])", r"\\\1", " ".join(text.split()))
