"""A process of its own that brings small files, and may die over a step of the disk: `… small_process SPEC`.

`SPEC` is JSON: `config` of the transfers, `tempdir`; `list` (URLs with their targets) or `tree` (one), or `stage` (URLs
of one argument); `die` is the step before which it kills itself: the name of the disk's method, and which call of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from cryocloud_core.files.disk import Disk
from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.url import Url
from tests.files.folder_transfer import staged


class MortalDisk(Disk):
    """A real disk over which the process dies."""

    def __init__(self, step: str, number: int) -> None:
        self._step, self._number = step, number
        self._calls: Counter[str] = Counter()

    def __getattribute__(self, name: str) -> Any:
        """Count each use of a method."""
        if name in vars(Disk) and name == self._step:
            self._calls[name] += 1
            if self._calls[name] == self._number:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__getattribute__(name)


def main(spec: dict[str, Any]) -> object:
    """Do what it says and return what came of it."""
    transfers = Transfers(Routes.of(Registry.installed(), lambda root: spec["config"].get(root, {})))
    try:
        if "stage" in spec:
            files = FileService.of({"tempdir": spec["tempdir"], "cache_max_share": 1.0}, "near", transfers)
            paths = staged(files, spec["stage"])
            files.remote.release()
            return paths
        disk = MortalDisk(*spec["die"]) if spec.get("die") else Disk()
        layer = Layer(transfers, LayerSettings(Path(spec["tempdir"]), cache_max_share=1.0), disk=disk)
        if "tree" in spec:
            [(url, target)] = spec["tree"].items()
            return str(layer.fetch_tree(Url.parse(url), Path(target)))
        wanted = {Url.parse(url): Path(target) for url, target in spec["list"].items()}
        done = layer.fetch_small(wanted)
        for url in set(wanted) - done:
            layer.fetch(url, wanted[url])
        return sorted(map(str, done))
    finally:
        transfers.close()


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))) + "\n")
