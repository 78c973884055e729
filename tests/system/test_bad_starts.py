"""Runs that cannot start: one clear line for each thing that is wrong, the right exit code, nothing left behind."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Place, Result

pytestmark = pytest.mark.system

NOOP = {"module": "noop", "name": "A"}


def said(result: Result) -> list[str]:
    """Return the lines on stderr; there is no traceback among them."""
    assert "Traceback" not in result.err, result.err
    return [line for line in result.err.splitlines() if line.strip()]


def test_a_bad_document_is_refused_with_all_its_problems(place: Place) -> None:
    """Exit 2: every problem with file, line, column, node and code, and nothing is started."""
    workflow = place.workflow(
        {"module": "no_such_module", "name": "A"},
        {"module": "step", "name": "B", "args": {"wiat": 1, "before": {"output": "Nowhere.x"}}},
        {"module": "step", "name": "B", "downstreamOf": ["Inn"]},
        {"module": "step", "name": "C", "runIf": "output:B.value =="},
        {"module": "step", "name": "D", "merge": True},
    )
    result = place.run(workflow)

    assert result.status == 2
    lines = said(result)
    for code in ("E15", "E17", "E18", "E07", "E11", "E33"):
        assert any(f" {code} " in line and line.startswith(f"{workflow}:") for line in lines), (code, lines)
    assert not place.state.exists()


@pytest.mark.parametrize("text", ["", "{", '{"workflow": ', "[]", "null", "\x00\x01", '{"workflow": {"name": "x"}}'])
def test_what_is_no_workflow_is_refused(place: Place, text: str) -> None:
    """Broken JSON and other documents: exit 2, lines that name the file."""
    path = place.folder / "flow.json"
    path.write_text(text)
    result = place.run(path)

    assert result.status == 2
    assert all(line.startswith(str(path)) for line in said(result)), result.err
    assert said(result) != []


def test_a_missing_file_is_refused(place: Place) -> None:
    """Exit 2, one line with the path."""
    result = place.run(place.folder / "nowhere.json")

    assert result.status == 2
    assert len(said(result)) == 1
    assert "nowhere.json" in said(result)[0]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--colur", "red"], "--color"),
        (["--nosuchthing"], "--nosuchthing"),
        (["--color"], "--color"),
        (["--workers=x"], "x"),
    ],
)
def test_a_wrong_flag_is_refused(place: Place, flags: list[str], told: str) -> None:
    """Exit 2, one line that names the flag, or the one that was meant."""
    workflow = place.workflow(NOOP, options={"color": {"help": "a color"}})
    result = place.run(workflow, *flags)

    assert result.status == 2, result
    assert len(said(result)) == 1
    assert told in said(result)[0]


@pytest.mark.parametrize(
    "text",
    [
        "ccmodule = {'inputs': {}}\ndef process_task(worker, task:\n    pass\n",
        "ccmodule = {'inputs': {}}\ndef other(worker, task):\n    pass\n",
        "ccmodule = make()\ndef process_task(worker, task):\n    pass\n",
        "def process_task(worker, task):\n    pass\n",
        "\0",
    ],
)
def test_a_module_that_cannot_be_read_is_refused(place: Place, text: str) -> None:
    """A module with a syntax error, without a function or a definition: exit 2, one line that names it."""
    place.module("broken", text)
    result = place.run(place.workflow({"module": "broken", "name": "A"}))

    assert result.status == 2, result
    assert len(said(result)) == 1
    assert "E16" in said(result)[0]
    assert "broken" in said(result)[0]


def test_an_input_that_raises_ends_the_run_with_its_reason(place: Place) -> None:
    """An input's exception is one line, and the run does not end as if all were well."""
    body = "ccmodule = {'input_type': 'singlerun', 'inputs': {}, 'outputs': {}}\ndef start(handler, args, stop):\n    "
    place.module("feeder", body + "raise RuntimeError('no such antenna')\n")
    feeder = {"module": "feeder", "name": "Feeder", "downstreamOf": ["entry"]}
    result = place.run(place.workflow(feeder, {**NOOP, "downstreamOf": ["Feeder"]}))

    assert result.status in (1, 3), result
    assert "no such antenna" in result.out + result.err
    assert "Traceback" not in result.err


def assert_cannot_start(result: Result, *parts: str) -> None:
    """Exit 3 and exactly one line with these parts."""
    assert result.status == 3, result
    assert len(said(result)) == 1, result.err
    for part in parts:
        assert part in said(result)[0]


@pytest.mark.parametrize("state", ["/proc/cryocloud", "/dev/null/cryocloud", "/sys/cryocloud"])
def test_an_impossible_state_directory_is_refused(place: Place, state: str) -> None:
    """Where no directory can be made: exit 3, one line with the path and the reason."""
    assert_cannot_start(place.run(place.workflow(NOOP), state=Path(state)), state)


