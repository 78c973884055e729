"""Modules that workers have declined: such a worker does not get them for a while.

Laws: what a worker declined it is not given again before a pause is over, which grows while it goes on declining, or
its file has changed; a worker that was replaced has declined nothing; a module that all workers of a kind have declined
is lacking, and its tasks wait instead of being declined one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from attrs import define, field

from cryocloud_core.modules.stamps import NEVER, Stamp, read_stamped
from cryocloud_core.schedulers.slots import Slot
from cryocloud_core.task import Code

#: seconds that a module is withdrawn after the first time it was declined, and at most
FIRST_PAUSE_S, LAST_PAUSE_S = 60.0, 600.0
#: seconds between two looks at a withdrawn module's file
LOOK_S = 0.5


@define(eq=False)
class Withdrawal:
    """Why a worker declined a module, until when (loop time) it is not asked again, and how its file was then."""

    why: str
    until: float
    pause_s: float
    stamp: Stamp | None
    looked_at: float = 0.0

    def holds(self, path: str | None, now: float) -> bool:
        """Return True while the worker is not to be asked again."""
        if now >= self.until:
            return False
        if path is not None and self.stamp is not None and now - self.looked_at >= LOOK_S:
            self.looked_at = now
            self.stamp = self.stamp.renewed(path)
            if self.stamp is None:
                # What it says now is not known: ask.
                self.until = now
        return now < self.until


@define(eq=False)
class Withdrawals:
    """What the workers of one machine have declined. `over` is called when a pause has ended."""

    loop: asyncio.AbstractEventLoop
    over: Callable[[], None]
    _of: dict[Code, dict[Slot, Withdrawal]] = field(factory=dict)

    def __contains__(self, code: object) -> bool:
        """Return True for a module that some worker has declined and not taken since."""
        return bool(self._of) and code in self._of

    def declined(self, slot: Slot, code: Code, why: str) -> None:
        """A worker has declined a module."""
        known = self._of.setdefault(code, {})
        before = known.get(slot)
        pause = FIRST_PAUSE_S if before is None else min(LAST_PAUSE_S, 2 * before.pause_s)
        known[slot] = Withdrawal(why, self.loop.time() + pause, pause, _stamp(code), self.loop.time())
        self.loop.call_later(pause, self.over)

    def took(self, slot: Slot, code: Code) -> None:
        """A worker has taken a module: whatever it said before is forgotten."""
        known = self._of.get(code)
        if known is not None:
            known.pop(slot, None)
            if not known:
                del self._of[code]

    def gone(self, slot: Slot) -> None:
        """A worker is dead."""
        for code in list(self._of):
            self.took(slot, code)

    def why(self, slot: Slot, code: Code) -> str:
        """Return why a worker is not to be given a module now, empty when it may be."""
        found = self._of.get(code, {}).get(slot)
        return found.why if found is not None and found.holds(code.path, self.loop.time()) else ""


def _stamp(code: Code) -> Stamp | None:
    if code.path is None:
        return None
    try:
        return read_stamped(code.path)[0]
    except OSError:
        return NEVER
