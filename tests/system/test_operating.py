"""Operating a run from outside with the real program: each cause of waiting made for real, and told by `explain`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from asking import cc, explained, feed, section, step, workflow

from cryocloud_core.head.lock import is_locked

if TYPE_CHECKING:
    from tests.system.conftest import Place, Started

pytestmark = pytest.mark.system

CRYOCLOUD = str(Path(sys.executable).with_name("cryocloud"))


@pytest.fixture
def waiting(place: Place) -> tuple[Place, Started]:
    """Give a run in which every cause of waiting is there: one worker, two pebbles."""
    place.workers = 1
    flow = workflow(
        place,
        feed(2),
        step("Bad", module="bad", priority=100, retry={"times": 1, "delay": 900}),
        step("Hold", priority=95, max_parallel=1, args={"wait": True}),
        step("Cut", priority=94, restrictions={"flow:Hold.processing": "<1"}),
        step("Far", priority=93, ccnode="elsewhere"),
        step("High", priority=90),
        step("Low", priority=10),
        step("Gpu", gpu=True),
        step("After", "Hold", args={"before": {"output": "Hold.value"}}),
        step("Mop", deferred=True),
    )
    started = place.start("--gpus", "0", flow)
    place.await_trace("begin Hold 1")
    place.until(lambda: explained(place, 2, "Bad").startswith("Bad (bad): backoff"), "pebble 2 never failed")
    return place, started


def test_every_cause_of_waiting_is_told_with_its_holder(waiting: tuple[Place, Started]) -> None:
    """Limits, restrictions, priority, no worker of a class or machine, backoff, a parent; then the suspended run."""
    place, started = waiting
    first, second = cc(place, "explain", 1).out, cc(place, "explain", 2).out

    assert section(first, "Hold").startswith("Hold (step): running\n")
    assert re.search(r"attempt 1: runs on worker \S+ since \d+ s", section(first, "Hold"))
    held = r"max_parallel: 1 of 1 are running, held by pebble 1 Hold \(on \S+ since \d+ s\)"
    assert re.search(rf"attempt 1: waits for {held}", section(second, "Hold"))
    assert re.search(rf"waits for Hold: {held}", section(second, "After"))
    assert re.search(r"waits for Hold: runs on worker \S+ since \d+ s", section(first, "After"))
    higher = r"waits for a higher priority: pebble 1 High \(priority 90, this one has 10\) goes first, 2 ahead in all"
    assert re.search(higher, section(first, "Low"))
    busy = r"waits for a free normal worker: 1 of 1 are busy, \S+ with pebble 1 Hold \(.*\); it is next"
    assert re.search(busy, section(first, "High"))
    assert "waits for a worker that may take it: no GPU worker (see --gpus)" in section(first, "Gpu")
    assert "waits for restriction flow:Hold.processing <1: it is 1" in section(first, "Cut")
    assert "waits for a worker that may take it: no normal worker is on a machine named 'elsewhere'" in first
    assert re.search(r"waits for attempt 2; due \d\d:\d\d:\d\d, in 9:\d\d", section(first, "Bad"))
    assert "waits for the main phase, behind it" in section(first, "Mop")
    assert_harmless(first + second)

    command = [CRYOCLOUD, "stop", "--state-dir", str(place.state)]
    stopped = subprocess.run(command, capture_output=True, text=True, env=place.environment, check=True)
    assert stopped.stdout.startswith("suspending: waiting for 1 running task; 2 open pebbles wait for the next start")
    suspended = "the run is suspended: nothing is handed out, the next start goes on"
    assert suspended in explained(place, 1, "Low")
    place.allow("Hold")
    assert started.end().status == 128 + signal.SIGTERM

    told = cc(place, "explain", 1).out
    assert "attempt 1: no head runs: the next start goes on with it" in section(told, "Low")
    assert "Hold (step): success" in section(told, "Hold")
    listed = cc(place, "pebbles").out
    assert listed.endswith("2 open, 0 done, 0 of them failed; no head runs, the next start goes on with them\n")
    for command in ("cancel", "retry"):
        refused = cc(place, command, 1)
        assert refused.status == 3
        assert "no head runs here; start the run" in refused.err
    assert "--fresh or --resume=drop" in cc(place, "cancel", "--all").err
    assert "no head runs here" in cc(place, "drain").err


def assert_harmless(text: str) -> None:
    """Nothing in it moves the cursor, colours or turns a line around."""
    assert "owned" in text
    assert "\\x1b" in text or "\\u001b" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_a_full_disk_is_told_as_what_everything_waits_for(place: Place) -> None:
    """The state directory's disk is full: tasks that end cannot be written, and `explain` says so."""
    disk = place.folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted")
    try:
        flow = workflow(place, feed(1), step("Hold", args={"wait": True}), step("After", "Hold"))
        started = place.start(flow, state=disk / "state")
        place.await_trace("begin Hold 1")
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 512):
                try:
                    while file.write(b"\0" * size):
                        pass
                except OSError:
                    continue
        place.allow("Hold")
        started.await_line("the run pauses")
        told = explained(place, 1, "After", disk / "state")
        assert re.search(r"waits for Hold: the run pauses: .*the disk is full", told), told

        ballast.unlink()
        assert started.end().status == 0
        assert explained(place, 1, "After", disk / "state").startswith("After (step): success")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_cancel_retry_and_drain_steer_a_run(place: Place) -> None:
    """Pebble 1 is given up, goes again as 3; the drained run ends by what its pebbles came to."""
    flow = workflow(place, feed(2, stay=True), step("Hold", args={"wait": True, "before": {"output": "In.path"}}))
    started = place.start(flow)
    place.until(lambda: place.trace().count("begin Hold 1") == 2, "two steps never began")

    assert cc(place, "cancel", 1).out == "given up: pebble 1\n"
    sums = "1 open, 1 done, 0 of them failed, 1 cancelled"
    place.until(lambda: sums in cc(place, "pebbles").out, "pebble 1 did not end")
    assert "Hold (step): cancelled" in explained(place, 1, "Hold")
    assert cc(place, "retry", 1).out == "pebble 1 goes again as pebble 3\n"
    for command in (("cancel", 1, 99), ("retry", 99), ("explain", 99)):
        assert cc(place, *command).status == 1
    assert cc(place, "pebbles", "--failed", "--json").out == ""
    assert "a retry of pebble 1" in cc(place, "explain", 3).out
    assert cc(place, "drain").out == "draining: 2 open pebbles to finish\n"
    place.allow("Hold")
    ended = started.end()
    assert ended.status == 1
    assert any(line.startswith("3 pebbles done (1 cancelled) in ") for line in ended.lines)

    listed = [json.loads(line) for line in cc(place, "pebbles", "--all", "--json").out.splitlines()]
    assert [(row["pebble"], row["result"], row["retry_of"]) for row in listed] == [
        (1, "cancelled", 0),
        (2, "success", 0),
        (3, "success", 1),
    ]
    same = [json.loads(cc(place, "explain", pebble, "--json").out)["told"]["nodes"][1]["args"] for pebble in (1, 3)]
    assert same[0] == same[1]


