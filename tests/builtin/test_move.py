"""move: into a directory or to a name, across disks, repeated after a crash, partial failure."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cryocloud_core.testing.worker import LocalWorker
from cryocloud_modules_builtin import move


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a directory on another file system than the test's."""
    base = Path("/dev/shm")
    if not base.is_dir() or base.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system at /dev/shm")
    made = Path(tempfile.mkdtemp(dir=base))
    yield made
    shutil.rmtree(made)


def test_into_an_existing_directory(worker: LocalWorker, tmp_path: Path) -> None:
    """Files and directories keep their names; null keeps its place."""
    (tmp_path / "out").mkdir()
    (tmp_path / "a").write_text("alpha")
    (tmp_path / "d").mkdir()

    outputs = worker.run(move, {"src": [f"{tmp_path}/a", None, f"{tmp_path}/d/"], "dst": f"{tmp_path}/out"})
    assert outputs == {"moved": [f"{tmp_path}/out/a", None, f"{tmp_path}/out/d"], "errors": []}
    assert (tmp_path / "out" / "a").read_text() == "alpha"
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "d").exists()


def test_a_trailing_slash_makes_the_directory(worker: LocalWorker, tmp_path: Path) -> None:
    """Dst that ends in / is a directory, with its parents."""
    (tmp_path / "a").write_text("alpha")

    assert worker.run(move, {"src": f"{tmp_path}/a", "dst": f"{tmp_path}/x/y/"})["moved"] == [f"{tmp_path}/x/y/a"]


def test_to_an_exact_name_with_missing_parents(worker: LocalWorker, tmp_path: Path, hostile: str) -> None:
    """Any other dst is the new name."""
    (tmp_path / "a").write_text("alpha")
    target = f"{tmp_path}/new/{hostile}"

    assert worker.run(move, {"src": f"{tmp_path}/a", "dst": target})["moved"] == [target]
    assert Path(target).read_text() == "alpha"


def test_a_link_is_moved_as_a_link(worker: LocalWorker, tmp_path: Path) -> None:
    """What it points to stays where it is."""
    (tmp_path / "a").write_text("alpha")
    (tmp_path / "link").symlink_to(tmp_path / "a")

    worker.run(move, {"src": f"{tmp_path}/link", "dst": f"{tmp_path}/out/"})
    assert (tmp_path / "out" / "link").is_symlink()
    assert (tmp_path / "a").read_text() == "alpha"


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_across_disks(worker: LocalWorker, tmp_path: Path, other_disk: Path, kind: str) -> None:
    """What a rename cannot do is copied whole, then the source goes; nothing half done remains."""
    source = tmp_path / "src"
    if kind == "file":
        source.write_text("content")
        os.utime(source, (1, 1000))
    elif kind == "link":
        source.symlink_to("dangling")
    else:
        (source / "sub").mkdir(parents=True)
        (source / "sub" / "x").write_text("content")
        (source / "link").symlink_to("sub/x")

    worker.run(move, {"src": str(source), "dst": f"{other_disk}/deep/target"})
    target = other_disk / "deep" / "target"
    assert not os.path.lexists(source)
    assert [path.name for path in (other_disk / "deep").iterdir()] == ["target"]
    assert list(tmp_path.rglob(".cc-*")) == []
    if kind == "file":
        assert (target.read_text(), target.stat().st_mtime) == ("content", 1000)
    elif kind == "link":
        assert target.readlink() == Path("dangling")
    else:
        assert (target / "link").read_text() == "content"
        assert (target / "link").is_symlink()


def test_a_failed_move_across_disks_keeps_the_source(worker: LocalWorker, tmp_path: Path, other_disk: Path) -> None:
    """A full directory in the way: an error, and everything is where it was."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_text("x")
    (other_disk / "d" / "full").mkdir(parents=True)

    with pytest.raises(OSError, match="not empty"):
        worker.run(move, {"src": f"{tmp_path}/d", "dst": str(other_disk)})
    assert (tmp_path / "d" / "x").read_text() == "x"
    assert [path.name for path in other_disk.iterdir()] == ["d"]


def test_a_repeat_after_a_crash_finds_its_work_done(worker: LocalWorker, tmp_path: Path) -> None:
    """A second attempt takes a source that is gone and a target that is there as moved; a first one does not."""
    (tmp_path / "target").write_text("moved before")
    args = {"src": f"{tmp_path}/a", "dst": f"{tmp_path}/target"}

    assert worker.run(move, args, attempt=2)["moved"] == [f"{tmp_path}/target"]
    with pytest.raises(FileNotFoundError, match="/a' does not exist"):
        worker.run(move, args)


def test_dontstop_moves_the_rest(worker: LocalWorker, tmp_path: Path) -> None:
    """The failure is logged and listed, its place is null."""
    (tmp_path / "b").write_text("b")
    args = {"src": [f"{tmp_path}/a", f"{tmp_path}/b"], "dst": f"{tmp_path}/out/", "dontstop": "yes"}

    outputs = worker.run(move, args)
    assert outputs["moved"] == [None, f"{tmp_path}/out/b"]
    assert outputs["errors"] == worker.records.texts("ERROR") == [f"move: '{tmp_path}/a' does not exist"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"src": None}, "src is missing"),
        ({"dst": ""}, "dst must be a path"),
        ({"src": ["a", "b"], "dst": "/tmp/none-such"}, "2 sources need a directory"),
        ({"src": ["x/a", "y/a"], "dst": "/tmp/"}, "two sources would both become"),
    ],
)
def test_wrong_arguments_are_refused(worker: LocalWorker, args: dict[str, object], said: str) -> None:
    """Before anything was moved."""
    with pytest.raises(ValueError, match=said):
        worker.run(move, {"src": "/tmp/none-such-a", "dst": "/tmp/none-such-b", **args})


def test_a_directory_is_not_moved_into_itself(worker: LocalWorker, tmp_path: Path) -> None:
    """It stays where it is."""
    (tmp_path / "d").mkdir()

    with pytest.raises(ValueError, match="into itself"):
        worker.run(move, {"src": f"{tmp_path}/d", "dst": f"{tmp_path}/d/e"})
