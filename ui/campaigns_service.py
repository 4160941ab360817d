"""What the Campaigns tab asks: runs on disk, going on with one, results and what they say of the predictions."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING

from lcbm_model.errors import InputError, LcbmError
from optimizer.campaigns import Campaign, Comparison, compare_runs, list_campaigns, read_run
from optimizer.loop.folder import store_folder
from optimizer.result import OptimizationResult
from ui.runs import Marks, Run
from ui.services import Services, decision_of

if TYPE_CHECKING:
    from optimizer.outcomes import Imported, Outcome, OutcomeReport, OutcomeStore, TeamCalibration

WAITING = "waiting_for_approval"
"""Status of a run that a person has to answer."""


@dataclass
class CampaignsService:
    """Runs and outcomes of a team.

    Args:
        services: The app's models and runs.
        runs: Folder of runs; by default that of the app.
        outcomes: File or URL of the outcomes; by default `LCBM_OUTCOMES`, else a file in the folder of runs.
    """

    services: Services
    runs: Path | None = None
    outcomes: str | None = None
    _store: OutcomeStore | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def folder(self) -> Path:
        """The folder of runs."""
        return self.runs or self.services.store or store_folder(None)

    @property
    def store(self) -> OutcomeStore:
        """The outcomes, opened at the first question.

        Raises:
            SettingsError: The place cannot be used.
        """
        from optimizer.outcomes import OutcomeStore
        from optimizer.outcomes.store import FILE

        with self._lock:
            if self._store is None:
                named = self.outcomes or os.environ.get("LCBM_OUTCOMES")
                self._store = OutcomeStore(named or self.folder / FILE)
            return self._store

    def close(self) -> None:
        """Let go of the outcomes; the next question opens them again."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    # Runs ---------------------------------------------------------------------------------------------------------

    def campaigns(self, name: str = "") -> tuple[list[Campaign], list[str]]:
        """Runs whose name or id holds `name`, the latest first, and what could not be read."""
        return list_campaigns(self.folder, name=name)

    def open(self, run_id: str) -> OptimizationResult:
        """A run's result.

        Raises:
            LcbmError: No such run, or no result yet.
        """
        _, result = read_run(_named(run_id), self.folder)
        if result is None:
            remedy = "Wait for its end, or go on with it where it was broken off"
            raise InputError("Run", "has no result yet", value=run_id, remedy=remedy)
        return result

    def waits(self, run_id: str | None) -> bool:
        """Whether a run waits for a person's answer; False where there is no such run, or none that can be read."""
        try:
            _, result = read_run(_named(run_id), self.folder)
        except LcbmError:
            return False
        return result is not None and result.status == WAITING

    def compare(self, first: str, second: str) -> Comparison:
        """Two runs side by side.

        Raises:
            InputError: One is missing, or both are the same.
        """
        if _named(first) == _named(second):
            raise InputError("Compare", "these are the same run", value=first, remedy="Choose two different ones")
        return compare_runs(self.open(first), self.open(second))

    def resume(self, run_id: str, *, owner: str, action: str = "continue") -> Run:
        """Go on with a run from disk in the background; the owner's own, still at hand, with the notes on its drafts.

        Args:
            owner: The browser tab that asks.
            action: The answer to a run that waits for approval: "continue" or "finish".

        Raises:
            LcbmError: No such run, it is finished, under way or another session's, or the models could not be loaded.
        """
        mine = self.services.waiting(_named(run_id), owner)
        if mine is not None:
            self.services.go_on(mine, action)
            return mine
        settings, result = read_run(run_id, self.folder)
        if result is not None and result.status == "finished":
            raise InputError("Run", "has come to its end", value=run_id, remedy="Open it, or begin a new one")
        run = Run(id=run_id, owner=owner, brief=settings.brief, seed=settings.seed)
        self.services.take_up(run, decision_of(Marks(), action), store=self.folder)
        return run

    # What really happened -----------------------------------------------------------------------------------------

    def note(
        self,
        run_id: str | None,
        candidate_id: str | None,
        *,
        value: float | None,
        count: float | None,
        exposure: float | None,
        published: Date | None,
        noted_by: str | None,
    ) -> tuple[Outcome, bool]:
        """Keep what a candidate reached; whether it is new.

        Raises:
            InputError: Figures that cannot be, or no such candidate.
        """
        from optimizer.outcomes import note_candidate

        noted = note_candidate(
            _named(run_id),
            candidate_id or None,
            value=value,
            count=count,
            exposure=exposure,
            published=published,
            noted_by=noted_by,
            store=self.folder,
        )
        return noted, bool(self.store.add(noted))

    def import_file(self, path: Path, metric: str | None, noted_by: str | None) -> tuple[Imported, int]:
        """Keep a file's results; how many were new.

        Raises:
            TableError: The file cannot be read.
        """
        from optimizer.outcomes import import_outcomes

        found = import_outcomes(path, metric=metric, store=self.folder, noted_by=noted_by)
        return found, self.store.add(*found.outcomes)

    def report(self, metric: str | None) -> tuple[OutcomeReport, TeamCalibration | None]:
        """Predictions beside what happened, and the team's own calibration where there is one."""
        return self.store.report(metric=metric), self.store.calibration()

    def calibrate(self, *, remove: bool = False) -> TeamCalibration | None:
        """Fit the team's own ranges, or take them away.

        Raises:
            InputError: Too few results.
        """
        from optimizer.outcomes import fit_team

        fitted = None if remove else fit_team(self.store.list())
        self.store.keep_calibration(fitted)
        return fitted

    def posts_file(self) -> Path:
        """Every result as a table of posts, ready to be added to the team's library.

        Raises:
            InputError: Nothing has been noted yet.
        """
        from optimizer.outcomes.teaching import write_posts

        noted = self.store.list()
        if not noted:
            raise InputError("Results", "there are none yet", remedy="Note what came of a published text first")
        folder = self.services.scratch / "outcomes"
        folder.mkdir(parents=True, exist_ok=True)
        return write_posts(folder / "results-as-posts.jsonl", noted)


def _named(run_id: str | None) -> str:
    if not run_id:
        raise InputError("Run", "none is chosen", remedy="Choose a run from the list")
    return run_id
