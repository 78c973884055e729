"""What a web server tells of a file, and a small one read whole.

Laws: the same whoever carries the requests; what is delivered is the file's own bytes, counted; a small file is of one
version: where it may have changed while it came, it is asked for again after its last byte.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from attrs import evolve

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import SMALL_BYTES, RemoteFile, SmallFile
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers import http_answers as answers
from cryocloud_core.transfers.http_asking import Answer, Asking
from cryocloud_core.transfers.http_url import name_of

#: what servers say to HEAD that they do not want to answer
NO_HEAD: Final = (400, 403, 405, 501)


async def stat(asking: Asking, url: Url) -> RemoteFile:
    """Return what the server tells of a file; one that does not answer HEAD is asked for the first byte."""
    return await _stat(asking, url, await asking.ask("HEAD", url, {}, (200, *NO_HEAD)))


async def _stat(asking: Asking, url: Url, head: Answer) -> RemoteFile:
    head.close()
    told = remote_of(head, url) if head.status == 200 else None
    if told is not None and told.size_bytes:
        return told
    # Some servers tell a HEAD the length of its own empty body.
    answer = await asking.ask("GET", url, {"Range": "bytes=0-0"}, (200, 206, 416))
    answer.close()
    found = remote_of(answer, url)
    return told if told is not None and told.size_bytes == found.size_bytes else found


async def small(asking: Asking, url: Url) -> SmallFile | None:
    """Return a file whole, None for one that is large, of unknown size, or was changed meanwhile."""
    answer = await asking.ask("GET", url, {}, (200,))
    try:
        remote = remote_of(answer, url)
        if remote.size_bytes is None or remote.size_bytes > SMALL_BYTES:
            return None
        content = b"".join([piece async for piece in pieces(answer, url, remote.size_bytes)])
    finally:
        answer.close()
    is_sure = not content or remote.validator is None or remote.checksum is not None or remote.immutable
    return SmallFile(remote, content) if is_sure or await _is_still(asking, url, remote) else None


async def _is_still(asking: Asking, url: Url, remote: RemoteFile) -> bool:
    """Return True when the server has that version still."""
    head = await asking.ask("HEAD", url, {}, (200, *NO_HEAD))
    if head.status == 200 and answers.length_of(head.headers) == remote.size_bytes:
        head.close()
        return answers.validator_of(head.headers) == remote.validator
    now = await _stat(asking, url, head)
    return (now.validator, now.size_bytes) == (remote.validator, remote.size_bytes)


def remote_of(answer: Answer, url: Url) -> RemoteFile:
    """Return what an answer tells of the whole file. Raises TransferError for one that is not to be understood."""
    _check_encoding(answer, url)
    if answer.status == 200:
        size = answers.length_of(answer.headers)
    elif answer.status == 416:
        size = answers.size_out_of_range(answer.headers)
    else:
        span = answers.span_of(answer.headers)
        if span is None:
            raise odd(answer, url, "a part")
        size = span.size
    remote = answers.remote_of(str(url), answer.headers, size, is_whole=answer.status == 200)
    return evolve(remote, immutable=True) if answer.settings.immutable else remote


def odd(answer: Answer, url: Url, what: str) -> TransferError:
    """Return the error of an answer whose range is not what was asked for."""
    told = f"{answer.url.server} answers {answer.status} with {what}: Content-Range"
    return TransferError(f"{told} {answer.headers.get('Content-Range')!r}", subject=str(url), repeat=True)


def _check_encoding(answer: Answer, url: Url) -> None:
    coding = answers.foreign_encoding(answer.headers, name_of(url))
    if coding is not None:
        raise TransferError(
            f"{answer.url.server} sends it in the coding {coding!r}, though asked for none",
            subject=str(url),
            remedy="have the server send files of that kind as they are",
        )


async def pieces(answer: Answer, url: Url, length: int | None) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of an answer. Raises TransferError when there are not as many as there should be."""
    count = 0
    if length != 0:
        async for piece in answer.pieces():
            count += len(piece)
            yield piece
    if length is not None and count != length:
        told = f"{answer.url.server} sent {count} bytes of {length}"
        raise TransferError(told, subject=str(url), repeat=True)
