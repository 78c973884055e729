"""Unpacked copies: where they lie, whose they are, and what happens when several want the same one."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.errors import ArchiveError, ResolutionError, StagingError
from cryocloud_core.files.archives import MARKER
from cryocloud_core.files.service import FileService
from cryocloud_core.files.strangers import named
from cryocloud_core.files.unpacked import Unpacking, plain_name


@pytest.fixture
def files(tmp_path: Path) -> FileService:
    """Give the service with a temporary directory of its own."""
    (tmp_path / "tmp").mkdir()
    return FileService(Unpacking(tmp_path / "tmp"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a directory for archives."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def make_zip(path: Path, *names: str, text: str = "x") -> str:
    """Write a zip of small files and return its path as text."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, text)
    return str(path)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a.zip", "a"),
        ("a.tgz", "a"),
        ("a.tar.gz", "a"),
        ("A.ZIP", "A"),
        ("a.b.zip", "a.b"),
        ("x.txt.gz", "x.txt"),
        ("odd", "odd.unpacked"),
        (".zip", ".zip.unpacked"),
        ("..zip", "..zip.unpacked"),
        ("...zip", "...zip.unpacked"),
    ],
)
def test_the_directory_has_the_archives_name_without_extension(name: str, plain: str) -> None:
    """`a.tar.gz` gives `a`, not `a.tar`."""
    assert plain_name(name) == plain


def test_the_result_is_the_sorted_list_of_entries_without_dotfiles(files: FileService, data: Path) -> None:
    """Always a list, the same on reuse, and the archive stays."""
    archive = make_zip(data / "a.zip", "z", "b/c", ".hidden", "m")
    expected = [str(data / "a" / name) for name in ("b", "m", "z")]

    assert files.fetch(archive, unzip=True) == expected
    assert files.fetch(archive, unzip=True) == expected
    assert Path(archive).exists()
    assert files.unpacked_directory(archive) == str(data / "a")
    assert files.is_ours(str(data / "a"))


def test_reuse_does_not_unpack_again(files: FileService, data: Path) -> None:
    """What is there with a matching marker is the result."""
    archive = make_zip(data / "a.zip", "f")
    files.fetch(archive, unzip=True)
    (data / "a" / "made-later").touch()

    assert files.fetch(archive, unzip=True) == [str(data / "a" / "f")]
    assert (data / "a" / "made-later").exists()


def test_without_unzip_the_archive_is_the_archive(files: FileService, data: Path) -> None:
    """Also when an unpacked copy lies beside it."""
    archive = make_zip(data / "a.zip", "f")
    files.fetch(archive, unzip=True)

    assert files.fetch(archive) == [archive]


def test_what_is_no_archive_is_a_list_with_its_path(files: FileService, data: Path) -> None:
    """Content decides, not the name."""
    path = data / "a.zip"
    path.write_text("no archive")

    assert files.fetch(str(path), unzip=True, keep=False) == [str(path)]
    assert path.exists()


def test_a_directory_is_used_as_it_is(files: FileService, data: Path) -> None:
    """Unzip does not look into it."""
    assert files.fetch(str(data), unzip=True) == [str(data)]


def test_an_archive_of_a_newer_content_replaces_the_copy(files: FileService, data: Path) -> None:
    """The marker does not match, so the copy is made anew and the old one is gone."""
    archive = make_zip(data / "a.zip", "old")
    files.fetch(archive, unzip=True)
    make_zip(data / "a.zip", "new")

    assert files.fetch(archive, unzip=True) == [str(data / "a" / "new")]
    assert sorted(p.name for p in data.iterdir()) == ["a", "a.zip"]


