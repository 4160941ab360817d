"""The brief's form, pasted lines and files, and the sample brand."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcbm_model.errors import BriefError, SettingsError, TableError
from optimizer.brief import Brief
from ui.forms import MAX_LINES, BriefForm, channel_choices, metric_choices, texts_from
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


def test_lines_and_files_come_together_without_repeats(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('text,n\n"two\nlines",1\nB,2\n,3\n', encoding="utf-8")
    assert texts_from("A\n\nB\nA", tmp_path / "x.csv") == ["A", "B", "two lines"]
    (tmp_path / "x.jsonl").write_text('{"text": "C"}\n\n{"text": "D"}\n')
    assert texts_from("", tmp_path / "x.jsonl") == ["C", "D"]
    (tmp_path / "x.txt").write_text("E\nF\n")
    assert texts_from("", tmp_path / "x.txt") == ["E", "F"]


@pytest.mark.parametrize("data", [b"headline\nx\n", b"text\n\xff\xfe\xff\n"])
def test_files_without_readable_texts_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(TableError):
        texts_from("", tmp_path / "x.csv")


def test_too_many_lines_are_refused() -> None:
    with pytest.raises(TableError, match=str(MAX_LINES)):
        texts_from("\n".join(map(str, range(MAX_LINES + 1))), None)
    with pytest.raises(TableError, match="are empty"):
        texts_from(" \n ", None)


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
