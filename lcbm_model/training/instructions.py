"""Plain instruction data beside behaviour: keeps a tuned model from forgetting how to answer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from lcbm_model.corpus.nested_rows import check_columns, rows_of, words
from lcbm_model.errors import TableError
from lcbm_model.training.prepare import Encoder, PreparedRow
from lcbm_model.verbalize import Prompt

SOURCE = "instructions"


def instruction_rows(path: Path, encoder: Encoder, *, limit: int | None = None) -> Iterator[PreparedRow]:
    """Training examples from the columns `instruction` and `answer`; loss falls on the answer only.

    Raises:
        TableError: No such file or columns, or a row without words.
    """
    for number, row in enumerate(islice(rows_of(path), limit), start=1):
        if number == 1:
            check_columns(row, ("instruction", "answer"), path)
        asked, answer = words(row.get("instruction")), words(row.get("answer"))
        if asked is None or answer is None:
            column = "instruction" if asked is None else "answer"
            where = f"{path.name}: row {number}, column {column!r}"
            raise TableError(where, "is empty", value=row.get(column), remedy="Give it, or leave the row out")
        encoded = encoder(Prompt(shared="", own=asked), answer)
        if encoded is not None:
            name = f"{SOURCE}/{number}"
            yield PreparedRow(
                **vars(encoded), source=SOURCE, metric=None, split="train", pair_group=name, half=name, record=name
            )
