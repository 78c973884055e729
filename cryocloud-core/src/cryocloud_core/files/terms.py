"""What every piece of the layer works under: settings, time and chance, the disk, and when to stop.

Laws: nothing in the layer reads a clock, sleeps, draws lots or writes a file but through these.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from attrs import field, frozen

from cryocloud_core.files.disk import Disk
from cryocloud_core.files.doubts import Doubts
from cryocloud_core.files.hands import Hands
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.moving import Moving

#: seconds after which a wait looks whether it is to stop
LOOK_S = 0.1


@frozen
class Clock:
    """Time and chance. `now` never goes back, `wall` is the time of day that files carry; `chance` is from 0 up to 1.

    `slice_s` is how many real seconds a wait for another thread goes on before it looks up.
    """

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    slice_s: float = LOOK_S


@frozen
class Terms:
    """Settings, clock, disk, threads, `check`, which raises when the work is to stop, who hears of progress, doubts."""

    settings: LayerSettings = field(factory=LayerSettings)
    check: Callable[[], None] = lambda: None
    clock: Clock = field(factory=Clock)
    disk: Disk = field(factory=Disk)
    hands: Hands = field(factory=Hands)
    told: Callable[[Moving], None] = lambda _: None
    doubts: Doubts = field(factory=Doubts)

    def pause(self, seconds: float) -> None:
        """Wait; what `check` raises ends the wait."""
        until = self.clock.now() + seconds
        self.check()
        while (left := until - self.clock.now()) > 0:
            self.clock.sleep(min(left, LOOK_S))
            self.check()

    def until(self) -> float:
        """Return the moment, by the clock, when a transfer that begins now has taken too long."""
        limit = self.settings.transfer_timeout_s
        return self.clock.now() + limit if limit else float("inf")
