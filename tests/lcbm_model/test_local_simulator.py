"""The local backend on a tiny random model: exactness of shared-prefix scoring, errors, pictures, limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lcbm_model.backbone.loader import load_backbone
from lcbm_model.backbone.model import Backbone
from lcbm_model.behavior import PercentileScale
from lcbm_model.content import Content, Media, Scene
from lcbm_model.errors import SettingsError
from lcbm_model.metrics import get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Known
from lcbm_model.simulator.conformal import ConformalCalibration, Entry
from lcbm_model.simulator.load import load_simulator
from lcbm_model.simulator.local import LocalSimulator
from lcbm_model.simulator.pictures import PictureCache
from lcbm_model.verbalize import behavior_prompt
from tests.lcbm_model.tiny_model import write_tiny_model

CLICKS = get_metric("click_rate")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(write_tiny_model(tmp_path_factory.mktemp("local") / "model"), device="cpu")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "loaf.png"
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def plain_bins(backbone: Backbone, content: Content, context: Context | None = None) -> list[float]:
    """One ordinary forward pass of the assembled LLaVA, no cache, no batch."""
    import torch

    from lcbm_model.vision.images import open_picture, to_pixels

    encoded = backbone.encoder.encode(behavior_prompt(content, CLICKS, context))
    pixels = [torch.from_numpy(to_pixels(open_picture(path))) for path in encoded.pictures]
    model = backbone.llava() if pixels else backbone.language_model
    extra = {"pixel_values": torch.stack(pixels)} if pixels else {}
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([encoded.ids]), **extra).logits[0, -1, list(backbone.encoder.digits)]
    return logits.softmax(-1).tolist()


@settings(max_examples=12, deadline=None)
@given(
    texts=st.lists(st.text(min_size=1, max_size=40).filter(lambda t: bool(t.strip())), min_size=1, max_size=9),
    topics=st.lists(st.sampled_from(["bread", "tea", None]), min_size=9, max_size=9),
    pass_tokens=st.integers(1, 900),
)
def test_batches_on_a_shared_prefix_equal_one_by_one(
    tiny: Backbone, texts: list[str], topics: list[str | None], pass_tokens: int
) -> None:
    contents = [Content(text=text, topic=topic) for text, topic in zip(texts, topics, strict=False)]
    answers = LocalSimulator(tiny, pass_tokens=pass_tokens).predict(contents, CLICKS)
    for content, answer in zip(contents, answers, strict=True):
        assert answer.bins == pytest.approx(plain_bins(tiny, content), abs=1e-4)


def test_pictures_equal_the_assembled_llava(tiny: Backbone, picture: Path) -> None:
    contents = [Content(text=f"Loaf {i}", media=(Media(path=picture),)) for i in range(3)]
    answers = LocalSimulator(tiny).predict([*contents, Content(text="no picture")], CLICKS)
    for content, answer in zip(contents, answers, strict=False):
        assert answer.bins == pytest.approx(plain_bins(tiny, content), abs=1e-4)
    assert answers[0].bins != answers[3].bins


def test_a_picture_is_looked_at_once_for_equal_bytes(tiny: Backbone, picture: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(picture.read_bytes())
    simulator = LocalSimulator(tiny)
    simulator.predict([Content(text="a", media=(Media(path=p),)) for p in (picture, copy)], CLICKS)
    assert len(simulator._scorer.pictures) == 1


def test_embedded_model_equals_its_plain_forward() -> None:
    untuned = load_simulator("embedded-untuned", device="cpu")
    assert isinstance(untuned, LocalSimulator)
    context = Context(examples=(Known(text="A slow start", percentile=35),))
    contents = [Content(text=text, channel="headline") for text in ("Tea at ten", "Nine ways to be early for once")]
    for content, answer in zip(contents, untuned.predict(contents, CLICKS, context), strict=True):
        assert answer.bins == pytest.approx(plain_bins(untuned.backbone, content, context), abs=1e-4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (Content(text=" \n "), "empty"),
        (Content(text="", title=" \t"), "empty"),
        (Content(text="word " * 600), "too long"),
        (Content(text="w" * 200_000), "too long"),
        (Content(text="x", media=(Media(path=Path("/no/such.png")),)), "/no/such.png"),
        (Content(text="x", media=(Media(path=Path("nul\0l")),)), "cannot be read"),
    ],
)
def test_bad_items_carry_their_reason(tiny: Backbone, content: Content, reason: str) -> None:
    good, bad = LocalSimulator(tiny).predict([Content(text="fine"), content], CLICKS)
    assert good.ok
    assert bad.error is not None
    assert reason in bad.error


def test_a_hundred_megapixels_are_refused_before_decoding(tiny: Backbone, tmp_path: Path, picture: Path) -> None:
    huge = tmp_path / "huge.png"
    Image.new("1", (10_000, 10_000)).save(huge)
    contents = [Content(text="loaf", media=(Media(path=path),)) for path in (picture, huge)]
    good, bad, text = LocalSimulator(tiny).predict([*contents, Content(text="no picture")], CLICKS)
    assert good.ok
    assert text.ok
    assert bad.error is not None
    assert "10000 x 10000 pixels" in bad.error


def test_more_pictures_than_are_kept(tiny: Backbone, tmp_path: Path) -> None:
    contents = []
    for i in range(4):
        path = tmp_path / f"{i}.png"
        Image.new("RGB", (32, 32), (60 * i, 10, 200 - 60 * i)).save(path)
        contents.append(Content(text="loaf", media=(Media(path=path),)))
    simulator = LocalSimulator(tiny)
    expected = simulator.predict(contents, CLICKS)
    simulator._scorer.pictures = PictureCache(tiny, kept=2)
    assert [a.bins for a in simulator.predict(contents, CLICKS)] == [a.bins for a in expected]
    assert len(simulator._scorer.pictures) == 2


def test_a_title_may_speak_for_itself(tiny: Backbone) -> None:
    titles = [Content(text="", title=title) for title in ("Bread at four", "Tea at ten")]
    answers = LocalSimulator(tiny).predict(titles, CLICKS)
    for content, answer in zip(titles, answers, strict=True):
        assert answer.bins == pytest.approx(plain_bins(tiny, content), abs=1e-4)
    assert answers[0].bins != answers[1].bins


def test_bfloat16_agrees_and_says_so(embedded: LocalSimulator) -> None:
    name = embedded.backbone.adapter.folder if embedded.backbone.adapter else "embedded-untuned"
    half = load_simulator(name, device="cpu", dtype="bfloat16")
    contents = [Content(text=text, channel="headline") for text in ("Tea at ten", "Nine ways to be early for once")]
    for one, other in zip(embedded.predict(contents, CLICKS), half.predict(contents, CLICKS), strict=True):
        assert one.bins == pytest.approx(other.bins, abs=2e-2)
        assert one.bins != other.bins
    assert half.identity.precision == "bfloat16"
    assert half.identity != embedded.identity


def test_broken_weights_are_reported_not_scored(tmp_path: Path) -> None:
    import torch

    backbone = load_backbone(write_tiny_model(tmp_path / "nan"), device="cpu", fresh=True)
    with torch.no_grad():
        backbone.language_model.model.norm.weight.fill_(float("nan"))
    answer = LocalSimulator(backbone).predict([Content(text="x")], CLICKS)[0]
    assert answer.error is not None
    assert "not finite" in answer.error


def test_ten_thousand_contents(tiny: Backbone) -> None:
    contents = [Content(text=f"loaf {i % 40}") for i in range(10_000)]
    answers = LocalSimulator(tiny).predict(contents, CLICKS)
    assert len(answers) == 10_000
    assert answers[7] == answers[47]


def test_raw_scale_comes_from_the_context(tiny: Backbone) -> None:
    scale = PercentileScale.fit([0.0, 0.1, 0.2])
    answer = LocalSimulator(tiny).predict([Content(text="x")], CLICKS, Context(scale=scale))[0]
    assert answer.raw == pytest.approx(scale.to_raw(answer.expected))
    assert answer.raw_low <= answer.raw <= answer.raw_high


def test_the_raw_range_runs_upwards_where_less_is_better() -> None:
    from lcbm_model.simulator.raw_scale import on_raw_scale

    identity = SimulatorIdentity(backend="fake", checkpoint="x", checkpoint_hash="0", tuned=True)
    ranged = Prediction.from_bins("click_rate", identity, [0.1] * 10).model_copy(update={"low": 20.0, "high": 80.0})
    found = on_raw_scale(ranged, Context(scale=PercentileScale.fit(range(101), higher_is_better=False)))
    assert (found.raw_low, found.raw, found.raw_high) == pytest.approx((20, 50, 80), abs=0.5)


def test_calibration_is_applied_and_named(tiny: Backbone) -> None:
    calibration = ConformalCalibration(entries={"click_rate/post": Entry(widen=-5), "click_rate/email": Entry()})
    plain, tuned = LocalSimulator(tiny), LocalSimulator(tiny, calibration=calibration)
    content = [Content(text="x")]
    before, after = plain.predict(content, CLICKS)[0], tuned.predict(content, CLICKS)[0]
    assert after.low == pytest.approx(before.low + 5)
    assert tuned.identity.calibration_id == calibration.id
    unseen = tuned.predict([Content(text="x", channel="billboard")], CLICKS)[0]
    assert unseen.high - unseen.low > after.high - after.low


def test_identity_says_untuned(tiny: Backbone) -> None:
    identity = LocalSimulator(tiny).identity
    assert not identity.tuned
    assert identity.metrics == ()
    assert "untuned" in identity.label


def test_settings_are_checked(tiny: Backbone) -> None:
    with pytest.raises(SettingsError, match="pass_tokens"):
        LocalSimulator(tiny, pass_tokens=0)
    with pytest.raises(SettingsError, match="device"):
        load_backbone("embedded", device="cuda:99")


def test_a_text_only_model_masks_pictures(tmp_path: Path, picture: Path) -> None:
    backbone = load_backbone(write_tiny_model(tmp_path / "text", stamp=False), device="cpu")
    assert not backbone.sees
    media = (Media(path=picture),)
    answer, nothing = LocalSimulator(backbone).predict(
        [Content(text="x", media=media), Content(text="", media=media)], CLICKS
    )
    assert answer.ok
    assert nothing.error == "the text is empty, and this model sees no pictures"


def test_a_picture_or_scenes_may_speak_for_themselves(tiny: Backbone, picture: Path) -> None:
    silent = Content(text="", channel="video", scenes=(Scene(speech="Good morning"),))
    answers = LocalSimulator(tiny).predict([Content(text="", media=(Media(path=picture),)), silent], CLICKS)
    assert [answer.error for answer in answers] == [None, None]
