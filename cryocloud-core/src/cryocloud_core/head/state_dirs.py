"""The state directories on this machine: where runs of this user keep what they know.

Laws: only directories of this user are looked at; nothing is opened here.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryocloud_core.head.records import RECORDS_FILE
from cryocloud_core.head.settings import default_state_dir
from cryocloud_core.head.status_store import STATUS_FILE


def state_root() -> Path:
    """Return where state directories lie unless the user says otherwise."""
    return default_state_dir("_").parent


def is_state_dir(path: Path) -> bool:
    """Return True for a directory of this user in which a head has kept log or status."""
    try:
        ours = path.stat().st_uid == os.getuid()
    except OSError:
        return False
    return ours and ((path / STATUS_FILE).is_file() or (path / RECORDS_FILE).is_file())


def state_dirs(root: Path | None = None) -> list[Path]:
    """Return the state directories below `root` (by default where all lie unless the user says otherwise), by name."""
    try:
        return sorted(path for path in (root or state_root()).iterdir() if is_state_dir(path))
    except OSError:
        return []
