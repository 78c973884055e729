"""Unpacking: what comes out of good archives, and that hostile or damaged ones leave nothing behind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import ArchiveError, ConfigError
from cryocloud_core.files.archives import limits_from, unpack_into
from cryocloud_core.files.members import Format, Packing, packing_of
from cryocloud_core.files.tree import UnpackLimits

Content = dict[str, bytes]
CONTENT: Content = {"a.txt": b"alpha", "dir/b.bin": bytes(range(256)) * 5000, "dir/deep/c": b""}


def nothing() -> None:
    """Stand for a task that nobody stops."""


def unpack(archive: Path, target: Path, **limits: float) -> list[str]:
    """Unpack with limits given without their prefix."""
    return unpack_into(archive, target, limits_from({f"unpack_{k}": v for k, v in limits.items()}), nothing)


def make_zip(path: Path, content: Content) -> Path:
    """Write a zip of files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, content: Content, mode: str = "w") -> Path:
    """Write a tar of files."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def tar_of(path: Path, *members: tuple[str, bytes, str]) -> Path:
    """Write a tar of (name, tar type, link target) members."""
    with tarfile.open(path, "w") as archive:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            data = b"x" if kind == tarfile.REGTYPE else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MAKERS: dict[str, Callable[[Path, Content], Path]] = {
    "a.zip": make_zip,
    "a.tar": make_tar,
    "a.tar.gz": lambda path, content: make_tar(path, content, "w:gz"),
    "a.tar.bz2": lambda path, content: make_tar(path, content, "w:bz2"),
    "a.tar.xz": lambda path, content: make_tar(path, content, "w:xz"),
}


def files_below(folder: Path) -> Content:
    """Return every file below a directory with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Give an empty directory to unpack into; the archive lies beside it."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def refused(archive: Path, out: Path, match: str, **limits: float) -> None:
    """Assert that an archive is refused, that the error names it, and that nothing is left or lost."""
    before = archive.read_bytes()
    with pytest.raises(ArchiveError, match=match) as caught:
        unpack(archive, out, **limits)
    assert archive.name in str(caught.value)
    assert list(out.iterdir()) == []
    assert sorted(p.name for p in archive.parent.iterdir()) == sorted({archive.name, out.name})
    assert archive.read_bytes() == before


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("disguise", ["", "no-extension"])
def test_every_format_is_recognised_by_content(name: str, disguise: str, tmp_path: Path, out: Path) -> None:
    """The file's name does not matter."""
    archive = MAKERS[name](tmp_path / name, CONTENT)
    if disguise:
        archive = archive.rename(tmp_path / disguise)

    assert unpack(archive, out) == [str(out / "a.txt"), str(out / "dir")]
    assert files_below(out) == CONTENT


@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_a_compressed_single_file(suffix: str, pack: Callable[[bytes], bytes], tmp_path: Path, out: Path) -> None:
    """It unpacks to one file without the extension."""
    archive = tmp_path / f"data.nc.{suffix}"
    archive.write_bytes(pack(b"content" * 1000))

    assert unpack(archive, out) == [str(out / "data.nc")]
    assert (out / "data.nc").read_bytes() == b"content" * 1000


@pytest.mark.parametrize("content", [b"", b"plain text", b"PK", b"\x1f\x8b", bytes(2000), os.urandom(600)])
def test_what_is_no_archive(content: bytes, tmp_path: Path) -> None:
    """It is told apart, whatever its name says."""
    path = tmp_path / "a.zip"
    path.write_bytes(content)

    assert packing_of(path) is None


def test_packings(tmp_path: Path) -> None:
    """Format and compression are told."""
    assert packing_of(make_tar(tmp_path / "t", CONTENT, "w:gz")) == Packing(Format.TAR, "gz")
    assert packing_of(make_zip(tmp_path / "z", CONTENT)) == Packing(Format.ZIP)


@pytest.mark.parametrize("maker", ["a.zip", "a.tar", "a.tar.gz"])
def test_an_empty_archive_is_an_empty_list(maker: str, tmp_path: Path, out: Path) -> None:
    """A quiet day is no error."""
    assert unpack(MAKERS[maker](tmp_path / maker, {}), out) == []


@pytest.mark.parametrize("name", ["/etc/evil", "../evil", "a/../../evil", "a/..", ".."])
@pytest.mark.parametrize("maker", ["a.zip", "a.tar"])
def test_names_that_lead_out_are_refused(name: str, maker: str, tmp_path: Path, out: Path) -> None:
    """Absolute names and `..` refuse the whole archive, good members included."""
    refused(MAKERS[maker](tmp_path / maker, {"good": b"1", name: b"x"}), out, "absolute|climbs")


SYM, HARD, REG = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.REGTYPE


