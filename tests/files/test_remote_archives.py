"""Archives from elsewhere: unpacked once, kept apart by version; and what modules do with remote places."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import ConfigError, ResolutionError, StagingError
from cryocloud_core.files.service import FileService
from cryocloud_core.worker.tally import Tally
from tests.files.folder_transfer import put, reads, staged, zipped

PATIENCE_S = 20.0


def test_a_remote_archive_is_unpacked_and_does_not_stay(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """The second task finds it unpacked; the original stays where it is."""
    there = put(servers, "store/in/a.zip", zipped(b="2", d_a="1"))

    found = staged(machine(), "s3://store/in/a.zip", unzip=True)
    assert [Path(path).name for path in found] == ["b", "d"]
    assert Path(found[1], "a").read_text() == "1"
    assert not list((tmp_path / "tmp").rglob("*.zip"))
    assert staged(machine(), "s3://store/in/a.zip", unzip=True) == found
    assert reads("a.zip") == 1
    assert there.exists()


def test_an_unpacked_copy_that_is_used_again_is_told_as_other_copies_are(
    servers: Path, machine: Callable[..., FileService]
) -> None:
    """By the bytes of the archive, as when it came; one that comes anew is told once."""
    size = put(servers, "store/in/a.zip", zipped(b="2", d_a="1")).stat().st_size
    for news in ("", ", not anew"):
        files, tally = machine(), Tally(lambda: 0.0)
        files.remote.told = tally.told
        staged(files, "s3://store/in/a.zip", unzip=True)
        assert tally.fetched() == f"fetched a.zip, {size} B{news}, from s3://store (0.0 s)"


def test_an_archive_that_is_refused_is_named_by_its_url(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """Nobody knows where its copy lies; an empty directory is not left of it either."""
    put(servers, "store/in/evil.zip", zipped(**{"../evil": "1"}))
    for _ in range(2):
        with pytest.raises(StagingError, match=r"argument 'a': s3://store/in/evil\.zip: member"):
            staged(machine(), "s3://store/in/evil.zip", unzip=True)
    assert [path.name for path in (tmp_path / "tmp/cc/unpacked").rglob("*") if path.is_file()] == ["evil.zip"]


def test_without_unzip_an_archive_is_a_file(servers: Path, machine: Callable[..., FileService]) -> None:
    """Beside its unpacked copy, whichever is wanted first."""
    put(servers, "store/in/a.zip", zipped(b="2"))

    before = staged(machine(), "s3://store/in/a.zip")
    unpacked = staged(machine(), "s3://store/in/a.zip", unzip=True)
    assert staged(machine(), "s3://store/in/a.zip") == before
    assert zipfile.is_zipfile(before)
    assert Path(unpacked[0]).read_text() == "2"


def test_a_newer_archive_does_not_take_the_older_ones_files_away(
    servers: Path, machine: Callable[..., FileService]
) -> None:
    """A task may be in the middle of them."""
    put(servers, "store/in/a.zip", zipped(b="old"))
    old = staged(machine(), "s3://store/in/a.zip", unzip=True)
    put(servers, "store/in/a.zip", zipped(b="newer", c="3"))

    new = staged(machine(), "s3://store/in/a.zip", unzip=True)
    assert [Path(path).name for path in new] == ["b", "c"]
    assert (Path(old[0]).read_text(), Path(new[0]).read_text()) == ("old", "newer")


def test_what_turned_out_to_be_no_archive_and_was_changed_by_a_module_is_its_result(
    servers: Path, machine: Callable[..., FileService]
) -> None:
    """The next task is given the original again, elsewhere."""
    put(servers, "store/in/a.zip", "plain")
    files = machine()
    [first] = staged(files, "s3://store/in/a.zip", unzip=True)
    Path(first).write_text("result")
    files.remote.release()

    [again] = staged(machine(), "s3://store/in/a.zip", unzip=True)
    assert (Path(first).read_text(), Path(again).read_text()) == ("result", "plain")


def test_archives_files_and_nulls_of_a_list_are_one_flat_list(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """Remote and local, in order."""
    put(servers, "store/in/a.zip", zipped(one="1", two="2"))
    put(servers, "10.9.9.9/d/plain.nc", "plain")
    (tmp_path / "local.zip").write_bytes(zipped(three="3"))
    value = ["/d/plain.nc", None, "s3://store/in/a.zip", str(tmp_path / "local.zip")]

    found = staged(machine(), value, "far", "near", "near", "near", unzip=True)
    assert [Path(path).name for path in found] == ["plain.nc", "one", "two", "three"]
    assert (tmp_path / "local.zip").exists()


@pytest.mark.parametrize("where", ["in what was unpacked", "in what was unpacked in a directory"])
def test_results_in_what_was_unpacked_are_not_swept(
    where: str, servers: Path, machine: Callable[..., FileService]
) -> None:
    """A module wrote beside its input; once they are gone the copy goes as others do."""
    put(servers, "store/in/p/a.zip", zipped(b="2"))
    files = machine()
    if where == "in what was unpacked":
        [path] = staged(files, "s3://store/in/p/a.zip", unzip=True)
    else:
        [path] = staged(files, f"{staged(files, 's3://store/in/p/')}/a.zip", unzip=True)
    result = Path(path).with_name("result")
    result.write_text("mine")
    files.remote.release(sweep=False)
    other = machine(cache_max_bytes=1, cache_sweep_every=0, cache_keep=0)

    other.remote.layer.sweep()
    assert result.read_text() == "mine"
    result.unlink()
    other.remote.layer.sweep()
    assert not Path(path).exists()


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_what_a_module_changed_in_an_unpacked_copy_is_unpacked_anew_for_others(
    change: str, servers: Path, machine: Callable[..., FileService]
) -> None:
    """In another place, which the next one uses too; what it made of the first is left alone."""
    put(servers, "store/in/a.zip", zipped(b="2", d_c="3"))
    files = machine()
    path, folder = map(Path, staged(files, "s3://store/in/a.zip", unzip=True))
    (folder / "c").write_text("changed") if change == "changed" else path.unlink()
    files.remote.release(sweep=False)

    new = [staged(machine(), "s3://store/in/a.zip", unzip=True) for _ in range(2)]
    assert new[0] == new[1] != [str(path), str(folder)]
    assert (Path(new[0][0]).read_text(), Path(new[0][1], "c").read_text()) == ("2", "3")
    assert (folder / "c").read_text() == ("changed" if change == "changed" else "3")
    assert reads("a.zip") == 2


def test_what_a_module_added_to_an_unpacked_copy_is_not_given_to_others(
    servers: Path, machine: Callable[..., FileService]
) -> None:
    """They are given what the archive holds, from the same copy."""
    put(servers, "store/in/a.zip", zipped(b="2", d_c="3"))
    found = staged(machine(), "s3://store/in/a.zip", unzip=True)
    Path(found[0]).with_name("result").write_text("mine")

    assert staged(machine(), "s3://store/in/a.zip", unzip=True) == found
    assert reads("a.zip") == 1


def test_two_tasks_that_want_one_archive_unpack_it_once(servers: Path, machine: Callable[..., FileService]) -> None:
    """The other waits and uses what there is."""
    put(servers, "store/in/a.zip", zipped(**{f"f{n}": "x" * 100_000 for n in range(20)}))
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(staged(machine(), "s3://store/in/a.zip", unzip=True)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert len(found) == 4
    assert all(each == found[0] for each in found)
    assert reads("a.zip") == 1


def test_a_damaged_archive_is_told_and_leaves_nothing_unpacked(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """Its error names it."""
    put(servers, "store/in/a.zip", zipped(b="2" * 1000)[:-30])

    with pytest.raises(StagingError, match=r"a\.zip"):
        staged(machine(), "s3://store/in/a.zip", unzip=True)
    assert not [path for path in (tmp_path / "tmp/cc/unpacked").rglob("*") if path.name == "a"]


def test_modules_fetch_and_put_as_the_worker_does(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """With paths and URLs alike."""
    put(servers, "store/in/a.nc", "content")
    files = machine()

    [local] = files.fetch("s3://store/in/a.nc")
    assert files.put(local, "s3://store/out/b.nc") == "s3://store/out/b.nc"
    assert (servers / "store/out/b.nc").read_text() == "content"
    assert files.put(local, f"file://{tmp_path}/c.nc") == f"{tmp_path}/c.nc"
    with pytest.raises(StagingError, match="does not exist"):
        files.put("/no/such", "s3://store/out/b.nc")


def test_only_objects_are_removed_from_afar(servers: Path, machine: Callable[..., FileService]) -> None:
    """The file of another machine is that machine's affair, and the error says how."""
    there = put(servers, "store/in/a.nc")
    machine().remove("s3://store/in/a.nc")
    assert not there.exists()
    machine().remove("s3://store/in")
    assert not (servers / "store/in").exists()

    for name in ("p/a", "p/d/b", "q"):
        put(servers, f"store/in/{name}")
    with pytest.raises(StagingError, match=r"below a prefix; set recursive"):
        machine().remove("s3://store/in/p/")
    machine().remove("s3://store/in/p/", recursive=True)
    assert [path.name for path in (servers / "store/in").rglob("*") if path.is_file()] == ["q"]

    with pytest.raises(StagingError, match=r'"ccnode": {"stat"'):
        machine().remove("ssh://far/d/a.nc")
    with pytest.raises(StagingError, match="web server"):
        machine().remove("https://web/a.nc")
    with pytest.raises(StagingError, match="local path"):
        machine().remove("/d/a.nc")


