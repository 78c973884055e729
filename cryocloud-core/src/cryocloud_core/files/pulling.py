"""One try at the bytes of a file that are not here yet: as one stream, or as several ranges at a time.

Laws: every answer is compared with the version of the file that was begun with before a byte of it is written; more
than was promised is as wrong as less; memory holds one chunk of each stream, however large the file is.
"""

from __future__ import annotations

from collections import deque

from attrs import define, evolve

from cryocloud_core.errors import RemoteFileChanged, TransferError
from cryocloud_core.files.data import refuse_page
from cryocloud_core.files.errands import Errand, Watch
from cryocloud_core.files.following import algorithm_of
from cryocloud_core.files.hosts import Slots
from cryocloud_core.files.moving import Progress
from cryocloud_core.files.part import Part, differs, is_same, joined
from cryocloud_core.files.spans import pieces
from cryocloud_core.files.terms import Terms
from cryocloud_core.sdk.transfer import Incoming, RemoteFile, Transfer
from cryocloud_core.sdk.url import Url

#: a ranged read brings this part of the smallest file that is read so, and never more bytes than the next figure:
#: enough that its request costs nothing, so few that the streams end together
_PIECES_MIN = 8
_PIECE_MAX_BYTES = 64 * 1024 * 1024
_PIECES_PER_STREAM = 4


class RangesIgnoredError(TransferError):
    """A ranged read among others was answered with other bytes than were asked for."""