@pytest.mark.parametrize("change", ["added", "changed", "linked", "deep", "in a nested copy"])
def test_a_copy_with_results_in_it_is_not_replaced(files: FileService, data: Path, change: str) -> None:
    """A module wrote beside its input: the error names what would be lost, and works once it is out of the way."""
    archive = make_zip(data / "a.zip", "f", "d/g")
    files.fetch(archive, unzip=True)
    match change:
        case "added":
            found = data / "a" / "result.nc"
        case "changed":
            found = data / "a" / "f"
        case "linked":
            found = data / "a" / "link"
            found.symlink_to(data)
        case "deep":
            found = data / "a" / "out" / "of" / "it" / "result.nc"
            found.parent.mkdir(parents=True)
        case _:
            make_zip(data / "a" / "b.zip", "h")
            files.fetch(str(data / "a" / "b.zip"), unzip=True)
            (data / "a" / "b.zip").unlink()
            found = data / "a" / "b" / "result.nc"
    if change != "linked":
        found.write_text("mine")
    make_zip(data / "a.zip", "new", text="newer")

    with pytest.raises(
        ArchiveError, match=rf"a\.zip: is newer than .*/a, which holds .*: {found.relative_to(data / 'a')};"
    ):
        files.fetch(archive, unzip=True)
    assert change == "linked" or found.read_text() == "mine"
    assert sorted(path.name for path in data.iterdir()) == ["a", "a.zip"]
    (data / "a").rename(data / "kept")
    assert files.fetch(archive, unzip=True) == [str(data / "a" / "new")]


@pytest.mark.parametrize("said", ['{"source": "a.zip"', "[]", '"entries"'])
def test_a_marker_that_says_nothing_is_none(files: FileService, data: Path, said: str) -> None:
    """The directory is somebody's."""
    archive = make_zip(data / "a.zip", "f")
    (data / "a").mkdir()
    (data / "a" / MARKER).write_text(said)

    with pytest.raises(ArchiveError, match="exists and is not an unpacked copy"):
        files.fetch(archive, unzip=True)


def test_a_marker_names_nothing_that_is_not_there(files: FileService, data: Path) -> None:
    """Whoever may write beside the archive may write what it says; one of an earlier release says less."""
    archive, marker = make_zip(data / "a.zip", "f"), data / "a" / MARKER
    found = files.fetch(archive, unzip=True)
    said = json.loads(marker.read_text())
    for entries in (["..", "/etc", "f", "none", 1], "f"):
        marker.write_text(json.dumps({**said, "entries": entries}))
        assert files.fetch(archive, unzip=True) == found
    marker.write_text(json.dumps({name: said[name] for name in ("source", "size", "mtime_ns")}))
    assert files.fetch(archive, unzip=True) == found


@pytest.mark.parametrize("count", [2, 2000])
def test_what_a_module_added_is_not_taken_for_the_archives(files: FileService, data: Path, count: int) -> None:
    """A second attempt is given what the first was given, in a huge copy as well as in a small one."""
    archive = make_zip(data / "a.zip", *(f"f{number}" for number in range(count - 1)), "d/g")
    found = files.fetch(archive, unzip=True)
    assert len(found) == count
    (data / "a" / "result").write_text("mine")
    (data / "a" / "d" / "result").write_text("mine")
    (data / "a" / "out").mkdir()
    (data / "a" / "out" / "result").write_text("mine")

    assert files.fetch(archive, unzip=True) == found


def test_results_of_a_quick_module_are_seen_too(files: FileService, data: Path) -> None:
    """The clock of a file system stands still for some milliseconds; nobody comes within them."""
    for number in range(20):
        archive = make_zip(data / f"a{number}.zip", "f")
        (entry,) = files.fetch(archive, unzip=True)
        Path(entry).with_name("result").symlink_to(data)
        assert named(data / f"a{number}") == "result"


def test_results_that_come_while_the_newer_archive_is_unpacked_stay(data: Path, tmp_path: Path) -> None:
    """They are looked for again before the old copy makes way; nothing of the new one is left."""
    archive = make_zip(data / "a.zip", "f")
    FileService(Unpacking(tmp_path)).fetch(archive, unzip=True)
    make_zip(data / "a.zip", "new")

    def check() -> None:
        (data / "a" / "result.nc").write_text("mine")

    with pytest.raises(ArchiveError, match=r"holds what others put .*: result\.nc"):
        FileService(Unpacking(tmp_path, check=check)).fetch(archive, unzip=True)
    assert sorted(path.name for path in (data / "a").iterdir()) == [MARKER, "f", "result.nc"]
    assert sorted(path.name for path in data.iterdir()) == ["a", "a.zip"]


