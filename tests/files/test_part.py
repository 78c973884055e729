"""Unfinished data and its sidecar: what the next process may believe, and what it must not."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files import part as parts
from cryocloud_core.files.bookkeeping import sidecar_of
from cryocloud_core.files.disk import Disk
from cryocloud_core.files.following import Follower, algorithm_of
from cryocloud_core.files.part import Part
from cryocloud_core.sdk.transfer import RemoteFile

URL = "x://h/f"
SIZE = 3 * 1024 * 1024
REMOTE = RemoteFile(URL, SIZE, "v1")
MIB = b"m" * 1024 * 1024


def opened(folder: Path, disk: Disk | None = None) -> Part:
    """Open the part of the tests."""
    return Part.open(folder / ".cc-x.part", disk or Disk(), time.sleep)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """Give a directory in which a process died after 1 MiB from byte 1 MiB on."""
    part = opened(tmp_path)
    part.begin(REMOTE)
    part.write(MIB, 1024 * 1024)
    part.close()
    return tmp_path


def test_the_next_process_goes_on_with_what_is_here(begun: Path) -> None:
    """The same version of the same file is resumed, with exactly the gaps that are left."""
    part = opened(begun)
    part.begin(REMOTE)

    assert part.missing() == [(0, 1024 * 1024), (2 * 1024 * 1024, SIZE)]
    part.close()


def test_what_was_written_behind_the_last_note_is_cut_off_where_no_size_is_known(tmp_path: Path) -> None:
    """A process died with more than the file has: nothing would tell the next one that it ends there."""
    remote = RemoteFile(URL, None, "v1")
    part = opened(tmp_path)
    part.begin(remote)
    part.write(MIB, 0)
    os.pwrite(part.descriptor, b"junk", len(MIB))
    part.close()

    part = opened(tmp_path)
    part.begin(remote)
    assert part.done.total == len(MIB)
    assert part.path.stat().st_size == len(MIB)
    part.close()


@pytest.mark.parametrize(
    "other",
    [
        RemoteFile(URL, SIZE, "v2"),
        RemoteFile(URL, SIZE + 1, "v1"),
        RemoteFile("x://h/g", SIZE, "v1"),
        RemoteFile(URL, SIZE, None),
        RemoteFile(URL, SIZE, None, "sha256:00"),
    ],
)
def test_another_version_starts_anew(begun: Path, other: RemoteFile) -> None:
    """What cannot be told to be the same version is worth nothing."""
    part = opened(begun)
    part.begin(other)

    assert part.done.total == 0
    assert not sidecar_of(part.path).exists()
    part.close()


@pytest.mark.parametrize("damage", ["{", "[]", '{"done": 1}', "empty", "beyond", "inode", "boot"])
def test_a_sidecar_that_does_not_fit_is_not_believed(begun: Path, damage: str) -> None:
    """Broken text, spans beyond the file, another file's sidecar, unflushed bytes from before a power cut."""
    sidecar = sidecar_of(begun / ".cc-x.part")
    data = json.loads(sidecar.read_text())
    if damage in ("beyond", "inode", "boot", "empty"):
        changed = {"beyond": {"done": [[0, SIZE + 1]]}, "inode": {"inode": 1}, "boot": {"boot": "other"}, "empty": {}}
        damage = json.dumps({**data, **changed[damage]}) if damage != "empty" else ""
    sidecar.write_text(damage)
    part = opened(begun)
    part.begin(REMOTE)

    assert part.done.total == 0
    part.close()


def test_a_sidecar_without_its_part_is_taken_away_before_the_first_byte(begun: Path) -> None:
    """A new file may get the number of the old one, and the process die before it notes anything."""
    (begun / ".cc-x.part").unlink()
    part = opened(begun)
    part.begin(RemoteFile(URL, 3, "v1"))

    assert not sidecar_of(part.path).exists()
    part.close()


