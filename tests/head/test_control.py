"""The control socket of a running head: who may ask, what is answered, and that no client disturbs the run."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Feed, chain, make_head, node, nothing, until

from cryocloud_core.errors import CryoCloudError, StateError
from cryocloud_core.graph.refs import Argument, OutputRef
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head import control
from cryocloud_core.head.asking import ask
from cryocloud_core.head.control import SOCKET_FILE, address, control_socket
from cryocloud_core.head.head import Head
from cryocloud_core.head.pebble_search import list_pebbles
from cryocloud_core.head.retelling import retell

Talk = Callable[[Head, Desk], Awaitable[None]]


class Held:
    """Work that ends when a test says so."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, task: Any) -> dict[str, Any]:
        """Wait."""
        await self.open.wait()
        return {"n": task.args.get("n")}


def run_with(state_dir: Path, talk: Talk, *, flow: Workflow | None = None, infos: Any = None, **more: Any) -> int:
    """Run a head whose tasks wait until `talk` has ended; return its exit code."""

    async def run() -> int:
        held = Held()
        desk = Desk(held, slots=2)
        feed = Feed([{"n": 1}, {"n": 2}] if infos is None else infos, stays=more.get("stays", False))
        head = make_head(flow or chain(1), state_dir, desk, {"In": feed})
        running = asyncio.create_task(head.run())
        await until(lambda: (state_dir / SOCKET_FILE).exists() and head.view().state == "running")
        await until(lambda: head.view().pebbles_open == len(feed.infos))
        try:
            await talk(head, desk)
        finally:
            held.open.set()
        return await running

    return asyncio.run(run())


async def asked(state_dir: Path, request: str, **more: Any) -> dict[str, Any]:
    """Ask from another thread, as another process would."""
    answer = await asyncio.to_thread(ask, state_dir, request, 5.0, **more)
    assert answer is not None
    return answer


@asynccontextmanager
async def client(state_dir: Path) -> Any:
    """Give a raw connection."""
    descriptor = os.open(state_dir, os.O_RDONLY)
    try:
        reader, writer = await asyncio.open_unix_connection(address(state_dir, descriptor))
        yield reader, writer
        writer.close()
    finally:
        os.close(descriptor)


# --- the socket ---------------------------------------------------------------------------------------


def test_the_socket_is_its_users_alone_and_goes_with_the_head(tmp_path: Path) -> None:
    """0600 in a directory of 0700, there while the head runs; afterwards nobody answers."""
    state = tmp_path / "state"

    async def talk(_head: Head, _desk: Desk) -> None:
        assert stat.S_IMODE((state / SOCKET_FILE).stat().st_mode) == 0o600
        assert stat.S_ISSOCK((state / SOCKET_FILE).stat().st_mode)
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert (await asked(state, "status"))["pid"] == os.getpid()

    assert run_with(state, talk) == 0
    assert not (state / SOCKET_FILE).exists()
    assert ask(state, "status") is None
    assert ask(tmp_path / "nowhere", "status") is None


def test_a_state_directory_may_have_a_long_name(tmp_path: Path) -> None:
    """A socket's own path may have 108 bytes at most; ours has far more."""
    state = tmp_path / ("d" * 120) / ("é" * 60) / "state"

    async def talk(_head: Head, _desk: Desk) -> None:
        assert (await asked(state, "status"))["view"]["state"] == "running"

    assert run_with(state, talk) == 0


def test_a_socket_that_a_killed_head_left_is_replaced(tmp_path: Path) -> None:
    """A stale one answers nobody; the next head takes its name."""
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / SOCKET_FILE))
    assert ask(tmp_path, "status") is None

    async def talk(_head: Head, _desk: Desk) -> None:
        assert (await asked(tmp_path, "status"))["ok"]

    assert run_with(tmp_path, talk) == 0


def test_a_run_that_can_have_no_socket_goes_on_without(tmp_path: Path) -> None:
    """Something else has its name: a warning, and the run ends well."""
    (tmp_path / SOCKET_FILE).mkdir()
    said: list[str] = []
    feed = Feed([{"n": 1}])
    head = make_head(
        chain(1), tmp_path, Desk(nothing), {"In": feed}, listener=lambda each: said.append(getattr(each, "text", ""))
    )

    assert asyncio.run(head.run()) == 0
    assert any("no control socket" in text for text in said)
    assert (tmp_path / SOCKET_FILE).is_dir()


