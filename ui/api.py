"""The app's functions as an HTTP API: Gradio's own protocol, so `gradio_client` (Python, JavaScript) and curl can call.

Every call passes the same login, queue and checks as the page, and each user has a bound of calls under way.
Files are uploads (`gradio_client.handle_file`), never paths of this machine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr

from agents.library.records import Hit
from lcbm_model.content import Content
from lcbm_model.errors import BriefError, InputError, LcbmError, TableError
from lcbm_model.metrics import get_metric
from lcbm_model.prediction import Prediction
from optimizer.brief import Brief
from ui.floors import Searchable
from ui.limits import CALLS, PerUser, user_of
from ui.notify import spoken
from ui.own_ranges import OwnRanges
from ui.runs import Run, Snapshot
from ui.services import Services
from ui.uploads import checked_picture, kept_table

log = logging.getLogger("lcbm.ui")

MOST_TEXTS = 500
LONGEST = 4000
"""Characters of one text."""
MOST_HITS = 100


class Api:
    """The functions behind the endpoints.

    Args:
        services: What stands behind the page too.
        own: The team's own calibration.
        most: Calls that one user may have under way.
    """

    def __init__(self, services: Services, own: OwnRanges, most: int = CALLS) -> None:
        self.services = services
        self.limit = PerUser(most)
        self.own = own

    def score(
        self,
        texts: list[str],
        metric: str,
        request: gr.Request,
        channel: str = "post",
        audience: str = "",
        title: str = "",
        format: str = "",
    ) -> list[dict[str, Any]]:
        """Predicted behaviour of each text: expected percentile, interval, chance of each tenth; in order."""
        with answered(), self.limit.turn(user_of(request)):
            return [
                self._answer(p, channel)
                for p in self._predict(texts, metric, channel=channel, audience=audience, title=title, format=format)
            ]

    def compare(
        self,
        texts: list[str],
        metric: str,
        request: gr.Request,
        channel: str = "post",
        audience: str = "",
        title: str = "",
        format: str = "",
    ) -> dict[str, Any]:
        """Which of several texts does best: `chances` (sum 1) beside `predictions`, in order, and the `best`."""
        with answered(), self.limit.turn(user_of(request)):
            if isinstance(texts, list) and len(texts) < 2:
                raise InputError("texts", "a comparison needs at least two", value=len(texts))
            predictions = self._predict(texts, metric, channel=channel, audience=audience, title=title, format=format)
            chances = self.services.compare(predictions, channel)
            best = max(range(len(chances)), key=chances.__getitem__)
            answers = [self._answer(p, channel) for p in predictions]
            return {"chances": chances, "predictions": answers, "best": best, "text": texts[best]}

    def search(
        self,
        library: dict,  # type: ignore[type-arg]
        query: str,
        request: gr.Request,
        metric: str = "click_rate",
        k: int = 10,
        min_percentile: float = 0.0,
        channel: str = "",
    ) -> list[dict[str, Any]]:
        """The nearest past posts of an uploaded table, each with its result; `library` is `handle_file(...)`."""
        with answered(), self.limit.turn(user_of(request)):
            _check_texts(metric=metric, channel=channel)
            get_metric(metric)
            if not isinstance(query, str) or not query.strip():
                raise TableError("query", "is empty or no text", remedy="Say what the posts should be about")
            if not _is_number(k) or not 1 <= k <= MOST_HITS or k != int(k):
                raise InputError("k", f"must be a whole number from 1 to {MOST_HITS}", value=k)
            if min_percentile is not None and not (_is_number(min_percentile) and 0 <= min_percentile <= 100):
                raise InputError("min_percentile", "must be a number from 0 to 100", value=min_percentile)
            found = self._library(library, metric)
            asked: dict[str, Any] = {"channel": channel} if channel else {}
            hits = found.search(query.strip(), int(k), metric=metric, min_percentile=min_percentile or None, **asked)
            return [_hit(hit) for hit in hits]

    def optimize(
        self,
        brief: dict,
        request: gr.Request,
        library: dict | None = None,
        seed: int = 0,  # type: ignore[type-arg]
    ) -> Iterator[dict[str, Any]]:
        """Write, predict, choose. Streams what happens; the last answer holds the whole `result`.

        `brief` has the fields of a brief file; its `picture` is an upload. One run at a time for each user.
        """
        user = user_of(request)
        with answered(), self.limit.turn(user):
            if not (_is_number(seed) and float(seed).is_integer() and 0 <= seed < 2**63):
                raise InputError("seed", "must be a whole number, zero or more", value=seed)
            job = self._brief(brief)
            past = self._library(library, job.metric) if library else None
            run = self.services.start_run(job, library=past, owner=f"api {user}", seed=int(seed))
            try:
                for snapshot in run.follow():
                    yield _told(run, snapshot)
            finally:
                run.stop()  # a client that went away needs no more drafts; a run that has ended does not mind
            if run.snapshot().error:
                raise InputError("run", str(run.snapshot().error))

    # Inside -------------------------------------------------------------------------------------------------------

    def _predict(self, texts: Sequence[str], metric: str, *, channel: str, **setting: str) -> list[Prediction]:
        _check_texts(metric=metric, channel=channel, **setting)
        get_metric(metric)
        if not isinstance(texts, list) or not texts:
            raise InputError("texts", "are empty or no list", value=texts, remedy="Send a list of texts")
        if len(texts) > MOST_TEXTS:
            raise InputError("texts", f"are more than {MOST_TEXTS}", value=len(texts), remedy="Send them in parts")
        for i, text in enumerate(texts, start=1):
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"text {i}", "is empty or no text", value=text)
            if len(text) > LONGEST:
                raise InputError(f"text {i}", f"is longer than {LONGEST} characters", value=len(text))
        known = {name: value.strip() for name, value in setting.items() if value.strip()}
        contents = [Content(text=t, channel=channel.strip() or "post", **known) for t in texts]  # type: ignore[arg-type]
        return self.services.predict(contents, metric)

    def _answer(self, prediction: Prediction, channel: str) -> dict[str, Any]:
        own = self.own.of(prediction, channel)
        ranges = None if own is None else {"expected": own.expected, "low": own.low, "high": own.high}
        return {**prediction.model_dump(mode="json"), "your_own": ranges}

    def _library(self, upload: Any, metric: str) -> Searchable:
        sent = uploaded(upload, "library")
        kept = kept_table(sent, self.services.scratch / "uploads")
        try:
            return self.services.library(kept, metric)
        except InputError as error:
            raise _of_upload(error, self.services.scratch, sent.name) from error

    def _brief(self, fields: Mapping[str, Any]) -> Brief:
        if not isinstance(fields, Mapping):
            remedy = "Send the fields of a brief file, for example {'message': '...'}"
            raise BriefError("brief", "is no object of fields", value=fields, remedy=remedy)
        data = dict(fields)
        if data.get("picture"):
            picture = uploaded(data["picture"], "picture")
            data["picture"] = checked_picture(picture, self.services.scratch / "uploads")
        if data.get("approval"):
            raise BriefError("approval", "needs a person at the page", remedy="Leave it out")
        return Brief.parse({"name": "api", **data}, where="brief")


def mount_api(services: Services, own: OwnRanges, most: int = CALLS) -> Api:
    """Make the endpoints inside the open Blocks: /score, /compare, /search, /optimize."""
    from gradio.events import api

    made = Api(services, own, most)
    for fn, limit in ((made.score, 4), (made.compare, 4), (made.search, 2), (made.optimize, 8)):
        name = fn.__name__
        summary = (fn.__doc__ or "").split("\n\n")[0]
        api(fn, api_name=name, api_description=summary, concurrency_limit=limit, concurrency_id=f"api-{name}")
    return made


@contextmanager
def answered() -> Iterator[None]:
    """Mistakes as plain text for programs: the page's own messages are HTML.

    Raises:
        gr.Error: For every error inside.
    """
    try:
        yield
    except LcbmError as error:
        raise gr.Error(spoken(error), print_exception=False) from error
    except Exception as error:
        log.exception("a call of the API failed")
        raise gr.Error("The app made a mistake. It has been written to its log.", print_exception=False) from error


def uploaded(file: Any, where: str) -> Path:
    """The path of an upload: only a file that this server itself took in.

    Raises:
        InputError: No upload, or a path of this machine.
    """
    from gradio.utils import get_upload_folder

    path = file.get("path") if isinstance(file, Mapping) else None
    if not isinstance(path, str):
        raise InputError(where, "is no upload", remedy="Send it with gradio_client's handle_file")
    real = Path(path).resolve()
    if not real.is_relative_to(Path(get_upload_folder()).resolve()) or not real.is_file():
        raise InputError(where, "is no upload of yours", remedy="Send it with gradio_client's handle_file")
    return real


def _of_upload(error: InputError, scratch: Path, name: str) -> InputError:
    """The same error under the name that was sent: folders of the server, and copies in them, are nobody's business."""
    copy = re.compile(rf"{re.escape(str(scratch))}/(?:[\w.-]+/)*(?:posts(?:\.\w+)+)?")

    def told(text: str) -> str:
        return copy.sub(lambda found: "" if found[0].endswith("/") else name, text)

    met = {} if error.value is None else {"value": told(error.value) if isinstance(error.value, str) else error.value}
    return type(error)(told(error.where), told(error.problem), remedy=told(error.remedy), **met)


def _check_texts(**fields: Any) -> None:
    """Refuse what a client sent in place of a text."""
    for name, value in fields.items():
        if not isinstance(value, str):
            raise InputError(name, "must be a text", value=value)


def _is_number(value: Any) -> bool:
    """Whether a client sent a number: types of the signature are only what was asked for."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _hit(hit: Hit) -> dict[str, Any]:
    post = hit.post
    return {
        "id": post.id,
        "text": post.text,
        "channel": post.channel,
        "date": post.date.isoformat() if post.date else None,
        "similarity": hit.similarity,
        "value": hit.value,
        "percentile": hit.percentile,
    }


def _told(run: Run, snapshot: Snapshot) -> dict[str, Any]:
    event = snapshot.event
    best = event.rounds[-1] if event and event.rounds else None
    return {
        "run_id": run.id,
        "phase": "done" if snapshot.done else "queued" if snapshot.queued else "going",
        "round": event.round if event else 0,
        "message": event.message if event else "waits for its turn",
        "best_expected": best.best_expected if best else None,
        "seconds": round(snapshot.seconds, 1),
        "result": snapshot.result.summary() if snapshot.done and snapshot.result else None,
    }
