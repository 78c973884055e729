"""Files and places that a document or an option names and that can never work, told before anything starts.

Laws: pure: which schemes there are and what each can do is asked of a Foresight that is handed in; a literal target of
a `post` that can never work is an error, for the module would work in vain; a wrong argument is a warning, because it
is the error of its task alone, which handlers may take; so is an option's value, and a default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from attrs import frozen

from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.edges import Graph
from cryocloud_core.graph.refs import Argument, Literal, OptionRef
from cryocloud_core.graph.sites import Site
from cryocloud_core.graph.spelling import folded
from cryocloud_core.graph.workflow import Option
from cryocloud_core.task import Preparation, StagingKind

_NEVER: Final = "can never work"
_HARDLY: Final = "may not work"


@frozen
class Doubt:
    """What is wrong with a value; `is_sure` when it can work nowhere and never."""

    why: str
    is_sure: bool = True


class Foresight(Protocol):
    """Who knows what a text that names a file or a remote place is good for. Nothing is asked of the other side."""

    @property
    def given(self) -> Mapping[str, Any]:
        """The options' values, as far as there are any."""
        ...

    def argument(self, value: Any, way: Preparation) -> Doubt | None:
        """Return what is wrong with one value that is to be prepared this way."""
        ...

    def target(self, value: Any, *, basename: bool) -> Doubt | None:
        """Return what is wrong with the target of a `post`, to which names are appended, or with `basename` paths."""
        ...


@frozen
class _Value:
    """A value known before anything starts: where it comes from, in words, and where it stands in the document."""

    value: Any
    origin: str = ""
    tree: Tree | None = None
    is_secret: bool = False


def check_foretold(graph: Graph, foresight: Foresight, options: Mapping[str, Option]) -> None:
    """Tell E37 for literal targets and W17 for all other values that can never work."""
    for site in graph.sites.values():
        if not site.is_input:
            _check_arguments(site, foresight, options)
            _check_posts(site, foresight, options)


def _check_arguments(site: Site, foresight: Foresight, options: Mapping[str, Option]) -> None:
    entry = site.draft.entries.get("args")
    trees = (entry.tree.keys if entry is not None else None) or {}
    for name, argument in site.settings.get("args", {}).items():
        way = argument.preparation
        for known in () if way is None else _known(argument, trees.get(name), foresight.given, options):
            found = ((leaf, foresight.argument(leaf.value, way)) for leaf in _leaves(known, way))
            # A list may be long and every item wrong in the same way.
            leaf, doubt = next(((leaf, doubt) for leaf, doubt in found if doubt is not None), (known, None))
            if doubt is not None:
                _warn(site, f'argument "{name}"', "args", leaf, doubt)


def _check_posts(site: Site, foresight: Foresight, options: Mapping[str, Option]) -> None:
    items = site.settings.get("post", ())
    for item, tree in zip(items, _targets(site, len(items)), strict=True):
        for known in _known(item.target, tree, foresight.given, options):
            doubt = foresight.target(known.value, basename=item.basename)
            if doubt is None:
                continue
            if doubt.is_sure and not known.origin:
                why = f'"target" {_NEVER}: {doubt.why}'
                site.place.add("E37", _at(site, "post", known), key="post", why=why)
            else:
                _warn(site, 'post "target"', "post", known, doubt)


def _warn(site: Site, subject: str, key: str, known: _Value, doubt: Doubt) -> None:
    verdict = _NEVER if doubt.is_sure else _HARDLY
    why = "its value, which is secret, names no file or place" if known.is_secret else doubt.why
    site.place.add("W17", _at(site, key, known), subject=f"{subject}{known.origin}", verdict=verdict, why=why)


def _at(site: Site, key: str, known: _Value) -> int:
    return site.at(key) if known.tree is None else known.tree.at


def _known(
    argument: Argument, tree: Tree | None, given: Mapping[str, Any], options: Mapping[str, Option]
) -> Iterator[_Value]:
    """Yield the value of an argument that is known now: a literal, an option's, else the default."""
    match argument.source:
        case Literal(value) if value is not None:
            yield _Value(value, tree=_part(tree, "value"))
            return
        case OptionRef(name) if given.get(name) is not None:
            is_secret = name in options and options[name].secret
            yield _Value(given[name], f" (option --{name})", tree, is_secret)
            return
    if argument.has_default and argument.default is not None:
        yield _Value(argument.default, " (its default)", _part(tree, "default"))


def _part(tree: Tree | None, name: str) -> Tree | None:
    """Return the value of a key of an object, however that is spelt; the tree itself where there is none."""
    keys = (tree.keys if tree is not None else None) or {}
    return next((part for key, part in keys.items() if folded(key) == name), tree)


def _leaves(known: _Value, way: Preparation) -> Iterator[_Value]:
    """Yield each value that is prepared by itself, with its own place in the document."""
    if not isinstance(known.value, list) or way.kind is StagingKind.TEMPDIR:
        yield known
        return
    trees = known.tree.items if known.tree is not None else None
    for index, item in enumerate(known.value):
        if item is not None:
            tree = trees[index] if trees is not None and len(trees) == len(known.value) else known.tree
            yield from _leaves(_Value(item, known.origin, tree, known.is_secret), way)


def _targets(site: Site, count: int) -> list[Tree | None]:
    """Return where each target stands; None where an item beside it was left out, as wrong ones are."""
    entry = site.draft.entries.get("post")
    tree = entry.tree if entry is not None else None
    parts = [] if tree is None else [tree] if tree.items is None else tree.items
    return [_part(part, "target") for part in parts] if len(parts) == count else [None] * count
