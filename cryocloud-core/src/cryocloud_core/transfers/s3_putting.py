"""Putting a file into S3: small ones as one request, large ones in parts, into a bucket that is made if it is missing.

Laws: an object appears whole or not at all, because either way ends in one request that makes it; every byte goes with
an MD5 that the server compares, and the whole with our SHA-256 in its metadata.
"""

from __future__ import annotations

import os
import threading

from cryocloud_core.errors import RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import Outgoing
from cryocloud_core.transfers.s3_access import Place
from cryocloud_core.transfers.s3_client import S3Client
from cryocloud_core.transfers.s3_errors import code_of
from cryocloud_core.transfers.s3_parts import PART_BYTES, Parts
from cryocloud_core.transfers.s3_sending import Sending


def put(client: S3Client, place: Place, outgoing: Outgoing, room: threading.BoundedSemaphore) -> None:
    """Send a file; `room` bounds the parts under way. Raises TransferError, OSError and what `moved` raises."""
    client.ready(place)
    descriptor = os.open(outgoing.path, os.O_RDONLY | os.O_CLOEXEC)
    sending = Sending(client, place, outgoing, descriptor)
    try:
        try:
            _send(sending, room)
        except RemoteFileMissing:
            make_bucket(client, place)
            sending.again()
            try:
                _send(sending, room)
            except RemoteFileMissing as error:  # made, and not to be seen yet
                raise TransferError(error.message, subject=str(place.url), repeat=True) from error
    finally:
        os.close(descriptor)


def _send(sending: Sending, room: threading.BoundedSemaphore) -> None:
    outgoing = sending.outgoing
    if outgoing.size_bytes > PART_BYTES:
        Parts(sending, room, outgoing.notes).run()
        return
    data = sending.read(0, outgoing.size_bytes)
    # Said before: who hears that they are sent and objects must find nothing of them there.
    sending.tell(len(data))
    sending.answer(sending.send("put_object", data, Metadata=sending.metadata)[0])


def make_bucket(client: S3Client, place: Place) -> None:
    """Make a bucket; one of ours that is there is fine. Raises TransferError."""
    region = client.access.region
    is_elsewhere = region not in (None, "us-east-1")
    more = {"CreateBucketConfiguration": {"LocationConstraint": region}} if is_elsewhere else {}
    try:
        client.call(place, "create_bucket", **more)
    except TransferError as error:
        if code_of(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
