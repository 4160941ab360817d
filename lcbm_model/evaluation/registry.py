"""Suites by name: every module in `lcbm_model/evaluation/suites` that holds a `...Suite` class is registered."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from types import MappingProxyType

from lcbm_model.errors import SettingsError
from lcbm_model.evaluation import suites
from lcbm_model.evaluation.suites.base import Suite


@cache
def suite_classes() -> MappingProxyType[str, type[Suite]]:
    """Suite name to class, in the order of their files."""
    found: dict[str, type[Suite]] = {}
    for info in sorted(pkgutil.iter_modules(suites.__path__), key=lambda i: i.name):
        module = importlib.import_module(f"{suites.__name__}.{info.name}")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and issubclass(kind, Suite) and not inspect.isabstract(kind):
                found[kind.name] = kind
    return MappingProxyType(found)


def suite_names() -> list[str]:
    """Names of every suite."""
    return list(suite_classes())


def get_suite(name: str) -> Suite:
    """A suite by name (underscores count as hyphens).

    Raises:
        SettingsError: No such suite.
    """
    kinds = suite_classes()
    key = name.strip().lower().replace("_", "-")
    if key not in kinds:
        raise SettingsError("suite", "unknown suite", value=name, remedy=f"Use one of: {', '.join(kinds)}")
    return kinds[key]()
