"""Instructions of the tasks that ask for more than a standing: replay per scene, choices, labels, affect."""

from __future__ import annotations

from collections.abc import Sequence

from lcbm_model.content import Content
from lcbm_model.metrics import Metric
from lcbm_model.verbalize import MASK, Prompt, behavior_answer, pictures, scene_line, setting, spoken_noun, words


def replay_prompt(content: Content, replay: Sequence[float | None], scene: int) -> Prompt:
    """Asks how often one scene is replayed, given the other scenes' replay values.

    Args:
        replay: Percent of the most replayed moment, 0..100, for each scene; None is masked.
        scene: Index of the scene asked for; its own value is masked whatever `replay` says.

    Raises:
        ValueError: `replay` has not one entry a scene, or `scene` is none of them.
    """
    if len(replay) != len(content.scenes) or not 0 <= scene < len(replay):
        raise ValueError(f"{len(content.scenes)} scenes, {len(replay)} replay values, scene {scene!r} asked for")
    lines = []
    for i, (told, value) in enumerate(zip(content.scenes, replay, strict=True)):
        known = MASK if i == scene or value is None else f"{value:.0f} %"
        lines.append(f"{scene_line(i + 1, told)}; replayed {known}\n")
    own = (
        f"{spoken_noun(content).capitalize()}: {words(content)}\n"
        f"How often is scene {scene + 1} replayed, in tenths of the most replayed moment? "
        f"0 = below 10 %, 9 = 90 % or more. One digit:"
    )
    shared = setting(content.model_copy(update={"scenes": ()})) + "".join(lines)
    return Prompt(shared=shared, own=own, pictures=pictures(content))


def speech_prompt(content: Content, replay: Sequence[float | None], scene: int) -> Prompt:
    """Asks for the masked speech of one scene, given every replay value and the other scenes."""
    masked = [s if i != scene else s.model_copy(update={"speech": None}) for i, s in enumerate(content.scenes)]
    lines = [
        f"{scene_line(i + 1, told)}{f'; speech {MASK}' if i == scene else ''}"
        f"; replayed {MASK if value is None else f'{value:.0f} %'}\n"
        for i, (told, value) in enumerate(zip(masked, replay, strict=True))
    ]
    shared = setting(content.model_copy(update={"scenes": ()})) + "".join(lines)
    return Prompt(shared=shared, own=f"What is said in scene {scene + 1}? On one line:", pictures=pictures(content))


def choice_prompt(content: Content, metric: Metric, percentile: float) -> Prompt:
    """Asks which of several texts belongs into this setting and lands at `percentile`; `content.text` is hidden."""
    noun = spoken_noun(content)
    own = (
        f"{noun.capitalize()}: {MASK}\nIt landed at {behavior_answer(percentile)} of 0..9 when ten comparable {noun}s "
        f"were ranked by {metric.title}. What does it say? On one line:"
    )
    return Prompt(shared=setting(content), own=own, pictures=pictures(content))


def which_prompt(first: Content, second: Content, metric: Metric) -> Prompt:
    """Asks which of two did better, and why; both share the first one's setting."""
    noun = spoken_noun(first)
    own = (
        f"A: {words(first)}\nB: {words(second)}\n"
        f"Which {noun} has the higher {metric.title} ({metric.unit}), and what was measured? Begin with A or B:"
    )
    return Prompt(shared=setting(first), own=own, pictures=pictures(first))


def label_prompt(content: Content, question: str, choices: Sequence[str]) -> Prompt:
    """Asks for one label of the content out of `choices`."""
    own = f"{spoken_noun(content).capitalize()}: {words(content)}\n{question} Answer {' or '.join(choices)}:"
    return Prompt(shared=setting(content), own=own, pictures=pictures(content))
