"""The conformance kit of transfers finds each broken promise, and says which."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from cryocloud_core.errors import RemoteFileChanged, RemoteFileMissing, TransferError
from cryocloud_core.sdk.transfer import (
    Abilities,
    Incoming,
    Outgoing,
    RemoteFile,
    Transfer,
    TransferConfig,
)
from cryocloud_core.sdk.url import Url
from cryocloud_core.testing.transfers import TransferConformance
from tests.testing.broken_side_by_side import BROKEN_SIDE_BY_SIDE, Together
from tests.testing.memory_transfer import Memory, MemoryPlace


class WrongSize(Memory):
    """Tells one byte too many."""

    def stat(self, url: Url) -> RemoteFile:
        """Tell it."""
        told = super().stat(url)
        return told if told.is_directory else attrs.evolve(told, size_bytes=(told.size_bytes or 0) + 1)


class MissingIsRepeated(Memory):
    """Asks to try a missing file again."""

    def stat(self, url: Url) -> RemoteFile:
        """Raise it."""
        try:
            return super().stat(url)
        except RemoteFileMissing as error:
            error.repeat = True
            raise


class MissingIsForeign(Memory):
    """Lets another library's error through."""

    def stat(self, url: Url) -> RemoteFile:
        """Raise it."""
        return RemoteFile(str(url), self.filesystem(url).info(self.path_of(url))["size"])


class RandomValidator(Memory):
    """Has a validator that says nothing."""

    def validator_of(self, info: dict[str, Any]) -> str | None:
        """Return another one each time."""
        return uuid.uuid4().hex


class FixedValidator(Memory):
    """Has a validator that never changes."""

    def validator_of(self, info: dict[str, Any]) -> str | None:
        """Return it."""
        return "always"


class CutChunks(Memory):
    """Loses the last byte."""

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Lose it."""
        incoming = super().read(url, start, stop, validator)
        whole = b"".join(incoming.chunks)
        return attrs.evolve(incoming, chunks=iter([whole[:-1]]))


class IgnoredRange(Memory):
    """Claims the start that was asked for and sends everything."""

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Send it."""
        return attrs.evolve(super().read(url, validator=validator), start=start)


class InclusiveStop(Memory):
    """Counts the stop in."""

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Send one more."""
        return super().read(url, start, None if stop is None else stop + 1, validator)


class IgnoredValidator(Memory):
    """Goes on in the middle of another version."""

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Send it."""
        return super().read(url, start, stop)


class Mixture(Memory):
    """Reads each piece from whatever has the name by then."""

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Read it piece by piece."""
        incoming = super().read(url, start, stop, validator)
        end, files, path = incoming.remote.size_bytes or 0, self.filesystem(url), self.path_of(url)
        pieces = (files.cat_file(path, at, at + 1000) for at in range(start, end, 1000))
        return attrs.evolve(incoming, chunks=pieces)


class DecodedNames(Memory):
    """Takes paths for escaped."""

    def path_of(self, url: Url) -> str:
        """Return what the escapes stand for."""
        return super().path_of(url).replace("%20", " ").partition("?")[0]


class FlatListing(Memory):
    """Lists one level."""

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Yield it."""
        top = str(url).rstrip("/")
        yield from (each for each in super().listing(url) if "/" not in each.url.removeprefix(f"{top}/"))


class EmptyDirectories(Memory):
    """Takes a directory for an empty file."""

    def stat(self, url: Url) -> RemoteFile:
        """Tell it."""
        return attrs.evolve(super().stat(url), is_directory=False)


class DirectPut(Memory):
    """Writes to the final name."""

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Write it."""
        files = self.filesystem(url)
        for count in self._sent(files, self.path_of(url), outgoing, url):
            outgoing.moved(count)


class LeavesDrafts(Memory):
    """Leaves its drafts."""

    def move(self, files: Any, old: str, new: str) -> None:
        """Copy it."""
        files.cp_file(old, new)
        files.cp_file(old, f"{old}-left")


class SilentPut(Memory):
    """Does not tell how far it is."""

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Put it."""
        super().put(attrs.evolve(outgoing, moved=lambda _: None), url)


