"""Registration by being there: the named classes in the modules of one package (readers, tasks, suites)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from lcbm_model.errors import SettingsError

T = TypeVar("T")


def named_classes(package: ModuleType, ending: str) -> MappingProxyType[str, type[Any]]:
    """Classes whose title ends with `ending`, by their `name`, in the order of files and of lines inside them.

    Abstract classes are passed over.

    Raises:
        RuntimeError: Two classes have one name.
    """
    found: dict[str, type[Any]] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda i: i.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        here: list[type[Any]] = [k for t, k in inspect.getmembers(module, inspect.isclass) if t.endswith(ending)]
        for kind in sorted((k for k in here if k.__module__ == module.__name__), key=_line):
            if not inspect.isabstract(kind) and found.setdefault(kind.name, kind) is not kind:
                raise RuntimeError(f"two classes are called {kind.name!r}: {found[kind.name]} and {kind}")
    return MappingProxyType(found)


def by_name(kinds: Mapping[str, type[T]], name: str, what: str) -> type[T]:
    """The class of a name; hyphens, underscores and case do not matter.

    Raises:
        SettingsError: Nothing has that name.
    """
    known = {_folded(key): kind for key, kind in kinds.items()}
    if _folded(name) not in known:
        raise SettingsError(what, f"unknown {what}", value=name, remedy=f"Use one of: {', '.join(kinds)}")
    return known[_folded(name)]


def _folded(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _line(kind: type) -> int:
    return inspect.getsourcelines(kind)[1]
