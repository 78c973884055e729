"""Archives whose contents are written by several threads: whole and right, or refused with the member named."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import random
import struct
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import ArchiveError
from cryocloud_core.files.archives import unpack_into
from cryocloud_core.files.contents import Contents
from cryocloud_core.files.member import Member, MemberKind
from cryocloud_core.files.readahead import ReadAhead
from cryocloud_core.files.tree import UnpackLimits

#: well over what is handed to other threads
BIG = 300_000
PATIENCE_S = 20.0


class StopRequested(Exception):
    """The task is to stop."""


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Inflate with either library; have four cores."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    else:
        pytest.importorskip("isal")
    monkeypatch.setattr("cryocloud_core.files.tree.cores", lambda: 4)
    monkeypatch.setattr("cryocloud_core.files.members.cores", lambda: 4)
    return str(request.param)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Give an empty directory to unpack into; the archive lies beside it."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def noise(size: int, seed: int = 1) -> bytes:
    """Return bytes that pack to about half."""
    return bytes(random.Random(seed).choices(range(16), k=size))


def unpack(archive: Path, out: Path, check: Callable[[], None] = lambda: None, **limits: float) -> dict[str, bytes]:
    """Return what an archive becomes."""
    unpack_into(archive, out, UnpackLimits(**limits), check)  # type: ignore[arg-type]
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def packed(path: Path, content: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip archive."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_big_and_small_members_come_out_whole(method: int, tmp_path: Path, out: Path) -> None:
    """However they are packed, into directories, with their times."""
    content = {f"d{n % 3}/f{n}": noise(BIG if n % 2 else 10, n) for n in range(12)} | {"empty": b""}
    archive = packed(tmp_path / "a.zip", content, method)

    assert unpack(archive, out) == content


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 400_000), st.booleans(), st.sampled_from("abc")), min_size=1, max_size=6))
def test_a_later_member_of_a_name_wins(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[int, bool, str]]
) -> None:
    """Also while the earlier one is still being written."""
    folder = tmp_path_factory.mktemp("zip")
    (folder / "out").mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (size, _, name) in enumerate(members):
            if name not in archive.namelist():
                archive.writestr(name, noise(size, number))
            else:
                with pytest.warns(UserWarning, match="Duplicate name"):
                    archive.writestr(name, noise(size, number))
    expected = {name: noise(size, number) for number, (size, _, name) in enumerate(members)}

    assert unpack(folder / "a.zip", folder / "out") == expected


def changed(path: Path, at: int, to: bytes) -> Path:
    """Overwrite bytes of a file."""
    data = bytearray(path.read_bytes())
    data[at : at + len(to)] = to
    path.write_bytes(data)
    return path


def spot(path: Path, name: str, record: bytes, offset: int) -> int:
    """Return where a field of a member's record (`PK…`) is."""
    data = path.read_bytes()
    at = data.index(name.encode(), data.index(record) if record == b"PK\1\2" else 0)
    return at - {b"PK\3\4": 30, b"PK\1\2": 46}[record] + offset


