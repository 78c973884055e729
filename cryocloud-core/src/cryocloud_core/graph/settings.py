"""The table of node keys: how each is read and whether a module may give a default for it.

Laws: one row per key; what is read here needs neither the graph nor a module's spec; module defaults are
read by the same rows as the keys of a node.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from cryocloud_core.graph import rules
from cryocloud_core.graph.arguments import read_argument, read_arguments
from cryocloud_core.graph.condition import Condition, references, with_sources
from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.expression import ConditionError, parse_condition
from cryocloud_core.graph.keys import Known
from cryocloud_core.graph.reading import Reading
from cryocloud_core.graph.refs import Argument, ConfigRef, Literal, OptionRef, Source, StatRef
from cryocloud_core.graph.values import (
    Wrong,
    boolean,
    descriptions,
    dotted,
    expected,
    integer,
    number,
    one_of,
    text,
    texts,
)

RESULTS: Final = ("success", "error", "timeout", "cancelled")
_URL = re.compile(r"https?://[^\s/]+\S*")
_PRIORITIES: Final = {"high": 100, "normal": 50, "low": 20, "bulk": 0}


@frozen
class Setting:
    """One node key: its reader, and whether modules may give it as a default."""

    read: Callable[[Tree, Reading], Any]
    in_defaults: bool = False


def _plain(read: Callable[[Tree], Any]) -> Callable[[Tree, Reading], Any]:
    return lambda tree, _reading: read(tree)


def _priority(tree: Tree) -> int:
    if isinstance(tree.data, str) and tree.data.strip().casefold() in _PRIORITIES:
        return _PRIORITIES[tree.data.strip().casefold()]
    return integer(tree, also=", high, normal, low or bulk")


def _run_on(tree: Tree) -> tuple[str, ...]:
    """Return the words of a runOn; `always` and `never` stand alone."""
    if isinstance(tree.data, str):
        return (one_of(tree, *RESULTS, "always", "never"),)
    items = tree.items or []
    if len(items) == 1:
        return (one_of(items[0], *RESULTS, "always", "never"),)
    if not items:
        raise expected(tree, f"one of {', '.join(RESULTS)}, always, never, or a list of the first four")
    return tuple(dict.fromkeys(one_of(item, *RESULTS) for item in items))


def _machine(tree: Tree, reading: Reading) -> Argument | None:
    """Return where to run; None means anywhere."""
    if tree.data in ("", None, []):
        return None
    if isinstance(tree.data, str):
        return Argument(Literal(tree.data))
    if tree.items is not None:
        if not all(isinstance(item.data, str) and item.data not in ("", "all") for item in tree.items):
            raise expected(tree, "a node name or a list of node names")
        return Argument(Literal(list(tree.data)))
    if tree.keys is None:
        raise expected(tree, 'a node name, a list of names, "all" or a source such as {"stat": "parent.node"}')
    return _sourced(tree, '"ccnode"', reading)


def _workdir(tree: Tree, reading: Reading) -> Argument:
    if tree.keys is None:
        return Argument(Literal(text(tree)))
    found = _sourced(tree, '"workdir"', reading)
    written = [found.source.value] if isinstance(found.source, Literal) else []
    for value in (*written, *([found.default] if found.has_default else [])):
        if value is not None and not isinstance(value, str):
            raise expected(tree, "a path or a source of one")
    return found


def _sourced(tree: Tree, subject: str, reading: Reading) -> Argument:
    found = read_argument(tree, subject, reading)
    is_data = isinstance(found.source, Literal) and found.source.value == tree.data
    if is_data or found.preparation is not None:
        raise expected(tree, 'a text or a source such as {"option": "name"}')
    return found


def _condition(tree: Tree, reading: Reading) -> Condition:
    try:
        condition = parse_condition(text(tree), reading.nodes)
    except ConditionError as error:
        raise Wrong(tree.at, "E33", why=error.why, position=error.column) from None
    subject = f'runIf "{condition.text}"'
    for source in references(condition):
        _check(source, subject, tree.at, reading)
    return with_sources(condition, lambda source: _rooted(source, reading))


def _check(source: Source, subject: str, at: int, reading: Reading) -> None:
    match source:
        case OptionRef(name):
            reading.option(name, subject, at)
        case ConfigRef(name):
            reading.setting(name, subject, at)
        case StatRef(node, name):
            reading.stat(node, name, subject, at)
            reading.use(subject, at, source)
        case _:
            reading.use(subject, at, source)


def _rooted(source: Source, reading: Reading) -> Source:
    if isinstance(source, ConfigRef) and reading.config is not None:
        return ConfigRef(f"{reading.config}.{source.name}")
    return source


def _url(tree: Tree) -> str:
    if not isinstance(tree.data, str) or not _URL.fullmatch(tree.data):
        raise expected(tree, "a URL with http:// or https://")
    return tree.data


#: Every key a node takes beside `module`, `name`, `downstreamOf` and `children`, which make the graph itself.
SETTINGS: Final[dict[str, Setting]] = {
    # The root comes first: the others may name configuration below it.
    "config": Setting(_plain(dotted)),
    "args": Setting(read_arguments),
    "cache": Setting(rules.read_cache, in_defaults=True),
    "ccnode": Setting(_machine),
    "deferred": Setting(_plain(boolean)),
    "depends": Setting(_plain(texts)),
    "docker": Setting(_plain(text)),
    "global": Setting(_plain(boolean)),
    "gpu": Setting(_plain(boolean), in_defaults=True),
    "image": Setting(_plain(text)),
    "loop": Setting(_plain(text)),
    "max_parallel": Setting(_plain(lambda tree: integer(tree, 1)), in_defaults=True),
    "merge": Setting(_plain(boolean)),
    "outputs": Setting(_plain(descriptions)),
    "post": Setting(rules.read_post),
    "priority": Setting(_plain(_priority), in_defaults=True),
    "provides": Setting(_plain(texts)),
    "replicas": Setting(_plain(lambda tree: integer(tree, 1))),
    "resolveOnAny": Setting(_plain(boolean), in_defaults=True),
    "restrictions": Setting(rules.read_restrictions),
    "retry": Setting(rules.read_retry, in_defaults=True),
    "runIf": Setting(_condition),
    "runOn": Setting(_plain(_run_on), in_defaults=True),
    "runOnHead": Setting(_plain(boolean)),
    "serviceURL": Setting(_plain(_url)),
    "splitOn": Setting(_plain(text)),
    "timeout": Setting(_plain(lambda tree: number(tree, above=True)), in_defaults=True),
    "type": Setting(_plain(lambda tree: one_of(tree, "normal", "admin", "gpu")), in_defaults=True),
    "volumes": Setting(rules.read_volumes),
    "workdir": Setting(_workdir),
}

#: The keys that make the graph, and `options`, which only a hint to the modern form is given for.
GRAPH_KEYS: Final = ("module", "name", "downstreamOf", "children")
OUTDATED: Final = "options"

#: The keys of a node object, with the spellings of older documents.
NODE_KEYS: Final = Known(
    (*GRAPH_KEYS, *SETTINGS, OUTDATED),
    aliases={"dir": "workdir", "node": "ccnode"},
    warned={"node": "W03"},
)
