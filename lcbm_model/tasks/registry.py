"""Tasks by name: every `...Task` class in a module of `lcbm_model/tasks/families` is registered by being there."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from types import MappingProxyType
from typing import cast

from lcbm_model.errors import SettingsError
from lcbm_model.tasks import families
from lcbm_model.tasks.base import Task


@cache
def task_classes() -> MappingProxyType[str, type[Task]]:
    """Task name to class, in the order of files and of classes inside them."""
    found: dict[str, type[Task]] = {}
    for info in sorted(pkgutil.iter_modules(families.__path__), key=lambda i: i.name):
        module = importlib.import_module(f"{families.__name__}.{info.name}")
        here = [k for t, k in inspect.getmembers(module, inspect.isclass) if t.endswith("Task")]
        for kind in sorted((k for k in here if k.__module__ == module.__name__), key=_line):
            task = cast(type[Task], kind)
            if found.setdefault(task.name, task) is not task:
                raise RuntimeError(f"two tasks are called {task.name!r}: {found[task.name]} and {task}")
    return MappingProxyType(found)


def _line(kind: type) -> int:
    return inspect.getsourcelines(kind)[1]


def task_names() -> list[str]:
    """Names of every task."""
    return list(task_classes())


def get_task(name: str) -> Task:
    """A task by its name.

    Raises:
        SettingsError: No such task.
    """
    kinds = task_classes()
    if name not in kinds:
        raise SettingsError("task", "unknown task", value=name, remedy=f"Use one of: {', '.join(kinds)}")
    return kinds[name]()
