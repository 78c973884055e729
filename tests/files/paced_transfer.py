"""Serves `paced://host/path` from a directory, a megabyte at a time, and logs what was read by whom."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cryocloud_core.errors import RemoteFileMissing
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.transfer import Abilities, Incoming, RemoteFile, Transfer
from cryocloud_core.sdk.url import Url

CHUNK = 256 * 1024


class Paced(Transfer):
    """Reads files of `root` with a rest after each chunk; `log` gets a line for each chunk that was handed out."""

    abilities = Abilities(ranges=True, listing=True, streams=3)

    def _place(self, url: Url) -> Path:
        place = Path(self.config.values["root"], url.path.strip("/"))
        if not place.exists():
            raise RemoteFileMissing("there is no such file", subject=str(url))
        return place

    def stat(self, url: Url) -> RemoteFile:
        """Tell size and time of change."""
        found = self._place(url).stat()
        self._log("stat")
        size = None if self.config.values.get("mute") else found.st_size
        return RemoteFile(str(url), size, str(found.st_mtime_ns), is_directory=self._place(url).is_dir())

    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Hand out chunk after chunk, slowly."""
        return Incoming(self.stat(url), self._chunks(self._place(url), start, stop), start)

    def _chunks(self, path: Path, start: int, stop: int | None) -> Iterator[bytes]:
        size = path.stat().st_size if stop is None else stop
        with path.open("rb") as file:
            file.seek(start)
            while file.tell() < size:
                chunk = file.read(min(CHUNK, size - file.tell()))
                self._log(f"read {len(chunk)}")
                yield chunk
                time.sleep(float(self.config.values.get("rest", 0)))

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Tell of every file below."""
        root = Path(self.config.values["root"])
        for path in sorted(self._place(url).rglob("*")):
            if path.is_file():
                yield self.stat(url.with_path(f"/{path.relative_to(root)}"))

    def _log(self, line: str) -> None:
        with Path(self.config.values["log"]).open("a") as log:
            log.write(f"{os.getpid()} {line}\n")


def layer(root: str, tempdir: str, log: str, rest: float, *, mute: bool = False) -> Layer:
    """Return a layer that reaches `root` as `paced://`, which keeps sizes to itself when it is mute."""
    config = {"PACED": {"root": root, "log": log, "rest": rest, "mute": mute}}
    routes = Routes({"paced": Route("paced", "tests.files.paced_transfer:Paced", "PACED")}, config)
    return Layer(Transfers(routes), LayerSettings(Path(tempdir), cache_max_share=1.0))


if __name__ == "__main__":
    root, tempdir, log, rest, what, target = sys.argv[1:]
    ours = layer(root, tempdir, log, float(rest))
    ours.fetch_any(Url.parse(f"paced://host/{what}"), Path(target))
    sys.stdout.write("fetched\n")
    sys.stdout.flush()
    sys.stdin.read()
