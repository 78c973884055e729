"""What `pebbles`, `explain`, `cancel`, `retry`, `stop` and `drain` print, and which run they mean."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from cryocloud_core.cli.explain_showing import Live, lines_of, wait_line
from cryocloud_core.cli.log_showing import wrapped
from cryocloud_core.cli.main import invoke
from cryocloud_core.cli.one_run import one_run
from cryocloud_core.cli.pebbles_showing import lines_of as list_lines
from cryocloud_core.cli.text import cells
from cryocloud_core.engine.explain import AttemptTold, PartsTold, PebbleTold, RunTold, WaitTold
from cryocloud_core.engine.reasons import ArgumentTold
from cryocloud_core.errors import StateError, UsageError
from cryocloud_core.head.control import control_socket
from cryocloud_core.head.journal import Journal
from cryocloud_core.head.pebble_search import Listed, PebbleRow
from cryocloud_core.head.retelling import Story
from cryocloud_core.head.status_store import STATUS_FILE

NOON = 1_767_268_800.0
HOSTILE = "[red]a[/red]\x1b[31m\x1b]0;owned\x07\n\r\t\u202egnp.exe\u200b日本語 \udc80"

Answers = dict[str, dict[str, Any]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the place where state directories lie."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cryocloud"


def state_dir(directory: Path, *names: str) -> Path:
    """Make a state directory with a journal in which pebbles 1 (open), 2 (done) and 3 (failed) are; return it."""
    directory.mkdir(parents=True, mode=0o700)
    (directory / STATUS_FILE).touch()
    Journal.open(directory).close()
    with closing(sqlite3.connect(directory / "journal.db")) as connection, connection:
        for name in names:
            connection.execute("INSERT INTO names VALUES (?, ?, 'digest')", (name, f"/{name}.json"))
        rows = [(1, "open", "", ""), (2, "closed", "success", ""), (3, "closed", "error", f"bad {HOSTILE[:20]}")]
        for number, *told in rows:
            row = (
                number,
                names[number % len(names)],
                1,
                *told,
                "n",
                "In",
                NOON,
                None if told[0] == "open" else NOON + 3,
            )
            connection.execute("INSERT INTO pebbles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return directory


@pytest.fixture
def head() -> Iterator[Callable[[Path, Answers], list[dict[str, Any]]]]:
    """Give a function that answers on a directory's control socket, in a thread, and returns what it is asked."""
    ends: list[Callable[[], None]] = []

    def serve(directory: Path, answers: Answers) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []
        ready = threading.Event()

        async def answer(request: dict[str, Any]) -> dict[str, Any]:
            asked.append(request)
            return answers.get(request["do"], {})

        async def run() -> None:
            over = asyncio.Event()
            ends.append(lambda: loop.call_soon_threadsafe(over.set))
            loop = asyncio.get_running_loop()
            async with control_socket(directory, answer, print):
                ready.set()
                await over.wait()

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        ready.wait(10)
        ends.append(thread.join)
        return asked

    yield serve
    for end in ends:
        end()


# --- which run ----------------------------------------------------------------------------------------


def test_the_only_run_is_meant_and_several_must_be_named(root: Path) -> None:
    """None: said so; one: that one; two: both are named, unless a word names one, or its file, or a part of it."""
    with pytest.raises(StateError, match="nothing has run yet"):
        one_run([], None)
    coast = state_dir(root / "coast", "coast", "tide")
    assert one_run([], None).directory == coast

    state_dir(root / "ice", "ice")
    with pytest.raises(UsageError, match="2 runs are known and none goes on: coast, ice; name one of them"):
        one_run([], None)
    assert one_run(["ice"], None).directory == root / "ice"
    tide = one_run(["tide"], None)
    assert (tide.directory, tide.workflow) == (coast, "tide")
    Path("flow.json").write_text('{"workflow": {"name": "tide", "description": "", "nodes": []}}')
    assert one_run(["flow.json"], None) == tide
    with pytest.raises(StateError, match="no workflow 'sand' has run yet; name"):
        one_run(["sand"], None)
    with pytest.raises(StateError, match=r"no workflow 'coats' has run yet \(did you mean \"coast\"\?\)"):
        one_run(["coats"], None)
    with pytest.raises(UsageError, match="one workflow, got"):
        one_run(["ice", "tide"], None)


