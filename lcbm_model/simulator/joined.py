"""Names of simulators taken apart: joined by "+", and with an address behind "@"; either sign may belong to a part."""

from __future__ import annotations

import re

from lcbm_model.errors import SettingsError

ENDPOINT = "openai:"
VLLM = "vllm:"
_OPEN_ADDRESS = re.compile(r"://(?!.*/v\d+/?\s*$)", re.DOTALL)
"""An address that may go on: it does not end in /v1 or the like."""


def names_of(text: str) -> list[str]:
    """The names that a text joins.

    What begins with `openai:` or `vllm:` goes on until a name follows that is known here. A hub name follows too, but
    not inside an address, whose path may look like one.
    """
    pieces, found = text.split("+"), []
    while pieces:
        count = _endpoint_length(pieces) if _is_endpoint(pieces[0]) else _folder_length(pieces)
        found.append("+".join(pieces[:count]).strip())
        pieces = pieces[count:]
    return found


def at_address(text: str) -> tuple[str, str]:
    """NAME and BASE_URL of "NAME@BASE_URL"; the whole and nothing where no http(s) address follows an "@".

    Both may hold an "@" themselves: "model@2026" and "http://user:password@host/v1".
    """
    found = re.search("@(?=https?://)", text)
    return (text[: found.start()], text[found.end() :]) if found else (text, "")


def _is_endpoint(piece: str) -> bool:
    return piece.lstrip().startswith((ENDPOINT, VLLM))


def _endpoint_length(pieces: list[str]) -> int:
    """How many pieces make the endpoint that the first one begins."""
    for count in range(1, len(pieces)):
        hub = _OPEN_ADDRESS.search("+".join(pieces[:count])) is None
        rest = pieces[count:]
        if _is_endpoint(rest[0]) or _folder_length(rest) > 1 or _is_known(rest[0], hub=hub):
            return count
    return len(pieces)


def _folder_length(pieces: list[str]) -> int:
    """How many pieces make the longest folder that the first one begins; 1 where none does."""
    return next((n for n in range(len(pieces), 1, -1) if _is_known("+".join(pieces[:n]), hub=False)), 1)


def _is_known(name: str, *, hub: bool) -> bool:
    """Whether it names a checkpoint here or, where `hub`, perhaps one on the hub; no network is asked."""
    from lcbm_model.backbone.loader import UNTUNED, resolve_source

    try:
        source = resolve_source(name.strip())
    except SettingsError:
        return False
    return hub or source == UNTUNED or not isinstance(source, str)
