"""Options that are secret: kept in files of their own, so that the journal and its copies hold handles only.

Laws: a secret's file is readable by its user alone and lies in the state directory; the same value has the
same file, so that a restart finds what unfinished pebbles were born with; the graph in the journal has no
secret defaults.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from cryocloud_core.errors import StateError
from cryocloud_core.graph.workflow import Option, Workflow
from cryocloud_core.secrets import MARK, Secret

FOLDER = "secrets"


def hide(workflow: Workflow, options: Mapping[str, Any], state_dir: Path) -> dict[str, Any]:
    """Return option values with those of secret options replaced by handles. Raises StateError."""
    secret = {name for name, option in workflow.options.items() if option.secret}
    return {name: _handle(value, state_dir) if name in secret else value for name, value in options.items()}


def secret_values(workflow: Workflow, options: Mapping[str, Any]) -> Iterable[Any]:
    """Yield the values of secret options, and their defaults."""
    for name, option in workflow.options.items():
        if option.secret:
            yield from (options.get(name), option.default)


def without_defaults(options: Mapping[str, Option]) -> dict[str, Option]:
    """Return option definitions without the defaults of secret ones."""
    return {name: evolve(each, default=None) if each.secret else each for name, each in options.items()}


def _handle(value: Any, state_dir: Path) -> Any:
    """Return the handle of a value; nothing, yes and no are no secrets."""
    if value is None or isinstance(value, bool | Secret):
        return value
    kind, text = ("file", value) if isinstance(value, str) else ("json", json.dumps(value))
    folder = state_dir / FOLDER
    path = folder / hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            _write(path, text)
    except OSError as error:
        raise StateError(f"a secret option cannot be kept: {error}", place=str(path)) from error
    return Secret({MARK: {kind: str(path)}})


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