@pytest.mark.parametrize(
    ("record", "offset", "to", "says"),
    [
        (b"PK\1\2", 16, b"\1\2\3\4", "checksum"),
        (b"PK\1\2", 24, struct.pack("<L", BIG - 1), "holds more than"),
        (b"PK\1\2", 24, struct.pack("<L", BIG + 1), "has .* bytes of"),
        (b"PK\1\2", 20, struct.pack("<L", 1000), "ends in the middle"),
        (b"PK\3\4", 0, b"XXXX", "no header"),
        (b"PK\3\4", 30, b"z", "called otherwise"),
        (b"PK\3\4", 6, b"\1", "encrypted"),
        (b"PK\3\4", 200, b"\xff" * 500, ""),
    ],
)
def test_a_member_that_lies_is_refused_by_name(
    record: bytes, offset: int, to: bytes, says: str, tmp_path: Path
) -> None:
    """Whatever of it is wrong, nothing of the archive stays."""
    out = tmp_path / "out"
    out.mkdir()
    archive = packed(tmp_path / "a.zip", {name: noise(BIG) for name in ("one", "two", "three")})
    changed(archive, spot(archive, "two", record, offset), to)

    with pytest.raises(ArchiveError, match=f"(?s)two.*{says}|{says}.*two"):
        unpack(archive, out)
    assert list(out.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_no_flipped_byte_yields_another_content(kind: str, tmp_path: Path) -> None:
    """Each time it is told, or what came out is what was packed."""
    content = {f"f{n}": noise(100_000, n) for n in range(3)}
    good = packed(tmp_path / "a.zip", content) if kind == "zip" else tarred(tmp_path / "a.tar.gz", content)
    whole, chance = good.read_bytes(), random.Random(7)
    for number in range(25):
        at, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        good.write_bytes(whole)
        changed(good, at, bytes([whole[at] ^ bit]))
        out = tmp_path / f"out{number}"
        out.mkdir()
        try:
            found = unpack(good, out)
        except ArchiveError:
            assert list(out.iterdir()) == []
            continue
        assert all(data in content.values() for data in found.values()), at


def tarred(path: Path, content: dict[str, bytes]) -> Path:
    """Write a tar.gz archive."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("tail", [b"", b"\0" * 5000])
def test_gzip_in_several_pieces_is_one_stream(tail: bytes, tmp_path: Path, out: Path) -> None:
    """As parallel packers write it; zeros behind it are padding, anything else is damage."""
    path = tarred(tmp_path / "a.tar.gz", {"one": noise(BIG), "two": noise(BIG, 2)})
    data = gzip.decompress(path.read_bytes())
    pieces = b"".join(gzip.compress(data[at : at + 70_001], 1) for at in range(0, len(data), 70_001))
    path.write_bytes(pieces + tail)

    assert unpack(path, out) == {"one": noise(BIG), "two": noise(BIG, 2)}
    path.write_bytes(pieces + b"more")
    with pytest.raises(ArchiveError, match="not gzip"):
        unpack(path, out)
    path.write_bytes(pieces[:-3])
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz"):
        unpack(path, out)


def test_limits_hold_for_all_threads_together(tmp_path: Path, out: Path) -> None:
    """No member is over it by itself."""
    archive = packed(tmp_path / "a.zip", {f"f{n}": noise(BIG, n) for n in range(8)})

    with pytest.raises(ArchiveError, match="more than 1000000 bytes"):
        unpack(archive, out, max_bytes=1_000_000)
    assert list(out.iterdir()) == []


def test_a_task_that_is_told_to_stop_stops_every_thread(tmp_path: Path, out: Path) -> None:
    """What it was told leaves as it is; nothing stays, no thread goes on."""
    archive = packed(tmp_path / "a.zip", {f"f{n}": noise(BIG, n) for n in range(8)})
    left = iter(range(11))

    def check() -> None:
        if next(left, None) is None:
            raise StopRequested

    with pytest.raises(StopRequested):
        unpack(archive, out, check)
    assert list(out.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cc-unpack")]


def test_few_files_are_open_at_a_time(tmp_path: Path, out: Path) -> None:
    """However many members there are."""
    archive = packed(tmp_path / "a.zip", {f"f{n}": noise(70_000, 1) for n in range(60)}, zipfile.ZIP_STORED)
    most = 0

    def check() -> None:
        nonlocal most
        most = max(most, len(list(Path("/proc/self/fd").iterdir())))

    before = len(list(Path("/proc/self/fd").iterdir()))
    unpack(archive, out, check)
    assert most - before < 30


def test_contents_are_written_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for the other to have begun."""
    barrier = threading.Barrier(2)

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() == 0:
                barrier.wait(PATIENCE_S)
            return super().read(size)

    contents = Contents(lambda _: None, 2)
    for name in ("one", "two"):
        member = Member(name, MemberKind.FILE, open=lambda: Slow(b"data"), apart_bytes=BIG)
        descriptor = os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT)
        contents.write(member, descriptor, contextlib.nullcontext)
    contents.finish()
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text() == "data"


# --- reading ahead ------------------------------------------------------------------------------------


class Source(io.RawIOBase):
    """Yields numbered blocks, then what it was given to raise."""

    def __init__(self, blocks: int, error: Exception | None = None) -> None:
        self.blocks: Iterator[bytes] = iter(bytes([number]) * 1000 for number in range(blocks))
        self.error = error
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next block."""
        self.taken += 1
        block = next(self.blocks, b"")
        if not block and self.error is not None:
            raise self.error
        return block


def test_what_is_read_ahead_comes_in_order_in_any_size() -> None:
    """Parts of blocks, whole blocks, the end."""
    with ReadAhead(Source(5)) as ahead:  # type: ignore[arg-type]
        data = b"".join(iter(lambda: ahead.read(700), b""))
        assert ahead.read(10) == b""
    with ReadAhead(Source(5)) as ahead:  # type: ignore[arg-type]
        assert b"".join(iter(lambda: ahead.read(10**6), b"")) == data
    assert data == b"".join(bytes([number]) * 1000 for number in range(5))


def test_an_error_comes_where_its_bytes_would_have() -> None:
    """Not before what was good; not again afterwards."""
    with ReadAhead(Source(2, EOFError("cut"))) as ahead:  # type: ignore[arg-type]
        assert ahead.read(1000) + ahead.read(1000) == b"\0" * 1000 + b"\1" * 1000
        with pytest.raises(EOFError, match="cut"):
            ahead.read(1)
        assert ahead.read(1) == b""


def test_a_reader_that_leaves_early_ends_the_thread() -> None:
    """And no more is read than a little ahead."""
    source = Source(10_000)
    with ReadAhead(source) as ahead:  # type: ignore[arg-type]
        ahead.read(10)
    assert source.taken < 100
    assert source.closed
    assert not [thread for thread in threading.enumerate() if thread.name == "cc-readahead"]
