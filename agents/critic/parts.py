"""What a draft's parts are worth, in words: from occlusion, one draft alone or two side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agents.occlusion import Contribution
from agents.screener.folding import collapse

LEAST = 1.0
"""Percentile points below which a part's effect is not worth a word."""
SHOWN = 3
"""Parts named on either side."""


def contribution_lines(contributions: Sequence[Contribution], *, must_keep: Iterable[str] = ()) -> list[str]:
    """Sentences on the parts that help and those that hurt; nothing where no part moves the score by a point.

    Args:
        must_keep: Facts that have to stay: a part that holds one is never advised away.
    """
    helping = [c for c in contributions if c.effect >= LEAST][:SHOWN]
    hurting = [c for c in contributions if c.effect <= -LEAST][:SHOWN]
    lines = []
    if helping:
        said = "; ".join(f"without {_named(c)} it would lose {_points(c.effect)}" for c in helping)
        lines.append(f"What carries the best draft: {said}. Keep that.")
    if hurting:
        said = "; ".join(f"without {_named(c)} it would gain {_points(c.effect)}" for c in hurting)
        words = [c for c in hurting if c.kind != "picture"]
        loose = [c for c in words if not _holds(c, must_keep)]
        advice = f" To try: say {' and '.join(_named(c) for c in loose)} otherwise, or leave it out." if loose else ""
        bound = "" if len(loose) == len(words) else " What must stay stays, in other surroundings."
        picture = "" if len(words) == len(hurting) else " Words cannot mend that: another picture may."
        lines.append(f"What holds it back: {said}.{advice}{bound}{picture}")
    return lines


def why_preferred(
    better: tuple[str, float, Sequence[Contribution]], worse: tuple[str, float, Sequence[Contribution]]
) -> str:
    """Why the simulator puts one draft above another, in a few sentences.

    Args:
        better: (text, expected percentile 0..100, its parts' contributions from `agents.occlusion.occlusion`).
        worse: The same of the other draft.

    Raises:
        ValueError: `worse` scores higher.
    """
    (text, score, parts), (other, lower, rest) = better, worse
    if lower > score:
        raise ValueError(f"expected the better draft first, got {score!r} and {lower!r}")
    lines = [f"The simulator puts {text!r} {score - lower:.0f} percentile points above {other!r}."]
    own = [c for c in parts if c.effect >= LEAST and not _inside(c, other)]
    shared = [c for c in parts if c.effect >= LEAST and _inside(c, other)]
    drag = [c for c in rest if c.effect <= -LEAST and not _inside(c, text)]
    if own:
        lines.append(f"It has what the other lacks: {_worth(own)}.")
    if drag:
        lines.append(f"The other is held back by {_worth(drag)}.")
    if shared:
        lines.append(f"Both have {_worth(shared)}.")
    if not own and not drag:
        lines.append("No part that can be taken out accounts for it: the wording as a whole does.")
    return " ".join(lines)


def _points(effect: float) -> str:
    return "1 point" if round(abs(effect)) == 1 else f"{abs(effect):.0f} points"


def _worth(parts: Sequence[Contribution]) -> str:
    return ", ".join(f"{_named(c)} ({c.effect:+.0f})" for c in parts[:SHOWN])


def _named(part: Contribution) -> str:
    if part.kind == "picture":
        return "the picture"
    return f"{'the opening ' if part.kind == 'hook' else ''}{collapse(part.text)!r}"


def _holds(part: Contribution, facts: Iterable[str]) -> bool:
    return part.kind != "picture" and any(collapse(fact) in collapse(part.text) for fact in facts if fact.strip())


def _inside(part: Contribution, text: str) -> bool:
    return part.kind == "picture" or collapse(part.text).casefold().strip(".,:;!?") in collapse(text).casefold()
