"""What goes wrong with S3, as errors of ours: what the server answered, for which key id, and what can be done.

Laws: `repeat` is true only where the same request may succeed a moment later; a secret is never told, and of what a
server sends back only its own code and message.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from attrs import frozen
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as LineError

from cryocloud_core.errors import CryoCloudError, RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.transfers.s3_access import Access, Place

#: what a request may raise; anything else is a bug
RAISED = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, ValueError, CancelledError)
_OF_THE_LINE = (HTTPClientError, LineError, IncompleteReadError, aiohttp.ClientError, OSError)
#: a server's own words are cut after so many characters
_WORDS = 200


@frozen
class Meaning:
    """What a code of S3 means, with `{key}` for the key id in use, `{section}` for where it is configured."""

    says: str
    remedy: str = ""
    kind: type[TransferError] = TransferError
    repeat: bool = False


_REGION = Meaning("the bucket is in another region", "set {section}.region{region}")
_STALE = Meaning("the token of {key} has expired", "get a new one: aws_session_token")
_AGAIN = Meaning("{message}", repeat=True)
MEANINGS = {
    "NoSuchKey": Meaning("there is no such object", "a prefix is written with / at its end", RemoteFileMissing),
    # An answer without a body, as to HEAD, does not tell which of the two is missing.
    "404": Meaning("there is no such object or bucket", "a prefix is written with / at its end", RemoteFileMissing),
    "NoSuchBucket": Meaning('there is no bucket "{bucket}"', kind=RemoteFileMissing),
    "NoSuchUpload": Meaning("somebody else ended this upload", repeat=True),
    "PreconditionFailed": Meaning("it is another object than before", kind=RemoteFileChanged),
    "InvalidAccessKeyId": Meaning("the server does not know {key}", "correct {setting_of_key}"),
    "SignatureDoesNotMatch": Meaning("the secret is not the one that belongs to {key}", "correct {setting_of_secret}"),
    "AccessDenied": Meaning(
        '{key} may not {doing} in bucket "{bucket}"', "have it allowed{hidden}, or set another key below {section}"
    ),
    "ExpiredToken": _STALE,
    "TokenRefreshRequired": _STALE,
    "InvalidToken": _STALE,
    "RequestTimeTooSkewed": Meaning("this machine's clock is wrong, or the server's", "set the clock"),
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "BucketNotEmpty": Meaning('bucket "{bucket}" is not empty', "remove its objects first"),
    "InvalidBucketName": Meaning('"{bucket}" cannot be the name of a bucket', "3 to 63 of a-z, 0-9, - and ."),
    "BadDigest": _AGAIN,
    "IncompleteBody": _AGAIN,
    "InvalidPart": _AGAIN,
    "OperationAborted": _AGAIN,
    "RequestTimeout": _AGAIN,
    "XAmzContentSHA256Mismatch": _AGAIN,
}
#: codes that an answer without a body (to HEAD, or from something in between) has instead of S3's own
_BY_STATUS = {404: "404", 412: "PreconditionFailed", 301: "PermanentRedirect"}
#: HTTP statuses that pass
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


@frozen
class Asked:
    """One request: about what, to whom, as whom, and what it was to do (`read`, `write`, `list`, `remove`)."""

    place: Place
    access: Access
    doing: str
    key_id: str | None = None

    def error(self, error: BaseException) -> CryoCloudError:
        """Return what a request raised as an error of ours."""
        match error:
            case CryoCloudError():
                return error
            case ClientError():
                return self._answered(error)
            case CancelledError():
                return self._told("the transfer was closed meanwhile", repeat=True)
            case NoCredentialsError():
                return self._told(
                    f"there are no credentials for {self.access.endpoint}",
                    f"set {self.access.section}.aws_access_key_id and .aws_secret_access_key, or .anonymous = true",
                )
            case ParamValidationError():
                report = " ".join(str(error).split())[:_WORDS]
                if "bucket name" not in report:
                    return self._told(report)
                meaning = MEANINGS["InvalidBucketName"]  # the library's own text is a pattern
                return self._told(meaning.says.format(bucket=self.place.bucket), meaning.remedy)
            case ConnectTimeoutError():
                waited = f"{self.access.endpoint} let nobody in within {self.access.connect_timeout_s:g} s"
                return self._told(waited, repeat=True)
            case ReadTimeoutError() | TimeoutError():
                waited = f"{self.access.endpoint} sent nothing for {self.access.timeout_s:g} s"
                return self._told(waited, repeat=True)
        return self._unreached(error)

    def _answered(self, error: Any) -> TransferError:
        """Return the error of an answer that says no."""
        answer: dict[str, Any] = error.response
        told, meta = answer.get("Error", {}), answer.get("ResponseMetadata", {})
        status, headers = meta.get("HTTPStatusCode"), meta.get("HTTPHeaders", {})
        code = str(told.get("Code", ""))
        known = MEANINGS.get(code) or MEANINGS.get(_BY_STATUS.get(status, ""))
        meaning = known or Meaning("{message}", repeat=status in _PASSING)
        region = told.get("Region") or headers.get("x-amz-bucket-region")
        words = {
            "key": self._key(),
            "section": self.access.section,
            "setting_of_key": self._setting("aws_access_key_id", self.access.key_id_at),
            "setting_of_secret": self._setting("aws_secret_access_key", self.access.secret_at),
            "bucket": self.place.bucket,
            "doing": self.doing,
            # Amazon's servers tell what is missing only to who may list.
            "hidden": " (so is a missing object answered to who may not list)" if self.doing == "read" else "",
            "message": " ".join(str(told.get("Message", "")).split())[:_WORDS] or "no reason is given",
            "region": f' = "{region}"' if region else "",
        }
        shown = f"{status}" if code in ("", str(status)) else f"{status} {code}"
        return meaning.kind(
            f"{self.access.endpoint} answers {shown}: {meaning.says.format_map(words)}",
            subject=str(self.place.url),
            remedy=meaning.remedy.format_map(words),
            repeat=meaning.repeat,
            after_s=wait_of(headers.get("retry-after")),
        )

    def _unreached(self, error: BaseException) -> TransferError:
        """Return the error of a request that got no answer, or an answer that is none of HTTP's."""
        endpoint, section = self.access.endpoint, self.access.section
        for cause in causes(error):
            match cause:
                case ssl.SSLError() if "WRONG_VERSION" in str(cause) or "record layer" in str(cause):
                    return self._told(
                        f"{endpoint} does not speak TLS", f"set {section}.secure = false if it is to be so"
                    )
                case ssl.CertificateError():
                    why = getattr(getattr(cause, "certificate_error", cause), "verify_message", "no reason is given")
                    told = f"{endpoint} shows a certificate that is not trusted: {why}"
                    return self._told(told, "name its authority's file in AWS_CA_BUNDLE")
                case socket.gaierror():
                    passing = cause.errno == socket.EAI_AGAIN
                    return self._told(f"nobody knows the host {self.place.url.host}", "check its name", repeat=passing)
                case ConnectionRefusedError():
                    return self._told(f"nobody listens at {endpoint}", "look whether the server runs", repeat=True)
                case aiohttp.ClientResponseError():
                    told = f"{endpoint} does not answer like a web server"
                    return self._told(told, f"check the port, and {section}.secure")
        if not isinstance(error, _OF_THE_LINE):  # the library's own: a setting of Amazon's files, or its data
            return self._told(" ".join(str(error).split())[:_WORDS])
        # The library's own text would repeat the URL, with what is signed in it.
        last = list(causes(error))[-1]
        reason = str(last) if isinstance(last, OSError) and last.strerror else type(last).__name__
        return self._told(f"the connection to {endpoint} broke off: {reason}", repeat=True)

    def _key(self) -> str:
        if self.access.anonymous:
            return "an anonymous user"
        return f'the access key id "{self.key_id or self.access.key_id}"'

    def _setting(self, name: str, written: str) -> str:
        """Return where the user finds what is wrong with the credentials."""
        if self.access.key_id is not None:
            return written
        return f"{name.upper()}, or where else AWS' programs find it"

    def _told(self, message: str, remedy: str = "", *, repeat: bool = False) -> TransferError:
        return TransferError(message, subject=str(self.place.url), remedy=remedy, repeat=repeat)


def code_of(error: BaseException) -> str:
    """Return what S3 calls the refusal that an error tells of: a code, a status without a body, empty for others."""
    for cause in causes(error):
        if isinstance(cause, ClientError):
            return str(cause.response.get("Error", {}).get("Code", ""))
    return ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that led to it."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        inner = getattr(at, "kwargs", None)
        told = inner.get("error") if isinstance(inner, dict) else None
        at = told if isinstance(told, BaseException) else at.__cause__ or at.__context__


def wait_of(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, a number or a moment."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment.tzinfo else None
