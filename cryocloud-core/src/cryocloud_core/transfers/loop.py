"""The bridge between a transfer's callers, which are threads, and its connections, which live on one event loop.

Laws: a loop runs in one background thread, started by the first use and ended by `close`, after which it may be used
again; a caller that is interrupted takes its work on the loop with it; what is read ahead is bounded.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Sized
from concurrent.futures import CancelledError, Future
from contextlib import aclosing
from typing import Any, Generic, Self, TypeVar

from attrs import define, field

T = TypeVar("T")
#: bytes, or a list of what was found
PieceT = TypeVar("PieceT", bound=Sized)

#: seconds after which a reader that waits is given an empty piece, so that it can look whether it is to stop
BEAT_S = 0.25
#: seconds that the work still going on gets to end when its loop is closed
LAST_S = 5.0


@define(eq=False)
class BackgroundLoop:
    """An event loop in a thread of its own; used from several threads."""

    name: str
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    #: reentrant: what the garbage collector ends while we hold it may have something for the loop
    _lock: threading.RLock = field(factory=threading.RLock)

    @property
    def is_running(self) -> bool:
        """Whether its thread was started."""
        return self._loop is not None

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin work on the loop; the future's `cancel` stops it."""
        with self._lock:
            return asyncio.run_coroutine_threadsafe(work, self._running())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns. Whatever interrupts this thread while it waits stops the work."""
        future = self.submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[[], object]) -> None:
        """Have the loop call a function soon, unless it ended meanwhile."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """Cancel what goes on, wait until it ended, end the thread."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_end_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name=self.name, daemon=True)
            self._thread.start()
        return self._loop


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=LAST_S)


class Stream(Generic[PieceT]):
    """Pieces that are made on a loop and taken by one thread, which is given `empty` when nothing came for a while.

    The maker is held back while more than `limit` (the pieces' lengths together) wait to be taken. `over` is called on
    the loop when it ended, in whatever way. To be made on the loop.
    """

    def __init__(
        self,
        loop: BackgroundLoop,
        source: AsyncGenerator[PieceT, None],
        empty: PieceT,
        limit: int,
        over: Callable[[], object] = lambda: None,
    ) -> None:
        self._loop = loop
        self._empty = empty
        self._limit = limit
        self._over = over
        self._waiting: deque[PieceT] = deque()
        self._held = 0
        self._changed = threading.Condition()
        self._is_over = False
        self._error: BaseException | None = None
        self._room = asyncio.Event()
        self._making = asyncio.ensure_future(self._make(source))
        self._making.add_done_callback(self._ended)

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> PieceT:
        """Return the next piece, or `empty`. Raises what the source raised, CancelledError after `close`."""
        with self._changed:
            if not self._waiting and not self._is_over:
                self._changed.wait(BEAT_S)
            if self._waiting:
                return self._take()
            if not self._is_over:
                return self._empty
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Stop the source; what was read ahead is dropped. It need not have ended when this returns."""
        with self._changed:
            self._waiting.clear()
        self._loop.call(self._making.cancel)

    def _take(self) -> PieceT:
        piece = self._waiting.popleft()
        was_full = self._held > self._limit
        self._held -= len(piece)
        if was_full and self._held <= self._limit:
            self._loop.call(self._room.set)
        return piece

    async def _make(self, source: AsyncGenerator[PieceT, None]) -> None:
        async with aclosing(source):
            async for piece in source:
                self._add(piece)
                while self._is_full():
                    await self._room.wait()

    def _add(self, piece: PieceT) -> None:
        with self._changed:
            self._waiting.append(piece)
            self._held += len(piece)
            self._changed.notify()

    def _is_full(self) -> bool:
        with self._changed:
            self._room.clear()
            return self._held > self._limit

    def _ended(self, making: asyncio.Task[None]) -> None:
        error = CancelledError("closed meanwhile") if making.cancelled() else making.exception()
        with self._changed:
            self._error = error
            self._is_over = True
            self._changed.notify()
        self._over()
