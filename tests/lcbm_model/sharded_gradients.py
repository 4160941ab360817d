"""Run by two processes: gradients of a model in pieces (FSDP2) against those of a whole one, on one batch each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from lcbm_model.training.base import load_base
from lcbm_model.training.collate import Collator
from lcbm_model.training.data import Prepared
from lcbm_model.training.export import lora_weights
from lcbm_model.training.model import BehaviorModel
from lcbm_model.training.recipes import recipe_from


def main(prepared: Path, base: Path) -> None:
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    data = Prepared.load(prepared)
    recipe = recipe_from(data.manifest["recipe"])
    collator = Collator(data, "cpu")
    shown = np.flatnonzero((data.rows.picture >= 0) & (data.rows.metric >= 0))

    def fresh() -> BehaviorModel:
        torch.manual_seed(0)
        lm = load_base(base).to(torch.bfloat16)  # frozen and trained weights of two number types in every piece
        return BehaviorModel(
            lm, digit_ids=data.digit_ids, metrics=len(data.metrics), channels=1, lora=recipe.lora,
            readout=recipe.readout,
        ).train()  # fmt: skip

    def loss(model: BehaviorModel, rows: Any) -> Any:
        out = model(collator.batch(rows))
        return out.bins.logsumexp(-1).sum() + out.utility.sum() + out.pooled.mean()

    one, pieces = fresh(), fresh()
    ((loss(one, shown[:2]) + loss(one, shown[2:4])) / 2).backward()
    mesh = init_device_mesh("cpu", (2,))
    for layer in pieces.tower.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(pieces, mesh=mesh)
    rank = dist.get_rank()
    loss(pieces, shown[2 * rank : 2 * rank + 2]).backward()
    compared = 0
    for name, parameter in one.trainable().items():
        found = pieces.trainable()[name].grad
        assert (parameter.grad is None) == (found is None), name
        if parameter.grad is not None:
            assert torch.allclose(found.full_tensor(), parameter.grad, rtol=1e-2, atol=1e-4), name
            compared += 1
    assert compared > 40, compared
    gathered = lora_weights(pieces)
    assert all(torch.equal(gathered[name], value) for name, value in lora_weights(one).items())
    assert torch.equal(pieces.head.fold()[0], one.head.fold()[0])
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
