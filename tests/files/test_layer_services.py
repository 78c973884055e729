"""The layer over real servers: large files, trees, uploads, and servers that are killed, frozen or come back."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from cryocloud_core.errors import RemoteFileMissing, TransferError
from cryocloud_core.files import moving
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.remote import Remote
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.unpacked import Unpacking
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.s3_access import Place as S3Place
from tests.services.httpserver import HttpServer
from tests.services.s3server import S3Server
from tests.services.sshserver import SshServer

pytestmark = pytest.mark.system
BIG = 66 * 1024 * 1024
NAMES = ("plain", "sub/with space", "sub/#hash?x=1", "sub/%41 ü", "deep/er/empty")
KINDS = {"s3": "s3:S3Transfer", "ssh": "ssh:SshTransfer", "http": "http:HttpTransfer", "file": "file:FileTransfer"}


@define
class Place:
    """A remote place: its settings, its URLs, and its files as we see them here, where we can."""

    scheme: str
    config: dict[str, Any]
    url_of: Callable[[str], str]
    folder: Path | None = None
    made: list[Transfers] = field(factory=list)

    def url(self, name: str) -> Url:
        """Return the URL of a name."""
        return Url.parse(self.url_of(name))

    def layer(self, tempdir: Path, **settings: Any) -> Layer:
        """Return the layer of a task."""
        route = Route(self.scheme, f"cryocloud_core.transfers.{KINDS[self.scheme]}", self.scheme.upper())
        transfers = Transfers(Routes({self.scheme: route}, {self.scheme.upper(): self.config}))
        self.made.append(transfers)
        return Layer(transfers, LayerSettings(tempdir, cache_max_share=1.0, retry_wait_s=0.1, **settings))

    def close(self) -> None:
        """Let go of all connections."""
        for transfers in self.made:
            transfers.close()


def s3_place(server: S3Server) -> Place:
    """Return a bucket of one's own."""
    bucket = f"layer-{secrets.token_hex(6)}"
    return Place("s3", server.config(), lambda name: server.url(f"{bucket}/{name}"))


def ssh_place(server: SshServer) -> Place:
    """Return a directory of one's own."""
    folder = server.files / secrets.token_hex(6)
    folder.mkdir()
    return Place("ssh", server.config(), lambda name: server.url(folder / name), folder)


def http_place(server: HttpServer) -> Place:
    """Return a folder of one's own."""
    folder = server.files / secrets.token_hex(6)
    folder.mkdir()
    return Place("http", {}, lambda name: server.url(f"{folder.name}/{name}"), folder)


