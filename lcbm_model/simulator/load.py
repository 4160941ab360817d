"""From a name to a simulator."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lcbm_model.simulator.base import Simulator
from lcbm_model.simulator.joined import ENDPOINT, VLLM, at_address, names_of


def load_simulator(
    name: str | Path = "embedded",
    *,
    device: str = "auto",
    dtype: str = "auto",
    pass_tokens: int | None = None,
    calibrated: bool = True,
) -> Simulator:
    """The simulator of a name. Weights are loaded once per process; a second call is cheap.

    Args:
        name: "embedded" (the shipped checkpoint, else the untuned base), "embedded-untuned", a shipped checkpoint's
            name, an adapter folder that `lcbm train` wrote, a Hugging Face folder or hub name ("owner/model"), or
            "openai:MODEL@BASE_URL" for a chat endpoint that shows log-probabilities, "vllm:NAME" for one of these
            names run by vLLM in this process, "vllm:NAME@BASE_URL" for a vLLM server that serves it.
            Several of these names joined by "+" give their mean (`names_of`).
        device: "auto", "cpu", "cuda:0", ...
        dtype: "auto" (bfloat16 on a GPU, float32 on a processor), "float32", "bfloat16", "float16". bfloat16 moves
            probabilities by up to about 0.02; on a processor it pays only where `has_fast_bfloat16` says so. The
            simulator's identity names it.
        pass_tokens: Tokens of one forward pass, shared ones counted once: bounds the memory. None: by the device.
        calibrated: Whether to apply the calibration stored beside the checkpoint.

    Raises:
        SettingsError: Nothing has that name.
        CheckpointError: Its weights are missing, damaged or belong to another base.
    """
    names = names_of(str(name)) if "+" in str(name) else [str(name)]
    if len(names) > 1:
        from lcbm_model.simulator.ensemble import EnsembleSimulator

        load = partial(load_simulator, device=device, dtype=dtype, pass_tokens=pass_tokens, calibrated=calibrated)
        return EnsembleSimulator([load(part) for part in names])
    text = names[0]
    if text.startswith(ENDPOINT):
        from lcbm_model.simulator.openai_compatible import OpenAICompatibleSimulator

        model, base_url = at_address(text.removeprefix(ENDPOINT))
        if not base_url:  # what is no address is told by the endpoint
            model, _, base_url = model.partition("@")
        return OpenAICompatibleSimulator(model or None, base_url or None)
    if text.startswith(VLLM):
        from lcbm_model.simulator.vllm_load import load_vllm

        return load_vllm(text.removeprefix(VLLM), dtype=dtype, calibrated=calibrated)
    from lcbm_model.backbone.loader import load_backbone
    from lcbm_model.simulator.conformal import load_calibration
    from lcbm_model.simulator.local import LocalSimulator

    backbone = load_backbone(name, device=device, dtype=dtype)
    adapter = backbone.adapter
    stored = adapter.folder / adapter.spec.calibration if adapter and adapter.spec.calibration else None
    calibration = load_calibration(stored) if stored and calibrated else None
    return LocalSimulator(backbone, calibration=calibration, pass_tokens=pass_tokens)
