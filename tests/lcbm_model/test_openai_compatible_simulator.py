"""The hosted simulator against a real HTTP server on loopback."""

import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lcbm_model.behavior import PercentileScale
from lcbm_model.content import Content, Media
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.simulator import Context, OpenAICompatibleSimulator, load_simulator
from tests.chat_server import Handler, Reply, Server
from tests.conformance.simulator import SimulatorConformance


def answer(tokens: dict[str, float] | None) -> Reply:
    """A completion of one token with the given probabilities shown; None: no log-probabilities at all."""
    shown = [{"token": t, "logprob": math.log(p), "bytes": None} for t, p in (tokens or {}).items()]
    logprobs = {"content": [{"token": "5", "logprob": -0.1, "top_logprobs": shown}]} if tokens is not None else None
    choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "5"}}
    body = json.dumps({"id": "c", "object": "chat.completion", "choices": [{**choice, "logprobs": logprobs}]}).encode()
    return lambda handler: handler.send(200, body)


def longer_is_better(handler: Handler) -> None:
    """Probabilities that follow the prompt's length, as a model's would follow its text."""
    content = handler.request_json["messages"][0]["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    peak = min(len(text) // 100, 9)
    weights = {str(b): math.exp(-abs(b - peak)) for b in range(10)}
    answer({b: 0.9 * w / sum(weights.values()) for b, w in weights.items()})(handler)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.reply = longer_is_better
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hosted(server: Server) -> OpenAICompatibleSimulator:
    return OpenAICompatibleSimulator("m", server.url, max_retries=0)


class TestHosted(SimulatorConformance):
    @pytest.fixture
    def simulator(self, hosted: OpenAICompatibleSimulator) -> OpenAICompatibleSimulator:
        return hosted

    @pytest.fixture
    def unscorable(self) -> Content:
        return Content(text=" ")


def test_missing_probability_is_reported_and_the_rest_renormalised(
    server: Server, hosted: OpenAICompatibleSimulator
) -> None:
    server.reply = answer({"7": 0.3, " 7": 0.1, "2": 0.2, "the": 0.15, "10": 0.05})
    [prediction] = hosted.predict([Content(text="soup")], "click_rate")
    assert prediction.bins[7] == pytest.approx(0.4 / 0.6)
    assert prediction.bins[2] == pytest.approx(0.2 / 0.6)
    assert prediction.missing_mass == pytest.approx(0.4)


def test_an_answer_without_digits_is_an_error_of_its_item(server: Server, hosted: OpenAICompatibleSimulator) -> None:
    server.reply = answer({"Sure": 0.9, "3": 0.01})
    [prediction] = hosted.predict([Content(text="soup")], "click_rate")
    assert prediction.error is not None
    assert "1.0%" in prediction.error


@pytest.mark.parametrize("reply", [answer(None), answer({})])
def test_a_model_without_log_probabilities_is_refused(
    server: Server, hosted: OpenAICompatibleSimulator, reply: Reply
) -> None:
    server.reply = reply
    with pytest.raises(BackendError, match="shows no log-probabilities"):
        hosted.predict([Content(text="soup")], "click_rate")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"logprobs": {"content": 3}}]}'])
def test_nonsense_is_one_clear_error(server: Server, hosted: OpenAICompatibleSimulator, body: bytes) -> None:
    server.reply = lambda handler: handler.send(200, body)
    with pytest.raises(BackendError, match="simulator m at http://127"):
        hosted.predict([Content(text="soup")], "click_rate")


