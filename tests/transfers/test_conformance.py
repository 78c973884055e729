"""The transfers' conformance kit over the transfers of core that need no bucket, and over an fsspec filesystem."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import fsspec
import pytest
from attrs import evolve, frozen

from cryocloud_core.sdk.fsspec_transfer import FsspecTransfer
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.testing.transfer_small_reads import SmallReadingConformance
from cryocloud_core.testing.transfers import FolderPlace, Place, TransferConformance
from cryocloud_core.transfers.file import FileTransfer
from cryocloud_core.transfers.http import HttpTransfer
from cryocloud_core.transfers.ssh import SshTransfer

if TYPE_CHECKING:
    from tests.services.httpserver import HttpServer
    from tests.services.sshserver import SshServer


class TestFile(TransferConformance):
    """`file://`."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> FolderPlace:
        """Give a folder of this machine."""
        return FolderPlace(tmp_path / "place", lambda name: f"file://{tmp_path / 'place'}/{name}".rstrip("/"))

    @pytest.fixture
    def transfer(self) -> FileTransfer:
        """Give the transfer; it holds nothing."""
        return FileTransfer(TransferConfig())


class TestSsh(TransferConformance):
    """`ssh://` to a real sshd."""

    @pytest.fixture
    def place(self, ssh_server: SshServer) -> FolderPlace:
        """Give a folder that sshd reaches."""
        folder = Path(tempfile.mkdtemp(dir=ssh_server.files))
        return FolderPlace(folder, lambda name: ssh_server.url(folder / name if name else folder))

    @pytest.fixture
    def transfer(self, ssh_server: SshServer) -> Iterator[SshTransfer]:
        """Give the transfer with the keys of the server."""
        made = SshTransfer(TransferConfig(ssh_server.config()))
        yield made
        made.close()


class OverBothPlanes:
    """Has what reads small files run with libcurl and without, and all else once."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give `fast` its values."""
        is_small = metafunc.function.__name__ in vars(SmallReadingConformance)
        metafunc.parametrize("fast", [True, False] if is_small else [True])


class TestHttp(OverBothPlanes, TransferConformance):
    """`http://` to a server with ranges and validators."""

    has_directories = False

    @pytest.fixture
    def place(self, http_server: HttpServer) -> FolderPlace:
        """Give a folder that the server hands out."""
        folder = Path(tempfile.mkdtemp(dir=http_server.files))
        return FolderPlace(folder, lambda name: http_server.url(f"{folder.name}/{name}"))

    @pytest.fixture
    def transfer(self, fast: bool) -> Iterator[HttpTransfer]:
        """Give the transfer."""
        made = HttpTransfer(TransferConfig({"fast": fast}))
        yield made
        made.close()


class Unranged(HttpTransfer):
    """What is to be expected of HTTP where the server has no ranges."""

    abilities = evolve(HttpTransfer.abilities, ranges=False)


class TestHttpWithoutRanges(OverBothPlanes, TransferConformance):
    """`http://` to a server without ranges, validators and HEAD."""

    has_directories = False
    has_validator = False

    @pytest.fixture
    def place(self, http_server: HttpServer) -> FolderPlace:
        """Give a folder that the server hands out whole."""
        folder = Path(tempfile.mkdtemp(dir=http_server.files))
        return FolderPlace(folder, lambda name: http_server.url(f"{folder.name}/{name}", ranges=False))

    @pytest.fixture
    def transfer(self, fast: bool) -> Iterator[HttpTransfer]:
        """Give the transfer."""
        made = Unranged(TransferConfig({"fast": fast}))
        yield made
        made.close()


class MemoryTransfer(FsspecTransfer):
    """The whole of a transfer over an fsspec filesystem."""

    protocol: ClassVar[str] = "memory"


@frozen
class MemoryPlace(Place):
    """A folder of fsspec's memory."""

    folder: str

    def url(self, name: str) -> str:
        """Return the URL of a name."""
        return f"memory://{self.folder}/{name}".rstrip("/")

    def seed(self, name: str, content: bytes) -> None:
        """Write a file."""
        fsspec.filesystem("memory").pipe_file(f"/{self.folder}/{name}", content)

    def content(self, name: str) -> bytes | None:
        """Return a file's bytes."""
        files = fsspec.filesystem("memory")
        path = f"/{self.folder}/{name}"
        return bytes(files.cat_file(path)) if files.exists(path) else None

    def names(self) -> set[str]:
        """Return the files of the folder."""
        return {path.removeprefix(f"/{self.folder}/") for path in fsspec.filesystem("memory").find(f"/{self.folder}")}


class TestMemory(TransferConformance):
    """`memory://`: any fsspec filesystem."""

    @pytest.fixture
    def place(self) -> MemoryPlace:
        """Give a folder of its own."""
        return MemoryPlace(uuid.uuid4().hex)

    @pytest.fixture
    def transfer(self) -> MemoryTransfer:
        """Give the transfer; it holds nothing."""
        return MemoryTransfer(TransferConfig())
