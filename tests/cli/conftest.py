"""Runs to draw: one that looks like a working day, and one made of hostile names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cryocloud_core.head.view import BlockedView, NodeView, RunView, TaskView
from cryocloud_core.sdk.observed import LogRecord

#: 2026-01-01 12:00:00 UTC
NOON = 1_767_268_800.0

HOSTILE = (
    "[red]a[/red]\x1b[31m\x1b]0;owned\x07\n\r\t\u202egnp.exe\u200b日本語ファイル名 مرحبا שלום 👩\u200d🚀🇳🇴e\u0301\udc80"
)


@pytest.fixture
def busy() -> RunView:
    """Give a run with three active nodes, one that waits, a failure and a few log lines."""
    nodes = (
        NodeView("coast", "Watch", "dirwatcher", completed=20),
        NodeView("coast", "Unpack", "unzip", 2, 1, 17),
        NodeView("coast", "Wind", "wind", 4, 1, 12, 1),
        NodeView("coast", "Quicklook", "quicklook", 0, 1, 11),
        NodeView("coast", "Report", "KSAT_report", 3, 0, 8, 0, 1),
    )
    active = (
        TaskView("18/Unpack/1", "Unpack", 18, "Worker-host_1", NOON - 12, 63.0),
        TaskView("14/Wind/2", "Wind", 14, "Worker-host_2", NOON - 3725, 7.5),
        TaskView("12/Quicklook/1", "Quicklook", 12, "Worker-host_3", NOON - 1, None, "Preparing files"),
    )
    log = (
        LogRecord(NOON - 5, "INFO", "unpacking S1A_20260101.zip", pebble=18, node="Unpack"),
        LogRecord(NOON - 2, "ERROR", "no such band: VX\nTraceback follows", pebble=9, node="Wind"),
    )
    blocked = (BlockedView("coast", "Report", 3, "max_parallel 1 is reached"),)
    return RunView(("coast",), "running", NOON, NOON - 4000, nodes, active, blocked, 7, 12, 1, 2.43, log)


@pytest.fixture
def hostile() -> RunView:
    """Give a run whose every text wants to break the terminal."""
    node = NodeView(HOSTILE, HOSTILE * 3, HOSTILE, 10**7, 3, 10**13, 10**10, 999_999)
    task = TaskView(f"1/{HOSTILE}/1", HOSTILE, 1, HOSTILE, NOON, 250.0, HOSTILE)
    blocked = BlockedView(HOSTILE, HOSTILE, 3, HOSTILE)
    record = LogRecord(NOON, HOSTILE, HOSTILE, pebble=1, node=HOSTILE)
    return RunView((HOSTILE,), HOSTILE, NOON, NOON, (node,) * 30, (task,) * 9, (blocked,) * 4, log=(record,) * 9)


@pytest.fixture
def text_of() -> Callable[[object], str]:
    """Give a function that joins the spans of a line."""

    def join(line: object) -> str:
        assert isinstance(line, tuple)
        return "".join(text for text, _ in line)

    return join
