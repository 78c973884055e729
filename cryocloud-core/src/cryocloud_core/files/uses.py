"""Which copies are used: one list for each task, which counts as long as its task lives.

Laws: a copy stands in a list before anybody relies on it; whoever would take copies away shuts the gate, looks into the
lists, and takes a copy's name away before the gate opens; a task has one descriptor for all the copies it
uses; they count as used until its end, however long it took; what a dead task used is free, and its list is taken away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import define, field

from cryocloud_core.files.bookkeeping import Books, key_of
from cryocloud_core.files.disk import told, write_all
from cryocloud_core.files.locks import FileLock, is_at, lock_now

#: seconds of use from which on its end is noted besides its begin: thousands of small files come in less
_NOTED_S = 1.0
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


@define(eq=False)
class Uses:
    """The copies that one task uses, and a look at those of all others. Used from several threads."""

    books: Books
    #: waits some seconds and raises to stop the waiting
    pause: Callable[[float], None]
    _keys: set[str] = field(factory=set)
    _list: Path | None = None
    _descriptor: int = -1
    _began: float = 0.0
    _lock: threading.Lock = field(factory=threading.Lock)

    def add(self, targets: Iterable[Path]) -> None:
        """Hold off everybody who would take copies away, until `clear`. Raises StagingError."""
        with self._lock:
            fresh = [key for key in map(key_of, targets) if key not in self._keys]
            if fresh:
                with FileLock(self._gate, shared=True).held(self.pause):
                    if self._list is None:
                        self._begin()
                    with told(self._gate):
                        write_all(self._descriptor, "".join(f"{key}\n" for key in fresh).encode())
                self._keys.update(fresh)

    def has(self, target: Path) -> bool:
        """Return True for a copy that this task uses."""
        return key_of(target) in self._keys

    def clear(self) -> None:
        """Let go of all copies."""
        with self._lock:
            if self._list is not None:
                self._touch()
                path, descriptor, self._list = self._list, self._descriptor, None
                self._keys.clear()
                with contextlib.suppress(OSError):  # what stays is the list of a dead one
                    path.unlink()
                with contextlib.suppress(OSError):
                    fcntl.flock(descriptor, fcntl.LOCK_UN)  # for copies of the descriptor in forked processes too
                os.close(descriptor)

    @contextlib.contextmanager
    def shut(self, *, own_count: bool = True) -> Iterator[Callable[[Path], bool]]:
        """Keep everybody from beginning to use a copy meanwhile; gives who tells whether a task uses one.

        With `own_count` false only another task than this.
        """
        with FileLock(self._gate).held(self.pause):
            yield lambda target: self._is_used(key_of(target), own_count=own_count)

    def tidy(self) -> None:
        """Take away the lists of the dead. Only while the gate is shut."""
        for path in self._others():
            _is_alive(path)

    def _touch(self) -> None:
        """Note that the copies were used until now: a next node that is handed a path of one comes from now on."""
        if time.monotonic() - self._began >= _NOTED_S:
            meta = self.books.root / "meta"
            for key in self._keys:
                with contextlib.suppress(OSError):
                    os.utime(meta / f"{key}.json")

    @property
    def _gate(self) -> Path:
        return self.books.folder("locks") / "gate"

    def _begin(self) -> None:
        while True:
            path = self.books.folder("uses") / uuid.uuid4().hex
            with told(path):
                descriptor = os.open(path, _NEW, 0o600)
                if lock_now(descriptor) and is_at(descriptor, path):
                    self._list, self._descriptor, self._began = path, descriptor, time.monotonic()
                    return
                os.close(descriptor)

    def _others(self) -> list[Path]:
        with os.scandir(self.books.folder("uses")) as entries:
            return [Path(entry.path) for entry in entries if entry.path != str(self._list)]

    def _is_used(self, key: str, *, own_count: bool) -> bool:
        if own_count and key in self._keys:
            return True
        for path in self._others():
            with contextlib.suppress(FileNotFoundError):  # its task has ended
                if key.encode() in path.read_bytes() and _is_alive(path):
                    return True
        return False


def _is_alive(path: Path) -> bool:
    """Return True when the task of a list lives; the list of a dead one is taken away."""
    lock = FileLock(path)
    if not path.exists() or not lock.take_now():
        return path.exists()
    lock.discard()
    return False
