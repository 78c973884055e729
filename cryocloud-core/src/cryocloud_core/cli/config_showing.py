"""What `cryocloud config` does: settings printed, traced and set.

Laws: a secret is shown as dots, whatever is asked; a set tells the file it wrote, and when something else still wins.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from cryocloud_core.cli.listing import table, width
from cryocloud_core.cli.text import plain
from cryocloud_core.config import FILE, Config, Setting, default_user_file
from cryocloud_core.errors import UsageError
from cryocloud_core.graph.spelling import hint
from cryocloud_core.secrets import masked
from cryocloud_core.url_secrets import covered, covered_data

ACTIONS: Final = ("get", "set", "list", "where")


def show_config(flags: Mapping[str, Any]) -> int:
    """Do what the words say and return the exit code. Raises ConfigError, UsageError."""
    words = list(flags["words"] or ())
    action = words.pop(0) if words and words[0] in ACTIONS else _meant(words)
    directory = flags["directory"] or Path.cwd()
    config = Config.load(directory, flags["profile"])
    if action == "set":
        return set_values(words, config, directory, flags)
    if action == "list":
        return list_settings(words, config, is_json=flags["json"])
    if not words:
        raise UsageError(f"{action} what?", remedy=f"write cryocloud config {action} Ocean.Wind.File")
    settings = {name: below(name, config) for name in words}
    for name in [name for name, found in settings.items() if not found]:
        near = hint(name, [each.name for each in config.settings()])
        print(f"{plain(name)} is not set{plain(near)}", file=sys.stderr)
    for name, found in settings.items():
        (_print_sources if action == "where" else _print_values)(name, found, is_json=flags["json"])
    return 0 if all(settings.values()) else 1


def _meant(words: Sequence[str]) -> str:
    """Return the action of words without one: `a.b=v` sets, `a.b` gets, nothing lists."""
    if not words:
        return "list"
    return "set" if any("=" in word for word in words) else "get"


def below(name: str, config: Config) -> list[Setting]:
    """Return the setting of a name, or those in the table of that name."""
    return [each for each in config.settings() if each.name == name or each.name.startswith(f"{name}.")]


def _print_values(name: str, found: Sequence[Setting], *, is_json: bool) -> None:
    for each in found:
        if is_json:
            print(_json_of(each))
        elif each.name == name:
            print(shown(each, quotes=False))
        else:
            print(f"{plain(each.name)} = {shown(each)}")


def _print_sources(_name: str, found: Sequence[Setting], *, is_json: bool) -> None:
    for each in found:
        print(_json_of(each) if is_json else f"{plain(each.name)}: {plain(each.source)}")


def list_settings(words: Sequence[str], config: Config, *, is_json: bool) -> int:
    """Print every setting whose name holds one of the words, with its source, without the secrets of URLs."""
    asked = [word.casefold() for word in words]
    found = [each for each in config.settings() if not asked or any(word in each.name.casefold() for word in asked)]
    if is_json:
        for each in found:
            print(_json_of(evolve(each, value=covered_data(masked(each.value)))))
        return 0
    rows = [(plain(each.name), covered(shown(each)), each.source) for each in found]
    if rows:
        print("\n".join(table(("name", "value", "from"), rows, width())))
    else:
        files = ", ".join(map(str, config.files())) or "no file"
        print(f"nothing is set ({plain(files)})", file=sys.stderr)
    return 0


def shown(setting: Setting, *, quotes: bool = True) -> str:
    """Return a value as a person reads it; `quotes`: a text as JSON writes it. A secret is dots."""
    value = masked(setting.value)
    if isinstance(value, str) and (not quotes or value != setting.value):
        return plain(value)
    return plain(json.dumps(value, ensure_ascii=False))


def _json_of(setting: Setting) -> str:
    return json.dumps({"name": setting.name, "value": masked(setting.value), "source": setting.source})


def set_values(words: Sequence[str], config: Config, directory: Path, flags: Mapping[str, Any]) -> int:
    """Set `NAME=VALUE` words, or one NAME VALUE pair, and tell where. Raises ConfigError, UsageError."""
    from cryocloud_core.cli.config_editing import set_in_file

    pairs = [tuple(words)] if len(words) == 2 and "=" not in words[0] else [_pair(word) for word in words]
    if not pairs:
        raise UsageError("set what?", remedy="write cryocloud config set Ocean.Wind.File=/data/wind.nc")
    by_file: dict[Path, dict[str, Any]] = {}
    for name, text in pairs:
        path = home(name, config, directory, is_user=flags["user"])
        by_file.setdefault(path, {})[name] = value_of(text)
    for path, values in by_file.items():
        set_in_file(path, values)
    after = Config.load(directory, flags["profile"])
    for path, values in by_file.items():
        for name in values:
            _tell(name, path, after)
    return 0


def _pair(word: str) -> tuple[str, str]:
    name, equals, text = word.partition("=")
    if not equals:
        raise UsageError("has no value", subject=plain(word), remedy=f"write {plain(word)}=VALUE")
    return name.strip(), text


def home(name: str, config: Config, directory: Path, *, is_user: bool) -> Path:
    """Return the file a setting belongs in: where it is, else the project's, else a new one in the directory."""
    if is_user:
        return default_user_file()
    files = config.files()
    source = config.where(name)
    found = next((path for path in files if str(path) == source), None)
    if found is not None:
        return found
    project = next((path for path in files if path.name == FILE and path != default_user_file()), None)
    return project or directory.resolve() / FILE


def value_of(text: str) -> Any:
    """Return a value as TOML reads it (`3`, `true`, `["a"]`, `{env = "NAME"}`), as JSON does, else as a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except tomllib.TOMLDecodeError:
        pass
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if value is None or isinstance(value, float) else value


def _tell(name: str, path: Path, after: Config) -> None:
    """Tell what was set and where; say so when it is not what counts."""
    print(f"{plain(name)} is set in {plain(str(path))}")
    source = after.where(name)
    if source is not None and Path(source) != path.resolve() and Path(source) != path:
        print(f"{plain(name)} is still taken from {plain(source)}, which goes first", file=sys.stderr)