def test_drain_can_wait_and_ends_as_the_run_does(place: Place) -> None:
    """Not in time: 124, and the drain goes on; then 1 for a failed pebble, and another head may begin at once."""
    steps = [step("Hold", args={"wait": True}), step("Bad", "Hold", module="bad")]
    started = place.start(workflow(place, feed(1, stay=True), *steps))
    place.await_trace("begin Hold 1")

    late = cc(place, "drain", "--timeout", "0.1")
    assert (late.status, late.err) == (124, "it has not ended within 0.1 s, and goes on to\n")
    draining = place.other("drain", "--wait", "--timeout", "20")
    draining.await_line("draining: 1 open pebble to finish")
    place.allow("Hold")
    ended = draining.end()
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "ended: 1 pebble done (1 failed); cryocloud pebbles --failed lists what failed\n"
    # The one input that was cut short starts again; nothing is left over.
    again = place.start(workflow(place, feed(1, stay=True), step("Hold")))
    assert started.end().status == 1
    place.until(lambda: "end Hold 1" in place.trace()[2:], "the second run does nothing")
    told = cc(place, "drain", "--wait", "--json")
    assert told.status == 0
    assert {"ended": True, "exit_code": 0}.items() <= json.loads(told.out).items()
    assert again.end().status == 0


def test_stop_can_wait_until_the_next_start_may_go_on(place: Place) -> None:
    """A drain that somebody stops meanwhile says that the run was not finished."""
    started = place.start(
        workflow(place, feed(2, stay=True), step("Hold", args={"wait": True, "deaf": True})), "--grace", "0"
    )
    place.await_trace("begin Hold 1")
    draining = place.other("drain", "--wait")
    draining.await_line("draining: ")

    stopped = cc(place, "stop", "--wait")
    assert (stopped.status, stopped.out.splitlines()[-1]) == (0, "stopped: 0 pebbles done, the next start goes on")
    assert not is_locked(place.state)
    drained = draining.end()
    assert (drained.status, drained.err) == (
        3,
        "stopped before all had ended: 0 pebbles done, the next start goes on\n",
    )
    assert started.end().status == 128 + signal.SIGTERM


def test_workflows_of_one_head_share_its_gate_its_workers_and_its_socket(place: Place) -> None:
    """One worker for both; each is listed by its name; one failed pebble makes the exit code 1."""
    place.workers = 1
    one = workflow(place, feed(1), step("A", args={"wait": True}), name="one")
    bad = step("Bad", "B", module="bad")
    two = workflow(place, feed(1), step("B", args={"wait": True}), bad, name="two")
    started = place.start(one, two)
    place.until(lambda: len(cc(place, "pebbles", "--json").out.splitlines()) == 2 and place.trace(), "nothing began")

    rows = [json.loads(line) for line in cc(place, "pebbles", "--json").out.splitlines()]
    numbers = {row["workflow"]: row["pebble"] for row in rows}
    assert set(numbers) == {"one", "two"}
    # Which input was quicker is chance; the other one's node waits for the one worker.
    runs, waits = ("A", "B") if place.trace() == ["begin A 1"] else ("B", "A")
    holder, waiter = (numbers["one" if node == "A" else "two"] for node in (runs, waits))
    assert f"with pebble {holder} {runs} (on " in explained(place, waiter, waits)
    only = [json.loads(line) for line in cc(place, "pebbles", "two", "--json").out.splitlines()]
    assert [row["workflow"] for row in only] == ["two"]

    place.allow("A")
    place.allow("B")
    assert started.end().status == 1
    failed = [json.loads(line) for line in cc(place, "pebbles", "--failed", "--json").out.splitlines()]
    assert [row["pebble"] for row in failed] == [numbers["two"]]
