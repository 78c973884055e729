"""Staging from other machines and remote places: what is fetched, to where, how often, and what is left alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files.service import FileService
from tests.files.folder_transfer import FolderTransfer, clear, put, reads, staged

NAMES = (
    "plain.nc",
    "a b.nc",
    "#hash?%41&.nc",
    "line\nbreak",
    "æøå-日本",
    b"raw\xff\xfe".decode("utf-8", "surrogateescape"),
)
PATIENCE_S = 20.0


class StopRequested(Exception):
    """The task is to stop."""


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("server", ["s3://store:9000/in", "ssh://me@far/in", "http://web/in"])
def test_any_name_arrives_under_itself(
    server: str, name: str, servers: Path, machine: Callable[..., FileService]
) -> None:
    """From every kind of place; nothing in a name means anything."""
    host = server.partition("://")[2].partition("/")[0].rpartition("@")[2]
    put(servers, f"{host}/in/{name}", "x")

    local = staged(machine(), f"{server}/{name}")
    assert Path(local).read_text() == "x"
    if "?" not in name or not server.startswith("http"):
        assert Path(local).name == name


def test_copies_lie_where_the_reference_says(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """Another machine's file under its own path below datadir, an object under server, bucket and key."""
    put(servers, "10.9.9.9/d/a.nc")
    put(servers, "store/in/day/a.nc")

    assert staged(machine(), "/d/a.nc", "far") == str(tmp_path / "data/d/a.nc")
    assert staged(machine(), "ssh://10.9.9.9/d/a.nc") == str(tmp_path / "data/d/a.nc")
    assert staged(machine(), "s3://store/in/day/a.nc") == str(tmp_path / "tmp/cc/s3/store/in/day/a.nc")


def test_equal_keys_of_two_servers_and_buckets_are_two_files(
    servers: Path, machine: Callable[..., FileService]
) -> None:
    """The original mixed them up."""
    for server in ("one/in", "one/out", "two/in"):
        put(servers, f"{server}/a.nc", server)

    found = staged(machine(), [f"s3://{server}/a.nc" for server in ("one/in", "one/out", "two/in")])
    assert [Path(path).read_text() for path in found] == ["one/in", "one/out", "two/in"]


def test_a_key_may_be_a_file_and_a_prefix(servers: Path, machine: Callable[..., FileService], tmp_path: Path) -> None:
    """A disk cannot hold both under one name; the second lies apart, whichever it is."""
    put(servers, "store/in/x/below", "below")
    assert Path(staged(machine(), "s3://store/in/x/below")).read_text() == "below"
    clear(servers / "store/in/x")
    put(servers, "store/in/x", "itself")
    put(servers, "store/in/y", "itself")

    assert Path(staged(machine(), "s3://store/in/x")).read_text() == "itself"
    assert Path(staged(machine(), "s3://store/in/y")).read_text() == "itself"
    clear(servers / "store/in/y")
    put(servers, "store/in/y/below", "below")
    assert Path(staged(machine(), "s3://store/in/y/below")).read_text() == "below"
    assert (tmp_path / "tmp/cc/s3/store/in/x/below").exists()


def test_a_directory_is_copied_whole(servers: Path, machine: Callable[..., FileService]) -> None:
    """An S3 prefix ends in a slash, another machine's directory need not; the web has none."""
    for place in ("store/in/p.SAFE", "10.9.9.9/d/p.SAFE"):
        put(servers, f"{place}/manifest", "m")
        put(servers, f"{place}/deep/er/b.nc", "b")

    for local in (staged(machine(), "s3://store/in/p.SAFE/"), staged(machine(), "/d/p.SAFE", "far")):
        assert Path(local).name == "p.SAFE"
        assert Path(local, "manifest").read_text() == "m"
        assert Path(local, "deep/er/b.nc").read_text() == "b"
    with pytest.raises(StagingError, match="http cannot list"):
        staged(machine(), "http://web/in/")


