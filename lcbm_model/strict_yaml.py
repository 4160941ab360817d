"""YAML that people wrote, read strictly: a key that stands twice is a mistake, not a choice of the second."""

from __future__ import annotations

from typing import Any

import yaml


class _Strict(yaml.SafeLoader):
    """`SafeLoader` that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
            if name and name != "<<":
                seen.add(name)
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> Any:
    """What `yaml.safe_load` gives.

    Raises:
        yaml.YAMLError: It is no YAML, or a key stands twice in one mapping.
    """
    return yaml.load(text, Loader=_Strict)
