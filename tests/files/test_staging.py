"""Staging: what each kind of preparation makes of an argument."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import ResolutionError, StagingError
from cryocloud_core.files.origins import Origins, ThisMachine
from cryocloud_core.files.service import FileService
from cryocloud_core.files.staging import Stage
from cryocloud_core.files.unpacked import Unpacking
from cryocloud_core.task import Code, Preparation, Staging, StagingKind, Task, TaskId


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Give the staging of a machine whose temporary directory is `tmp`."""
    return Stage(FileService(Unpacking(tmp_path / "tmp"), origins=Origins(ThisMachine("here"))))


def staged(stage: Stage, value: Any, kind: StagingKind, *, task: str = "7/N/1", **how: Any) -> Any:
    """Return what becomes of one argument `a`."""
    preparation = Staging("a", Preparation(kind, **how))
    made = Task(
        task,
        7,
        TaskId.parse(task).node,
        "m",
        "w",
        Code("m"),
        "n0",
        {"a": value, "b": "/no/such"},
        staging=(preparation,),
    )
    args = stage.arguments(made)
    assert args["b"] == "/no/such"
    assert made.args["a"] == value
    return args["a"]


FILE, DIR, TEMPDIR = StagingKind.FILE, StagingKind.DIR, StagingKind.TEMPDIR


def test_local_files_are_used_in_place(stage: Stage, tmp_path: Path) -> None:
    """A path, a list, and nulls where they are."""
    path = str(tmp_path / "a b#?%20.txt")
    Path(path).touch()

    assert staged(stage, path, FILE) == path
    assert staged(stage, [path, None, path], FILE) == [path, None, path]
    assert staged(stage, None, FILE) is None
    assert staged(stage, [], FILE) == []
    assert staged(stage, path, FILE, copy=False) == path


@pytest.mark.parametrize(
    ("kind", "more"), [(FILE, ""), (DIR, '; a directory for one pebble alone is "type": "tempdir"')]
)
def test_a_relative_path_says_what_to_write_instead(stage: Stage, kind: StagingKind, more: str) -> None:
    """Whole from the root on; who wants a directory may want a temporary one."""
    with pytest.raises(ResolutionError) as refused:
        staged(stage, "out/day", kind)

    assert str(refused.value) == (
        "argument 'a': 'out/day': need absolute path; "
        f'write it whole, from "/" on: nothing says in which directory a relative one begins{more}'
    )


def test_unzip_gives_a_flat_list_in_which_nulls_add_nothing(stage: Stage, tmp_path: Path) -> None:
    """Archives in order, plain files as themselves."""
    for name in ("b", "a"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("2", "")
            archive.writestr("1", "")
    plain = tmp_path / "plain"
    plain.touch()
    value = [str(tmp_path / "b.zip"), None, str(plain), str(tmp_path / "a.zip")]

    expected = [tmp_path / "b/1", tmp_path / "b/2", plain, tmp_path / "a/1", tmp_path / "a/2"]
    assert staged(stage, value, FILE, unzip=True) == [str(path) for path in expected]
    assert staged(stage, str(plain), FILE, unzip=True) == [str(plain)]
    assert staged(stage, None, FILE, unzip=True) is None


@pytest.mark.parametrize("value", ["d/a", "", 7, True, {"x": 1}, ["/etc/hostname", "rel"], [[7]]])
def test_wrong_arguments_are_told_with_the_arguments_name(stage: Stage, value: Any) -> None:
    """No repeat can help them."""
    with pytest.raises(ResolutionError, match="argument 'a'"):
        staged(stage, value, FILE)


def test_a_missing_file_may_be_there_later(stage: Stage, tmp_path: Path) -> None:
    """So it is a StagingError."""
    with pytest.raises(StagingError, match=r"argument 'a': .*none: does not exist"):
        staged(stage, str(tmp_path / "none"), FILE)


def test_directories_are_made_with_their_parents(stage: Stage, tmp_path: Path) -> None:
    """One or several; existing ones are fine, a file is not."""
    new = str(tmp_path / "x/y")

    assert staged(stage, new, DIR) == new
    assert staged(stage, [new, None, f"{new}/z"], DIR) == [new, None, f"{new}/z"]
    assert Path(f"{new}/z").is_dir()
    (tmp_path / "file").touch()
    for bad in ("file", "file/below"):
        with pytest.raises(StagingError, match="file"):
            staged(stage, str(tmp_path / bad), DIR)
    with pytest.raises(ResolutionError, match="absolute"):
        staged(stage, "rel", DIR)


def test_an_id_is_shared_within_the_pebble_and_a_directory_without_id_is_private(stage: Stage) -> None:
    """Nodes, parts and handlers' firings have their own; attempts have the same."""
    shared = {staged(stage, None, TEMPDIR, id="w", task=task) for task in ("7/N/1", "7.1/M/2")}
    private = [staged(stage, None, TEMPDIR, task=task) for task in ("7/N/1", "7/N/2", "7/M/1", "7.1/N/1", "7/N#1/1")]

    assert len(shared) == 1
    assert private[0] == private[1]
    assert len({*shared, *private}) == 5


@pytest.mark.parametrize("tempdir_id", ["../up", "/abs", "..", ".N.a", "é \n", "x" * 300, "7.N.a"])
def test_no_id_leaves_the_base_or_meets_a_private_directory(tempdir_id: str, stage: Stage, tmp_path: Path) -> None:
    """Whatever the workflow's author calls it."""
    private = {staged(stage, None, TEMPDIR, task=task) for task in ("7/N/1", "7.7/N/1")}

    path = Path(staged(stage, None, TEMPDIR, id=tempdir_id))
    assert path.parent == tmp_path / "tmp"
    assert path.name.startswith("cc-n0-")
    assert str(path) not in private


def test_a_tempdir_is_for_its_owner_alone(stage: Stage, tmp_path: Path) -> None:
    """Mode 0700, in the base that was asked for."""
    path = Path(staged(stage, str(tmp_path / "base"), TEMPDIR, id="w"))

    assert path == tmp_path / "base" / "cc-n0-w"
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_directory_of_ours_is_refused(kind: str, stage: Stage, tmp_path: Path) -> None:
    """A planted file or link is not followed."""
    (tmp_path / "tmp").mkdir()
    planted = tmp_path / "tmp" / "cc-n0-w"
    planted.touch() if kind == "file" else planted.symlink_to(tmp_path)

    with pytest.raises(StagingError, match="no directory of ours"):
        staged(stage, None, TEMPDIR, id="w")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(stage: Stage, tmp_path: Path) -> None:
    """It may have been planted."""
    (tmp_path / "tmp" / "cc-n0-w").mkdir(parents=True)
    os.chown(tmp_path / "tmp" / "cc-n0-w", 4711, 4711)

    with pytest.raises(StagingError, match="belongs to user 4711"):
        staged(stage, None, TEMPDIR, id="w")


@pytest.mark.parametrize("value", [["/tmp"], 7])
def test_a_tempdir_of_a_list_is_refused(value: Any, stage: Stage) -> None:
    """There is one directory."""
    with pytest.raises(ResolutionError, match="tempdir"):
        staged(stage, value, TEMPDIR)


def test_a_place_that_cannot_be_looked_at_is_told(stage: Stage, tmp_path: Path) -> None:
    """As where nothing can be put."""
    (tmp_path / "a").write_text("1")
    with pytest.raises(StagingError, match=r"cannot be copied to .*File name too long"):
        stage.files.put(str(tmp_path / "a"), f"/data/{'y/' * 2500}a")
