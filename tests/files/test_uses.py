"""Which copies are used: lists that live as long as their tasks, behind one gate."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from cryocloud_core.files import uses
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.uses import Uses

PATIENCE_S = 20.0
USER = """
import sys, time
from pathlib import Path
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.uses import Uses
uses = Uses(Books(Path(sys.argv[1])), time.sleep)
uses.add([Path("/a")])
print("uses it", flush=True)
sys.stdin.read()
"""

CROWDED = """
import resource, sys, time
from pathlib import Path
from cryocloud_core.errors import StagingError
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.uses import Uses
books, many = Books(Path(sys.argv[1])), [Path(f"/{at}") for at in range(100)]
uses = Uses(books, time.sleep)
uses.add([Path("/a")])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    uses.add(many)
except StagingError:
    print([path for path in many if uses.has(path)])
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """Give books of nothing."""
    return Books(tmp_path)


def user(books: Books) -> Uses:
    """Return what a task uses: nothing yet."""
    return Uses(books, time.sleep)


def is_used(books: Books, target: str = "/a") -> bool:
    """Return what somebody who uses nothing hears of a copy."""
    with user(books).shut() as told:
        return told(Path(target))


def lists(books: Books) -> int:
    """Return how many lists there are."""
    return len(list(books.folder("uses").iterdir()))


def test_a_copy_is_used_until_its_task_lets_go(books: Books) -> None:
    """By one of several tasks, by its own key alone; nothing stays."""
    one, other = user(books), user(books)
    one.add([Path("/a"), Path("/b")])
    other.add([Path("/a")])
    assert (is_used(books), is_used(books, "/b"), is_used(books, "/c")) == (True, True, False)
    one.clear()
    assert (is_used(books), is_used(books, "/b")) == (True, False)
    other.clear()
    other.clear()
    assert (is_used(books), lists(books)) == (False, 0)
    one.add([Path("/a")])
    assert is_used(books)
    one.clear()


def test_ones_own_use_counts_only_if_it_is_to(books: Books) -> None:
    """A sweep spares what its own task uses, a fetch may replace it."""
    own = user(books)
    own.add([Path("/a")])
    with own.shut() as told:
        assert told(Path("/a"))
    with own.shut(own_count=False) as told:
        assert not told(Path("/a"))
    own.clear()


def test_what_finds_no_room_in_the_list_is_not_used(books: Books) -> None:
    """A disk that takes a part of it: that is an error, and nothing counts as used of which others do not know."""
    command = [sys.executable, "-c", CROWDED, str(books.tempdir)]
    assert subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=PATIENCE_S).stdout == b"[]\n"


def test_a_list_that_cannot_be_removed_is_let_go_of(books: Books) -> None:
    """Something else lies where the lists were: nothing is held on to."""
    own = user(books)
    own.add([Path("/a")])
    folder = books.folder("uses")
    folder.rename(folder.with_name("away"))
    folder.touch()
    own.clear()
    folder.unlink()
    folder.with_name("away").rename(folder)
    assert not is_used(books)


def test_what_a_killed_process_used_is_free(books: Books) -> None:
    """And its list is taken away."""
    words = [sys.executable, "-c", USER, str(books.tempdir)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "uses it\n"
        assert (is_used(books), lists(books)) == (True, 1)
        process.kill()
    assert (is_used(books), lists(books)) == (False, 0)


def test_the_lists_of_the_dead_are_tidied(books: Books) -> None:
    """Those of the living stay, one's own too."""
    own, other = user(books), user(books)
    own.add([Path("/a")])
    other.add([Path("/b")])
    (books.folder("uses") / "dead").write_text("0123\n")
    with own.shut():
        own.tidy()
    assert (lists(books), is_used(books), is_used(books, "/b")) == (2, True, True)
    own.clear()
    other.clear()


def test_nobody_begins_while_the_gate_is_shut(books: Books) -> None:
    """Who is about to take a copy away knows that it stays unused."""
    task, waited = user(books), threading.Event()

    def pause(seconds: float) -> None:
        waited.set()
        time.sleep(seconds)

    task.pause = pause
    begins = threading.Thread(target=task.add, args=([Path("/a")],))
    with user(books).shut() as told:
        begins.start()
        assert waited.wait(PATIENCE_S)
        assert not told(Path("/a"))
    begins.join(PATIENCE_S)
    assert is_used(books)
    task.clear()


def test_a_wait_for_the_gate_can_be_stopped(books: Books) -> None:
    """What the pause raises comes out, and nothing is used."""
    task = user(books)

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    task.pause = stop
    with user(books).shut(), pytest.raises(KeyboardInterrupt):
        task.add([Path("/a")])
    assert not is_used(books)


def test_thousands_of_copies_need_one_descriptor(books: Books) -> None:
    """A task may use more copies than a process may open files."""
    before = psutil.Process().num_fds()
    task = user(books)
    for begin in range(0, 3000, 100):
        task.add(Path(f"/{number}") for number in range(begin, begin + 100))
    assert psutil.Process().num_fds() == before + 1
    assert (is_used(books, "/0"), is_used(books, "/2999"), is_used(books, "/3000")) == (True, True, False)
    task.clear()
    assert psutil.Process().num_fds() == before


def test_a_child_of_the_process_keeps_nothing_in_use(books: Books) -> None:
    """A module may have left children behind that hold all its descriptors."""
    task = user(books)
    task.add([Path("/a")])
    with subprocess.Popen(["sleep", "60"], pass_fds=[task._descriptor]) as child:
        task.clear()
        assert not is_used(books)
        child.kill()


def test_a_list_that_is_taken_for_a_dead_ones_is_begun_anew(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its making and its locking somebody may look."""
    task, real, looked = user(books), uses.lock_now, []

    def lock_late(descriptor: int) -> bool:
        if not looked:
            looked.append(True)
            for path in books.folder("uses").iterdir():
                assert not uses._is_alive(path)
        return real(descriptor)

    monkeypatch.setattr(uses, "lock_now", lock_late)
    task.add([Path("/a")])
    assert (is_used(books), lists(books), looked) == (True, 1, [True])
    task.clear()
