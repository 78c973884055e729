"""Reads an argument definition: which source it names, what to deliver without a value, how to prepare it.

Laws: a map without a source key is data, unless all its keys are modifiers and its type is one of
`file`, `dir`, `tempdir`; source keys match exactly, modifiers are folded once a source is there; data is
delivered untouched and not searched for references.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.keys import Entry, Known, entries
from cryocloud_core.graph.reading import Reading
from cryocloud_core.graph.refs import Argument, Literal, OutputRef, Source
from cryocloud_core.graph.spelling import hint, nearest, shown
from cryocloud_core.graph.values import Wrong, boolean, expected, one_of, text
from cryocloud_core.task import Preparation, StagingKind

SOURCES: Final = ("output", "option", "config", "stat", "value")
MODIFIERS: Final = ("default", "type", "id", "proto", "copy", "unzip", "keep")
TYPES: Final = ("file", "dir", "tempdir")

#: Modifiers that mean something for one type only.
_FOR_TYPE: Final = {"id": "tempdir", "proto": "file", "copy": "file", "unzip": "file", "keep": "file"}


def read_arguments(tree: Tree, reading: Reading) -> dict[str, Argument]:
    """Return the arguments of a node by name; each bad one is a finding and is left out."""
    if tree.keys is None:
        raise expected(tree, "a map of arguments")
    found: dict[str, Argument] = {}
    for name, part in tree.keys.items():
        argument = reading.attempt(f"args.{name}", partial(read_argument, part, f'argument "{name}"', reading))
        if argument is not None:
            found[name] = argument
    return found


def read_argument(tree: Tree, subject: str, reading: Reading) -> Argument:
    """Return what one definition says; notes findings about its keys and references.

    Raises:
        Wrong: it is no usable definition.
    """
    if tree.keys is None:
        return Argument(Literal(tree.data))
    sources = [key for key in (*SOURCES, "options") if _is_source(key, tree)]
    if "option" in sources and "options" in sources:
        sources.remove("options")
        if tree.data["option"] != tree.data["options"]:
            raise Wrong(tree.at, "E12", first="option", second="options")
    if len(sources) > 1:
        raise Wrong(tree.at, "E21", subject=subject, got=" and ".join(f'"{key}"' for key in sources))
    if not sources:
        return _without_source(tree, subject, reading)
    return _definition(tree, sources[0], subject, reading)


def _is_source(key: str, tree: Tree) -> bool:
    # "options" is an old spelling of "option"; a map under it is data.
    return key in tree.data and (key != "options" or isinstance(tree.data[key], str))


def _without_source(tree: Tree, subject: str, reading: Reading) -> Argument:
    unknown = [key for key in tree.data if key not in MODIFIERS]
    if not unknown and "type" in tree.data:
        if tree.data["type"] not in TYPES:
            raise Wrong(
                (tree.keys or {})["type"].at, inner="type", expected=_type_words(), got=shown(tree.data["type"])
            )
        return _definition(tree, None, subject, reading)
    if len(unknown) == 1 and unknown[0] != "options" and nearest(unknown[0], SOURCES):
        at = (tree.key_at or {})[unknown[0]]
        what = "makes this map plain data"
        reading.place.add("W05", at, key=unknown[0], what=what, hint=hint(unknown[0], SOURCES))
    return Argument(Literal(tree.data))


def _definition(tree: Tree, source: str | None, subject: str, reading: Reading) -> Argument:
    own = () if source is None else ("option" if source == "options" else source,)
    aliases = {"options": "option"} if source == "options" else {}
    found = entries(tree, Known((*MODIFIERS, *own), aliases), reading.place)
    has_default = "default" in found
    preparation = _preparation(found, reading)
    origin: Source = Literal(None)
    if source is not None:
        entry = found["option" if source == "options" else source]
        origin = _source(entry, source, subject, reading)
        reading.use(subject, entry.tree.at, origin, has_default=has_default)
    default = found["default"].tree.data if has_default else None
    return Argument(origin, has_default, default, preparation)


def _source(entry: Entry, source: str, subject: str, reading: Reading) -> Source:
    if source == "value":
        return Literal(entry.tree.data)
    try:
        name = text(entry.tree)
    except Wrong as error:
        error.parts["inner"] = entry.written
        error.parts["expected"] = 'a name (write {"value": …} for a map that is data)'
        raise
    at = entry.tree.at
    if source in ("option", "options"):
        return reading.option(name, subject, at)
    if source == "config":
        return reading.setting(name, subject, at)
    node, key = reading.node_and_key(entry.tree, subject)
    return OutputRef(node, key) if source == "output" else reading.stat(node, key, subject, at)


def _preparation(found: Mapping[str, Entry], reading: Reading) -> Preparation | None:
    kind = _read(found, "type", lambda tree: one_of(tree, *TYPES), None)
    for key, needed in _FOR_TYPE.items():
        if key in found and kind != needed:
            reading.place.add("W07", found[key].at, key=key, where=f'without "type": "{needed}"')
    values = {
        "copy": _read(found, "copy", boolean, True),
        "unzip": _read(found, "unzip", boolean, False),
        "keep": _read(found, "keep", boolean, True),
        "proto": _read(found, "proto", lambda tree: one_of(tree, "ssh", "http"), "ssh"),
        "id": _read(found, "id", text, None),
    }
    if kind is None:
        return None
    fitting = {key: value for key, value in values.items() if _FOR_TYPE[key] == kind}
    return Preparation(StagingKind(kind), **fitting)


def _read(found: Mapping[str, Entry], key: str, read: Any, default: Any) -> Any:
    if key not in found:
        return default
    try:
        return read(found[key].tree)
    except Wrong as error:
        error.parts["inner"] = key
        raise


def _type_words() -> str:
    return f"one of {', '.join(TYPES)}"
