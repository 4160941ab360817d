"""A corpus built, described and checked: whole or not at all, the same twice, and without leaks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from lcbm_model.corpus import build, check, describe, find_leaks, get_reader, plan, plot, read_corpus, read_manifest
from lcbm_model.corpus.near_duplicates import near_pairs, normalize
from lcbm_model.corpus.pairs import arm_pairs
from lcbm_model.corpus.store import file_sha256, write_records
from lcbm_model.errors import SettingsError, TableError
from tests.lcbm_model import corpus_rows as rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows.write_all(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "corpus"
    build(plan([data]), out)
    return out


def test_every_file_finds_its_reader_and_its_pictures(data: Path) -> None:
    found = {s.path.name: (s.reader, s.images and s.images.name) for s in plan([data])}
    assert found == {
        "adverts.parquet": ("lambda", None),
        "captions.parquet": ("caption_contest", "caption_contest_images"),
        "clickbait.parquet": ("clickbait", None),
        "facebook.parquet": ("facebook", None),
        "oasis.parquet": ("oasis", "oasis_images"),
        "posts.jsonl": ("blift", None),
        "reddit.parquet": ("reddit", None),
        "upworthy.parquet": ("upworthy", None),
        "videos.jsonl": ("content_behavior", None),
    }
    (named,) = plan([f"clickbait={data / 'clickbait.parquet'}"])
    assert named.reader == "clickbait"
    (elsewhere,) = plan([data / "oasis.parquet"], {"oasis": data / "caption_contest_images"})
    assert elsewhere.images == data / "caption_contest_images"


def test_a_plan_says_what_it_cannot_place(data: Path, tmp_path: Path) -> None:
    pl.DataFrame({"wort": ["eins"]}).write_parquet(tmp_path / "odd.parquet")
    with pytest.raises(TableError, match=r"odd\.parquet: no reader fits its columns \(got \['wort'\]\).*READER=FILE"):
        plan([tmp_path / "odd.parquet"])
    with pytest.raises(TableError, match="given twice"):
        plan([data / "clickbait.parquet", data])
    with pytest.raises(SettingsError, match="unknown source"):
        plan([f"novels={data / 'clickbait.parquet'}"])
    with pytest.raises(TableError, match="no such file"):
        plan([tmp_path / "none.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match="holds no tables"):
        plan([tmp_path / "empty"])
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    with pytest.raises(TableError, match=r"cut\.parquet"):
        plan([tmp_path / "cut.parquet"])


def test_what_is_written_is_read_back_the_same(data: Path, tmp_path: Path) -> None:
    for source in plan([data]):
        records = list(get_reader(source.reader).read(source.path, images=source.images))
        assert write_records(iter(records), tmp_path / "r.parquet") == len(records)
        from lcbm_model.corpus.store import read_records

        assert list(read_records(tmp_path / "r.parquet")) == records, source.reader


def test_the_manifest_tells_source_licence_counts_and_hashes(corpus: Path, data: Path) -> None:
    manifest = read_manifest(corpus)
    assert len(manifest.sources) == 9
    for entry in manifest.sources:
        assert entry.licence
        assert sum(entry.splits.values()) == entry.records == pq.ParquetFile(corpus / entry.file).metadata.num_rows
        assert entry.sha256 == file_sha256(corpus / entry.file)
        assert entry.input_sha256 == file_sha256(data / entry.input)
    assert manifest.records == len(list(read_corpus(corpus)))
    text = (corpus / "manifest.json").read_text(encoding="utf-8")
    assert str(data) not in text


def test_building_twice_gives_the_same_bytes(corpus: Path, data: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    build(plan([data]), tmp_path / "again", progress=lambda step, n: steps.append(step))
    for file in corpus.glob("*.*"):
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name
    assert {"reading upworthy", "looking for leaks", "writing upworthy"} <= set(steps)


def test_reading_some_of_it(corpus: Path) -> None:
    tests = list(read_corpus(corpus, split="test", sources=["upworthy"]))
    assert tests
    assert {(r.source, r.split) for r in tests} == {("upworthy", "test")}
    with pytest.raises(TableError, match="has no such source"):
        list(read_corpus(corpus, sources=["novels"]))
    with pytest.raises(TableError, match=r"has no manifest\.json"):
        list(read_corpus(corpus.parent))


def test_a_saved_hugging_face_dataset_is_one_source(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    posts = Dataset.from_list([rows.post(i, comments=["Lovely"]) for i in range(12)])
    posts.save_to_disk(str(tmp_path / "posts"))
    halves = {"train": [rows.video(i) for i in (0, 5)], "test": [rows.video(1, asr_raw=[{"text": "A red chair"}])]}
    DatasetDict({name: Dataset.from_list(part) for name, part in halves.items()}).save_to_disk(str(tmp_path / "films"))
    sources = plan([tmp_path / "posts", f"content_behavior={tmp_path / 'films'}"])
    assert [source.reader for source in sources] == ["blift", "content_behavior"]
    first, second = build(sources, tmp_path / "out").manifest.sources
    assert (first.input, first.records, second.splits) == ("posts", 12, {"test": 1, "train": 2})
    (tmp_path / "films" / "dataset_dict.json").touch()
    assert build(sources, tmp_path / "again").manifest.sources[1].input_sha256 == second.input_sha256


def test_a_build_replaces_a_corpus_and_nothing_else(tmp_path: Path) -> None:
    rows.clickbait(10).write_parquet(tmp_path / "a.parquet")
    sources, out = plan([tmp_path / "a.parquet"]), tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text('{"name": "somebody\'s app"}', encoding="utf-8")
    with pytest.raises(TableError, match="is not empty and holds no corpus"):
        build(sources, out)
    (out / "manifest.json").unlink()
    build(sources, out)
    plot(out, out / "plots")
    build(sources, out)
    assert sorted(path.name for path in out.iterdir()) == ["clickbait.parquet", "manifest.json"]
    (out / "notes.txt").write_text("of years", encoding="utf-8")
    with pytest.raises(TableError, match=r"holds more than a corpus.*'notes\.txt'"):
        build(sources, out)
    with pytest.raises(TableError, match="is no folder"):
        build(sources, tmp_path / "a.parquet")


def test_two_files_of_one_source_keep_their_records_apart(tmp_path: Path) -> None:
    rows.clickbait(10).write_parquet(tmp_path / "a.parquet")
    late = rows.clickbait(30).tail(20)
    late.write_parquet(tmp_path / "b.parquet")
    built = build(plan([tmp_path / "a.parquet", tmp_path / "b.parquet"]), tmp_path / "out")
    assert [s.file for s in built.manifest.sources] == ["clickbait.parquet", "clickbait-2.parquet"]
    ids = [r.id for r in read_corpus(tmp_path / "out")]
    assert len(ids) == len(set(ids)) == 30


def test_two_tables_keep_their_own_tests_contexts_and_groups_apart(tmp_path: Path) -> None:
    head = "text,clicks,impressions,test,group,split"
    first = [
        "A new lid for the old copper pot,100,1000,1,g1,train",
        "Nine brooms were tried on one floor,90,1000,1,g1,train",
    ]
    second = [
        "Two weeks by the lake in early autumn,5,1000,1,g1,test",
        "What to pack when it may snow in May,9,1000,1,g1,test",
    ]
    again = "A NEW lid  for the old copper pot,7,1000,,,test"
    (tmp_path / "x1.csv").write_text("\n".join([head, *first]), encoding="utf-8")
    (tmp_path / "x2.csv").write_text("\n".join([head, *second, again]), encoding="utf-8")
    built = build(plan([f"table={tmp_path / name}" for name in ("x1.csv", "x2.csv")]), tmp_path / "out")
    assert built.leaks.counts == {"group": 0, "picture": 0, "exact": 1, "near": 0}
    records = {r.id: r for r in read_corpus(tmp_path / "out")}
    # The repost is the same text: the train row of the first file gives it away.
    assert list(records) == ["table-2", "table-2/table-1", "table-2/table-2", "table-2/table-3"]
    assert records["table-2"].arms == "1"
    assert records["table-2"].group == "table:g1"
    pairs = [(p.first.id, p.second.id) for p in arm_pairs(records.values(), "click_rate")]
    assert pairs == [("table-2/table-1", "table-2/table-2")]
    assert len({r.context for r in records.values()}) == 2
    assert len({records[f"table-2/table-{i}"].group for i in (1, 2)}) == 1
    assert records["table-2/table-3"].group == "table:a new lid for the old copper pot"


def test_a_source_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    frame = rows.upworthy()
    frame[1, "split"] = "test"
    frame.write_parquet(tmp_path / "u.parquet")
    with pytest.raises(TableError, match="lies in train and test"):
        build(plan([tmp_path / "u.parquet"]), tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["u.parquet"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not lose me", encoding="utf-8")
    with pytest.raises(TableError, match="holds no corpus"):
        build(plan([tmp_path / "u.parquet"]), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


LONG = "The harbour lanterns went out one by one last night"


def leaky(folder: Path) -> Path:
    frame = rows.clickbait(30).with_columns(split=pl.lit("train"))
    frame[0, "split"] = frame[1, "split"] = frame[2, "split"] = "test"
    frame[3, "split"] = "validation"
    frame[0, "headline"] = LONG
    frame[10, "headline"] = LONG.upper() + "!!!"
    frame[11, "headline"] = LONG.replace("last", "that")
    frame[3, "headline"] = LONG + " again"
    frame[1, "headline"] = frame[12, "headline"] = "Good morning"
    frame.write_parquet(folder / "clickbait.parquet")
    return folder / "clickbait.parquet"


def test_building_drops_what_gives_a_held_out_text_away(tmp_path: Path) -> None:
    built = build(plan([leaky(tmp_path)]), tmp_path / "out")
    (entry,) = built.manifest.sources
    assert entry.leaks_dropped == {"exact": 1, "near": 2}
    assert entry.records == 27
    texts = [r.content.text for r in read_corpus(tmp_path / "out")]
    assert LONG in texts
    assert texts.count("Good morning") == 2
    report = check(tmp_path / "out")
    assert report.clean
    assert report.short == 1


def test_checking_finds_what_was_put_in_by_hand(tmp_path: Path) -> None:
    records = list(get_reader("clickbait").read(leaky(tmp_path)))
    records[20] = records[20].model_copy(update={"group": records[0].group})
    frame = pl.DataFrame(
        {
            "id": [r.id for r in records],
            "source": [r.source for r in records],
            "group": [r.group for r in records],
            "split": [r.split for r in records],
            "text": [r.content.text for r in records],
            "picture": [None] * 25 + ["same"] * 4 + [None],
        },
        schema_overrides={"picture": pl.String},
    )
    frame[26, "split"] = "test"
    report = find_leaks(frame)
    assert not report.clean
    assert report.counts == {"group": 1, "picture": 3, "exact": 1, "near": 2}
    by_id = {(leak.kind, leak.id): leak for leak in report.leaks}
    assert by_id["group", "clickbait-21"].other_id == "clickbait-1"
    assert by_id["exact", "clickbait-11"].other_split == "test"
    assert by_id["near", "clickbait-4"].split == "validation"
    assert 90 <= by_id["near", "clickbait-12"].likeness < 100
    told = json.loads(json.dumps(report.to_dict()))
    assert told["counts"]["group"] == 1
    assert told["short_texts_tolerated"] == 1


def test_a_record_is_dropped_and_not_its_namesake_of_another_source() -> None:
    words = "The mayor opens a harbour that nobody needs"
    near = f"{words} today"
    rows = [("one", "1", "train", words), ("two", "1", "train", "Nine onions and a pan of copper"),
            ("two", "2", "train", near), ("one", "2", "train", "Another harbour sleeps beside the sea"),
            ("one", "9", "test", words)]  # fmt: skip
    names = {"id": 1, "source": 0, "group": 3, "split": 2, "text": 3}
    columns = {name: [row[place] for row in rows] for name, place in names.items()}
    columns["group"] = [f"{row[0]}-{row[1]}" for row in rows]
    frame = pl.DataFrame({**columns, "picture": [None] * len(rows)}, schema_overrides={"picture": pl.String})
    report = find_leaks(frame)
    assert report.dropped("one") == {"1": "exact"}
    assert report.dropped("two") == {"2": "near"}


def test_near_duplicates_are_all_found_and_nothing_else() -> None:
    draw = np.random.default_rng(5)
    texts = [" ".join(draw.choice(rows.WORDS, size=9)) + f" {i}" for i in range(400)]
    changed = [t.replace(t.split()[2], "spoon", 1) for t in texts[:100]]
    series = normalize(pl.Series(texts + changed))
    held = np.zeros(500, dtype=bool)
    held[400:] = True
    found = near_pairs(series, held)
    from rapidfuzz import fuzz

    truth = {
        (i, j)
        for i in range(500)
        for j in range(max(i + 1, 400), 500)
        if series[i] != series[j] and fuzz.ratio(series[i], series[j]) >= 90
    }
    got = set(zip(found["left"], found["right"], strict=True))
    assert got <= truth
    assert len(got) >= 0.97 * len(truth)
    assert len(truth) > 50


def test_changed_files_are_noticed(corpus: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(corpus, copy)
    with (copy / "reddit.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(TableError, match=r"reddit\.parquet: was changed"):
        check(copy)
    (copy / "reddit.parquet").unlink()
    with pytest.raises(TableError, match="names a file that is not there"):
        check(copy)
    (copy / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TableError, match="is no manifest"):
        check(copy)


def test_stats_tell_ranges_missing_values_and_exposures(corpus: Path, tmp_path: Path) -> None:
    found = describe(corpus)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    upworthy = found["sources"]["upworthy"]
    assert (upworthy["groups"], upworthy["comparisons"]) == (6, 5)
    clicks = upworthy["metrics"]["click_rate"]
    assert clicks["exposure"]["p0"] == 2000
    assert clicks["exposure"]["p100"] == 2300
    assert clicks["without_percentile"] == 4
    assert clicks["missing"] == 0
    assert upworthy["missing"]["media"] == 1.0
    assert found["sources"]["oasis"]["missing"]["words"] == 1.0
    assert found["sources"]["clickbait"]["metrics"] == {}
    drawn = plot(corpus, tmp_path)
    assert {p.stem for p in drawn} == set(found["sources"]) - {"clickbait"}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in drawn)


def test_the_whole_corpus_is_free_of_leaks(data_dir: Path, tmp_path: Path) -> None:
    """Two real sources; the whole is `lcbm corpus build` over the folder, too long for every test run."""
    files = [data_dir / f"{name}.parquet" for name in ("upworthy", "clickbait")]
    built = build(plan(files), tmp_path / "out")
    assert built.manifest.records > 29_000
    assert 0 < built.leaks.counts["near"] < 100
    assert check(tmp_path / "out").clean
