"""Status of other runs of this user on this machine: what their heads published, read from their files.

Laws: only channels that somebody asked for are read; files are only read, and only when they have changed; the
newest value wins where two state directories hold one channel.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from attrs import define, field

from cryocloud_core.errors import StateError
from cryocloud_core.head.board import StatusValue, channel_of
from cryocloud_core.head.state_dirs import state_dirs, state_root
from cryocloud_core.head.status_store import STATUS_FILE, read_values

#: seconds between two looks: a restriction is judged at least once a second
EVERY_S: Final = 0.5


@define(eq=False)
class Foreign:
    """Reads the channels of other heads and tells `told` what changed, on its own thread."""

    own: Path
    told: Callable[[list[StatusValue]], None]
    channels: set[str] = field(factory=set)
    _seen: dict[Path, tuple[tuple[int, int], ...]] = field(factory=dict)
    _thread: threading.Thread | None = None
    _over: threading.Event = field(factory=threading.Event)

    def follow(self, channels: Iterable[str]) -> list[StatusValue]:
        """Keep an eye on these channels from now on; return what they hold now."""
        self.channels |= set(map(channel_of, channels))
        self._seen.clear()
        found = self.look()
        if self.channels and self._thread is None:
            self._thread = threading.Thread(target=self._look_forever, name="foreign status", daemon=True)
            self._thread.start()
        return found

    def look(self) -> list[StatusValue]:
        """Return the values of the followed channels in every file that changed since the last look."""
        newest: dict[tuple[str, str], StatusValue] = {}
        for path in self._files():
            for each in self._read(path):
                key = (each.channel, each.parameter)
                if each.channel in self.channels and (key not in newest or newest[key].at < each.at):
                    newest[key] = each
        return list(newest.values())

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(EVERY_S + 1)

    def _files(self) -> list[Path]:
        roots = {self.own.parent, state_root()}
        own = self.own.resolve()
        return [each / STATUS_FILE for root in roots for each in state_dirs(root) if each.resolve() != own]

    def _read(self, path: Path) -> list[StatusValue]:
        looks = tuple(_look_at(path.with_name(path.name + more)) for more in ("", "-wal"))
        if self._seen.get(path) == looks:
            return []
        try:
            found = read_values(path)
        except (StateError, sqlite3.Error, ValueError):
            # Another head is just making or replacing its file: it is read at the next look.
            return []
        self._seen[path] = looks
        return found

    def _look_forever(self) -> None:
        while not self._over.wait(EVERY_S):
            found = self.look()
            if found:
                with contextlib.suppress(RuntimeError):  # the loop has closed: the run is over
                    self.told(found)


def _look_at(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - twice a second for every state directory
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
