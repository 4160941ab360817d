"""Ways to improve a draft with the same simulator, writers and number of calls."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gepa
from gepa.core.adapter import EvaluationBatch

from agents import Library
from agents.library.records import Hit
from agents.screener import Screener
from agents.writers.base import Writer, WritingExample, WritingTask, distinct
from lcbm_model.content import Content
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator
from lcbm_model.simulator.first_look import first_look
from optimizer import Brief, optimize
from optimizer.loop.nodes.draft import POOL
from optimizer.loop.task import task_of

EXAMPLES, WINNERS = 6, 60.0
"""Past winners that every writer sees, and the percentile from which a post is one: as in the product's loop."""
ROUNDS = 4
TRIES = 4
"""Times that writers are asked again for drafts still missing."""
AT_ONCE = 16
"""Drafts that GEPA's proposer has made of a text at once; it takes them one by one."""


class Counted:
    """A simulator that scores equal contents once and counts the different ones: what a run costs."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator, self._known, self._looked = simulator, dict[str, Prediction](), set[str]()

    @property
    def calls(self) -> int:
        return len(self._known)

    @property
    def looks(self) -> int:
        """Different texts that a first look was taken at."""
        return len(self._looked)

    @property
    def identity(self) -> SimulatorIdentity:
        return self._simulator.identity

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """Predictions, each different content asked about once."""
        name = metric if isinstance(metric, str) else metric.name
        told = "" if context is None else context.model_dump_json()
        keys = [f"{name} {content.model_dump_json()} {told}" for content in contents]
        fresh = {key: content for key, content in zip(keys, contents, strict=True) if key not in self._known}
        if fresh:
            said = self._simulator.predict(list(fresh.values()), metric, context)
            self._known |= dict(zip(fresh, said, strict=True))
        return [self._known[key] for key in keys]

    def first_look(self, contents: Sequence[Content], metric: str | Metric) -> list[float] | None:
        """The simulator's own, counted."""
        self._looked |= {content.text for content in contents}
        return first_look(self._simulator, contents, metric)

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        return self._simulator.win_chances(predictions, channel=channel)

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        return self.win_chances(self.predict(contents, metric, context))


