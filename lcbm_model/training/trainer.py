"""The training loop: mixed steps, gradient accumulation, early stop, averaged weights, resume, several GPUs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from lcbm_model.backbone.runtime import is_out_of_memory
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.training import losses
from lcbm_model.training.checkpoint import TrainState, load_state, save_state
from lcbm_model.training.collate import Batch, Collator, Ints, MixSampler, micro_batches
from lcbm_model.training.data import TEXT, Prepared
from lcbm_model.training.evaluate import group_figures
from lcbm_model.training.learned import averaged, copy_of, rate_at, restore
from lcbm_model.training.likelihood import held_texts, text_figures
from lcbm_model.training.model import BehaviorModel, Readout, half_precision
from lcbm_model.training.scoring import score_rows
from lcbm_model.training.selection import ANSWERS, check_held, check_selection, pick_rows, selection_score, sources_of
from lcbm_model.training.settings import WORDS, Recipe

Report = Callable[[dict[str, Any]], None]


class Trainer:
    """One run. `fit` trains and leaves the best weights in the model."""

    def __init__(
        self,
        model: BehaviorModel,
        data: Prepared,
        recipe: Recipe,
        *,
        collator: Collator,
        accelerator: Accelerator,
        folder: Path | None = None,
        report: Report | None = None,
    ) -> None:
        """Refuse what a run would spend its time on in vain.

        Raises:
            SettingsError: Nothing to learn from or to judge by, or a mix or weights that name nothing of the data.
        """
        data.check()
        if recipe.learns_nothing:
            remedy = "Raise loss.pairs, or leave nothing but text in run.mix and raise loss.text"
            raise SettingsError("loss", "no term learns from what run.mix shows", value=recipe.run.mix, remedy=remedy)
        check_selection(recipe.run.select_on, data.sources, sources_of(validation_rows(data, recipe)))
        if not recipe.reads_frozen or recipe.digits:
            check_held(data)
        self.model, self.data, self.recipe = model, data, recipe
        self._collator, self._accelerator, self._folder = collator, accelerator, folder
        self._report = report or (lambda event: None)
        run, optim = recipe.run, recipe.optim
        rows = data.select(split="train", half=run.half, fraction=run.fraction)
        self._sampler = MixSampler(
            data, rows, run.mix,
            tokens=optim.tokens_per_step, size=optim.group_size, seed=run.seed, alike=optim.share_prefix,
        )  # fmt: skip
        self._sources = torch.from_numpy(data.rows.source.astype(np.int64)).to(collator.device)
        self._optimizer = torch.optim.AdamW(self._parameter_groups(), betas=(0.9, 0.98))
        self._wrapped, self._optimizer = accelerator.prepare(model, self._optimizer)
        self.state = TrainState()
        self._average: dict[str, Tensor] = {}

    def resume(self) -> bool:
        """Go back to where a killed run saved its state; False where nothing was saved yet.

        Raises:
            CheckpointError: The state is damaged or belongs to another set of parameters.
        """
        found = load_state(self._folder, self._optimizer, self._collator.device) if self._folder is not None else None
        if found is not None:
            self.state, weights, self._average = found
            restore(self.model.trainable(), weights)
        return found is not None

    def fit(self) -> TrainState:
        """Train to the last step or until validation stops improving.

        Raises:
            BackendError: The loss became NaN. The state before that step is saved.
        """
        started, tokens = time.monotonic(), 0
        with half_precision(self.model, self._collator.device.type, enabled=self.recipe.run.precision == "bf16"):
            while self.state.step < self.recipe.optim.steps and not self.state.stopped:
                terms, seen = self._step(self.state.step)
                tokens += seen
                self.state.step += 1
                self._after_step(terms, tokens / (time.monotonic() - started))
        if self.state.best:
            restore(self.model.trainable(), self.state.best)
        return self.state

    def _after_step(self, terms: dict[str, float], speed: float) -> None:
        run, step = self.recipe.run, self.state.step
        last = step == self.recipe.optim.steps
        if step % 10 == 0 or last:
            self._report({"step": step, "tokens_per_second": round(speed), **terms})
        if step % run.eval_every == 0 or last:
            self.evaluate()
        due = run.save_every > 0 and (step % run.save_every == 0 or last or self.state.stopped)
        if self._folder is not None and due:
            save_state(self._folder, self.state, copy_of(self.model.trainable()), self._average, self._optimizer)

    def evaluate(self) -> float:
        """Validation figures with the averaged weights; remembers the best weights and decides when to stop."""
        kept = copy_of(self.model.trainable())
        if self._average:
            restore(self.model.trainable(), self._average)
        figures = validation_figures(self.model, self.data, self._collator, self.recipe)
        score = selection_score(figures, self.recipe.run.select_on)
        weights = copy_of(self.model.trainable())
        self.state.judge(score if figures else None, weights, patience=self.recipe.run.patience)
        restore(self.model.trainable(), kept)
        self._report({"step": self.state.step, "validation": figures, "selection": round(score, 5)})
        return score

    def _step(self, number: int) -> tuple[dict[str, float], int]:
        optim, accelerator = self.recipe.optim, self._accelerator
        # Seeded per step, so that dropout too is the same in a resumed run.
        torch.manual_seed(self.recipe.run.seed * 1_000_003 + number)
        rows_total = sum(len(chunk) for chunk in self._chunks(number, accelerator.process_index))
        self._model_train()
        scale = rate_at(number, total=optim.steps, warmup=optim.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = group["base_lr"] * scale
        sums: dict[str, Tensor] = {}
        seen = 0
        for rows, chunk, counts in self._passes(number):
            batch = self._collator.batch(rows, chunk)
            out = self._wrapped(batch, bins=self.recipe.digits or batch.has_text)
            terms = self._losses(out, batch)
            share = counts * len(rows) / rows_total
            accelerator.backward(sum(terms.values()) * share)
            seen += int(self._collator.lengths[rows].sum())
            for name, value in terms.items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value.detach() * share
        # One transfer a step: reading every term on its own would stall the device.
        found = dict(zip(sums, torch.stack(list(sums.values())).tolist(), strict=True))
        if not all(math.isfinite(v) for v in found.values()):
            if self._folder is not None:  # no weight was changed by this step
                save_state(self._folder, self.state, copy_of(self.model.trainable()), self._average, self._optimizer)
            raise BackendError(
                f"the loss is not finite at step {number + 1} ({found}): training stopped, and the state of step "
                f"{number} is kept. Lower optim.lr, or look for broken rows"
            )
        accelerator.clip_grad_norm_(self.model.trainable().values(), optim.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._update_average()
        return {name: round(value, 5) for name, value in found.items()}, seen

    def _chunks(self, number: int, process: int) -> list[Ints]:
        """What one process sees in a step.

        Raises:
            SettingsError: `optim.tokens_per_step` is too small for this many processes.
        """
        chunks = self._sampler.step(number)[process :: self._accelerator.num_processes]
        if not chunks:
            tokens = self.recipe.optim.tokens_per_step
            raise SettingsError("optim.tokens_per_step", "too small for this many processes", value=tokens)
        return chunks

    def _passes(self, number: int) -> Iterator[tuple[Ints, Ints, bool]]:
        """Forward passes of this process: rows, chunk numbers, and whether they count.

        Processes wait for each other in every pass, so all make as many as the one with most; what is too much of a
        step is done with a weight of nothing.
        """
        own, most = self._accelerator.process_index, 0
        found: list[tuple[Ints, Ints]] = []
        for process in range(self._accelerator.num_processes):
            chunks = self._chunks(number, process)
            begun = self._collator.beginnings(np.concatenate(chunks))
            passes = list(micro_batches(chunks, *begun, self.recipe.optim.micro_tokens))
            most = max(most, len(passes))
            if process == own:
                found = passes
        for place in range(most):
            rows, chunk = found[min(place, len(found) - 1)]
            yield rows, chunk, place < len(found)

    def _losses(self, out: Readout, batch: Batch) -> dict[str, Tensor]:
        weights = self.recipe.loss
        asked = batch.metric != TEXT
        weight = batch.weight * asked
        reliability = batch.reliability.clamp_max(weights.most_reliable)

        def expected() -> Tensor:
            return losses.expected_percentile(out.bins.float())

        pairs = (
            batch.value,
            batch.noise,
            torch.where(asked, batch.chunk, -1 - torch.arange(len(asked), device=asked.device)),
        )
        terms = {
            "bins": (weights.bins, lambda: losses.bins_loss(out.bins.float(), batch.percentile, reliability, weight)),
            "value": (weights.value, lambda: losses.value_loss(out.bins.float(), batch.percentile, weight)),
            "pairs": (weights.pairs, lambda: losses.pair_loss(out.utility.float(), *pairs)),
            "pairs_bins": (
                weights.pairs_bins,
                lambda: losses.pair_loss(losses.expected_percentile(out.bins.float()) / 10, *pairs),
            ),
        }
        told = {name for name in terms if name == "pairs" or len(out.bins)}
        found = {name: factor * term() for name, (factor, term) in terms.items() if factor > 0 and name in told}
        if batch.has_text and weights.text > 0:
            found["text"] = weights.text * losses.text_loss(out.text_logits, out.text_targets)
        return found

    def _parameter_groups(self) -> list[dict[str, Any]]:
        optim = self.recipe.optim
        groups: dict[str, list[Tensor]] = {"lora": [], "connector": [], "head": []}
        for name, parameter in self.model.trainable().items():
            kind = "connector" if name.startswith("connector") else "head" if name.startswith("head") else "lora"
            groups[kind].append(parameter)
        rates = {"lora": optim.lr, "connector": optim.connector_lr, "head": optim.head_lr}
        return [
            {"params": found, "lr": rates[kind], "base_lr": rates[kind], "weight_decay": optim.weight_decay}
            for kind, found in groups.items()
            if found
        ]

    def _update_average(self) -> None:
        decay = self.recipe.optim.ema
        if decay > 0:
            self._average = averaged(self._average, self.model.trainable(), step=self.state.step, decay=decay)

    def _model_train(self) -> None:
        self.model.train()


def validation_rows(data: Prepared, recipe: Recipe) -> dict[str, Ints]:
    """Rows that steps are chosen by: of each 'source/metric', and of the texts taught as 'text/answers'."""
    limit = recipe.run.eval_rows
    rows = {} if recipe.scores_stay else pick_rows(data, "validation", limit)
    texts = held_texts(data, limit)
    if len(texts) and recipe.loss.text > 0 and any(recipe.run.mix.get(source, 0) > 0 for source in WORDS):
        rows[f"{ANSWERS}/answers"] = texts
    return rows


def validation_figures(
    model: BehaviorModel, data: Prepared, collator: Collator, recipe: Recipe
) -> dict[str, dict[str, float]]:
    """Figures on validation by 'source/metric', for the bins and the value head each, and of the texts taught."""
    rows = validation_rows(data, recipe)
    texts = rows.pop(f"{ANSWERS}/answers", None)
    bf16, budget = recipe.run.precision == "bf16", recipe.optim.micro_tokens
    figures: dict[str, dict[str, float]] = {}
    for name, chosen in rows.items():
        scores = score_rows(
            model, collator, chosen,
            budget=budget, pooled=collator.frozen is not None, bins=recipe.digits, bf16=bf16, cached=True,
        )  # fmt: skip
        if recipe.digits:
            expected = scores.bins @ (np.arange(scores.bins.shape[1]) + 0.5)
            figures[f"{name}/bins"] = group_figures(data.rows, chosen, expected.astype(np.float64))
        figures[f"{name}/head"] = group_figures(data.rows, chosen, scores.utility.astype(np.float64))
    if texts is not None:
        figures[f"{ANSWERS}/answers/words"] = text_figures(model, collator, texts, budget=budget, bf16=bf16)
    return figures


@contextmanager
def told_memory() -> Iterator[None]:
    """Says which setting to lower where memory runs out.

    Raises:
        BackendError: It did.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise BackendError(
            "memory ran out: lower optim.micro_tokens (tokens of one forward pass), then data.max_length or "
            "readout.probe_rows"
        ) from error


def write_log(path: Path) -> Report:
    """A report function that appends JSON lines."""

    def report(event: dict[str, Any]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    return report
