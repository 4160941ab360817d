"""Reads a recipe: YAML, `key=value` overrides, unknown keys, types and ranges."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lcbm_model.errors import SettingsError
from lcbm_model.strict_yaml import read_yaml
from lcbm_model.training.settings import Recipe


def load_recipe(path: Path, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe and apply `key=value` overrides (`optim.lr=1e-4`).

    Raises:
        SettingsError: No such file, no mapping in it, an unknown key or a value of the wrong type.
    """
    import yaml

    try:
        raw = read_yaml(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(str(path), "no such file", remedy="Give the path of a recipe, a YAML file") from error
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: other bytes than UTF-8, a date that is none
        raise SettingsError(str(path), "cannot be read as YAML", value=str(error)) from error
    if not isinstance(raw, dict):
        raise SettingsError(str(path), "a recipe must be a mapping of settings", value=raw)
    return recipe_from(override(raw, overrides or {}), where=str(path))


def override(raw: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    """A copy of nested settings with dotted keys replaced; values are read as YAML.

    Raises:
        SettingsError: A value that is no YAML, or a key below a value.
    """
    import yaml

    merged = _deep_copy(raw)
    for key, text in overrides.items():
        node = merged
        *parents, last = key.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise SettingsError(key, f"{parent!r} is a value, not a group of settings", value=node)
        try:
            value = yaml.safe_load(text) if isinstance(text, str) else text
        except (ValueError, yaml.YAMLError) as error:
            remedy = f"Text with special signs needs quotes of its own: '{key}=\"...\"'"
            raise SettingsError(key, "cannot be read as YAML", value=text, remedy=remedy) from error
        # YAML 1.1 reads 1e-4 (no dot) as text; a person means the number.
        node[last] = _number(value) if isinstance(value, str) else value
    return merged


def recipe_from(raw: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """Build and check a recipe from nested mappings.

    Raises:
        SettingsError: Names the key, the value met and what is allowed.
    """
    try:
        from pydantic import TypeAdapter, ValidationError
    except ImportError:
        return _build_plain(raw, where)
    try:
        return check_ranges(TypeAdapter(Recipe).validate_python(_numbers(raw)), where)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        problem = "unknown key" if first["type"] in ("unexpected_keyword_argument", "extra_forbidden") else first["msg"]
        raise SettingsError(f"{where}: {key}", problem, value=first["input"], remedy=_known_keys(key)) from error


def _build_plain(raw: Mapping[str, Any], where: str) -> Recipe:
    groups: dict[str, Any] = {}
    classes: dict[str, Any] = {f.name: f.default_factory for f in dataclasses.fields(Recipe)}
    for name, values in _numbers(raw).items():
        if name not in classes:
            raise SettingsError(f"{where}: {name}", "unknown key", value=values, remedy=_known_keys(name))
        kinds = {f.name: f for f in dataclasses.fields(classes[name])}
        unknown = sorted(set(values) - set(kinds))
        if unknown:
            key = f"{name}.{unknown[0]}"
            raise SettingsError(f"{where}: {key}", "unknown key", value=values[unknown[0]], remedy=_known_keys(key))
        tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        groups[name] = classes[name](**tuples)
    return check_ranges(Recipe(**groups), where)


_LEAST: dict[str, float] = {
    "data.max_held": 1, "data.max_length": 1, "data.text_examples": 0, "data.context_examples": 0, "lora.rank": 0,
    "data.max_records": 0, "lora.first_layer": 0, "optim.steps": 0, "optim.tokens_per_step": 1, "optim.micro_tokens": 1,
    "optim.group_size": 2, "optim.clip": 0, "optim.weight_decay": 0, "readout.probe_rows": 1, "run.eval_every": 1,
    "readout.probe_rows_of": 1, "readout.probe_l2": 0, "readout.probe_group": 2, "text_encoder.group_size": 2,
    "run.seed": 0, "run.threads": 1, "run.mix": 0, "run.select_on": 0, "text_encoder.mix": 0,
    "run.eval_rows": 1, "run.final_rows": 1, "run.patience": 1, "run.save_every": 0, "loss.bins": 0, "loss.pairs": 0,
    "loss.pairs_bins": 0, "loss.value": 0, "loss.text": 0, "text_encoder.rank": 0, "text_encoder.max_tokens": 3,
    "text_encoder.steps": 1, "text_encoder.tokens_per_step": 1, "text_encoder.eval_every": 1,
    "text_encoder.distil_steps": 0,
    "readout.kernel": 0, "readout.kernel_rank": 1,
}  # fmt: skip
_SHARES = ("data.picture_share", "lora.dropout", "optim.warmup", "optim.ema", "loss.most_reliable")
_POSITIVE = (
    "lora.alpha", "optim.lr", "optim.head_lr", "optim.connector_lr", "run.fraction", "text_encoder.alpha",
    "text_encoder.lr", "text_encoder.head_lr", "readout.kernel_width",
)  # fmt: skip


def check_ranges(recipe: Recipe, where: str) -> Recipe:
    """The recipe itself.

    Raises:
        SettingsError: A number outside its range, no penalty for the probe that heads start from, or an encoder that
            is to learn from halves that nobody tunes.
    """
    numbers = partial(_numbers_of, recipe)
    rules = [(n, v, v >= least, f"must be at least {least}") for k, least in _LEAST.items() for n, v in numbers(k)]
    rules += [(n, v, 0 <= v <= 1, "must lie from 0 to 1") for key in _SHARES for n, v in numbers(key)]
    rules += [(n, v, v > 0, "must be above 0") for key in _POSITIVE for n, v in numbers(key)]
    rules += [(n, v, v <= 1, "must be at most 1") for n, v in numbers("run.fraction")]
    for name, value, fine, problem in rules:
        if not fine or not math.isfinite(value):
            raise SettingsError(f"{where}: {name}", problem if not fine else "must be finite", value=value)
    if recipe.readout.init == "probe" and not recipe.readout.probe_l2:
        remedy = "Name a penalty, or start without a probe: readout.init: zero"
        raise SettingsError(f"{where}: readout.probe_l2", "holds no penalty for the probe", value=[], remedy=remedy)
    read = recipe.text_encoder
    if read.distil_steps and not read.cross_fit:
        remedy = "Switch text_encoder.cross_fit on, or distil_steps to 0"
        problem = "needs the encoders of both halves"
        raise SettingsError(f"{where}: text_encoder.distil_steps", problem, value=read.distil_steps, remedy=remedy)
    return recipe


def _numbers_of(recipe: Recipe, key: str) -> list[tuple[str, float]]:
    """Numbers of a setting by their keys: each of a mapping or list, none of a setting that is left out."""
    group, name = key.split(".")
    found = getattr(getattr(recipe, group), name)
    if isinstance(found, Mapping):
        return [(f"{key}.{entry}", float(number)) for entry, number in found.items()]
    if isinstance(found, tuple):
        return [(key, float(number)) for number in found]
    return [] if found is None else [(key, float(found))]


def _known_keys(key: str) -> str:
    group = key.split(".")[0]
    classes: dict[str, Any] = {f.name: f.default_factory for f in dataclasses.fields(Recipe)}
    if group not in classes:
        return f"Known groups: {', '.join(classes)}"
    return f"Known keys of {group!r}: {', '.join(f.name for f in dataclasses.fields(classes[group]))}"


def _numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _numbers(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(v) for v in value]
    return _number(value) if isinstance(value, str) else value


def _number(text: str) -> Any:
    try:
        return float(text) if "e" in text.lower() and any(c.isdigit() for c in text) else text
    except ValueError:
        return text


def _deep_copy(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _deep_copy(v) if isinstance(v, Mapping) else v for k, v in raw.items()}
