"""What `benchmarks/scoring.py` records, and its section of docs/performance.md: same record, same bytes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lcbm_model.evaluation.benchmark_record import grid

FORMAT = 1

_HEAD = """## Scoring

`python benchmarks/scoring.py`. All ways of one table ran side by side in one process, in turns; seconds are medians.
The share is the arithmetic of what must run (each shared beginning once, nothing behind the words, the text encoder)
over seconds times the rate of plain matrix products, measured right before and right behind. `again` are as many other
candidates behind the same setting, whose beginning is still known.
"""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Way(_Model):
    """One way to score the first case.

    `difference`: largest of any bin's probability, from one-by-one forwards unless `note` names another way.
    """

    name: str
    seconds: float
    times_one_by_one: float
    difference: float | None = None
    note: str = ""


class FirstCase(_Model):
    """All ways on the same candidates."""

    candidates: int
    prefix_tokens: int
    own_tokens: float = Field(description="Mean over candidates, question and template behind the words included.")
    word_tokens: float = Field(description="Mean over candidates, their own words only.")
    ways: tuple[Way, ...]


class Cell(_Model):
    """One size of a call. `limit_seconds`: the unavoidable arithmetic at the matrix-product rate measured beside it."""

    candidates: int
    prefix_tokens: int
    tokens: int = Field(description="Tokens that ran, shared ones once.")
    seconds: float
    seconds_again: float = Field(description="Of other candidates behind the same setting.")
    matmul_gflops: float = Field(description="Measured matrix-product rate, 1e9 FLOP/s.")
    limit_seconds: float
    peak_mb: float | None = Field(description="Peak of the whole process's memory, or of the GPU's, in MB.")


class PictureTime(_Model):
    """Candidates with pictures, seconds of one call."""

    name: str
    seconds: float


class Run(_Model):
    """Everything measured in one number type."""

    precision: str
    model: str
    blocks: str = Field(description="Blocks run of blocks there: '20 of 30'.")
    first_case: FirstCase
    scaling: tuple[Cell, ...]
    pictures: tuple[PictureTime, ...] = ()


class ColdStart(_Model):
    """`lcbm score` of one headline in a new process."""

    seconds: float
    peak_mb: float | None


class Record(_Model):
    """One machine's figures."""

    format: Literal[1] = 1
    measured: str = Field(description="Day, ISO.")
    machine: dict[str, str | int]
    versions: dict[str, str]
    runs: tuple[Run, ...]
    cold_start: ColdStart | None = None


def section(record: Record) -> str:
    """The record as markdown."""
    parts = [_HEAD, _machine(record), *(_run(run) for run in record.runs)]
    if record.cold_start is not None:
        peak = f", peak memory {_mb(record.cold_start.peak_mb)}" if record.cold_start.peak_mb else ""
        parts.append(f"`lcbm score` of one headline in a new process: {record.cold_start.seconds:.1f} s{peak}.\n")
    return "\n".join(parts)


def _machine(record: Record) -> str:
    told = "; ".join(f"{name} {value}" for name, value in record.machine.items())
    versions = ", ".join(f"{name} {value}" for name, value in record.versions.items())
    return f"{record.measured}. {told}. {versions}.\n"


def _run(run: Run) -> str:
    case = run.first_case
    title = f"### {run.precision}: {run.model}, {run.blocks} blocks"
    told = (
        f"{case.candidates} candidates of {case.word_tokens:.0f} tokens ({case.own_tokens:.0f} with the question) "
        f"and a shared prefix of {case.prefix_tokens:,} tokens:"
    )
    ways = grid(
        ("way", "seconds", "times one-by-one", "largest difference", "note"),
        [
            (
                way.name,
                _seconds(way.seconds),
                f"{way.times_one_by_one:.1f}",
                "–" if way.difference is None else f"{way.difference:.1e}",
                way.note,
            )
            for way in case.ways
        ],
    )
    cells = grid(
        (
            "candidates",
            "prefix tokens",
            "tokens run",
            "seconds",
            "again",
            "GFLOP/s",
            "arithmetic limit",
            "share",
            "peak memory",
        ),
        [
            (
                f"{cell.candidates:,}",
                f"{cell.prefix_tokens:,}",
                f"{cell.tokens:,}",
                _seconds(cell.seconds),
                _seconds(cell.seconds_again),
                f"{cell.matmul_gflops:,.0f}",
                _seconds(cell.limit_seconds),
                f"{100 * cell.limit_seconds / cell.seconds:.0f} %",
                _mb(cell.peak_mb),
            )
            for cell in run.scaling
        ],
    )
    parts = [title, told, ways, "Size of the call:", cells]
    if run.pictures:
        parts += ["Pictures:", grid(("call", "seconds"), [(p.name, _seconds(p.seconds)) for p in run.pictures])]
    return "\n\n".join(parts) + "\n"


def _seconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def _mb(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} MB"
