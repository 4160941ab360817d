"""Readers by name: every `...Reader` class in a module of `lcbm_model/corpus/readers` is a registered source."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from lcbm_model.corpus import readers
from lcbm_model.corpus.base import Reader
from lcbm_model.discovery import by_name, named_classes


@cache
def reader_classes() -> MappingProxyType[str, type[Reader]]:
    """Reader name to class, in the order of their files."""
    return named_classes(readers, "Reader")


def reader_names() -> list[str]:
    """Names of every reader."""
    return list(reader_classes())


def get_reader(name: str) -> Reader:
    """A fresh reader by its name; hyphens and underscores are one.

    Raises:
        SettingsError: No such reader.
    """
    return by_name(reader_classes(), name, "source")()
