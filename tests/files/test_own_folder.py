"""Where all that the transfers keep lies, and that users of one temporary directory have a place each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files import bookkeeping
from cryocloud_core.files.own_folder import is_own_alone, own_folder
from cryocloud_core.files.service import FileService
from tests.files.folder_transfer import put, staged, zipped

ME = os.geteuid()
OTHER = ME + 1


def test_the_first_user_has_the_usual_name_and_each_other_one_of_its_own(tmp_path: Path) -> None:
    """What is nobody's yet is whoever's comes."""
    assert own_folder(tmp_path, OTHER) == tmp_path / "cc"
    (tmp_path / "cc").mkdir()

    assert own_folder(tmp_path) == own_folder(tmp_path, ME) == tmp_path / "cc"
    assert own_folder(tmp_path, OTHER) == tmp_path / f"cc-{OTHER}"


def test_a_user_who_began_apart_stays_apart(tmp_path: Path) -> None:
    """Though the usual name is free again: its copies and locks lie there."""
    (tmp_path / f"cc-{ME}").mkdir()
    assert own_folder(tmp_path) == tmp_path / f"cc-{ME}"
    (tmp_path / "cc").mkdir()
    assert own_folder(tmp_path) == tmp_path / f"cc-{ME}"


@pytest.mark.parametrize("name", ["cc", f"cc-{ME}"])
def test_a_link_or_file_of_our_own_is_not_passed_over(name: str, tmp_path: Path) -> None:
    """Whoever made it hears that it is no directory, instead of finding copies elsewhere."""
    (tmp_path / name).symlink_to(tmp_path)

    assert own_folder(tmp_path) == tmp_path / "cc"
    assert not is_own_alone(tmp_path / name)


def test_only_a_directory_that_others_cannot_write_to_is_ours_alone(tmp_path: Path) -> None:
    """What is not there is not, either."""
    folder = tmp_path / "cc"
    assert not is_own_alone(folder)
    folder.mkdir(mode=0o700)
    assert is_own_alone(folder)
    folder.chmod(0o720)
    assert not is_own_alone(folder)


@pytest.mark.skipif(ME != 0, reason="only root can give a directory away")
def test_a_second_user_of_one_temporary_directory_works_as_the_first(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """Copies, archives, books and sweeps; nothing of the first one is touched."""
    first = tmp_path / "tmp" / "cc"
    first.mkdir(parents=True, mode=0o700)
    os.chown(first, 4711, 4711)
    put(servers, "store/in/a.nc", "content")
    put(servers, "store/in/a.zip", zipped(b="2"))
    put(servers, "web/in/p.nc", "content")
    mine, files = tmp_path / "tmp" / f"cc-{ME}", machine()

    found = [staged(files, "s3://store/in/a.nc"), staged(files, "http://web/in/p.nc")]
    found += staged(files, "s3://store/in/a.zip", unzip=True)
    assert all(mine in Path(path).parents for path in found)
    assert staged(files, found[0]) == found[0]
    files.remote.release(sweep=False)
    machine(cache_max_bytes=1, cache_sweep_every=0, cache_keep=0).remote.layer.sweep()
    assert not any(Path(path).exists() for path in found)
    assert staged(machine(), found[0]) == found[0]
    assert not list(first.iterdir())


@pytest.mark.skipif(ME != 0, reason="only root can give a directory away")
def test_another_user_may_be_faster_by_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name was free when we looked, and is not when we make it."""

    def late(folder: Path) -> Path:
        if folder.name == "cc":
            folder.mkdir()
            os.chown(folder, 4711, 4711)
        return real(folder)

    real = bookkeeping._made
    monkeypatch.setattr(bookkeeping, "_made", late)
    assert bookkeeping.Books(tmp_path).folder("meta") == tmp_path / f"cc-{ME}" / "meta"


@pytest.mark.skipif(ME != 0, reason="only root can give a directory away")
def test_a_user_to_whom_others_leave_no_name_is_told(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """A directory that is called as ours and is not ours is never used."""
    for name in ("cc", f"cc-{ME}"):
        (tmp_path / "tmp" / name).mkdir(parents=True)
        os.chown(tmp_path / "tmp" / name, 4711, 4711)
    put(servers, "store/in/a.nc", "content")

    told = rf"cc-{ME}: is not a directory of our own user; set CryoCloud\.Worker\.tempdir"
    with pytest.raises(StagingError, match=told):
        staged(machine(), "s3://store/in/a.nc")
