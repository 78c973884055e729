"""Archives beside which nothing can be put: their unpacked copies are a cache, swept and had again as others are."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import ArchiveError, StagingError
from cryocloud_core.files import archives, durable, uses
from cryocloud_core.files.archives import PRIVATE_PREFIX
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.service import FileService
from cryocloud_core.files.tidying import SWEPT_S
from tests.files.closed_archives import archived, handed_on, used_at
from tests.files.folder_transfer import put, staged, zipped

PATIENCE_S = 20.0
NOBODY = 65534
DAY_S = 24 * 3600.0


def test_a_copy_makes_room_and_is_unpacked_again_when_it_is_asked_for(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None], tmp_path: Path
) -> None:
    """It leaves no empty directory; the archive stays as it is, and what it held comes back to where it was."""
    archive = archived(closed / "a.zip", one="1", two_a="2")
    path = handed_on(machine(), archive)
    assert path.is_relative_to(tmp_path / "tmp/cc/unpacked")
    sweep_later()
    assert not (tmp_path / "tmp/cc/unpacked").exists()

    assert handed_on(machine(), archive) == path
    assert path.read_text() == "1"
    assert [each.name for each in closed.iterdir()] == ["a.zip"]


def test_copies_are_counted_and_the_longest_unused_go_first(
    closed: Path, servers: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None], tmp_path: Path
) -> None:
    """By what they take on the disk, together with those of remote archives."""
    put(servers, "store/in/b.zip", zipped(f="x" * 60_000))
    local = [handed_on(machine(), archived(closed / f"{n}.zip", f="x" * 60_000)) for n in range(3)]
    [remote] = staged(machine(), "s3://store/in/b.zip", unzip=True)
    paths = [local[0], local[1], Path(remote), local[2]]
    for number, path in enumerate(paths):
        used_at(tmp_path, path, 4000 - number * 1000)

    sweep_later(cache_max_bytes=150_000)
    assert [path.exists() for path in paths] == [False, False, True, True]


def test_a_task_that_uses_a_copy_keeps_it(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None]
) -> None:
    """Whoever unpacked it, whoever found it unpacked, and whoever was only handed its path."""
    archive = archived(closed / "a.zip", one="1")
    path = handed_on(machine(), archive)
    sweep_later()
    for how in ({"unzip": True}, {"unzip": True}, {}):
        user = machine()
        assert staged(user, str(archive if how else path), **how) == ([str(path)] if how else str(path))
        sweep_later()
        assert path.read_text() == "1"
        user.remote.release(sweep=False)
    sweep_later()
    assert not path.exists()


def test_a_copy_that_was_used_lately_stays(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None], tmp_path: Path
) -> None:
    """A next node may have been handed its path; each use counts, also one that found it here."""
    archive = archived(closed / "a.zip", one="1")
    path = handed_on(machine(), archive)
    used_at(tmp_path, path, 700)
    handed_on(machine(), archive)
    sweep_later(cache_keep=600)
    assert path.exists()
    used_at(tmp_path, path, 700)
    sweep_later(cache_keep=600)
    assert not path.exists()


def test_a_copy_counts_as_used_until_its_task_ends(
    closed: Path,
    machine: Callable[..., FileService],
    sweep_later: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next node is handed its path then, however long ago the use began."""
    monkeypatch.setattr(uses, "_NOTED_S", 0)
    files = machine()
    [path] = staged(files, str(archived(closed / "a.zip", one="1")), unzip=True)
    used_at(tmp_path, Path(path), 7200)
    files.remote.release(sweep=False)
    sweep_later(cache_keep=600)
    assert Path(path).exists()
    sweep_later(ahead_s=700, cache_keep=600)
    assert not Path(path).exists()


def test_the_task_that_unpacks_makes_room_at_its_end(closed: Path, machine: Callable[..., FileService]) -> None:
    """A system that only has such archives never fetches anything, and does not fill its disk."""
    paths = []
    for number in range(4):
        files = machine(cache_max_bytes=1, cache_sweep_every=0, cache_keep=0)
        paths += staged(files, str(archived(closed / f"{number}.zip", f="x")), unzip=True)
        files.remote.release()
    assert [Path(path).exists() for path in paths] == [False, False, False, True]