@define(eq=False)
class Pull:
    """Pulls the bytes of one file into its part."""

    terms: Terms
    transfer: Transfer
    url: Url
    part: Part
    slots: Slots
    progress: Progress
    #: False once ranges turned out to be ignored
    ranges: bool = True
    #: False when neither a length nor the answer itself told where the file ends
    knows_end: bool = True

    def begin(self, remote: RemoteFile) -> None:
        """Go on with what is here of this version of the file, or start anew. Raises StagingError."""
        before = self.part.done.total
        self.part.begin(evolve(remote, url=str(self.url)))
        self.progress.moved(self.part.done.total - before)
        self.progress.sized(remote.size_bytes)
        self._tell_whether_kept()

    def forget(self) -> None:
        """Drop what is here."""
        self.progress.moved(-self.part.done.total)
        self.part.forget()

    def run(self, watch: Watch) -> None:
        """Bring everything that is missing. Raises TransferError, StagingError; what came stays."""
        if self.part.is_complete:
            return
        with self.slots.more(self._streams() - 1) as further:
            if further:
                try:
                    self._in_streams(watch, further + 1)
                except RangesIgnoredError:
                    self._without_ranges()
        if not self.part.is_complete:
            self._in_one(watch)

    def _streams(self) -> int:
        """How many reads at a time this file is worth: several only where a version can be told from others."""
        remote, settings, abilities = self.part.remote, self.terms.settings, self.transfer.abilities
        if not (self._resumable() and remote.validator):
            return 1
        if remote.size_bytes is None or remote.size_bytes < settings.parallel_min_bytes:
            return 1
        return min(abilities.streams, settings.streams or abilities.streams)

    def _resumable(self) -> bool:
        return self.ranges and self.transfer.abilities.ranges

    def _tell_whether_kept(self) -> None:
        """Say whether the next try goes on from here: only with parts, and with something that tells versions apart."""
        remote = self.part.remote
        self.progress.kept(self._resumable() and remote.in_parts and bool(remote.validator or remote.checksum))

    def _without_ranges(self) -> None:
        remote = self.part.remote
        self.ranges = False
        self.forget()
        self.begin(remote)

    def _in_streams(self, watch: Watch, streams: int) -> None:
        missing = self.part.missing()
        least = max(1, self.terms.settings.parallel_min_bytes // _PIECES_MIN)
        share = sum(stop - start for start, stop in missing) // (streams * _PIECES_PER_STREAM)
        waiting = deque(pieces(missing, max(least, min(_PIECE_MAX_BYTES, share))))
        broken: list[TransferError] = []

        def stream(errand: Errand[None]) -> None:
            while waiting:
                try:
                    start, stop = waiting.popleft()
                except IndexError:  # another stream was faster
                    return
                try:
                    self._pull(errand, start, stop, alone=False)
                except TransferError as error:
                    if not error.repeat or isinstance(error, RangesIgnoredError | RemoteFileChanged):
                        raise
                    # What the others have on the way is worth waiting for.
                    broken.append(error)
                    return

        watch.all([stream] * min(streams, len(waiting)))
        if broken:
            raise broken[0]

    def _in_one(self, watch: Watch) -> None:
        while not self.part.is_complete:
            start, stop = self._next_gap()
            watch.call(lambda errand, start=start, stop=stop: self._pull(errand, start, stop, alone=True))  # type: ignore[misc]

    def _next_gap(self) -> tuple[int, int | None]:
        size = self.part.remote.size_bytes
        start, stop = (self.part.done.frontier, None) if size is None else self.part.missing()[0]
        return (start, stop) if self._resumable() else (0, size)

    def _pull(self, errand: Errand[None], start: int, stop: int | None, *, alone: bool) -> None:
        """Write the bytes of one answer. Raises TransferError when they are not exactly those that were asked for."""
        remote = self.part.remote
        last = None if stop == remote.size_bytes else stop
        errand.beat()
        with self.transfer.read(self.url, start, last, remote.validator) as incoming:
            with errand.moving():
                at, end = self._admit(incoming, start, stop, alone=alone)
            for chunk in incoming.chunks:
                if not chunk:
                    errand.look()
                    continue
                if end is not None and at + len(chunk) > end:
                    self._refuse_surplus(errand, at + len(chunk), end)
                with errand.moving():
                    self.progress.moved(self.part.write(chunk, at))
                at += len(chunk)
        self.knows_end = end is not None or incoming.tells_end
        self._close(errand, at, end)

    def _admit(self, incoming: Incoming, start: int, stop: int | None, *, alone: bool) -> tuple[int, int | None]:
        """Return where the bytes of an answer go and where they must end."""
        told = incoming.remote
        if algorithm_of(told.checksum) is None:
            refuse_page(self.url, told)
        if incoming.start not in (start, 0):
            raise self._error(f"answered from byte {incoming.start} instead of {start}")
        ignored = incoming.start != start
        if ignored and not alone:
            raise RangesIgnoredError("ignored a range", subject=str(self.url), repeat=True)
        self.ranges = self.ranges and not ignored
        self._tell_whether_kept()
        told = evolve(told, url=str(self.url))
        if differs(self.part.remote, told) or (ignored and not is_same(self.part.remote, told)):
            if incoming.start != 0 or not alone:
                raise RemoteFileChanged("is another file than before", subject=str(self.url))
            self.begin(told)
            return 0, told.size_bytes
        self.part.learn(joined(self.part.remote, told))
        self._tell_whether_kept()
        return incoming.start, stop if not ignored and stop is not None else self.part.remote.size_bytes

    def _refuse_surplus(self, errand: Errand[None], sent: int, end: int) -> None:
        """Drop everything: who sends more than it says is not to be believed in the rest either."""
        with errand.moving():
            self.ranges = False
            self.forget()
        raise RemoteFileChanged(f"sent {sent} bytes or more instead of {end}", subject=str(self.url), repeat=True)

    def _close(self, errand: Errand[None], at: int, end: int | None) -> None:
        if end is None:
            if at < self.part.done.end:
                raise RemoteFileChanged(f"ended after {at} bytes, after more had come", subject=str(self.url))
            with errand.moving():
                self.part.learn(evolve(self.part.remote, size_bytes=at))
        elif at < end:
            raise self._error(f"ended after {at} of {end} bytes")

    def _error(self, message: str) -> TransferError:
        return TransferError(message, subject=str(self.url), repeat=True)
