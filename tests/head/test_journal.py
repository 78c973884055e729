"""The journal: what was committed is there, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cryocloud_core.errors import StateError
from cryocloud_core.head.batch import Arrival, Batch
from cryocloud_core.head.journal import Journal


def one_event(seq: int, pebble: int = 1, size: int = 10) -> Batch:
    """Return a batch of one event."""
    batch = Batch()
    batch.event(seq, pebble, 1, "{" + "x" * size + "}", [f"{pebble}/A/1"])
    return batch


def seqs(directory: Path) -> list[int]:
    """Return the numbers of all events that a new reader of the file sees."""
    with contextlib.closing(sqlite3.connect(directory / "journal.db")) as connection:
        return [row[0] for row in connection.execute("SELECT seq FROM events ORDER BY seq")]


def opened(directory: Path) -> Journal:
    """Return a journal that writes for the running loop."""
    journal = Journal.open(directory)
    journal.begin(Batch(), "here")
    journal.attach(asyncio.get_running_loop())
    return journal


def test_commit_returns_when_the_batch_can_be_read_by_others(tmp_path: Path) -> None:
    """After `commit` another connection sees the event, its tasks, the pebble and its arrival."""

    async def run() -> None:
        journal = opened(tmp_path)
        batch = one_event(1, pebble=7)
        batch.arrived(Arrival(7, "flow", "In", 1, "key \udc80\0ö", memo='{"a":1}'), "nonce", 12.5)
        await journal.commit(batch)
        with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as other:
            assert other.execute("SELECT pebble, start, context, started FROM events").fetchall() == [
                (7, 1, 1, '["7/A/1"]')
            ]
            assert other.execute("SELECT workflow, run, state, nonce, arrived_at FROM pebbles").fetchall() == [
                ("flow", 1, "open", "nonce", 12.5)
            ]
            assert other.execute("SELECT key, memo, pebble FROM arrivals").fetchall() == [
                ("key \\udc80\\u0000\\u00f6", '{"a":1}', 7)
            ]
        journal.close()

    asyncio.run(run())


def test_many_small_batches_become_few_commits_and_keep_their_order(tmp_path: Path) -> None:
    """500 batches handed in at once cost a few transactions, and are reported in order."""

    async def run() -> int:
        journal = opened(tmp_path)
        before = commits(journal)
        done: list[int] = []
        finished = asyncio.Event()
        for seq in range(1, 501):
            journal.submit(one_event(seq), lambda seq=seq: (done.append(seq), seq == 500 and finished.set()))
        await finished.wait()
        assert done == list(range(1, 501))
        count = commits(journal) - before
        journal.close()
        return count

    assert asyncio.run(run()) <= 50
    assert seqs(tmp_path) == list(range(1, 501))


def commits(journal: Journal) -> int:
    """Return how many transactions have changed the file, as the WAL's commit frames tell."""
    data = journal.path.with_name("journal.db-wal").read_bytes()
    page = int.from_bytes(data[8:12], "big")
    frames = range(32, len(data), page + 24)
    return sum(int.from_bytes(data[at + 4 : at + 8], "big") > 0 for at in frames)


def test_states_counters_and_failures_of_merged_batches_add_up(tmp_path: Path) -> None:
    """Two batches in one commit: the later state wins, keeps the earlier result, and counts are summed."""

    async def run() -> None:
        journal = opened(tmp_path)
        first, second = one_event(1), one_event(2)
        first.arrived(Arrival(1, "flow", "In", 3, "0", 3), "n", 1.0)
        first.finished(1, "owing", "error", "broke", 2.0)
        first.counted(3, "A", 0)
        first.failed(1, 3, "A", "error", "broke")
        second.finished(1, "closed", None, None, None)
        second.counted(3, "A", 0)
        second.counted(3, "A", 2)
        both = asyncio.Event()
        journal.submit(first, lambda: None)
        journal.submit(second, both.set)
        await both.wait()
        reader = journal.reader
        assert reader.execute("SELECT state, result, error, finished_at FROM pebbles").fetchall() == [
            ("closed", "error", "broke", 2.0)
        ]
        assert reader.execute("SELECT * FROM counters").fetchall() == [(3, "A", 2, 0, 1)]
        assert reader.execute("SELECT * FROM failures").fetchall() == [(1, 3, "A", "error", "broke")]
        journal.close()

    asyncio.run(run())