def test_a_server_that_is_gone_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.url
    server.shutdown()
    server.server_close()
    monkeypatch.setenv("LCBM_SIMULATOR_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(BackendError, match=f"cannot be reached.*mend the address {url} that was given") as caught:
        OpenAICompatibleSimulator("m", url, max_retries=0).predict([Content(text="soup")], "click_rate")
    assert "LCBM_SIMULATOR" not in str(caught.value)
    monkeypatch.setenv("LCBM_SIMULATOR_BASE_URL", url)
    with pytest.raises(BackendError, match=r"mend LCBM_SIMULATOR_BASE_URL$"):
        OpenAICompatibleSimulator("m", max_retries=0).predict([Content(text="soup")], "click_rate")


def test_newer_dialects_are_tried(server: Server, hosted: OpenAICompatibleSimulator) -> None:
    def picky(handler: Handler) -> None:
        if "max_tokens" in handler.request_json:
            handler.send(400, b'{"error": {"message": "use max_completion_tokens"}}')
        else:
            answer({"4": 1.0})(handler)

    server.reply = picky
    assert hosted.predict([Content(text="soup")], "click_rate")[0].bins[4] == 1


@pytest.mark.parametrize("concurrency", [1, 8])
def test_threads_that_fail_together_find_the_dialect_together(server: Server, concurrency: int) -> None:
    def picky(handler: Handler) -> None:
        known = "max_tokens" not in handler.request_json
        answer({"4": 1.0})(handler) if known else handler.send(400, b'{"error": {"message": "unknown field"}}')

    server.reply = picky
    hosted = OpenAICompatibleSimulator("m", server.url, concurrency=concurrency)
    found = hosted.predict([Content(text=f"soup {n}") for n in range(16)], "click_rate")
    assert all(p.ok and p.bins[4] == 1 for p in found)


def test_a_refused_text_carries_its_own_error(server: Server, hosted: OpenAICompatibleSimulator) -> None:
    def careful(handler: Handler) -> None:
        poison = "poison" in str(handler.request_json)
        handler.send(400, b'{"error": {"message": "no"}}') if poison else answer({"4": 1.0})(handler)

    server.reply = careful
    soup, poison, stew = hosted.predict([Content(text=t) for t in ("soup", "poison", "stew")], "click_rate")
    assert soup.ok
    assert stew.ok
    assert "answered HTTP 400" in (poison.error or "")
    hosted.predict([Content(text="soup")], "click_rate")
    assert server.asked[-1][2]["top_logprobs"] == 20, "the dialect that worked is kept"


def test_pictures_travel_in_their_place(server: Server, hosted: OpenAICompatibleSimulator, tmp_path: Path) -> None:
    Image.new("RGB", (2000, 1000), "red").save(tmp_path / "red.png")
    content = Content(text="soup", media=(Media(path=tmp_path / "red.png"),))
    missing = Content(text="soup", media=(Media(path=tmp_path / "gone.png"),))
    good, bad = hosted.predict([content, missing], "click_rate")
    assert good.ok
    assert "gone.png" in (bad.error or "")
    sent: list[dict[str, Any]] = server.asked[0][2]["messages"][0]["content"]
    assert [part["type"] for part in sent] == ["text", "image_url", "text"]
    assert sent[1]["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert sent[0]["text"].endswith("Picture: ")


def test_a_known_scale_gives_raw_estimates(hosted: OpenAICompatibleSimulator) -> None:
    context = Context(scale=PercentileScale.fit([0.01, 0.02, 0.03]))
    [prediction] = hosted.predict([Content(text="soup")], "click_rate", context)
    assert prediction.raw is not None
    assert 0.01 <= prediction.raw <= 0.03


def test_it_is_loaded_by_name_and_by_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    named = load_simulator(f"openai:m@{server.url}")
    assert named.identity.checkpoint == "m"
    assert not named.identity.tuned
    monkeypatch.delenv("LCBM_SIMULATOR_BASE_URL", raising=False)
    with pytest.raises(SettingsError, match="LCBM_SIMULATOR_BASE_URL"):
        load_simulator("openai:m")
    monkeypatch.setenv("LCBM_SIMULATOR_BASE_URL", server.url)
    assert load_simulator("openai:m").predict([Content(text="soup")], "click_rate")[0].ok
