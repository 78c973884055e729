"""A process that fetches a URL and is killed meanwhile: `python -m tests.hostile.fetching URL TARGET TEMPDIR True`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from cryocloud_core.errors import TaskError
from tests.hostile.cases import fetch

if __name__ == "__main__":
    url, target, tempdir, parallel = sys.argv[1:]
    sys.stdout.write("fetching\n")
    sys.stdout.flush()
    with contextlib.suppress(TaskError):
        fetch(url, Path(target), Path(tempdir), parallel=parallel == "True")