def test_a_file_for_a_state_directory_is_refused(place: Place) -> None:
    """The state directory is a file: exit 3."""
    place.state.write_text("mine")

    assert_cannot_start(place.run(place.workflow(NOOP)), str(place.state))
    assert place.state.read_text() == "mine"
    place.state.unlink()


@pytest.fixture
def mounted(place: Place) -> Iterator[Path]:
    """Give a small disk of its own (16 MB), or skip where none may be mounted."""
    disk = place.folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    mount = subprocess.run(command, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if mount is None or mount.returncode:
        pytest.skip(f"no disk can be mounted: {mount.stderr.strip() if mount else 'not root'}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_read_only_state_directory_is_refused(place: Place, mounted: Path) -> None:
    """A state directory on a read-only disk, new or used before: exit 3, one line that says so."""
    workflow = place.workflow(NOOP)
    assert place.run(workflow, state=mounted / "used").status == 0
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)

    for name in ("new", "used"):
        assert_cannot_start(place.run(workflow, state=mounted / name), str(mounted / name), "ead-only")


def test_a_state_directory_without_room_is_refused(place: Place, mounted: Path) -> None:
    """A full disk at the start: exit 3, one line."""
    fill(mounted)

    assert_cannot_start(place.run(place.workflow(NOOP), state=mounted / "state"), str(mounted / "state"))


@pytest.mark.parametrize("content", [b"this is no database, but long enough to look like one\n" * 50, b"SQLite"])
def test_a_damaged_journal_is_refused(place: Place, content: bytes) -> None:
    """A journal that is none: exit 3, one line with its path, and the file is left as it was."""
    place.state.mkdir()
    journal = place.state / "journal.db"
    journal.write_bytes(content)

    assert_cannot_start(place.run(place.workflow(NOOP)), str(journal))
    assert journal.read_bytes() == content


def test_a_newer_journal_is_refused(place: Place) -> None:
    """A journal of a later format: exit 3, both formats named."""
    workflow = place.workflow(NOOP)
    assert place.run(workflow).status == 0
    with sqlite3.connect(place.state / "journal.db") as journal:
        journal.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    journal.close()

    assert_cannot_start(place.run(workflow), "99", str(place.state))


def fill(disk: Path, leave: int = 0) -> Path:
    """Fill a disk but for some bytes; return the file to remove."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 1 << 20
        while size >= 512:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2
        if leave:
            file.truncate(max(0, file.tell() - leave))
    return ballast


def test_a_run_on_a_full_disk_pauses_and_goes_on(place: Place, mounted: Path) -> None:
    """Without room for the journal the run says so and waits; with room again it goes on and loses nothing."""
    after = {"module": "step", "name": "B", "downstreamOf": ["A"]}
    workflow = place.workflow({"module": "step", "name": "A", "args": {"wait": True}}, after)
    run = place.start(workflow, "--json", state=mounted / "state")
    place.await_trace("begin A 1")
    ballast = fill(mounted)
    place.allow("A")
    told = run.await_line("the run pauses")
    assert json.loads(told)["level"] == "ERROR"
    assert str(mounted / "state" / "journal.db") in told
    assert place.trace() == ["begin A 1", "end A 1"]
    ballast.unlink()
    result = run.end()

    assert result.status == 0, result
    assert place.trace() == ["begin A 1", "end A 1", "begin B 1", "end B 1"]


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_paused_run_that_ends_loses_nothing(place: Place, mounted: Path, how: str) -> None:
    """Killed or stopped while its disk is full, a run goes on later with everything that was committed."""
    workflow = place.workflow({"module": "step", "name": "A", "args": {"wait": True}})
    run = place.start(workflow, "--json", "--grace", "1", state=mounted / "state")
    place.await_trace("begin A 1")
    ballast = fill(mounted)
    place.allow("A")
    run.await_line("the run pauses")
    getattr(run.process, how)()
    assert run.end(40).status == (-9 if how == "kill" else 143)
    assert place.alive() == []
    ballast.unlink()
    result = place.run(workflow, state=mounted / "state")

    assert result.status == 0, result
    assert place.trace()[-1] == "end A 2"


def test_a_full_disk_for_tempdirs_is_the_tasks_error(place: Place, mounted: Path) -> None:
    """No room where tempdirs are made: the node fails with the path and the reason, the run ends by itself."""
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    tempdir = {"value": str(mounted / "base"), "type": "tempdir", "id": "w"}
    result = place.run(place.workflow({**NOOP, "module": "step", "args": {"tmp": tempdir}}))

    assert result.status == 1, result
    assert [line for line in result.out.splitlines() if line.startswith("pebble 1: A: error: ") and "ead-only" in line]