def test_a_statement_that_fails_takes_its_whole_commit_back_and_breaks_the_journal(tmp_path: Path) -> None:
    """A number given twice is a fault no waiting can mend: nothing of the batch is kept and the head is told."""

    async def run() -> StateError:
        journal = opened(tmp_path)
        await journal.commit(one_event(1))
        broken: asyncio.Future[StateError] = asyncio.get_running_loop().create_future()
        journal.on_broken = broken.set_result
        double = one_event(2)
        double.event(1, 1, 1, "{}", ())
        journal.submit(double, lambda: None)
        error = await broken
        journal.close()
        return error

    assert "journal cannot be used" in str(asyncio.run(run()))
    assert seqs(tmp_path) == [1]


def test_work_on_the_writer_is_one_transaction(tmp_path: Path) -> None:
    """`run` commits what its function did, and takes it back when it fails."""

    async def run() -> None:
        journal = opened(tmp_path)
        await journal.commit(one_event(1))
        assert await journal.run(lambda connection: connection.execute("DELETE FROM events").rowcount) == 1
        await journal.commit(one_event(2))

        def spoil(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM events")
            connection.execute("SELECT * FROM no_such_table")

        with pytest.raises(StateError):
            await journal.run(spoil)
        journal.close()

    asyncio.run(run())
    assert seqs(tmp_path) == [2]


@pytest.mark.parametrize("network", [False, True])
def test_starts_are_counted(tmp_path: Path, network: bool) -> None:
    """Each start that was begun has the next number; one that was refused before leaves no trace."""
    numbers = []
    for begun in (True, False, True):
        journal = Journal.open(tmp_path, network=network)
        numbers.append(journal.start)
        if begun:
            journal.begin(Batch(), "here")
        journal.close()

    assert numbers == [1, 2, 2]


# --- crashes ------------------------------------------------------------------------------------------

WRITER = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from cryocloud_core.head.batch import Batch
    from cryocloud_core.head.journal import Journal

    async def main() -> None:
        journal = Journal.open(Path(sys.argv[1]))
        journal.begin(Batch(), "here")
        journal.attach(asyncio.get_running_loop())
        seq = 0
        while True:
            batch = Batch()
            for _ in range(1 + seq % 7):
                seq += 1
                batch.event(seq, seq, 1, "{%s}" % ("x" * (seq * 37 % 5000)), ())
            await journal.commit(batch)
            print(seq, flush=True)

    asyncio.run(main())
    """
)


def killed_writer(directory: Path, after_s: float) -> int:
    """Run a writer, kill it with SIGKILL, and return the last number it was told is durable."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    last = int(writer.stdout.readline())
    time.sleep(after_s)
    writer.send_signal(signal.SIGKILL)
    for line in writer.stdout.read().splitlines():
        last = int(line)
    writer.wait()
    writer.stdout.close()
    return last


@pytest.mark.system
def test_a_killed_writer_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    """After SIGKILL everything that was reported durable is there, without a gap, and the next writer goes on."""
    last = killed_writer(tmp_path, 0.3)

    found = seqs(tmp_path)
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= last


@pytest.mark.system
def test_a_file_cut_anywhere_keeps_a_prefix_and_every_checked_commit(tmp_path: Path) -> None:
    """A WAL of which only the first bytes reached the disk opens with the commits those bytes hold, in order."""
    source = tmp_path / "source"
    source.mkdir()
    killed_writer(source, 0.05)
    wal = (source / "journal.db-wal").read_bytes()
    page = int.from_bytes(wal[8:12], "big")
    frame = page + 24
    whole = len(seqs_of_copy(source, tmp_path / "whole", len(wal)))
    before = 0
    for cut in sorted({*range(32, len(wal), max(frame, len(wal) // 40 // frame * frame)), len(wal) - 1, len(wal)}):
        for at in (cut, cut - 11):
            found = seqs_of_copy(source, tmp_path / "copy", at)
            assert found == list(range(1, len(found) + 1))
            assert before - 7 <= len(found) <= whole
        before = len(found)
    assert len(seqs_of_copy(source, tmp_path / "copy", len(wal))) == whole


def seqs_of_copy(source: Path, target: Path, cut: int) -> list[int]:
    """Copy a journal with only the first `cut` bytes of its WAL, and return its events."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    shutil.copy(source / "journal.db", target)
    (target / "journal.db-wal").write_bytes((source / "journal.db-wal").read_bytes()[: max(cut, 0)])
    with contextlib.closing(sqlite3.connect(target / "journal.db")) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone() is None:
            # The tables themselves were in the part that is missing.
            return []
    return seqs(target)


# --- full disks ---------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


async def fill_then_make_room(journal: Journal, make_room: object, size: int) -> tuple[list[str], int]:
    """Commit until the journal pauses, make room, and wait until all is durable; return what was said, and how many."""
    said: list[str] = []
    paused, again = asyncio.Event(), asyncio.Event()

    def pause(why: str) -> None:
        said.append(why)
        (paused if why else again).set()

    journal.on_pause = pause
    seq, durable = 0, 0

    def done() -> None:
        nonlocal durable
        durable += 1

    while not paused.is_set():
        seq += 1
        journal.submit(one_event(seq, seq, size), done)
        await asyncio.sleep(0.001)
    assert durable < seq
    make_room()  # type: ignore[operator]
    await asyncio.wait_for(again.wait(), 20)
    await journal.commit(one_event(seq + 1, seq + 1))
    assert durable == seq
    return said, seq + 1


@pytest.mark.system
def test_a_full_disk_pauses_the_writer_and_no_event_is_dropped(small_disk: Path) -> None:
    """On a disk without room the writer says so; when there is room it writes what waited, in order."""
    state = small_disk / "state"
    state.mkdir()

    async def run() -> int:
        (small_disk / "ballast").write_bytes(b"x" * 400_000)
        journal = opened(state)
        said, count = await fill_then_make_room(journal, (small_disk / "ballast").unlink, 8_000)
        assert "full" in said[0]
        assert said[-1] == ""
        journal.close()
        return count

    count = asyncio.run(run())
    assert seqs(state) == list(range(1, count + 1))


@pytest.mark.system
def test_a_full_disk_at_the_start_refuses_in_one_line(small_disk: Path) -> None:
    """A head does not start on a disk without room."""
    state = small_disk / "state"
    state.mkdir()
    (small_disk / "ballast").write_bytes(b"x" * 1_000_000)

    with pytest.raises(StateError) as refused:
        Journal.open(state).begin(Batch(), "here")
    assert "\n" not in str(refused.value)
    assert str(state) in str(refused.value)


@pytest.mark.system
def test_a_file_that_may_not_grow_pauses_the_writer_too(tmp_path: Path) -> None:
    """Any write that the system refuses is waited out, here a limit on the size of files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def lift() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    async def run() -> int:
        journal = opened(tmp_path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
        try:
            said, count = await fill_then_make_room(journal, lift, 8_000)
        finally:
            lift()
        assert said[0]
        assert said[-1] == ""
        journal.close()
        return count

    count = asyncio.run(run())
    assert seqs(tmp_path) == list(range(1, count + 1))


def test_closing_does_not_wait_for_ever_on_a_full_disk(tmp_path: Path) -> None:
    """A head that is told to end while there is no room ends; what was not committed is simply not there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def run() -> None:
        journal = opened(tmp_path)
        await journal.commit(one_event(1))
        paused = asyncio.Event()
        journal.on_pause = lambda _why: paused.set()
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.with_name("journal.db-wal").stat().st_size, hard))
        try:
            journal.submit(one_event(2, size=50_000), lambda: None)
            await paused.wait()
            journal.close(wait_s=0.1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    asyncio.run(run())
    assert seqs(tmp_path) == [1]