# --- clients ------------------------------------------------------------------------------------------


def test_two_clients_at_once_and_several_requests_on_one_connection(tmp_path: Path) -> None:
    """Each gets its own answers, in order."""

    async def talk(_head: Head, _desk: Desk) -> None:
        async with client(tmp_path) as (reader, writer), client(tmp_path) as (reader2, writer2):
            for number in (1, 2, 3):
                writer.write(json.dumps({"v": 1, "do": "explain", "tasks": [f"{number}/N1/1"]}).encode() + b"\n")
                writer2.write(b'{"v": 1, "do": "pebbles"}\n')
            for number in (1, 2, 3):
                assert list(json.loads(await reader.readline())["where"]) == [f"{number}/N1/1"]
                assert [each["pebble"] for each in json.loads(await reader2.readline())["pebbles"]] == [1, 2]

    assert run_with(tmp_path, talk) == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"\xff\xfe garbage\n", "one line of JSON"),
        (b"[" * 100_000 + b"\n", "one line of JSON"),
        (b"[1]\n", "JSON object"),
        (b'{"do": "status"}\n', "version 1"),
        (b'{"v": 2, "do": "status"}\n', "version 1"),
        (b'{"v": 1, "do": "shutdown"}\n', "there is status"),
        (b'{"v": 1, "do": ["x"]}\n', "no such request"),
        (b'{"v": 1, "do": "cancel"}\n', "name pebbles"),
        (b'{"v": 1, "do": "cancel", "pebbles": ["1; rm"]}\n', "whole number"),
        (b'{"v": 1, "do": "retry", "pebbles": [true]}\n', "whole number"),
        (b'{"v": 1, "do": "explain", "tasks": [1]}\n', "task ids"),
    ],
)
def test_a_bad_request_is_answered_and_changes_nothing(tmp_path: Path, line: bytes, words: str) -> None:
    """One answer with an error; the connection and the run go on."""

    async def talk(head: Head, _desk: Desk) -> None:
        async with client(tmp_path) as (reader, writer):
            writer.write(line + b'{"v": 1, "do": "status"}\n')
            bad, good = json.loads(await reader.readline()), json.loads(await reader.readline())
        assert not bad["ok"]
        assert words in bad["error"]
        assert good["ok"]
        assert head.view().pebbles_open == 2

    assert run_with(tmp_path, talk) == 0


def test_clients_that_hang_leave_or_never_stop_do_not_disturb_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a line, a line without end, no reading of answers, silence: others are answered meanwhile."""
    monkeypatch.setattr(control, "SILENCE_S", 0.2)
    monkeypatch.setattr(control, "READ_S", 0.2)
    many = b'{"v": 1, "do": "status"}\n' * 4000

    async def talk(_head: Head, _desk: Desk) -> None:
        async with client(tmp_path) as (silent, _), client(tmp_path) as (half, half_writer):
            half_writer.write(b'{"v": 1, "do": "sta')
            async with client(tmp_path) as (endless, endless_writer), client(tmp_path) as (deaf, deaf_writer):
                endless_writer.write(b"x" * (2 * control.LINE_BYTES))
                deaf_writer.write(many)
                assert (await asked(tmp_path, "status"))["ok"]
                assert await endless.read() == b""
                await asyncio.sleep(0.6)
                assert (await asked(tmp_path, "status"))["ok"]
                with suppress(ConnectionResetError):
                    # What the kernel and this end had taken by then is all there is.
                    assert len((await deaf.read()).splitlines()) < 4000
            assert await silent.read() == b""
            assert await half.read() == b""

    assert run_with(tmp_path, talk) == 0


def test_too_many_clients_are_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones keep their connection."""
    monkeypatch.setattr(control, "MOST_CLIENTS", 2)

    async def talk(_head: Head, _desk: Desk) -> None:
        async with client(tmp_path) as first, client(tmp_path) as second, client(tmp_path) as third:
            first[1].write(b'{"v": 1, "do": "status"}\n')
            second[1].write(b'{"v": 1, "do": "status"}\n')
            assert json.loads(await first[0].readline())["ok"]
            assert json.loads(await second[0].readline())["ok"]
            with pytest.raises((ConnectionResetError, AssertionError)):
                assert await third[0].readline()

    assert run_with(tmp_path, talk) == 0


