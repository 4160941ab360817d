"""The brief's form and the sample brand."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcbm_model.errors import BriefError, SettingsError
from optimizer.brief import Brief
from ui.forms import BriefForm, channel_choices, format_choices, metric_choices
from ui.sample import load_sample, sample_folder
from ui.uploads import checked_table


def test_a_brief_survives_the_form() -> None:
    brief = Brief(
        message="Say it",
        draft="It",
        metric="shares",
        channel="email_subject",
        must_keep=("9 minutes", "149 euros"),
        banned_words=("best", "never"),
        rules=("no emoji",),
        max_length=90,
        title="How we cook",
        format="photo",
    )
    again = BriefForm.from_brief(brief).brief()
    assert again.model_copy(update={"name": brief.name}) == brief


def test_a_draft_alone_is_enough_and_nothing_is_not() -> None:
    assert BriefForm(draft=" A pan ").brief().message == "A pan"
    with pytest.raises(BriefError, match="What has to be said: is empty"):
        BriefForm().brief()


def test_untouched_fields_of_a_closed_fold_have_their_defaults() -> None:
    values = ["Say it", *[None] * (len(BriefForm.names()) - 1)]
    brief = BriefForm(*values).brief()  # type: ignore[arg-type]
    assert brief.metric == "click_rate"
    assert brief.must_keep == ()
    assert brief.budget.rounds == 3


def test_mistakes_carry_the_labels_of_the_page() -> None:
    form = BriefForm(message="x", must_keep="the best pan", banned_words="best, cheap")
    with pytest.raises(BriefError, match=r"^Words to avoid: also stands"):
        form.brief()


def test_choices_are_for_people() -> None:
    assert ("Click rate", "click_rate") in metric_choices()
    assert ("Email subject line", "email_subject") in channel_choices()
    assert format_choices()[:2] == [("Not said", ""), ("A link", "link")]


def test_the_sample_brand_loads_from_the_sources(tmp_path: Path) -> None:
    if sample_folder() is None:
        pytest.skip("examples/ is not beside the packages: an installed wheel")
    sample = load_sample(tmp_path)
    assert sample.brief.message
    assert sample.picture.exists()
    assert checked_table(sample.library)


def test_without_the_sample_the_app_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCBM_EXAMPLES", str(tmp_path))
    with pytest.raises(SettingsError, match="LCBM_EXAMPLES"):
        load_sample(tmp_path / "copies")
