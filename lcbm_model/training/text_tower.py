"""Tunes the text encoder beside the language model: low-rank updates and one head a metric, on comparisons alone.

It reads the candidate's words, perhaps behind a format and a title, and nothing else, so that a step costs a tenth of
one through the language model. The same Bradley-Terry loss, mix, halves and validation figures as everywhere; resumes
exactly.
Legend: B rows, M metrics, E width of the encoder.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lcbm_model.backbone.text_encoder import CPU, TARGETS, text_encoder_hash, untuned_text_encoder
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.training.checkpoint import TrainState, load_state, save_state
from lcbm_model.training.collate import Ints, MixSampler
from lcbm_model.training.data import TEXT, Prepared
from lcbm_model.training.evaluate import group_figures
from lcbm_model.training.learned import averaged, copy_of, rate_at, restore
from lcbm_model.training.losses import pair_loss
from lcbm_model.training.selection import check_selection, pick_rows, selection_score, sources_of
from lcbm_model.training.settings import Recipe, TextEncoderSettings

Report = Callable[[dict[str, Any]], None]
_AT_ONCE = 64
"""Texts of one pass: of like lengths, so that little is padded."""


class TextTower(nn.Module):
    """The encoder with low-rank updates, and a linear head (M, E) on its vectors."""

    def __init__(
        self, data: Prepared, recipe: Recipe, *, folder: Path | None = None, device: torch.device = CPU
    ) -> None:
        """Start untuned: the updates change nothing yet, the heads say nothing.

        Args:
            folder: Of the encoder's weights; None: the packaged one.

        Raises:
            CheckpointError: No encoder there.
            SettingsError: The folder was prepared for another one, or without texts.
        """
        super().__init__()
        from peft import LoraConfig, inject_adapter_in_model

        settings = recipe.text_encoder
        self.base_hash = text_encoder_hash(folder)
        if data.texts is None or data.manifest.get("text_encoder") != self.base_hash:
            raise SettingsError("text_encoder", "was not prepared for this encoder", remedy="Prepare the data again")
        _check_prepared(data, settings)
        self.texts = data.texts
        self.encoder = untuned_text_encoder(max_tokens=settings.max_tokens, folder=folder, device=device)
        model: Any = self.encoder.model
        if device.type == "cpu":  # forward and back a third faster there than the fused kernel
            model.set_attn_implementation("eager")
        config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(TARGETS))
        torch.manual_seed(recipe.run.seed)
        inject_adapter_in_model(config, self.encoder.model)
        self.head = nn.Parameter(torch.zeros(len(data.metrics), self.encoder.width))

    def forward(self, rows: Ints, metric: Tensor) -> Tensor:
        """Utilities (B,) of rows."""
        return (self.vectors(rows) * self.head[metric]).sum(-1)

    def vectors(self, rows: Ints) -> Tensor:
        """Vectors (B, E) of rows, with their graph."""
        order = np.argsort(self.texts.lengths[rows], kind="stable")
        parts = np.split(rows[order], range(_AT_ONCE, len(rows), _AT_ONCE))
        vectors = torch.cat([self.encoder([self.texts[row] for row in part.tolist()]) for part in parts])
        return vectors[torch.from_numpy(np.argsort(order)).to(vectors.device)]

    def states(self, rows: Ints) -> Tensor:
        """Vectors (B, E) of rows, on the CPU."""
        return self.encoder.embed([self.texts[row] for row in rows.tolist()])

    def trainable(self) -> dict[str, Tensor]:
        """What learns, by name."""
        return {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}

    def updates(self) -> dict[str, Tensor]:
        """The low-rank updates by the names that checkpoints use."""
        prefix = "encoder.model."
        found = self.trainable()
        return {n.removeprefix(prefix).replace(".default.", "."): p for n, p in found.items() if n.startswith(prefix)}

    def round(self) -> None:
        """Round the updates to the bfloat16 they are stored in, so that figures are those of the files."""
        with torch.no_grad():
            for parameter in self.updates().values():
                parameter.copy_(parameter.to(torch.bfloat16))


def _check_prepared(data: Prepared, settings: TextEncoderSettings) -> None:
    """What was read when the data was prepared is what the encoder gets, whatever a run states."""
    recipe = data.manifest.get("recipe", {}).get("text_encoder", {})
    for name, default in (("reads", "words"), ("max_tokens", settings.max_tokens)):
        if (prepared := recipe.get(name, default)) != (wanted := getattr(settings, name)):
            remedy = "Prepare the data again"
            raise SettingsError(f"text_encoder.{name}", f"was prepared as {prepared!r}", value=wanted, remedy=remedy)


def fit_text_tower(
    data: Prepared,
    recipe: Recipe,
    out: Path,
    *,
    device: torch.device,
    folder: Path | None = None,
    resume: bool = False,
    save: bool = True,
    write: bool = True,
    report: Report = lambda event: None,
    run: Callable[..., TowerRun] | None = None,
) -> tuple[TextTower, TrainState]:
    """Tune the encoder of a recipe; the best step on validation is what comes back.

    Args:
        out: Keeps the state of an unfinished run.
        folder: Of the encoder's weights; None: the packaged one.
        write: Whether this process writes that state: of several that tune the same encoder one does.
        run: Another way to learn than from comparisons, made from the arguments of a `TowerRun`.

    Raises:
        SettingsError: The data was not prepared for it, or `run.select_on` weighs nothing that it learns from.
        BackendError: The loss became NaN; the state before that step is kept.
    """
    tower = TextTower(data, recipe, folder=folder, device=device).to(device)
    learning = (run or TowerRun)(tower, data, recipe, out if save else None, report)
    learning.writes = write
    learning.fit(resume=resume)
    tower.round()
    return tower.eval(), learning.state


class TowerRun:
    """Tunes one encoder, by default on comparisons; what else it learns from, a subclass says in `loss`.

    Args:
        folder: Keeps the state of an unfinished run; None: nothing is kept.
    """

    title = "text encoder"
    """As logs and plots name it."""
    term = "pairs"
    """What its loss is called there."""
    writes = True
    """Whether the state of the unfinished run is kept by this process, or only read."""

    def __init__(self, tower: TextTower, data: Prepared, recipe: Recipe, folder: Path | None, report: Report) -> None:
        self.tower, self.data, self.recipe, self.folder, self.report = tower, data, recipe, folder, report
        self.settings, self.state = recipe.text_encoder, TrainState()
        self.device = tower.head.device
        rows = data.select(split="train", half=recipe.run.half, fraction=recipe.run.fraction)
        rows = rows[data.rows.metric[rows] != TEXT]
        mix = self.settings.mix or {name: share for name, share in recipe.run.mix.items() if name in data.sources}
        if unknown := sorted(set(mix) - set(data.sources)):
            remedy = f"Known: {', '.join(data.sources)}"
            raise SettingsError("text_encoder: mix", "names a source without rows", value=unknown[0], remedy=remedy)
        mix = {name: share for name, share in mix.items() if (data.rows.source[rows] == data.sources.index(name)).any()}
        self.learned = set(mix)
        self.rows = rows[np.isin(data.rows.source[rows], [data.sources.index(name) for name in mix])]
        check_selection(recipe.run.select_on, data.sources, sources_of(self._held()))
        self.sampler = MixSampler(
            data,
            rows,
            mix,
            tokens=self.settings.tokens_per_step,
            lengths=tower.texts.lengths,
            size=self.settings.group_size,
            seed=recipe.run.seed,
        )
        learned = tower.trainable()
        groups = [
            ([p for n, p in learned.items() if n != "head"], self.settings.lr),
            ([tower.head], self.settings.head_lr),
        ]
        self.optimizer = torch.optim.AdamW(
            [{"params": found, "lr": rate, "base_lr": rate} for found, rate in groups],
            weight_decay=recipe.optim.weight_decay,
        )
        self.average: dict[str, Tensor] = {}

    def start(self) -> None:
        """Where the weights begin; by default untuned."""

    def fit(self, *, resume: bool) -> None:
        """All steps; the tower ends with the weights that were best on validation.

        Raises:
            BackendError: The loss became NaN; the state before that step is kept.
        """
        self.start()
        learned = self.tower.trainable()
        if resume and self.folder is not None and (found := load_state(self.folder, self.optimizer, learned)):
            self.state, weights, self.average = found
            restore(learned, weights)
        began = time.monotonic()
        while self.state.step < self.settings.steps and not self.state.stopped:
            loss = self._step()
            self.state.step += 1
            last = self.state.step == self.settings.steps
            if self.state.step % 10 == 0 or last:
                seconds = round(time.monotonic() - began, 1)
                self._tell({"of": self.settings.steps, self.term: round(loss, 5), "seconds": seconds})
            if self.state.step % self.settings.eval_every == 0 or last:
                self._evaluate()
                self._save()
        if self.state.best:
            restore(self.tower.trainable(), self.state.best)

    def _step(self) -> float:
        number = self.state.step
        scale = rate_at(number, total=self.settings.steps, warmup=self.recipe.optim.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * scale
        self.tower.train()
        # Dropout belongs to pretraining; so few weights learn here that it only adds noise.
        self.tower.encoder.eval()
        loss = self.loss(number)
        found = float(loss.detach())
        if not math.isfinite(found):
            self._save()
            raise BackendError(
                f"the text encoder's loss is not finite at step {number + 1}: training stopped; the state before it is "
                "kept. Lower text_encoder.lr, or look for broken rows"
            )
        loss.backward()
        nn.utils.clip_grad_norm_(self.tower.trainable().values(), self.recipe.optim.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average = averaged(self.average, self.tower.trainable(), step=self.state.step, decay=self.recipe.optim.ema)
        return found

    def loss(self, number: int) -> Tensor:
        """Pair loss over the chunks of step `number` (0-based)."""
        chunks = self.sampler.step(number)
        rows = np.concatenate(chunks)
        of, data = torch.from_numpy, self.data.rows
        chunk = of(np.repeat(np.arange(len(chunks)), [len(part) for part in chunks])).to(self.device)
        value, noise = (of(column[rows]).to(self.device) for column in (data.value, data.noise))
        with self.half():
            utility = self.tower(rows, of(data.metric[rows].astype(np.int64)).to(self.device))
        return pair_loss(utility.float(), value, noise, chunk)

    def half(self) -> contextlib.AbstractContextManager[Any]:
        """bfloat16 where the recipe asks for it."""
        enabled = self.recipe.run.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)

    def _held(self) -> dict[str, Ints]:
        """Validation rows by 'source/metric' of the sources it learns from."""
        found = pick_rows(self.data, "validation", self.recipe.run.eval_rows)
        return {name: rows for name, rows in found.items() if name.split("/")[0] in self.learned}

    def _evaluate(self) -> None:
        kept = copy_of(self.tower.trainable())
        restore(self.tower.trainable(), self.average)
        figures = {}
        for name, rows in self._held().items():
            metric = int(self.data.rows.metric[rows[0]])
            with self.half():
                states = self.tower.states(rows)
            figures[f"{name}/text"] = group_figures(
                self.data.rows, rows, (states @ self.tower.head[metric].detach().cpu()).double().numpy()
            )
        score = selection_score(figures, self.recipe.run.select_on)
        weights = copy_of(self.tower.trainable())
        self.state.judge(score, weights, patience=self.recipe.run.patience)
        restore(self.tower.trainable(), kept)
        self._tell({"validation": figures, "selection": None if score is None else round(score, 5)})

    def _tell(self, event: dict[str, Any]) -> None:
        self.report({"tower": self.title, "step": self.state.step, **event})

    def _save(self) -> None:
        if self.folder is not None and self.writes:
            save_state(self.folder, self.state, copy_of(self.tower.trainable()), self.average, self.optimizer)
