"""The brief's form, pasted lines and files, and the sample brand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lcbm_model.errors import BriefError, SettingsError, TableError
from optimizer.brief import Brief
from tests.lcbm_model.workbook import write_xlsx
from ui.forms import MAX_LINES, BriefForm, channel_choices, format_choices, metric_choices, texts_from
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


def test_lines_and_files_come_together_without_repeats(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('text,n\n"two\nlines",1\nB,2\n,3\n', encoding="utf-8")
    assert texts_from("A\n\nB\nA", tmp_path / "x.csv") == (["A", "B", "two lines"], [])
    (tmp_path / "x.jsonl").write_text('{"text": "C"}\n\n{"text": "D"}\n')
    assert texts_from("", tmp_path / "x.jsonl")[0] == ["C", "D"]
    (tmp_path / "x.txt").write_text("E\nF\n")
    assert texts_from("", tmp_path / "x.txt")[0] == ["E", "F"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.csv", b"Text;id\nCaf\xc3\xa9 au lait;1\n"),
        ("x.csv", b"text,id\nCaf\xe9 au lait,1\n"),
        ("x.tsv", b"id\tTEXT\n1\tCaf\xc3\xa9 au lait\n"),
        ("x.jsonl", b'{"Text": "Caf\xc3\xa9 au lait"}\n{"Text": null}\n'),
        ("x.txt", b"\xef\xbb\xbfCaf\xc3\xa9 au lait\n"),
        ("x.txt", b"Caf\xe9 au lait\n"),
        ("x.txt", "Caf\u00e9 au lait\n".encode("utf-16")),
    ],
)
def test_files_are_read_as_the_command_line_reads_them(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert texts_from("", checked_table(tmp_path / name, also=(".txt",)))[0] == ["Caf\u00e9 au lait"]


def test_a_spreadsheet_is_read(tmp_path: Path) -> None:
    pl.DataFrame({"Text": ["A pan", None, "A pot"], "n": [1, 2, 3]}).write_parquet(tmp_path / "x.parquet")
    assert texts_from("", tmp_path / "x.parquet")[0] == ["A pan", "A pot"]
    book = write_xlsx(tmp_path / "x.xlsx", {"Sheet 1": [["id", "Text"], [1, "A pan"], [2, "A pot"]]})
    assert texts_from("", checked_table(book))[0] == ["A pan", "A pot"]


def test_what_was_guessed_or_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"text,id\nCaf\xe9,1\na,b,c,d\nPan,2\n")
    texts, notes = texts_from("", tmp_path / "x.csv")
    assert texts == ["Caf\u00e9", "Pan"]
    assert "Windows-1252" in notes[0]
    assert "rows left out: 1; the first is row 2" in notes[-1]


@pytest.mark.parametrize("data", [b"headline\nx\n", b'text\n"never closed\n', b"text\n\x81\xff\n"])
def test_files_without_readable_texts_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(TableError, match=r"^x\.csv") as refused:
        texts_from("", tmp_path / "x.csv")
    assert str(tmp_path) not in str(refused.value)


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
