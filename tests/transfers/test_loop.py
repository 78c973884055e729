"""The loop in the background, as its callers see it."""

from __future__ import annotations

import asyncio
import gc
import threading

from cryocloud_core.transfers.loop import BackgroundLoop


class Dropped:
    """A forgotten answer in a dead circle: its end has something for the loop, whenever the collector comes by."""

    def __init__(self, loop: BackgroundLoop) -> None:
        self.loop = loop
        self.itself = self

    def __del__(self) -> None:
        self.loop.call(lambda: None)


class Collected(BackgroundLoop):
    """A loop that has the collector come by while it begins work."""

    def _running(self) -> asyncio.AbstractEventLoop:
        Dropped(self)
        gc.collect()
        return super()._running()


def test_what_the_collector_ends_in_the_middle_of_a_call_blocks_nobody() -> None:
    """Work is begun under a lock; a collection right there may call the loop again from the same thread."""
    loop = Collected("test")
    user = threading.Thread(target=lambda: loop.run(asyncio.sleep(0)), daemon=True)
    user.start()
    user.join(20)
    assert not user.is_alive()
    loop.close()
