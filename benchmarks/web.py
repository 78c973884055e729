"""A web server in a process of its own, for W4: `python benchmarks/web.py FOLDER` prints its port."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import web


async def serve(folder: str) -> None:
    """Serve a folder with ranges and validators, until killed."""
    application = web.Application()
    application.router.add_static("/", Path(folder))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
