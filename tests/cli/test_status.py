"""`cryocloud status`: which values it prints, and how; setting one."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from cryocloud_core.head.board import StatusValue
from cryocloud_core.head.lock import StateLock
from cryocloud_core.head.status_search import present
from cryocloud_core.head.status_store import StatusStore

BIN = Path(sys.executable).parent
NOON = 1_767_268_800.0
EVIL = "[red]x[/red]\x1b[2J\r\u202egnp"

Published = Callable[..., Path]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """Give a function that writes the status of a workflow and returns its state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def write(workflow: str, *values: StatusValue) -> Path:
        directory = tmp_path / "state" / "cryocloud" / workflow
        directory.mkdir(parents=True, exist_ok=True)
        store = StatusStore(directory)
        store.start()
        store.put(list(values))
        store.stop()
        return directory

    return write


WIND = (
    StatusValue("Wind", "geocode.pending", 3, NOON),
    StatusValue("Wind", "geocode.completed", 12, NOON + 60),
    StatusValue("Wind.HeadNode", "state", "Running", NOON),
    StatusValue("Worker-h_0", "last_error", "", NOON),
    StatusValue("Worker-h_0", "current_job", None, NOON),
)


def out(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[str]:
    """Run the command and return its lines."""
    assert cli.invoke(["status", *words]) == code
    return capsys.readouterr().out.splitlines()


def test_values_are_lines_in_a_pipe(published: Published, capsys: pytest.CaptureFixture[str]) -> None:
    """One a line: since when, channel and parameter, the value as a person reads it."""
    published("Wind", *WIND)

    assert [line[24:] for line in out(capsys)] == [
        "Wind:geocode.completed = 12",
        "Wind:geocode.pending = 3",
        "Wind.HeadNode:state = Running",
        "Worker-h_0:current_job = null",
        "Worker-h_0:last_error = ",
    ]


def test_it_says_when_the_head_is_gone_that_told_the_values(
    published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one that was killed; not of one that runs, nor of one that ended by itself."""
    killed = published("Wind", *WIND)
    published("Tide", StatusValue("Tide.HeadNode", "state", "Done", NOON))
    published("Ice", StatusValue("Ice.HeadNode", "state", "Stopped", NOON), StatusValue("h", "state", "Running", NOON))
    for words in ([], ["--json"], ["Wind.HeadNode:state"]):
        assert cli.invoke(["status", *words]) == 0
        assert capsys.readouterr().err == "Wind: no head runs, its values are the last it told\n"
    lock = StateLock.take(killed)
    assert cli.invoke(["status"]) == 0
    lock.release()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (["GEOCODE"], ["geocode.completed", "geocode.pending"]),
        (["state", "job"], ["state", "current_job"]),
        (["--channel", "Worker-*"], ["current_job", "last_error"]),
        (["--channel", "Wind"], ["geocode.completed", "geocode.pending"]),
        (["--since", "2026-01-01T12:00:30Z"], ["geocode.completed"]),
        (["Wind", "--channel", "Wind.HeadNode"], ["state"]),
    ],
    ids=" ".join,
)
def test_flags_choose_values(
    flags: list[str], found: list[str], published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words, channel, time; a word that is a workflow's name chooses its status."""
    published("Wind", *WIND)

    assert [json.loads(line)["parameter"] for line in out(capsys, "--json", *flags)] == found


def test_a_value_that_has_expired_is_null(published: Published, capsys: pytest.CaptureFixture[str]) -> None:
    """A figure of a machine whose head is gone is not shown as if it were of now."""
    values = [StatusValue("N", name, 5, NOON, expires) for name, expires in (("old", NOON), ("new", time.time() + 99))]
    published("Wind", *values)

    assert out(capsys, "N:old", "N:new") == ["null", "5"]
    assert [line[24:] for line in out(capsys)] == ["N:new = 5", "N:old = null"]


def test_one_value_is_asked_for_by_its_name(published: Published, capsys: pytest.CaptureFixture[str]) -> None:
    """Its value alone, for scripts; one that is not known is exit 1 with the nearest name."""
    published("Wind", *WIND)

    assert out(capsys, "Wind:geocode.pending", "Wind.HeadNode:state") == ["3", "Running"]
    assert json.loads(out(capsys, "--json", "Wind:geocode.pending")[0])["at"] == NOON
    assert cli.invoke(["status", "Wind:geocode.pendin"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("Wind:geocode.pendin is not known")
    assert "Wind:geocode.pending" in error


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("2.5", 2.5),
        ("true", True),
        ("null", None),
        ('"7"', "7"),
        ("a=b c", "a=b c"),
        ("", ""),
        ("[1]", "[1]"),
        ("NaN", "NaN"),
    ],
)
def test_a_value_is_set_as_a_word_or_by_the_flag(
    text: str, value: object, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON words and numbers as such, everything else as text."""
    directory = published("Wind", *WIND)

    assert out(capsys, f"Wind:limit={text}") == []
    assert out(capsys, "-s", f"Wind:other={text}", "--set", "Wind:third=1") == []
    found = {each.parameter: each.value for each in present([directory])}
    assert (found["limit"], found["other"], found["third"]) == (value, value, 1)


def test_a_value_needs_one_home(published: Published, capsys: pytest.CaptureFixture[str]) -> None:
    """A channel of one run alone goes there; a new one needs a workflow's name or a state directory."""
    wind, ice = published("Wind", *WIND), published("Ice", StatusValue("Ice", "x", 1, NOON))

    assert cli.invoke(["status", "Ice:limit=3"]) == 0
    assert {each.parameter for each in present([ice])} == {"x", "limit"}
    assert cli.invoke(["status", "Site:limit=3"]) == 2
    assert "no run has this channel; name the workflow too (Ice, Wind)" in capsys.readouterr().err
    assert cli.invoke(["status", "Wind", "Site:limit=3"]) == 0
    assert cli.invoke(["status", "--state-dir", str(ice), "Site:other=3"]) == 0
    assert [each.parameter for each in present([wind]) if each.channel == "Site"] == ["limit"]
    assert cli.invoke(["status", "-s", "nothing"]) == 2
    assert "--set: sets nothing" in capsys.readouterr().err


def test_a_series_is_a_table_of_every_change(
    published: Published, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As CSV, in a file or on stdout; no cell is a formula; the filters hold."""
    published("Wind", *(StatusValue("Wind", "a.pending", number, NOON + number) for number in range(3)))
    published("Wind", StatusValue("Wind", "evil", "=cmd()|' /C calc'!A0", NOON), StatusValue("Wind", "low", -4, NOON))
    file = tmp_path / "out.csv"

    assert out(capsys, "--series", str(file), "pending") == []
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert [(row["parameter"], row["value"], float(row["at"]) - NOON) for row in rows] == [
        ("a.pending", str(number), float(number)) for number in range(3)
    ]
    shown = list(csv.DictReader(io.StringIO("\n".join(out(capsys, "--series", "-", "Wind:evil", "low")))))
    assert [row["value"] for row in shown] == ["'=cmd()|' /C calc'!A0", "-4"]
    assert cli.invoke(["status", "--series", "/nowhere/x.csv"]) == 2
    assert "--series: cannot be written" in capsys.readouterr().err


def test_hostile_texts_are_harmless(published: Published, capsys: pytest.CaptureFixture[str]) -> None:
    """Names and values of modules neither move the cursor nor make a line of their own."""
    published("Wind", StatusValue(f"Worker-{EVIL}", f"a\n{EVIL}", EVIL, NOON))

    lines = out(capsys)
    assert len(lines) == 1
    assert lines[0].isprintable()
    assert "[red]x[/red]" in lines[0]


def test_a_follower_prints_changes_until_it_is_interrupted(published: Published, tmp_path: Path) -> None:
    """Only what changes after it began; an interrupt is no error message."""
    published("Wind", *WIND[:2])
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [str(BIN / "ccstatus"), "--follow", "pending"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        for number in range(100):
            time.sleep(0.1)
            published("Wind", StatusValue("Wind", "geocode.pending", number, NOON + 100 + number))
            if number > 15:
                break
        line = process.stdout.readline()
        assert "Wind:geocode.pending = " in line
        process.send_signal(2)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
