"""What the log of a task says of unpacking: what was unpacked to where, once, and when the archive itself is gone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.files.service import FileService
from tests.files.closed_archives import archived, handed_on
from tests.files.folder_transfer import put, staged, zipped


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    """Give what was said since the last time one asked, with its level."""
    caplog.set_level(logging.DEBUG, "cryocloud_core.files")

    def take() -> list[tuple[str, str]]:
        found = [(record.levelname, record.getMessage()) for record in caplog.records]
        caplog.clear()
        return found

    return take


Said = Callable[[], list[tuple[str, str]]]


def test_what_is_unpacked_beside_its_archive_is_told_once(
    machine: Callable[..., FileService], tmp_path: Path, said: Said
) -> None:
    """Who uses it again only says so to who asks for details."""
    archive = archived(tmp_path / "a.zip", one="1" * 1500, two_b="2" * 500)
    handed_on(machine(), archive)
    assert said() == [("INFO", f"unpacked a.zip to {tmp_path / 'a'}, 2 files, 2.0 kB")]

    handed_on(machine(), archive)
    assert said() == [("DEBUG", f"a.zip is unpacked already, to {tmp_path / 'a'}")]


def test_what_is_unpacked_elsewhere_is_told_too(closed: Path, machine: Callable[..., FileService], said: Said) -> None:
    """Beside an archive in a read-only directory nobody would find it."""
    archive = archived(closed / "a.zip", one="1")
    place = handed_on(machine(), archive).parent
    assert said() == [("INFO", f"unpacked a.zip to {place}, 1 file, 1 B")]

    handed_on(machine(), archive)
    assert said() == [("DEBUG", f"a.zip is unpacked already, to {place}")]


def test_what_a_module_unpacks_somewhere_is_told(
    machine: Callable[..., FileService], tmp_path: Path, said: Said
) -> None:
    """Where it lies among other things only its topmost entries are counted."""
    for name, members, count in (("a.zip", {"one": "1", "two_b": "2"}, "2 entries"), ("b.zip", {"c": ""}, "1 entry")):
        machine().unpack(str(archived(tmp_path / name, **members)), str(tmp_path))
        assert said() == [("INFO", f"unpacked {name} to {tmp_path}, {count}")]


def test_what_was_fetched_is_told_by_its_name(servers: Path, machine: Callable[..., FileService], said: Said) -> None:
    """The archive itself does not stay."""
    put(servers, "store/in/b.zip", zipped(f="xyz"))
    [path] = staged(machine(), "s3://store/in/b.zip", unzip=True)
    assert said() == [("INFO", f"unpacked b.zip to {Path(path).parent}, 1 file, 3 B")]

    staged(machine(), "s3://store/in/b.zip", unzip=True)
    assert said() == [("DEBUG", f"b.zip is unpacked already, to {Path(path).parent}")]


@pytest.mark.parametrize("is_closed", [True, False])
def test_that_the_archive_is_gone_is_a_warning(
    is_closed: bool, closed: Path, machine: Callable[..., FileService], tmp_path: Path, said: Said
) -> None:
    """The old content is used, which somebody who moved the archive away may not expect."""
    archive = archived((closed if is_closed else tmp_path) / "a.zip", one="1")
    path = handed_on(machine(), archive)
    archive.unlink()
    said()

    assert handed_on(machine(), archive) == path
    assert ("WARNING", f"{archive} is gone; what was unpacked of it before is used, {path.parent}") in said()


def test_an_archive_that_was_not_to_be_kept_may_be_gone(
    machine: Callable[..., FileService], tmp_path: Path, said: Said
) -> None:
    """A task that is tried again removed it itself."""
    archive = archived(tmp_path / "a.zip", one="1")
    handed_on(machine(), archive, keep=False)
    handed_on(machine(), archive, keep=False)

    assert not archive.exists()
    assert [level for level, _ in said()] == ["INFO", "DEBUG"]
