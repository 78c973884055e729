"""What others put into an unpacked copy: a module's results beside its input, files that were changed in place.

Laws: a copy's marker is written last, so what changed after it is not as we unpacked it; the time of change (ctime) is
looked at, which nobody sets at will. A copy that was itself copied by others may look changed, never the reverse; what
cannot be looked into counts as what it may hold.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cryocloud_core.files.archives import MARKER, PRIVATE_PREFIX

#: the clock that a kernel takes the times of files from; it stands still for up to so many seconds
_FILE_CLOCK = getattr(time, "CLOCK_REALTIME_COARSE", 5)
_TICK_S = 0.01
#: a time of change after all others
_LATEST_NS = 1 << 63
#: how many names an error has room for
_NAMED = 3


def strange_in(folder: Path) -> Iterator[Path]:
    """Yield the files and links that others put into an unpacked copy, or changed in it; at any depth, in no order."""
    since_ns = _changed_ns(folder / MARKER)
    if not since_ns:  # its name was taken away this moment
        return
    for path, is_copy in _content(folder):
        if is_copy:
            yield from strange_in(path)
        elif _changed_ns(path) > since_ns:
            yield path


def count_in(folder: Path, until_ns: float = float("inf")) -> int:
    """Return how many files and links lie in a directory, at any depth, that did not change after a moment."""
    return sum(not is_copy and 0 < _changed_ns(path) <= until_ns for path, is_copy in _content(folder))


def held_in(folder: Path) -> tuple[int, int]:
    """Return how many files and links lie in a directory, at any depth, and how many bytes they hold."""
    sizes = [path.lstat().st_size for path, is_copy in _content(folder) if not is_copy]
    return len(sizes), sum(sizes)


def _content(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the files and links below a directory, without our own, and the unpacked copies, for what they are.

    A directory that somebody closed is yielded as if it were a file.
    """
    closed: list[OSError] = []
    for above, folders, names in os.walk(folder, onerror=closed.append):
        here = Path(above)
        links = [name for name in folders if os.path.islink(here / name)]  # noqa: PTH114 - Path's own raises
        yield from ((here / n, False) for n in (*names, *links) if n != MARKER and not n.startswith(PRIVATE_PREFIX))
        below = {name for name in folders if is_unpacked(here / name)}
        yield from ((here / name, True) for name in sorted(below))
        folders[:] = [name for name in folders if name not in below and not name.startswith(PRIVATE_PREFIX)]
    yield from ((Path(error.filename), False) for error in closed)


def is_unpacked(folder: Path) -> bool:
    """Return True for a directory with our marker, False for one that cannot be looked into."""
    return os.path.isfile(folder / MARKER)  # noqa: PTH113 - Path's own raises


def wait_out(changed_ns: int) -> None:
    """Wait until what is changed on a local disk bears a later time than something that was changed just now."""
    until = time.monotonic() + _TICK_S
    while time.clock_gettime_ns(_FILE_CLOCK) <= changed_ns and time.monotonic() < until:
        time.sleep(_TICK_S / 20)


def holds_strange(folder: Path) -> bool:
    """Return True for an unpacked copy in which others put or changed something."""
    return is_unpacked(folder) and any(True for _ in strange_in(folder))


def named(folder: Path) -> str:
    """Return for an error what others put into an unpacked copy; empty when there is nothing, and for what is none."""
    if not is_unpacked(folder):
        return ""
    found = [str(path.relative_to(folder)) for path in islice(strange_in(folder), _NAMED + 1)]
    return ", ".join(sorted(found[:_NAMED])) + (" and more" if len(found) > _NAMED else "")


def _changed_ns(path: Path) -> int:
    try:
        return path.stat(follow_symlinks=False).st_ctime_ns
    except FileNotFoundError:  # removed this moment
        return 0
    except OSError:
        return _LATEST_NS