@dataclass(frozen=True)
class Job:
    """One brief and what every contender may use on it."""

    brief: Brief
    library: Library | None
    """The team's past posts; None: there are none."""
    writers: tuple[Writer, ...]
    calls: int
    """Contents that may be scored, the draft to beat among them."""
    seed: int

    def task(self, base: str | None = None, **known: Any) -> WritingTask:
        hits = self.winners(EXAMPLES)
        examples = tuple(WritingExample(text=h.post.text, percentile=h.percentile) for h in hits)
        return task_of(self.brief, base, examples=examples, **known)

    def winners(self, n: int) -> list[Hit]:
        """Past posts near the message that did well."""
        if self.library is None:
            return []
        return self.library.search(self.brief.message, n, metric=self.brief.metric, min_percentile=WINNERS)

    def drafts(self, task: WritingTask, n: int, seed: int) -> list[str]:
        """Up to `n` drafts, shared evenly among the writers."""
        texts: list[str] = []
        for i, writer in enumerate(self.writers):
            share = -(-(n - len(texts)) // (len(self.writers) - i))
            texts += [d.text for d in writer.write(task, share, seed=seed).drafts[:share]]
        return distinct(texts)

    def screened(self, texts: Sequence[str]) -> list[str]:
        """Those that the brief allows: every contender's drafts pass the same screen before a call is spent."""
        screener = Screener(task_of(self.brief))
        return [text for text in texts if not screener.check(text)]

    def sorted_at_first_look(self, simulator: Counted, texts: Sequence[str]) -> list[str]:
        """The most promising first; as they are where the simulator has no first look."""
        looks = simulator.first_look([self.brief.content(text) for text in texts], self.brief.metric)
        if looks is None:
            return list(texts)
        return [texts[i] for i in sorted(range(len(texts)), key=lambda i: (-looks[i], i))]

    def best(self, simulator: Counted, texts: Sequence[str]) -> str:
        """The highest expected percentile, the draft to beat among the texts."""
        assert self.brief.draft is not None
        all_texts = [self.brief.draft, *texts]
        said = simulator.predict([self.brief.content(text) for text in all_texts], self.brief.metric)
        scores = [-1.0 if p.expected is None else p.expected for p in said]
        return all_texts[scores.index(max(scores))]


Contender = Callable[[Job, Counted], str]
"""Returns the text it would publish."""


def ours(job: Job, simulator: Counted) -> str:
    """`optimizer.optimize` with all its guards."""
    per_round = max(1, -(-(job.calls - 1) // ROUNDS))
    brief = job.brief.with_budget(rounds=ROUNDS, candidates=per_round, simulator_calls=job.calls, patience=ROUNDS)
    with tempfile.TemporaryDirectory() as store:
        result = optimize(
            brief,
            library=job.library,
            simulator=simulator,
            judge="none",
            writers=job.writers,
            seed=job.seed,
            store=store,
        )
    assert result.best is not None
    return result.best.text


def best_of_n(job: Job, simulator: Counted) -> str:
    """All drafts at once from the draft to beat; the highest expected percentile."""
    return job.best(simulator, _all_at_once(job, job.calls - 1))


def best_of_n_looked(job: Job, simulator: Counted) -> str:
    """The same of the n most promising at first look of as large a pool as our loop's."""
    pool = _all_at_once(job, POOL * (job.calls - 1))
    return job.best(simulator, job.sorted_at_first_look(simulator, pool)[: job.calls - 1])


def _all_at_once(job: Job, n: int) -> list[str]:
    """Up to `n` drafts that pass the screen; who wrote too few is asked again, with the first ones as further texts."""
    texts: list[str] = []
    for attempt in range(TRIES):
        missing = n - len(texts)
        if missing < 1:
            break
        fresh = job.screened(job.drafts(job.task(best_so_far=tuple(texts[:3])), missing, job.seed + attempt))
        texts = distinct([*texts, *fresh])[:n]
    return texts


def retrieval_swap(job: Job, simulator: Counted) -> str:
    """The text of the nearest past winner, as it stands."""
    brief, hits = job.brief, job.winners(1)
    text = hits[0].post.text if hits else brief.draft or ""
    simulator.predict([brief.content(text)], brief.metric)
    return text


def retrieval_best_of_n(job: Job, simulator: Counted) -> str:
    """Of the nearest past winners the one with the highest expected percentile."""
    return job.best(simulator, [hit.post.text for hit in job.winners(job.calls - 1)])


class _Adapter:
    """GEPA's view of a brief: the candidate is the text itself, its score the expected percentile over 100."""

    propose_new_texts = None

    def __init__(self, job: Job, simulator: Counted) -> None:
        self._job, self._simulator = job, simulator
        self._screener = Screener(task_of(job.brief))

    def evaluate(
        self, batch: list[int], candidate: dict[str, str], capture_traces: bool = False
    ) -> EvaluationBatch[str, str]:
        """A text that the brief forbids scores 0 and costs no call."""
        text, brief = candidate["text"], self._job.brief
        reasons = [] if text == brief.draft else self._screener.check(text)
        score = 0.0
        if not reasons:
            said = self._simulator.predict([brief.content(text)], brief.metric)[0]
            score = (said.expected or 0.0) / 100
        told = "; ".join(reasons) or f"Expected percentile {100 * score:.0f} of 100."
        n = len(batch)
        return EvaluationBatch(
            outputs=[text] * n, scores=[score] * n, trajectories=[told] * n if capture_traces else None
        )

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: EvaluationBatch[str, str], components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        said = (eval_batch.trajectories or [""])[0]
        return {name: [{"Generated Outputs": candidate["text"], "Feedback": said}] for name in components_to_update}


class _Silent:
    def log(self, message: str) -> None:
        """GEPA tells every step; the table tells enough."""


class _Proposals:
    """What our writers make of a text, one at a time, none twice.

    Args:
        looks: Takes a first look at all of it, to hand out the most promising first; None: in the writers' order.
    """

    def __init__(self, job: Job, looks: Counted | None = None) -> None:
        self._job, self._looks, self.asked = job, looks, 0
        self._waiting: dict[str, list[str]] = {}
        self._given: set[str] = set()

    def __call__(
        self, candidate: dict[str, str], data: Mapping[str, Sequence[Mapping[str, Any]]], components: list[str]
    ) -> dict[str, str]:
        """The next draft; the text itself where the writers have no more."""
        parent = candidate["text"]
        for _ in range(TRIES):
            waiting = self._waiting.setdefault(parent, [])
            while waiting:
                text = waiting.pop(0)
                if text not in self._given:
                    self._given.add(text)
                    return {"text": text}
            self.asked += 1
            feedback = str(data["text"][0]["Feedback"])
            task = self._job.task(parent, critique=feedback, best_so_far=(parent,), round=self.asked)
            if self._looks is None:
                waiting += self._job.drafts(task, AT_ONCE, self._job.seed + self.asked)
            else:
                made = self._job.screened(self._job.drafts(task, POOL * AT_ONCE, self._job.seed + self.asked))
                waiting += self._job.sorted_at_first_look(self._looks, made)
        return {"text": parent}


def gepa_optimize(job: Job, simulator: Counted) -> str:
    """GEPA's `optimize`: it keeps the Pareto front and chooses what to mutate; our writers mutate."""
    return _gepa(job, simulator, _Proposals(job))


def gepa_looked(job: Job, simulator: Counted) -> str:
    """The same, its mutations handed out in the order of a first look."""
    return _gepa(job, simulator, _Proposals(job, simulator))


def _gepa(job: Job, simulator: Counted, propose: _Proposals) -> str:
    result = gepa.optimize(
        {"text": job.brief.draft or ""},
        trainset=[0],
        valset=[0],
        adapter=_Adapter(job, simulator),
        custom_candidate_proposer=propose,
        reflection_minibatch_size=1,
        skip_perfect_score=False,
        max_metric_calls=10 * job.calls,
        stop_callbacks=lambda _: simulator.calls >= job.calls or propose.asked >= 2 * job.calls,
        logger=_Silent(),
        seed=job.seed,
        raise_on_exception=True,
    )
    best = result.best_candidate
    return best["text"] if isinstance(best, dict) else str(best)


AS_FEW = ", our calls"
"""Behind the name of a contender that may make only as many calls as ours made on the same brief."""
SEARCHERS: dict[str, Contender] = {
    "best of n": best_of_n,
    "GEPA": gepa_optimize,
    "best of n, first look": best_of_n_looked,
    "GEPA, first look": gepa_looked,
}
CONTENDERS: dict[str, Contender] = {
    "ours": ours,
    **SEARCHERS,
    **{f"{name}{AS_FEW}": contender for name, contender in SEARCHERS.items()},
    "retrieval swap": retrieval_swap,
    "retrieval, best of n": retrieval_best_of_n,
}