def test_a_scheme_of_nobody_is_a_wrong_argument(machine: Callable[..., FileService]) -> None:
    """No repeat can help; the known ones are named."""
    with pytest.raises(ResolutionError, match=r"unsupported scheme gopher://.*s3://"):
        staged(machine(), "gopher://h/a")


@pytest.mark.parametrize("config", [{"trust_local": "perhaps"}, {"transfer_retries": "many"}])
def test_wrong_settings_are_told(config: dict[str, Any], machine: Callable[..., FileService]) -> None:
    """With their names."""
    with pytest.raises(ConfigError, match=rf"CryoCloud\.Worker\.{next(iter(config))}"):
        machine(**config)


def test_released_copies_stay(servers: Path, machine: Callable[..., FileService]) -> None:
    """While there is room they serve the next task."""
    put(servers, "store/in/a.nc")
    files = machine()
    local = staged(files, "s3://store/in/a.nc")
    files.remote.release()

    assert staged(files, "s3://store/in/a.nc") == local


@pytest.mark.parametrize("scheme", ["s3", "http", "ssh"])
def test_what_a_later_node_unpacks_of_a_copy_goes_with_the_copy(
    scheme: str, servers: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None], tmp_path: Path
) -> None:
    """It is in use as long as a task is handed a path of it; swept, it is there again for who comes late."""
    put(servers, "far/in/a.zip", zipped(one="1"))
    files = machine()
    archive = staged(files, f"{scheme}://far/in/a.zip")
    files.remote.release()
    path = str(Path(archive).with_name("a") / "one")
    for _ in range(2):
        files = machine()
        assert staged(files, archive, unzip=True) == [path]
        sweep_later()
        assert Path(path).read_text() == "1"
        files.remote.release()

    sweep_later()
    assert [each for folder in ("tmp", "data") for each in (tmp_path / folder).rglob("one")] == []
    assert not Path(archive).exists()
    files = machine()
    assert staged(files, path) == path
    assert Path(path).read_text() == "1"
    files.remote.release()


