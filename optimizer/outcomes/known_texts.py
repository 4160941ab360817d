"""Which run wrote a text, so that a platform's export finds what had been predicted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agents.library.fields import channel_key
from agents.screener.folding import text_key
from optimizer.campaigns import list_campaigns, read_run


class KnownTexts:
    """Candidates of all runs by their words and channels."""

    def __init__(self, store: str | Path | None = None) -> None:
        self._where: dict[tuple[str, str | None], tuple[str, str]] = {}
        campaigns, self.problems = list_campaigns(store, limit=10_000)
        for campaign in reversed(campaigns):  # the latest run that wrote a text is the one it came from
            if campaign.status == "unfinished":
                continue
            settings, result = read_run(campaign.run_id, store)
            for candidate in result.ranked if result else ():
                for channel in (None, channel_key(settings.brief.channel)):
                    self._where[text_key(candidate.text), channel] = (campaign.run_id, candidate.id)

    def find(self, texts: Iterable[str], channels: Iterable[str | None]) -> list[tuple[str, str] | None]:
        """Run and candidate of each text; None where nobody here wrote it, or not for its channel (None: for any)."""
        wanted = zip(texts, channels, strict=True)
        return [self._where.get((text_key(text), channel and channel_key(channel))) for text, channel in wanted]
