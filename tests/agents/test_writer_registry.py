"""Writers by name, by endpoint, by file: one model for several ways of asking, and no key where it does not belong."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.writers import ChatWriter, OpenAIWriter, Writer, load_writers, writer_names
from lcbm_model.errors import SettingsError

LOCAL = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WRITERS", "WRITER_BASE_URL", "WRITER_MODEL", "WRITER_API_KEY", "WRITER_SPEND_CAP"):
        monkeypatch.delenv(f"LCBM_{name}", raising=False)


def names(*given: object) -> list[str]:
    return [writer.name for writer in load_writers(*given)]  # type: ignore[arg-type]


def test_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert names() == ["crossover", "embedded", "edits"]
    monkeypatch.setenv("LCBM_WRITER_BASE_URL", LOCAL)
    monkeypatch.setenv("LCBM_WRITER_MODEL", "m")
    assert names() == ["openai:m", "openai:m/revision", "openai:m/edits", "crossover", "embedded", "edits"]
    monkeypatch.setenv("LCBM_WRITERS", "edits, lcbm")
    assert names() == ["edits", "lcbm"]


def test_every_name_loads_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCBM_WRITER_BASE_URL", LOCAL)
    monkeypatch.setenv("LCBM_WRITER_MODEL", "m")
    made = load_writers(writer_names())
    assert len({writer.name for writer in made}) == len(writer_names())
    assert all(isinstance(writer, Writer) for writer in made)
    assert names(["edits", "edits"]) == ["edits"]


def test_several_models_at_once_and_one_meter_for_each() -> None:
    made = load_writers([f"openai:a@{LOCAL}", f"openai-edits:a@{LOCAL}", f"openai:org/b@v2@{LOCAL}", "edits"])
    assert [w.name for w in made] == ["openai:a", "openai:a/edits", "openai:org/b@v2", "edits"]
    plain, edits, other, _ = made
    assert isinstance(plain, OpenAIWriter)
    assert isinstance(edits, ChatWriter)
    assert isinstance(other, OpenAIWriter)
    assert plain.meter is plain.chat.meter is edits.model.meter
    assert plain.meter is not other.meter


def _file(folder: Path, *entries: str) -> Path:
    file = folder / "writers.yaml"
    file.write_text("writers:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries), encoding="utf-8")
    return file


def test_one_bill_for_a_model_and_all_else_each_writers_own(tmp_path: Path) -> None:
    revision = f"name: openai-revision, model: m, base_url: '{LOCAL}/', spend_cap: 1, temperature: 0.1, timeout: 5"
    plain, edits = load_writers(_file(tmp_path, f"name: openai, model: m, base_url: '{LOCAL}', price_in: 2", revision))
    assert isinstance(plain, OpenAIWriter)
    assert isinstance(edits, ChatWriter)
    assert plain.meter is plain.chat.meter is edits.model.meter
    assert (plain.meter.price_in, plain.meter.cap) == (2.0, 1.0)
    assert (plain.chat.temperature, edits.model.temperature) == (0.9, 0.1)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("name: openai-edits, spend_cap: 2", "share one bill, and state 1.0 too"),
        ("name: openai, temperature: 0.2", "is listed twice"),
    ],
)
def test_what_contradicts_itself_is_refused(second: str, said: str, tmp_path: Path) -> None:
    model = f"model: m, base_url: '{LOCAL}'"
    file = _file(tmp_path, f"name: openai, {model}, price_in: 1, spend_cap: 1", f"{second}, {model}")
    with pytest.raises(SettingsError, match=said):
        load_writers(file)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["typewriter"], "unknown writer"),
        ([], "names none"),
        (["openai:m"], "is no name of a writer"),
        (["openai:m@ftp://x"], "is no name of a writer"),
        ([f"edits:m@{LOCAL}"], "needs no endpoint"),
        ([f"typewriter:m@{LOCAL}"], "unknown writer"),
        (["openai"], "LCBM_WRITER_BASE_URL"),
    ],
)
def test_wrong_names_are_named(given: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_writers(given)


def test_a_file_of_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "writers.yaml"
    file.write_text(
        f"writers:\n  - edits\n  - name: openai\n    model: small\n    base_url: {LOCAL}\n    api_key_env: SMALL_KEY\n"
        f"    price_in: 1\n    price_out: 2\n    spend_cap: 0.5\n  - openai-winners:large@{LOCAL}\n",
        encoding="utf-8",
    )
    with pytest.raises(SettingsError, match="SMALL_KEY"):
        load_writers(file)
    monkeypatch.setenv("SMALL_KEY", "k")
    assert names(str(file)) == ["edits", "openai:small", "openai:large/winners"]
    monkeypatch.setenv("LCBM_WRITERS", str(file))
    _, small, _ = load_writers()
    assert isinstance(small, OpenAIWriter)
    assert (small.meter.price_in, small.meter.cap) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("writers: []", "no list"),
        ("- edits", "no list"),
        ("writers: [", "cannot be read"),
        ("writers:\n  - name: openai\n    timeout: 1\n    timeout: 2", "stands twice"),
        ("writers:\n  - name: openai\n    key: secret", "key"),
        ("writers:\n  - name: openai\n    timeout: -1", "timeout"),
        ("writers:\n  - 7", "entry"),
    ],
)
def test_a_wrong_file_names_the_field(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "writers.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=said) as caught:
        load_writers(file)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: no such file\. Give the path"):
        load_writers(tmp_path / "none.yaml")
