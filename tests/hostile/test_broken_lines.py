"""Real servers behind lines that break: what arrives, here or there, is whole or is not there."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from cryocloud_core.errors import TaskError
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.url import Url
from tests.hostile.proxy import Breaking, BreakingLine
from tests.services.s3server import S3Server
from tests.services.sshserver import SshServer

#: the first seeds of the campaign (`tasks.py hostile`), which sets more
SEEDS = range(int(os.environ.get("CRYOCLOUD_HOSTILE_LINES", "2")))
TIMEOUT_S = 0.8
LIMIT_S = 60.0
_SIZES = (0, 20_000, 400_000, 6_000_000, 12_000_000)
_SMALL_SIZES = (0, 1, 300, 5_000, 60_000)


@define(eq=False)
class Place:
    """A server that is reached straight, and through a line that breaks."""

    scheme: str
    reference: str
    #: the settings below its root for a port
    settings: Callable[[int], dict[str, Any]]
    port: int
    #: the URL of a name at a port
    url: Callable[[int, str], str]

    def layer(self, port: int, tempdir: Path, *, patient: bool) -> tuple[Layer, Transfers]:
        """Return a layer that reaches it at a port; an impatient one gives up soon."""
        times = {} if patient else {"timeout": TIMEOUT_S, "connect_timeout": 2.0}
        own = {server: values | times for server, values in self.settings(port).items()}
        route = Route(self.scheme, self.reference, self.scheme.upper())
        transfers = Transfers(Routes({self.scheme: route}, {self.scheme.upper(): own}))
        settings = LayerSettings(
            tempdir, 3, 0.01, 0.05, idle_timeout_s=60.0 if patient else 2.0, parallel_min_bytes=1 << 20
        )
        return Layer(transfers, settings), transfers


@pytest.fixture
def s3_place(s3_server: S3Server) -> Place:
    """The object store."""
    return Place(
        "s3",
        "cryocloud_core.transfers.s3:S3Transfer",
        lambda port: {f"127_0_0_1:{port}": next(iter(s3_server.config().values()))},
        s3_server.ports["s3"],
        lambda port, name: f"s3://127.0.0.1:{port}/hostile-lines/{name}",
    )


@pytest.fixture
def ssh_place(ssh_server: SshServer) -> Place:
    """The machine behind sshd."""
    user = Url.parse(ssh_server.url("/")).user
    own = next(iter(ssh_server.config().values()))
    return Place(
        "ssh",
        "cryocloud_core.transfers.ssh:SshTransfer",
        lambda port: {f"127_0_0_1:{port}": own | {"host_keys": "ignore"}},
        ssh_server.port,
        lambda port, name: f"ssh://{user}@127.0.0.1:{port}{ssh_server.files}/{name}",
    )


@contextlib.contextmanager
def opened(place: Place, port: int, tempdir: Path, *, patient: bool = True) -> Iterator[Layer]:
    """Give a layer whose connections are closed at the end."""
    layer, transfers = place.layer(port, tempdir, patient=patient)
    try:
        yield layer
    finally:
        transfers.close()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scheme", ["s3", "ssh"])
def test_a_fetch_over_a_breaking_line_gives_the_whole_file_or_none(
    scheme: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """However often the line breaks, and wherever; and once it holds, the file comes."""
    place: Place = request.getfixturevalue(f"{scheme}_place")
    chance = random.Random(seed)
    content = chance.randbytes(chance.choice(_SIZES))
    (tmp_path / "source").write_bytes(content)
    name, target = f"fetch {seed}.bin", tmp_path / "target"
    with opened(place, place.port, tmp_path / "t") as straight:
        straight.put(tmp_path / "source", Url.parse(place.url(place.port, name)))
    line = BreakingLine(place.port, [Breaking.drawn(chance, len(content)) for _ in range(chance.randint(1, 6))])
    began = time.monotonic()
    try:
        url = Url.parse(place.url(line.own_port, name))
        with opened(place, line.own_port, tmp_path / "tmp", patient=False) as layer, contextlib.suppress(TaskError):
            layer.fetch(url, target)
        assert not target.exists() or target.read_bytes() == content
        line.mend()
        with opened(place, line.own_port, tmp_path / "tmp") as layer:
            layer.fetch(url, target)
        assert target.read_bytes() == content
    finally:
        line.close()
    assert time.monotonic() - began < LIMIT_S


def _small_contents(chance: random.Random) -> dict[str, bytes]:
    return {f"{'sub/' * (at % 2)}{at}": chance.randbytes(chance.choice(_SMALL_SIZES)) for at in range(24)}


def _placed(place: Place, name: str, contents: dict[str, bytes], folder: Path) -> None:
    """Put a directory there, over the straight line."""
    for below, content in contents.items():
        (folder / "source" / below).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / below).write_bytes(content)
    with opened(place, place.port, folder / "t") as straight:
        straight.put(folder / "source", Url.parse(place.url(place.port, name)))


def _found(target: Path) -> dict[str, bytes]:
    return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scheme", ["s3", "ssh"])
def test_a_directory_of_small_files_over_a_breaking_line_is_whole_or_not_there(
    scheme: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Its files are read side by side over what breaks; and once the line holds, all come."""
    place: Place = request.getfixturevalue(f"{scheme}_place")
    chance = random.Random(2000 + seed)
    contents, target = _small_contents(chance), tmp_path / "target"
    _placed(place, f"tree {seed}", contents, tmp_path)
    size = sum(map(len, contents.values()))
    line = BreakingLine(place.port, [Breaking.drawn(chance, size) for _ in range(chance.randint(1, 12))])
    began = time.monotonic()
    try:
        url = Url.parse(place.url(line.own_port, f"tree {seed}/"))
        with opened(place, line.own_port, tmp_path / "tmp", patient=False) as layer, contextlib.suppress(TaskError):
            layer.fetch_tree(url, target)
        assert not target.exists() or _found(target) == contents
        line.mend()
        with opened(place, line.own_port, tmp_path / "tmp") as layer:
            layer.fetch_tree(url, target)
        assert _found(target) == contents
    finally:
        line.close()
    assert time.monotonic() - began < LIMIT_S


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scheme", ["s3", "ssh"])
def test_a_list_of_small_files_over_a_breaking_line_has_no_wrong_one(
    scheme: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Each place is empty or right, nothing lies beside them; and once the line holds, what is missing comes."""
    place: Place = request.getfixturevalue(f"{scheme}_place")
    chance = random.Random(3000 + seed)
    contents, out = _small_contents(chance), tmp_path / "out"
    _placed(place, f"list {seed}", contents, tmp_path)
    size = sum(map(len, contents.values()))
    line = BreakingLine(place.port, [Breaking.drawn(chance, size) for _ in range(chance.randint(1, 12))])
    began = time.monotonic()
    try:
        wanted = {Url.parse(place.url(line.own_port, f"list {seed}/{name}")): out / name for name in contents}
        with opened(place, line.own_port, tmp_path / "tmp", patient=False) as layer:
            done = layer.fetch_small(wanted)
        found = _found(out) if out.exists() else {}
        assert {wanted[url] for url in done} <= {out / name for name in found}
        assert found.items() <= contents.items()
        line.mend()
        with opened(place, line.own_port, tmp_path / "tmp") as layer:
            done |= layer.fetch_small(wanted)
            for url in set(wanted) - done:
                layer.fetch(url, wanted[url])
        assert _found(out) == contents
    finally:
        line.close()
    assert time.monotonic() - began < LIMIT_S


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scheme", ["s3", "ssh"])
def test_a_put_over_a_breaking_line_leaves_the_old_file_or_the_new_one(
    scheme: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Nothing half ever stands under the name over there; and once the line holds, the new one does."""
    place: Place = request.getfixturevalue(f"{scheme}_place")
    chance = random.Random(1000 + seed)
    old, new = b"what was there before", chance.randbytes(chance.choice(_SIZES))
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    there = Url.parse(place.url(place.port, f"put {seed}.bin"))
    with opened(place, place.port, tmp_path / "t") as straight:
        straight.put(tmp_path / "old", there)
    line = BreakingLine(place.port, [Breaking.drawn(chance, len(new)) for _ in range(chance.randint(1, 6))])
    began, arrived = time.monotonic(), False
    try:
        through = Url.parse(place.url(line.own_port, f"put {seed}.bin"))
        with opened(place, line.own_port, tmp_path / "tmp", patient=False) as layer, contextlib.suppress(TaskError):
            layer.put(tmp_path / "new", through)
            arrived = True
        found = _content(place, there, tmp_path)
        assert found == new if arrived else found in (old, new)
        line.mend()
        with opened(place, line.own_port, tmp_path / "tmp") as layer:
            layer.put(tmp_path / "new", through)
        assert _content(place, there, tmp_path) == new
    finally:
        line.close()
    assert time.monotonic() - began < LIMIT_S


def _content(place: Place, url: Url, folder: Path) -> bytes:
    with opened(place, place.port, folder / "fresh") as layer:
        target = folder / "seen"
        target.unlink(missing_ok=True)
        return layer.fetch(url, target).read_bytes()
