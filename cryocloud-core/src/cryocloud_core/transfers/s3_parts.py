"""Sending a large file in parts, several at a time, that the server puts together at the end.

Laws: the object appears by the request that completes the upload; whatever ends it early aborts it, and what a killed
process left is aborted by the next upload from this machine; memory holds a few parts, however many files are sent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from attrs import define, field

from cryocloud_core.errors import TransferError
from cryocloud_core.transfers.s3_access import Place
from cryocloud_core.transfers.s3_client import S3Client
from cryocloud_core.transfers.s3_errors import code_of
from cryocloud_core.transfers.s3_sending import LOOK_S, Answering, Body, Sending
from cryocloud_core.transfers.unfinished import Note, Unfinished, of_the_dead

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
PART_BYTES = 8 * MIB
#: what S3 takes at most; the parts of a file that would have more are larger
MOST_PARTS = 10_000
#: parts of one file under way at a time, and of all files of this process
PARTS_OF_ONE = 4
PARTS_OF_ALL = 8
#: seconds for an abort to be answered; one that is not is made up for by the next upload
ABORT_S = 2.0


def part_bytes(size_bytes: int) -> int:
    """Return the size of the parts of a file: whole MiB, so that there are no more than S3 takes."""
    least = -(-size_bytes // MOST_PARTS)
    return max(PART_BYTES, -(-least // MIB) * MIB)


@define(eq=False)
class Parts:
    """One upload in parts. `room` bounds the parts of all files together, `notes` is where it is noted."""

    sending: Sending
    room: threading.BoundedSemaphore
    notes: Path | None = None
    _upload: str = ""
    _under_way: dict[Answering, tuple[int, Body]] = field(factory=dict)
    _done: list[dict[str, Any]] = field(factory=list)

    def run(self) -> None:
        """Send the file. Raises RemoteFileMissing without its bucket, TransferError and what `moved` raises."""
        sending = self.sending
        self._end_the_dead()
        # Not to be stopped in the middle: an upload whose name we do not hear is one that we cannot abort.
        asked = {"Key": sending.place.key, "Metadata": sending.metadata}
        self._upload = str(sending.client.call(sending.place, "create_multipart_upload", **asked)["UploadId"])
        note: Note | None = None
        is_over = False
        try:
            note = self._note()
            self._send_all()
            parts = {"Parts": sorted(self._done, key=lambda part: int(part["PartNumber"]))}
            sending.tell(sending.outgoing.size_bytes)
            sending.answer(sending.start("complete_multipart_upload", UploadId=self._upload, MultipartUpload=parts))
            is_over = True
        except BaseException:
            is_over = abort(sending.client, sending.place, self._upload)
            raise
        finally:
            if note is not None:
                note.close(is_over=is_over)

    def _send_all(self) -> None:
        waiting = self._spans()
        coming = next(waiting, None)
        try:
            while coming is not None or self._under_way:
                if coming is not None and self._has_room():
                    self._begin(*coming)
                    coming = next(waiting, None)
                else:
                    self._gather()
        finally:
            for future in self._under_way:
                future.cancel()

    def _spans(self) -> Iterator[tuple[int, int, int]]:
        """Yield number, start and size of each part."""
        size = self.sending.outgoing.size_bytes
        step = part_bytes(size)
        return ((start // step + 1, start, min(step, size - start)) for start in range(0, size, step))

    def _has_room(self) -> bool:
        """Take room for a part if there is some; who has no part under way waits for it."""
        if self._under_way:
            return len(self._under_way) < PARTS_OF_ONE and self.room.acquire(blocking=False)
        while not self.room.acquire(timeout=LOOK_S):
            self.sending.rest()
        return True

    def _begin(self, number: int, start: int, size: int) -> None:
        """Begin to send a part; its room is given back when it is sent, or will not be."""
        try:
            data = self.sending.read(start, size)
            future, body = self.sending.send("upload_part", data, UploadId=self._upload, PartNumber=number)
        except BaseException:
            self.room.release()
            raise
        future.add_done_callback(lambda _: self.room.release())
        self._under_way[future] = number, body

    def _gather(self) -> None:
        for future in self.sending.ended(self._under_way):
            number, body = self._under_way.pop(future)
            self._done.append({"PartNumber": number, "ETag": future.result()["ETag"]})
            self.sending.drop(body)

    def _note(self) -> Note | None:
        if self.notes is None:
            return None
        return Note.write(self.notes, Unfinished(self.sending.place.url, self._upload))

    def _end_the_dead(self) -> None:
        """Abort what processes that were killed left at this server."""
        if self.notes is None:
            return
        for note, unfinished in of_the_dead(self.notes, self.sending.place.url.endpoint):
            is_over = False
            try:
                is_over = abort(self.sending.client, Place.of(unfinished.url), unfinished.upload)
            finally:
                note.close(is_over=is_over)


def abort(client: S3Client, place: Place, upload: str) -> bool:
    """Abort an upload in parts; False, and a line in the log, when it is not known to be over."""
    future = client.start(place, "abort_multipart_upload", Key=place.key, UploadId=upload)
    try:
        future.result(ABORT_S)
    except (TransferError, TimeoutError, CancelledError) as error:
        if code_of(error) == "NoSuchUpload":
            return True
        logger.warning("the upload to %s could not be aborted: %s", place.url.shown, str(error) or "no answer")
        return False
    return True
