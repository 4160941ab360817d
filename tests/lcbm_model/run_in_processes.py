"""Run by several processes: one whole run on a prepared folder, its model whole in each or in pieces on all.

    python -m torch.distributed.run ... run_in_processes.py PREPARED BASE OUT whole|pieces CHANGES [STEP]

STEP: the first process is killed when it tells of this step; where OUT holds a run, that run goes on.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from lcbm_model.training.base import load_base
from lcbm_model.training.data import Prepared
from lcbm_model.training.fit import run_fit
from lcbm_model.training.processes import Processes
from lcbm_model.training.recipes import override, recipe_from


def main(prepared: str, base: str, out: str, kind: str, changes: str, kill: str = "") -> None:
    found = Accelerator(cpu=True)
    assert found.num_processes == 2
    processes = Processes(found.process_index, found.num_processes, device=found.device, in_pieces=kind == "pieces")
    data = Prepared.load(Path(prepared))
    recipe = recipe_from(override(data.manifest["recipe"], json.loads(changes)), where="changes")

    def report(event: dict[str, Any]) -> None:
        if kill and "validation" in event and event["step"] == int(kill):
            os.kill(os.getpid(), signal.SIGKILL)

    resume = (Path(out) / "log.jsonl").exists()
    run_fit(data, load_base(Path(base)), recipe, Path(out), processes=processes, report=report, resume=resume)
    processes.part()


if __name__ == "__main__":
    main(*sys.argv[1:])