def test_what_is_only_read_moved_as_a_whole_or_removed_is_no_result(files: FileService, data: Path) -> None:
    """Nor what we unpacked there ourselves."""
    archive, inner = str(data / "a.zip"), make_zip(data / "b.zip", "h")
    with zipfile.ZipFile(archive, "w") as made:
        made.write(inner, "b.zip")
        made.writestr("f", "x")
    (data / "b.zip").unlink()
    files.fetch(archive, unzip=True)
    files.fetch(str(data / "a" / "b.zip"), unzip=True)
    (data / "a" / "f").read_text()
    (data / "a" / "b.zip").unlink()
    data.rename(data.with_name("moved"))
    moved = data.with_name("moved")
    make_zip(moved / "a.zip", "new")

    assert files.fetch(str(moved / "a.zip"), unzip=True) == [str(moved / "a" / "new")]


def test_a_directory_of_the_users_is_never_touched(files: FileService, data: Path) -> None:
    """It has no marker: an error, not a mixture."""
    archive = make_zip(data / "a.zip", "f")
    (data / "a").mkdir()
    (data / "a" / "mine").write_text("mine")

    with pytest.raises(ArchiveError, match="exists and is not an unpacked copy"):
        files.fetch(archive, unzip=True)
    assert [p.name for p in (data / "a").iterdir()] == ["mine"]
    assert sorted(p.name for p in data.iterdir()) == ["a", "a.zip"]


def test_two_archives_of_one_plain_name_have_a_copy_each(files: FileService, data: Path) -> None:
    """`a.zip` and `a.b` content: neither pushes the other out."""
    first, second = make_zip(data / "a.zip", "one"), make_zip(data / "a.tgz", "two")

    assert files.fetch(first, unzip=True) == [str(data / "a" / "one")]
    assert files.fetch(second, unzip=True) == [str(data / "a.unpacked" / "two")]
    assert files.fetch(first, unzip=True) == [str(data / "a" / "one")]
    assert files.fetch(second, unzip=True) == [str(data / "a.unpacked" / "two")]


def test_a_compressed_file_beside_its_plain_one(files: FileService, data: Path) -> None:
    """The directory makes way for the file that has the plain name."""
    (data / "x.txt.gz").write_bytes(gzip.compress(b"text"))
    (data / "x.txt").write_text("text")

    assert files.fetch(str(data / "x.txt.gz"), unzip=True) == [str(data / "x.txt.unpacked" / "x.txt")]


def test_keep_false_removes_the_archive_and_the_copy_still_answers(files: FileService, data: Path) -> None:
    """A repeat of the task finds what the first attempt unpacked."""
    archive = make_zip(data / "a.zip", "f")
    expected = [str(data / "a" / "f")]

    assert files.fetch(archive, unzip=True, keep=False) == expected
    assert not Path(archive).exists()
    assert files.fetch(archive, unzip=True, keep=False) == expected


def test_a_read_only_directory_puts_the_copy_into_the_tempdir(
    files: FileService, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products on a read-only disk can be unpacked too (root may write anywhere, so access is told here)."""
    archive = make_zip(data / "a.zip", "f")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != data and real(path, mode))

    (found,) = files.fetch(archive, unzip=True)
    assert Path(found).is_relative_to(tmp_path / "tmp" / "cc" / "unpacked")
    assert files.fetch(archive, unzip=True) == [found]
    assert files.unpacked_directory(archive) == str(Path(found).parent)


def test_what_another_user_put_into_the_tempdir_is_no_copy(
    files: FileService, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody may write to /tmp, and knows what a marker has to say."""
    archive = make_zip(data / "a.zip", "f")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != data and real(path, mode))
    (planted,) = files.fetch(archive, unzip=True)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

    assert files.unpacked_directory(archive) is None
    with pytest.raises(StagingError, match="not a directory of our own user"):
        files.fetch(archive, unzip=True)
    assert Path(planted).exists()


