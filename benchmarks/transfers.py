"""W4: files from and to real servers of this machine, beside the native tools, each followed by `sync` and a checksum.

Laws: server and client share the machine, the same for all; ours and the rivals take turns, three times, the quickest
counts; every run starts with nothing there; ours is timed as in a worker that has lived for a while, the tools with
their start, which is what a module that calls them pays. The web server is nginx where it is installed; one in Python
is so slow by itself that it hides who asks, and has no goal beside it. What came stays until the end where it is many
files: ext4 is slow for minutes to make new ones where many were removed, so that who comes after would pay for who came
before.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import evolve, frozen

from benchmarks.figures import Figure, Goal, Size
from benchmarks.programs import Cost, best, cost, found
from benchmarks.rivals import ENVIRON, Rival, http_rivals, s3_rivals, ssh_rivals
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.wire import to_data
from tests.services.s3server import S3Server
from tests.services.sshserver import SshServer

MIB = 1024 * 1024
#: bytes of the large file, number of small ones, rounds
SIZES: dict[Size, tuple[int, int, int]] = {
    "full": (512 * MIB, 1_000, 3),
    "quick": (128 * MIB, 200, 2),
    "tiny": (MIB, 3, 1),
}
SMALL_BYTES = 64 * 1024
_GOAL = Goal(0.9, "ratio", least=True)
_WEB = Path(__file__).with_name("web.py")


@frozen
class Work:
    """One transfer: what it is called, what we are told, who else does it; `makes` what is there before."""

    name: str
    verb: str
    url: str
    warm: str
    rivals: Sequence[Rival]
    bytes_moved: int
    #: what is put; None when something is fetched
    source: Path | None = None
    #: makes the other side as it was before
    clear: Callable[[], None] = lambda: None
    goal: bool = True


def measure(size: Size) -> Iterator[Figure]:
    """Measure fetching and putting over S3, ssh and http."""
    large, small, rounds = SIZES[size]
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        folder = Path(directory)
        data = _data(folder / "data", large, small)
        config: dict[str, dict[str, object]] = {}
        works: list[Work] = []
        for begin in (_s3, _ssh, _http):
            works += begin(stack, folder, data, small, config)
        registry = Registry.installed()
        (folder / "routes.json").write_text(json.dumps(to_data(Routes.of(registry, lambda root: config.get(root, {})))))
        for work in works:
            one = evolve(work, rivals=work.rivals[:1]) if size == "tiny" else work
            yield from _measured(one, folder, rounds)


def _data(folder: Path, large: int, small: int) -> Path:
    (folder / "small").mkdir(parents=True)
    chance = random.Random(4)
    with (folder / "large.bin").open("wb") as file:
        for _ in range(large // MIB):
            file.write(chance.randbytes(MIB))
    for number in range(small):
        (folder / "small" / f"{number:04d}.bin").write_bytes(chance.randbytes(SMALL_BYTES))
    (folder / "warm").mkdir()
    (folder / "warm" / "warm.bin").write_bytes(b"warm")
    return folder


def _s3(
    stack: contextlib.ExitStack, folder: Path, data: Path, small: int, config: dict[str, dict[str, object]]
) -> Iterator[Work]:
    program = found("weed")
    if program is None:
        return
    server = S3Server(program, folder / "s3")
    stack.callback(server.clean)
    server.start()
    config["S3"] = dict(server.config())
    _seed(folder, data, config, server.url("bench/"))
    large = (data / "large.bin").stat().st_size
    warm = server.url("bench/warm/warm.bin")
    key = "bench/large.bin"
    yield Work(
        f"{large // MIB} MB from S3", "fetch", server.url(key), warm, list(s3_rivals(server, "fetch", key)), large
    )
    rivals = list(s3_rivals(server, "tree", "bench/small/"))
    yield Work(f"{small} x 64 KiB from S3", "tree", server.url("bench/small/"), warm, rivals, small * SMALL_BYTES)
    key = "bench/put.bin"
    rivals = list(s3_rivals(server, "put", key))
    # what is there with the same content would not be sent again
    clear = [sys.executable, "-c", "import sys, s3fs; s3fs.S3FileSystem(endpoint_url=sys.argv[1]).rm(sys.argv[2])"]

    def remove() -> None:
        environ = {**os.environ, **ENVIRON}
        subprocess.run([*clear, f"http://{server.address}", key], env=environ, check=False, capture_output=True)

    yield Work(f"{large // MIB} MB to S3", "put", server.url(key), warm, rivals, large, data / "large.bin", remove)


def _seed(folder: Path, data: Path, config: dict[str, dict[str, object]], url: str) -> None:
    routes = folder / "seed.json"
    routes.write_text(json.dumps(to_data(Routes.of(Registry.installed(), lambda root: config.get(root, {})))))
    script = (
        "import sys, json, pathlib\n"
        "from cryocloud_core.files.layer import Layer\n"
        "from cryocloud_core.files.transfers import Transfers\n"
        "from cryocloud_core.sdk.routes import Routes\n"
        "from cryocloud_core.sdk.url import Url\n"
        "from cryocloud_core.wire import from_data\n"
        "transfers = Transfers(from_data(json.loads(pathlib.Path(sys.argv[1]).read_text()), Routes))\n"
        "Layer(transfers).put(pathlib.Path(sys.argv[2]), Url.parse(sys.argv[3]))\n"
        "transfers.close()\n"
    )
    subprocess.run([sys.executable, "-c", script, routes, data, url], check=True)


def _ssh(
    stack: contextlib.ExitStack, folder: Path, data: Path, small: int, config: dict[str, dict[str, object]]
) -> Iterator[Work]:
    program = found("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return
    server = SshServer(program, folder / "ssh")
    (folder / "ssh").mkdir()
    server.make_keys()
    server.start()
    stack.callback(server.kill)
    config["SSH"] = dict(server.config())
    large, warm = (data / "large.bin").stat().st_size, server.url(data / "warm/warm.bin")
    path = data / "large.bin"
    yield Work(
        f"{large // MIB} MB over ssh", "fetch", server.url(path), warm, list(ssh_rivals(server, "fetch", path)), large
    )
    rivals = list(ssh_rivals(server, "tree", data / "small"))
    yield Work(f"{small} x 64 KiB over ssh", "tree", server.url(data / "small/"), warm, rivals, small * SMALL_BYTES)
    there = server.files / "put.bin"
    rivals = list(ssh_rivals(server, "put", there))
    yield Work(
        f"{large // MIB} MB to ssh",
        "put",
        server.url(there),
        warm,
        rivals,
        large,
        path,
        lambda: there.unlink(missing_ok=True),
    )


def _http(
    stack: contextlib.ExitStack, folder: Path, data: Path, small: int, config: dict[str, dict[str, object]]
) -> Iterator[Work]:
    # the same server by another name: one whose files are said to change, and one whose files are said not to
    config["HTTP"] = {"localhost": {"immutable": True}}
    in_python = _web(stack, data)
    in_c = _nginx(stack, folder / "nginx", data)
    for url, by in [(in_python, "")] if in_c is None else [(in_c, ""), (in_python, ", server in Python")]:
        large = (data / "large.bin").stat().st_size
        one, warm = f"{url}/large.bin", f"{url}/warm/warm.bin"
        yield Work(
            f"{large // MIB} MB over http{by}", "fetch", one, warm, list(http_rivals(one, ())), large, goal=not by
        )
        rivals = list(http_rivals(f"{url}/small/", [f"{number:04d}.bin" for number in range(small)]))
        for host, how in (("127.0.0.1", ""), ("localhost", ", immutable")):
            there, warm = (each.replace("127.0.0.1", host) for each in (f"{url}/small/#{small}", warm))
            name = f"{small} x 64 KiB over http{how}{by}"
            yield Work(name, "many", there, warm, rivals, small * SMALL_BYTES, goal=not by)


def _web(stack: contextlib.ExitStack, data: Path) -> str:
    """Start a web server in Python, which is there everywhere; return its URL."""
    server = subprocess.Popen([sys.executable, str(_WEB), str(data)], stdout=subprocess.PIPE, text=True)
    stack.callback(server.wait)
    stack.callback(server.kill)
    assert server.stdout is not None
    stack.callback(server.stdout.close)
    return f"http://127.0.0.1:{int(server.stdout.readline())}"


def _nginx(stack: contextlib.ExitStack, folder: Path, data: Path) -> str | None:
    """Start nginx where it is installed, as most people's web servers are as quick as it; return its URL."""
    program = found("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} pid {folder}/pid; daemon off; events {{}}\n"
        f"http {{ access_log off; sendfile on; keepalive_requests 100000;\n"
        f"server {{ listen 127.0.0.1:{port}; root {data}; }} }}\n"
    )
    server = subprocess.Popen([program, "-e", f"{folder}/error.log", "-p", folder, "-c", folder / "nginx.conf"])
    stack.callback(server.wait)
    stack.callback(server.terminate)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return f"http://127.0.0.1:{port}"
        time.sleep(0.05)
    raise RuntimeError(f"nginx does not listen: {(folder / 'error.log').read_text()}")


