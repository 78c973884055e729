"""Small files read whole, or asked about, on a transfer's loop, several at a time, for the one thread that takes them.

Laws: no more are asked for at a time than were allowed, and no more wait to be taken than `AHEAD`; the first failure
that is not about one file alone ends it, as does a row of files that are left out; nothing goes on once it is closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from itertools import islice
from typing import TypeVar

from cryocloud_core.errors import RemoteFileChanged, TransferError
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.loop import BackgroundLoop, Stream

logger = logging.getLogger(__name__)

#: what is found of one file: it whole, or what is told of it
FoundT = TypeVar("FoundT")
#: asks for one file, on the loop; None for one that is left out
Reading = Callable[[Url], Coroutine[None, None, FoundT | None]]
#: files that may wait for a slow taker
AHEAD = 4
#: so many left out in a row say that the others are not small either: asking for each in vain is not free
MISSES = 8


def side_by_side(
    loop: BackgroundLoop,
    urls: Sequence[Url],
    streams: int,
    read: Reading[FoundT],
    failures: tuple[type[BaseException], ...],
) -> Generator[FoundT | None]:
    """Yield what `read` returns of each URL as it comes, None when nothing came for a moment.

    `failures` are what `read` raises when the server cannot be asked, errors of ours among them.
    """

    async def begin() -> Stream[tuple[FoundT, ...]]:
        return Stream(loop, _as_they_come(urls, streams, read), (), AHEAD)

    stream = loop.run(begin())
    try:
        for files in stream:
            yield from files or (None,)
    except failures as error:
        logger.debug("the rest of %d small files is asked for one by one: %s", len(urls), error)
    finally:
        stream.close()


async def _as_they_come(
    urls: Sequence[Url], streams: int, read: Reading[FoundT]
) -> AsyncGenerator[tuple[FoundT, ...], None]:
    waiting, misses = iter(urls), 0
    under_way = {asyncio.create_task(one(url, read)) for url in islice(waiting, streams)}
    try:
        while under_way:
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            errors = [error for task in done if (error := task.exception()) is not None]
            misses = 0 if any(task.exception() is None and task.result() for task in done) else misses + len(done)
            if not errors and misses < MISSES:
                under_way |= {asyncio.create_task(one(url, read)) for url in islice(waiting, len(done))}
            files = [task.result() for task in done if task.exception() is None]
            found = tuple(file for file in files if file is not None)
            if found:
                yield found
            if errors:
                raise errors[0]
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def one(url: Url, read: Reading[FoundT]) -> FoundT | None:
    """Return what `read` returns, None too where its error is about this file alone."""
    try:
        return await read(url)
    except TransferError as error:
        if error.repeat and not isinstance(error, RemoteFileChanged):
            raise
        return None
