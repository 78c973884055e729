"""Our side of a transfer, as a worker does it: `python -m benchmarks.moving ROUTES.json fetch|tree|many|put URL PLACE`.

Laws: the clock starts when everything is imported and connected, as in a worker that has lived for a while, and stops
when the files are verified, durable and have their names; it prints the seconds.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path

from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.remote import Remote
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.unpacked import Unpacking
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Preparation, StagingKind
from cryocloud_core.wire import from_data


def main(routes: str, verb: str, warm: str, text: str, place: str) -> float:
    """Return how long it took; `warm` is a small file of the same server."""
    transfers = Transfers(from_data(json.loads(Path(routes).read_text("utf-8")), Routes))
    url, target = Url.parse(text), Path(place)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        layer = Layer(transfers, LayerSettings(Path(folder) / "tmp"))
        layer.fetch(Url.parse(warm), Path(folder) / "warm")
        if verb == "tree":
            layer.fetch_tree(Url.parse(warm.rpartition("/")[0]), Path(folder) / "tree")
        if verb == "many":
            _brought([Url.parse(f"{warm}?{number}") for number in range(16)], Path(folder) / "many", transfers)
        gc.freeze()  # as what forks workers does
        began = time.perf_counter()
        match verb:
            case "fetch":
                layer.fetch(url, target)
            case "tree":
                layer.fetch_tree(url, target)
            case "many":
                names = [f"{number:04d}.bin" for number in range(int(url.path.rpartition("#")[2]))]
                urls = [Url.parse(url.text.rpartition("#")[0] + name) for name in names]
                _brought(urls, target, transfers)
            case "put":
                layer.put(target, url)
        seconds = time.perf_counter() - began
    transfers.close()
    return seconds


def _brought(urls: list[Url], tempdir: Path, transfers: Transfers) -> None:
    how = Unpacking(tempdir)
    FileService(how, Remote(how, transfers)).brought(urls, Preparation(StagingKind.FILE))


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
