"""The checkpoints in the repository: what they are made of, and that their scores stay what they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lcbm_model.backbone.loader import CHECKPOINTS, load_backbone, shipped_checkpoints
from lcbm_model.content import Content
from lcbm_model.prediction import Prediction
from lcbm_model.simulator import load_simulator
from optimizer.defaults import TWINS, held_out_pair

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "scores_shipped.json"
CONTENTS = {
    "click_rate": [
        Content(text=text, channel="headline")
        for text in ("Nine bakers tried the same loaf. Only one got it right.", "Bread", "A loaf is baked")
    ],
    "shares": [
        Content(text="Our oven is on again after the flood. Thank you, all of you.", format="photo"),
        Content(text="Our oven is on again after the flood. Thank you, all of you."),
        Content(text="New opening hours", title="When we bake", format="link"),
    ],
    "funniness": [
        Content(text=text, channel="caption") for text in ("I said sourdough, not so doubtful.", "It is a loaf.")
    ],
}
"""Invented, by metric."""
ROUNDING = 0.02
"""Percentile points, and units of utility, by which processors may differ."""


def test_the_house_has_three() -> None:
    assert shipped_checkpoints() == ["lcbm-smol", *TWINS]
    assert held_out_pair(None, None) == TWINS
    assert held_out_pair("embedded", None) == ("embedded", None)
    assert held_out_pair("embedded", "none") == ("embedded", "none")
    assert held_out_pair("lcbm-smol", None) == ("lcbm-smol", None)


def test_only_plain_files_and_few_megabytes() -> None:
    files = [path for path in CHECKPOINTS.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md"}
    assert sum(path.stat().st_size for path in files) < 40e6


def test_twins_come_from_the_same_recipes_on_disjoint_halves() -> None:
    read = {name: json.loads((CHECKPOINTS / name / "lcbm.json").read_text())["training"]["parts"] for name in TWINS}
    recipes = {name: [part["recipe"] for part in parts] for name, parts in read.items()}
    runs = {name: [recipe.pop("run") for recipe in own] for name, own in recipes.items()}
    assert recipes[TWINS[0]] == recipes[TWINS[1]]
    assert [{run["half"] for run in runs[name]} for name in TWINS] == [{"a"}, {"b"}]
    assert [part["metrics"] for part in read[TWINS[0]]] == [part["metrics"] for part in read[TWINS[1]]]


def scored(name: str) -> dict[str, list[Prediction]]:
    simulator = load_simulator(name, device="cpu", dtype="float32")
    return {metric: simulator.predict(contents, metric) for metric, contents in CONTENTS.items()}


@pytest.mark.parametrize("name", ["lcbm-smol", *TWINS])
def test_golden_scores(name: str) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))[name]
    found = scored(name)
    for metric, answers in found.items():
        told = [[a.utility, a.expected, a.low, a.high] for a in answers]
        assert told == [pytest.approx(row, abs=ROUNDING) for row in golden[metric]], metric
        assert all(a.simulator.tuned and a.simulator.calibration_id for a in answers)
    assert found["click_rate"][0].expected > found["click_rate"][1].expected  # type: ignore[operator]


def test_the_kind_of_a_post_and_its_title_are_heard() -> None:
    """The same words in a photograph's post, in a link's and behind another title are not shared alike."""
    text = "Our oven is on again after the flood"
    posts = [Content(text=text, format="photo"), Content(text=text, format="link")]
    posts += [Content(text=text, format="link", title="Terms and conditions"), Content(text=text)]
    simulator = load_simulator("embedded", device="cpu")
    said = simulator.predict(posts, "shares")
    assert len({round(p.expected, 1) for p in said if p.expected is not None}) == len(posts)
    assert simulator.identity.reads_kind == ("comments", "reactions", "shares")
    assert simulator.identity.without_kind("shares", posts) == 1
    assert simulator.identity.without_kind("click_rate", posts) == 0


def test_an_unseen_channel_widens_the_interval() -> None:
    simulator = load_simulator("embedded", device="cpu")
    known, unseen = simulator.predict(
        [Content(text="A loaf is baked", channel=channel) for channel in ("headline", "billboard")], "click_rate"
    )
    width = [float(p.high or 0) - float(p.low or 0) for p in (known, unseen)]
    assert width[1] > width[0] + 2


@pytest.mark.parametrize("name", ["lcbm-smol", *TWINS])
def test_a_language_that_was_not_learned_widens_the_interval(name: str) -> None:
    simulator = load_simulator(name, device="cpu")
    texts = ["Warum Ihr Brot so schnell alt wird", "Why your bread goes stale so soon"]
    contents = [Content(text=text, channel="headline") for text in texts]
    assert simulator.identity.languages == ("en",)
    assert simulator.identity.foreign(contents) == {"de": 1}
    foreign, known = simulator.predict(contents, "click_rate")
    narrow, wide = (float(p.high or 0) - float(p.low or 0) for p in (known, foreign))
    assert wide > narrow + 2


def test_shipped_checkpoints_share_one_copy_of_the_base() -> None:
    """Three simulators and a writer take the memory of one model and of the blocks that write, and share its turns."""
    first, *others = (load_backbone(name, device="cpu") for name in ("lcbm-smol", *TWINS, "embedded-untuned"))
    for other in others:
        alike = {
            name
            for (name, mine), base in zip(
                other.language_model.named_parameters(), first.language_model.parameters(), strict=True
            )
            if mine.data_ptr() == base.data_ptr()
        }
        assert {name for name, _ in other.language_model.named_parameters() if _number(name) < 20} <= alike
        assert other.lock is first.lock
    own = load_backbone("lcbm-smol", device="cpu", fresh=True)
    assert own.language_model is not first.language_model


def _number(name: str) -> int:
    """Of the block that a weight belongs to, from 0; -1 outside the blocks."""
    parts = name.split(".")
    return int(parts[parts.index("layers") + 1]) if "layers" in parts else -1


if __name__ == "__main__":  # python -m tests.lcbm_model.test_shipped_checkpoints: writes the golden scores anew
    made = {
        name: {m: [[a.utility, a.expected, a.low, a.high] for a in answers] for m, answers in scored(name).items()}
        for name in shipped_checkpoints()
    }
    GOLDEN.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
