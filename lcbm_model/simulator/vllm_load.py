"""From "NAME" or "NAME@BASE_URL" to a simulator on vLLM."""

from __future__ import annotations

from functools import lru_cache

from lcbm_model.simulator.base import Simulator
from lcbm_model.simulator.joined import at_address


def load_vllm(name: str, *, dtype: str = "auto", calibrated: bool = True) -> Simulator:
    """A vLLM engine in this process (started once for each name), or a vLLM server.

    Args:
        name: A checkpoint; with "@http://HOST:PORT/v1" behind it, as that server serves it.

    Raises:
        SettingsError: Nothing has that name, or vLLM is not installed.
        CheckpointError: Its weights cannot be loaded, or its digits mean nothing.
        BackendError: No server answers.
    """
    checkpoint, base_url = at_address(name)
    if base_url:
        from lcbm_model.simulator.vllm_served import VLLMServedSimulator

        return VLLMServedSimulator(checkpoint, base_url, calibrated=calibrated)
    return _engine(name, dtype, calibrated)


@lru_cache(maxsize=1)
def _engine(name: str, dtype: str, calibrated: bool) -> Simulator:
    from lcbm_model.simulator.vllm_offline import VLLMSimulator

    return VLLMSimulator(name, dtype=dtype, calibrated=calibrated)
