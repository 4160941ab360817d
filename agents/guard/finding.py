"""What the guard says of one draft."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GuardFinding(BaseModel):
    """One draft against the drift budget and against what is known. Cosines are clipped to 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    meaning: float | None = Field(
        default=None, ge=0, le=1, description="Likeness of meaning to what must be said; None without an embedder."
    )
    nearest: float | None = Field(
        default=None, ge=0, le=1, description="Likeness to the nearest known post; None without a library."
    )
    reasons: tuple[str, ...] = Field(default=(), description="Why the drift budget refuses it; empty: within budget.")
    doubt: str | None = Field(default=None, description="Outside what is known: its score must not be trusted.")

    @property
    def within_budget(self) -> bool:
        """Whether the drift budget lets it pass; a doubt does not count."""
        return not self.reasons
