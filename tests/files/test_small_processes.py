"""Many small files over real processes and servers: killed over a step, two that want the same, a long list."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from cryocloud_core.errors import StagingError
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.service import FileService
from cryocloud_core.files.sweeping import LEFTOVER_S
from cryocloud_core.files.terms import Clock
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from tests.files.folder_transfer import staged
from tests.files.small_transfer import private_files
from tests.services.httpserver import HttpServer
from tests.services.sshserver import SshServer

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[2]
MANY = 300


@define(eq=False)
class Processes:
    """Starts processes that bring files, and ends them with the test."""

    tempdir: Path
    config: dict[str, Any] = field(factory=dict)
    _running: list[subprocess.Popen[str]] = field(factory=list)

    def start(self, **spec: Any) -> subprocess.Popen[str]:
        """Return a process that waits for a line before it begins."""
        said = json.dumps({"tempdir": str(self.tempdir), "config": self.config, **spec})
        words = [sys.executable, "-m", "tests.files.small_process", said]
        process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._running.append(process)
        return process

    def end(self) -> None:
        """Kill what still runs."""
        for process in self._running:
            process.kill()
            process.communicate()


def begun(*processes: subprocess.Popen[str]) -> list[Any]:
    """Let processes begin together; return what each says in the end, None for one that was killed."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0] for process in processes]
    return [
        None if process.returncode == -signal.SIGKILL else json.loads(line)
        for process, line in zip(processes, said, strict=True)
    ]


@pytest.fixture
def processes(tmp_path: Path, ssh_server: SshServer) -> Iterator[Processes]:
    """Give processes that share a temporary directory and reach the ssh server."""
    made = Processes(tmp_path / "temp", {"SSH": ssh_server.config()})
    yield made
    made.end()


def served(folder: Path, count: int) -> dict[str, bytes]:
    """Write so many small files into a directory; return their contents by name."""
    contents = {f"{at}": f"the content of {at} ".encode() * (at % 50) for at in range(count)}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return contents


def in_a_day(tempdir: Path) -> None:
    """Sweep as it is done a day later."""
    settings = LayerSettings(tempdir, cache_max_share=1.0, sweep_every_s=0.0)
    clock = Clock(wall=lambda: time.time() + LEFTOVER_S + 60)
    Layer(Transfers(Routes()), settings, clock=clock).sweep()


def gets(server: HttpServer, folder: str) -> Counter[str]:
    """Return how often each file of a folder was asked for by GET; the first byte alone is only a question."""
    whole = [asked for asked in server.asked if asked.method == "GET" and asked.headers.get("range") != "bytes=0-0"]
    return Counter(asked.path.rpartition("/")[2] for asked in whole if f"/{folder}/" in asked.path)


DEATHS = [("save", 20), ("settle_all", 1), ("rename", 7), ("settle_all", 2)]


@pytest.mark.parametrize("die", DEATHS, ids=str)
def test_a_list_is_brought_by_who_comes_after_a_kill(
    die: tuple[str, int], processes: Processes, http_server: HttpServer, tmp_path: Path
) -> None:
    """SIGKILL over any step of the batch: no wrong file has a name, the next process brings all, a sweep the rest."""
    folder = Path(tempfile.mkdtemp(dir=http_server.files))
    contents = served(folder, 40)
    wanted = {http_server.url(f"{folder.name}/{name}"): str(tmp_path / "out" / name) for name in contents}
    assert begun(processes.start(list=wanted, die=die)) == [None]
    here = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("[0-9]*")}
    assert here.items() <= contents.items()
    assert begun(processes.start(list=wanted)) != [None]

    assert {name: (tmp_path / "out" / name).read_bytes() for name in contents} == contents
    assert max(gets(http_server, folder.name).values()) <= 2
    in_a_day(processes.tempdir)
    assert private_files(tmp_path / "out", processes.tempdir / "cc" / "coming") == []
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(contents)


TREE_DEATHS = [("save", 20), ("add_line", 20), ("settle", 1)]


