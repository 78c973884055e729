"""archive: copies in, deletes the oldest beyond size and age, keeps dotfiles and what just came."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.testing.worker import LocalWorker
from cryocloud_modules_builtin import archive
from cryocloud_modules_builtin.archive import Kept, excess


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    """Give an archive with three entries, one, two and three hours old, of 400 kB each, and a dotfile."""
    made = tmp_path / "archive"
    made.mkdir()
    for hours, name in enumerate(["new", "mid", "old"], start=1):
        (made / name).write_bytes(b"x" * 400_000)
        os.utime(made / name, (1, time.time() - 3600 * hours))
    (made / ".keep").write_bytes(b"x" * 5_000_000)
    os.utime(made / ".keep", (1, 1))
    return made


def names(path: Path) -> list[str]:
    """Return the names in a directory, sorted."""
    return sorted(each.name for each in path.iterdir())


def test_src_is_copied_and_its_age_counts_from_now(worker: LocalWorker, tmp_path: Path, dst: Path) -> None:
    """Old data that is archived today is not old in the archive."""
    (tmp_path / "src").write_text("data")
    os.utime(tmp_path / "src", (1, 1000))

    worker.run(archive, {"src": f"{tmp_path}/src", "dst": str(dst)})
    assert worker.run(archive, {"dst": str(dst), "maxage": 5 * 3600})["deleted"] == []
    assert (dst / "src").read_text() == "data"
    assert (tmp_path / "src").exists()


def test_the_oldest_go_when_it_is_too_much(worker: LocalWorker, dst: Path) -> None:
    """MB are 10^6 bytes, dotfiles do not count and stay."""
    assert worker.run(archive, {"dst": str(dst), "maxsize": "1.2"})["deleted"] == []
    assert worker.run(archive, {"dst": str(dst), "maxsize": 0.9})["deleted"] == [f"{dst}/old"]
    assert names(dst) == [".keep", "mid", "new"]


def test_size_decides_nothing_but_how_much_goes(worker: LocalWorker, dst: Path) -> None:
    """A big new entry stays, an old small one goes."""
    (dst / "new").write_bytes(b"x" * 900_000)

    assert worker.run(archive, {"dst": str(dst), "maxsize": 1.2})["deleted"] == [f"{dst}/old", f"{dst}/mid"]


def test_age_and_size_both_apply(worker: LocalWorker, dst: Path) -> None:
    """First what is too old, then what is too much."""
    args = {"dst": str(dst), "maxage": 2.5 * 3600, "maxsize": 0.5}

    assert worker.run(archive, args)["deleted"] == [f"{dst}/old", f"{dst}/mid"]


def test_what_was_just_archived_is_never_deleted(worker: LocalWorker, tmp_path: Path, dst: Path) -> None:
    """Even when it alone is more than the archive may hold; directories count with all that is in them."""
    (tmp_path / "big" / "sub").mkdir(parents=True)
    (tmp_path / "big" / "sub" / "x").write_bytes(b"x" * 3_000_000)

    worker.run(archive, {"src": [f"{tmp_path}/big", None], "dst": str(dst), "maxsize": 1})
    assert names(dst) == [".keep", "big"]


def test_directories_and_links_are_deleted_whole_and_links_not_followed(
    worker: LocalWorker, tmp_path: Path, dst: Path
) -> None:
    """An old link goes, its target stays."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").touch()
    (dst / "link").symlink_to(tmp_path / "kept")
    (dst / "dir" / "sub").mkdir(parents=True)
    os.utime(dst / "dir", (1, 1))
    os.utime(dst / "link", (2, 2), follow_symlinks=False)

    assert worker.run(archive, {"dst": str(dst), "maxage": 86_400})["deleted"] == [f"{dst}/dir", f"{dst}/link"]
    assert (tmp_path / "kept" / "x").exists()


def test_a_missing_source_stops_or_is_passed_over(worker: LocalWorker, tmp_path: Path, dst: Path) -> None:
    """With dontstop the limits are kept all the same."""
    args = {"src": f"{tmp_path}/none", "dst": str(dst), "maxsize": 0.9}

    with pytest.raises(FileNotFoundError, match="none' does not exist"):
        worker.run(archive, args)
    assert "old" in names(dst)
    outputs = worker.run(archive, {**args, "dontstop": "true"})
    assert outputs["deleted"] == [f"{dst}/old"]
    assert outputs["errors"] == [f"archive: '{tmp_path}/none' does not exist"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"dst": None}, "dst must be"),
        ({"dst": "/"}, "refusing to work on '/'"),
        ({"dst": str(Path.home())}, "the home directory"),
        ({"maxsize": "much"}, "maxsize must be"),
        ({"maxage": -1}, "maxage must be"),
    ],
)
def test_wrong_arguments_are_refused(worker: LocalWorker, dst: Path, args: dict[str, object], said: str) -> None:
    """Nothing is deleted."""
    with pytest.raises(ValueError, match=said):
        worker.run(archive, {"dst": str(dst), **args})
    assert len(names(dst)) == 4


ENTRIES = st.lists(
    st.builds(Kept, st.text("abc", min_size=1), st.integers(0, 9), st.integers(0, 9)), unique_by=lambda each: each.path
)


@given(ENTRIES, st.integers(0, 40), st.integers(0, 9), st.sets(st.text("abc", min_size=1)))
def test_as_little_goes_as_the_limits_allow(entries: list[Kept], most: int, oldest: int, fresh: set[str]) -> None:
    """What stays is within the limits or fresh; the youngest that went was too old, or keeping it were too much."""
    doomed = excess(entries, frozenset(fresh), most, oldest)
    left = [each for each in entries if each.path not in doomed]

    assert not fresh & set(doomed)
    assert all(each.at >= oldest or each.path in fresh for each in left)
    assert sum(each.size for each in left) <= most or all(each.path in fresh for each in left)
    if doomed:
        last = next(each for each in entries if each.path == doomed[-1])
        assert last.at < oldest or sum(each.size for each in left) + last.size > most
