"""Clean-up: exactly the pebble's own directories go."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cryocloud_core.errors import ResolutionError, StagingError
from cryocloud_core.files.tempdirs import make_tempdir, process_task, remove_tempdirs, remove_tree, shared_name
from cryocloud_core.sdk.processor import Worker


def clean_up(base: Path, **args: Any) -> dict[str, Any]:
    """Run the clean-up task on a worker whose own base is `base`."""
    worker = SimpleNamespace(cfg={"tempdir": str(base)}, log=logging.getLogger("clean-up"))
    progress, outputs = process_task(cast(Worker, worker), {"args": args})
    assert progress == 100
    return outputs


def test_everything_of_the_pebble_goes_and_nothing_else(tmp_path: Path) -> None:
    """Full directories, in the worker's base (null) and in others; missing bases are no error."""
    own, other = tmp_path / "own", tmp_path / "other"
    gone = [make_tempdir(str(base), shared_name("n1", name)) for base in (own, other) for name in ("a", "b")]
    (gone[0] / "deep" / "er").mkdir(parents=True)
    (gone[0] / "deep" / "file").touch()
    kept = make_tempdir(str(own), shared_name("n11", "a"))

    outputs = clean_up(own, nonce="n1", bases=[None, str(other), str(tmp_path / "none")])
    assert sorted(outputs["removed"]) == sorted(map(str, gone))
    assert list(own.iterdir()) == [kept]
    assert clean_up(own, nonce="n1", bases=[None, str(other)]) == {"removed": []}


def test_links_are_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a planted name nor a link inside."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    base = tmp_path / "base"
    made = make_tempdir(str(base), shared_name("n1", "a"))
    (made / "link").symlink_to(precious)
    (base / "cc-n1-planted").symlink_to(precious)
    (base / "cc-n1-file").touch()

    clean_up(base, nonce="n1", bases=[None])
    assert (precious / "file").exists()
    assert sorted(path.name for path in base.iterdir()) == ["cc-n1-file", "cc-n1-planted"]
    assert "cc-n1-planted" in caplog.text


NOBODY = 65534


def _remove_as_nobody(base: str) -> None:
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    made = make_tempdir(base, shared_name("n1", "a"))
    for name in ("locked", "sealed"):
        (made / name / "sub").mkdir(parents=True)
        (made / name / "file").touch()
    (made / "locked").chmod(0o500)
    (made / "sealed").chmod(0o000)
    removed, _ = remove_tempdirs(base, "n1")
    assert removed == [str(made)]


def test_modes_do_not_keep_a_directory() -> None:
    """A module may leave directories that cannot be written or read; root would not notice, so nobody looks."""
    base = Path(tempfile.mkdtemp(dir="/tmp"))
    if os.geteuid() == 0:
        os.chown(base, NOBODY, -1)
    child = multiprocessing.get_context("fork").Process(target=_remove_as_nobody, args=(str(base),))
    child.start()
    child.join()

    assert child.exitcode == 0
    base.rmdir()


@pytest.mark.parametrize("nonce", ["", "../x", ".", "a/b"])
def test_a_nonce_that_cannot_be_meant_is_refused(nonce: str, tmp_path: Path) -> None:
    """An empty one would match every pebble's directories."""
    with pytest.raises(ResolutionError):
        remove_tempdirs(str(tmp_path), nonce)


def _remove_from_a_closed_directory(base: str) -> None:
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    path = Path(base) / "d"
    path.mkdir()
    Path(base).chmod(0o500)
    with pytest.raises(StagingError, match="cannot be removed"):
        remove_tree(path)
    assert Path(base).stat().st_mode & 0o777 == 0o500


def test_what_is_above_a_directory_keeps_its_mode() -> None:
    """It may be anybody's: opened up, or closed to others, it would stay so."""
    base = Path(tempfile.mkdtemp(dir="/tmp"))
    if os.geteuid() == 0:
        os.chown(base, NOBODY, -1)
    child = multiprocessing.get_context("fork").Process(target=_remove_from_a_closed_directory, args=(str(base),))
    child.start()
    child.join(20)
    base.chmod(0o700)
    shutil.rmtree(base)
    assert child.exitcode == 0