@pytest.mark.parametrize("name", ["one", "two/a", "two", ""])
def test_a_path_of_what_was_swept_is_there_for_the_next_node(
    name: str,
    closed: Path,
    machine: Callable[..., FileService],
    sweep_later: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file at the top or deeper, a directory, all of it; unpacked once for many that come at once, and in use."""
    archive = archived(closed / os.fsdecode(b"a ?#\xff.zip"), one="1", two_a="2")
    path = handed_on(machine(), archive).parent / name
    sweep_later()
    assert not path.exists()

    found: list[str] = []
    users = [machine() for _ in range(4)]
    with caplog.at_level(logging.INFO):
        threads = [threading.Thread(target=lambda user=user: found.append(staged(user, str(path)))) for user in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert found == [str(path)] * 4
    assert caplog.text.count(f"what was in {archive} is no longer here; it is unpacked again") == 1
    users[0].remote.release(sweep=False)
    sweep_later()
    assert path.exists()
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_results_of_a_module_in_a_copy_are_not_swept(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None]
) -> None:
    """Nor given to others as the archive's; once they are gone the copy goes."""
    archive = archived(closed / "a.zip", one="1")
    path = handed_on(machine(), archive)
    path.with_name("result").write_text("mine")
    sweep_later()
    assert path.with_name("result").read_text() == "mine"
    assert handed_on(machine(), archive) == path
    path.with_name("result").unlink()
    sweep_later()
    assert not path.exists()


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_what_a_module_changed_is_unpacked_anew_for_others(
    change: str, closed: Path, machine: Callable[..., FileService]
) -> None:
    """In another place, which the next one uses too."""
    archive = archived(closed / "a.zip", one="1", two="2")
    path = handed_on(machine(), archive)
    path.write_text("mine") if change == "changed" else path.unlink()
    new = [handed_on(machine(), archive) for _ in range(2)]
    assert new[0] == new[1] != path
    assert new[0].read_text() == "1"
    assert path.exists() == (change == "changed")


def test_many_that_want_one_archive_unpack_it_once(
    closed: Path, machine: Callable[..., FileService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait, and use what there is."""
    archive = archived(closed / "a.zip", **{f"f{number}": "x" * 50_000 for number in range(20)})
    real, times = durable.sync_tree, list[Path]()

    def counted(root: Path, written: list[Path]) -> None:
        times.append(root)
        real(root, written)

    monkeypatch.setattr(archives, "sync_tree", counted)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(staged(machine(), str(archive), unzip=True))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(found) == 4
    assert all(each == found[0] for each in found)
    assert len(times) == 1


def test_an_archive_that_is_refused_leaves_nothing(
    closed: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """It is named; its note goes when it is old."""
    archive = archived(closed / "a.zip", **{"../evil": "1"})
    with pytest.raises(ArchiveError, match=rf"argument 'a': {archive}: member"):
        staged(machine(), str(archive), unzip=True)
    assert not [path for path in (tmp_path / "tmp/cc/unpacked").rglob("*") if path.is_file()]


def _unpack(machine: Callable[..., FileService], archive: Path) -> None:
    staged(machine(), str(archive), unzip=True)


@pytest.mark.parametrize("is_late", [False, True])
def test_what_a_killed_task_left_goes(
    is_late: bool,
    closed: Path,
    machine: Callable[..., FileService],
    sweep_later: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is half after a day, and what had its name but was not all noted as any other copy."""
    archive = archived(closed / "a.zip", one="1" * 3000)
    with monkeypatch.context() as patch:
        place, name = (Layer, "belongs") if is_late else (archives, "sync_tree")
        patch.setattr(place, name, lambda *_: os._exit(9))
        child = multiprocessing.get_context("fork").Process(target=_unpack, args=(machine, archive))
        child.start()
        child.join(PATIENCE_S)
    assert child.exitcode == 9
    left = [path for path in (closed.parent / "tmp/cc/unpacked").rglob("*") if path.name in ("a", "one")]
    assert [path.name for path in left] == (["a", "one"] if is_late else ["one"])
    assert is_late or left[0].parent.name.startswith(PRIVATE_PREFIX)

    sweep_later()
    assert list((closed.parent / "tmp/cc").rglob("one")) == ([] if is_late else left)
    sweep_later(ahead_s=2 * DAY_S)
    assert not list((closed.parent / "tmp/cc").rglob("one"))


def test_notes_on_archives_that_nobody_asks_for_go(
    closed: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None], tmp_path: Path
) -> None:
    """After a week, as those on what was swept."""
    handed_on(machine(), archived(closed / "a.zip", one="1"))
    sweep_later(ahead_s=SWEPT_S / 2)
    assert len(list((tmp_path / "tmp/cc/last").iterdir())) == 1
    sweep_later(ahead_s=SWEPT_S + DAY_S)
    assert [list((tmp_path / "tmp/cc" / name).glob("*.json")) for name in ("last", "swept", "meta")] == [[], [], []]


def _as_nobody(base: Path, machine: Callable[..., FileService]) -> None:
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    archive, given = base / "data/a.zip", {"tempdir": str(base / "tmp"), "cache_sweep_every": 0, "cache_keep": 0}
    path = handed_on(machine(**given), archive)
    assert path.is_relative_to(base / "tmp")
    machine(**given, cache_max_bytes=1).remote.layer.sweep()
    assert not path.exists()
    assert staged(machine(**given), str(path)) == str(path)
    assert path.read_text() == "1"
    with pytest.raises(StagingError, match="cannot be removed"):
        staged(machine(**given), str(archive), unzip=True, keep=False)
    with pytest.raises(StagingError, match=r"argument 'a': .*hidden/a\.zip: cannot be read: Permission denied"):
        staged(machine(**given), str(base / "hidden/a.zip"), unzip=True)


def test_a_user_who_may_only_read_the_directory(machine: Callable[..., FileService], tmp_path: Path) -> None:
    """Without anything being told of access: a real directory of somebody else."""
    warm = archived(tmp_path / "a.zip", one="1")
    staged(machine(), str(warm), unzip=True)  # who becomes nobody may not be able to load modules
    base = Path(tempfile.mkdtemp(dir="/tmp"))
    (base / "data").mkdir()
    archived(base / "data" / "a.zip", one="1")
    if os.geteuid() == 0:
        os.chown(base, NOBODY, -1)
    (base / "data").chmod(0o555)
    (base / "hidden").mkdir(mode=0o000)
    try:
        child = multiprocessing.get_context("fork").Process(target=_as_nobody, args=(base, machine))
        child.start()
        child.join(PATIENCE_S)
        assert child.exitcode == 0
        assert [path.name for path in (base / "data").iterdir()] == ["a.zip"]
    finally:
        (base / "data").chmod(0o755)
        shutil.rmtree(base)
