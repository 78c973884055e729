"""The bridge between threads and a loop: order, bounds, errors, closing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import CancelledError

import pytest

from cryocloud_core.transfers.loop import BackgroundLoop, Stream


@pytest.fixture
def loop() -> Iterator[BackgroundLoop]:
    """Give a loop that is closed at the end."""
    made = BackgroundLoop("test")
    yield made
    made.close()


def stream(
    loop: BackgroundLoop, source: AsyncGenerator[bytes, None], limit: int = 100, over: object = None
) -> Stream[bytes]:
    """Return a stream of what a source makes."""

    async def begin() -> Stream[bytes]:
        return Stream(loop, source, b"", limit, *([over] if over else []))  # type: ignore[list-item]

    return loop.run(begin())


def test_work_is_done_on_one_other_thread(loop: BackgroundLoop) -> None:
    """Whoever asks; the result comes back, and what was raised."""

    async def where() -> int:
        return threading.get_ident()

    async def fail() -> None:
        raise KeyError("a")

    assert not loop.is_running
    assert {loop.run(where()) for _ in range(3)} == {loop.run(where())} != {threading.get_ident()}
    with pytest.raises(KeyError):
        loop.run(fail())


def test_a_closed_loop_starts_anew(loop: BackgroundLoop) -> None:
    """Closing ends its thread and what was going on."""
    waiting = loop.submit(asyncio.sleep(60))
    before = threading.active_count()
    loop.close()
    assert threading.active_count() == before - 1
    with pytest.raises(CancelledError):
        waiting.result(5)
    assert loop.run(asyncio.sleep(0, "again")) == "again"


def test_pieces_come_in_order(loop: BackgroundLoop) -> None:
    """All of them, then the end, again and again."""

    async def source() -> AsyncGenerator[bytes, None]:
        for at in range(1000):
            yield b"%d" % at

    made = stream(loop, source())
    assert [piece for piece in made if piece] == [b"%d" % at for at in range(1000)]
    assert list(made) == []


def test_the_source_waits_for_a_slow_reader(loop: BackgroundLoop) -> None:
    """No more than the limit and one piece is made ahead."""
    made = 0

    async def source() -> AsyncGenerator[bytes, None]:
        nonlocal made
        for _ in range(100):
            made += 1
            yield b"x" * 10

    pieces = stream(loop, source(), limit=50)
    time.sleep(0.2)
    assert made == 6
    assert len([piece for piece in pieces if piece]) == 100


def test_a_slow_source_is_heard_of(loop: BackgroundLoop) -> None:
    """An empty piece says that nothing came."""

    async def source() -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(1.0)
        yield b"late"

    pieces = list(stream(loop, source()))
    assert pieces[0] == b""
    assert pieces[-1] == b"late"


def test_what_was_made_comes_before_the_error(loop: BackgroundLoop) -> None:
    """Then what the source raised, once."""

    async def source() -> AsyncGenerator[bytes, None]:
        yield b"1"
        raise KeyError("a")

    pieces = stream(loop, source())
    assert next(piece for piece in pieces if piece) == b"1"
    with pytest.raises(KeyError):
        list(pieces)
    assert list(pieces) == []


def test_closing_stops_the_source_and_tells(loop: BackgroundLoop) -> None:
    """Wherever the source is; `over` is called once, also when not a single piece was made."""
    over = threading.Semaphore(0)
    ended = threading.Event()

    async def source() -> AsyncGenerator[bytes, None]:
        try:
            await asyncio.sleep(60)
            yield b""
        finally:
            ended.set()

    pieces = stream(loop, source(), over=over.release)
    time.sleep(0.05)
    pieces.close()
    pieces.close()
    assert over.acquire(timeout=5)
    assert ended.wait(5)
    assert not over.acquire(timeout=0.1)
    with pytest.raises(CancelledError):
        list(pieces)


def test_closing_the_loop_ends_its_streams(loop: BackgroundLoop) -> None:
    """A reader in another thread is told."""

    async def source() -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(60)
        yield b""

    pieces = stream(loop, source())
    closing = threading.Timer(0.1, loop.close)
    closing.start()
    with pytest.raises(CancelledError):
        list(pieces)
    closing.join()