class SwallowedStop(Memory):
    """Goes on when it is told to stop."""

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Put it."""

        def moved(count: int) -> None:
            try:
                outgoing.moved(count)
            except Exception as error:
                raise TransferError(str(error), subject=str(url)) from error

        super().put(attrs.evolve(outgoing, moved=moved), url)


class SharedDraft(Memory):
    """Has one draft for all."""

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Put it."""
        if outgoing.path.name != "source":
            content = outgoing.path.read_bytes()
            self.filesystem(url).pipe_file(self.path_of(url), content[: len(content) // 2])


class BlindRemove(Memory):
    """Removes all that begins so."""

    def remove(self, url: Url) -> None:
        """Remove it."""
        self.stat(url)
        files = self.filesystem(url)
        for path in files.find(self.path_of(url).rpartition("/")[0]):
            if path.endswith(("/a", "/ab")):
                files.rm_file(path)


class DishonestAbilities(Memory):
    """Denies what it does."""

    abilities = Abilities(ranges=True)


class MixedUp(Memory):
    """Gives one thread what another asked for."""

    last: ClassVar[list[Url]] = []

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Read the first file that was ever asked for."""
        self.last.append(url)
        return super().read(self.last[0], start, stop, validator)


class ClosedForGood(Memory):
    """Cannot be used after it was closed."""

    closed = False

    def stat(self, url: Url) -> RemoteFile:
        """Refuse."""
        if self.closed:
            raise TransferError("closed", subject=str(url))
        return super().stat(url)

    def close(self) -> None:
        """Close it."""
        self.closed = True


class NeedsSettings(Memory):
    """Cannot be made without a setting."""

    def __init__(self, config: TransferConfig) -> None:
        super().__init__(config)
        self.token = config.values["token"]


class PretendedFolders(Memory):
    """Says that it made a directory."""

    abilities = attrs.evolve(Memory.abilities, folders=True)

    def make_folder(self, url: Url) -> None:
        """Do nothing."""


class HiddenFolders(PretendedFolders):
    """Makes directories, and tells only files."""

    def make_folder(self, url: Url) -> None:
        """Make it."""
        self.filesystem(url).makedirs(self.path_of(url).rstrip("/"), exist_ok=True)


BROKEN: list[tuple[type[Transfer], str, type[BaseException]]] = [
    (WrongSize, "test_stat_tells_the_size", AssertionError),
    (WrongSize, "test_a_file_without_content_is_a_file", AssertionError),
    (MissingIsRepeated, "test_what_is_missing_is_told_as_missing", AssertionError),
    (MissingIsForeign, "test_what_is_missing_is_told_as_missing", FileNotFoundError),
    (RandomValidator, "test_a_validator_stays_while_the_file_does", AssertionError),
    (RandomValidator, "test_a_validator_that_holds_is_no_hindrance", RemoteFileChanged),
    (FixedValidator, "test_a_validator_changes_with_the_file", AssertionError),
    (CutChunks, "test_a_file_is_read_whole", AssertionError),
    (IgnoredRange, "test_a_range_is_answered_exactly", AssertionError),
    (InclusiveStop, "test_a_range_is_answered_exactly", AssertionError),
    (InclusiveStop, "test_ranges_at_the_same_time_make_the_whole", AssertionError),
    (IgnoredValidator, "test_another_version_is_not_taken_for_the_rest", AssertionError),
    (Mixture, "test_one_read_is_one_version", AssertionError),
    (DecodedNames, "test_names_are_kept_as_they_are", RemoteFileMissing),
    (DecodedNames, "test_names_are_put_as_they_are", AssertionError),
    (FlatListing, "test_a_listing_has_every_file", AssertionError),
    (EmptyDirectories, "test_a_directory_is_told_from_a_file", AssertionError),
    (DirectPut, "test_a_stopped_upload_leaves_what_was_there", AssertionError),
    (DirectPut, "test_an_upload_of_what_cannot_be_read_leaves_what_was_there", pytest.fail.Exception),
    (LeavesDrafts, "test_what_is_put_replaces_what_was_there", AssertionError),
    (SilentPut, "test_what_is_put_is_there", AssertionError),
    (SwallowedStop, "test_a_stopped_upload_leaves_what_was_there", TransferError),
    (SharedDraft, "test_uploads_at_the_same_time_do_not_mix", AssertionError),
    (BlindRemove, "test_what_is_removed_is_gone", AssertionError),
    (DishonestAbilities, "test_what_it_cannot_do_is_refused", pytest.fail.Exception),
    (PretendedFolders, "test_an_empty_directory_is_made", RemoteFileMissing),
    (HiddenFolders, "test_an_empty_directory_is_made", AssertionError),
    (MixedUp, "test_it_is_used_from_several_threads", AssertionError),
    *BROKEN_SIDE_BY_SIDE,
    (ClosedForGood, "test_it_can_be_used_after_it_was_closed", TransferError),
    (NeedsSettings, "test_it_is_made_without_settings", KeyError),
]


class Kit(TransferConformance):
    """The kit's tests, called one by one; not collected here."""

    __test__ = False


def run(test: str, transfer: Transfer, folder: Path) -> None:
    """Run one test of the kit as pytest would, for each of its parameters."""
    method: Callable[..., None] = getattr(Kit(), test)
    for is_there in (False, True) if "is_there" in inspect.signature(method).parameters else (None,):
        given = {"transfer": transfer, "place": MemoryPlace(), "tmp_path": folder, "is_there": is_there}
        method(**{name: given[name] for name in inspect.signature(method).parameters})


TESTS = [name for name in dir(TransferConformance) if name.startswith("test_")]


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("kind", [Memory, Together])
def test_a_transfer_without_a_fault_passes(kind: type[Transfer], test: str, tmp_path: Path) -> None:
    """Every test of the kit."""
    run(test, kind(TransferConfig()), tmp_path)


@pytest.mark.parametrize(("kind", "test", "error"), BROKEN)
def test_a_broken_promise_is_found(kind: type[Transfer], test: str, error: type[BaseException], tmp_path: Path) -> None:
    """By the test that names it."""
    made = kind(TransferConfig({"token": "x"}))
    with pytest.raises(error):
        run(test, made, tmp_path)


def test_each_test_of_the_kit_can_fail() -> None:
    """A test that no broken transfer makes fail would prove nothing; these two guard against crashes and leaks."""
    guards = {"test_an_answer_may_be_left_unread", "test_a_listing_of_nothing_finds_nothing"}
    assert set(TESTS) - {test for _, test, _ in BROKEN} == guards
