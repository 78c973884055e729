"""What built-in modules never remove or empty: the root, the home directory, where they run, and what holds these."""

from __future__ import annotations

import os
from pathlib import Path


def refuse_precious(path: str, module: str) -> None:
    """Raise ValueError when a path is empty or names something whose loss would be a disaster.

    A link is judged as the link it is, not as what it points to.
    """
    if not path.strip():
        raise ValueError(f"{module}: refusing to work on an empty path")
    real = real_place(path)
    for precious, what in ((str(Path.home()), "the home directory"), (os.getcwd(), "the working directory")):
        kept = os.path.realpath(precious)
        if real == kept or kept.startswith(real.rstrip("/") + "/"):
            about = what if real == kept else f"a directory that holds {what}"
            raise ValueError(f"{module}: refusing to work on {path!r}: it is {about}")


def real_place(path: str) -> str:
    """Return the absolute path without links on the way; the last part, when it is a link, stays one."""
    bare = os.path.abspath("/") if not path.strip("/") else path.rstrip("/")
    name = os.path.basename(bare)
    if name in ("", ".", ".."):
        return os.path.realpath(bare)
    return os.path.join(os.path.realpath(os.path.dirname(bare)), name)
