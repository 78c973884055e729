"""waitforfile: all names, at rest, or a clear end."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from cryocloud_core.testing.worker import LocalWorker, task_of
from cryocloud_modules_builtin import waitforfile


def test_it_returns_when_all_files_exist_and_rest(worker: LocalWorker, tmp_path: Path) -> None:
    """One is there already, one comes later and grows for a while; paths come back whole and in order."""

    def write() -> None:
        time.sleep(0.2)
        with (tmp_path / "late").open("w") as late:
            for _ in range(5):
                late.write("x" * 10_000)
                late.flush()
                time.sleep(0.1)

    (tmp_path / "early").write_text("x")
    writer = threading.Thread(target=write)
    began = time.monotonic()
    writer.start()
    args = {"dir": str(tmp_path), "fileList": ["late", "early"], "stabilize": 0.3}

    assert worker.run(waitforfile, args) == {"fileList": [f"{tmp_path}/late", f"{tmp_path}/early"]}
    assert time.monotonic() - began > 0.2 + 0.4 + 0.3
    assert (tmp_path / "late").stat().st_size == 50_000
    writer.join()
    assert worker.status.history("progress")[-1] == 100
    assert worker.status.history("missing")[0] == 1


def test_existing_files_count_after_the_quiet_time(worker: LocalWorker, tmp_path: Path, hostile: str) -> None:
    """Whatever they are called; a lone name and a directory will do."""
    (tmp_path / hostile).mkdir()
    began = time.monotonic()

    assert worker.run(waitforfile, {"fileList": f"{tmp_path}/{hostile}", "stabilize": 0.1})["fileList"]
    assert 0.1 <= time.monotonic() - began < 2


def test_a_timeout_names_what_is_missing(worker: LocalWorker, tmp_path: Path) -> None:
    """And not what is there."""
    (tmp_path / "there").touch()
    args = {"dir": str(tmp_path), "fileList": ["there", "gone"], "stabilize": 0.1, "timeout": 0.4}

    with pytest.raises(TimeoutError, match=r"after 0\.4 s missing: '[^']*/gone'$"):
        worker.run(waitforfile, args)


def test_cancel_ends_the_wait(worker: LocalWorker, tmp_path: Path) -> None:
    """Soon, and not as a success."""
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    began = time.monotonic()
    progress, _ = waitforfile.process_task(worker, task_of(waitforfile, {"fileList": f"{tmp_path}/x"}), cancel)

    assert progress < 100
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"fileList": []}, "fileList is missing"),
        ({"fileList": "x", "dir": None}, "'x' is not absolute"),
        ({"stabilize": "soon"}, "stabilize must be"),
        ({"timeout": -1}, "timeout must be"),
    ],
)
def test_wrong_arguments_are_refused(worker: LocalWorker, args: dict[str, object], said: str) -> None:
    """The error says which argument and what it got."""
    with pytest.raises(ValueError, match=said):
        worker.run(waitforfile, {"fileList": ["/x"], **args})
