"""What a run will take, before it is started: examples, lengths, memory and time. Estimates, and called so."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from lcbm_model.training.data import SPLITS, TEXT, Prepared
from lcbm_model.training.settings import Recipe

BYTES_PER_STATE = 34
"""Numbers that one token leaves behind in one block for the backward pass, in widths of the model (measured: 30 to 40
for SmolLM2 with adapters on every linear layer)."""
FLOPS_ON_GPU = 1.5e14
"""What a large data-centre GPU really does in bfloat16, floating-point operations a second."""


def describe(data: Prepared, recipe: Recipe, base: Path) -> dict[str, Any]:
    """Examples by task, length quantiles, supervised tokens, and estimates of memory and time.

    Args:
        base: Folder of the base, whose config.json tells its size.
    """
    rows = data.rows
    examples = {}
    for s, source in enumerate(data.sources):
        for m, metric in [(TEXT, "words"), *enumerate(data.metrics)]:
            own = (rows.source == s) & (rows.metric == m)
            if own.any():
                counts = {name: int((own & (rows.split == i)).sum()) for i, name in enumerate(SPLITS)}
                examples[f"{source}/{metric}"] = counts
    quantiles = np.quantile(rows.lengths, (0.05, 0.5, 0.95, 1.0)).astype(int).tolist()
    train = rows.split == 0
    answers = np.where(rows.metric == TEXT, rows.lengths - rows.target_start, 1)
    return {
        "examples": examples,
        "tokens": dict(zip(("p5", "p50", "p95", "longest"), quantiles, strict=True)),
        "supervised_tokens": int(answers[train].sum()),
        "pictures": len(data.pictures),
        "leaks_dropped": data.manifest.get("leaks_dropped", {}),
        "too_long": data.manifest.get("too_long", 0),
        "estimate": estimate(data, recipe, base),
    }


def estimate(data: Prepared, recipe: Recipe, base: Path) -> dict[str, Any]:
    """Rough memory (GB), disk (GB) and time (minutes) on this machine's processor or GPU."""
    import torch

    from lcbm_model.training.state_store import size_on_disk

    config = _config(base)
    width, layers = int(config["hidden_size"]), int(config["num_hidden_layers"])
    inner = int(config.get("intermediate_size", 4 * width))
    block = 4 * width * width + 3 * width * inner  # weights of one block, upper bound for grouped keys
    gpu = torch.cuda.is_available()
    speed = FLOPS_ON_GPU if gpu else _speed()
    read = max((*recipe.readout.layers, *recipe.readout.last_layers), default=layers)
    heads_only = recipe.heads_only
    top = read if heads_only else layers
    # Rows that are scored once (heads) or at every evaluation, forward only: 2 operations a weight and token.
    scored = int(data.rows.lengths.sum()) * (0.5 if recipe.optim.share_prefix else 1.0)
    work = 2.0 * block * top * scored
    kept_layers = 0
    if not heads_only:
        kept_layers = layers - recipe.lora.first_layer
        below = 0 if recipe.optim.cache_states else recipe.lora.first_layer
        per_token = 2.0 * block * (below + 3 * kept_layers)
        work += per_token * recipe.optim.steps * recipe.optim.tokens_per_step
    weights = 4.0 * (block * layers + int(config.get("vocab_size", 0)) * width)
    tokens = min(recipe.optim.micro_tokens, int(data.rows.lengths.sum()))
    per_number = 2 if recipe.run.precision == "bf16" else 4
    states = tokens * width * per_number * (BYTES_PER_STATE * kept_layers if kept_layers else 12)
    pooled = 2.0 * 4 * recipe.readout.probe_rows * width * len((*recipe.readout.layers, *recipe.readout.last_layers))
    cached = size_on_disk(data, width) if recipe.optim.cache_states and not heads_only else 0
    return {
        "device": "gpu" if gpu else "cpu",
        "memory_gb": round((weights + states + pooled) / 1e9, 1),
        "disk_gb": round(cached / 1e9, 2),
        "minutes": round(work / speed / 60, 1),
    }


def _speed() -> float:
    """Floating-point operations a second of this processor: a product of matrices timed for a tenth of a second."""
    import torch

    left, right = torch.rand(512, 576), torch.rand(576, 1536)
    left @ right
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < 0.1:
        left @ right
        done += 1
    peak = done * 2 * left.shape[0] * left.shape[1] * right.shape[1] / (time.perf_counter() - started)
    return 0.4 * peak  # attention, norms and small batches take the rest


def _config(base: Path) -> dict[str, Any]:
    path = base / "config.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    found = found.get("text_config", found)
    return {"hidden_size": 576, "num_hidden_layers": 30, "intermediate_size": 1536, **found}
