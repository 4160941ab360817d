"""How likely a model finds the answers in words that it is taught: the validation figure of text examples."""

from __future__ import annotations

import math

import torch

from lcbm_model.training import losses
from lcbm_model.training.collate import Collator, Ints
from lcbm_model.training.data import TEXT, Prepared
from lcbm_model.training.model import BehaviorModel, half_precision
from lcbm_model.training.scoring import cut_rows


def held_texts(data: Prepared, limit: int) -> Ints:
    """Text examples of the validation split, at most `limit`, spread evenly over them all."""
    rows = data.select(split="validation")
    rows = rows[data.rows.metric[rows] == TEXT]
    step = max(1, -(-len(rows) // limit))
    return rows[::step]


def text_figures(
    model: BehaviorModel, collator: Collator, rows: Ints, *, budget: int, bf16: bool = False
) -> dict[str, float]:
    """`loss_per_token` in nats over all answers' tokens, and `token_likelihood`, its exp(-loss) in 0..1.

    Args:
        rows: (n,) text examples, at least one.
        budget: Padded tokens of one forward pass.
    """
    passes = cut_rows(collator, rows, budget)
    found: list[torch.Tensor] = []
    was_training = model.training
    model.eval()
    with torch.no_grad(), half_precision(model, collator.device.type, enabled=bf16):
        for places in collator.processes.share(passes):
            out = model(collator.batch(rows[places]))
            count = len(out.text_targets)
            loss = float(losses.text_loss(out.text_logits, out.text_targets))
            found.append(torch.tensor([[loss * count, count]], dtype=torch.float64, device=collator.device))
    model.train(was_training)
    sums, _ = collator.processes.gather(torch.cat(found), [1] * len(passes))
    total, tokens = sums.sum(0).tolist()
    loss = total / max(1, tokens)
    return {"loss_per_token": loss, "token_likelihood": math.exp(-loss)}
