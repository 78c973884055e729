"""What a run tells: plain lines in a pipe, JSON lines for machines, a picture on a terminal."""

from __future__ import annotations

import io
import json
import threading
import time

import attrs
import pytest
from rich.console import Console

from cryocloud_core.cli.json_lines import JsonScreen, line_of_counts
from cryocloud_core.cli.layout import title
from cryocloud_core.cli.lines import LONG_S, LineScreen, Waits, line_of, summary
from cryocloud_core.cli.live import LiveScreen
from cryocloud_core.cli.spout import Spout
from cryocloud_core.head.view import BlockedView, RunView
from cryocloud_core.sdk.observed import LogRecord, PebbleSeen, RunSeen, TaskSeen

RECORDS = [
    RunSeen("coast", "/state", 0.0),
    PebbleSeen("coast", 1, "In", 0.0),
    TaskSeen("coast", 1, "Wind", "1/Wind/1", "error", 0.0, error="no band\nTraceback"),
    TaskSeen("coast", 1, "Wind", "1/Wind/2", "success", 0.0),
    LogRecord(0.0, "WARNING", "odd\x1b[2J", pebble=1, node="Wind"),
    LogRecord(0.0, "INFO", "nothing to see"),
    PebbleSeen("coast", 1, "In", 0.0, "error", "no band"),
]


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_plain_lines_tell_what_a_person_wants_to_know(busy: RunView) -> None:
    """Arrivals, ends and warnings are lines; the ends of tasks and routine records are none."""
    stream = io.StringIO()
    screen = LineScreen(stream)
    screen.warned('coast.json:1:2: W04 key "maxParallel" treated as "max_parallel"')
    screen.opened(busy, "goes on with 3 pebbles")
    for record in RECORDS:
        screen.told(record)
    screen.closed(busy, ("pebble 1 Wind: error: no band",))

    assert stream.getvalue().splitlines() == [
        'coast.json:1:2: W04 key "maxParallel" treated as "max_parallel"',
        "goes on with 3 pebbles",
        "00:00:00 pebble 1 arrived at In",
        r"00:00:00 WARNING pebble 1 Wind: odd\x1b[2J",
        "00:00:00 pebble 1 ended: error: no band",
        "12 pebbles done (1 failed), 7 open in 1:06:40",
        "pebble 1 Wind: error: no band",
    ]


def test_a_result_that_says_all_is_said_once(busy: RunView) -> None:
    """The error of a pebble that was given up may be its result's own name."""
    stream = io.StringIO()
    screen = LineScreen(stream)
    screen.told(PebbleSeen("coast", 1, "In", 0.0, "cancelled", "cancelled"))
    screen.told(PebbleSeen("coast", 2, "In", 0.0, "cancelled", "by the operator"))
    screen.closed(busy, ())

    assert stream.getvalue().splitlines()[:2] == [
        "00:00:00 pebble 1 ended: cancelled",
        "00:00:00 pebble 2 ended: cancelled: by the operator",
    ]


def test_a_stop_that_waits_for_tasks_is_told_once(busy: RunView) -> None:
    """A first signal says what the run still waits for; the usual end of a run, with nothing active, says nothing."""
    stream = io.StringIO()
    screen = LineScreen(stream)
    screen.tick(attrs.evolve(busy, state="suspending", active=(), at=0.0, blocked=()))
    screen.tick(attrs.evolve(busy, state="suspending", at=0.0, blocked=()))
    screen.tick(attrs.evolve(busy, state="suspending", at=1.0, blocked=()))
    screen.closed(None, ())

    assert stream.getvalue() == "00:00:00 stopping: waiting for 3 running tasks; a second signal stops at once\n"


def test_a_long_wait_is_told_once_and_its_end_once() -> None:
    """Short waits are the course of things; a long one is told when it has lasted, and when it is over."""
    waits = Waits()
    wait = BlockedView("w", "Wind", 3, "max_parallel 1 is reached")

    def look(at: float, *blocked: BlockedView) -> list[tuple[float, bool]]:
        view = RunView(("w",), "running", at, 0.0, blocked=blocked)
        return [(told.for_s, told.over) for told in waits.look(view)]

    assert look(0, wait) == []
    assert look(LONG_S - 1, wait) == []
    assert look(LONG_S, attrs.evolve(wait, count=4)) == [(LONG_S, False)]
    assert look(LONG_S + 1, wait) == []
    assert look(LONG_S + 2) == [(LONG_S + 2, True)]
    assert look(50, wait) == []
    assert look(51) == []


def test_json_lines_are_whole_objects(busy: RunView) -> None:
    """Each line is an object with a name and a time, whatever the texts hold."""
    stream = io.StringIO()
    screen = JsonScreen(stream)
    screen.warned("a flaw")
    screen.opened(busy, "goes on")
    for record in RECORDS:
        screen.told(record)
    screen.tick(busy)
    screen.tick(attrs.evolve(busy, at=busy.at + LONG_S))
    screen.closed(busy, ("the end \ud800",))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]

    assert [line["event"] for line in lines] == [
        *("warning", "resumed", "run_started", "pebble_arrived", "task_ended", "task_ended", "log", "log"),
        *("pebble_finished", "counts", "blocked", "counts", "end"),
    ]
    assert all(isinstance(line["at"], float) for line in lines)
    assert lines[6]["text"] == "odd\x1b[2J"
    assert lines[-1]["lines"] == ["the end \ud800"]
    assert stream.getvalue().isascii()


