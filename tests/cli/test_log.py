"""`cryocloud log`: which records it prints, and how."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.cli import main as cli
from cryocloud_core.cli.log_showing import parts_of, wrapped
from cryocloud_core.cli.text import cells
from cryocloud_core.head.records import Records
from cryocloud_core.sdk.observed import LogRecord

BIN = Path(sys.executable).parent
NOON = 1_767_268_800.0
EVIL = "[red]x[/red]\x1b[2J\x1b]0;owned\x07\u202egnp"

Said = Callable[..., Path]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Said]:
    """Give a function that writes records to the log of a workflow and returns its state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def write(workflow: str, *told: LogRecord) -> Path:
        directory = tmp_path / "state" / "cryocloud" / workflow
        directory.mkdir(parents=True, exist_ok=True)
        records = Records(directory)
        records.start()
        for each in told:
            records.put(each)
        records.stop()
        return directory

    yield write
    monkeypatch.undo()
    time.tzset()


def record(text: str, **more: Any) -> LogRecord:
    """Return a log record."""
    return LogRecord(**{"at": NOON, "level": "INFO", "text": text, "workflow": "Wind", **more})


WIND = (
    record("unpacking", pebble=42, node="Unpack", task="42/Unpack/1", worker="Worker-h_0"),
    record("no band\nTraceback\n  line", at=NOON + 60, level="ERROR", pebble=9, node="Wind", task="9.1/Wind/1"),
    record("starting", at=NOON + 120, logger="cryocloud.head"),
)


def out(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[str]:
    """Run the command and return its lines."""
    assert cli.invoke(["log", *words]) == code
    return capsys.readouterr().out.splitlines()


def test_a_record_is_a_line_with_its_pebble_and_one_more_a_line_of_text(
    said: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a pipe: local time to the millisecond, level, pebble or part, node and worker, text; more lines indented."""
    said("Wind", *WIND)

    assert out(capsys) == [
        "2026-01-01 12:00:00.000 INFO     <42> Unpack Worker-h_0: unpacking",
        "2026-01-01 12:01:00.000 ERROR    <9.1> Wind: no band",
        "    Traceback",
        "      line",
        "2026-01-01 12:02:00.000 INFO     cryocloud.head: starting",
    ]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (["-n", "1"], ["starting"]),
        (["--lines=2", "unpack", "start"], ["unpacking", "starting"]),
        (["UNPACK"], ["unpacking"]),
        (["--since", "2026-01-01T12:01:30"], ["starting"]),
        (["--level", "warning"], ["no band"]),
        (["--pebble", "42"], ["unpacking"]),
        (["--pebble", "9.1"], ["no band"]),
        (["--pebble", "9.2"], []),
        (["--node", "Wi*"], ["no band"]),
        (["--worker", "Worker-h_0"], ["unpacking"]),
        (["--grep", "^s.*g$"], ["starting"]),
        (["Wind", "--grep", "band"], ["no band"]),
        (["wind"], ["unpacking", "no band", "starting"]),
    ],
    ids=" ".join,
)
def test_flags_choose_records(
    flags: list[str], found: list[str], said: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each flag alone; a word that is a workflow's name chooses its log."""
    said("Wind", *WIND)

    texts = [json.loads(line)["text"].split("\n")[0] for line in out(capsys, "--json", *flags)]
    assert texts == found


def test_a_workflow_is_named_by_name_by_file_or_by_its_state_directory(
    said: Said, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Without any of them all runs are shown, each record with its workflow."""
    said("Wind", record("of wind", node="A"))
    said("Ice_1", record("of ice", node="B", workflow="Ice 1", at=NOON + 1))
    other = said("../elsewhere", record("of elsewhere"))
    nodes = [{"module": "cmdline", "name": "In", "downstreamOf": ["entry"]}]
    file = tmp_path / "flow.json"
    file.write_text(json.dumps({"workflow": {"name": "Ice 1", "description": "x", "nodes": nodes}}))

    assert [line.split("INFO")[1].strip() for line in out(capsys)] == ["Wind/A: of wind", "Ice 1/B: of ice"]
    assert ["of wind" in line for line in out(capsys, "Wind")] == [True]
    assert ["of ice" in line for line in out(capsys, str(file))] == [True]
    assert ["of ice" in line for line in out(capsys, "Ice 1")] == [True]
    assert out(capsys, "Ice/1") == []
    assert ["of elsewhere" in line for line in out(capsys, "--state-dir", str(other))] == [True]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--state-dir", "/nowhere"], 3, "--state-dir /nowhere: no run has left anything there"),
        (["--since", "yesteryear"], 2, "--since: is no moment: 'yesteryear'; write 10m"),
        (["--grep", "("], 2, "--grep: is no regular expression"),
        (["--pebble", "x"], 2, "--pebble: is no pebble's id"),
        (["--level", "loud"], 2, "--level"),
        (["--lines", "-1"], 2, "--lines"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_shown_is_one_line(
    words: list[str], code: int, told: str, said: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    """What, where, and what to write instead."""
    said("Wind", *WIND)
    assert cli.invoke(["log", *words]) == code
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_nothing_has_run_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The place that was looked at is told."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert cli.invoke(["log"]) == 3
    assert f"{tmp_path}/cryocloud: nothing has run yet" in capsys.readouterr().err


def test_nothing_found_is_told_beside_the_output(said: Said, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped workflow is a word that no record has: stderr names the runs that were looked at."""
    said("Wind", *WIND)

    for words in (["Wnid"], ["Wnid", "--json"], ["-n", "0"]):
        assert cli.invoke(["log", *words]) == 0
        told = "no record fits; looked in Wind\n" if words == ["Wnid"] else ""
        assert tuple(capsys.readouterr()) == ("", told)


def test_hostile_texts_are_harmless(said: Said, capsys: pytest.CaptureFixture[str]) -> None:
    """No control character of a record reaches the terminal, and none makes a line that looks like ours."""
    said("Wind", record(f"{EVIL}\n2026-01-01 00:00:00.000 CRITICAL forged\r", node=EVIL, worker=EVIL, level=EVIL))

    lines = out(capsys)
    assert all(line.isprintable() for line in lines)
    assert "[red]x[/red]" in lines[0]
    assert [line.startswith("2026") for line in lines] == [True, False]


@pytest.mark.parametrize("width", [20, 40, 80, 160])
def test_a_long_line_goes_on_under_its_own_text(width: int) -> None:
    """No line is wider than the terminal, and nothing is lost."""
    long = record("日本語 " * 30 + "end of it", pebble=42, node="Unpack")
    head, lines = parts_of(long, "01-01 12:00:00", many=False, worker=False)
    shown = list(wrapped(head, lines, width))

    assert all(cells(line) <= max(width, cells(head) + 2) for line in shown)
    fronts = [len(head), *[len(head) if width - len(head) >= 50 else 4] * (len(shown) - 1)]
    assert "".join(line[front:] for front, line in zip(fronts, shown, strict=True)) == lines[0]


def test_a_follower_prints_what_comes_until_it_is_interrupted(said: Said, tmp_path: Path) -> None:
    """What is there first, then each record as it is written; an interrupt is no error message."""
    directory = said("Wind", record("old"))
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "TZ": "UTC"}
    with subprocess.Popen(
        [str(BIN / "cclog"), "-f", "--grep", "old|new"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert "old" in process.stdout.readline()
        said("Wind", record("other"), record("new"))
        assert "new" in process.stdout.readline()
        process.send_signal(2)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert directory.exists()
