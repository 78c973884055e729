"""The requests to one S3 server: s3fs makes the session and finds the credentials, the requests are plain S3 calls.

s3fs' own calls are not used: they take keys apart as paths, repeat by themselves without hearing Retry-After, turn
answers into OSErrors that no longer say what was answered, and commit files that are not whole.

Both take half a second to load, which processes that only need the fast data plane are spared.

Laws: nothing is repeated here but one request that met a connection which the server had closed meanwhile; whatever a
request raises leaves as an error of ours; the libraries below never log at DEBUG, where they write what they sign.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from attrs import define, field, frozen
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from cryocloud_core.errors import CryoCloudError
from cryocloud_core.transfers.loop import BackgroundLoop
from cryocloud_core.transfers.s3_access import Access, Place
from cryocloud_core.transfers.s3_errors import RAISED, Asked, code_of

if importlib.util.find_spec("s3fs") is None:
    raise ImportError("there is no s3fs", name="s3fs")

#: connections kept to one server; the layer's limits are far below
CONNECTIONS = 64
_TALKATIVE = ("botocore", "aiobotocore", "s3fs", "fsspec", "aiohttp")
#: what each request does, in the words of messages
_DOING = {
    "get_object": "read",
    "head_object": "read",
    "list_objects_v2": "list",
    "delete_object": "remove",
    "delete_bucket": "remove",
    "create_bucket": "make the",
}


@frozen
class Credentials:
    """What requests are signed with. `lasting` is False for those that change by themselves."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    lasting: bool = True


@define(eq=False)
class Sessions:
    """The one session of a transfer: what it read of how S3 is spoken, and found of credentials, serves all servers."""

    _made: Any = None

    def one(self) -> Any:
        """Return it, made when there is none."""
        if self._made is None:
            from aiobotocore.session import AioSession

            self._made = AioSession()
            # Of a listing half the time went into its dates.
            parsers = self._made.get_component("response_parser_factory")
            parsers.set_parser_defaults(timestamp_parser=_moment)
        return self._made


@define(eq=False)
class S3Client:
    """One server and how it is reached, with connections made by the first request. Used from several threads."""

    access: Access
    loop: BackgroundLoop
    sessions: Sessions = field(factory=Sessions)
    _files: Any = None
    _making: asyncio.Lock = field(factory=asyncio.Lock)

    def start(self, place: Place, operation: str, **arguments: Any) -> Future[dict[str, Any]]:
        """Begin a request; the future's `cancel` ends it, its result is as of `call`."""
        return self.loop.submit(self.ask(place, operation, **arguments))

    def call(self, place: Place, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a request. Raises RemoteFileMissing, RemoteFileChanged, TransferError."""
        return self.loop.run(self.ask(place, operation, **arguments))

    def ready(self, place: Place) -> None:
        """Prepare what the first request would have to wait for. Raises TransferError."""
        self.loop.run(self._prepare(place))

    async def ask(self, place: Place, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a request, on the loop. Raises as `call`."""
        try:
            return await self._send(operation, Bucket=place.bucket, **arguments)
        except RAISED as error:
            raise await self.explained(error, place, operation) from error

    async def head(self, place: Place) -> dict[str, Any]:
        """Return what the server tells of an object, on the loop. Raises as `call`.

        The answer to HEAD has no body, so that a refusal gives no reason: a read of one byte is refused with one.
        """
        try:
            return await self._send("head_object", Bucket=place.bucket, Key=place.key, ChecksumMode="ENABLED")
        except RAISED as error:
            if code_of(error) == "403":
                answer = await self.ask(place, "get_object", Key=place.key, Range="bytes=0-0")
                answer["Body"].close()
            raise await self.explained(error, place, "head_object") from error

    async def explained(self, error: BaseException, place: Place, operation: str) -> CryoCloudError:
        """Return what a request raised as an error of ours."""
        known = await self.credentials() if isinstance(error, ClientError) else None
        key_id = known.key_id if known is not None else None
        return Asked(place, self.access, _DOING.get(operation, "write"), key_id).error(error)

    async def credentials(self) -> Credentials | None:
        """Return what requests are signed with, on the loop; None for an anonymous user or if there is nothing."""
        access = self.access
        if access.anonymous:
            return None
        if access.key_id is not None and access.secret is not None:
            return Credentials(access.key_id, access.secret, access.token)
        try:
            found = await self.sessions.one().get_credentials()
            if found is None:
                return None
            now = await found.get_frozen_credentials()
        except (BotoCoreError, OSError):
            return None
        return Credentials(now.access_key, now.secret_key, now.token, not hasattr(found, "refresh_needed"))

    async def close(self) -> None:
        """Close the connections, on the loop."""
        if self._files is not None:
            await (await self._files.set_session()).close()
            self._files = None

    async def _prepare(self, place: Place) -> None:
        try:
            await self._calls()
        except RAISED as error:
            raise await self.explained(error, place, "put_object") from error

    async def _send(self, operation: str, **arguments: Any) -> dict[str, Any]:
        calls = await self._calls()
        call = getattr(calls, operation)
        try:
            answer: dict[str, Any] = await call(**arguments)
        except ConnectionClosedError:  # a connection that was kept, and that the server had given up meanwhile
            answer = await call(**arguments)
        return answer

    async def _calls(self) -> Any:
        """Return the S3 calls of the session, made when there is none."""
        async with self._making:
            if self._files is None:
                import s3fs

                _hush()
                self._files = s3fs.S3FileSystem(**self._arguments())
            return await self._files.set_session()

    def _arguments(self) -> dict[str, Any]:
        access = self.access
        return {
            "anon": access.anonymous,
            "endpoint_url": access.endpoint,
            "key": access.key_id,
            "secret": access.secret,
            "token": access.token,
            "use_ssl": access.is_secure,
            "client_kwargs": {} if access.region is None else {"region_name": access.region},
            "config_kwargs": {
                "connect_timeout": access.connect_timeout_s,
                "read_timeout": access.timeout_s,
                "max_pool_connections": CONNECTIONS,
                "retries": {"total_max_attempts": 1},
                "signature_version": "s3v4",
                # What is sent is signed with its MD5, which costs no second reading on the loop.
                "s3": {"addressing_style": "path", "payload_signing_enabled": False},
                # The content goes with its MD5 and comes with the checksums that the layer looks at; servers that are
                # not Amazon's refuse the trailers which are the default.
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
            "session": self.sessions.one(),
            "loop": asyncio.get_running_loop(),
            "asynchronous": True,
            "skip_instance_cache": True,
        }


def _hush() -> None:
    """Keep what requests are signed with out of logs that someone set to DEBUG as a whole."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)


def _moment(told: Any) -> datetime:
    """Return a moment that a server tells, also in the odder forms that botocore knows. Raises ValueError."""
    try:
        return datetime.fromisoformat(told)
    except (TypeError, ValueError):
        from botocore.utils import parse_timestamp  # 0.1 s to load, seldom needed

        moment: datetime = parse_timestamp(told)
        return moment