def test_the_live_picture_is_drawn_and_replaced(busy: RunView, hostile: RunView) -> None:
    """While it runs the picture fits its terminal; at the end the counters and the last lines stay."""
    stream = io.StringIO()
    screen = LiveScreen(Console(file=stream, force_terminal=True, width=100, height=30, legacy_windows=False), 3)
    screen.opened(hostile, "goes on with [red]3[/red]")
    assert len(screen.picture(busy).plain.split("\n")) == len(
        screen.picture(attrs.evolve(busy, active=())).plain.split("\n")
    )
    screen.closed(busy, ("the end [red]",))
    drawn = stream.getvalue()

    assert drawn.startswith("goes on with [red]3[/red]")
    assert "\x1b]0;" not in drawn
    assert drawn.rstrip().endswith("the end [red]")
    assert "7 open, 12 done (1 failed)" in drawn


def test_the_summary_tells_apart_what_failed_what_was_cancelled_and_what_is_older(busy: RunView) -> None:
    """Each only where there is any; the earlier ones are told at the end alone."""
    view = attrs.evolve(busy, pebbles_open=0, pebbles_done=12, pebbles_failed=0, at=busy.started_at + 61)
    mixed = attrs.evolve(view, pebbles_failed=1, pebbles_cancelled=2, pebbles_earlier=5)

    assert summary(view) == "12 pebbles done in 1:01"
    assert summary(attrs.evolve(view, pebbles_cancelled=2)) == "12 pebbles done (2 cancelled) in 1:01"
    assert summary(mixed) == "12 pebbles done (1 failed, 2 cancelled, 5 before this start) in 1:01"
    assert "0 open, 12 done (1 failed, 2 cancelled)" in "".join(text for text, _ in title(mixed, 200))
    counts = json.loads(line_of_counts(mixed))
    assert [counts[f"pebbles_{what}"] for what in ("failed", "cancelled", "earlier")] == [1, 2, 5]


def test_a_run_that_never_started_leaves_the_terminal_alone() -> None:
    """Without a first picture there is no last one."""
    stream = io.StringIO()
    LiveScreen(Console(file=stream, force_terminal=True), 3).closed(None, ())

    assert stream.getvalue() == ""


def test_summary_counts_one_pebble_right() -> None:
    """One pebble is not pebbles."""
    assert summary(RunView(("w",), "stopped", 61, 0, pebbles_done=1)) == "1 pebble done in 1:01"


@pytest.mark.parametrize(
    "record", [RECORDS[0], RECORDS[2], RECORDS[3], RECORDS[5]], ids=["run", "error", "success", "info"]
)
def test_what_is_not_worth_a_line(record: RunSeen | TaskSeen | LogRecord) -> None:
    """Routine is silent, and so is the end of a task: the log tells of those that failed."""
    assert line_of(record) is None


class Slow(io.StringIO):
    """A stream that writes only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        """Wait, then write."""
        self.go.wait(10)
        return super().write(text)


def test_a_slow_reader_never_holds_up_the_run() -> None:
    """Lines that do not fit are dropped and counted; those before them come out in order."""
    stream = Slow()
    spout = Spout(stream, lambda lost: f"{lost} lost", at_most=10)
    spout.put("first")
    began = time.monotonic()
    deadline = began + 5
    while spout._lines and time.monotonic() < deadline:
        time.sleep(0.001)
    for number in range(25):
        spout.put(str(number))
    assert time.monotonic() - began < 5
    stream.go.set()
    spout.close()

    assert stream.getvalue().splitlines() == ["first", *map(str, range(10)), "15 lost"]


class Counting(io.StringIO):
    """A stream that counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        """Count, and take the text."""
        self.writes += 1
        return super().write(text)


def test_lines_of_a_flood_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first comes at once, those within the pause are one print, in order, and the end does not wait for it."""
    monkeypatch.setattr("cryocloud_core.cli.spout.PAUSE_S", 60.0)
    stream = Counting()
    spout = Spout(stream, str)
    spout.put("first")
    deadline = time.monotonic() + 5
    while not stream.writes and time.monotonic() < deadline:
        time.sleep(0.001)
    for number in range(100):
        spout.put(str(number))
    spout.close()

    assert stream.getvalue().splitlines() == ["first", *map(str, range(100))]
    assert stream.writes == 2


def test_a_reader_that_leaves_ends_the_printing_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pipe is met once, then lines go nowhere."""

    def leave(_text: str) -> int:
        raise BrokenPipeError

    stream = io.StringIO()
    monkeypatch.setattr(stream, "write", leave)
    spout = Spout(stream, str)
    spout.put("a")
    spout._thread.join(5)
    spout.put("b")
    spout.close()

    assert not spout._thread.is_alive()
    assert not spout._lines


def test_the_picture_shows_the_last_view(busy: RunView) -> None:
    """What a tick brought is what the next redrawing shows, without the run's help."""
    stream = io.StringIO()
    screen = LiveScreen(Console(file=stream, force_terminal=True, width=80, height=24), 3)
    screen.opened(attrs.evolve(busy, state="starting"), "")
    screen.tick(attrs.evolve(busy, state="suspending"))
    deadline = time.monotonic() + 5
    while "suspending" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    screen.closed(None, ())

    assert "starting" in stream.getvalue()
    assert "suspending" in stream.getvalue()