def test_flushed_bytes_outlive_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After another start of the machine only what was flushed before its note counts."""
    monkeypatch.setattr(parts, "FLUSH_BYTES", 1024 * 1024)
    part = opened(tmp_path)
    part.begin(REMOTE)
    part.write(MIB, 0)
    part._join()
    part.write(MIB, 1024 * 1024)
    part._join()
    part.close()
    monkeypatch.setattr(parts, "boot_id", lambda: "another")
    later = opened(tmp_path)

    assert list(later.done) == [(0, 1024 * 1024)]
    later.close()


def test_one_process_at_a_time_has_a_part(tmp_path: Path) -> None:
    """Whoever comes second waits, and then has the file that carries the name, not the one that was renamed."""
    first = opened(tmp_path)
    first.begin(RemoteFile(URL, 3, "v1"))
    first.write(b"abc", 0)
    second: list[Part] = []
    waiter = threading.Thread(target=lambda: second.append(opened(tmp_path)))
    waiter.start()
    time.sleep(0.05)
    assert second == []
    first.finish(tmp_path / "f")
    first.close()
    waiter.join(10)
    second[0].write(b"x", 0)

    assert (tmp_path / "f").read_bytes() == b"abc"
    second[0].close()


def test_a_part_that_was_renamed_between_opening_and_locking_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file we opened may be somebody's target by the time we have its lock."""
    real, renamed = parts.lock_now, []

    def lock_late(descriptor: int) -> bool:
        if not renamed:
            renamed.append((tmp_path / ".cc-x.part").rename(tmp_path / "f"))
        return real(descriptor)

    monkeypatch.setattr(parts, "lock_now", lock_late)
    part = opened(tmp_path)
    part.write(b"x", 0)

    assert (tmp_path / "f").read_bytes() == b""
    part.close()


def test_finishing_leaves_the_target_alone(begun: Path) -> None:
    """Part and sidecar are gone, the target holds the bytes."""
    part = opened(begun)
    part.begin(REMOTE)
    for at in (0, 2 * 1024 * 1024):
        part.write(MIB, at)
    part.settle()
    part.finish(begun / "f")
    part.leave()
    part.close()

    assert [path.name for path in begun.iterdir()] == ["f"]
    assert (begun / "f").read_bytes() == MIB * 3


def test_an_empty_part_is_taken_away_when_it_is_left(tmp_path: Path) -> None:
    """A try that brought nothing leaves nothing."""
    part = opened(tmp_path)
    part.begin(REMOTE)
    part.leave()
    part.close()

    assert list(tmp_path.iterdir()) == []


def test_a_failed_flush_is_told_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk that came beside the transfer is not lost: the file does not get its name."""
    monkeypatch.setattr(parts, "FLUSH_BYTES", 1)

    class Broken(Disk):
        def flush(self, descriptor: int, path: Path) -> None:
            monkeypatch.undo()
            raise StagingError("cannot be written here: Input/output error", subject=str(path))

    part = opened(tmp_path, Broken())
    part.begin(RemoteFile(URL, 3, "v1"))
    part.write(b"abc", 0)
    part._join()
    part.disk = Disk()

    with pytest.raises(StagingError, match="Input/output"):
        part.settle()
    assert not (tmp_path / "f").exists()
    part.close()


def test_room_is_taken_before_the_first_byte(tmp_path: Path) -> None:
    """A disk that cannot hold the file says so at once, with figures, and keeps nothing of it."""
    part = opened(tmp_path)
    with pytest.raises(StagingError, match=r"needs 1,152,921,504,606,846,976 bytes, the disk has [0-9,]+ left"):
        part.begin(RemoteFile(URL, 2**60, "v1"))
    assert os.fstat(part.descriptor).st_size == 0
    part.begin(REMOTE)
    assert os.fstat(part.descriptor).st_blocks * 512 >= SIZE
    part.close()


def test_hashing_follows_what_arrives_and_what_arrives_again(tmp_path: Path) -> None:
    """Bytes in any order, forgotten ones and rewritten ones: the digest is that of what lies in the file."""
    import hashlib

    part = opened(tmp_path)
    part.begin(REMOTE)
    follower = Follower(part, "sha256")
    follower.begin()
    for at in (1, 0):
        part.write(b"w" * 1024 * 1024, at * 1024 * 1024)
    deadline = time.monotonic() + 10
    while follower._at < 2 * 1024 * 1024 and time.monotonic() < deadline:
        time.sleep(0.001)
    part.write(MIB, 0)
    part.forget()
    part.begin(REMOTE)
    for at in (2, 0, 1):
        part.write(MIB, at * 1024 * 1024)
    part.write(b"again", 10)
    content = bytearray(MIB * 3)
    content[10:15] = b"again"

    assert follower.digest(lambda: None) == f"sha256:{hashlib.sha256(content).hexdigest()}"
    part.close()


def test_a_file_that_gets_shorter_leaves_nothing_behind_its_end(begun: Path) -> None:
    """A smaller new version does not keep the tail of the old one."""
    part = opened(begun)
    part.begin(RemoteFile(URL, 2, "v2"))
    part.write(b"ab", 0)
    part.settle()
    part.finish(begun / "f")
    part.close()

    assert (begun / "f").read_bytes() == b"ab"


@pytest.mark.parametrize(
    ("checksum", "algorithm"), [("sha256:ab", "sha256"), ("md5:ab", "md5"), ("crc64nvme:ab", None), (None, None)]
)
def test_only_checksums_that_can_be_computed_here_count(checksum: str | None, algorithm: str | None) -> None:
    """Others say nothing."""
    assert algorithm_of(checksum) == algorithm
