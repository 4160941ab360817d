"""The HTTP API over a real server and `gradio_client`: the same answers as the page, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lcbm_model.errors import InputError
from tests.ui.browsing import serving
from tests.ui.floors_fake import fake_floors
from ui.limits import PerUser, user_of
from ui.services import Services

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def services() -> Services:
    """Closed by `serving`."""
    return Services(fake_floors())


@pytest.fixture(scope="module")
def client(services: Services) -> Iterator[Any]:
    from gradio_client import Client

    with serving(services) as url:
        yield Client(url, verbose=False)


def test_it_lists_its_endpoints_and_nothing_else(client: Any) -> None:
    listed = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(listed) == {"/score", "/compare", "/search", "/optimize"}


def test_scores_come_in_order_with_the_whole_distribution(client: Any) -> None:
    short, long, broken = client.predict(["Pan", "A pan that browns onions", "broken"], "click_rate", api_name="/score")
    assert short["expected"] < long["expected"]
    assert sum(long["bins"]) == pytest.approx(1)
    assert long["simulator"]["checkpoint"] == "fake"
    assert broken["error"] == "cannot be scored"
    assert short["your_own"] is None


def test_a_comparison_names_the_best(client: Any) -> None:
    answer = client.predict(texts=["Pan", "A pan that browns onions"], metric="click_rate", api_name="/compare")
    assert sum(answer["chances"]) == pytest.approx(1)
    assert (answer["best"], answer["text"]) == (1, "A pan that browns onions")


def test_a_library_is_searched_from_an_upload(client: Any) -> None:
    from gradio_client import handle_file

    library = handle_file(ROOT / "examples" / "kupfer_library.csv")
    hits = client.predict(library=library, query="a copper pan", k=3, min_percentile=50, api_name="/search")
    assert len(hits) == 3
    assert all(hit["percentile"] >= 50 for hit in hits)


def test_a_run_streams_to_its_result(client: Any, services: Services) -> None:
    brief = {"message": "A pan", "draft": "A pan", "budget": {"rounds": 1, "candidates": 3}}
    job = client.submit(brief=brief, seed=3, api_name="/optimize")
    told = list(job)
    assert told[-1]["phase"] == "done"
    assert told[-1]["result"]["best"]["text"]
    assert told[-1]["result"]["status"] == "finished"
    assert all(step["result"] is None for step in told[:-1])
    assert services.run(told[-1]["run_id"]) is None  # the name of its folder opens nothing


def test_a_table_that_will_not_do_goes_by_its_own_name(tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    from agents.library import Library

    sent = tmp_path / "our_past.csv"
    tables = ("headline,clicks\nPans,3\n", "text,image\nPans,pan.png\n", "text,click_rate\n,\n")
    real = Services(replace(fake_floors(), load_library=lambda path, metric: Library.from_file(path, metric=metric)))
    with serving(real) as url:
        client = Client(url, verbose=False)
        for table in tables:
            sent.write_text(table, encoding="utf-8")
            for name, asked in (("/search", {"query": "x"}), ("/optimize", {"brief": {"message": "x"}})):
                with pytest.raises(Exception, match=r"^our_past\.csv: ") as caught:
                    client.predict(library=handle_file(sent), **asked, api_name=name)
                assert str(real.scratch) not in str(caught.value)
                assert "posts." not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"k": "x"}, {"k": 2.5}, {"k": None}, {"k": True}, {"k": 0}, {"k": 101}])
def test_how_many_hits_must_be_a_whole_number(client: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="k: must be a whole number from 1 to 100"):
        client.predict(library={"path": "x.csv"}, query="x", **wrong, api_name="/search")


@pytest.mark.parametrize("wrong", ["x", -1, 100.5, True, [50]])
def test_a_least_percentile_must_be_one(client: Any, wrong: Any) -> None:
    with pytest.raises(Exception, match="min_percentile: must be a number from 0 to 100"):
        client.predict(library={"path": "x.csv"}, query="x", min_percentile=wrong, api_name="/search")


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("/score", {"texts": [], "metric": "click_rate"}, "are empty"),
        ("/score", {"texts": "Pan", "metric": "click_rate"}, "texts: are empty or no list"),
        ("/score", {"texts": 7, "metric": "click_rate"}, "texts: are empty or no list"),
        ("/score", {"texts": ["x"], "metric": "applause"}, "unknown metric"),
        ("/score", {"texts": ["x"], "metric": ["click_rate"]}, "metric: must be a text"),
        ("/score", {"texts": ["x"], "metric": "click_rate", "channel": 4}, "channel: must be a text"),
        ("/score", {"texts": ["x"], "metric": "click_rate", "audience": None}, "audience: must be a text"),
        ("/score", {"texts": ["x"], "metric": "click_rate", "format": 4}, "format: must be a text"),
        ("/compare", {"texts": {"a": "x"}, "metric": "click_rate"}, "texts: are empty or no list"),
        ("/compare", {"texts": None, "metric": "click_rate"}, "texts: are empty or no list"),
        ("/search", {"library": {"path": "x.csv"}, "query": "x", "metric": 3}, "metric: must be a text"),
        ("/optimize", {"brief": {"message": "x"}, "seed": "three"}, "seed: must be a whole number"),
        ("/optimize", {"brief": {"message": "x"}, "seed": 0.5}, "seed: must be a whole number"),
        ("/optimize", {"brief": {"message": "x"}, "seed": -1}, "seed: must be a whole number, zero or more"),
        ("/score", {"texts": ["x"] * 501, "metric": "click_rate"}, "more than 500"),
        ("/score", {"texts": ["x" * 4001], "metric": "click_rate"}, "longer than 4000"),
        ("/score", {"texts": [{"a": 1}], "metric": "click_rate"}, "is empty or no text"),
        ("/compare", {"texts": ["x"], "metric": "click_rate"}, "at least two"),
        ("/search", {"library": {"path": "/etc/passwd"}, "query": "x"}, "is no upload of yours"),
        ("/search", {"library": {"url": "http://example.org/x.csv"}, "query": "x"}, "is no upload"),
        ("/search", {"library": {"path": "../../etc/passwd"}, "query": "x"}, "is no upload of yours"),
        ("/search", {"library": {"path": "x.csv"}, "query": 3}, "query: is empty or no text"),
        ("/optimize", {"brief": "x"}, "brief: is no object of fields"),
        ("/optimize", {"brief": None}, "brief: is no object of fields"),
        ("/optimize", {"brief": [1]}, "brief: is no object of fields"),
        ("/optimize", {"brief": {}}, "message"),
        ("/optimize", {"brief": {"message": "x", "colour": "red"}}, "colour"),
        ("/optimize", {"brief": {"message": "x", "picture": "/etc/passwd"}}, "is no upload"),
        ("/optimize", {"brief": {"message": "x", "approval": True}}, "needs a person"),
    ],
)
def test_what_cannot_be_is_refused_in_words(client: Any, name: str, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(Exception, match=problem):
        client.predict(**arguments, api_name=name)


def test_one_user_cannot_fill_the_queue() -> None:
    limit = PerUser(2)
    with limit.turn("anna"), limit.turn("anna"):
        with pytest.raises(InputError, match="2 calls under way"), limit.turn("anna"):
            pass
        with limit.turn("ben"):
            assert limit.users == 2
    with limit.turn("anna"):
        assert limit.users == 1
    with pytest.raises(ZeroDivisionError), limit.turn("anna"):
        _ = 1 / 0
    assert limit.users == 0


def test_a_user_is_the_login_else_the_session() -> None:
    class Asked:
        username: str | None = None
        session_hash: str | None = "abc"

    asked = Asked()
    assert user_of(asked) == "session abc"
    asked.username = "anna"
    assert user_of(asked) == "user anna"
    assert user_of(None) == "session none"
