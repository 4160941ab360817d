"""The one place that holds models, libraries and runs. Tabs ask it and show what it says; it decides nothing either."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.library.records import Hit
from lcbm_model.content import Content
from lcbm_model.errors import InputError
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context
from lcbm_model.simulator.stream import never, predict_stream
from optimizer.brief import Brief
from optimizer.result import OptimizationResult
from ui.floors import Floors, Searchable
from ui.loading import Loader, Loading, Models
from ui.past_pictures import rename_pictures
from ui.run_book import RunBook
from ui.runs import Marks, Run

__all__ = ["Limits", "Loading", "Models", "Services", "save_all"]


@dataclass
class Limits:
    """Bounds of one running app."""

    runs_at_once: int = 1
    kept_runs: int = 24
    kept_seconds: float = 24 * 3600.0
    libraries: int = 8
    told_every: float = 0.4
    """Seconds between two partial tables while many lines are scored."""
    grace_seconds: float = 60.0
    """How long the run of a closed tab goes on, so that a lost connection or a reload can find it again."""


@dataclass
class Services:
    """Models in the background, libraries by content, runs by ticket.

    Args:
        floors: How each part is made.
        limits: Bounds on what is kept and what runs side by side.
        store: Folder of the runs; by default inside the app's own temporary folder, which goes when the app ends.
    """

    floors: Floors
    limits: Limits = field(default_factory=Limits)
    store: Path | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._loader = Loader(self.floors)
        self._libraries: OrderedDict[str, Searchable] = OrderedDict()
        self._library_locks: dict[str, threading.Lock] = {}
        self._book = RunBook(self.limits, self._forget)
        self._closed = False
        self._closing = ExitStack()
        self._jobs: dict[str, threading.Event] = {}
        # The same threads for all runs: malloc keeps what a thread has freed for that thread's next call, so that a
        # thread for each run would leave hundreds of megabytes behind in one heap after another.
        self._drivers = ThreadPoolExecutor(self.limits.runs_at_once, thread_name_prefix="lcbm-run")
        self.scratch = Path(tempfile.mkdtemp(prefix="lcbm-ui-"))
        self._keeps_runs = self.store is not None
        self.store = self.store or self.scratch / "runs"

    # Models -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin loading in the background; a second call does nothing, after a failure it tries again."""
        self._loader.start()

    @property
    def loading(self) -> Loading:
        """Where the models stand now."""
        return self._loader.loading

    def models(self, timeout: float = 300.0) -> Models:
        """The loaded models; waits for them.

        Raises:
            LcbmError: Loading failed or took longer than `timeout` seconds.
        """
        return self._loader.models(timeout)

    def comments_heard(self) -> bool:
        """Whether a writer reads what people say about drafts: the ones that work by rule do not."""
        return any(getattr(writer, "reads_advice", True) for writer in self.models().writers)

    # Libraries --------------------------------------------------------------------------------------------------

    def library(self, path: Path, metric: str) -> Searchable:
        """The library in a file, built once for the same bytes and metric.

        Raises:
            LcbmError: The file cannot serve as a library.
        """
        key = f"{metric}:{path.suffix}:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        with self._lock:
            build = self._library_locks.setdefault(key, threading.Lock())
        with build:  # two users with the same file: the second waits and shares
            with self._lock:
                if key in self._libraries:
                    self._libraries.move_to_end(key)
                    return self._libraries[key]
            with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
                # The table came without its pictures; rows that name one stay.
                target = Path(folder) / f"{path.name}.parquet"
                library = self.floors.load_library(target if rename_pictures(path, target, {}) else path, metric)
            with self._lock:
                self._libraries[key] = library
                while len(self._libraries) > self.limits.libraries:
                    gone, _ = self._libraries.popitem(last=False)
                    self._library_locks.pop(gone, None)
            return library

    def search(self, path: Path, metric: str, query: str, *, k: int, min_percentile: float | None) -> list[Hit]:
        """Nearest past posts of the library in `path`."""
        return self.library(path, metric).search(query, k, metric=metric, min_percentile=min_percentile)

    # Scores -----------------------------------------------------------------------------------------------------

    def score(
        self,
        contents: Sequence[Content],
        metric: str,
        context: Context | None = None,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[list[Prediction | None]]:
        """Predictions in order, None where not known yet; again and again until all are there."""
        done: list[Prediction | None] = [None] * len(contents)
        told = time.monotonic()
        for index, prediction in predict_stream(
            self.models().simulator, contents, metric, context, cancelled=cancelled
        ):
            done[index] = prediction
            if time.monotonic() - told > self.limits.told_every:
                yield list(done)
                told = time.monotonic()
        yield list(done)

    def predict(self, contents: Sequence[Content], metric: str, context: Context | None = None) -> list[Prediction]:
        """Predictions in order, all at once: for a handful."""
        return self.models().simulator.predict(contents, metric, context)

    def compare(self, predictions: Sequence[Prediction], channel: str) -> list[float]:
        """Chance of each scored content to do best among them; sums to 1."""
        return self.models().simulator.win_chances(predictions, channel=channel)

    @contextmanager
    def job(self, owner: str) -> Iterator[threading.Event]:
        """A scoring job of a tab, ended by the event: on request, by the tab's next job, or when the tab closes."""
        stopped = threading.Event()
        with self._lock:
            before, self._jobs[owner] = self._jobs.get(owner), stopped
        if before is not None:
            before.set()
        try:
            yield stopped
        finally:
            with self._lock:
                if self._jobs.get(owner) is stopped:
                    del self._jobs[owner]

    def end_job(self, owner: str) -> None:
        """Ask a tab's scoring job to end; what is scored stands."""
        with self._lock:
            stopped = self._jobs.get(owner)
        if stopped is not None:
            stopped.set()

    def private_file(self, name: str) -> Path:
        """Path for a download: a folder of its own under a name that nobody can guess; gone when the app ends."""
        folder = self.scratch / "files" / secrets.token_hex(12)
        folder.mkdir(parents=True)
        return folder / name

    # Runs -------------------------------------------------------------------------------------------------------

    def start_run(self, brief: Brief, *, library: Searchable | None, owner: str, seed: int = 0) -> Run:
        """Start a run in the background. One at a time for each owner (a browser tab).

        Raises:
            LcbmError: This owner's last run is still going, or the models could not be loaded.
        """
        self.models()
        context = Context(scale=self.floors.scale(library, brief) if library is not None else None)
        run = Run(id=secrets.token_hex(16), owner=owner, brief=brief, context=context, library=library, seed=seed)
        self._book.admit(run)
        self._drive(run, self.floors.stream, brief, seed=seed)
        return run

    def go_on(self, run: Run, action: str = "continue", comment: str = "") -> Marks:
        """Answer a run that waits for approval; what was noted on its drafts goes with the answer.

        Raises:
            InputError: The run does not wait (it was answered already), or another one of its owner's is under way.
        """
        self._book.check_turn(run)
        try:
            noted = run.go_on()
        except ValueError:
            raise InputError("run", "does not wait for an answer any more", remedy="Watch it go on") from None
        if comment.strip():
            noted.comments[""] = comment.strip()
        self._drive(run, self.floors.resume, run.id, decision=decision_of(noted, action))
        return noted

    def take_up(self, run: Run, decision: Mapping[str, Any], *, store: Path) -> None:
        """Go on in the background with a run of an earlier day, whose checkpoints lie in `store`.

        Raises:
            LcbmError: It is under way or another session's, its owner's last run is under way, or the models could not
                be loaded.
        """
        self.models()
        self._book.admit(run)
        self._drive(run, self.floors.resume, run.id, store=store, decision=decision)

    def _drive(
        self, run: Run, stream: Callable[..., Iterator[Any]], first: Any, *, store: Path | None = None, **more: Any
    ) -> None:
        models = self.models()
        # The uploads go after a day, or with the app; a run that waits for a person may be answered later.
        named = {} if stream is self.floors.resume else {"run_id": run.id, "keep_picture": True}

        def events() -> Iterator[Any]:
            return stream(
                first,
                library=run.library,
                simulator=models.simulator,
                judge=models.judge,
                writers=models.writers,
                store=store or self.store,
                should_stop=run.should_stop,
                **named,
                **more,
            )

        with self._lock:
            if self._closed:
                raise InputError("app", "is closing", remedy="Start it again; runs of before wait where they stopped")
            self._drivers.submit(run.drive, events)

    def run(self, ticket: str | None) -> Run | None:
        """A run by its ticket, or None where it was never known or has been cleared away."""
        return self._book.get(ticket)

    def waiting(self, run_id: str, owner: str) -> Run | None:
        """The owner's own run of that id, where it waits for an answer."""
        return self._book.waiting(run_id, owner)

    def arrive(self, owner: str, ticket: str | None) -> Run | None:
        """A tab that comes back (reload, back button, lost connection) takes over the run it holds the ticket of."""
        return self._book.arrive(owner, ticket)

    def leave(self, owner: str) -> None:
        """A tab was closed or lost: its scoring ends, its runs are let go after a while unless it comes back."""
        self.end_job(owner)
        self._book.leave(owner)

    def let_go(self, owner: str) -> int:
        """Stop every run of a closed tab; what waits for an answer, anybody may answer. How many were going."""
        return self._book.let_go(owner)

    def _forget(self, run: Run, stays: bool) -> None:
        """Remove the files of a run that was cleared away; the run's own folder only where none of its id `stays`."""
        shutil.rmtree(self.scratch / run.ticket, ignore_errors=True)
        if not (stays or self._keeps_runs or self.store is None):
            shutil.rmtree(self.store / run.id, ignore_errors=True)

    def downloads(self, run: Run) -> dict[str, Path]:
        """The run's files as it stands: result.json, candidates.csv, report.html.

        Raises:
            LcbmError: The run has no result yet, or the files cannot be written.
        """
        if run.result is None:
            raise InputError("download", "this run has nothing to save yet", remedy="Wait for its end or stop it")
        rounds = len(run.result.rounds)
        return save_all(run.result, self.scratch / run.ticket / f"{run.result.status}-{rounds}", self.floors.report)

    def at_close(self, act: Callable[[], object]) -> None:
        """Have `act` called when the app ends, behind the last run."""
        self._closing.callback(act)

    def close(self) -> None:
        """Stop every run, let go of what was opened and remove the app's own files."""
        with self._lock:
            self._closed = True
        runs = self._book.close()
        for run in runs:
            run.stop()
        for run in runs:
            run.wait(30.0)
        self._drivers.shutdown(wait=False)
        self._loader.close()
        self._closing.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


def decision_of(noted: Marks, action: str) -> Mapping[str, Any]:
    """The fields of an `optimizer.Decision`: approval of a draft is a comment that writers understand."""
    comments = dict(noted.comments)
    for kept in sorted(noted.kept):
        comments[kept] = f"Approved: go on in this direction. {comments.get(kept, '')}".strip()
    return {
        "action": action,
        "edits": dict(noted.edits),
        "vetoed": tuple(sorted(noted.vetoed)),
        "comments": comments,
    }


def save_all(
    result: OptimizationResult, folder: Path, write: Callable[[OptimizationResult, Path], Path]
) -> dict[str, Path]:
    """Write a result in its three formats into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"json": "result.json", "csv": "candidates.csv", "html": "report.html"}
    return {kind: path if (path := folder / name).exists() else write(result, path) for kind, name in files.items()}
