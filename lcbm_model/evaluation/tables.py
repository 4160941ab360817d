"""docs/results.md and its plots, a pure function of the recorded results: same results, same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
(stories, pages, contests). [research.md](research.md) says how each figure is defined and how to add one.
"""

Line = tuple[str, Figures, Intervals]
"""One model's name, figures and intervals."""


def generate(folder: Path) -> dict[str, str]:
    """File name under docs/ to its text, from every result in `folder`.

    Raises:
        TableError: No results, one that cannot be read, or two of one model on one suite and split.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise TableError(str(folder), "holds no results", remedy="Record one with lcbm evaluate ... --out")
    results = [EvaluationResult.load(path) for path in paths]
    files: dict[str, str] = {}
    sections = [_HEAD]
    for suite in suite_names():
        own = [r for r in results if r.suite == suite]
        for split in sorted({r.split for r in own}):
            text, figures = _section([r for r in own if r.split == split])
            sections.append(text)
            files.update(figures)
    return {"results.md": "\n".join(sections), **files}


def differing(files: Mapping[str, str], docs: Path) -> list[str]:
    """Names of the files that are missing under `docs` or hold something else."""
    return sorted(
        name
        for name, text in files.items()
        if not (docs / name).is_file() or (docs / name).read_text(encoding="utf-8") != text
    )


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
    name = f"results-{first.suite}-{first.split}.svg"
    chance = get_suite(first.suite).chance
    text = [
        f"## {first.suite}, {first.split} split",
        "",
        f"{first.n:,} rows in {first.groups:,} groups.",
        "",
        "| model | " + " | ".join(f"`{key}`" for key in keys) + " |",
        "|---|" + "---|" * len(keys),
        *(f"| {label} | " + " | ".join(cell(f.get(k), i.get(k)) for k in keys) + " |" for label, f, i in lines),
        "",
        f"![{first.suite} figures with intervals](figures/{name})",
        "",
        *_remarks(results),
    ]
    drawn = [key for key in keys if key in chance or key in ("coverage_80", "ece_win_probability")]
    return "\n".join(text), {f"figures/{name}": forest(lines, drawn, chance)}


def _lines(results: Sequence[EvaluationResult]) -> list[Line]:
    """Models first, each baseline once; a baseline of another set of rows would be another figure and is refused."""
    lines: list[Line] = []
    beside: dict[str, Line] = {}
    for r in results:
        label = r.identity.label if r.identity is not None else r.model
        if any(known == label for known, _, _ in lines):
            raise TableError(
                f"{r.suite}, {r.split}", "two results of one model", value=label, remedy="Keep one of them"
            )
        if r.n != results[0].n:
            remedy = "Record all models of a suite on the same rows (the same --limit)"
            raise TableError(f"{r.suite}, {r.split}", f"{label} was evaluated on other rows", value=r.n, remedy=remedy)
        lines.append((label, r.metrics, r.intervals))
        for name, figures in r.baselines.items():
            known_figures = beside.get(name, (name, {}, {}))[1]
            beside[name] = (
                name,
                figures | known_figures,
                r.baseline_intervals[name] | beside.get(name, (name, {}, {}))[2],
            )
    shown = {label for label, _, _ in lines}
    return lines + [line for name, line in beside.items() if name not in shown]


def _remarks(results: Sequence[EvaluationResult]) -> list[str]:
    lines: list[str] = []
    for r in results:
        for name, figures in r.controls.items():
            told = ", ".join(f"`{key}` {cell(value, None)}" for key, value in figures.items())
            lines.append(f"- {r.model}, control {name}: {told}")
        lines += [f"- {r.model}: {note}" for note in r.notes]
    return [*dict.fromkeys(lines), ""] if lines else []