def _measured(work: Work, folder: Path, rounds: int) -> Iterator[Figure]:
    ours: list[Cost] = []
    others: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        ours.append(_ours(work, folder))
        for rival in work.rivals:
            others.setdefault(rival.name, []).append(_theirs(work, rival, folder))
    mine = best(ours)
    quickest = max(others, key=lambda name: -best(others[name]).seconds) if others else ""
    for name, costs in others.items():
        rate = work.bytes_moved / MIB / best(costs).seconds
        goal = _GOAL if work.goal and name == quickest else None
        yield Figure("W4", work.name, work.bytes_moved / MIB / mine.seconds, "MiB/s", rate, name, goal)
    if not others:
        yield Figure("W4", work.name, work.bytes_moved / MIB / mine.seconds, "MiB/s")
    else:
        there = best(others[quickest])
        yield Figure("W4", f"{work.name}: CPU", mine.cpu_s, "s", there.cpu_s, quickest)
        yield Figure("W4", f"{work.name}: memory", mine.memory_bytes / MIB, "MiB", there.memory_bytes / MIB, quickest)


def _ours(work: Work, folder: Path) -> Cost:
    work.clear()
    with _room(work, folder) as room:
        told = folder / "seconds"
        words = [sys.executable, "-m", "benchmarks.moving", str(folder / "routes.json"), work.verb, work.warm, work.url]
        target = work.source or room / "target"
        used = cost(["sh", "-c", f'"$@" > "{told}"', "sh", *words, str(target)])
        return evolve(used, seconds=float(told.read_text()))


def _theirs(work: Work, rival: Rival, folder: Path) -> Cost:
    work.clear()
    with _room(work, folder) as room:
        target = work.source or room / "target"
        if work.verb == "many":
            target.mkdir()
        return cost(rival.words(target), checked=work.source or room, environ=ENVIRON)


@contextlib.contextmanager
def _room(work: Work, folder: Path) -> Iterator[Path]:
    room = Path(tempfile.mkdtemp(dir=folder))
    yield room
    if work.verb in ("fetch", "put"):
        shutil.rmtree(room)
