"""Inbox, counters, results, timers and differences: the small parts of a head, one by one."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

from attrs import evolve
from desk import chain, literal, node
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryocloud_core.graph.workflow import Option, Workflow
from cryocloud_core.head.counters import Counters
from cryocloud_core.head.inbox import TURN, Inbox
from cryocloud_core.head.ledger import Held, Ledger, attempt_seen, scope_of
from cryocloud_core.head.results import MOST_FAILURES, Results, first_line, waiting_line
from cryocloud_core.head.resume import differences
from cryocloud_core.head.timers import Timers
from cryocloud_core.task import Code, Task


def task(name: str = "1/N1/1") -> Task:
    """Return a task of the chain."""
    return Task(name, 1, "N1", "n1", "flow", Code("n1"), "nonce")


# --- inbox --------------------------------------------------------------------------------------------


def test_many_threads_reach_the_loop_in_their_own_order_and_in_bounded_turns() -> None:
    """Nothing is lost, nothing overtakes within a sender, no turn takes more than its share."""

    async def run() -> list[list[tuple[int, int]]]:
        inbox, turns = Inbox(), []
        done = asyncio.Event()

        def turn(items: list[tuple[int, int]]) -> None:
            turns.append(items)
            if sum(map(len, turns)) == 4_000:
                done.set()

        inbox.turn = turn
        inbox.put((9, -1))
        inbox.attach(asyncio.get_running_loop())
        senders = [
            threading.Thread(target=lambda n=n: [inbox.put_from_thread((n, i)) for i in range(1_000)]) for n in range(3)
        ]
        for sender in senders:
            sender.start()
        for i in range(999):
            inbox.put((9, i))
        await asyncio.wait_for(done.wait(), 10)
        assert len(inbox) == 0
        return turns

    turns = asyncio.run(run())
    assert max(map(len, turns)) <= TURN
    items = [item for turn in turns for item in turn]
    for sender in (0, 1, 2, 9):
        mine = [number for each, number in items if each == sender]
        assert mine == sorted(mine)


# --- counters -----------------------------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["queued", "began", "ended", "withdrawn"]), max_size=30))
def test_pending_and_processing_follow_the_tasks_and_are_never_negative(steps: list[str]) -> None:
    """Whatever order the reports come in, the numbers are those of the tasks that wait and run."""
    counters = Counters()
    counters.add_workflow(chain(1))
    waiting: list[Task] = []
    running: list[Task] = []
    for number, step in enumerate(steps):
        if step == "queued":
            waiting.append(task(f"{number}/N1/1"))
            counters.queued(waiting[-1])
        elif step == "began" and waiting:
            running.append(waiting.pop(0))
            counters.began(running[-1], "w", 1.0)
            counters.began(running[-1], "w", 1.0)
        elif step == "ended" and (running or waiting):
            counters.ended((running or waiting).pop(0))
        elif step == "withdrawn" and waiting:
            waiting.pop()
            counters.withdrawn("flow", "N1")
        view = counters.node_views()[1]
        assert (view.pending, view.processing) == (len(waiting), len(running))
        assert len(counters.task_views()) == len(running)


def test_progress_is_taken_as_it_makes_sense() -> None:
    """Numbers are kept between 0 and 100, anything else is no progress; a finished task is not revived."""
    counters = Counters()
    counters.queued(task())
    counters.began(task(), "w", 1.0)
    seen = []
    for value in (40, 250.0, -3, "x", True, None):
        counters.status("1/N1/1", {"progress": value, "state": f"at {value}"})
        seen.append(counters.task_views()[0].progress)
    assert seen == [40.0, 100.0, 0.0, 0.0, 0.0, 0.0]
    assert counters.task_views()[0].state == "at None"
    for moved, shown in ((30.5, 30.5), ("x", 0.0), (None, 0.0)):
        counters.status("1/N1/1", {"transfer.percent": moved})
        assert counters.task_views()[0].progress == shown
    counters.ended(task())
    counters.status("1/N1/1", {"progress": 5})
    assert counters.task_views() == ()
    assert counters.rate() > 0


# --- ledger and results -------------------------------------------------------------------------------


def test_a_pebble_that_owes_is_not_open_and_leaves_once() -> None:
    """Closing and leaving in any order keep the numbers right."""
    ledger = Ledger()
    for pebble in (1, 2):
        ledger.add(Held(pebble, "flow", 1, "In", 1))
    ledger.closed(1)
    ledger.closed(1)
    assert (ledger.open, ledger.open_of("flow"), len(ledger)) == (1, 1, 2)
    ledger.left(1)
    ledger.left(2)
    ledger.left(2)
    assert (ledger.open, len(ledger), ledger.get(2)) == (0, 0, None)


def test_an_attempt_counts_starts_since_the_first_of_its_node() -> None:
    """The scope of a part and of a firing is its own; a pebble of this start counts the engine's attempts alone."""
    held = Held(42, "flow", 1, "In", 1, {"42.1/Wind": 3, "42/Mail#2": 5})
    assert [scope_of(name) for name in ("42.1/Wind/7", "42/Mail#2/1")] == ["42.1/Wind", "42/Mail#2"]
    assert attempt_seen(evolve(task("42.1/Wind/2"), attempt=2), held, 5) == 4
    assert attempt_seen(evolve(task("42.2/Wind/2"), attempt=2), held, 5) == 2
    assert attempt_seen(task(), evolve_none(held), 5) == 1


