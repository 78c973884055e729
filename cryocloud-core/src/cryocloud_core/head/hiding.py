"""Options that are secret: kept in files of their own, so that the journal and its copies hold handles only.

Laws: a secret's file is readable by its user alone and lies in the state directory; the same value has the
same file, so that a restart finds what unfinished pebbles were born with.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryocloud_core.errors import StateError
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.secrets import Secret

FOLDER = "secrets"


def hide(workflow: Workflow, options: Mapping[str, Any], state_dir: Path) -> dict[str, Any]:
    """Return option values with those of secret options replaced by handles. Raises StateError."""
    return {
        name: _handle(value, state_dir)
        if isinstance(value, str) and name in workflow.options and workflow.options[name].secret
        else value
        for name, value in options.items()
    }


def _handle(value: str, state_dir: Path) -> Secret:
    folder = state_dir / FOLDER
    path = folder / hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            _write(path, value)
    except OSError as error:
        raise StateError(f"a secret option cannot be kept: {error}", place=str(path)) from error
    handle = Secret.read({"file": str(path)}, folder)
    assert handle is not None
    return handle


def _write(path: Path, value: str) -> None:
    """Write a file that is there whole or not at all; its reader drops the one line end."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
