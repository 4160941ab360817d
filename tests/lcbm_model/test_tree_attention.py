"""Attention over a tree of tokens, and blocks that run in place: both equal the plain ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lcbm_model.backbone.loader import load_backbone  # noqa: E402
from lcbm_model.simulator.in_place import can_run_in_place, in_place  # noqa: E402
from lcbm_model.simulator.items import Item, Row  # noqa: E402
from lcbm_model.simulator.tree import Kept, Tree  # noqa: E402
from lcbm_model.simulator.tree_attention import TreeAttention  # noqa: E402
from tests.lcbm_model.tiny_model import write_tiny_model  # noqa: E402

KEYS, GROUPS, WIDTH = 2, 3, 8
"""Key heads, query heads of each, width of a head."""


def rows_of(trails: list[tuple[int, ...]]) -> list[Row]:
    return [Row(trail, Item((), trail, (0, 1))) for trail in sorted(trails)]


def plain(tree: Tree, query: Any, keys: Any, values: Any) -> Any:
    """Every new token looks at its own path, one path at a time: (T, H, d)."""
    first = tree.known.length
    out = torch.full_like(query, float("nan"))
    for path in tree.paths:
        for place, index in enumerate(path):
            if index >= first:
                seen = path[: place + 1]
                asked = query[index - first].view(KEYS, GROUPS, WIDTH)
                scores = torch.einsum("kgd,skd->kgs", asked, keys[seen]) / WIDTH**0.5
                found = torch.einsum("kgs,skd->kgd", scores.softmax(-1), values[seen])
                out[index - first] = found.reshape(-1, WIDTH)
    return out


beginnings = st.sampled_from([0, 1, 31, 32, 40, 150])
tails = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=90).map(tuple), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(beginning=beginnings, tails=tails, kept=st.integers(0, 45), seed=st.integers(0, 99))
def test_every_token_attends_to_its_own_path(
    beginning: int, tails: list[tuple[int, ...]], kept: int, seed: int
) -> None:
    trunk = tuple(range(100, 100 + beginning))
    rows = rows_of([trunk + tail for tail in tails])
    length = min(kept, len(rows[0].trail) - 1)
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Any:
        return 3 * torch.randn(*shape, WIDTH, generator=generator)

    known = Kept(rows[0].trail[:length], {0: (drawn(length, KEYS), drawn(length, KEYS))})
    tree = Tree.of(rows, known)
    new = len(tree.tokens)
    query, key, value = drawn(new, KEYS * GROUPS), drawn(new, KEYS), drawn(new, KEYS)
    before = known.keys[0]
    expected = plain(tree, query, *(torch.cat(pair) for pair in zip(before, (key, value), strict=True)))
    found = TreeAttention(tree, GROUPS, query)(0, query, key, value)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_the_trunk_is_what_all_rows_begin_with() -> None:
    trunk = tuple(range(50))
    rows = rows_of([(*trunk, 1, 2), (*trunk, 1, 3), (*trunk, 4)])
    assert [Tree.of(rows, Kept(trunk[:n])).trunk for n in (0, 20, 50)] == [50, 50, 50]
    assert [Tree.of(rows, Kept(trunk[:n])).branches for n in (0, 20, 50)] == [50, 30, 0]
    assert Tree.of(rows, Kept((*trunk, 1))).trunk == 50
    assert Tree.of(rows_of([(1, 2), (1, 3)]), Kept()).trunk == 0, "too short to be worth a call"
    lost = Tree.of(rows, Kept((*trunk[:40], 77)))
    assert lost.trunk == 40, "behind the kept path's other end the trunk is not in one piece"


@pytest.mark.parametrize("kind", ["Llama", "Mistral", "Qwen2"])
def test_blocks_in_place_equal_transformers(kind: str) -> None:
    import transformers

    fields = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 8,
              "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3}  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**fields)).eval()
        for name, parameter in model.named_parameters():
            if name.endswith(("norm.weight", "bias")):
                parameter.data.normal_(1.0, 0.3)
        rows = rows_of([tuple(torch.randint(0, 64, (20,)).tolist())])
        states = torch.randn(1, 20, 32)
    attention = TreeAttention(Tree.of(rows, Kept()), 2, states)
    before = states.clone()
    with torch.inference_mode():
        expected = model(inputs_embeds=states).last_hidden_state
        with in_place(model.layers):
            found = model(inputs_embeds=states, use_cache=False, tree=attention).last_hidden_state
        again = model(inputs_embeds=states).last_hidden_state
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(states, before)
    assert torch.equal(again, expected), "afterwards the blocks are transformers' own"


def test_blocks_with_other_modules_are_left_alone(tmp_path: Path) -> None:
    backbone = load_backbone(write_tiny_model(tmp_path / "model"), device="cpu", fresh=True)
    assert can_run_in_place(backbone)
    layer: Any = backbone.layers[1]
    layer.mlp.up_proj = torch.nn.Sequential(layer.mlp.up_proj)
    assert not can_run_in_place(backbone)
