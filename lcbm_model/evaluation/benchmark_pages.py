"""Docs pages from `benchmarks/results/*.json`: each record becomes a section of the page it names."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from lcbm_model.errors import TableError
from lcbm_model.evaluation import performance
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord

RECORDED = Path("benchmarks") / "results"
"""Where the benchmarks write, seen from the checkout."""

_HEAD = """# {title}

Generated from `benchmarks/results/*.json` by `lcbm results tables`; CI checks with `lcbm results tables --check` that
not a letter differs.
"""


def benchmark_files(folder: Path = RECORDED) -> dict[str, str]:
    """File name under docs/ to its text; empty where nothing was recorded.

    Raises:
        TableError: A record that cannot be read.
    """
    pages: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.json")):
        page, section = _section(path)
        pages.setdefault(page, [_HEAD.format(title=page.replace("-", " ").capitalize())]).append(section)
    return {f"{page}.md": "\n".join(parts) for page, parts in pages.items()}


def _section(path: Path) -> tuple[str, str]:
    try:
        data = path.read_bytes()
        if json.loads(data).get("format") == performance.FORMAT:
            return "performance", performance.section(performance.Record.model_validate_json(data))
        record = BenchmarkRecord.model_validate_json(data)
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        remedy = f"Run benchmarks/{path.stem}.py again"
        raise TableError(str(path), "is no benchmark record", remedy=remedy) from error
    return record.page, record.markdown()