def evolve_none(held: Held) -> Held:
    """Return a record of a pebble that is new in this start."""
    return Held(held.pebble, held.workflow, held.run, held.input, held.birth)


def test_only_so_many_failures_are_told_one_by_one() -> None:
    """The rest is a number; other runs' failures are not told at all."""
    results = Results()
    results._runs = {1}
    for number in range(MOST_FAILURES + 3):
        results.failure(1, number, "N", "error", "\n  what\nmore")
    results.failure(2, 1, "N", "error", "another run")
    lines = results.lines()
    assert lines[0] == "pebble 0: N: error: what"
    assert lines[-1] == "and 3 more failed nodes"
    assert len(lines) == MOST_FAILURES + 1
    assert first_line(" \n") == "no error text"
    assert waiting_line(1).startswith("stopped; 1 pebble waits,")
    assert waiting_line(0).startswith("stopped; no pebble waits,")


def test_exit_codes() -> None:
    """A failed input decides, then a signal that stopped the run, then its pebbles."""
    results = Results()
    results._runs = {1}
    assert results.exit_code(signum=None, complete=True, input_failed=0) == 0
    assert results.exit_code(signum=signal.SIGTERM, complete=True, input_failed=0) == 0
    results.closed(2, "error")
    assert results.exit_code(signum=None, complete=True, input_failed=0) == 0
    results.closed(1, "timeout")
    assert results.exit_code(signum=None, complete=True, input_failed=0) == 1
    assert results.exit_code(signum=signal.SIGTERM, complete=False, input_failed=0) == 143
    assert results.exit_code(signum=signal.SIGINT, complete=False, input_failed=0) == 130
    assert results.exit_code(signum=signal.SIGINT, complete=False, input_failed=3) == 3


# --- timers -------------------------------------------------------------------------------------------


def test_timers_fire_once_not_early_and_can_be_moved() -> None:
    """A timer that is set again keeps only its last time; one in the past fires at once; cleared ones never."""

    async def run() -> list[tuple[int, str, float]]:
        fired: list[tuple[int, str, float]] = []
        timers = Timers(lambda pebble, timer: fired.append((pebble, timer, time.time())))
        began = time.time()
        timers.set(1, "moved", began + 60)
        timers.set(1, "moved", began + 0.05)
        timers.set(2, "past", began - 1000)
        timers.set(3, "far", began + 10_000_000)
        await asyncio.sleep(0.12)
        assert len(timers) == 1
        timers.clear()
        assert len(timers) == 0
        assert next(at for pebble, _, at in fired if pebble == 1) >= began + 0.05
        return fired

    assert [(pebble, timer) for pebble, timer, _ in asyncio.run(run())] == [(2, "past"), (1, "moved")]


# --- differences --------------------------------------------------------------------------------------


def test_differences_name_nodes_keys_and_options() -> None:
    """What is gone, new, or other; of arguments, which."""
    before = Workflow("flow", "", dict(chain(2).nodes), {"a": Option("a"), "b": Option("b")})
    nodes = {
        "In": before.nodes["In"],
        "N1": evolve(before.nodes["N1"], args={**before.nodes["N1"].args, "x": literal(1)}, timeout_s=5.0),
        "New": node("New", "N1"),
    }
    after = Workflow("flow", "", nodes, {"a": Option("a"), "c": Option("c")})

    assert differences(before, after) == [
        "node 'N2' is gone",
        "node 'New' is new",
        "node 'N1' has other args (x), timeout_s",
        "options differ: ['b', 'c']",
    ]
    assert differences(before, before) == ["the order of its nodes"]