@pytest.mark.parametrize("die", TREE_DEATHS, ids=str)
def test_a_tree_is_brought_by_who_comes_after_a_kill(
    die: tuple[str, int], processes: Processes, ssh_server: SshServer, tmp_path: Path
) -> None:
    """SIGKILL over any step, over ssh: the tree is not there half, the next process brings it, nothing lies beside."""
    folder = Path(tempfile.mkdtemp(dir=ssh_server.files))
    contents = served(folder, 40)
    tree = {ssh_server.url(folder): str(tmp_path / "out" / "tree")}
    assert begun(processes.start(tree=tree, die=die)) == [None]
    assert not (tmp_path / "out" / "tree").exists()
    assert begun(processes.start(tree=tree)) == [str(tmp_path / "out" / "tree")]

    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "tree").iterdir()} == contents
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tree"]


def test_two_processes_that_want_one_list_fetch_each_file_once(processes: Processes, http_server: HttpServer) -> None:
    """Started together, each gets every path; the server is asked for each file by one of them."""
    folder = Path(tempfile.mkdtemp(dir=http_server.files))
    contents = served(folder, MANY)
    urls = [http_server.url(f"{folder.name}/{name}") for name in contents]
    mine, theirs = begun(processes.start(stage=urls), processes.start(stage=urls[::-1]))

    assert mine == theirs[::-1]
    assert [Path(path).read_bytes() for path in mine] == list(contents.values())
    assert gets(http_server, folder.name) == dict.fromkeys(contents, 1)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileService]:
    """Give the file service of a machine."""
    transfers = Transfers(Routes.of(Registry.installed(), lambda _: {}))
    config = {"tempdir": str(tmp_path / "tmp"), "transfer_retries": 0, "cache_max_share": 1.0}
    made = FileService.of(config, "near", transfers)
    yield made
    made.remote.release()
    transfers.close()


def test_a_long_list_is_staged_in_its_order_and_each_file_asked_for_once(
    files: FileService, http_server: HttpServer
) -> None:
    """Three hundred URLs, some of them again: the same path for the same URL, one GET for each file."""
    folder = Path(tempfile.mkdtemp(dir=http_server.files))
    contents = served(folder, MANY)
    names = [*contents, "7", "0", "299", "7"]
    paths = staged(files, [http_server.url(f"{folder.name}/{name}") for name in names])

    assert [Path(path).read_bytes() for path in paths] == [contents[name] for name in names]
    assert [paths[MANY], paths[MANY + 1], paths[MANY + 2]] == [paths[7], paths[0], paths[299]]
    assert [Path(path).name for path in paths] == names
    assert len(set(paths)) == MANY
    assert gets(http_server, folder.name) == dict.fromkeys(contents, 1)


def test_a_missing_one_in_the_middle_of_a_long_list_is_told(files: FileService, http_server: HttpServer) -> None:
    """With the argument, its URL and what the server says, as for a list of one."""
    folder = Path(tempfile.mkdtemp(dir=http_server.files))
    contents = served(folder, MANY)
    (folder / "150").unlink()
    urls = [http_server.url(f"{folder.name}/{name}") for name in contents]
    told = []
    for value in (urls, urls[150:151]):
        with pytest.raises(StagingError) as caught:
            staged(files, value)
        told.append(str(caught.value))

    assert told[0] == told[1]
    assert told[0].startswith(f"argument 'a': {urls[150]}: ")
    assert "404" in told[0]
    (folder / "150").write_bytes(contents["150"])
    assert len(staged(files, urls)) == MANY
    others = {name: count for name, count in gets(http_server, folder.name).items() if name != "150"}
    assert others == dict.fromkeys(set(contents) - {"150"}, 1)


def test_what_cannot_be_kept_is_told_as_for_one_file(http_server: HttpServer, tmp_path: Path) -> None:
    """A temporary directory that is none: the error names the argument and the reason, as before."""
    (tmp_path / "none").write_text("a file")
    folder = Path(tempfile.mkdtemp(dir=http_server.files))
    urls = [http_server.url(f"{folder.name}/{name}") for name in served(folder, 3)]
    transfers = Transfers(Routes.of(Registry.installed(), lambda _: {}))
    files = FileService.of({"tempdir": str(tmp_path / "none")}, "near", transfers)
    told = []
    for value in (urls, urls[:1]):
        with pytest.raises(StagingError) as caught:
            staged(files, value)
        told.append(str(caught.value))
    transfers.close()

    assert told[0] == told[1]
