"""One of several processes on one cache. Arguments: FILE FIRST LAST ROUNDS. Prints how many it had to score."""

from __future__ import annotations

import sys

from lcbm_model.content import Content
from lcbm_model.simulator.score_cache import CachedSimulator
from tests.fakes import FakeSimulator

if __name__ == "__main__":
    path, (first, last, rounds) = sys.argv[1], map(int, sys.argv[2:])
    contents = [Content(text="x" * (i % 90) + str(i)) for i in range(first, last)]
    asked = 0
    for _ in range(rounds):
        inner = FakeSimulator()
        simulator = CachedSimulator(inner, path)
        for start in range(0, len(contents), 50):
            part = contents[start : start + 50]
            assert simulator.predict(part, "shares") == FakeSimulator().predict(part, "shares")
        asked += inner.calls
        assert simulator.store.out_of_use is None, simulator.store.out_of_use
        simulator.close()
    print(asked)
