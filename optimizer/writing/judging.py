"""What a judge that had no part in the writing prefers: each text against its draft, in the setting of that draft."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from lcbm_model.content import Content
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.evaluation.answers import ASKED_AT_ONCE, Progress
from lcbm_model.evaluation.bootstrap import Count, Statistic, ratio
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Simulator
from lcbm_model.simulator.weights import weights_of
from optimizer.writing.drafts import METRIC, Drafted
from optimizer.writing.rewriting import Texts

KEYS = ("share_preferred", "mean_gain", "n_texts")
"""Share preferred: how often the judge gives a text a better chance than its draft, an even chance counting half. Mean
gain: its expected percentile less the draft's, in points. How many texts there were, scored or not."""
EVEN = 1e-9
"""Chances nearer to each other than this are even."""

Said = dict[str, Prediction]
"""A content's JSON to its prediction."""


def must_be_held_out(judge: Simulator, hashes: Iterable[str]) -> None:
    """Refuse a judge that has the weights of a writer.

    Args:
        hashes: Of the checkpoints that writers write with.

    Raises:
        SettingsError: The judge, or a member of it, is one of them.
    """
    if common := weights_of(judge) & set(hashes):
        raise SettingsError(
            "--judge",
            "is the model that writes",
            value=judge.identity.checkpoint,
            remedy=f"Name another: lcbm-smol-a, lcbm-smol-b (checkpoint {min(common)[:12]} does both)",
        )


def judge_all(
    judge: Simulator, stories: Sequence[Drafted], lines: Iterable[Texts], progress: Progress | None = None
) -> Said:
    """Every draft and every text once, those of one setting side by side.

    Raises:
        BackendError: The judge could score nothing.
    """
    contents = {_key(story.draft): story.draft for story in stories}
    for texts in lines:
        for story, own in zip(stories, texts, strict=True):
            contents |= {_key(content): content for content in (story.draft.with_text(text) for text in own)}
    keys = sorted(contents, key=lambda key: (contents[key].model_dump_json(exclude={"text"}), key))
    said: Said = {}
    for start in range(0, len(keys), ASKED_AT_ONCE):
        part = keys[start : start + ASKED_AT_ONCE]
        said |= dict(zip(part, judge.predict([contents[key] for key in part], METRIC), strict=True))
        if progress is not None:
            progress("the judge, texts", len(said), len(keys))
    if not any(p.ok for p in said.values()):
        raise BackendError(f"{judge.identity.label} scored none of {len(said)} texts: {said[keys[0]].error}")
    return said


def preference(judge: Simulator, stories: Sequence[Drafted], texts: Texts, said: Said) -> dict[str, Statistic]:
    """Figures of one line of texts. A text without a score, or against a draft without one, decides nothing."""
    credits, gains, groups = [], [], []
    for story, own in zip(stories, texts, strict=True):
        draft = said[_key(story.draft)]
        for text in own:
            rival = said[_key(story.draft.with_text(text))]
            if draft.expected is None or rival.expected is None:
                continue
            chances = judge.win_chances([draft, rival], channel=story.draft.channel)
            lead = chances[1] - chances[0]
            credits.append(0.5 if abs(lead) < EVEN else float(lead > 0))
            gains.append(rival.expected - draft.expected)
            groups.append(story.group)
    one, of = np.ones(len(groups)), np.asarray(groups, dtype=str)
    return {
        "share_preferred": ratio(np.asarray(credits, dtype=np.float64), one, of),
        "mean_gain": ratio(np.asarray(gains, dtype=np.float64), one, of),
        **counted(texts),
    }


def counted(texts: Texts) -> dict[str, Statistic]:
    """Of texts that no judge saw: how many there are."""
    return {"n_texts": Count(sum(map(len, texts)))}


def _key(content: Content) -> str:
    return content.model_dump_json()
