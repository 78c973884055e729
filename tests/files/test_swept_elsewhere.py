"""Copies that were swept on the machine that fetched them, asked for by a node on another one, over a real sshd."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve

from cryocloud_core.errors import StagingError
from cryocloud_core.files.bookkeeping import Books
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from tests.files.closed_archives import archived
from tests.files.folder_transfer import clear, put, reads, routes_to, staged, zipped
from tests.services.sshserver import SshServer


@define(eq=False)
class Machines:
    """Two machines that reach the same stores (folders below `servers`), and one the other over ssh as `far`."""

    base: Path
    routes: Routes
    made: list[FileService]

    def machine(self, name: str, **config: Any) -> FileService:
        """Return the file service of a task on a machine of that name."""
        folder = self.base / name
        given = {"tempdir": str(folder / "tmp"), "datadir": str(folder / "data"), "trust_local": False} | config
        files = FileService.of(given, name, Transfers(self.routes))
        self.made.append(files)
        return files

    def handed_on(self, value: str, name: str = "far", **how: Any) -> str:
        """Return the path that a node on a machine is given and hands on; the node has ended."""
        files = self.machine(name)
        path = staged(files, value, **how)
        files.remote.release(sweep=False)
        return str(path[0] if isinstance(path, list) else path)

    def sweep(self, name: str = "far") -> None:
        """Do what another task there does at its end on a disk that is too full, long after the last use."""
        self.machine(name, cache_max_bytes=1, cache_sweep_every=0, cache_keep=0).remote.layer.sweep()


@pytest.fixture
def machines(servers: Path, tmp_path: Path, ssh_server: SshServer) -> Iterator[Machines]:
    """Give them; whatever they opened is closed in the end."""
    address = ssh_server.url("").removeprefix("ssh://")
    settings = {"SSH": ssh_server.config(), "CryoCloud.Hosts": {"far": address, "third": address}}
    real = Routes.of(Registry.installed(), lambda root: settings.get(root, {}))
    stores = routes_to(servers, "s3", "http")
    routes = evolve(real, by_scheme={**real.by_scheme, **stores.by_scheme}, config={**real.config, **stores.config})
    made = Machines(tmp_path, routes, [])
    yield made
    for each in made.made:
        each.remote.release(sweep=False)
        each.remote.transfers.close()


@pytest.mark.parametrize("url", ["s3://store/in/a #?.nc", "http://web/in/a.nc?X-Amz-Signature=0123456789abcdef"])
def test_a_file_that_was_swept_there_is_had_from_its_origin(
    url: str, servers: Path, machines: Machines, caplog: pytest.LogCaptureFixture
) -> None:
    """In use like any other; the log says so, without the secrets of the address."""
    put(servers, url.partition("://")[2], "content")
    path = machines.handed_on(url)
    machines.sweep()
    assert not os.path.lexists(path)

    with caplog.at_level(logging.INFO):
        near = machines.machine("near")
        found = Path(staged(near, path, "far"))
    assert (found.read_text(), found != Path(path)) == ("content", True)
    assert machines.base / "near" in found.parents
    machines.sweep("near")
    assert found.exists()
    assert "is no longer there" in caplog.text
    assert "0123456789abcdef" not in caplog.text
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_file_in_a_directory_that_was_swept_there_comes_with_the_directory(servers: Path, machines: Machines) -> None:
    """For it has others beside it that belong to it; the directory itself comes too."""
    put(servers, "store/in/p/deep/a", "a")
    put(servers, "store/in/p/b", "b")
    path = machines.handed_on("s3://store/in/p/")
    machines.sweep()

    found = Path(staged(machines.machine("near"), f"{path}/deep/a", "far"))
    assert (found.read_text(), (found.parents[1] / "b").read_text()) == ("a", "b")
    assert staged(machines.machine("near"), path, "far") == str(found.parents[1])


@pytest.mark.parametrize("member", ["one", "two/a", ""])
def test_what_was_unpacked_and_swept_there_is_unpacked_here(member: str, servers: Path, machines: Machines) -> None:
    """A member, one that lies deeper, and the whole directory; the archive itself does not stay."""
    put(servers, "store/in/a.zip", zipped(one="1", two_a="2"))
    folder = Path(machines.handed_on("s3://store/in/a.zip", unzip=True)).parent
    machines.sweep()
    assert not folder.exists()

    found = Path(staged(machines.machine("near"), str(folder / member), "far"))
    assert (found / "one" if not member else found).read_text() == ("2" if member == "two/a" else "1")
    assert not list((machines.base / "near").rglob("*.zip"))


def test_an_archive_that_was_swept_there_is_unpacked_here_where_that_is_wanted(
    servers: Path, machines: Machines
) -> None:
    """The first node took it as it is; one in a directory too."""
    put(servers, "store/in/p/a.zip", zipped(one="1"))
    path, folder = machines.handed_on("s3://store/in/p/a.zip"), machines.handed_on("s3://store/in/p/")
    machines.sweep()

    for archive in (path, f"{folder}/a.zip"):
        [found] = staged(machines.machine("near"), archive, "far", unzip=True)
        assert Path(found).read_text() == "1"


def test_a_list_of_swept_and_present_files_stands_in_its_order(servers: Path, machines: Machines) -> None:
    """Each is had from where it is."""
    paths = []
    for number in range(4):
        put(servers, f"store/in/{number}", str(number))
        paths.append(machines.handed_on(f"s3://store/in/{number}"))
    machines.sweep()
    staged(machines.machine("far"), "s3://store/in/2")

    found = staged(machines.machine("near"), paths, "far")
    assert [Path(each).read_text() for each in found] == ["0", "1", "2", "3"]


def test_a_copy_of_a_copy_is_followed_to_where_it_is(servers: Path, machines: Machines) -> None:
    """Two machines had it in turn, and both needed the room."""
    put(servers, "store/in/a", "content")
    first = machines.handed_on("s3://store/in/a")
    far = machines.machine("third", datadir=str(put(servers, "no/folder")))
    second = str(staged(far, first, "far"))
    far.remote.release(sweep=False)
    machines.sweep("far")
    machines.sweep("third")
    assert not os.path.lexists(first)
    assert not os.path.lexists(second)

    assert Path(staged(machines.machine("near"), second, "third")).read_text() == "content"


def test_a_copy_of_a_copy_that_both_machines_swept_is_there_again_for_the_next_node(
    servers: Path, machines: Machines
) -> None:
    """Under the path that was handed on; of what was in an archive the error says what may help."""
    put(servers, "store/in/a", "content")
    put(servers, "store/in/b.zip", zipped(one="content"))
    paths = []
    for url, unzip in (("s3://store/in/a", False), ("s3://store/in/b.zip", True)):
        files = machines.machine("near")
        paths.append(str(staged(files, machines.handed_on(url, unzip=unzip), "far")))
        files.remote.release(sweep=False)
    machines.sweep("far")
    machines.sweep("near")
    assert not any(map(os.path.lexists, paths))

    assert staged(machines.machine("near"), paths[0]) == paths[0]
    assert Path(paths[0]).read_text() == "content"
    with pytest.raises(StagingError, match=r"was a copy and is no longer here: ssh://.*cache_keep"):
        staged(machines.machine("near"), paths[1])


def test_what_was_unpacked_of_an_archive_of_that_machine_is_had_from_there(
    closed: Path, machines: Machines, caplog: pytest.LogCaptureFixture
) -> None:
    """Only if it is the same one still: its versions can be told apart."""
    archive = archived(closed / "a.zip", one="1", two_a="2")
    path = machines.handed_on(str(archive), unzip=True)
    assert machines.base / "far/tmp" in Path(path).parents
    machines.sweep()
    assert not os.path.lexists(path)

    found = Path(staged(machines.machine("near"), path, "far"))
    assert found.read_text() == "1"
    assert machines.base / "near" in found.parents
    assert archive.exists()
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    archived(archive, one="newer")
    said = r"was a copy and is no longer there: ssh://.*/a\.zip: is another version than was unpacked there.*cache_keep"
    with pytest.raises(StagingError, match=said):
        staged(machines.machine("near"), path, "far")


def test_another_version_than_was_handed_on_is_told(
    servers: Path, machines: Machines, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a file, and of what was in an archive."""
    put(servers, "store/in/a", "old")
    put(servers, "store/in/b.zip", zipped(one="old"))
    paths = [machines.handed_on("s3://store/in/a"), machines.handed_on("s3://store/in/b.zip", unzip=True)]
    machines.sweep()
    put(servers, "store/in/a", "newer")
    put(servers, "store/in/b.zip", zipped(one="newer"))

    found = staged(machines.machine("near"), paths, "far")
    assert [Path(each).read_text() for each in found] == ["newer", "newer"]
    assert caplog.text.count("may be another version") == 2


