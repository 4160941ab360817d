"""What a closing probe may read: everything, or the pictures alone where they differ."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from lcbm_model.training.closing_probe import _views  # noqa: E402

WORDS, PICTURE = 6, 4


@pytest.mark.parametrize(
    ("shown", "views"),
    [
        ("no pictures", {"": WORDS + PICTURE}),
        ("one cartoon for all", {"": WORDS + PICTURE}),
        ("a cartoon for some", {"": WORDS + PICTURE}),
        ("a cartoon for the first", {"": WORDS + PICTURE}),
        ("a photograph each", {"": WORDS + PICTURE, "picture, ": PICTURE}),
    ],
)
def test_the_picture_alone_is_read_only_where_pictures_differ(shown: str, views: dict[str, int]) -> None:
    states = torch.randn(20, WORDS + PICTURE, generator=torch.Generator().manual_seed(0))
    if shown == "no pictures":
        states[:, WORDS:] = 0
    elif shown == "one cartoon for all":
        states[:, WORDS:] = states[0, WORDS:]
    elif shown == "a cartoon for some":
        states[:15, WORDS:] = 0
    elif shown == "a cartoon for the first":
        states[1:, WORDS:] = 0
    found = _views(states, PICTURE)
    assert {name: states[:, part].shape[1] for name, part in found.items()} == views
    assert torch.equal(states[:, found.get("picture, ", slice(WORDS, None))], states[:, WORDS:])


def test_a_readout_without_pictures_has_one_view() -> None:
    assert list(_views(torch.randn(20, WORDS), 0)) == [""]
