"""Files of another machine, over real ssh and a real web server: every name arrives under itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cryocloud_core.errors import StagingError
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from tests.files.folder_transfer import staged
from tests.services.httpserver import HttpServer
from tests.services.sshserver import SshServer

NAMES = (
    "a b.nc",
    "#hash?%41&.nc",
    "line\nbreak",
    "æøå-日本",
    b"raw\xff\xfe".decode("utf-8", "surrogateescape"),
    "'\"$(x)`;",
)


@pytest.fixture
def files(tmp_path: Path, ssh_server: SshServer, http_server: HttpServer) -> Iterator[FileService]:
    """Give the file service of a machine that reaches another, called `far`; equal paths there are other files."""
    address = ssh_server.url("").removeprefix("ssh://")
    settings = {
        "SSH": ssh_server.config(),
        "CryoCloud.Hosts": {"far": {"ssh": address, "http": f"127.0.0.1:{http_server.port}"}},
    }
    routes = Routes.of(Registry.installed(), lambda root: settings.get(root, {}))
    config = {
        "tempdir": str(tmp_path / "tmp"),
        "datadir": str(tmp_path / "data"),
        "trust_local": False,
        "transfer_retries": 0,
    }
    made = FileService.of(config, "near", Transfers(routes))
    yield made
    made.remote.release()
    made.remote.transfers.close()


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_path_of_another_machine_comes_over_either_protocol(
    name: str, files: FileService, ssh_server: SshServer, http_server: HttpServer
) -> None:
    """The bare path that a node returned there; a list of several machines."""
    (ssh_server.files / name).write_text("over ssh")
    (http_server.files / name).write_text("over http")

    [over_ssh] = staged(files, [f"{ssh_server.files}/{name}"], "far")
    over_http = staged(files, f"/files/{name}", "far", proto="http")
    assert Path(over_ssh).name == name
    assert [Path(over_ssh).read_text(), Path(over_http).read_text()] == ["over ssh", "over http"]


def test_a_file_that_is_not_there_either_is_told_with_its_machine(files: FileService) -> None:
    """The address says where it was looked for."""
    for proto, address in (("ssh", "ssh://"), ("http", "http://")):
        with pytest.raises(StagingError, match=rf"argument 'a': .*{address}.*127\.0\.0\.1:\d+/no/such"):
            staged(files, "/no/such", "far", proto=proto)


def test_a_machine_that_cannot_be_reached_is_told(files: FileService) -> None:
    """By name."""
    with pytest.raises(StagingError, match=r"nowhere\.invalid"):
        staged(files, "/no/such", "nowhere.invalid")


def test_another_server_of_a_known_host_is_asked_for_its_own_file(
    http_server: HttpServer, http_mortal: HttpServer, tmp_path: Path
) -> None:
    """Its paths are not those of the machine, though a file of that path is here."""
    settings = {"CryoCloud.Hosts": {"far": {"http": f"127.0.0.1:{http_server.port}"}}}
    routes = Routes.of(Registry.installed(), lambda root: settings.get(root, {}))
    files = FileService.of({"tempdir": str(tmp_path / "tmp")}, "near", Transfers(routes))
    local = tmp_path / "files"
    local.mkdir()
    (local / "a").write_text("here")
    ours, theirs = (f"http://127.0.0.1:{server.port}{local}/a" for server in (http_server, http_mortal))
    assert staged(files, ours, "") == f"{local}/a"
    with pytest.raises(StagingError, match="404"):
        staged(files, theirs, "")
    files.remote.transfers.close()