def test_an_archive_that_a_task_uses_stays_when_what_it_held_is_had_again(
    servers: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None]
) -> None:
    """Both were swept: one task is handed the path of the archive, another one of what was in it."""
    put(servers, "store/in/a.zip", zipped(one="1"))
    first, second, third, fourth = (machine() for _ in range(4))
    archive = staged(first, "http://store/in/a.zip")
    first.remote.release()
    [path] = staged(second, archive, unzip=True)
    second.remote.release()
    sweep_later()
    assert staged(third, archive) == archive
    assert staged(fourth, path) == path
    assert (zipfile.is_zipfile(archive), Path(path).read_text()) == (True, "1")
    third.remote.release()
    fourth.remote.release()
    sweep_later()
    assert [Path(each).exists() for each in (archive, path)] == [False, False]


def test_what_a_later_node_unpacked_is_had_again_after_several_sweeps(
    servers: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None]
) -> None:
    """Also when the archive alone was here in between."""
    put(servers, "store/in/a.zip", zipped(one="1"))
    archive = ended(machine(), "s3://store/in/a.zip")
    [path] = ended(machine(), archive, unzip=True)
    for _ in range(2):
        sweep_later()
        assert ended(machine(), "s3://store/in/a.zip") == archive
        assert not Path(path).exists()
    sweep_later()
    assert ended(machine(), path) == path
    assert Path(path).read_text() == "1"


def ended(files: FileService, value: str, **how: Any) -> Any:
    """Return what a task was given that has ended."""
    given = staged(files, value, **how)
    files.remote.release(sweep=False)
    return given


def test_results_in_what_a_later_node_unpacked_stay(
    servers: Path, machine: Callable[..., FileService], sweep_later: Callable[..., None]
) -> None:
    """With all that they were made of."""
    put(servers, "far/in/a.zip", zipped(one="1"))
    archive = ended(machine(), "http://far/in/a.zip")
    [path] = ended(machine(), archive, unzip=True)
    (Path(path).parent / "result").write_text("of a module")
    sweep_later()
    assert (Path(path).read_text(), (Path(path).parent / "result").read_text()) == ("1", "of a module")


@pytest.mark.parametrize("scheme", ["s3", "http"])
def test_an_archive_whose_plain_name_another_copy_has_is_unpacked_beside_both(
    scheme: str, servers: Path, machine: Callable[..., FileService]
) -> None:
    """A server may have `a` and `a.zip` in one directory."""
    put(servers, "store/in/a.zip", zipped(one="1"))
    put(servers, "store/in/a", b"plain")
    files = machine()
    archive, plain = staged(files, [f"{scheme}://store/in/a.zip", f"{scheme}://store/in/a"])
    [path] = staged(files, archive, unzip=True)
    assert staged(files, archive, unzip=True) == [path]
    assert (Path(path).read_text(), Path(plain).read_bytes()) == ("1", b"plain")
    files.remote.release()
