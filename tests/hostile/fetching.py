"""A process that fetches and is killed meanwhile: `python -m tests.hostile.fetching {"URL": "FILE"} DIR True True`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.hostile.cases import fetch

if __name__ == "__main__":
    wanted, tempdir, parallel, fast = sys.argv[1:]
    sys.stdout.write("fetching\n")
    sys.stdout.flush()
    targets = {url: Path(target) for url, target in json.loads(wanted).items()}
    fetch(targets, Path(tempdir), parallel=parallel == "True", fast=fast == "True")
