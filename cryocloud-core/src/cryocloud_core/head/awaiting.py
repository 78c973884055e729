"""Waiting, from outside, until a head has ended, and reading what its runs came to.

Laws: read-only; a head has ended when its state directory can be had by the next one; another head that has begun there
meanwhile is not waited for.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from cryocloud_core.errors import CryoCloudError
from cryocloud_core.head.asking import ask
from cryocloud_core.head.lock import is_locked
from cryocloud_core.head.reading import open_journal
from cryocloud_core.head.results import GIVEN_UP

#: seconds between two looks: first, and at most
_FIRST_S: Final = 0.05
_MOST_S: Final = 1.0
#: a head that does not answer within this many seconds is still there
_ANSWER_S: Final = 5.0

_RUNS: Final = "SELECT max(run) FROM runs WHERE workflow = ?"
_ENDED: Final = "SELECT exit_code FROM runs WHERE run = ? AND ended_at IS NOT NULL"
_COUNT: Final = "SELECT result, count(*) FROM pebbles WHERE run = ? AND result <> '' GROUP BY result"


@frozen
class OneHead:
    """A head that answered: its process, which start of its state directory it is, and the numbers of its runs."""

    directory: Path
    pid: int
    start: int
    runs: tuple[int, ...]


@frozen
class CameTo:
    """What runs came to; `exit_code` is None when they did not end by themselves, so that the next start goes on."""

    exit_code: int | None
    done: int
    failed: int
    cancelled: int


def head_of(directory: Path) -> OneHead | None:
    """Return the head that runs over a state directory, None when none does. Raises StateError."""
    answer = ask(directory, "status")
    if answer is None:
        return None
    names = answer["view"]["workflows"]
    with closing(open_journal(directory)) as connection:
        numbers = [connection.execute(_RUNS, (name,)).fetchone()[0] for name in names]
    runs = tuple(number for number in numbers if number is not None)
    return OneHead(directory, answer["pid"], answer["start"], runs)


def wait_for_end(head: OneHead, within_s: float | None) -> bool:
    """Return True once a head has ended, False when it is still there after `within_s` seconds (None: wait on)."""
    deadline = None if within_s is None else time.monotonic() + within_s
    pause = _FIRST_S
    while _is_there(head):
        left = pause if deadline is None else min(pause, deadline - time.monotonic())
        if left <= 0:
            return False
        time.sleep(left)
        pause = min(_MOST_S, pause * 1.5)
    return True


def came_to(head: OneHead) -> CameTo:
    """Return what the runs of a head that has ended came to. Raises StateError."""
    codes: list[int | None] = []
    counts: Counter[str] = Counter()
    with closing(open_journal(head.directory)) as connection:
        for number in head.runs:
            row = connection.execute(_ENDED, (number,)).fetchone()
            codes.append(None if row is None else row[0])
            counts.update(dict(connection.execute(_COUNT, (number,))))
    ended = [code for code in codes if code is not None]
    code = max(ended, default=0) if len(ended) == len(codes) else None
    cancelled = sum(counts[result] for result in GIVEN_UP)
    return CameTo(code, counts.total(), counts.total() - counts["success"] - cancelled, cancelled)


def _is_there(head: OneHead) -> bool:
    try:
        answer: dict[str, Any] | None = ask(head.directory, "status", _ANSWER_S)
    except CryoCloudError:
        # It is busy, or in the middle of its end.
        return True
    if answer is not None:
        return (answer["pid"], answer["start"]) == (head.pid, head.start)
    return is_locked(head.directory)