@pytest.mark.parametrize(
    "members",
    [
        [("l", SYM, "/etc/passwd")],
        [("l", SYM, "../secret")],
        [("d/l", SYM, "../../secret")],
        [("d", SYM, "."), ("d/l", SYM, "..")],
        [("d", SYM, "/tmp"), ("d/f", REG, "")],
        [("a", SYM, "b/.."), ("b", SYM, ".."), ("c", SYM, "a/../../x")],
        [("x", REG, ""), ("d/up", SYM, ".."), ("out", SYM, "d/up/../secret")],
        [("h", HARD, "/etc/passwd")],
        [("h", HARD, "../secret")],
        [("h", HARD, "later"), ("later", REG, "")],
        [("l", SYM, "/etc/passwd"), ("h", HARD, "l")],
    ],
)
def test_links_that_lead_out_are_refused(members: list[tuple[str, bytes, str]], tmp_path: Path, out: Path) -> None:
    """Symlinks, chains of them, hard links, and writing through a link."""
    refused(tar_of(tmp_path / "a.tar", *members), out, "outside|absolute|climbs|behind a link|names no file")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(kind: bytes, tmp_path: Path, out: Path) -> None:
    """No archive makes a device."""
    refused(tar_of(tmp_path / "a.tar", ("good", REG, ""), ("dev", kind, "")), out, "device or pipe")


def test_links_inside_are_kept(tmp_path: Path, out: Path) -> None:
    """Also one to a file that comes later, and one that points at nothing."""
    members = [("d/l", SYM, "../f"), ("f", REG, ""), ("h", HARD, "f"), ("dangling", SYM, "d/none"), ("s", SYM, "d")]
    unpack(tar_of(tmp_path / "a.tar", *members), out)

    assert (out / "d/l").readlink() == Path("../f")
    assert (out / "d/l").read_bytes() == b"x"
    assert (out / "h").stat().st_ino == (out / "f").stat().st_ino
    assert (out / "dangling").readlink() == Path("d/none")
    assert (out / "s").readlink() == Path("d")


def test_a_symlink_in_a_zip(tmp_path: Path, out: Path) -> None:
    """Zips carry them as a mode and a content; the same rules hold."""

    def linked(target: str) -> Path:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            info = zipfile.ZipInfo("l")
            info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
        return tmp_path / "a.zip"

    refused(linked("../../x"), out, "outside")
    unpack(linked("x"), out)
    assert (out / "l").readlink() == Path("x")


def test_special_bits_are_dropped(tmp_path: Path, out: Path) -> None:
    """No setuid file comes out of an archive; the other bits stay."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("tool")
        info.mode = 0o6755
        archive.addfile(info, io.BytesIO())

    unpack(tmp_path / "a.tar", out)
    assert stat.S_IMODE((out / "tool").stat().st_mode) == 0o755


@pytest.mark.parametrize("maker", ["a.zip", "a.tar"])
def test_the_last_member_of_a_name_wins(maker: str, tmp_path: Path, out: Path) -> None:
    """And a hard link made before does not see the later content."""
    if maker == "a.zip":
        with zipfile.ZipFile(tmp_path / maker, "w") as archive:
            archive.writestr("f", "one")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("f", "two")
        unpack(tmp_path / maker, out)
        assert (out / "f").read_text() == "two"
        return
    with tarfile.open(tmp_path / maker, "w") as tar:
        for name, kind, data in (("f", REG, b"one"), ("h", HARD, b""), ("f", REG, b"two")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, "f" if kind == HARD else "", len(data)
            tar.addfile(info, io.BytesIO(data))
    unpack(tmp_path / maker, out)
    assert ((out / "f").read_text(), (out / "h").read_text()) == ("two", "one")


def test_a_file_that_is_a_directory_too_is_refused(tmp_path: Path, out: Path) -> None:
    """The two cannot both be written."""
    refused(tar_of(tmp_path / "a.tar", ("a", REG, ""), ("a/b", REG, "")), out, "both a file and a directory")


@pytest.mark.parametrize("maker", MAKERS)
def test_a_truncated_archive_is_refused(maker: str, tmp_path: Path, out: Path) -> None:
    """Cut anywhere, also between two members of a tar, where tar itself sees nothing wrong."""
    archive = MAKERS[maker](tmp_path / maker, {"a": os.urandom(512), "b": os.urandom(3000)})
    data = archive.read_bytes()
    for length in {1024, 1500, 3000} if maker == "a.tar" else {len(data) // 2, len(data) - 9}:
        archive.write_bytes(data[:length])
        refused(archive, out, ".")


@pytest.mark.parametrize("maker", ["a.zip", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_a_flipped_bit_is_refused(maker: str, tmp_path: Path, out: Path) -> None:
    """Checksums are judged to the very end."""
    archive = MAKERS[maker](tmp_path / maker, {"a": os.urandom(50_000)})
    data = bytearray(archive.read_bytes())
    data[20_000] ^= 0x10
    archive.write_bytes(data)

    refused(archive, out, ".")


def test_a_damaged_header_inside_a_tar_is_no_end(tmp_path: Path, out: Path) -> None:
    """Python's tarfile stops silently there; half an archive would pass for the whole."""
    archive = make_tar(tmp_path / "a.tar", {"a": b"1", "b": b"2"})
    data = bytearray(archive.read_bytes())
    data[1024 + 150] ^= 0xFF
    archive.write_bytes(data)

    refused(archive, out, "damaged")


