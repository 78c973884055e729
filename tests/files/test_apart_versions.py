"""Archives beside which nothing can be put, that are replaced or taken away: what their copies still stand for."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files.service import FileService
from cryocloud_core.files.sweeping import LEFTOVER_S
from cryocloud_core.files.unpacked import Stamp
from tests.files.closed_archives import archived, handed_on, used_at
from tests.files.folder_transfer import staged

DAY_S = 24 * 3600.0


def test_a_newer_version_comes_beside_the_older_one(closed: Path, machine: Callable[..., FileService]) -> None:
    """A task may be in the middle of that, and another may have been handed a path in it."""
    archive = closed / "a.zip"
    old = handed_on(machine(), archived(archive, one="old"))
    new = handed_on(machine(), archived(archive, one="newer", two="2"))
    assert (old.read_text(), new.read_text()) == ("old", "newer")
    assert staged(machine(), str(old)) == str(old)
    assert handed_on(machine(), archive) == new


def test_another_version_is_never_put_where_the_swept_one_was(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None], tmp_path: Path
) -> None:
    """Whoever was handed that path is told, and given nothing; that the original comes back is enough."""
    archive = archived(closed / "a.zip", one="old")
    times = archive.stat().st_mtime_ns
    path = handed_on(machine(), archive)
    sweep_later()
    archived(archive, one="newer")
    for _ in range(2):
        with pytest.raises(
            StagingError, match=rf"argument 'a': {path} was a copy .*: {archive}: is another version than was unpacked"
        ):
            staged(machine(), str(path))
        assert not path.exists()
    new = handed_on(machine(), archive)
    assert (new.read_text(), new != path) == ("newer", True)

    archived(archive, one="old")
    os.utime(archive, ns=(times, times))
    assert Path(staged(machine(), str(path))).read_text() == "old"


def test_what_has_no_archive_any_more_is_told_with_both_places(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None]
) -> None:
    """Which path is missing, and what it came out of."""
    archive = archived(closed / "a.zip", one="1")
    path = handed_on(machine(), archive)
    sweep_later()
    archive.unlink()
    with pytest.raises(StagingError, match=rf"argument 'a': {path} was a copy .*: {archive}: is gone"):
        staged(machine(), str(path))
    with pytest.raises(StagingError, match=rf"{archive}: does not exist"):
        staged(machine(), str(archive), unzip=True)


def test_a_copy_stands_for_an_archive_that_is_gone(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None]
) -> None:
    """And is in use; a repeat of a task comes after somebody took the archive away."""
    archive = archived(closed / "a.zip", one="1")
    path = handed_on(machine(), archive)
    archive.unlink()
    user = machine()
    assert staged(user, str(archive), unzip=True) == [str(path)]
    assert user.unpacked_directory(str(archive)) == str(path.parent)
    sweep_later()
    assert path.exists()


def test_an_older_version_does_not_stand_for_one_that_is_gone(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None], tmp_path: Path
) -> None:
    """That is here still, for somebody uses it, and the last one made room."""
    archive = archived(closed / "a.zip", one="old")
    user = machine()
    [old] = staged(user, str(archive), unzip=True)
    new = handed_on(machine(), archived(archive, one="newer"))
    sweep_later()
    assert (Path(old).exists(), new.exists()) == (True, False)
    archive.unlink()
    with pytest.raises(StagingError, match=rf"{archive}: does not exist"):
        staged(machine(), str(archive), unzip=True)


@pytest.mark.parametrize("change", ["gone", "another version"])
def test_what_cannot_be_had_again_goes_after_all_others_for_a_day(
    change: str, closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None], tmp_path: Path
) -> None:
    """Then it goes in its turn; where there is no other way it goes before, so that no disk is filled."""
    first, second = archived(closed / "a.zip", f="x" * 60_000), archived(closed / "b.zip", f="x" * 60_000)
    path, other = handed_on(machine(), first), handed_on(machine(), second)
    first.unlink() if change == "gone" else archived(first, f="newer")
    used_at(tmp_path, path, 7200)
    used_at(tmp_path, other, 3600)
    sweep_later(cache_max_bytes=100_000)
    assert (path.exists(), other.exists()) == (True, False)

    assert handed_on(machine(), second) == other
    sweep_later(ahead_s=LEFTOVER_S, cache_max_bytes=100_000)
    assert (path.exists(), other.exists()) == (False, True)
    second.unlink()
    sweep_later()
    assert not other.exists()


def test_an_archive_that_is_not_to_be_kept_cannot_be_removed(
    closed: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """What can make room must not be all there is; what is no archive stays anyhow."""
    archive = archived(closed / "a.zip", one="1")
    with pytest.raises(StagingError, match=r'a\.zip: cannot be removed: its directory is read-only; leave out "keep"'):
        staged(machine(), str(archive), unzip=True, keep=False)
    (closed / "b.zip").write_text("plain")
    assert staged(machine(), str(closed / "b.zip"), unzip=True, keep=False) == [str(closed / "b.zip")]
    assert sorted(path.name for path in closed.iterdir()) == ["a.zip", "b.zip"]


def test_where_something_can_be_put_beside_an_archive_by_now_it_is_unpacked_there(
    closed: Path, machine: Callable[..., FileService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only then may the archive go: its copy below the temporary directory may go any time."""
    archive = archived(closed / "a.zip", one="1")
    apart = handed_on(machine(), archive)
    monkeypatch.undo()
    beside = handed_on(machine(), archive, keep=False)
    assert beside == closed / "a" / "one"
    assert (archive.exists(), apart.exists()) == (False, True)
    assert staged(machine(), str(archive), unzip=True) == [str(beside)]


def test_a_copy_beside_an_archive_is_used_also_where_none_could_be_put(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None]
) -> None:
    """Its owner may have put it there; it is never swept."""
    archive = archived(closed / "a.zip", one="1")
    with zipfile.ZipFile(archive) as held:
        held.extractall(closed / "a")
    Stamp.of(archive).write(closed / "a")
    assert staged(machine(), str(archive), unzip=True) == [str(closed / "a" / "one")]
    sweep_later(ahead_s=2 * DAY_S)
    assert (closed / "a" / "one").exists()


def test_an_archive_that_changes_while_it_is_unpacked_is_told_and_leaves_nothing(
    closed: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """Nobody knows which version that would be."""
    archive = archived(closed / "a.zip", one="1")

    def check() -> None:
        archived(archive, one="1", two="2")

    with pytest.raises(StagingError, match=rf"argument 'a': {archive}: was changed while it was unpacked"):
        staged(machine(check), str(archive), unzip=True)
    assert not list((tmp_path / "tmp/cc/unpacked").rglob("one"))
    assert [path.name for path in map(Path, staged(machine(), str(archive), unzip=True))] == ["one", "two"]


@pytest.mark.parametrize(
    "name",
    [
        "..zip",
        "a?b#c%41.zip",
        "n\nl.zip",
        "no extension",
        ".hidden.zip",
        os.fsdecode(b"a\xff.zip"),
        f"a%{'0' * 32}.zip",
    ],
    ids=range(7),
)
def test_archives_of_odd_names_are_unpacked_once_and_had_again(
    name: str, closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None]
) -> None:
    """To one place, which stands for the archive also when that is gone."""
    archive = archived(closed / name, one="1")
    path = handed_on(machine(), archive)
    assert [handed_on(machine(), archive) for _ in range(4)] == [path] * 4
    sweep_later()
    assert not path.exists()
    assert handed_on(machine(), archive) == path
    archive.unlink()
    assert handed_on(machine(), archive) == path
    assert path.read_text() == "1"
