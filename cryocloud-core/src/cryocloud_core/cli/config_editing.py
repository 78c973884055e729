"""Setting values in a TOML file without losing what a person wrote around them.

Laws: only the named value changes; the new file is complete and readable before it takes the place of the old one,
and keeps its mode; a value never takes the place of a whole table.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import InlineTable

from cryocloud_core.errors import ConfigError
from cryocloud_core.secrets import Secret


def set_in_file(path: Path, values: Mapping[str, Any]) -> None:
    """Set dotted names in a file, made if missing. Raises ConfigError; the file is then as it was."""
    path = path.resolve()
    document = _read(path)
    for name, value in values.items():
        _set(document, name, value, path)
    text = tomlkit.dumps(document)
    tomllib.loads(text)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=str(path)) from error


def _read(path: Path) -> Any:
    try:
        return tomlkit.parse(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, UnicodeDecodeError, tomlkit.exceptions.ParseError) as error:
        raise ConfigError(f"cannot be read: {error}", place=str(path)) from error


def _set(document: Any, name: str, value: Any, path: Path) -> None:
    *above, last = _parts(name)
    table = document
    for number, part in enumerate(above):
        if part not in table:
            table[part] = tomlkit.table(is_super_table=number < len(above) - 1)
        table = table[part]
        if not isinstance(table, dict):
            told = ".".join(above[: number + 1])
            raise ConfigError("is a value, not a table", subject=told, place=str(path), remedy=f"it is in {name!r}")
    before = table.get(last)
    if isinstance(before, dict) and not _is_secret(before):
        raise ConfigError("is a table", subject=name, place=str(path), remedy=f"set a value in it: {name}.NAME=VALUE")
    table[last] = _item(value)


def _parts(name: str) -> list[str]:
    parts = name.split(".")
    if not all(part.strip() == part and part for part in parts):
        raise ConfigError("is no dotted name", subject=repr(name), remedy="write Ocean.Wind.File")
    return parts


def _is_secret(item: Any) -> bool:
    return isinstance(item, InlineTable) and Secret.read(item.unwrap(), Path()) is not None


def _item(value: Any) -> Any:
    """Return a value as TOML; a map stays on one line, as a secret must."""
    if isinstance(value, dict):
        inline = tomlkit.inline_table()
        inline.update(value)
        return inline
    return value


def _replace(path: Path, text: str) -> None:
    """Write a file beside the old one, then put it in its place."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    descriptor, part = tempfile.mkstemp(prefix=f".cc-{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