def test_a_bug_in_an_answer_is_the_clients_to_hear(tmp_path: Path) -> None:
    """The run that was asked goes on; it is told too."""
    told: list[str] = []

    async def answer(_request: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError("oops")

    async def run() -> None:
        async with control_socket(tmp_path, answer, told.append):
            with pytest.raises(CryoCloudError, match="ZeroDivisionError: oops"):
                await asked(tmp_path, "status")

    asyncio.run(run())
    assert told == ["a request could not be answered: ZeroDivisionError: oops"]


def test_a_head_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    """StateError after the time that was given."""

    async def answer(_request: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    async def run() -> None:
        async with control_socket(tmp_path, answer, lambda _text: None):
            with pytest.raises(StateError, match=r"does not answer within 0\.1 s"):
                await asyncio.to_thread(ask, tmp_path, "status", 0.1)

    asyncio.run(run())


# --- steering -----------------------------------------------------------------------------------------


def test_cancel_gives_open_pebbles_up_and_names_the_others(tmp_path: Path) -> None:
    """Told once it is durable: the journal has it."""

    async def talk(head: Head, desk: Desk) -> None:
        await until(lambda: len(desk.running) == 2)
        answer = await asked(tmp_path, "cancel", pebbles=[2, 9, 2])
        assert (answer["cancelled"], answer["not_open"], answer["durable"]) == ([2], [9], True)
        await until(lambda: head.view().pebbles_open == 1)
        again = await asked(tmp_path, "cancel", pebbles=[2])
        assert (again["cancelled"], again["not_open"]) == ([], [2])

    assert run_with(tmp_path, talk) == 1
    rows = list_pebbles(tmp_path, which="all", workflow=None, most=None).rows
    assert [(row.pebble, row.result) for row in rows] == [(1, "success"), (2, "cancelled")]


def test_cancel_during_a_split_of_a_thousand_parts(tmp_path: Path) -> None:
    """All parts that are open end, and the pebble is told as cancelled with its counts."""
    args = {"f": Argument(OutputRef("In", "list"))}
    nodes = {"In": node("In"), "S": node("S", "In", split_on="f", args=args), "M": node("M", "S", merge=True)}

    async def talk(head: Head, desk: Desk) -> None:
        await until(lambda: len(desk.running) == 2)
        answer = await asked(tmp_path, "cancel", all=True)
        assert answer["cancelled"] == [1]
        await until(lambda: not head.view().pebbles_open)

    code = run_with(tmp_path, talk, flow=Workflow("flow", "", nodes), infos=[{"list": list(range(1000))}])
    story = retell(tmp_path, 1)

    assert code == 1
    assert (story.told.result, story.told.given_up) == ("cancelled", "cancelled")
    split = story.told.nodes[1].parts
    assert split is not None
    assert (split.total, split.opened, split.counts) == (1000, 500, {"cancelled": 500})


def test_retry_lets_a_new_pebble_arrive_with_the_same_values(tmp_path: Path) -> None:
    """Also with values that are kept beside the events; each retry tells whose it is, and may be repeated."""
    big = "x" * 100_000

    async def talk(head: Head, desk: Desk) -> None:
        await until(lambda: len(desk.running) == 2)
        with_open = await asked(tmp_path, "retry", pebbles=[1, 7])
        assert with_open["retried"] == {}
        assert "still open" in with_open["refused"]["1"]
        assert "is not in the journal" in with_open["refused"]["7"]
        await asked(tmp_path, "cancel", pebbles=[1])
        await until(lambda: head.view().pebbles_open == 1)
        first = await asked(tmp_path, "retry", pebbles=[1])
        second = await asked(tmp_path, "retry", pebbles=[1])
        assert (first["retried"], second["retried"]) == ({"1": 3}, {"1": 4})

    assert run_with(tmp_path, talk, infos=[{"n": big}, {"n": 2}]) == 1
    rows = list_pebbles(tmp_path, which="all", workflow=None, most=None).rows
    assert [(row.pebble, row.result, row.retry_of) for row in rows] == [
        (1, "cancelled", 0),
        (2, "success", 0),
        (3, "success", 1),
        (4, "success", 1),
    ]
    stories = [retell(tmp_path, pebble) for pebble in (1, 3, 4)]
    assert [story.retry_of for story in stories] == [0, 1, 1]
    assert len({str(story.told.nodes[1].args) for story in stories}) == 1
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        used = connection.execute("SELECT pebble FROM blob_uses ORDER BY pebble").fetchall()
    assert {row[0] for row in used} == {1, 3, 4}


def test_where_tells_how_far_the_files_of_a_task_are(tmp_path: Path) -> None:
    """That a worker waits for files, else how far its module is."""

    async def talk(head: Head, desk: Desk) -> None:
        await until(lambda: len(desk.running) == 1)
        assert head._parts is not None
        counters = head._parts.counters

        async def told(**said: object) -> str:
            counters.status("1/N1/1", {name.replace("_", "."): value for name, value in said.items()})
            where: str = (await asked(tmp_path, "explain", pebble=1))["where"]["1/N1/1"]
            return where[where.index("(") :]

        assert await told(state="Preparing files", transfer_percent=34.4) == "(preparing files, 34 %)"
        again = "http://web/nix (again in 3.5 s: refused)"
        assert await told(transfer=again, transfer_percent=None) == f"(preparing files: {again})"
        assert await told(transfer="http://web/a", transfer_percent=50.0) == "(preparing files, 50 %: http://web/a)"
        assert await told(state="Processing", progress=12.0) == "(50 %)"
        assert await told(transfer=None, transfer_percent=None) == "(12 %)"
        await asked(tmp_path, "stop")

    run_with(tmp_path, talk, infos=[{"n": 1}])


def test_stop_suspends_like_a_first_sigterm_and_twice_is_once(tmp_path: Path) -> None:
    """Exit 143 with the pebbles waiting for the next start."""

    async def talk(head: Head, desk: Desk) -> None:
        await until(lambda: len(desk.running) == 2)
        for _ in range(2):
            answer = await asked(tmp_path, "stop")
            assert (answer["state"], answer["open"], answer["running"]) == ("suspending", 2, 2)
        with pytest.raises(CryoCloudError, match="the run is suspending"):
            await asked(tmp_path, "retry", pebbles=[1])
        assert (await asked(tmp_path, "explain", pebble=1))["where"]["1/N1/1"].startswith("runs on worker")
        assert head.view().state == "suspending"
        assert head._running is not None
        assert not head._running.ending.at_once.is_set()

    assert run_with(tmp_path, talk, infos=[{"n": 1}, {"n": 2}]) == 143


def test_drain_stops_the_inputs_finishes_and_exits_by_the_results(tmp_path: Path) -> None:
    """An input that would go on for ever ends; what is in flight is finished; exit 0; nothing new arrives."""

    async def talk(head: Head, desk: Desk) -> None:
        await until(lambda: len(desk.running) == 2)
        for _ in range(2):
            answer = await asked(tmp_path, "drain")
            assert (answer["state"], answer["open"]) == ("draining", 3)
        with pytest.raises(CryoCloudError, match="the run is draining"):
            await asked(tmp_path, "retry", pebbles=[1])
        assert head.view().state == "draining"

    assert run_with(tmp_path, talk, infos=[{"n": 1}, {"n": 2}, {"n": 3}], stays=True) == 0
    assert list_pebbles(tmp_path, which="open", workflow=None, most=None).rows == ()


def test_drain_of_a_run_with_nothing_in_flight_ends_it(tmp_path: Path) -> None:
    """A permanent run that is idle ends at once."""

    async def talk(_head: Head, _desk: Desk) -> None:
        await asked(tmp_path, "drain")

    assert run_with(tmp_path, talk, infos=[], stays=True) == 0
