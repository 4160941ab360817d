"""The training loop: mixed steps, gradient accumulation, early stop, averaged weights, resume, several GPUs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

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


TERMS = ("bins", "value", "pairs", "pairs_bins", "text")
"""Terms of the loss, as logs name them."""


@dataclass(frozen=True)
class Pass:
    """One forward pass of a step: rows (B,), the comparison (B,) each belongs to, whether it counts, and whether it
    goes through all blocks."""

    rows: Ints
    chunk: Ints
    counts: bool
    to_the_end: bool


class Trainer:
    """One run. `fit` trains and leaves the best weights in the model."""

    def __init__(
        self,
        model: BehaviorModel,
        data: Prepared,
        recipe: Recipe,
        *,
        collator: Collator,
        folder: Path | None = None,
        report: Report | None = None,
    ) -> None:
        """Refuse what a run would spend its time on in vain; spread the model over the collator's processes.

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
        self._collator, self._processes, self._folder = collator, collator.processes, folder
        self._report = report or (lambda event: None)
        run, optim = recipe.run, recipe.optim
        rows = data.select(split="train", half=run.half, fraction=run.fraction)
        self._sampler = MixSampler(
            data, rows, run.mix,
            tokens=optim.tokens_per_step, size=optim.group_size, seed=run.seed, alike=optim.share_prefix,
        )  # fmt: skip
        self._sources = torch.from_numpy(data.rows.source.astype(np.int64)).to(collator.device)
        self._processes.spread(model)
        self._optimizer = torch.optim.AdamW(self._parameter_groups(), betas=(0.9, 0.98))
        self.state = TrainState()
        self._average: dict[str, Tensor] = {}

    def resume(self) -> bool:
        """Go back to where a killed run saved its state; False where nothing was saved yet.

        Raises:
            CheckpointError: The state is damaged or belongs to another set of parameters.
        """
        found = load_state(self._folder, self._optimizer, self.model.trainable()) if self._folder is not None else None
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
        if due:
            self._save()

    def evaluate(self) -> float | None:
        """Validation figures with the averaged weights; remembers the best weights and decides when to stop.

        Returns:
            The figure that steps are chosen by; None where validation measures nothing, and the latest weights count.
        """
        kept = copy_of(self.model.trainable())
        if self._average:
            restore(self.model.trainable(), self._average)
        figures = validation_figures(self.model, self.data, self._collator, self.recipe)
        found = selection_score(figures, self.recipe.run.select_on)
        told = self._processes.agreed(math.nan if found is None else found)
        score = None if math.isnan(told) else told
        weights = copy_of(self.model.trainable())
        self.state.judge(score, weights, patience=self.recipe.run.patience)
        restore(self.model.trainable(), kept)
        rounded = None if score is None else round(score, 5)
        self._report({"step": self.state.step, "validation": figures, "selection": rounded})
        return score

    def _step(self, number: int) -> tuple[dict[str, float], int]:
        optim, processes = self.recipe.optim, self._processes
        # Seeded per step, so that dropout too is the same in a resumed run; and another one in every process.
        torch.manual_seed(self.recipe.run.seed * 1_000_003 + number + processes.index * 999_983)
        totals = self._totals(number)
        self._model_train()
        scale = rate_at(number, total=optim.steps, warmup=optim.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = group["base_lr"] * scale
        sums = {name: torch.zeros((), device=self._collator.device) for name in TERMS}
        shown: set[str] = set()
        for one in self._passes(number):
            batch = self._collator.batch(one.rows, one.chunk)
            out = self.model(batch, bins=one.to_the_end)
            terms = self._losses(out, batch, totals)
            loss = torch.stack(list(terms.values())).sum()
            if self.model.even:  # gradients reach the same weights in every process
                loss = loss + 0.0 * (out.bins.sum() + out.utility.sum())
            (loss * one.counts).backward()
            shown |= set(terms)
            for name, value in terms.items():
                sums[name] = sums[name] + value.detach() * one.counts
        processes.sum_gradients(self.model.trainable().values())
        # One transfer a step: reading every term on its own would stall the device.
        told = processes.mean(torch.stack(list(sums.values()))).tolist()
        found = {name: value for name, value in zip(sums, told, strict=True) if value or name in shown}
        if not all(math.isfinite(v) for v in found.values()):
            self._save()  # no weight was changed by this step
            raise BackendError(
                f"the loss is not finite at step {number + 1} ({found}): training stopped, and the state of step "
                f"{number} is kept. Lower optim.lr, or look for broken rows"
            )
        nn.utils.clip_grad_norm_(self.model.trainable().values(), optim.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._update_average()
        seen = sum(int(self._collator.lengths[chunk].sum()) for chunk in self._sampler.step(number))
        return {name: round(value, 5) for name, value in found.items()}, seen

    def _save(self) -> None:
        if self._folder is not None:
            save_state(
                self._folder, self.state, copy_of(self.model.trainable()), self._average, self._optimizer,
                write=self._processes.leads,
            )  # fmt: skip

    def _chunks(self, number: int, process: int) -> list[Ints]:
        """What one process sees in a step.

        Raises:
            SettingsError: `optim.tokens_per_step` is too small for this many processes.
        """
        chunks = self._sampler.step(number)[process :: self._processes.count]
        if not chunks:
            tokens = self.recipe.optim.tokens_per_step
            raise SettingsError("optim.tokens_per_step", "too small for this many processes", value=tokens)
        return chunks

    def _passes(self, number: int) -> Iterator[Pass]:
        """Forward passes of this process.

        Where weights lie in pieces, processes wait for each other in every block of every pass. So all make as many
        passes as the one with most, as deep as any of them; what is too much of a step is done with a weight of 0.
        """
        found: list[list[tuple[Ints, Ints]]] = []
        for process in range(self._processes.count):
            chunks = self._chunks(number, process)
            begun = self._collator.beginnings(np.concatenate(chunks))
            found.append(list(micro_batches(chunks, *begun, self.recipe.optim.micro_tokens)))
        own = found[self._processes.index]
        together = found if self._processes.in_pieces else [own]
        for place in range(max(map(len, together))):
            beside = [passes[min(place, len(passes) - 1)][0] for passes in together]
            to_the_end = self.recipe.digits or any(self._collator.has_text(rows) for rows in beside)
            rows, chunk = own[min(place, len(own) - 1)]
            yield Pass(rows, chunk, counts=place < len(own), to_the_end=to_the_end)

    def _totals(self, number: int) -> dict[str, float]:
        """What the terms of a step are divided by: the weight of all its rows, pairs and tokens.

        So a step is the same however it is cut into passes, and shared among processes, whose gradients are averaged.
        """
        rows, chunks = self.data.rows, self._sampler.step(number)
        seen = np.concatenate(chunks)
        asked = seen[rows.metric[seen] != TEXT]
        chunk = np.repeat(np.arange(len(chunks)), [len(part) for part in chunks])[rows.metric[seen] != TEXT]
        value, noise = (torch.from_numpy(column[asked].astype(np.float32)) for column in (rows.value, rows.noise))
        pairs = float(losses.compared(value, noise, torch.from_numpy(chunk))[1].sum())
        weight = float(rows.weight[asked].sum())
        tokens = float(np.clip(self._collator.lengths[seen] - rows.target_start[seen], 0, None).sum())
        found = {"bins": weight, "value": weight, "pairs": pairs, "pairs_bins": pairs, "text": tokens}
        return {name: total / self._processes.count for name, total in found.items()}

    def _losses(self, out: Readout, batch: Batch, totals: dict[str, float]) -> dict[str, Tensor]:
        """Each term's part in the step's, by name."""
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
            "bins": (
                weights.bins,
                lambda: losses.bins_loss(out.bins.float(), batch.percentile, reliability, weight, total=totals["bins"]),
            ),
            "value": (
                weights.value,
                lambda: losses.value_loss(out.bins.float(), batch.percentile, weight, total=totals["value"]),
            ),
            "pairs": (weights.pairs, lambda: losses.pair_loss(out.utility.float(), *pairs, total=totals["pairs"])),
            "pairs_bins": (
                weights.pairs_bins,
                lambda: losses.pair_loss(
                    losses.expected_percentile(out.bins.float()) / 10, *pairs, total=totals["pairs_bins"]
                ),
            ),
        }
        told = {name for name in terms if name == "pairs" or len(out.bins)}
        found = {name: factor * term() for name, (factor, term) in terms.items() if factor > 0 and name in told}
        if batch.has_text and weights.text > 0:
            found["text"] = weights.text * losses.text_loss(out.text_logits, out.text_targets, total=totals["text"])
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