def test_a_bad_archive_leaves_nothing(files: FileService, data: Path) -> None:
    """The archive alone is left."""
    archive = make_zip(data / "a.zip", "good", "../evil")

    with pytest.raises(ArchiveError):
        files.fetch(archive, unzip=True)
    assert [p.name for p in data.iterdir()] == ["a.zip"]


def fetch_once(archive: str, tempdir: str, start: Callable[[], int]) -> list[str]:
    """Unpack when all processes are ready."""
    start()
    return FileService(Unpacking(Path(tempdir))).fetch(archive, unzip=True)


def _racer(archive: str, tempdir: str, barrier: object, results: object) -> None:
    try:
        results.put(fetch_once(archive, tempdir, barrier.wait))  # type: ignore[attr-defined]
    except Exception as error:  # noqa: BLE001 - told to the test, which compares results
        results.put(repr(error))  # type: ignore[attr-defined]


def test_the_losers_of_a_race_use_the_winners_copy(data: Path, tmp_path: Path) -> None:
    """Four processes want the same archive at once: one copy, four equal answers, nothing left."""
    archive = make_zip(data / "a.zip", *(f"f{n}" for n in range(50)))
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.SimpleQueue()
    racers = [context.Process(target=_racer, args=(archive, str(tmp_path), barrier, results)) for _ in range(4)]
    for racer in racers:
        racer.start()
    answers = [results.get() for _ in racers]
    for racer in racers:
        racer.join()

    assert answers == [sorted(str(data / "a" / f"f{n}") for n in range(50))] * 4
    assert sorted(p.name for p in data.iterdir()) == ["a", "a.zip"]
    assert (data / "a" / MARKER).is_file()


def test_unpack_needs_a_directory(files: FileService, data: Path) -> None:
    """The target is the module's to make."""
    archive = make_zip(data / "a.zip", "f")

    with pytest.raises(ArchiveError, match="does not exist"):
        files.unpack(archive, str(data / "none"))
    assert files.unpack(archive, str(data)) == [str(data / "f")]


def test_put_copies_a_file_or_a_directory_whole(files: FileService, data: Path) -> None:
    """Parents are made, an older file is replaced, a directory is merged; nothing of ours stays beside."""
    source = data / "d"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "f").write_text("new")

    assert files.put(str(source / "sub" / "f"), str(data / "out/x/f")) == str(data / "out/x/f")
    (data / "out/x/f").write_text("old")
    files.put(str(source / "sub" / "f"), str(data / "out/x/f"))
    assert (data / "out/x/f").read_text() == "new"
    files.put(str(source), str(data / "out/copy"))
    files.put(str(source), str(data / "out/copy"))
    assert [str(p.relative_to(data)) for p in sorted(data.rglob("out/**/*"))] == [
        "out/copy",
        "out/copy/sub",
        "out/copy/sub/f",
        "out/x",
        "out/x/f",
    ]


@pytest.mark.parametrize("path", ["rel/a", "", "ftp://h/f", "file://h/etc/x"])
def test_what_is_no_absolute_path_is_a_wrong_argument(path: str, files: FileService) -> None:
    """It can never work, so it is no staging error."""
    with pytest.raises(ResolutionError, match=r"absolute path|unsupported scheme|on this machine"):
        files.fetch(path)


def test_a_missing_file_is_told(files: FileService, data: Path) -> None:
    """With its path."""
    with pytest.raises(StagingError, match=r"none: does not exist"):
        files.fetch(str(data / "none"), unzip=True)


def test_remove_is_for_remote_objects(files: FileService, data: Path) -> None:
    """A local path is refused, not deleted."""
    with pytest.raises(StagingError, match="local path"):
        files.remove(str(data))
    assert data.is_dir()


@pytest.mark.parametrize(("name", "ours"), [(".cc-123", True), (MARKER, True), ("plain", False), (".hidden", False)])
def test_what_is_ours_by_name(name: str, ours: bool, files: FileService, data: Path) -> None:
    """Unfinished data and markers."""
    assert files.is_ours(str(data / name)) is ours
