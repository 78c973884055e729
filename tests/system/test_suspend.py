"""Stopping and going on: signals, kills, edited workflows, and who may have a state directory."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from campaign.processes import marked

if TYPE_CHECKING:
    from tests.system.conftest import Place, Result

pytestmark = pytest.mark.system

WAITS = {"module": "step", "name": "A", "args": {"wait": True}}
DEAF = {"module": "step", "name": "A", "args": {"wait": True, "deaf": True}}
AFTER = {"module": "step", "name": "B", "downstreamOf": ["A"], "args": {"before": {"output": "A.value"}}}
STOPPED = "stopped; 1 pebble waits, the next start goes on (--fresh to start anew)"


def results_of(state: Path) -> list[tuple[str, str]]:
    """Return state and result of every pebble in a journal."""
    with closing(sqlite3.connect(f"file:{state}/journal.db?mode=ro", uri=True)) as journal:
        return journal.execute("SELECT state, result FROM pebbles ORDER BY pebble").fetchall()


def cut(place: Place, workflow: Path) -> None:
    """Start a run and kill its head inside of node A."""
    run = place.start(workflow)
    place.await_trace("begin A 1")
    run.signal(signal.SIGKILL)
    assert run.end().status == -signal.SIGKILL
    assert place.alive() == []


def test_a_stopped_run_lets_tasks_finish_and_goes_on_behind_them(place: Place) -> None:
    """SIGTERM: the running task ends within the grace, nothing new begins, the next start does only the rest."""
    workflow = place.workflow(WAITS, AFTER)
    run = place.start(workflow)
    place.await_trace("begin A 1")
    run.signal(signal.SIGTERM)
    time.sleep(0.3)
    place.allow("A")
    stopped = run.end()

    assert (stopped.status, stopped.lines[-1]) == (143, STOPPED)
    assert place.trace() == ["begin A 1", "end A 1"]
    again = place.run(workflow)
    assert again.status == 0
    assert "1 pebble" in again.lines[0]
    assert [line.split()[:2] for line in place.trace()[2:]] == [["begin", "B"], ["end", "B"]]


def test_a_task_that_outlasts_the_grace_is_killed_and_owed(place: Place) -> None:
    """After the grace the task is killed without being cancelled or failed; the next start begins it again."""
    workflow = place.workflow(DEAF)
    run = place.start(workflow, "--grace", "0.3")
    place.await_trace("begin A 1")
    run.signal(signal.SIGTERM)
    stopped = run.end(10)

    assert (stopped.status, stopped.lines[-1]) == (143, STOPPED)
    assert place.alive() == []
    place.allow("A")
    assert place.run(workflow).status == 0
    assert place.trace() == ["begin A 1", "begin A 2", "end A 2"]


def test_the_second_signal_does_not_wait(place: Place) -> None:
    """Two SIGINT end the run at once with 130, whatever the grace, and nothing is lost."""
    workflow = place.workflow(DEAF)
    run = place.start(workflow)
    place.await_trace("begin A 1")
    run.signal(signal.SIGINT)
    time.sleep(1.0)
    assert run.process.poll() is None
    sent_at = time.monotonic()
    run.signal(signal.SIGINT)
    stopped = run.end(5)

    assert stopped.status == 130
    assert time.monotonic() - sent_at < 2
    place.allow("A")
    assert place.run(workflow).status == 0


def test_signals_of_one_moment_are_one(place: Place) -> None:
    """As from `timeout`, which sends its own to a process and to its whole group: the running task may end."""
    workflow = place.workflow(WAITS, AFTER)
    run = place.start(workflow)
    place.await_trace("begin A 1")
    run.signal(signal.SIGSTOP)  # so that they are there at once, however slow this machine is
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        run.signal(number)
    time.sleep(0.5)
    place.allow("A")
    stopped = run.end()

    assert (stopped.status in (130, 143), stopped.lines[-1]) == (True, STOPPED)
    assert place.trace() == ["begin A 1", "end A 1"]


def test_a_killed_run_says_that_it_goes_on(place: Place) -> None:
    """After a kill -9 the first line of the next start says that it continues; the cut task begins again."""
    workflow = place.workflow(WAITS, AFTER)
    cut(place, workflow)
    place.allow("A")
    again = place.run(workflow)

    assert again.status == 0
    assert "1 pebble" in again.lines[0]
    assert place.trace()[:3] == ["begin A 1", "begin A 2", "end A 2"]
    assert results_of(place.state) == [("closed", "success")]


def test_fresh_abandons_what_was_left_and_starts_anew(place: Place) -> None:
    """--fresh: the old pebble is closed as abandoned and cleaned up, a new one runs."""
    base = place.folder / "base"
    tempdir = {"value": str(base), "type": "tempdir", "id": "w"}
    workflow = place.workflow({**WAITS, "args": {"wait": True, "tmp": tempdir}})
    cut(place, workflow)
    assert len(list(base.iterdir())) == 1
    place.allow("A")

    assert place.run(workflow, "--fresh").status == 0
    assert results_of(place.state) == [("closed", "abandoned"), ("closed", "success")]
    assert list(base.iterdir()) == []


def test_an_edited_workflow_is_refused_and_told_apart(place: Place) -> None:
    """Unfinished pebbles of another version: exit 3, and the line says what differs and what can be done."""
    cut(place, place.workflow(WAITS))
    edited = place.run(place.workflow(WAITS, AFTER))

    assert edited.status == 3
    assert_one_line(edited, "node 'B' is new", "--resume=continue", "--resume=drop", "--fresh")
    assert results_of(place.state) == [("open", "")]


def test_a_new_description_is_no_other_workflow(place: Place) -> None:
    """Texts for people and the layout of the file do not count as a change."""
    workflow = place.workflow(WAITS)
    cut(place, workflow)
    document = json.loads(workflow.read_text())
    document["workflow"]["description"] = "Told otherwise."
    workflow.write_text(json.dumps(document))
    place.allow("A")

    assert place.run(workflow).status == 0


def test_unfinished_pebbles_continue_in_the_edited_workflow(place: Place) -> None:
    """--resume=continue: settled nodes keep what they returned, new nodes run too."""
    cut(place, place.workflow(WAITS))
    place.allow("A")
    edited = place.workflow(WAITS, AFTER)

    assert place.run(edited, "--resume", "continue").status == 0
    assert place.trace()[-1].startswith("end B")
    assert results_of(place.state) == [("closed", "success")]


def test_unfinished_pebbles_of_an_edited_workflow_can_be_dropped(place: Place) -> None:
    """--resume=drop: the old pebble is closed without running anything more, and the new workflow starts anew."""
    cut(place, place.workflow(WAITS))
    place.allow("A")
    dropped = place.run(place.workflow(WAITS, AFTER), "--resume", "drop")

    assert dropped.status == 0
    assert results_of(place.state) == [("closed", "dropped"), ("closed", "success")]
    assert [line.split()[:2] for line in place.trace()[1:]] == [[w, n] for n in "AB" for w in ("begin", "end")]


def test_a_name_belongs_to_one_file(place: Place) -> None:
    """The same workflow name from another path is refused, and both paths are named."""
    first = place.workflow({"module": "noop", "name": "A"})
    assert place.run(first).status == 0
    other = place.workflow({"module": "noop", "name": "A"}, file="other/flow.json")
    refused = place.run(other)

    assert refused.status == 3
    assert_one_line(refused, str(first), str(other))
    (first.parent / "link").symlink_to(first.parent)
    for same in (first.parent / "other" / ".." / first.name, first.parent / "link" / first.name):
        assert place.run(same).status == 0, "other ways to one file are no other file"


def test_a_second_head_is_refused_with_the_pid_of_the_first(place: Place) -> None:
    """Two heads never share a state directory; the first goes on unharmed."""
    workflow = place.workflow(WAITS)
    first = place.start(workflow)
    place.await_trace("begin A 1")
    second = place.run(workflow)
    place.allow("A")

    assert second.status == 3
    assert_one_line(second, f"pid {first.pid}", str(place.state))
    assert first.end().status == 0
    assert place.trace() == ["begin A 1", "end A 1"]


@pytest.mark.parametrize("program", ["cryocloud_core.worker ", "cryocloud_core.worker.keeper "])
def test_a_worker_that_is_killed_costs_one_attempt(place: Place, program: str) -> None:
    """The task of a killed worker, or of one whose keeper was killed, is placed again once; the run ends well."""
    workflow = place.workflow(WAITS)
    run = place.start(workflow)
    place.await_trace("begin A 1")
    killed = [process.kill() for process in marked(place.mark) if f"-m {program}" in process.command]
    assert killed != []
    place.until(lambda: len(place.trace()) == 2, "the task was not placed again")
    place.allow("A")

    assert run.end().status == 0
    assert place.trace() == ["begin A 1", "begin A 2", "end A 2"]


def assert_one_line(result: Result, *parts: str) -> None:
    """The program said exactly one line on stderr, with these parts in it, and no traceback."""
    lines = [line for line in result.err.splitlines() if line.strip()]
    assert len(lines) == 1, result.err
    for part in parts:
        assert part in lines[0]
