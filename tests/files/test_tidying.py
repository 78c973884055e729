"""Books that stay short: which locks and notes go, which stay, and that no lock is ever held twice because of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.files import tidying
from cryocloud_core.files.archives import PRIVATE_PREFIX
from cryocloud_core.files.bookkeeping import Books, key_of
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.locks import FileLock
from cryocloud_core.files.service import FileService
from cryocloud_core.files.tidying import OLD_S, SWEPT_S, TIDY_EVERY_S
from cryocloud_core.sdk.url import Url
from tests.files.folder_transfer import put, reads, staged, zipped

HOLDERS, TURNS = 3, 150
HOLDER = """
import os, sys, time
from pathlib import Path
from cryocloud_core.files.hosts import HostSlots
from cryocloud_core.files.locks import FileLock
books, turns = Path(sys.argv[1]), int(sys.argv[2])
for turn in range(turns):
    lock = FileLock(books / "locks" / "one.lock")
    lock.take(time.sleep)
    inside = os.open(books.parent / "inside", os.O_CREAT | os.O_EXCL)  # fails when another is inside
    with HostSlots(books / "hosts" / "h", 1, time.sleep).held():
        os.close(os.open(books.parent / "slot", os.O_CREAT | os.O_EXCL))
        os.unlink(books.parent / "slot")
    os.close(inside)
    os.unlink(books.parent / "inside")
    lock.release()
"""


@pytest.fixture
def tidy(machine: Callable[..., FileService]) -> Callable[[float], None]:
    """Give a sweep by a machine whose clock is so many seconds ahead."""

    def run(ahead_s: float) -> None:
        layer = machine(cache_sweep_every=0).remote.layer
        Layer(layer.transfers, layer.settings, clock=type(layer.clock)(wall=lambda: time.time() + ahead_s)).sweep()

    return run


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    """Give the books of the machine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Books(tmp_path / "tmp")


def names(books: Books, folder: str) -> set[str]:
    """Return what is in a folder of the books, at any depth."""
    root = books.folder(folder)
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def test_locks_that_nobody_holds_go_once_they_are_old(
    servers: Path, machine: Callable[..., FileService], tidy: Callable[[float], None], books: Books
) -> None:
    """The slot that is held stays, and the list of what a living task uses; after its end they go."""
    put(servers, "store/in/used", "x")
    put(servers, "store/in/free", "x")
    user, other = machine(), machine()
    used, free = Path(staged(user, "s3://store/in/used")), staged(other, "s3://store/in/free")
    with FileLock(books.lock(used)).held(lambda _: None):
        pass
    other.remote.release(sweep=False)
    slot = FileLock(books.host(Url.parse("s3://store/in/used")) / "0")
    assert slot.take_now()
    assert f"{key_of(used)}.lock" in names(books, "locks")

    tidy(OLD_S - TIDY_EVERY_S)
    assert f"{key_of(used)}.lock" in names(books, "locks")
    tidy(OLD_S + TIDY_EVERY_S)
    assert names(books, "locks") == {"gate", "places", "sweep"}
    assert len(names(books, "uses")) == 1
    assert used.exists()
    assert {Path(name).name for name in names(books, "hosts")} - {slot.path.parent.name} == {"0"}
    slot.release()
    user.remote.release(sweep=False)
    tidy(OLD_S + 3 * TIDY_EVERY_S)
    assert names(books, "locks") == {"gate", "places", "sweep"}
    assert not names(books, "hosts") | names(books, "uses")
    assert staged(machine(), "s3://store/in/free") == free


def test_it_is_done_once_an_hour(tidy: Callable[[float], None], books: Books) -> None:
    """However many tasks end."""
    tidy(0)
    lock = books.folder("locks") / "old.lock"
    lock.touch()
    os.utime(lock, (1, 1))

    tidy(TIDY_EVERY_S / 2)
    assert lock.exists()
    tidy(TIDY_EVERY_S * 2)
    assert not lock.exists()


def test_notes_go_with_what_they_tell_of(
    servers: Path,
    machine: Callable[..., FileService],
    tidy: Callable[[float], None],
    books: Books,
    tmp_path: Path,
) -> None:
    """Whose a path is, and which directories were made for copies, is known while there is a copy or was lately."""
    put(servers, "10.9.9.9/d/e/a", "content")
    files = machine()
    path = Path(staged(files, "ssh://10.9.9.9/d/e/a"))
    files.remote.release(sweep=False)
    tidy(OLD_S + 1)
    kept = {name: names(books, name) for name in ("places", "folders")}
    assert [len(each) for each in kept.values()] == [1, 3]

    machine(cache_max_bytes=1, cache_sweep_every=0, cache_keep=0).remote.layer.sweep()
    assert not path.exists()
    tidy(OLD_S + 1)
    assert {name: names(books, name) for name in kept} == kept
    assert len(names(books, "swept")) == 1
    path.parent.rmdir()
    tidy(SWEPT_S + TIDY_EVERY_S)
    tidy(SWEPT_S + 3 * TIDY_EVERY_S)
    assert not names(books, "swept")
    assert not names(books, "places")
    assert names(books, "folders") == {key_of(each) for each in (tmp_path / "data", tmp_path / "data" / "d")}