def test_what_has_no_original_any_more_is_told_with_both_places(servers: Path, machines: Machines) -> None:
    """Which path is missing where, and from where it could not be had."""
    there = put(servers, "store/in/a.nc")
    path = machines.handed_on("s3://store/in/a.nc")
    machines.sweep()
    clear(there)

    said = rf"argument 'a': ssh://\S+{path} was a copy and is no longer there: s3://store/in/a\.nc: there is nothing"
    with pytest.raises(StagingError, match=said):
        staged(machines.machine("near"), path, "far")


def test_a_file_that_somebody_took_out_of_a_copy_is_not_had_from_elsewhere(servers: Path, machines: Machines) -> None:
    """The directory it lay in is there; who took it meant it."""
    put(servers, "store/in/p/a")
    put(servers, "store/in/p/b")
    folder = machines.handed_on("s3://store/in/p/")
    Path(folder, "b").unlink()
    asked = reads("store")

    with pytest.raises(StagingError, match="has nothing of that name"):
        staged(machines.machine("near"), f"{folder}/b", "far")
    assert reads("store") == asked


@pytest.mark.parametrize(
    "note", ["", "{", "[]", "[" * 9999, '{"of": 7}', '{"of": "/"}', "stranger", "local", "loop", "other"]
)
def test_a_note_that_tells_nothing_leaves_what_was_said(
    note: str, servers: Path, machines: Machines, ssh_server: SshServer
) -> None:
    """Damaged, of another path, of a file there, of itself, of a copy that knows nothing of it: a remedy is told."""
    put(servers, "store/in/a")
    path = machines.handed_on("s3://store/in/a")
    machines.sweep()
    place = Books(machines.base / "far/tmp").swept(Path(path))
    held = json.loads(place.read_text())
    odd = {
        "stranger": held | {"target": f"{path}x"},
        "local": held | {"url": "file:///etc/passwd"},
        "loop": held | {"url": ssh_server.url(path)},
    }
    if note == "other":
        put(servers, "store/in/b")
        odd["other"] = {"of": machines.handed_on("s3://store/in/b")}
    place.write_text(json.dumps(odd[note]) if note in odd else note)

    with pytest.raises(StagingError, match=r"has nothing of that name.* \(?.*cache_keep") as raised:
        staged(machines.machine("near"), path, "far")
    assert "/etc/passwd" not in str(raised.value)


def test_where_no_copy_can_have_been_nothing_of_copies_is_said(machines: Machines) -> None:
    """A path that is merely wrong."""
    with pytest.raises(StagingError, match="has nothing of that name") as raised:
        staged(machines.machine("near"), str(machines.base / "far/none/a"), "far")
    assert "cache_keep" not in str(raised.value)


def test_a_note_that_others_could_write_is_told_and_not_followed(
    servers: Path, machines: Machines, ssh_server: SshServer
) -> None:
    """A copy below `datadir` is noted in a directory that its path does not lie in."""
    source = ssh_server.files / "swept-source.nc"
    source.write_text("content")
    path = machines.handed_on(ssh_server.url(source))
    assert path.startswith(str(machines.base / "far/data"))
    machines.sweep()

    near = machines.machine("near", tempdir=str(machines.base / "far/tmp"))
    with pytest.raises(StagingError, match=rf"it was a copy of ssh://\S+{source}.*cache_keep"):
        staged(near, path, "far")
