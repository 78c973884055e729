"""The config tree: TOML files of the project and the user, the environment, and where each value came from.

Laws: a setting has a dotted name and the first source that has it wins: environment variables, the profile's
file, the project's file, the user's file; a wrong file is refused with its line, and while running the last good
tree stays; a secret is a handle here and is never text.
"""

from __future__ import annotations

import json
import os
import re
import time
import tomllib
from collections.abc import Container, Iterator, Mapping
from datetime import date, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

from cryocloud_core.errors import ConfigError
from cryocloud_core.secrets import Secret

FILE: Final = "cryocloud.toml"
ENVIRONMENT: Final = "CRYOCLOUD_CFG__"
#: A file changed less than this before it was read may change again without showing it in its stat.
AT_REST_NS: Final = 2_000_000_000


@frozen
class Setting:
    """One value: its dotted name, JSON data or a Secret, and the file or variable it came from."""

    name: str
    value: Any
    source: str


#: A branch holds further branches and settings by the next part of their names.
Branch = dict[str, Any]


@define(eq=False, repr=False)
class Config:
    """Settings by dotted name. `load` finds and reads the sources, `refresh` reads again what changed."""

    _directory: Path
    _profile: str | None
    _environ: Mapping[str, str]
    _user_file: Path
    _tree: Branch = field(factory=dict, init=False)
    _looks: tuple[Any, ...] | None = field(default=None, init=False)
    _error: ConfigError | None = field(default=None, init=False)

    @classmethod
    def load(
        cls,
        workflow_dir: str | Path = ".",
        profile: str | None = None,
        environ: Mapping[str, str] | None = None,
        user_file: Path | None = None,
    ) -> Config:
        """Read the nearest `cryocloud.toml` upwards from the workflow's directory, the user's file and the environment.

        `profile` puts the nearest `cryocloud.PROFILE.toml` in front of both files. Raises ConfigError.
        """
        config = cls(
            Path(workflow_dir).resolve(),
            profile,
            dict(os.environ if environ is None else environ),
            user_file or default_user_file(),
        )
        config.refresh()
        return config

    def get(self, name: str) -> Any:
        """Return the value of a dotted name (a table as a map, a secret as its handle), None when it is not set."""
        found = self._find(name)
        return found.value if isinstance(found, Setting) else None if found is None else _plain(found)

    def where(self, name: str) -> str | None:
        """Return the source of a value (of a table: its sources), None when it is not set."""
        found = self._find(name)
        sources = {each.source for each in _settings(found)} if found is not None else set()
        return ", ".join(sorted(sources)) or None

    def subtree(self, prefix: str) -> dict[str, Any]:
        """Return everything below a dotted name as nested maps, empty when there is nothing."""
        found = self._find(prefix)
        return _plain(found) if isinstance(found, dict) else {}

    def settings(self) -> list[Setting]:
        """Return every value with its name and source, by name."""
        return sorted(_settings(self._tree), key=lambda setting: setting.name)

    def files(self) -> tuple[Path, ...]:
        """Return the files that are read, first the one that wins. Raises ConfigError for a missing profile."""
        found = [_nearest(FILE, self._directory), self._user_file if self._user_file.is_file() else None]
        if self._profile:
            found.insert(0, self._profile_file(self._profile))
        return tuple(path for path in found if path is not None)

    def changed(self) -> bool:
        """Return True when a file came, went or was written since the last look; reads nothing."""
        return self._looks != self._look()

    def refresh(self) -> bool:
        """Read again what changed; True when a value may have changed.

        Raises ConfigError while a file is wrong; values stay what they were.
        """
        looks, before = self._look(), self._tree
        if looks != self._looks or _may_hide_a_change(looks):
            self._error = self._read_again()
            self._looks = looks
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._tree != before

    def _find(self, name: str) -> Branch | Setting | None:
        return _found(self._tree, name.split("."))

    def _profile_file(self, profile: str) -> Path:
        name = f"cryocloud.{profile}.toml"
        found = _nearest(name, self._directory) if "/" not in profile else None
        if found is None:
            remedy = f"write {self._directory / name}"
            raise ConfigError(f"there is no {name} in {self._directory} or above", subject="profile", remedy=remedy)
        return found

    def _look(self) -> tuple[Any, ...]:
        """Return what the files look like now; equal looks mean equal files, but for `_may_hide_a_change`."""
        try:
            paths = self.files()
        except ConfigError as error:
            return ((str(error),),)
        return tuple(_look_at(path) for path in paths)

    def _read_again(self) -> ConfigError | None:
        try:
            self._tree = self._read()
        except ConfigError as error:
            return error
        return None

    def _read(self) -> Branch:
        found: list[tuple[tuple[str, ...], Setting]] = []
        for path in reversed(self.files()):
            found += _flatten(_read_toml(path), (), str(path), _InlineTables(path))
        found += _environment_settings(self._environ)
        tree: Branch = {}
        names = {setting.name for _, setting in found}
        for parts, setting in found:
            _plant(tree, _split(parts, names), setting)
        return tree


def default_user_file() -> Path:
    """Return the user's own configuration file, whether it exists or not."""
    import platformdirs

    return Path(platformdirs.user_config_dir("cryocloud", appauthor=False)) / "config.toml"


