"""What the tests of transfers by real runs share: configuration, a second look at servers, freezing and killing."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import tomlkit

from tests.services.s3server import KEY, SECRET, S3Server

PATIENCE_S = 30.0

#: copies a file into its scratch directory
COPY = """
import shutil
ccmodule = {"inputs": {"src": "a file"}, "outputs": {"dst": "its copy"}}

def process_task(worker, task):
    return 100, {"dst": shutil.copy(task["args"]["src"], worker.scratch / "copy")}
"""


def configure(place: Any, **tables: Any) -> None:
    """Write the configuration of a place: what lies on servers of this machine is not taken for local."""
    worker = {
        "tempdir": str(place.folder / "tmp"),
        "datadir": str(place.folder / "data"),
        "trust_local": False,
        "transfer_retry_wait": 0.1,
        "transfer_idle_timeout": 20,
    }
    document = {"CryoCloud": {"Worker": worker, "Hosts": tables.pop("hosts", {})}, **tables}
    (place.folder / "cryocloud.toml").write_text(tomlkit.dumps(document))


def stored(server: S3Server, bucket: str) -> dict[str, bytes]:
    """Return every object of a bucket."""
    s3 = client(server)
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed}


def client(server: S3Server) -> Any:
    """Return a second opinion on a store."""
    from botocore.session import Session

    return Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://{server.address}",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )


def left_over(*folders: Path) -> list[str]:
    """Return what is unfinished in folders."""
    return [str(path) for folder in folders for path in folder.rglob(".cc-*")]


def kill(run: int, pattern: str) -> None:
    """Kill the worker that has a file open whose path fits."""
    worker = busy_with(run, pattern)
    assert worker is not None
    worker.kill()


def busy_with(pid: int, pattern: str) -> psutil.Process | None:
    """Return the worker that has a file open whose path fits."""
    for worker in workers_of(pid):
        try:
            if any(re.search(pattern, opened.path) for opened in worker.open_files()):
                return worker
        except psutil.Error:
            continue
    return None


def workers_of(pid: int) -> list[psutil.Process]:
    """Return the worker processes of a run."""
    found = psutil.Process(pid).children(recursive=True)
    return [each for each in found if "cryocloud_core.worker" in each.cmdline()]


def freeze_when(server: Any, is_so: Callable[[], object], why: str) -> None:
    """Freeze a server at the moment that something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, why
        time.sleep(0.001)
    server.freeze()


def is_half_here(folder: Path, size: int) -> bool:
    """Tell whether something of a file has been written down as fetched, and not all."""
    for sidecar in folder.rglob(".cc-*.json"):
        with contextlib.suppress(OSError, ValueError):
            got = sum(stop - start for start, stop in json.loads(sidecar.read_text())["done"])
            return bool(size // 20 < got < size // 2)
    return False


def is_noted(folder: Path) -> bool:
    """Tell whether an upload in parts was begun and noted, so that somebody can end it after a kill."""
    for note in folder.rglob("*.upload"):
        with contextlib.suppress(FileNotFoundError):
            return note.stat().st_size > 0
    return False


def is_half_there(folder: Path, size: int) -> bool:
    """Tell whether a file has grown to some size, and not to all of it."""
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            return size // 20 < path.stat().st_size < size // 2
    return False
