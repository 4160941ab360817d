"""Tasks by name: every `...Task` class in a module of `lcbm_model/tasks/families` is registered by being there."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from lcbm_model.discovery import by_name, named_classes
from lcbm_model.tasks import families
from lcbm_model.tasks.base import Task


@cache
def task_classes() -> MappingProxyType[str, type[Task]]:
    """Task name to class, in the order of their files."""
    return named_classes(families, "Task")


def task_names() -> list[str]:
    """Names of every task."""
    return list(task_classes())


def get_task(name: str) -> Task:
    """A task by its name; hyphens and underscores are one.

    Raises:
        SettingsError: No such task.
    """
    return by_name(task_classes(), name, "task")()
