"""Reads the node keys that are lists or maps of their own: retry, restrictions, cache, post, volumes.

Laws: what is wrong with an item is told for that item; an item that is wrong is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from cryocloud_core.graph.arguments import read_argument
from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.expression import RestrictionError, parse_restriction
from cryocloud_core.graph.keys import Entry, Known, entries
from cryocloud_core.graph.reading import Reading
from cryocloud_core.graph.refs import Argument, Literal
from cryocloud_core.graph.spelling import shown
from cryocloud_core.graph.values import Wrong, boolean, expected, integer, number, one_of, text, texts
from cryocloud_core.graph.workflow import CacheRule, PostItem, Restriction, Retry

_RETRY: Final = Known(("times", "delay", "backoff", "max_delay", "jitter", "on"))
_CACHE: Final = Known(("args", "expires", "files", "lookup"))
_POST: Final = Known(("output", "target", "basename", "remove"))


def read_retry(tree: Tree, reading: Reading) -> Retry | None:
    """Return how often and when a failed attempt is repeated; None for no repeats."""
    if tree.keys is None:
        times = integer(tree, 0, ' or a map with "times"')
        return Retry(times) if times else None
    found = entries(tree, _RETRY, reading.place)
    if "times" not in found:
        raise Wrong(tree.at, expected='a map with "times"', got=shown(tree.data))
    values: dict[str, Any] = {
        "times": _part(found, "times", lambda part: integer(part, 0)),
        "delay_s": _part(found, "delay", number),
        "backoff": _part(found, "backoff", lambda part: number(part, above=True)),
        "max_delay_s": _part(found, "max_delay", number),
        "jitter": _part(found, "jitter", lambda part: number(part, high=1.0)),
        "on": _part(found, "on", _failures),
    }
    given = {name: value for name, value in values.items() if value is not None}
    return Retry(**given) if given["times"] else None


def read_restrictions(tree: Tree, reading: Reading) -> tuple[Restriction, ...]:
    """Return the restrictions of a node, in document order."""
    if tree.keys is None:
        raise expected(tree, "a map of restrictions")
    found: list[Restriction] = []
    for name, part in tree.keys.items():
        try:
            # Anything but a text has no operator, and is told so.
            found.append(parse_restriction(name, part.data if isinstance(part.data, str) else ""))
        except RestrictionError as error:
            reading.place.add("E34", part.at, restriction=name, value=shown(part.data), why=error.message)
    return tuple(found)


def read_cache(tree: Tree, reading: Reading) -> CacheRule:
    """Return when an earlier result may be used again."""
    if tree.keys is None:
        raise _bad("cache", tree, f"must be a map, got {shown(tree.data)}")
    found = entries(tree, _CACHE, reading.place)
    if "args" not in found:
        raise _bad("cache", tree, 'needs "args", the arguments that make two tasks the same')
    with_code = {
        "args": texts,
        "expires": lambda part: number(part, above=True),
        "files": texts,
        "lookup": boolean,
    }
    values = {key: _item("cache", found, key, read) for key, read in with_code.items() if key in found}
    return CacheRule(values["args"], values.get("expires"), values.get("files", ()), bool(values.get("lookup", False)))


def read_post(tree: Tree, reading: Reading) -> tuple[PostItem, ...]:
    """Return what is uploaded after success; a lone object counts as a list of one."""
    if tree.items is None and tree.keys is None:
        raise expected(tree, "a list of post items")
    parts = [tree] if tree.items is None else tree.items
    found = [reading.attempt("post", partial(_post_item, part, reading)) for part in parts]
    return tuple(item for item in found if item is not None)


def read_volumes(tree: Tree, reading: Reading) -> tuple[tuple[Argument, Argument, str], ...]:
    """Return the mounts of a container: source, destination, `ro` or `rw`."""
    if tree.items is None:
        raise expected(tree, "a list of [source, dest] or [source, dest, mode]")
    found = [reading.attempt("volumes", partial(_volume, part, reading)) for part in tree.items]
    return tuple(item for item in found if item is not None)


def _post_item(tree: Tree, reading: Reading) -> PostItem:
    if tree.keys is None:
        raise _bad("post", tree, f"must be a map, got {shown(tree.data)}")
    found = entries(tree, _POST, reading.place)
    for key in ("output", "target"):
        if key not in found:
            raise _bad("post", tree, f'needs "{key}"')
    output = _item("post", found, "output", text)
    target = read_argument(found["target"].tree, 'post "target"', reading)
    basename = _part(found, "basename", boolean) or False
    remove = _part(found, "remove", boolean) or False
    _check_prefix(found["target"].tree, target, basename, reading)
    return PostItem(output, target, basename, remove)


def _check_prefix(tree: Tree, target: Argument, basename: bool, reading: Reading) -> None:
    if not isinstance(target.source, Literal):
        return
    value = target.source.value
    if not isinstance(value, str) or not value:
        raise _bad("post", tree, f'"target" must be a text or a source, got {shown(value)}')
    if basename and not value.endswith("/"):
        reading.place.add("W15", tree.at, target=shown(value))


def _volume(tree: Tree, reading: Reading) -> tuple[Argument, Argument, str]:
    items = tree.items
    if items is None or len(items) not in (2, 3):
        raise _bad("volumes", tree, f"must be [source, dest] or [source, dest, mode], got {shown(tree.data)}")
    mode = items[2].data if len(items) == 3 else "ro"
    if mode not in ("ro", "rw"):
        raise _bad("volumes", items[2], f"mode must be ro or rw, got {shown(mode)}")
    return _mount(items[0], reading), _mount(items[1], reading), mode


def _mount(tree: Tree, reading: Reading) -> Argument:
    argument = read_argument(tree, '"volumes"', reading)
    if isinstance(argument.source, Literal) and (
        not isinstance(argument.source.value, str) or not argument.source.value
    ):
        raise _bad("volumes", tree, f"must be a path or a source of one, got {shown(tree.data)}")
    return argument


def _failures(tree: Tree) -> tuple[str, ...]:
    parts = [tree] if tree.items is None else tree.items
    if not parts:
        raise expected(tree, "a list of error and timeout")
    return tuple(dict.fromkeys(one_of(part, "error", "timeout") for part in parts))


def _part(found: Mapping[str, Entry], key: str, read: Callable[[Tree], Any]) -> Any:
    if key not in found:
        return None
    try:
        return read(found[key].tree)
    except Wrong as error:
        error.parts["inner"] = key
        raise


def _item(key: str, found: Mapping[str, Entry], name: str, read: Callable[[Tree], Any]) -> Any:
    try:
        return read(found[name].tree)
    except Wrong as error:
        raise _bad(
            key, found[name].tree, f'"{name}" must be {error.parts["expected"]}, got {error.parts["got"]}'
        ) from None


def _bad(key: str, tree: Tree, why: str) -> Wrong:
    return Wrong(tree.at, "E37", key=key, why=why)
