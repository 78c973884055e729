"""The judgement: what the journal says and what the steps' evidence says must agree that nothing was lost or doubled.

Laws: every rule is one function that yields one line for each breach; a rule that finds
nothing to look at is a breach itself, so that no empty run passes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from campaign.evidence_files import Begun, Evidence
from campaign.journal_file import Ended, JournalFile, JournalPebble

#: a node is placed again once after its worker was lost; a second loss is an error of its own right
LOSSES_ALLOWED = 1


@dataclass(frozen=True)
class Breach:
    """One broken promise: which rule, and what was seen."""

    rule: str
    what: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.rule}: {self.what}"


def judge(journal: JournalFile, evidence: Evidence, pebbles: int) -> list[Breach]:
    """Return every breach that one run shows by itself."""
    found = [*every_pebble_once(journal, pebbles), *tasks_end_once(journal)]
    found += nothing_after_its_end(journal, evidence)
    found += every_end_has_a_begin(journal, evidence)
    found += attempts_grow(evidence)
    found += never_two_at_once(evidence)
    found += [Breach("two live copies", text) for text in evidence.violations]
    return found


def every_pebble_once(journal: JournalFile, pebbles: int) -> Iterator[Breach]:
    """Each number arrived once, was closed, and has a result."""
    rule = "every pebble finishes once"
    numbers = Counter(pebble.number for pebble in journal.pebbles.values())
    for number in range(pebbles):
        if numbers[number] != 1:
            yield Breach(rule, f"number {number} has {numbers[number]} pebbles")
    for unexpected in numbers.keys() - set(range(pebbles)):
        yield Breach(rule, f"a pebble carries {unexpected!r}")
    for pebble in journal.pebbles.values():
        if pebble.arrivals != 1:
            yield Breach(rule, f"pebble {pebble.id} arrived {pebble.arrivals} times")
        if pebble.state != "closed" or not pebble.result or pebble.finished_at is None:
            yield Breach(rule, f"pebble {pebble.id} is {pebble.state!r}, its result {pebble.result!r}")


def tasks_end_once(journal: JournalFile) -> Iterator[Breach]:
    """Each task was started by one event and ended by one, and none ended that was not started."""
    rule = "a task ends once"
    ended = Counter(end.task for pebble in journal.pebbles.values() for end in pebble.ended)
    for task in ended | journal.started:
        if ended[task] != 1 or journal.started[task] != 1:
            yield Breach(rule, f"{task} was started {journal.started[task]} times and ended {ended[task]} times")


def nothing_after_its_end(journal: JournalFile, evidence: Evidence) -> Iterator[Breach]:
    """No attempt began after the end of its task was committed, and none after its node was settled."""
    ends = {end.task: end for pebble in journal.pebbles.values() for end in pebble.ended}
    last = {end.node: end for pebble in journal.pebbles.values() for end in pebble.ended}
    for begun in evidence.begun:
        end = ends.get(begun.task)
        if end is None:
            yield Breach("no end is lost", f"{begun.task} began, but the journal has no end of it")
        elif begun.at > end.at:
            yield Breach("no repeat after the end", _late(begun, end))
        elif begun.at > last[begun.node].at:
            yield Breach("no repeat after the node settled", _late(begun, last[begun.node]))


def _late(begun: Begun, end: Ended) -> str:
    late = f"{begun.at - end.at:.3f} s after {end.task} ended as {end.kind} (event {end.seq}, start {end.start})"
    return f"{begun.task} attempt {begun.attempt} began {late}"


def every_end_has_a_begin(journal: JournalFile, evidence: Evidence) -> Iterator[Breach]:
    """What succeeded really ran: it left a begin and an end."""
    whole = {begun.task for begun in evidence.begun if begun.ended_at is not None}
    for pebble in journal.pebbles.values():
        for end in pebble.ended:
            if end.kind == "Succeeded" and end.task not in whole:
                yield Breach("success needs evidence", f"{end.task} succeeded in the journal, but never ended in truth")
    if not whole:
        yield Breach("success needs evidence", "no task left any evidence")


def attempts_grow(evidence: Evidence) -> Iterator[Breach]:
    """The attempt a module is told grows with each repeat of its node."""
    for node, begun in evidence.by_node().items():
        seen = [one.attempt for one in begun]
        if any(later <= earlier for earlier, later in pairwise(seen)):
            yield Breach("attempts grow", f"{node} was told {seen}")


def never_two_at_once(evidence: Evidence) -> Iterator[Breach]:
    """An attempt that ended by itself ended before the next one of its node began (deaths are judged by the locks)."""
    for node, begun in evidence.by_node().items():
        for earlier, later in pairwise(begun):
            if earlier.ended_monotonic_s is not None and later.monotonic_s < earlier.ended_monotonic_s:
                overlap = earlier.ended_monotonic_s - later.monotonic_s
                yield Breach("two live copies", f"{node}: attempts overlap by {overlap:.3f} s")


def same_results(disturbed: JournalFile, undisturbed: JournalFile) -> Iterator[Breach]:
    """Each number came to the same result with the same nodes and outputs, whatever was killed in between."""
    wanted = {pebble.number: pebble for pebble in undisturbed.pebbles.values()}
    for pebble in disturbed.pebbles.values():
        other = wanted.get(pebble.number)
        if other is None:
            yield Breach("same results", f"number {pebble.number} is not in the undisturbed run")
        elif lost_nodes(pebble):
            continue
        elif told(pebble) != told(other):
            got, want = told(pebble), told(other)
            differ = (key for key in got | want if got.get(key) != want.get(key))
            parts = "; ".join(f"{key}: {got.get(key)!r} not {want.get(key)!r}" for key in differ)
            yield Breach("same results", f"number {pebble.number} (pebble {pebble.id}): {parts[:500]}")


def lost_nodes(pebble: JournalPebble) -> list[str]:
    """Return the nodes whose worker was lost more often than a node is placed again."""
    losses = Counter(end.node for end in pebble.ended if end.kind == "Lost")
    return [node for node, times in losses.items() if times > LOSSES_ALLOWED]


def told(pebble: JournalPebble) -> dict[str, Any]:
    """Return what a pebble came to: its result, and for each node that ran its kind of end with outputs or error."""
    came_to: dict[str, Any] = {"result": pebble.result}
    for node, end in pebble.last_of_each_node().items():
        error = end.outcome.get("error") if end.kind == "Failed" else None
        came_to[node] = (end.kind, end.outcome.get("outputs", {}), error)
    return came_to


def repeats(evidence: Evidence) -> int:
    """Return how many attempts began again though their task had begun before."""
    return len(evidence.begun) - len({begun.task for begun in evidence.begun})


def exit_tells_the_truth(journal: JournalFile, status: int) -> Iterator[Breach]:
    """The exit status is 1 when a pebble of the last run did not succeed, else 0."""
    wanted = int(any(result != "success" for result in journal.last_run))
    if status != wanted:
        counts = dict(Counter(journal.last_run))
        yield Breach("exit status", f"{status}, but the pebbles of the last run came to {counts}")


def told_once(output: str) -> Iterator[Breach]:
    """No life of the run told of the end of a pebble that was told before (a kill may swallow one)."""
    told_of: Counter[int] = Counter()
    for line in output.splitlines():
        if '"pebble_finished"' in line and line.endswith("}"):
            record = json.loads(line)
            told_of[record["pebble"]] += record["event"] == "pebble_finished"
    for pebble, times in told_of.items():
        if times > 1:
            yield Breach("every pebble finishes once", f"the end of pebble {pebble} was told {times} times")