@pytest.fixture(params=["s3", "ssh", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give each place that files can be put to."""
    if request.param == "s3":
        made = s3_place(request.getfixturevalue("s3_server"))
    elif request.param == "ssh":
        made = ssh_place(request.getfixturevalue("ssh_server"))
    else:
        (tmp_path / "remote").mkdir()
        made = Place("file", {}, lambda name: f"file://{tmp_path}/remote/{name}", tmp_path / "remote")
    yield made
    made.close()


def written(path: Path, size: int) -> Path:
    """Write a file of random bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    block = os.urandom(1024 * 1024)
    with path.open("wb") as file:
        for at in range(0, size, len(block)):
            file.write(block[: size - at])
            block = block[1:] + block[:1]
    return path


def digest(path: Path) -> str:
    """Return what tells contents apart."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_large_file_goes_there_and_comes_back(place: Place, tmp_path: Path) -> None:
    """Sent once, fetched as the side allows, used again; what was fetched is what was sent."""
    source, told = written(tmp_path / "source", BIG), list[Moving]()
    layer = place.layer(tmp_path / "temp")
    layer.told = told.append
    layer.put(source, place.url("big.bin"))
    layer.put(source, place.url("big.bin"))
    layer.fetch(place.url("big.bin"), tmp_path / "back")
    layer.fetch(place.url("big.bin"), tmp_path / "back")

    assert digest(tmp_path / "back") == digest(source)
    assert (told[-1].done_bytes, told[-1].files_done) == (BIG, 1)


def test_a_tree_goes_there_and_comes_back(place: Place, tmp_path: Path) -> None:
    """Names of all kinds and sizes of all kinds, empty ones too."""
    for at, name in enumerate(NAMES):
        written(tmp_path / "tree" / name, 70_000 * (len(NAMES) - 1 - at))
    layer = place.layer(tmp_path / "temp")
    layer.put(tmp_path / "tree", place.url("tree"))
    layer.fetch_any(place.url("tree/"), tmp_path / "back")

    assert {name: digest(tmp_path / "back" / name) for name in NAMES} == {
        name: digest(tmp_path / "tree" / name) for name in NAMES
    }


def test_what_is_not_there_is_missing(place: Place, tmp_path: Path) -> None:
    """A file, a prefix, and what is to be fetched as either."""
    written(tmp_path / "x", 10)
    layer = place.layer(tmp_path / "temp")
    layer.put(tmp_path / "x", place.url("x"))
    for fetch, name in ((layer.fetch, "none"), (layer.fetch_tree, "none/"), (layer.fetch_any, "none")):
        with pytest.raises(RemoteFileMissing):
            fetch(place.url(name), tmp_path / "out" / "t")

    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("ranges", [True, False])
def test_a_large_file_comes_over_http(http_server: HttpServer, tmp_path: Path, ranges: bool) -> None:
    """As ranges, or as one stream from a server that has none."""
    made = http_place(http_server)
    assert made.folder is not None
    source = written(made.folder / "big.bin", BIG)
    url = Url.parse(http_server.url(f"{made.folder.name}/big.bin", ranges=ranges))
    made.layer(tmp_path / "temp").fetch(url, tmp_path / "back")
    made.close()

    assert digest(tmp_path / "back") == digest(source)


def interrupted(layer: Layer, url: Url, target: Path, at: int, harm: Callable[[], None]) -> list[Moving]:
    """Fetch while something happens to the server after some bytes; return what was told.

    However quick the machine is: progress is told with every piece, and nothing more is taken until the harm is done.
    """
    told: list[Moving] = []
    harmed, done, over = threading.Event(), threading.Event(), threading.Event()

    def do_harm() -> None:
        harm()
        done.set()
        over.wait(60)  # a server that is started here dies with this thread

    def tell(progress: Moving) -> None:
        told.append(progress)
        if progress.done_bytes > at and not harmed.is_set():
            harmed.set()
            threading.Thread(target=do_harm, daemon=True).start()
            assert done.wait(60)

    layer.told = tell
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(moving, "TELL_EVERY_S", 0.0)
            layer.fetch(url, target)
    finally:
        over.set()
    assert harmed.is_set()
    return told


def test_a_killed_sshd_that_comes_back_costs_little(ssh_mortal: SshServer, tmp_path: Path) -> None:
    """The transfer connects anew and goes on; the file is whole."""
    made = ssh_place(ssh_mortal)
    assert made.folder is not None
    source = written(made.folder / "big.bin", 3 * BIG)

    def harm() -> None:
        ssh_mortal.kill()
        time.sleep(0.2)
        ssh_mortal.start()

    layer = made.layer(tmp_path / "temp", retries=20)
    told = interrupted(layer, made.url("big.bin"), tmp_path / "back", BIG // 4, harm)
    made.close()

    assert digest(tmp_path / "back") == digest(source)
    assert told[-1].done_bytes == 3 * BIG


def test_a_frozen_sshd_is_left_when_the_task_stops(ssh_mortal: SshServer, tmp_path: Path) -> None:
    """Within a second, and what came can be resumed when it thaws."""
    made, stop, at = ssh_place(ssh_mortal), threading.Event(), list[float]()
    assert made.folder is not None
    source = written(made.folder / "big.bin", 3 * BIG)

    def check() -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    def harm() -> None:
        ssh_mortal.freeze()
        time.sleep(0.5)
        at.append(time.monotonic())
        stop.set()

    layer = made.layer(tmp_path / "temp")
    layer.check = check
    with pytest.raises(KeyboardInterrupt):
        interrupted(layer, made.url("big.bin"), tmp_path / "out" / "back", BIG // 4, harm)
    assert time.monotonic() - at[0] < 1
    ssh_mortal.thaw()
    stop.clear()
    made.layer(tmp_path / "temp").fetch(made.url("big.bin"), tmp_path / "out" / "back")
    made.close()

    assert digest(tmp_path / "out" / "back") == digest(source)


def test_a_server_that_stays_away_is_an_error_that_can_be_repeated(http_mortal: HttpServer, tmp_path: Path) -> None:
    """After the repeats; a server that is back is asked on from there."""
    made = http_place(http_mortal)
    assert made.folder is not None
    source = written(made.folder / "big.bin", 3 * BIG)
    layer = made.layer(tmp_path / "temp", retries=1)
    with pytest.raises(TransferError) as told:
        interrupted(layer, made.url("big.bin"), tmp_path / "out" / "back", BIG // 2, http_mortal.stop)
    assert told.value.repeat
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".json", ".part"]
    http_mortal.start()
    made.layer(tmp_path / "temp").fetch(made.url("big.bin"), tmp_path / "out" / "back")
    made.close()

    assert digest(tmp_path / "out" / "back") == digest(source)


def test_all_below_a_prefix_is_removed_with_what_stands_for_directories(s3_server: S3Server, tmp_path: Path) -> None:
    """Else the bucket could not be removed after it; a directory without files is one here too."""
    place = s3_place(s3_server)
    layer = place.layer(tmp_path / "temp")
    (tmp_path / "f").write_text("x")
    layer.put(tmp_path / "f", place.url("p/sub/a"))
    client = layer.transfers.to(place.url("p/"))._server(place.url("p/")).client  # type: ignore[attr-defined]
    for key in ("p/", "p/sub/", "p/empty/"):
        client.call(S3Place.of(place.url(key)), "put_object", Key=key, Body=b"")

    layer.fetch_tree(place.url("p/"), tmp_path / "p")
    assert sorted(str(path.relative_to(tmp_path / "p")) for path in (tmp_path / "p").rglob("*")) == [
        "empty",
        "sub",
        "sub/a",
    ]
    Remote(Unpacking(tmp_path / "temp"), layer.transfers).remove(place.url("p/"), recursive=True)
    layer.remove(Url.parse(place.url_of("").rstrip("/")))
    place.close()
