"""Suites by name: every `...Suite` class in a module of `lcbm_model/evaluation/suites` is registered by being there."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from lcbm_model.discovery import by_name, named_classes
from lcbm_model.evaluation import suites
from lcbm_model.evaluation.suites.base import Suite


@cache
def suite_classes() -> MappingProxyType[str, type[Suite]]:
    """Suite name to class, in the order of their files."""
    return named_classes(suites, "Suite")


def suite_names() -> list[str]:
    """Names of every suite."""
    return list(suite_classes())


def get_suite(name: str) -> Suite:
    """A suite by its name; hyphens and underscores are one.

    Raises:
        SettingsError: No such suite.
    """
    return by_name(suite_classes(), name, "suite")()
