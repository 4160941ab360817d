"""What a run will take, before it is started: examples, lengths, memory and time. Estimates, and called so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lcbm_model.training.architectures.pixels import stored_in_half
from lcbm_model.training.architectures.registry import architecture_of, get_architecture, read_config
from lcbm_model.training.data import SPLITS, TEXT, Prepared
from lcbm_model.training.settings import Recipe

BYTES_PER_STATE = 34
"""Numbers that one token leaves behind in one block for the backward pass, in widths of the model (measured: 30 to 40
for SmolLM2 with adapters on every linear layer)."""
TEXT_ENCODER_WEIGHTS = 1.06e7
"""Of all-MiniLM-L6-v2 without its word embeddings."""
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
        "rows_left_out": data.manifest.get("rows_left_out", {}),
        "leaks_dropped": data.manifest.get("leaks_dropped", {}),
        "too_long": data.manifest.get("too_long", 0),
        "estimate": estimate(data, recipe, base),
    }


def estimate(data: Prepared, recipe: Recipe, base: Path) -> dict[str, Any]:
    """Rough memory (GB), disk (GB) and time (minutes): on this machine, and on one large GPU. No weights are loaded."""
    import torch

    from lcbm_model.training.state_store import size_on_disk

    sizes = read_sizes(base)
    architecture = get_architecture(recipe.base.architecture)
    layers = sizes.layers
    top = recipe.readout.highest or layers if recipe.reads_frozen else layers
    # Rows that are scored once (heads) or at every evaluation, forward only: 2 operations a weight and token.
    scored = int(data.rows.lengths.sum()) * (0.5 if recipe.optim.share_prefix else 1.0)
    work = 2.0 * sizes.block * top * scored
    kept_layers = 0
    if not recipe.heads_only:
        kept_layers = layers - recipe.lora.first_layer
        below = 0 if recipe.optim.cache_states else recipe.lora.first_layer
        passes = 4 if architecture.recompute else 3  # forward, perhaps again, and twice as much backward
        work += 2.0 * sizes.block * (below + passes * kept_layers) * recipe.optim.steps * recipe.optim.tokens_per_step
    if recipe.text_encoder.rank and data.texts is not None:
        encoder = recipe.text_encoder
        # Both halves' encoders take half of the steps each; who learns from three encoders runs them forward too.
        steps = encoder.steps * (2 if encoder.cross_fit else 1) + 2 * encoder.distil_steps
        work += 2.0 * 3 * TEXT_ENCODER_WEIGHTS * steps * encoder.tokens_per_step
    if architecture.own_eyes and len(data.pictures):
        looked = _pictures_looked_at(data, recipe)
        work += 2.0 * sizes.tower * sizes.patches_per_token * looked
    weights = sizes.bytes_per_weight * (sizes.block * layers + sizes.vocabulary * sizes.width + sizes.tower)
    memory = weights + _state_bytes(data, recipe, sizes, kept_layers, again=architecture.recompute)
    memory += data.pictures.nbytes if architecture.own_eyes else 0
    cached = size_on_disk(data, sizes.width) if recipe.optim.cache_states and not recipe.heads_only else 0
    gpu = torch.cuda.is_available()
    return {
        "device": "gpu" if gpu else "cpu",
        "memory_gb": round(memory / 1e9, 1),
        "disk_gb": round(cached / 1e9, 2),
        "minutes": round(work / (FLOPS_ON_GPU if gpu else _speed()) / 60, 1),
        "minutes_on_gpu": round(work / FLOPS_ON_GPU / 60, 1),
    }


def _pictures_looked_at(data: Prepared, recipe: Recipe) -> float:
    """Picture tokens that the tower makes: once for every scored row that shows one, and for its share of the steps."""
    rows = data.rows
    tokens = np.array(data.manifest.get("picture_tokens") or [0])
    seen = np.where(rows.picture >= 0, tokens[np.maximum(rows.picture, 0)], 0)
    share = seen.sum() / max(1, int(rows.lengths.sum()))
    steps = 0 if recipe.heads_only else recipe.optim.steps * recipe.optim.tokens_per_step
    return float(seen.sum() + share * steps)


def _state_bytes(data: Prepared, recipe: Recipe, sizes: Sizes, kept_layers: int, *, again: bool) -> float:
    """What the tokens of one forward pass leave behind, and the pooled states behind the probes."""
    tokens = min(recipe.optim.micro_tokens, int(data.rows.lengths.sum()))
    per_number = 2 if recipe.run.precision == "bf16" else 4
    # Blocks that run again in the backward pass leave their input; one of them at a time leaves everything.
    held = kept_layers + BYTES_PER_STATE if again else BYTES_PER_STATE * kept_layers
    states = tokens * sizes.width * per_number * (held if kept_layers else 12)
    read = len((*recipe.readout.layers, *recipe.readout.last_layers))
    return states + 2.0 * 4 * recipe.readout.probe_rows * sizes.width * read


@dataclass(frozen=True)
class Sizes:
    """How large a base is: widths, layers, and weights of one block and of the vision tower."""

    width: int
    layers: int
    inner: int
    vocabulary: int
    bytes_per_weight: int = 4
    tower: float = 0.0
    patches_per_token: float = 1.0

    @property
    def block(self) -> float:
        """Weights of one block, upper bound for grouped keys."""
        return 4.0 * self.width**2 + 3.0 * self.width * self.inner


def read_sizes(base: Path) -> Sizes:
    """Sizes from config.json alone; SmolLM2's for a GGUF file, which brings none.

    Raises:
        CheckpointError: config.json cannot be read.
    """
    raw = read_config(base)
    if not architecture_of(str(raw.get("model_type", ""))).own_eyes:
        known = {"hidden_size": 576, "num_hidden_layers": 30, "intermediate_size": 1536, "vocab_size": 49152, **raw}
        return Sizes(*(int(known[k]) for k in ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")))
    from transformers import AutoConfig

    config: Any = AutoConfig.from_pretrained(str(base))  # files name only what differs from the kind's own defaults
    text, vision = config.get_text_config(), config.vision_config
    width = int(getattr(vision, "embed_dim", None) or vision.hidden_size)
    depth = int(getattr(vision, "depth", None) or vision.num_hidden_layers)
    inner = int(getattr(vision, "intermediate_size", None) or width * getattr(vision, "mlp_ratio", 4))
    return Sizes(
        int(text.hidden_size), int(text.num_hidden_layers), int(text.intermediate_size), int(text.vocab_size),
        bytes_per_weight=2 if stored_in_half(raw) else 4,
        tower=depth * (4.0 * width**2 + 3.0 * width * inner),
        patches_per_token=float(getattr(vision, "spatial_merge_size", 1) ** 2),
    )  # fmt: skip


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
