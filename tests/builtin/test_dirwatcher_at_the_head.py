"""dirwatcher as the head meets it: wrong arguments, commits that are shared or fail, the kind of disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core import CryoCloudError
from cryocloud_core.testing.inputs import RecordingHandler, RunningInput, running
from cryocloud_modules_builtin import dirwatcher, scanning


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"src": None}, "src must be"),
        ({"src": "/does/not/exist"}, "src does not exist"),
        ({"src": __file__}, "src is no directory"),
        ({"stabilize": "soon"}, "stabilize must be"),
        ({"stabilize": -1}, "stabilize must be"),
        ({"recursive": "perhaps"}, "recursive must be"),
    ],
)
def test_wrong_arguments_are_refused_with_their_name(src: Path, args: dict[str, Any], said: str) -> None:
    """`start` raises at once and says what is wrong."""
    with pytest.raises((ValueError, CryoCloudError), match=said):
        RunningInput(dirwatcher, RecordingHandler(), {"src": str(src), **args}).join()


def test_a_thousand_files_do_not_wait_one_by_one(src: Path) -> None:
    """All pebbles are made before the first commit is waited for, so that they can share it."""
    for number in range(1000):
        (src / f"f{number}").touch()
    handler = RecordingHandler(once=True)
    handler.hold()
    started = RunningInput(dirwatcher, handler, {"src": str(src), "stabilize": 0})

    handler.wait_for(1000)
    assert handler.waited_for in ([], [1])
    handler.release()
    started.join()
    assert handler.waited_for == list(range(1, 1001))


def test_a_failed_commit_ends_the_input_with_its_error(src: Path, handler: RecordingHandler) -> None:
    """What the head cannot keep is not passed over in silence."""
    (src / "a").write_text("x")
    handler.fail("no space left")
    started = RunningInput(dirwatcher, handler, {"src": str(src), "stabilize": 0})

    with pytest.raises(Exception, match="no space left"):
        started.join()


def test_it_stops_within_a_second(src: Path, handler: RecordingHandler) -> None:
    """Also while it waits for a look that is due in minutes."""
    with running(dirwatcher, handler, {"src": str(src)}) as started:
        time.sleep(0.2)
        assert started.stop() < 2


MOUNTS = """\
21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 0:40 / /data rw shared:1 - nfs4 server:/x rw
23 22 8:2 / /data/my\\040disk rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/home/x", "ext4"), ("/data", "nfs4"), ("/data/y", "nfs4"), ("/database", "ext4"), ("/data/my disk/z", "xfs")],
)
def test_the_longest_mount_point_tells_the_disk(path: str, kind: str) -> None:
    """The file system's type comes from the mount that holds the path."""
    assert scanning.disk_type(path, MOUNTS) == kind
