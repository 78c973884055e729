"""Module `contents`: lists the files of a product, with their sizes and digests, in a JSON file.

It sees local paths only: where the product came from, and where the list goes, is the workflow's affair.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryocloud_core.sdk.processor import Worker, as_list

ccmodule = {
    "description": "List the files of a product",
    "inputs": {"src": "Files and directories of the product", "name": "What the list is called after"},
    "outputs": {"dst": "The list, a JSON file", "files": "How many files there are"},
    "defaults": {"runOn": "success"},
    "status": {"progress": "0 to 100"},
}


def process_task(worker: Worker, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Write the list into the task's scratch directory and return its path."""
    args = task["args"]
    found = [entry for top in map(Path, as_list(args["src"])) for entry in entries(top)]
    dst = worker.scratch / f"{Path(without_query(args['name'])).name}.json"
    dst.write_text(json.dumps({"product": without_query(args["name"]), "files": found}, indent=2), encoding="utf-8")
    worker.log.info("%d files", len(found))
    return 100, {"dst": str(dst), "files": len(found)}


def without_query(name: str) -> str:
    """Return a web address without what follows its path, which may hold a secret; all else as it is."""
    return name.partition("?")[0] if name.startswith(("http://", "https://")) else name


def entries(top: Path) -> Iterator[dict[str, Any]]:
    """Yield name, size and digest of a file, or of every file below a directory."""
    files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
    for path in files:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield {"name": str(path.relative_to(top.parent)), "bytes": path.stat().st_size, "sha256": digest}
