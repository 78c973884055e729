"""What is read from S3: what a server tells of an object, its bytes in order, the objects below a prefix.

Laws: a checksum is told only where it is one of the whole content, so that an object that is right is never taken for
a wrong one; the bytes of one answer are those of one version of the object; keys come out as they were written.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import SMALL_BYTES, RemoteFile, SmallFile
from cryocloud_core.transfers.s3_access import Place
from cryocloud_core.transfers.s3_client import S3Client
from cryocloud_core.transfers.s3_errors import RAISED, code_of

#: the name of our own SHA-256 in an object's metadata, on the wire after `x-amz-meta-`
SHA256: Final = "cryocloud-sha256"
#: bytes are handed on by so many, or by what came within this time
PIECE_BYTES = 1024 * 1024
PIECE_S = 0.25
_HEX = re.compile(r"[0-9a-f]+")
_DIGITS: Final = {"sha256": 64, "sha1": 40, "md5": 32}
_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+)")


def remote_file(client: S3Client, place: Place, answer: Mapping[str, Any]) -> RemoteFile:
    """Return what an answer to HEAD or GET tells of an object, its size being that of the answer."""
    checksum = checksum_of(answer, etag_is_md5=client.access.etag_is_md5)
    return RemoteFile(str(place.url), answer.get("ContentLength"), answer.get("ETag"), checksum)


def checksum_of(answer: Mapping[str, Any], *, etag_is_md5: bool = True) -> str | None:
    """Return `algorithm:hex` of an object's whole content: ours, else the server's, else an ETag that is an MD5."""
    ours = own_checksum(answer.get("Metadata", {}))
    if ours is not None:
        return ours
    if answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        for algorithm in ("sha256", "sha1"):
            told = _unpacked(answer.get(f"Checksum{algorithm.upper()}", ""), algorithm)
            if told is not None:
                return told
    # An object encrypted with a key of its own has an ETag that looks like an MD5 and is none.
    is_plain = answer.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in answer
    return _labelled("md5", str(answer.get("ETag", "")).strip('"')) if is_plain and etag_is_md5 else None


def own_checksum(metadata: Mapping[str, Any]) -> str | None:
    """Return the checksum that we put into an object's metadata, None where there is none."""
    return _labelled("sha256", str(metadata.get(SHA256, "")).lower())


def labelled(remote: RemoteFile, *, etag_is_md5: bool) -> RemoteFile:
    """Return what is told of an object with its ETag as checksum, where that can be one and there is no other."""
    if remote.checksum is not None or not etag_is_md5:
        return remote
    return evolve(remote, checksum=_labelled("md5", (remote.validator or "").strip('"')))


def _labelled(algorithm: str, digest: str) -> str | None:
    is_one = len(digest) == _DIGITS[algorithm] and _HEX.fullmatch(digest)
    return f"{algorithm}:{digest}" if is_one else None


def _unpacked(encoded: str, algorithm: str) -> str | None:
    """Return a checksum of S3 (base64, of the parts' checksums where it ends in their number)."""
    try:
        return _labelled(algorithm, base64.b64decode(encoded, validate=True).hex())
    except binascii.Error:
        return None


@frozen
class Answer:
    """An answer with an object's bytes: what it tells of the whole object, where its bytes begin, and they.

    `close` is to be called on the loop, whether they were read or not.
    """

    remote: RemoteFile
    start: int
    pieces: AsyncGenerator[bytes, None]
    close: Callable[[], object]


async def stat(client: S3Client, place: Place) -> RemoteFile:
    """Return what the server tells of an object, a prefix or a bucket. Raises RemoteFileMissing, TransferError."""
    if not place.is_prefix:
        return remote_file(client, place, await client.head(place))
    found = await client.ask(place, "list_objects_v2", Prefix=place.key, MaxKeys=1)
    if place.key and not found.get("Contents"):
        raise RemoteFileMissing("there is no object below it", subject=str(place.url))
    return RemoteFile(str(place.url), is_directory=True)


