"""copyfiles: whole files under their names, extensions, links, directories, partial failure."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cryocloud_core.testing.worker import LocalWorker, task_of
from cryocloud_modules_builtin import copyfiles


def test_files_and_directories_are_copied_into_a_directory_that_is_made(worker: LocalWorker, tmp_path: Path) -> None:
    """Content and time come along, directories with all that is in them; the copies are listed in order."""
    (tmp_path / "a").write_text("alpha")
    os.utime(tmp_path / "a", (1, 1000))
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "sub" / "x").write_text("x")
    (tmp_path / "d" / "link").symlink_to("sub/x")
    (tmp_path / "d" / "empty").mkdir()
    dst = tmp_path / "new" / "out"

    outputs = worker.run(copyfiles, {"src": [f"{tmp_path}/d/", str(tmp_path / "a"), None], "dst": str(dst)})
    assert outputs == {"dst": [f"{dst}/d", f"{dst}/a", None], "errors": []}
    assert (dst / "a").read_text() == "alpha"
    assert (dst / "a").stat().st_mtime == 1000
    assert (dst / "d" / "link").readlink() == Path("sub/x")
    assert (dst / "d" / "link").read_text() == "x"
    assert (dst / "d" / "empty").is_dir()
    assert worker.status.history("progress")[-1] == 100


def test_any_name_is_copied(worker: LocalWorker, tmp_path: Path, hostile: str) -> None:
    """No character of a name means anything."""
    source = tmp_path / hostile
    source.write_text("x")

    outputs = worker.run(copyfiles, {"src": str(source), "dst": f"{tmp_path}/out"})
    assert outputs["dst"] == [f"{tmp_path}/out/{hostile}"]
    assert Path(outputs["dst"][0]).read_text() == "x"


def test_the_extension_is_copied_where_it_exists(worker: LocalWorker, tmp_path: Path) -> None:
    """Src and src.xml; a missing companion is no error."""
    for name in ["a", "a.xml", "b"]:
        (tmp_path / name).write_text(name)
    sources = [str(tmp_path / "a"), str(tmp_path / "b")]

    worker.run(copyfiles, {"src": sources, "dst": f"{tmp_path}/out", "extension": [".xml", ".md5"]})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "a.xml", "b"]


def test_an_existing_copy_is_replaced_and_a_link_is_not_written_through(worker: LocalWorker, tmp_path: Path) -> None:
    """Repeating the task is harmless; what a link in dst points to stays as it is."""
    (tmp_path / "a").write_text("new")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "precious")

    for _ in range(2):
        worker.run(copyfiles, {"src": str(tmp_path / "a"), "dst": f"{tmp_path}/out"})
    assert (tmp_path / "out" / "a").read_text() == "new"
    assert not (tmp_path / "out" / "a").is_symlink()
    assert (tmp_path / "precious").read_text() == "precious"


def test_copying_a_file_onto_itself_keeps_it(worker: LocalWorker, tmp_path: Path) -> None:
    """Dst may be where src already is."""
    (tmp_path / "a").write_text("alpha")

    assert worker.run(copyfiles, {"src": f"{tmp_path}/a", "dst": str(tmp_path)})["dst"] == [f"{tmp_path}/a"]
    assert (tmp_path / "a").read_text() == "alpha"


@pytest.mark.parametrize("stops", [True, False])
def test_a_missing_source_stops_or_is_passed_over(worker: LocalWorker, tmp_path: Path, *, stops: bool) -> None:
    """Without dontstop the first failure ends it; with it the rest is copied, the failure listed, its place null."""
    (tmp_path / "b").write_text("b")
    args = {"src": [f"{tmp_path}/a", f"{tmp_path}/b"], "dst": f"{tmp_path}/out", "dontstop": str(not stops)}

    if stops:
        with pytest.raises(FileNotFoundError, match="/a' does not exist"):
            worker.run(copyfiles, args)
        assert not (tmp_path / "out" / "b").exists()
    else:
        outputs = worker.run(copyfiles, args)
        assert outputs["dst"] == [None, f"{tmp_path}/out/b"]
        assert outputs["errors"] == [f"copyfiles: '{tmp_path}/a' does not exist"] == worker.records.texts("ERROR")


def test_a_failed_copy_leaves_nothing_half_done(worker: LocalWorker, tmp_path: Path) -> None:
    """A pipe in a directory cannot be copied; no `.cc-` remains and the error names it."""
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "pipe")

    with pytest.raises(OSError, match="pipe"):
        worker.run(copyfiles, {"src": f"{tmp_path}/d", "dst": f"{tmp_path}/out"})
    assert list(tmp_path.rglob(".cc-*")) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"src": []}, "src is missing"),
        ({"src": None}, "src is missing"),
        ({"dst": None}, "dst must be a directory"),
        ({"dst": "s3://server/bucket/"}, "upload with the node's post"),
        ({"src": ["x/a", "y/a"]}, "two sources would both become"),
        ({"extension": "/../../x"}, "extension must be"),
        ({"dontstop": "perhaps"}, "dontstop must be"),
    ],
)
def test_wrong_arguments_are_refused(worker: LocalWorker, tmp_path: Path, args: dict[str, object], said: str) -> None:
    """The error says which argument and what it got."""
    (tmp_path / "a").touch()

    with pytest.raises(ValueError, match=said):
        worker.run(copyfiles, {"src": f"{tmp_path}/a", "dst": f"{tmp_path}/out", **args})


def test_dst_that_is_a_file_is_refused(worker: LocalWorker, tmp_path: Path) -> None:
    """A file is not overwritten by a directory."""
    (tmp_path / "a").write_text("a")

    with pytest.raises(NotADirectoryError, match="is no directory"):
        worker.run(copyfiles, {"src": f"{tmp_path}/a", "dst": f"{tmp_path}/a"})


def test_a_directory_is_not_copied_into_itself(worker: LocalWorker, tmp_path: Path) -> None:
    """That would never end."""
    (tmp_path / "d").mkdir()

    with pytest.raises(ValueError, match="into itself"):
        worker.run(copyfiles, {"src": f"{tmp_path}/d", "dst": f"{tmp_path}/d/e"})


def test_cancel_stops_between_files(worker: LocalWorker, tmp_path: Path) -> None:
    """What is set before the start copies nothing."""
    (tmp_path / "a").touch()
    cancel = threading.Event()
    cancel.set()
    task = task_of(copyfiles, {"src": f"{tmp_path}/a", "dst": f"{tmp_path}/out"})

    assert copyfiles.process_task(worker, task, cancel) == (0, {"dst": [], "errors": []})
