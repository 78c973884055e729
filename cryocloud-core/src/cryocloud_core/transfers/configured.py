"""The settings of one server, read and judged: a wrong one is told by its full name before anything is sent.

Laws: a name below the transfer's root is looked up for the server, else for all; secrets are revealed here and kept by
nobody else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import frozen

from cryocloud_core.errors import ConfigError
from cryocloud_core.sdk.processor import flag
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url


@frozen
class Configured:
    """What is configured below `root` for the server of `url`. Each method raises ConfigError for a wrong value."""

    config: TransferConfig
    url: Url
    root: str

    def text(self, name: str, usual: str | None = None) -> str | None:
        """Return a text; a number is taken as one."""
        value = self.config.get(self.url, name, usual)
        if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
            return None if value is None else str(value)
        # What is in it is not repeated: it may be secret.
        got = "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
        raise ConfigError(f"must be a text, got {got}", subject=self.name(name))

    def paths(self, name: str) -> tuple[str, ...] | None:
        """Return paths, from a text or a list of them, with the user's home for `~`."""
        value = self.config.get(self.url, name)
        if value is None:
            return None
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list | tuple) or not all(isinstance(each, str) and each for each in found):
            raise self._wrong(name, "must be a path or a list of paths", value)
        return tuple(str(Path(each).expanduser()) for each in found)

    def path(self, name: str) -> str | None:
        """Return a path, with the user's home for `~`; an empty text stays empty."""
        value = self.text(name)
        return str(Path(value).expanduser()) if value else value

    def seconds(self, name: str, usual: float) -> float:
        """Return a number of seconds above 0."""
        value = self.config.get(self.url, name, usual)
        try:
            found = float(value)
        except (TypeError, ValueError):
            found = -1.0
        if isinstance(value, bool) or not 0 < found < float("inf"):
            raise self._wrong(name, "must be a number of seconds above 0", value)
        return found

    def truth(self, name: str, usual: bool) -> bool:
        """Return true or false."""
        value = self.config.get(self.url, name, usual)
        try:
            return flag(value)
        except ValueError as error:
            raise self._wrong(name, "must be true or false", value) from error

    def choice(self, name: str, *allowed: str) -> str:
        """Return one of the allowed words, the first unless another is set."""
        value = self.config.get(self.url, name, allowed[0])
        if value not in allowed:
            raise self._wrong(name, f"must be {' or '.join(map(repr, allowed))}", value)
        return str(value)

    def port(self, name: str) -> int | None:
        """Return the number of a port."""
        value = self.config.get(self.url, name)
        if value is None:
            return None
        if not str(value).isascii() or not str(value).isdigit() or not 0 < int(value) < 65536:
            raise self._wrong(name, "must be a number from 1 to 65535", value)
        return int(value)

    def texts(self, name: str) -> dict[str, str]:
        """Return a map of texts, empty unless it is set. Its values may be secrets, so they are not told."""
        value = self.config.get(self.url, name, {})
        if not isinstance(value, dict) or not all(isinstance(each, str | int) for each in value.values()):
            raise ConfigError("must be a table of texts", subject=self.name(name))
        return {str(key): str(each) for key, each in value.items()}

    def name(self, name: str) -> str:
        """Return the full name of a setting, where it stands or, where there is none, belongs."""
        return f"{self.root}.{self.config.where(self.url, name)}"

    def _wrong(self, name: str, demand: str, value: Any) -> ConfigError:
        return ConfigError(f"{demand}, got {value!r}", subject=self.name(name))
