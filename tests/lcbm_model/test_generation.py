"""Several prompts in one batch: each is answered as it would be alone, whatever the others are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lcbm_model.backbone import Backbone, load_backbone
from lcbm_model.errors import SettingsError
from lcbm_model.generation import _draw, _Rules, generate
from tests.lcbm_model.counted_turns import counted_turns
from tests.lcbm_model.tiny_model import write_tiny_model

PROMPTS = ("x", "Say something about onions and pans", "Why does copper brown onions so evenly in 9 minutes?")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(write_tiny_model(tmp_path_factory.mktemp("generation") / "model"), device="cpu")


def test_prompts_of_different_length_are_answered_as_each_alone(tiny: Backbone) -> None:
    together = generate(tiny, PROMPTS, 3, max_new_tokens=10, temperature=0, stop=())
    for prompt, samples in zip(PROMPTS, together, strict=True):
        [alone] = generate(tiny, [prompt], 3, max_new_tokens=10, temperature=0, stop=())
        assert [(s.text, s.tokens, s.finished) for s in samples] == [(s.text, s.tokens, s.finished) for s in alone]
        assert [s.log_likelihood for s in samples] == pytest.approx([s.log_likelihood for s in alone], abs=1e-4)


def test_the_first_prompts_draws_do_not_hang_on_the_others(tiny: Backbone) -> None:
    settings = {"max_new_tokens": 8, "temperature": 1.0, "seed": 3, "stop": ("e",)}
    [alone] = generate(tiny, PROMPTS[:1], 6, **settings)
    together = generate(tiny, PROMPTS, 6, **settings)
    assert [s.text for s in together[0]] == [s.text for s in alone]


def test_rows_that_stop_early_leave_the_others_as_they_are(tiny: Backbone) -> None:
    """With a stop that most rows meet, finished rows are taken out of the batch; the rest goes on unchanged."""
    free = generate(tiny, PROMPTS, 8, max_new_tokens=12, temperature=1.2, seed=1, stop=())
    stopped = generate(tiny, PROMPTS, 8, max_new_tokens=12, temperature=1.2, seed=1, stop=("a", "e", "o", "t"))
    for whole, cut in zip(free, stopped, strict=True):
        for a, b in zip(whole, cut, strict=True):
            assert a.text.startswith(b.text)
    assert any(s.finished for samples in stopped for s in samples)
    assert any(not s.finished for samples in stopped for s in samples)


def test_every_prompt_may_have_its_own_beginning(tiny: Backbone) -> None:
    begun = generate(tiny, ["x", "x"], 2, max_new_tokens=6, temperature=0, start=("In 9", "Why"), stop=())
    [alone] = generate(tiny, ["x"], 2, max_new_tokens=6, temperature=0, start="In 9", stop=())
    assert [s.text for s in begun[0]] == [s.text for s in alone] != [s.text for s in begun[1]]
    with pytest.raises(SettingsError, match="start"):
        generate(tiny, ["x", "x"], start=("one",))


def test_each_token_is_a_turn_of_its_own(tiny: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = counted_turns(tiny, monkeypatch)
    [[answer]] = generate(tiny, ["Bread is"], 1, max_new_tokens=6, temperature=0.0)
    assert answer.tokens == 6
    assert turns == [1] * (2 + 6 + 1)  # the prompt's tokens, the prompt read, each token, the answer's words


@pytest.mark.parametrize("prompts", [PROMPTS, ("Why copper?", "Why onion?")], ids=["padded", "even"])
def test_a_prompt_read_in_slices_is_the_same_prompt(
    tiny: Backbone, monkeypatch: pytest.MonkeyPatch, prompts: tuple[str, ...]
) -> None:
    settings = {"max_new_tokens": 8, "temperature": 1.0, "seed": 5, "stop": ()}
    whole = generate(tiny, prompts, 3, **settings)
    monkeypatch.setattr("lcbm_model.generation.READ_AT_ONCE", 5 * len(prompts))
    for one, sliced in zip(whole, generate(tiny, prompts, 3, **settings), strict=True):
        assert [s.text for s in one] == [s.text for s in sliced]
        assert [s.log_likelihood for s in one] == pytest.approx([s.log_likelihood for s in sliced], abs=1e-4)


def test_another_gets_the_model_between_two_slices_of_a_long_prompt(
    tiny: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []
    forward = tiny.decoder.forward

    def seen(*, inputs_embeds: torch.Tensor | None = None, **more: Any) -> Any:
        if inputs_embeds is not None:
            lengths.append(inputs_embeds.shape[1])
        return forward(inputs_embeds=inputs_embeds, **more)

    monkeypatch.setattr(tiny.decoder, "forward", seen)
    monkeypatch.setattr("lcbm_model.generation.READ_AT_ONCE", 8)
    generate(tiny, ["Why does copper brown onions?"] * 2, 1, max_new_tokens=1)
    assert len(lengths) > 3
    assert max(lengths) == 4  # of each of the two prompts


def test_no_prompt_no_answer(tiny: Backbone) -> None:
    assert generate(tiny, []) == []


def test_draws_follow_the_probabilities() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])).repeat(4000, 1)
    uniform = torch.rand(4000, generator=torch.Generator().manual_seed(0))
    drawn = _draw(logits, _Rules(1, 1.0, 1.0, ()), uniform)
    shares = torch.bincount(drawn, minlength=4) / 4000
    assert shares.tolist() == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    nucleus = _draw(logits, _Rules(1, 1.0, 0.7, ()), uniform)
    assert set(nucleus.tolist()) == {0, 1}


@given(st.floats(0, 1), st.floats(0.01, 1), st.floats(0.1, 3))
def test_a_draw_is_always_from_the_nucleus(uniform: float, top_p: float, temperature: float) -> None:
    logits = torch.tensor([[4.0, 3.0, 1.0, -20.0, -torch.inf]])
    drawn = int(_draw(logits, _Rules(1, temperature, top_p, ()), torch.tensor([uniform]))[0])
    chances = (logits[0] / temperature).softmax(dim=0)
    before = float(chances[chances > chances[drawn]].sum())
    assert before < top_p + 1e-6
    assert drawn != 4