def test_of_several_runs_the_one_that_goes_on_is_meant(root: Path, head: Any) -> None:
    """Two that go on must be named again."""
    state_dir(root / "coast", "coast")
    state_dir(root / "ice", "ice")
    head(root / "ice", {})
    assert one_run([], None).directory == root / "ice"

    head(root / "coast", {})
    with pytest.raises(UsageError, match="2 runs go on: coast, ice"):
        one_run([], None)


# --- pebbles ------------------------------------------------------------------------------------------


def pebbles(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """Return what the command prints."""
    assert invoke(["pebbles", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_pebbles_are_listed_by_what_is_asked_for(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All that are open and the last others; `--open`, `--failed`, `--all`, `-n` and `--lines` narrow it."""
    directory = state_dir(root / "coast", "coast", "tide")

    def ids(*words: str) -> list[int]:
        return [json.loads(line)["pebble"] for line in pebbles(capsys, *words, "--json")]

    assert ids() == ids("--all") == ids("--state-dir", str(directory)) == [1, 2, 3]
    assert ids("--open") == [1]
    assert ids("--failed") == [3]
    assert ids("-n", "2") == [1, 3]
    assert ids("--all", "--lines", "1") == [3]
    assert ids("coast") == [2]
    assert pebbles(capsys)[-1] == "1 open, 2 done, 1 of them failed; no head runs, the next start goes on with them"
    assert invoke(["pebbles", "--open", "--failed"]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_a_running_head_adds_where_open_pebbles_are(root: Path, capsys: pytest.CaptureFixture[str], head: Any) -> None:
    """The nodes with open tasks, and how many more there are."""
    at = {"pebbles": [{"pebble": 1, "phase": "main", "tasks": 9, "at": ["Wind", HOSTILE]}], "open": 1}
    head(state_dir(root / "coast", "coast"), {"pebbles": at})

    lines = pebbles(capsys)
    assert "at Wind, [red]a[/red]\\x1b[31m" in lines[1]
    assert lines[1].endswith("and 7 more")
    assert lines[-1] == "1 open, 2 done, 1 of them failed"


@pytest.mark.parametrize("width", [80, 120])
def test_a_list_of_hostile_pebbles_fits_its_width(width: int) -> None:
    """No line is wider, none has a control character."""
    rows = tuple(
        PebbleRow(number, HOSTILE, "In", "closed", "error", HOSTILE * 3, NOON, NOON + 1, 1) for number in range(9)
    )
    for line in list_lines(Listed(rows, 0, 9, 8, 1), {}, width, runs=True):
        assert cells(line) <= width
        assert line.isprintable()


# --- explain ------------------------------------------------------------------------------------------


def a_story(name: str = "Wind") -> Story:
    """Return the story of a pebble in which everything may be told."""
    attempts = (
        AttemptTold(
            1, "42/Wind/1", NOON, NOON, NOON + 2, "box", "Worker-box_1", 1.25, "error", f"{name} broke\nline 2"
        ),
        AttemptTold(2, "42/Wind/2", NOON + 3),
    )
    args = (
        ArgumentTold("src", "In.fullpath", f"/data/{name}"),
        ArgumentTold("big", "L.x", {"$blob": "a", "size": 5000}),
    )
    wind = RunTold(
        name, "wind", "", "running", "In was success", "", WaitTold("its task", task="42/Wind/2"), args, attempts
    )
    part = RunTold(name, "wind", ".3", "running", wait=WaitTold("its task", task="42.3/W/1"))
    failed = RunTold(name, "wind", ".1", "error", error=f"{name}\nmore")
    parts = PartsTold(1000, 500, {"running": 499, "error": 1}, (part,), (failed,))
    split = RunTold("Split", "wind", "", "split", "", "", WaitTold("its parts, 1 of 1000 have ended"), parts=parts)
    after = RunTold("After", "x", "", "waiting", wait=WaitTold("its task", (name, "Deep"), "42/Wind/2"))
    told = PebbleTold(42, name, "In", name, NOON, "main", "", name, "", None, (wind, split, after))
    return Story(told, "open", retry_of=40)


def test_the_path_of_a_product_is_told_whole() -> None:
    """Long as it is: it says which product the pebble is about. What is longer still is cut."""
    product = "archive/S1A_IW_GRDH_1SDV_20240101T051233_20240101T051258_051917_0645F3_1234.SAFE.zip"

    assert any(f'src = "/data/{product}"  In.fullpath' in line for line in lines_of(a_story(product), Live()))
    assert not any(f"/data/{product * 9}" in line for line in lines_of(a_story(product * 9), Live()))


def test_a_story_reads_from_top_to_bottom() -> None:
    """The whole of it, as a pipe gets it."""
    held = "max_parallel: 1 of 1 are running, held by pebble 41 Wind (on Worker-box_1 since 12 s)"
    live = Live(True, {"42/Wind/2": held, "42.3/W/1": "runs on worker Worker-box_2 since 3 s"}, NOON + 75)
    day = next(iter(lines_of(a_story(), live))).partition(" since ")[2][:5]
    lines = [line.replace(day, "DAY") for line in lines_of(a_story(), live)]

    assert [line for line in lines if "DAY" not in line] == [
        "  came in through In",
        "  a retry of pebble 40",
        "  Wind",
        "",
        "Wind (wind): queued",
        "    In was success",
        '    src = "/data/Wind"  In.fullpath',
        "    big = (5 kB)        L.x",
        "        Wind broke",
        "        line 2",
        f"    attempt 2: waits for {held}",
        "",
        "Split (wind): split",
        "    waits for its parts, 1 of 1000 have ended",
        "    1000 parts: 499 queued or running, 1 error, 500 not begun",
        "        .1  error: Wind …",
        "        .3  runs on worker Worker-box_2 since 3 s",
        "        … and 498 more that are open",
        "",
        "After (x): waiting",
        f"    waits for Wind, behind it Deep: {held}",
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("runs", [True, False])
def test_a_hostile_story_fits_its_width_and_moves_nothing(width: int, runs: bool) -> None:
    """Names, errors, values and what the head says are harmless at any width."""
    live = Live(runs, {"42/Wind/2": HOSTILE, "42.3/W/1": HOSTILE}, NOON)
    for line in lines_of(a_story(HOSTILE * 2), live):
        indent = line[: len(line) - len(line.lstrip())]
        for shown in wrapped(indent, [line.lstrip()], width):
            assert cells(shown) <= width
            assert shown.isprintable()


def test_what_a_node_returned_is_told_and_where_post_put_it_whole() -> None:
    """A long value is cut, the place of a file is not, big values have their size; of parts the one that was asked."""
    url = f"s3://store/bucket/{'x' * 300}.nc"
    ran = RunTold("W", "W", "", "success", outputs={"dst": url, "text": url, "b": {"$blob": "a", "size": 5000}})
    part = evolve(ran, scope=".7", outputs={"n": 7})
    split = RunTold("S", "S", "", "success", parts=PartsTold(9, 9, {"success": 9}))
    asked = evolve(split, parts=PartsTold(9, 9, {"success": 9}, asked=part))
    told = evolve(a_story().told, nodes=(evolve(ran, posted=("dst",)), split, asked))
    lines = list(lines_of(Story(told, "closed"), Live()))

    assert f'    returned dst = "{url}"  post' in lines
    [cut] = [line for line in lines if "returned text" in line]
    assert url[:200] in cut
    assert url not in cut
    assert "    returned b = (5 kB)" in lines
    assert "    9 parts: 9 success; cryocloud explain ID.N tells one with what it returned" in lines
    assert lines[-3:] == ["    9 parts: 9 success", "        W.7: success", "            returned n = 7"]


def test_what_is_due_tells_the_time_that_is_left() -> None:
    """In the future how long, in the past that it has passed."""
    wait = WaitTold("attempt 2", ("Wind",), due_at=NOON + 90)

    assert wait_line(wait, Live(True, {}, NOON)).endswith(", in 1:30")
    assert wait_line(wait, Live(True, {}, NOON + 91)).endswith(", which has passed")
    assert wait_line(evolve(wait, through=()), Live(True, {}, NOON)).startswith("waits for attempt 2; due ")


def test_explain_wants_one_pebble_that_is_known(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No number, two: a wrong command line; one that is not there is exit 1, as wherever a pebble is named."""
    state_dir(root / "coast", "coast")

    for words, said in ((["coast"], "name one pebble"), (["1", "2"], "name one pebble"), (["1.1", "1.2"], "one part")):
        assert invoke(["explain", *words]) == 2
        assert said in capsys.readouterr().err
    assert invoke(["explain", "9"]) == 1
    assert capsys.readouterr().err.startswith("pebble 9: is not in the journal, which has pebbles 1 to 3")


# --- cancel, retry, stop, drain -----------------------------------------------------------------------


def test_cancel_tells_what_became_of_each_pebble(root: Path, capsys: pytest.CaptureFixture[str], head: Any) -> None:
    """Given up, given up before, finished, unknown; one that could not be makes the exit code 1."""
    answer = {"cancelled": [1], "already": [4], "not_open": [2, 9], "durable": True}
    asked = head(state_dir(root / "coast", "coast"), {"cancel": answer})

    assert invoke(["cancel", "1", "4", "2", "9.3", "9", "coast"]) == 1
    said = capsys.readouterr()
    assert said.out == "given up: pebble 1\npebble 4 was given up before and is ending\n"
    assert said.err == "pebble 2 is finished\npebble 9 is not known here\n"
    assert asked[-1]["pebbles"] == [1, 4, 2, 9]
    assert invoke(["cancel"]) == invoke(["cancel", "--all", "1"]) == 2
    answer.update(not_open=[], durable=False)
    assert invoke(["cancel", "--all"]) == 1
    assert asked[-1]["all"] is True
    assert "not written to the journal yet" in capsys.readouterr().err
    assert invoke(["cancel", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cancelled"] == [1]


def test_retry_tells_the_new_pebbles(root: Path, capsys: pytest.CaptureFixture[str], head: Any) -> None:
    """And why one was refused."""
    head(
        state_dir(root / "coast", "coast"),
        {"retry": {"retried": {"3": 7}, "refused": {"1": "pebble 1: it is still open"}, "durable": True}},
    )

    assert invoke(["retry", "3", "1"]) == 1
    assert capsys.readouterr() == ("pebble 3 goes again as pebble 7\n", "pebble 1: it is still open\n")
    assert invoke(["retry", "coast"]) == 2


def test_stop_and_drain_tell_what_is_waited_for(root: Path, capsys: pytest.CaptureFixture[str], head: Any) -> None:
    """Running tasks and open pebbles, in numbers that agree with their words."""
    directory = state_dir(root / "coast", "coast")
    head(
        directory,
        {
            "stop": {"state": "suspending", "open": 3, "running": 1},
            "drain": {"state": "draining", "open": 1, "running": 1},
        },
    )

    assert invoke(["stop", "--state-dir", str(directory)]) == invoke(["drain", "coast"]) == 0
    assert capsys.readouterr().out == (
        "suspending: waiting for 1 running task; 3 open pebbles wait for the next start\n"
        "draining: 1 open pebble to finish\n"
    )
    assert invoke(["stop", "--json"]) == invoke(["drain", "--json"]) == 0
    assert [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()] == ["suspending", "draining"]


def test_a_head_that_does_not_end_is_waited_for_only_so_long(
    root: Path, capsys: pytest.CaptureFixture[str], head: Any
) -> None:
    """The time limit alone means that the end is to be waited for; the exit code is that of timeout(1)."""
    directory = state_dir(root / "coast", "coast")
    standing = {"state": "suspending", "open": 0, "running": 0}
    asked = head(directory, {"stop": standing, "status": {"pid": 1, "start": 1, "view": {"workflows": ["coast"]}}})

    assert invoke(["stop", "--timeout", "0.2"]) == 124
    assert "it has not ended within 0.2 s" in capsys.readouterr().err
    assert [each["do"] for each in asked][:3] == ["status", "stop", "status"]
    assert invoke(["stop", "--wait", "--timeout", "0", "--json"]) == 124
    assert {**standing, "ended": False, "exit_code": 124}.items() <= json.loads(capsys.readouterr().out).items()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cancel", "1"], "cryocloud run --fresh or --resume=drop"),
        (["retry", "3"], "start the run first"),
        (["stop"], "there is nothing to end"),
        (["drain"], "there is nothing to end"),
    ],
)
def test_without_a_head_each_command_says_what_to_do(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """Exit 3 with one line that names the state directory."""
    directory = state_dir(root / "coast", "coast")

    assert invoke(words) == 3
    line = capsys.readouterr().err
    assert line.startswith(f"{directory}: no head runs here; ")
    assert said in line