def test_a_directory_that_only_holds_single_copies_is_not_the_whole_one(
    servers: Path, machine: Callable[..., FileService]
) -> None:
    """The path is here after one of its files was fetched, the others are not."""
    put(servers, "10.9.9.9/d/p/one", "1")
    put(servers, "10.9.9.9/d/p/two", "2")
    staged(machine(), "/d/p/one", "far")

    local = staged(machine(), "/d/p", "far")
    assert sorted(path.name for path in Path(local).iterdir()) == ["one", "two"]


def test_what_is_here_is_used_in_place_and_nothing_is_asked(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """A shared disk; another machine's URL of it; a machine that is this one."""
    put(servers, f"10.9.9.9{tmp_path}/shared.nc", "theirs")
    (tmp_path / "shared.nc").write_text("ours")
    path = str(tmp_path / "shared.nc")

    assert [staged(machine(), path, "far"), staged(machine(), f"ssh://10.9.9.9{path}")] == [path, path]
    assert staged(machine(), f"ssh://near{path}", copy=False) == path
    assert not FolderTransfer.asked


def test_without_trust_the_other_machines_file_is_fetched_and_ours_is_left_alone(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """Same path, other content: the copy goes to a place apart."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.nc").write_text("ours")
    put(servers, "10.9.9.9/a.nc", "theirs")

    local = staged(machine(trust_local=False), "/a.nc", "far")
    assert Path(local).read_text() == "theirs"
    assert (tmp_path / "data/a.nc").read_text() == "ours"


def test_a_changed_file_of_another_machine_is_fetched_anew(servers: Path, machine: Callable[..., FileService]) -> None:
    """A copy at the very path of the original is still a copy."""
    there = put(servers, "10.9.9.9/d/a.nc", "first")
    assert Path(staged(machine(), "/d/a.nc", "far")).read_text() == "first"
    there.write_text("second, longer")

    assert Path(staged(machine(), "/d/a.nc", "far")).read_text() == "second, longer"


@pytest.mark.parametrize("url", ["s3://store/in/p/", "ssh://10.9.9.9/d/p"])
@pytest.mark.parametrize("why", ["used", "written to"])
def test_a_directory_that_changed_there_comes_beside_one_that_must_stay(
    url: str, why: str, servers: Path, machine: Callable[..., FileService]
) -> None:
    """What a task uses, and what a module wrote beside its input, is left alone; the new copy is used again too."""
    there = put(servers, f"{url.partition('://')[2].rstrip('/')}/a", "first")
    first = machine()
    old = Path(staged(first, url))
    if why == "written to":
        (old / "result").write_text("mine")
        first.remote.release()
    there.write_text("second, longer")

    new = [Path(staged(machine(), url)) for _ in range(2)]
    assert new[0] == new[1] != old
    assert (new[0] / "a").read_text() == "second, longer"
    assert (old / "a").read_text() == "first"
    assert why == "used" or (old / "result").read_text() == "mine"


def test_a_copy_that_is_used_in_place_is_not_swept(servers: Path, machine: Callable[..., FileService]) -> None:
    """A node below is handed the path of what a node above fetched, or of a file in it."""
    put(servers, "store/in/p/a", "more than a byte")
    maker, user, other = machine(), machine(), machine(cache_max_bytes=1, cache_sweep_every=0, cache_keep=0)
    path = f"{staged(maker, 's3://store/in/p/')}/a"
    assert staged(user, path) == path
    maker.remote.release()

    other.remote.layer.sweep()
    assert Path(path).exists()
    user.remote.release()
    other.remote.layer.sweep()
    assert not Path(path).exists()


def test_what_a_task_fetched_outlives_its_own_end(servers: Path, machine: Callable[..., FileService]) -> None:
    """Its path is what the next node is handed; older copies make the room."""
    found = []
    for name in ("a", "b"):
        put(servers, f"store/in/{name}", "more than a byte")
        task = machine(cache_max_bytes=1, cache_sweep_every=0, cache_keep=0)
        found.append(Path(staged(task, f"s3://store/in/{name}")))
        task.remote.release()
        assert found[-1].exists()
    assert not found[0].exists()


def test_the_same_path_of_two_machines_is_two_files(servers: Path, machine: Callable[..., FileService]) -> None:
    """The first copy does not count as the second machine's file."""
    put(servers, "one/d/a.nc", "one")
    put(servers, "two/d/a.nc", "two")

    assert Path(staged(machine(), "ssh://one/d/a.nc")).read_text() == "one"
    assert Path(staged(machine(), "ssh://two/d/a.nc")).read_text() == "two"
    assert Path(staged(machine(), "ssh://one/d/a.nc")).read_text() == "one"


def test_a_file_that_may_not_be_copied_must_be_here(servers: Path, machine: Callable[..., FileService]) -> None:
    """The error says what to do."""
    put(servers, "10.9.9.9/d/a.nc")

    for value in ("/d/a.nc", "s3://store/in/a.nc"):
        with pytest.raises(StagingError, match=r"argument 'a': .*may not be fetched from .*run the node where"):
            staged(machine(), value, "far", copy=False)
    assert not FolderTransfer.asked


def test_lists_keep_their_order_their_nulls_and_each_items_machine(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """Paths of several machines after a merge, URLs of all kinds, lists that single parts returned."""
    here = tmp_path / "here.nc"
    here.write_text("near")
    put(servers, "10.9.9.9/d/a.nc", "far")
    put(servers, "else/d/a.nc", "else")
    put(servers, "store/in/a.nc", "s3")
    value = ["/d/a.nc", None, str(here), "/d/a.nc", "s3://store/in/a.nc", ["/d/a.nc", None]]

    found = staged(machine(), value, "far", "near", "near", "else", "near", "far")
    content = [path and Path(path).read_text() for path in found[:5]]
    assert content == ["far", None, "near", "else", "s3"]
    assert Path(found[5][0]).read_text() == "far"
    assert found[5][1] is None
    assert found[2] == str(here)


def test_the_files_of_a_list_are_fetched_several_at_a_time(servers: Path, machine: Callable[..., FileService]) -> None:
    """Each waits for the other to be on its way."""
    for number in range(3):
        put(servers, f"s{number}/in/a.nc", str(number))
    barrier = threading.Barrier(3)
    FolderTransfer.held_up = staticmethod(lambda: barrier.wait(PATIENCE_S))

    found = staged(machine(), [f"s3://s{number}/in/a.nc" for number in range(3)])
    assert [Path(path).read_text() for path in found] == ["0", "1", "2"]


def test_one_missing_file_ends_the_others_and_names_itself(servers: Path, machine: Callable[..., FileService]) -> None:
    """The others would take for ever."""
    put(servers, "store/in/slow.nc", b"x" * 1_000_000)
    FolderTransfer.held_up = staticmethod(lambda: time.sleep(0.2))

    began = time.monotonic()
    with pytest.raises(StagingError, match=r"argument 'a': .*none\.nc"):
        staged(machine(), ["s3://store/in/slow.nc", "s3://store/in/none.nc"])
    assert time.monotonic() - began < 2
    assert reads("none") == 0


def test_what_cannot_be_written_here_is_told_with_argument_address_and_path(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """A full disk, or here a file where a folder must be: all three are needed to know what to do."""
    put(servers, "store/in/a.nc", b"x")
    (tmp_path / "tmp" / "cc").mkdir(parents=True)
    (tmp_path / "tmp" / "cc" / "s3").write_bytes(b"")

    with pytest.raises(StagingError, match=rf"argument 'a': s3://store/in/a\.nc: {tmp_path}/tmp/cc/s3.*written here"):
        staged(machine(), "s3://store/in/a.nc")


def test_a_task_that_is_told_to_stop_stops_fetching(
    servers: Path, machine: Callable[..., FileService], tmp_path: Path
) -> None:
    """And leaves nothing under the file's name."""
    put(servers, "store/in/slow.nc", b"x" * 1_000_000)
    stop = threading.Event()
    FolderTransfer.held_up = staticmethod(stop.set)

    def check() -> None:
        if stop.is_set():
            raise StopRequested

    with pytest.raises(StopRequested):
        staged(machine(check), "s3://store/in/slow.nc")
    assert not (tmp_path / "tmp/cc/s3/store/in/slow.nc").exists()
