"""Lines of a text file of unknown encoding, decoded one by one and bounded in length."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lcbm_model.errors import TableError

MAX_LINE = 4 * 2**20
"""Bytes (characters for UTF-16). A longer line is no row of a table of posts."""


class TextLines:
    """Iterates over a file's lines; afterwards `notes` says which encodings were met.

    UTF-8 is expected. A line that is none is read as Windows-1252, so a file with both keeps all its letters.

    Raises:
        TableError: While iterating: a line in neither encoding, or longer than `MAX_LINE`.
    """

    def __init__(self, path: Path, where: str) -> None:
        self._path, self._where = path, where
        self._legacy: list[int] = []
        self._utf16 = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Guesses about the encoding, for people."""
        if self._utf16:
            return ("read as UTF-16",)
        if not self._legacy:
            return ()
        count = len(self._legacy)
        lines = "1 line is" if count == 1 else f"{count} lines are"
        return (f"{lines} not UTF-8 (first: line {self._legacy[0]}) and read as Windows-1252: check accented letters",)

    def __iter__(self) -> Iterator[str]:
        with self._path.open("rb") as handle:
            mark = handle.read(4)
            handle.seek(0)
            if mark.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                self._utf16 = True
                yield from self._wide(handle)
                return
            if mark.startswith(codecs.BOM_UTF8):
                handle.seek(len(codecs.BOM_UTF8))
            yield from self._narrow(handle)

    def _narrow(self, handle: IO[bytes]) -> Iterator[str]:
        number = 0
        while raw := handle.readline(MAX_LINE + 1):
            number += 1
            self._check(len(raw), number)
            try:
                yield raw.decode("utf-8")
            except UnicodeDecodeError:
                self._legacy.append(number)
                yield self._windows(raw, number)

    def _windows(self, raw: bytes, number: int) -> str:
        try:
            return raw.decode("cp1252")
        except UnicodeDecodeError as error:
            where = f"{self._where}, line {number}"
            raise TableError(
                where, "is neither UTF-8 nor Windows-1252 text", value=raw[:40], remedy="Save it as UTF-8"
            ) from error

    def _wide(self, handle: IO[bytes]) -> Iterator[str]:
        reader = io.TextIOWrapper(handle, encoding="utf-16", newline="")
        try:
            for number in range(1, 2**63):
                line = reader.readline(MAX_LINE + 1)
                if not line:
                    return
                self._check(len(line), number)
                yield line
        except UnicodeError as error:
            raise TableError(self._where, "is damaged UTF-16 text", remedy="Save it as UTF-8") from error
        finally:
            reader.detach()  # the handle is closed by whoever opened it

    def _check(self, length: int, number: int) -> None:
        if length > MAX_LINE:
            raise TableError(
                f"{self._where}, line {number}",
                f"is longer than {MAX_LINE // 2**20} MiB",
                remedy="A row of posts is short: check that the file is what its ending says",
            )
