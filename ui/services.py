"""The one place that holds models, libraries and runs. Tabs ask it and show what it says; it decides nothing either."""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agents.library.records import Hit
from agents.writers.base import Writer
from lcbm_model.content import Content
from lcbm_model.errors import BackendError, InputError, LcbmError
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Simulator
from optimizer.brief import Brief
from optimizer.result import OptimizationResult
from ui.floors import Floors, Searchable
from ui.runs import Run

log = logging.getLogger("lcbm.ui")

Phase = Literal["waiting", "loading", "ready", "failed"]


@dataclass(frozen=True)
class Loading:
    """Where the models stand. `note` is a sentence for people."""

    phase: Phase
    note: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Models:
    """What every request shares, loaded once."""

    simulator: Simulator
    judge: Simulator | None
    writers: tuple[Writer, ...]


@dataclass
class Limits:
    """Bounds of one running app."""

    runs_at_once: int = 1
    kept_runs: int = 64
    kept_seconds: float = 24 * 3600.0
    libraries: int = 8
    score_batch: int = 16


@dataclass
class Services:
    """Models in the background, libraries by content, runs by id.

    Args:
        floors: How each part is made.
        limits: Bounds on what is kept and what runs side by side.
    """

    floors: Floors
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded = threading.Event()
        self._loading = Loading("waiting", "The model has not been asked for yet.")
        self._began = time.monotonic()
        self._models: Models | None = None
        self._failure: LcbmError | None = None
        self._libraries: OrderedDict[str, Searchable] = OrderedDict()
        self._library_locks: dict[str, threading.Lock] = {}
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._slots = threading.BoundedSemaphore(self.limits.runs_at_once)
        self.scratch = Path(tempfile.mkdtemp(prefix="lcbm-ui-"))

    # Models -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin loading in the background; a second call does nothing, after a failure it tries again."""
        with self._lock:
            if self._loading.phase in ("loading", "ready"):
                return
            self._loading = Loading("loading", "Waking up the audience model. This takes a few seconds.")
            self._began = time.monotonic()
            self._loaded.clear()
        threading.Thread(target=self._load, name="lcbm-ui-load", daemon=True).start()

    def _load(self) -> None:
        try:
            simulator = self.floors.load_simulator()
            models = Models(simulator, self.floors.load_judge(), tuple(self.floors.load_writers(simulator)))
        except LcbmError as error:
            self._fail(error)
        except Exception as error:  # a thread's error would vanish: it is logged and shown as the app's state
            log.exception("loading the models failed")
            self._fail(BackendError(f"The model could not be loaded: {error}"))
        else:
            with self._lock:
                self._models, self._failure = models, None
                took = time.monotonic() - self._began
                self._loading = Loading("ready", f"Ready: {models.simulator.identity.label}", took)
        self._loaded.set()

    def _fail(self, error: LcbmError) -> None:
        with self._lock:
            self._failure = error
            self._loading = Loading("failed", str(error), time.monotonic() - self._began)

    @property
    def loading(self) -> Loading:
        """Where the models stand now."""
        with self._lock:
            if self._loading.phase == "loading":
                return Loading("loading", self._loading.note, time.monotonic() - self._began)
            return self._loading

    def models(self, timeout: float = 300.0) -> Models:
        """The loaded models; waits for them.

        Raises:
            LcbmError: Loading failed or took longer than `timeout` seconds.
        """
        self.start()
        if not self._loaded.wait(timeout):
            raise BackendError("The model is still loading. Try again in a minute.")
        with self._lock:
            if self._models is None:
                raise self._failure or BackendError("The model could not be loaded.")
            return self._models

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
            library = self.floors.load_library(path, metric)
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

    def score(self, contents: Sequence[Content], metric: str) -> Iterator[list[Prediction]]:
        """Predictions in order, growing batch by batch."""
        simulator = self.models().simulator
        done: list[Prediction] = []
        for start in range(0, len(contents), self.limits.score_batch):
            done += simulator.predict(contents[start : start + self.limits.score_batch], metric)
            yield list(done)

    def compare(self, predictions: Sequence[Prediction], channel: str) -> list[float]:
        """Chance of each scored content to do best among them; sums to 1."""
        return self.models().simulator.win_chances(predictions, channel=channel)

    # Runs -------------------------------------------------------------------------------------------------------

    def start_run(self, brief: Brief, *, library: Searchable | None, owner: str, seed: int = 0) -> Run:
        """Start a run in the background. One at a time for each owner (a browser tab).

        Raises:
            LcbmError: This owner's last run is still going, or the models could not be loaded.
        """
        models = self.models()
        run = Run(id=secrets.token_hex(16), owner=owner, brief=brief)
        with self._lock:
            if any(r.owner == owner and not r.done for r in self._runs.values()):
                raise InputError("run", "one is already going in this tab", remedy="Stop it first, or wait for its end")
            self._prune()
            self._runs[run.id] = run

        def events() -> Iterator[object]:
            return self.floors.stream(
                brief,
                library=library,
                simulator=models.simulator,
                judge=models.judge,
                writers=models.writers,
                seed=seed,
                store=self.scratch / "runs",
                run_id=run.id,
                should_stop=run.should_stop,
            )

        threading.Thread(target=run.drive, args=(events, self._slots), name=f"lcbm-run-{run.id[:8]}").start()
        return run

    def run(self, run_id: str | None) -> Run | None:
        """A run by its id, or None where it was never known or has been cleared away."""
        with self._lock:
            return self._runs.get(run_id or "")

    def stop_owner(self, owner: str) -> int:
        """Ask every run of a closed tab to stop; returns how many were still going."""
        with self._lock:
            going = [r for r in self._runs.values() if r.owner == owner and not r.done]
        for run in going:
            run.stop()
        return len(going)

    def _prune(self) -> None:
        """Forget finished runs that are old or too many, with their files (the lock is held)."""
        now = time.time()
        finished = [r for r in self._runs.values() if r.done]
        surplus = len(self._runs) + 1 - self.limits.kept_runs
        for index, run in enumerate(finished):
            if index < surplus or now - run.started > self.limits.kept_seconds:
                del self._runs[run.id]
                for folder in (self.scratch / run.id, self.scratch / "runs" / run.id):
                    shutil.rmtree(folder, ignore_errors=True)

    def downloads(self, run: Run) -> dict[str, Path]:
        """The finished run's files: result.json, candidates.csv, report.html (made once).

        Raises:
            LcbmError: The run has no result yet, or the files cannot be written.
        """
        if run.result is None:
            raise InputError("download", "this run has nothing to save yet", remedy="Wait for its end or stop it")
        return save_all(run.result, self.scratch / run.id, self.floors.report)

    def close(self) -> None:
        """Stop every run and remove the app's own files."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.stop()
        for run in runs:
            run.wait(30.0)
        shutil.rmtree(self.scratch, ignore_errors=True)


def save_all(
    result: OptimizationResult, folder: Path, write: Callable[[OptimizationResult, Path], Path]
) -> dict[str, Path]:
    """Write a result in its three formats into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"json": "result.json", "csv": "candidates.csv", "html": "report.html"}
    return {kind: path if (path := folder / name).exists() else write(result, path) for kind, name in files.items()}
