"""How prompts are cut into passes and run: every way gives what one plain forward pass a prompt gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lcbm_model.backbone.loader import load_backbone
from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.runtime import is_out_of_memory
from lcbm_model.simulator.items import Item, Reading, Unread
from lcbm_model.simulator.packed import PackedEngine, can_pack
from lcbm_model.simulator.padded import PaddedEngine
from lcbm_model.simulator.pictures import picture_key
from tests.lcbm_model.scored_items import adapted, item, read
from tests.lcbm_model.tiny_model import write_tiny_model

ENGINES = [PackedEngine, PaddedEngine]
FIELDS = {"vocab_size": 320, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0,
          "initializer_range": 0.2}  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(write_tiny_model(tmp_path_factory.mktemp("passes") / "model", layers=5), device="cpu")


def plain_logits(backbone: Backbone, asked: Item) -> list[float]:
    """One ordinary forward pass of the model's own class."""
    import torch

    with torch.inference_mode():
        logits = backbone.language_model(input_ids=torch.tensor([asked.shared + asked.own])).logits[0, -1]
    return logits[list(backbone.encoder.digits)].log_softmax(-1).tolist()


def log_probabilities(reading: Reading | Unread) -> list[float]:
    assert isinstance(reading, Reading)
    logits = np.asarray(reading.logits)
    return list(logits - np.logaddexp.reduce(logits))


pieces = st.lists(st.sampled_from(["", "a", "ab", "abcdefghi", "From: x", "From: y" * 9]), min_size=0, max_size=3)
prompts = st.builds(lambda shared, own: item(*shared, own), pieces, st.text("abcde", min_size=1, max_size=30))


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=25, deadline=None)
@given(items=st.lists(prompts, min_size=1, max_size=12), pass_tokens=st.integers(1, 300))
def test_any_mix_of_prefixes_in_any_pass_size_equals_one_by_one(
    tiny: Backbone, engine: Any, items: list[Item], pass_tokens: int
) -> None:
    found = read(tiny, items, pass_tokens=pass_tokens, engine=engine)
    assert set(found) == set(items)
    for asked in items:
        assert log_probabilities(found[asked]) == pytest.approx(plain_logits(tiny, asked), abs=1e-4)


@settings(max_examples=10, deadline=None)
@given(items=st.lists(prompts, min_size=1, max_size=8, unique=True), data=st.data())
def test_order_changes_nothing_at_all(tiny: Backbone, items: list[Item], data: st.DataObject) -> None:
    assert read(tiny, items) == read(tiny, data.draw(st.permutations(items)))


