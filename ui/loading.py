"""The models behind the page: loaded once, in the background, shared by every visitor."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agents.writers.base import Writer
from lcbm_model.errors import BackendError, LcbmError
from lcbm_model.simulator.base import Simulator

if TYPE_CHECKING:
    from ui.floors import Floors

log = logging.getLogger("lcbm.ui")

Phase = Literal["waiting", "loading", "ready", "failed"]
AT_ONCE = 8
"""Contents of one call of the model: what a newcomer's score request waits for at most."""
QUICK = 3
"""Contents of a request that somebody waits for before the screen, at most: an edited draft, two or three compared."""


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


def shared(simulator: Simulator) -> Simulator:
    """`simulator` with a queue in front, so that nobody's long job keeps others waiting. A score cache stays outside:
    what it knows is answered without the queue."""
    from lcbm_model.simulator.score_cache import CachedSimulator
    from lcbm_model.simulator.shared import SharedSimulator

    if isinstance(simulator, SharedSimulator):
        return simulator
    if isinstance(simulator, CachedSimulator):
        return CachedSimulator(shared(simulator.inner), simulator.store)
    return SharedSimulator(simulator, at_once=AT_ONCE, quick=QUICK)


class Loader:
    """Loads the models of `floors` in a thread and says where that stands."""

    def __init__(self, floors: Floors) -> None:
        self.floors = floors
        self._lock = threading.Lock()
        self._loaded = threading.Event()
        self._loading = Loading("waiting", "The model has not been asked for yet.")
        self._began = time.monotonic()
        self._models: Models | None = None
        self._failure: LcbmError | None = None

    def start(self) -> None:
        """Begin; a second call does nothing, after a failure it tries again."""
        with self._lock:
            if self._loading.phase in ("loading", "ready"):
                return
            self._loading = Loading("loading", "Waking up the audience model. This takes a few seconds.")
            self._began = time.monotonic()
            self._loaded.clear()
        threading.Thread(target=self._load, name="lcbm-ui-load", daemon=True).start()

    def _load(self) -> None:
        try:
            simulator, judge = self.floors.load_simulator(), self.floors.load_judge()
            models = Models(
                shared(simulator),
                shared(judge) if judge is not None else None,
                tuple(self.floors.load_writers(simulator)),
            )
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

    def close(self) -> None:
        """End the queues' threads; whoever still waits in them hears of it."""
        from lcbm_model.simulator.score_cache import CachedSimulator
        from lcbm_model.simulator.shared import SharedSimulator

        with self._lock:
            models = self._models
        for simulator in (models.simulator, models.judge) if models else ():
            queue = simulator.inner if isinstance(simulator, CachedSimulator) else simulator
            if isinstance(queue, SharedSimulator):
                queue.close()

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
