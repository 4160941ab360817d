"""What no local model can be asked about, told before anything is tokenized."""

from __future__ import annotations

from lcbm_model.content import Content

CHARACTERS_PER_TOKEN = 32
"""No real text has longer tokens on average; longer texts are refused before they are tokenized."""


def refusal(content: Content, *, sees: bool, max_tokens: int) -> str | None:
    """Why a content cannot be asked about; None where it can.

    Args:
        sees: Whether pictures speak to the model.
        max_tokens: Its longest prompt.
    """
    shown = sees and any(media.kind == "image" for media in content.media)
    if not (content.says_something or shown):
        return "the text is empty" + (", and this model sees no pictures" if content.media else "")
    if len(content.text) > max_tokens * CHARACTERS_PER_TOKEN:
        return f"the text is too long: {len(content.text)} characters. Shorten it"
    return None