def _nearest(name: str, directory: Path) -> Path | None:
    candidates = (folder / name for folder in (directory, *directory.parents))
    return next((path for path in candidates if path.is_file()), None)


def _look_at(path: Path) -> tuple[str, int, int, int, bool]:
    try:
        found = path.stat()
    except OSError:
        return (str(path), 0, 0, 0, False)
    is_young = time.time_ns() - found.st_mtime_ns < AT_REST_NS
    return (str(path), found.st_mtime_ns, found.st_size, found.st_ino, is_young)


def _may_hide_a_change(looks: tuple[Any, ...]) -> bool:
    return any(len(look) == 5 and look[-1] for look in looks)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"^(.*) \(at line (\d+), column (\d+)\)$", str(error), re.DOTALL)
        told, place = (match[1], f":{match[2]}:{match[3]}") if match else (str(error), "")
        raise ConfigError(f"not valid TOML: {told}", place=f"{path}{place}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", place=str(path)) from error


class _InlineTables:
    """Tells the secret `{env = "X"}` from a table that happens to hold one key `env`; only the text shows which."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._document: Any = None

    def __contains__(self, parts: tuple[str, ...]) -> bool:
        import tomlkit
        from tomlkit.items import InlineTable

        if self._document is None:
            self._document = tomlkit.parse(self._path.read_bytes().decode("utf-8-sig"))
        item = self._document
        for part in parts:
            item = item[part]
        return isinstance(item, InlineTable)


def _flatten(
    data: Mapping[str, Any], above: tuple[str, ...], source: str, inline: _InlineTables | None
) -> Iterator[tuple[tuple[str, ...], Setting]]:
    """Yield every value below `data` with its keys; `inline` is None where each map of that shape is a secret."""
    for key, value in data.items():
        parts = (*above, key)
        name = ".".join(parts)
        if isinstance(value, dict) and value:
            secret = Secret.read(value, Path(source).parent)
            if secret is not None and (inline is None or parts in inline):
                yield parts, Setting(name, secret, source)
            else:
                yield from _flatten(value, parts, source, inline)
        else:
            yield parts, Setting(name, _json_data(value, name, source), source)


def _json_data(value: Any, name: str, place: str) -> Any:
    """Return a TOML value as JSON data: dates and times as ISO text. Raises ConfigError for nan and inf."""
    if isinstance(value, datetime | date | time_of_day):
        return value.isoformat()
    if isinstance(value, list):
        return [_json_data(item, name, place) for item in value]
    if isinstance(value, dict):
        return {key: _json_data(item, name, place) for key, item in value.items()}
    if isinstance(value, float) and value - value != 0:
        raise ConfigError(f"{value} is no value that can be stored", subject=name, place=place)
    return value


def _environment_settings(environ: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], Setting]]:
    """Yield what variables like `CRYOCLOUD_CFG__Ocean__Wind__File` set; a value that is JSON is read as such."""
    for variable in sorted(environ):
        if variable.startswith(ENVIRONMENT):
            parts = tuple(variable.removeprefix(ENVIRONMENT).split("__"))
            source = f"environment variable {variable}"
            if not all(parts):
                raise ConfigError("names no setting", place=source, remedy=f"write {ENVIRONMENT}Ocean__Wind__File")
            yield from _flatten({parts[-1]: _typed(environ[variable])}, parts[:-1], source, None)


def _typed(text: str) -> Any:
    """Return `true`, `12`, `[1, 2]`, `{"env": "X"}` or `"12"` as what they are in JSON, everything else as text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _split(keys: tuple[str, ...], names: Container[str]) -> list[str]:
    """Return the keys with each dot in them as a step of its own, but for one that would lead through a value.

    `proxy` may be a setting where `"proxy.example.org"` is a table.
    """
    parts: list[str] = []
    for key in keys:
        steps = key.split(".")
        through = (".".join((*parts, *steps[:depth])) for depth in range(1, len(steps)))
        parts += [key] if any(name in names for name in through) else steps
    return parts


def _plant(tree: Branch, parts: list[str], setting: Setting) -> None:
    """Put a setting into the tree, over what is there: a value replaces a whole table of that name and the reverse."""
    *above, last = parts
    branch = tree
    for part in above:
        deeper = branch.get(part)
        if not isinstance(deeper, dict):
            deeper = branch[part] = {}
        branch = deeper
    branch[last] = setting


def _found(branch: Branch, parts: list[str]) -> Branch | Setting | None:
    """Return what a dotted name leads to; a key may hold dots."""
    for depth in range(1, len(parts) + 1):
        found: Branch | Setting | None = branch.get(".".join(parts[:depth]))
        if isinstance(found, dict) and depth < len(parts):
            found = _found(found, parts[depth:])
        elif depth < len(parts):
            found = None
        if found is not None:
            return found
    return None


def _settings(found: Branch | Setting) -> Iterator[Setting]:
    if isinstance(found, Setting):
        yield found
    else:
        for deeper in found.values():
            yield from _settings(deeper)


def _plain(branch: Branch) -> dict[str, Any]:
    return {key: each.value if isinstance(each, Setting) else _plain(each) for key, each in branch.items()}
