"""The rival: a bare process pool, each hop submitted by the callback of the one before.

Laws: no graph, no journal, no statistics; so it is the most that this many processes can do on this machine, and a
ratio to it is worth more than any number of seconds.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any


def hop(values: dict[str, Any]) -> dict[str, Any]:
    """Do what the module `nothing` does."""
    return {"n": values["n"]}


def pool_rate(chains: int, hops: int, workers: int) -> float:
    """Return tasks per second for so many chains of so many hops."""
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(hop, ({"n": n} for n in range(100))))
        ended = threading.Semaphore(0)

        def submit(values: dict[str, Any], left: int) -> None:
            def next_hop(future: Future[dict[str, Any]]) -> None:
                if left > 1:
                    submit(future.result(), left - 1)
                else:
                    ended.release()

            pool.submit(hop, values).add_done_callback(next_hop)

        began = time.perf_counter()
        for n in range(chains):
            submit({"n": n}, hops)
        for _ in range(chains):
            ended.acquire()
        return chains * hops / (time.perf_counter() - began)
