"""A training run out of memory says which setting to lower."""

from __future__ import annotations

import pytest

from lcbm_model.errors import BackendError

torch = pytest.importorskip("torch")

from lcbm_model.training.trainer import told_memory  # noqa: E402


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA error: out of memory"),
    ],
)
def test_memory_that_runs_out_names_the_setting(error: Exception) -> None:
    with pytest.raises(BackendError, match=r"optim\.micro_tokens"), told_memory():
        raise error


def test_other_errors_are_not_taken_for_want_of_memory() -> None:
    with pytest.raises(RuntimeError, match="something else"), told_memory():
        raise RuntimeError("something else")
