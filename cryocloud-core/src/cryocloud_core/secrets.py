"""Secrets: handles that say where a secret is kept, and the one way to what they stand for.

Laws: a handle is a JSON map, so it can be stored and sent as it is, and shows as dots wherever it is printed; the
secret itself is read when it is used and kept nowhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryocloud_core.errors import ConfigError
from cryocloud_core.url_secrets import DOTS

SHOWN: Final = DOTS
#: The only key of a handle; a map of a workflow does not get it by chance.
MARK: Final = "cryocloud.secret"


class Secret(dict[str, Any]):
    """A handle: `{"cryocloud.secret": {"env": "NAME"}}`, or in its place `{"file": "/path"}`.

    `{"json": "/path"}` is a file of ours that holds JSON: a secret that is a list, a map or a number.
    """

    @classmethod
    def read(cls, value: Mapping[str, Any], directory: Path) -> Secret | None:
        """Return the handle that `{env = "NAME"}` or `{file = "path"}` writes, None for any other map.

        A relative path is taken from `directory`.
        """
        if len(value) != 1:
            return None
        [(kind, target)] = value.items()
        if kind not in ("env", "file") or not isinstance(target, str) or not target:
            return None
        if kind == "file":
            target = str(directory / Path(target).expanduser())
        return cls({MARK: {kind: target}})

    @classmethod
    def of(cls, value: Any) -> Secret | None:
        """Return stored JSON data as a handle, None when it is none."""
        is_handle = isinstance(value, dict) and value.keys() == {MARK}
        return cls(value) if is_handle else None

    def reveal(self, environ: Mapping[str, str] | None = None) -> Any:
        """Return the secret, a text or JSON data. Raises ConfigError when its variable or file cannot be read."""
        [(kind, target)] = self[MARK].items()
        if kind == "json":
            return json.loads(_first_of_file(target))
        if kind == "file":
            return _first_of_file(target)
        secret = (os.environ if environ is None else environ).get(target)
        if secret is None:
            raise ConfigError("is not set", subject=f"environment variable {target}", remedy="a secret is read from it")
        return secret

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__


def reveal(data: Any, environ: Mapping[str, str] | None = None) -> Any:
    """Return JSON data with every handle in it replaced by its secret. Raises ConfigError."""
    secret = Secret.of(data)
    if secret is not None:
        return secret.reveal(environ)
    if isinstance(data, dict):
        return {key: reveal(value, environ) for key, value in data.items()}
    return [reveal(item, environ) for item in data] if isinstance(data, list) else data


def masked(data: Any) -> Any:
    """Return JSON data with every handle in it replaced by dots, to be shown."""
    if Secret.of(data) is not None:
        return SHOWN
    if isinstance(data, dict):
        return {key: masked(value) for key, value in data.items()}
    return [masked(item) for item in data] if isinstance(data, list) else data


def _first_of_file(path: str) -> str:
    """Return a file's text without its last line end, which editors add."""
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the secret cannot be read: {error}", place=path) from error
