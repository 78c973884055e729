"""Options of a workflow: how one is declared, and how its value is read from a command line.

Laws: nothing here reads a file or knows a flag by itself, both come in as parameters; a text stays a text,
only `bool`, `list` and `json` options convert.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final

from cryocloud_core.errors import OptionError
from cryocloud_core.graph.document import NotJson, Tree, read
from cryocloud_core.graph.keys import Entry
from cryocloud_core.graph.reading import Reading
from cryocloud_core.graph.spelling import printable, shown
from cryocloud_core.graph.values import Wrong, boolean, expected, word
from cryocloud_core.graph.workflow import Option

#: The keys of a definition.
OPTION_KEYS: Final = ("help", "type", "default", "secret")
KINDS: Final = ("bool", "list", "json")
#: Flags every command has, whatever set of flags comes in.
_ALWAYS: Final = frozenset({"help", "json"})
_NAME = re.compile(r"[^\s=,/;\-][^\s=/;]*")


def option_of(name: str, found: Mapping[str, Entry], reading: Reading) -> Option:
    """Return the option that a definition's keys declare; a key that does not fit is a finding and left out."""
    kind = _attempt(found, "type", _kind, reading) or "text"
    default = _attempt(found, "default", partial(_default, kind), reading)
    return Option(
        name,
        kind,
        _attempt(found, "help", _help, reading) or "",
        False if kind == "bool" and default is None else default,
        bool(_attempt(found, "secret", boolean, reading)),
    )


def check_name(name: str, at: int) -> None:
    """Raise Wrong when an option's name cannot be written as a flag."""
    if not _NAME.fullmatch(name):
        raise Wrong(
            at, key="option name", expected='a word without spaces, "=", "/", ";" and a leading "-"', got=shown(name)
        )


def clash(option: Option, flags: Collection[str], others: Collection[Option]) -> str | None:
    """Return what an option's flag clashes with: one of the built-in `flags` or another option; None if nothing."""
    for flag in _flags_of(option):
        if flag in {_plain(name) for name in flags} | _ALWAYS:
            return f"the built-in flag --{flag}"
    taken = {flag: other.name for other in others if other is not option for flag in _flags_of(other)}
    twin = next((taken[flag] for flag in _flags_of(option) if flag in taken), None)
    return None if twin is None else f'option "{printable(twin)}"'


def read_option(option: Option, given: str | bool | None, read_file: Callable[[str], str | None]) -> Any:
    """Return the value of an option from what stands on the command line.

    `given` is the text after the flag, True or False for the flag of a bool option, None when it is not
    given. `read_file` returns the text of an existing file, else None; only `json` options ask it.

    Raises:
        OptionError: the text cannot be read as the option's type.
    """
    if option.kind == "bool":
        return _read_bool(option, given)
    if isinstance(given, bool):
        raise _wrong(option, "needs a value", f"write --{option.name}=VALUE")
    if option.kind == "json":
        return _read_json(option, given, read_file)
    if given is None:
        return option.default
    return _split(given) if option.kind == "list" else given


def _attempt(found: Mapping[str, Entry], key: str, read: Callable[[Tree], Any], reading: Reading) -> Any:
    return reading.attempt(key, partial(read, found[key].tree)) if key in found else None


def _help(tree: Tree) -> str:
    if tree.data is not None and not isinstance(tree.data, str):
        raise expected(tree, "a text")
    return tree.data or ""


def _kind(tree: Tree) -> str:
    if tree.data is None:
        return "text"
    if tree.data not in KINDS or not isinstance(tree.data, str):
        raise expected(tree, "bool, list or json (left out for text)")
    return tree.data


def _default(kind: str, tree: Tree) -> Any:
    data = tree.data
    if kind == "bool":
        return False if data is None else _bool_word(tree)
    if kind == "list" and data is not None:
        return _split(data) if isinstance(data, str) else _list(tree)
    return data


def _bool_word(tree: Tree) -> bool:
    found = word(tree.data)
    if found is None:
        raise expected(tree, "true or false for a bool option")
    return found


def _list(tree: Tree) -> list[Any]:
    if tree.items is None:
        raise expected(tree, "a list or a text with commas for a list option")
    return list(tree.data)


def _split(given: str) -> list[str]:
    return [part.strip() for part in given.split(",")] if given.strip() else []


def _plain(flag: str) -> str:
    return flag.lstrip("-").replace("_", "-").casefold()


def _flags_of(option: Option) -> tuple[str, ...]:
    flag = _plain(option.name)
    return (flag, f"no-{flag}") if option.kind == "bool" else (flag,)


def _wrong(option: Option, why: str, remedy: str = "") -> OptionError:
    return OptionError(why, subject=f"--{printable(option.name)}", remedy=remedy)


def _seen(option: Option, given: Any) -> str:
    """Return a value as an error may show it."""
    return "•••" if option.secret else shown(given)


def _read_bool(option: Option, given: str | bool | None) -> bool:
    found = word(option.default if given is None else given)
    if found is None and given is None:
        return False
    if found is None:
        raise _wrong(
            option, f"must be true or false, got {_seen(option, given)}", f"write --{option.name} or --no-{option.name}"
        )
    return found


def _read_json(option: Option, given: str | None, read_file: Callable[[str], str | None]) -> Any:
    source = option.default if given is None else given
    if not isinstance(source, str):
        return source
    content = read_file(source)
    try:
        return read(source if content is None else content).tree.data
    except NotJson as error:
        told = _seen(option, source)
        what = f"neither a file nor JSON: {told}" if content is None else f"not JSON: file {printable(source)}"
        raise _wrong(option, f"{what}: {error}") from None