def test_what_was_brought_for_good_is_known_while_it_is_there(
    servers: Path, machine: Callable[..., FileService], tidy: Callable[[float], None], books: Books, tmp_path: Path
) -> None:
    """So that it is not brought again."""
    put(servers, "store/in/a", "content")
    url, target = Url.parse("s3://store/in/a"), tmp_path / "mine/a"
    machine().remote.keep(url, target.parent)
    tidy(OLD_S + 1)
    assert machine().remote.layer.is_current(url, target, taken=True)

    target.unlink()
    tidy(OLD_S + 3 * TIDY_EVERY_S)
    assert not names(books, "taken")


def test_what_an_archive_held_that_was_brought_for_good_is_known_while_it_is_there(
    servers: Path, machine: Callable[..., FileService], tidy: Callable[[float], None], books: Books, tmp_path: Path
) -> None:
    """Though the archive itself did not stay."""
    put(servers, "store/in/a.zip", zipped(b="1"))
    url, folder = Url.parse("s3://store/in/a.zip"), tmp_path / "mine"
    for _ in range(2):
        assert machine().remote.keep(url, folder, unzip=True) == [f"{folder}/a/b"]
        tidy(OLD_S + 1)
    assert reads("a.zip") == 1

    shutil.rmtree(folder / "a")
    tidy(OLD_S + 3 * TIDY_EVERY_S)
    assert not names(books, "taken")


def test_what_dead_processes_left_in_the_books_goes(tidy: Callable[[float], None], books: Books) -> None:
    """Notes without a name yet, of uploads that were never begun, and of what was made of a copy that is unknown."""
    left = [
        books.folder("meta") / f"{PRIVATE_PREFIX}1",
        books.folder("meta") / "lost.json",
        books.folder("uploads") / "1.upload",
    ]
    for path, text in zip(left, ("{", '{"of": "/none"}', ""), strict=True):
        path.write_text(text)
    (books.folder("uploads") / "2.upload").write_text("{}")

    tidy(OLD_S - 1)
    assert all(path.exists() for path in left)
    tidy(OLD_S + TIDY_EVERY_S)
    assert not any(path.exists() for path in left)
    assert names(books, "uploads") == {"2.upload"}


def test_a_note_that_its_owner_takes_away_meanwhile_keeps_nothing(
    tidy: Callable[[float], None], books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload ends between two looks at its note: the others are tidied all the same."""
    judge = tidying._was_never_written
    for name in ("1.upload", "2.upload"):
        (books.folder("uploads") / name).touch()
    ended: list[Path] = []

    def ending(note: Path) -> bool:
        if not ended:
            ended.append(note)
            note.unlink()
        return judge(note)

    monkeypatch.setattr(tidying, "_was_never_written", ending)
    tidy(OLD_S + TIDY_EVERY_S)
    assert (len(ended), names(books, "uploads")) == (1, set())


def test_what_was_made_of_a_copy_stays_known(
    servers: Path, machine: Callable[..., FileService], tidy: Callable[[float], None]
) -> None:
    """Its note says of which copy it was made, and that copy knows of it."""
    from tests.files.folder_transfer import reads, zipped

    put(servers, "store/in/a.zip", zipped(b="2"))
    [path] = staged(machine(), "s3://store/in/a.zip", unzip=True)
    tidy(OLD_S + 1)

    assert machine().remote.layer.source_of(Path(path)) == Url.parse("s3://store/in/a.zip")
    assert staged(machine(), "s3://store/in/a.zip", unzip=True) == [path]
    assert reads("a.zip") == 1


def _holders(books: Books, turns: int) -> list[subprocess.Popen[bytes]]:
    command: list[Any] = [sys.executable, "-c", HOLDER, books.root, turns]
    return [subprocess.Popen([str(each) for each in command]) for _ in range(HOLDERS)]


def test_no_lock_is_held_twice_because_of_it(tidy: Callable[[float], None], books: Books) -> None:
    """Processes hold a lock and a slot in turns while both are taken away as often as it goes."""
    for name in ("locks", "hosts/h"):
        books.folder(name)
    running, tidied = _holders(books, TURNS), 0
    try:
        while any(each.poll() is None for each in running):
            tidied += 1
            tidy(OLD_S + tidied * 2 * TIDY_EVERY_S)
        assert [each.returncode for each in running] == [0] * HOLDERS
    finally:
        for each in running:
            each.kill()
            each.wait()


def test_a_lock_of_a_killed_process_goes_like_others(tidy: Callable[[float], None], books: Books) -> None:
    """And one of a living process stays, whatever the clock says."""
    lock = books.folder("locks") / "one.lock"
    code = "import sys; from pathlib import Path; from cryocloud_core.files.locks import FileLock\n"
    code += "lock = FileLock(Path(sys.argv[1])); lock.take_now(); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        tidy(OLD_S + 1)
        assert lock.exists()
        holder.kill()
        holder.wait()
    tidy(OLD_S + 3 * TIDY_EVERY_S)
    assert not lock.exists()
