"""The five task families on invented records: what is asked, what is answered, what is never leaked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lcbm_model.corpus import get_reader
from lcbm_model.corpus.record import Record
from lcbm_model.errors import SettingsError
from lcbm_model.tasks import BehaviorExample, PairExample, Task, TextExample, get_task, task_names
from lcbm_model.tasks.families.behavior_simulation import ReplayTask
from lcbm_model.tasks.families.domain_adaptation import FewShotTask
from tests.lcbm_model import corpus_rows as rows

FAMILIES = {
    "behavior_simulation",
    "content_simulation",
    "behavior_understanding",
    "content_understanding",
    "domain_adaptation",
}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = rows.write_all(tmp_path_factory.mktemp("data"))
    sources = {
        "upworthy": folder / "upworthy.parquet",
        "facebook": folder / "facebook.parquet",
        "clickbait": folder / "clickbait.parquet",
        "lambda": folder / "adverts.parquet",
    }
    found = [r for name, path in sources.items() for r in get_reader(name).read(path)]
    for name, file in (("oasis", "oasis"), ("caption_contest", "captions")):
        found += get_reader(name).read(folder / f"{file}.parquet", images=folder / f"{name}_images")
    told = [[[rows.sentence(3000 + i)], [], []] for i in range(30)]
    who = [{"channel_id": f"ch{i}"} for i in range(30)]
    videos = [rows.video(i, split="train", asr_grouped=told[i], channel_data=who[i]) for i in range(30)]
    path = rows.write_jsonl(folder / "v.jsonl", videos)
    return found + list(get_reader("content_behavior").read(path))


def made(name: str, records: list[Record], split: str = "train", seed: int = 0) -> list:
    return list(get_task(name).examples(records, split, seed))


def test_every_family_is_there_and_every_task_states_metric_and_chance() -> None:
    tasks = [get_task(n) for n in task_names()]
    assert {t.family for t in tasks} == FAMILIES
    assert len(tasks) == 10
    for task in tasks:
        assert isinstance(task, Task)
        assert task.metric in {"spearman", "accuracy", "rmse", "loss_per_token"}
        assert task.chance >= 0
    with pytest.raises(SettingsError, match="behavior_pair"):
        get_task("poetry")


@pytest.mark.parametrize("name", task_names())
def test_examples_are_deterministic_and_keep_to_their_split(name: str, records: list[Record]) -> None:
    first, again = made(name, records), made(name, records)
    assert first
    assert first == again
    held = {r.id for r in records if r.split != "train"}
    for example in first:
        ids = re.split(r"[>|]", example.first.record_id if isinstance(example, PairExample) else example.record_id)
        assert not {i.split("/")[0] for i in ids} & held
        assert example.weight > 0 or isinstance(example, PairExample)


def test_single_asks_and_answers_by_evidence(records: list[Record]) -> None:
    examples = made("behavior_single", records)
    one = next(e for e in examples if e.record_id == "upworthy-1")
    assert isinstance(one, BehaviorExample)
    assert one.metric == "click_rate"
    assert sum(one.bins) == pytest.approx(1)
    text = next(r for r in records if r.id == "upworthy-1").content.text
    assert text in one.prompt.own
    assert text not in one.prompt.shared
    assert not any(e.record_id.startswith("clickbait") for e in examples)
    # Arms at risk have no truth to learn.
    assert not any(e.record_id in {f"upworthy-{i}" for i in range(9, 13)} for e in examples)


def test_pairs_of_arms_are_all_there_in_random_order(records: list[Record]) -> None:
    pairs = [p for p in made("behavior_pair", records) if p.first.record_id.startswith("upworthy")]
    assert len(pairs) == 2 * 6
    assert {p.target > 0.5 for p in pairs} == {True, False}
    for pair in pairs:
        better = pair.first.percentile > pair.second.percentile
        assert (pair.target > 0.5) == better
        assert 0 <= pair.weight <= 2


def test_replay_hides_the_scene_asked_for(records: list[Record]) -> None:
    examples = list(ReplayTask(masked=0.34).examples(records, "train"))
    assert len(examples) == 30
    first = examples[0]
    scene = int(first.record_id.rsplit("/", 1)[1])
    assert f"scene {scene + 1} replayed" in first.prompt.own
    lines = [x for x in first.prompt.shared.splitlines() if x.startswith("Scene")]
    assert lines[scene].endswith("replayed [MASK]")
    assert sum(x.endswith("replayed [MASK]") for x in lines) == 1
    assert first.percentile in (25.0, 50.0, 100.0)
    assert all("%" not in x.split("replayed")[1] for x in lines if x.endswith("[MASK]"))
    everything = next(iter(ReplayTask(masked=1.0).examples(records, "train")))
    assert "%" not in everything.prompt.shared
    with pytest.raises(ValueError, match="masked"):
        ReplayTask(masked=0)


def test_writing_never_shows_the_answer(records: list[Record]) -> None:
    for example in made("content_write", records):
        assert isinstance(example, TextExample)
        assert example.answer not in example.prompt.text
        assert "\n" not in example.answer
    headline = next(e for e in made("content_write", records) if e.record_id == "upworthy-1")
    assert 'Topic: "What the kettle saw & heard"' in headline.prompt.shared


def test_rewrites_lead_from_the_weaker_to_the_stronger_and_keep_the_subject() -> None:
    from tests.lcbm_model.test_corpus_statistics import arm

    texts = ("The tram that climbs the hill at dawn", "At dawn the tram climbs the hill", "Nine cats bought a bank")
    records = [arm(i, clicks, text=t) for i, (t, clicks) in enumerate(zip(texts, (20, 60, 90), strict=True))]
    (example,) = made("content_rewrite", records)
    assert example.answer == texts[1]
    assert texts[0] in example.prompt.own


def test_one_of_25(records: list[Record]) -> None:
    examples = made("content_choice", records)
    assert {e.record_id.split("-")[0] for e in examples} == {"content_behavior"}
    for example in examples:
        assert len(example.choices) == len(set(example.choices)) == 25
        assert example.choices.count(example.answer) == 1
    places = {e.choices.index(e.answer) for e in examples}
    assert len(places) > 5


def test_reasons_are_measured_facts(records: list[Record]) -> None:
    examples = [e for e in made("behavior_which", records) if e.record_id.startswith("upworthy")]
    assert examples
    by_id = {r.id: r for r in records}
    for example in examples:
        best, _ = example.answer.split(":", 1)
        assert best in example.choices
        a, b = (by_id[i].observations[0] for i in example.record_id.split("|"))
        winner = a if best == "A" else b
        assert winner.value == max(a.value, b.value)
        assert f"({winner.count:,.0f} of {winner.exposure:,.0f})" in example.answer


def test_labels_are_answered_by_their_words(records: list[Record]) -> None:
    clickbait = made("understand_clickbait", records)
    assert {e.answer for e in clickbait} == {"yes", "no"}
    affect = made("understand_affect", records)
    assert all(e.answer in e.choices and e.prompt.pictures for e in affect)
    by_id = {e.record_id: e.answer for e in affect}
    assert by_id["oasis-Thing 0/valence"] == "unpleasant"
    assert by_id["oasis-Thing 9/valence"] == "pleasant"
    assert by_id["oasis-Thing 0/arousal"] == "exciting"


def test_shots_are_known_results_of_the_same_audience_and_never_the_answer(records: list[Record]) -> None:
    examples = list(FewShotTask(k=3).examples(records, "test"))
    pages = [e for e in examples if e.record_id.startswith("facebook")]
    assert pages
    for example in pages:
        shown = re.findall(r'^Known: "(.*)" landed at (\d)$', example.prompt.shared, re.M)
        assert len(shown) == 3
        assert all(text.startswith("Post 2") for text, _ in shown)
        assert not any(text in example.prompt.own for text, _ in shown)
        standings = [int(s) for _, s in shown]
        assert max(standings) - min(standings) >= 3
    with pytest.raises(ValueError, match="k must"):
        FewShotTask(k=0)


def test_headlines_of_a_shots_story_are_not_asked_about(records: list[Record]) -> None:
    task = FewShotTask(k=2)
    for example in task.examples(records, "train"):
        if not example.record_id.startswith("upworthy"):
            continue
        shown = re.findall(r'^Known: "(.*)" landed', example.prompt.shared, re.M)
        groups = {r.group for r in records if r.content.text in shown}
        assert next(r.group for r in records if r.id == example.record_id) not in groups


def test_a_task_is_registered_by_being_a_file() -> None:
    files = {p.stem for p in Path(rows.__file__).parents[2].glob("lcbm_model/tasks/families/*.py")} - {"__init__"}
    assert files == FAMILIES