def test_a_wrong_checksum_of_gzip_after_the_last_member_is_seen(tmp_path: Path, out: Path) -> None:
    """The reader goes on to the end of the compressed stream."""
    archive = make_tar(tmp_path / "a.tar.gz", {"a": b"1"}, "w:gz")
    data = bytearray(archive.read_bytes())
    data[-8] ^= 0xFF
    archive.write_bytes(data)

    refused(archive, out, "(?i)crc")


def test_an_encrypted_zip_is_refused(tmp_path: Path, out: Path) -> None:
    """Nobody can give a password here."""
    archive = make_zip(tmp_path / "a.zip", {"a": b"1"})
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)

    refused(archive, out, "encrypted")


def test_limits(tmp_path: Path, out: Path) -> None:
    """Bytes are counted as they come out, entries as they are read; the error names the setting."""
    archive = make_tar(tmp_path / "a.tar.gz", {f"f{n}": b"0" * 1000 for n in range(20)}, "w:gz")

    refused(archive, out, "unpack_max_entries", max_entries=19)
    refused(archive, out, "unpack_max_bytes", max_bytes=19_999)
    assert len(unpack(archive, out, max_entries=20, max_bytes=20_000)) == 20


def test_limits_may_be_texts() -> None:
    """As environment variables have them that are not JSON."""
    limits = limits_from({"unpack_max_bytes": "1_000", "unpack_max_entries": "20", "unpack_max_ratio": "2.5"})
    assert (limits.max_bytes, limits.max_entries, limits.max_ratio) == (1000, 20, 2.5)
    assert limits_from({"unpack_max_bytes": "", "unpack_max_ratio": 0}) == UnpackLimits()
    for wrong in ("many", "nan", "inf", "-1"):
        with pytest.raises(ConfigError, match=r"^CryoCloud\.Worker\.unpack_max_bytes: must be a number"):
            limits_from({"unpack_max_bytes": wrong})


def test_a_bomb_is_stopped_by_its_ratio(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the floor (1 GiB, lowered here) more bytes out per byte in than allowed are refused."""
    monkeypatch.setattr("cryocloud_core.files.tree.RATIO_FLOOR_BYTES", 1_000_000)
    archive = make_zip(tmp_path / "a.zip", {"zeros": bytes(5_000_000)})

    refused(archive, out, "unpack_max_ratio", max_ratio=100)
    assert unpack(archive, out, max_ratio=5000)


def test_a_huge_header_of_a_tar_is_refused_before_it_is_read(tmp_path: Path, out: Path) -> None:
    """A pax header of a gigabyte packs to a megabyte; tarfile would take it into memory."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 2**33
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(10_000))

    refused(tmp_path / "a.tar.gz", out, "a header of")


def test_a_stopped_task_leaves_nothing(tmp_path: Path, out: Path) -> None:
    """The check may raise in the middle."""
    calls = iter(range(3))

    def check() -> None:
        if next(calls, None) is None:
            raise InterruptedError("told to stop")

    archive = make_zip(tmp_path / "a.zip", CONTENT)
    with pytest.raises((InterruptedError, ArchiveError)):
        unpack_into(archive, out, UnpackLimits(), check)
    assert list(out.iterdir()) == []


def test_unpacking_into_a_directory_with_content_merges(tmp_path: Path, out: Path) -> None:
    """Directories are merged, files replaced, and nothing is touched when the two disagree."""
    (out / "dir").mkdir()
    (out / "dir" / "kept").write_text("mine")
    (out / "a.txt").write_text("old")
    unpack(make_zip(tmp_path / "a.zip", CONTENT), out)
    assert files_below(out) == {**CONTENT, "dir/kept": b"mine"}

    with pytest.raises(ArchiveError, match="one is a file"):
        unpack(make_zip(tmp_path / "b.zip", {"0": b"new", "dir": b"a file"}), out)
    assert files_below(out) == {**CONTENT, "dir/kept": b"mine"}


PIECES = st.sampled_from(["a", "b", "c", "..", ".", "", "é #?%", "\n"])
NAMES = st.lists(PIECES, min_size=1, max_size=4).map("/".join)


@settings(max_examples=150, deadline=None)
@given(
    members=st.lists(
        st.tuples(NAMES, st.sampled_from([REG, SYM, HARD, tarfile.DIRTYPE]), NAMES), min_size=1, max_size=8
    ),
)
def test_whatever_the_names_and_links_nothing_leaves_the_directory(
    members: list[tuple[str, bytes, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A random archive is refused whole, or every path of it, links followed, stays inside."""
    home = tmp_path_factory.mktemp("names")
    (home / "secret").write_text("s")
    out = home / "in" / "out"
    out.mkdir(parents=True)
    archive = tar_of(home / "a.tar", *members)

    try:
        unpack(archive, out)
    except ArchiveError:
        assert list(out.iterdir()) == []
    for path in out.rglob("*"):
        assert os.path.realpath(path).startswith(str(out))
    assert sorted(p.name for p in home.iterdir()) == ["a.tar", "in", "secret"]
    assert [p.name for p in (home / "in").iterdir()] == ["out"]
    assert (home / "secret").read_text() == "s"
