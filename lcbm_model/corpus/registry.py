"""Readers by name: every module in `lcbm_model/corpus/readers` that holds a reader class is a registered source."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from types import MappingProxyType
from typing import cast

from lcbm_model.corpus import readers
from lcbm_model.corpus.base import Reader
from lcbm_model.errors import SettingsError


@cache
def reader_classes() -> MappingProxyType[str, type[Reader]]:
    """Reader name to class, in the order of their files."""
    found: dict[str, type[Reader]] = {}
    for info in sorted(pkgutil.iter_modules(readers.__path__), key=lambda i: i.name):
        module = importlib.import_module(f"{readers.__name__}.{info.name}")
        for title, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and title.endswith("Reader"):
                reader = cast(type[Reader], kind)
                if found.setdefault(reader.name, reader) is not reader:
                    raise RuntimeError(f"two readers are called {reader.name!r}: {found[reader.name]} and {reader}")
    return MappingProxyType(found)


def reader_names() -> list[str]:
    """Names of every source that can be read."""
    return list(reader_classes())


def get_reader(name: str) -> Reader:
    """A fresh reader of one source (hyphens count as underscores).

    Raises:
        SettingsError: No such source.
    """
    kinds = reader_classes()
    key = name.strip().lower().replace("-", "_")
    if key not in kinds:
        raise SettingsError("source", "unknown source", value=name, remedy=f"Use one of: {', '.join(kinds)}")
    return kinds[key]()
