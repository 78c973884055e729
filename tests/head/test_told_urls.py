"""What a head says of values that are URLs has no secrets of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from desk import Desk, Feed, literal, make_head, node, nothing, until

from cryocloud_core.graph.workflow import Workflow

if TYPE_CHECKING:
    from pathlib import Path


def test_a_wait_for_a_partner_tells_no_secret(tmp_path: Path) -> None:
    """While it lasts, and when nobody came."""
    url = literal("http://web/a?id=1&token=Zq123")
    nodes = {
        "A": node("A"),
        "B": node("B"),
        "WA": node("WA", "A"),
        "WB": node("WB", "B"),
        "Sync": node("Sync", "WA", "WB", module="communicate", args={"msgid": url}),
    }

    async def go() -> tuple[str, str]:
        feeds = {"A": Feed([{}], stays=True), "B": Feed([], stays=True)}
        head = make_head(Workflow("flow", "", nodes), tmp_path, Desk(nothing), feeds)
        running = asyncio.create_task(head.run())
        await until(lambda: head.view().blocked)
        [blocked] = head.view().blocked
        running_head: Any = head._running
        running_head.drain()
        await running
        return blocked.why, "\n".join(head.closing)

    waits, ended = asyncio.run(asyncio.wait_for(go(), 20))
    for text in (waits, ended):
        assert "id=1&token=•••" in text
        assert "Zq123" not in text