async def opened(
    client: S3Client, place: Place, start: int = 0, stop: int | None = None, validator: str | None = None
) -> Answer:
    """Ask for bytes of an object. Raises RemoteFileMissing, RemoteFileChanged, TransferError."""
    wanted: dict[str, Any] = {"Key": place.key, "ChecksumMode": "ENABLED"}
    if start or stop is not None:
        wanted["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    if validator is not None:
        wanted["IfMatch"] = validator
    try:
        answer = await client.ask(place, "get_object", **wanted)
    except TransferError as error:
        if code_of(error) not in ("InvalidRange", "416"):
            raise
        return Answer(remote_file(client, place, await client.head(place)), start, _nothing(), lambda: None)
    try:
        remote, at = _placed(client, place, answer, validator)
    except BaseException:
        answer["Body"].close()
        raise
    return Answer(remote, at, _pieces(client, place, answer["Body"]), answer["Body"].close)


async def small(client: S3Client, place: Place) -> SmallFile | None:
    """Return a small object whole, None for a larger one. Raises RemoteFileMissing, TransferError."""
    answer = await opened(client, place)
    try:
        size = answer.remote.size_bytes
        if size is None or size > SMALL_BYTES:
            return None
        content = b"".join([piece async for piece in answer.pieces])
    finally:
        answer.close()
    return SmallFile(answer.remote, content) if len(content) == size else None


def _placed(client: S3Client, place: Place, answer: Mapping[str, Any], validator: str | None) -> tuple[RemoteFile, int]:
    """Return the object and where an answer's bytes begin in it."""
    if "ETag" not in answer:
        told = f"{client.access.endpoint} does not answer like an S3 server"
        raise TransferError(told, subject=str(place.url), remedy="check server and port")
    remote = remote_file(client, place, answer)
    if validator is not None and remote.validator != validator:  # some servers do not know If-Match
        raise RemoteFileChanged("is another object than before", subject=str(place.url))
    if answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
        return remote, 0
    found = _RANGE.fullmatch(str(answer.get("ContentRange", "")))
    if found is None:
        raise TransferError("does not say which bytes it sent", subject=str(place.url), repeat=True)
    return evolve(remote, size_bytes=int(found[2])), int(found[1])


async def _nothing() -> AsyncGenerator[bytes, None]:
    """Yield what lies behind the end of an object."""
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece


async def _pieces(client: S3Client, place: Place, body: Any) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    try:
        is_over = False
        while not is_over:
            parts, held, until = [], 0, loop.time() + PIECE_S
            while held < PIECE_BYTES and loop.time() < until:
                part = await body.read(PIECE_BYTES - held)
                if not part:
                    is_over = True
                    break
                parts.append(part)
                held += len(part)
            if parts:
                yield b"".join(parts)
    except RAISED as error:
        raise await client.explained(error, place, "get_object") from error


async def below(client: S3Client, place: Place) -> AsyncGenerator[list[RemoteFile], None]:
    """Yield the objects below a prefix by the page. Raises RemoteFileMissing for none at all, TransferError."""
    prefix = place.key if place.is_prefix else f"{place.key}/"
    base = str(place.url)
    base = base if base.endswith("/") else f"{base}/"
    more: dict[str, Any] = {}
    is_empty = True
    while True:
        page = await client.ask(place, "list_objects_v2", Prefix=prefix, **more)
        found = page.get("Contents", [])
        is_empty = is_empty and not found
        files = [_listed(base, each, prefix) for each in found]
        if files:
            yield files
        if not page.get("IsTruncated"):
            break
        more = {"ContinuationToken": page["NextContinuationToken"]}
    if is_empty and prefix:
        raise RemoteFileMissing("there is no object below it", subject=str(place.url))


def _listed(base: str, found: Mapping[str, Any], prefix: str) -> RemoteFile:
    """Return an object; one without content whose key ends in `/` is what other programs make for a directory."""
    url, size = base + str(found["Key"]).removeprefix(prefix), found.get("Size")
    return RemoteFile(url, size, found.get("ETag"), is_directory=url.endswith("/") and not size)
