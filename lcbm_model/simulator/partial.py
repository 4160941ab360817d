"""Many requests to a server that may die: a pool of workers, and nothing that was finished is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from lcbm_model.errors import BackendError
from lcbm_model.prediction import Prediction, SimulatorIdentity

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class PartialAnswer(BackendError):
    """A server that failed before all was scored.

    Attributes:
        predictions: One for each content, in order; those that were not reached carry the error.
    """

    def __init__(self, message: str, predictions: Sequence[Prediction]) -> None:
        super().__init__(message)
        self.predictions = tuple(predictions)


def ask_each(
    jobs: Sequence[Job], ask: Callable[[Job], Answer], *, concurrency: int, cancelled: Callable[[], bool]
) -> Iterator[tuple[int, Answer]]:
    """Each job's place and answer as they come, `concurrency` jobs under way at once.

    Args:
        cancelled: Asked before every job; once it says so no other is begun and the iterator ends.

    Raises:
        BackendError: The first of a job. No other job is begun then, and what was under way is yielded before.
    """
    if not jobs:
        return
    failure: list[BackendError] = []

    def work(place: int) -> tuple[int, Answer] | None:
        if failure or cancelled():
            return None
        try:
            return place, ask(jobs[place])
        except BackendError as error:
            failure.append(error)
            return None

    pool = ThreadPoolExecutor(min(concurrency, len(jobs)))
    try:
        waiting: list[Future[tuple[int, Answer] | None]] = [pool.submit(work, place) for place in range(len(jobs))]
        for done in as_completed(waiting):
            if answer := done.result():
                yield answer
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failure:
        raise failure[0]


def gather(
    stream: Iterable[tuple[int, Prediction]], n: int, *, metric: str, identity: SimulatorIdentity
) -> list[Prediction]:
    """The `n` predictions of a stream in order, or its error with the finished part kept.

    Raises:
        PartialAnswer: The stream broke off, and some were finished.
        BackendError: The stream broke off, and none was.
    """
    answers: dict[int, Prediction] = {}
    try:
        answers.update(stream)
    except BackendError as error:
        done = sum(answer.ok for answer in answers.values())
        if not done:
            raise
        failed = Prediction.failed(metric, identity, f"not reached: {error}")
        kept = [answers.get(i, failed) for i in range(n)]
        raise PartialAnswer(f"{error} ({done} of {n} were finished before)", kept) from error
    return [answers[i] for i in range(n)]