def test_long_prompts_run_over_several_chunks_of_queries(tiny: Backbone) -> None:
    items = [item("s" * 300, f"{'t' * n} own") for n in (1, 40, 200, 700)]
    found = read(tiny, items)
    for asked in items:
        assert log_probabilities(found[asked]) == pytest.approx(plain_logits(tiny, asked), abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pooling", ["own", "words"])
@pytest.mark.parametrize("pass_tokens", [40, 5000])
def test_stopping_early_equals_the_full_pass(
    tmp_path: Path, tiny: Backbone, engine: Any, pooling: str, pass_tokens: int
) -> None:
    early = adapted(tmp_path / "early", tiny, value_pooling=pooling)
    # The smallest weight that still asks for the digits: the whole model has to run.
    full = adapted(tmp_path / "full", tiny, bins=1e-12, value_pooling=pooling)
    items = [item("Where: post, From: somebody", f"Post: {w}", words=(6, 6 + len(w))) for w in ("loaf", "loaves", "x")]
    ran = {backbone: count_blocks(backbone) for backbone in (early, full)}
    answers = [read(backbone, items, pass_tokens=pass_tokens, engine=engine) for backbone in (early, full)]
    for asked in items:
        one, other = (answer[asked] for answer in answers)
        assert isinstance(one, Reading)
        assert isinstance(other, Reading)
        assert one.utility == pytest.approx(other.utility, abs=1e-5)
        assert one.logits == pytest.approx(other.logits, abs=1e-5)
    assert len({answer.utility for answer in answers[0].values() if isinstance(answer, Reading)}) == 3
    assert max(ran[full]) == 5
    # The padded way may fill the shared part's cache for all blocks.
    assert engine is PaddedEngine or max(ran[early]) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_what_comes_behind_the_words_does_not_run_unless_it_is_read(
    tmp_path: Path, tiny: Backbone, engine: Any
) -> None:
    words = {"x": (6, 7), "loaf": (6, 10), "loaves": (6, 12)}
    items = [
        item("Where: post", f"Post: {w}{ask}", words=at) for w, at in words.items() for ask in ("\nHow many?", "?")
    ]
    found: dict[float, list[float | None]] = {}
    ran: dict[float, list[int]] = {}
    for bins in (0.0, 1e-12):
        backbone = adapted(tmp_path / f"{bins}", tiny, bins=bins, value_pooling="words")
        ran[bins] = count_tokens(backbone)
        answers = read(backbone, items, engine=engine)
        assert set(answers) == set(items)
        found[bins] = [reading.utility for asked in items if isinstance(reading := answers[asked], Reading)]
    assert found[0.0] == pytest.approx(found[1e-12], abs=1e-5)
    assert found[0.0][::2] == found[0.0][1::2], "questions that are not read make no difference"
    assert sum(ran[0.0]) < sum(ran[1e-12]) - len("\nHow many?")


def count_tokens(backbone: Backbone) -> list[int]:
    """Tokens of each pass through the first block from now on."""
    ran: list[int] = []

    def count(_: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        states = args[0] if args else kwargs["hidden_states"]
        ran.append(states.shape[0] * states.shape[1])

    backbone.layers[0].register_forward_pre_hook(count, with_kwargs=True)
    return ran


def count_blocks(backbone: Backbone) -> set[int]:
    """Numbers of the blocks that run from now on."""
    ran: set[int] = set()
    for number, layer in enumerate(backbone.layers, start=1):
        layer.register_forward_pre_hook(lambda *_, number=number: ran.add(number))
    return ran


def test_utilities_equal_their_definition(tmp_path: Path, tiny: Backbone) -> None:
    import torch

    backbone = adapted(tmp_path / "early", tiny)
    head = backbone.value_head("click_rate")
    assert head is not None
    items = [item("Where: post, From: somebody", f"Post: {w}") for w in ("loaf", "loaves", "x" * 50)]
    for asked, answer in read(backbone, items, pass_tokens=30).items():
        with torch.inference_mode():
            states = backbone.language_model(
                input_ids=torch.tensor([asked.shared + asked.own]), output_hidden_states=True
            ).hidden_states
        own = [states[n][0, len(asked.shared) :] for n in (1, 2)]
        features = torch.cat([own[0].mean(0), own[1].mean(0), own[1][-1]])
        assert isinstance(answer, Reading)
        assert answer.utility == pytest.approx(float(head.weight @ features) + 0.1, abs=1e-4)
        assert np.exp(answer.logits) == pytest.approx(head.bin_probabilities(answer.utility), abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "packs", "extra"),
    [
        ("Qwen2", True, {}),
        ("Qwen3", True, {}),
        ("Mistral", True, {"sliding_window": None}),
        ("Mistral", False, {"sliding_window": 16}),
        ("Gemma2", False, {"sliding_window": 16, "final_logit_softcapping": 5.0}),
        ("GPTNeoX", False, {}),
    ],
)
def test_other_architectures(tmp_path: Path, tiny: Backbone, kind: str, packs: bool, extra: dict[str, Any]) -> None:
    import torch
    import transformers

    tiny.tokenizer.save_pretrained(tmp_path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        config = getattr(transformers, f"{kind}Config")(**FIELDS, **extra)
        getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(tmp_path)
    backbone = load_backbone(tmp_path, device="cpu")
    assert can_pack(backbone) == packs
    items = [item("Where: post, From: somebody else", f"Post: {word}") for word in ("loaf", "bread and tea", "x")]
    found = read(backbone, [*items, item("no", "thing shared")], pass_tokens=120)
    for asked in items:
        assert log_probabilities(found[asked]) == pytest.approx(plain_logits(backbone, asked), abs=1e-4)


@contextmanager
def little_memory(backbone: Backbone, tokens: int, error: Exception) -> Iterator[list[int]]:
    """A device that cannot run more than so many tokens at once; gives the sizes that were tried."""
    tried: list[int] = []

    def refuse(_: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        states = args[0] if args else kwargs["hidden_states"]
        tried.append(states.shape[0] * states.shape[1])
        if tried[-1] > tokens:
            raise error

    hook = backbone.layers[1].register_forward_pre_hook(refuse, with_kwargs=True)
    try:
        yield tried
    finally:
        hook.remove()


def memory_errors() -> list[Exception]:
    import torch

    said = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: 99 bytes"
    return [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(said), MemoryError()]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_pass_that_does_not_fit_is_halved_not_lost(tiny: Backbone, engine: Any, which: int) -> None:
    items = [item("Where: post, From: somebody", f"{i} loaf{' long' * (i % 5)}") for i in range(40)]
    error = memory_errors()[which]
    assert is_out_of_memory(error)
    with little_memory(tiny, 300, error) as tried:
        found = read(tiny, items, pass_tokens=4000, engine=engine)
    assert max(tried) > 300
    assert tried[-1] <= 300
    calm = read(tiny, items, engine=engine)
    for asked in items:
        assert log_probabilities(found[asked]) == pytest.approx(log_probabilities(calm[asked]), abs=1e-5)


def test_one_prompt_that_never_fits_is_reported_alone(tiny: Backbone) -> None:
    items = [item("Where: post", "short"), item("Where: post", "l" * 500), item("Where: post", "small")]
    with little_memory(tiny, 300, memory_errors()[0]):
        found = read(tiny, items)
    assert isinstance(found[items[1]], Unread)
    assert "memory" in found[items[1]].reason
    assert [isinstance(found[i], Reading) for i in (items[0], items[2])] == [True, True]


def test_other_failures_are_raised(tiny: Backbone) -> None:
    with little_memory(tiny, 0, RuntimeError("a kernel broke")), pytest.raises(RuntimeError, match="a kernel broke"):
        read(tiny, [item("x", "y")])


def save_pictures(folder: Path, n: int) -> list[Path]:
    paths = [folder / f"{i}.png" for i in range(n)]
    for i, path in enumerate(paths):
        pixels = np.random.default_rng(i).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


@pytest.mark.parametrize("engine", ENGINES)
def test_pictures_tell_equal_words_apart_and_broken_ones_fail_alone(
    tiny: Backbone, tmp_path: Path, engine: Any
) -> None:
    paths = save_pictures(tmp_path, 3)
    paths[1].write_bytes(paths[1].read_bytes()[:200])
    slots = (tiny.image_token or 0,) * tiny.tokens_per_picture
    items = [
        Item((*item("Picture: ", "").shared, *slots, 9), item("", own).own, (0, 1), (picture_key(path),), (path,))
        for path in paths
        for own in ("a loaf", "a bun")
    ]
    text = item("Picture: ", "a loaf")
    found = read(tiny, [*items, text], engine=engine)
    assert [isinstance(found[i], Unread) for i in items] == [False, False, True, True, False, False]
    assert isinstance(found[text], Reading)
    assert found[items[0]] != found[items[4]]
    for alone in (items[0], items[5]):
        expected = log_probabilities(read(tiny, [alone], engine=engine)[alone])
        assert log_probabilities(found[alone]) == pytest.approx(expected, abs=1e-4)
    tiny_passes = read(tiny, [*items, text], engine=engine, pass_tokens=1)
    for asked in (items[0], items[5], text):
        assert log_probabilities(found[asked]) == pytest.approx(log_probabilities(tiny_passes[asked]), abs=1e-4)
