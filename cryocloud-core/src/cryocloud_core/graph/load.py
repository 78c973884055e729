"""The door of this room: text to Draft, and Draft with what was looked up to Linked.

Laws: nothing is read here but the text; nothing is raised for what a document says, every finding is told,
and one bad part never hides another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final

from cryocloud_core.graph.document import NotJson, Tree, read
from cryocloud_core.graph.draft import Draft, DraftNode
from cryocloud_core.graph.keys import Entry, Known, Place, entries
from cryocloud_core.graph.link import link
from cryocloud_core.graph.nodes import read_nodes
from cryocloud_core.graph.options import OPTION_KEYS, check_name, clash, option_of
from cryocloud_core.graph.problems import Findings, in_order, problem
from cryocloud_core.graph.reading import Reading
from cryocloud_core.graph.spelling import printable, shown
from cryocloud_core.graph.values import dotted, expected, text
from cryocloud_core.graph.workflow import Option

__all__ = ["link", "parse"]

_ROOT: Final = Known(("workflow", "options"))
_WORKFLOW: Final = Known(("name", "description", "nodes", "options", "config"), aliases={"modules": "nodes"})
_OPTION: Final = Known(OPTION_KEYS)


def parse(text: str | bytes, *, strict: bool = False, flags: Collection[str] = ()) -> Draft:
    """Return the draft that a document's text holds, with everything that is wrong about it as far as that shows.

    `strict` turns W01 to W05 into errors; `flags` are the built-in long flags that options must not take.
    """
    try:
        document = read(text)
    except NotJson as error:
        spot = (error.line, error.column)
        told = problem("E01", "", spot, why=error.why, line=error.line, column=error.column)
        return Draft("", "", {}, (), (told,), strict, lambda _at: spot)
    findings = Findings(document.spot, strict)
    top = Place(findings, "")
    for name, at in document.twice:
        top.add("W01", at, key=name)
    name, description, options, nodes = _workflow(document.tree, top, flags)
    return Draft(name, description, options, nodes, in_order(findings.found), strict, document.spot)


def _workflow(
    tree: Tree, top: Place, flags: Collection[str]
) -> tuple[str, str, dict[str, Option], tuple[DraftNode, ...]]:
    root = entries(tree, _ROOT, top)
    outer = root.get("workflow")
    if outer is None or outer.tree.keys is None:
        top.add(
            "E02",
            tree.at if outer is None else outer.tree.at,
            got=shown(tree.data if outer is None else outer.tree.data),
        )
        return "", "", {}, ()
    found = entries(_one_list(outer.tree, top), _WORKFLOW, top)
    if "options" in root:
        top.add("W02", root["options"].at)
    options = _options([given[key].tree for given in (root, found) for key in ("options",) if key in given], top, flags)
    header = {key: _header(key, read, found, outer, top) for key, read in _HEADERS.items()}
    # A root that cannot be read is told once, not again for each use.
    root_name = header["config"] if "config" not in found else header["config"] or "?"
    nodes = read_nodes(_list(found, outer, top), options, root_name, top.findings)
    return header["name"] or "", header["description"] or "", options, nodes


def _one_list(body: Tree, top: Place) -> Tree:
    """Refuse two lists of nodes; the other checks go on with `nodes`."""
    keys, key_at = body.keys or {}, body.key_at or {}
    if "nodes" not in keys or "modules" not in keys:
        return body
    top.add("E03", max(key_at["nodes"], key_at["modules"]))
    kept = {key: part for key, part in keys.items() if key != "modules"}
    return Tree(body.at, body.data, kept, key_at)


def _name(tree: Tree) -> str:
    name = text(tree)
    if ":" in name:
        raise expected(tree, 'a text without ":", which separates channel and parameter')
    return name


def _description(tree: Tree) -> str:
    if not isinstance(tree.data, str):
        raise expected(tree, "a text")
    return tree.data


_HEADERS: Final[dict[str, Callable[[Tree], str]]] = {"name": _name, "description": _description, "config": dotted}


def _header(key: str, read: Callable[[Tree], str], found: Mapping[str, Entry], outer: Entry, top: Place) -> str | None:
    if key not in found:
        if key != "config":
            top.add("E04", outer.tree.at, key=key)
        return None
    return Reading(top, (), ()).attempt(key, partial(read, found[key].tree))


def _list(found: Mapping[str, Entry], outer: Entry, top: Place) -> Tree | None:
    if "nodes" not in found:
        top.add("E05", outer.tree.at, missing="nodes")
        return None
    tree = found["nodes"].tree
    if tree.items is None:
        top.add("E13", tree.at, key=found["nodes"].written, expected="a list of nodes", got=shown(tree.data))
        return None
    if not tree.items:
        top.add("E05", tree.at, missing="nodes")
    return tree


def _options(given: list[Tree], top: Place, flags: Collection[str]) -> dict[str, Option]:
    """Return the options of all the maps given, a later map winning over an earlier one."""
    found: dict[str, Option] = {}
    at: dict[str, int] = {}
    for tree in given:
        if tree.keys is None:
            top.add("E13", tree.at, key="options", expected="a map of options", got=shown(tree.data))
            continue
        for name, part in tree.keys.items():
            found[name], at[name] = _option(name, part, top.findings), (tree.key_at or {})[name]
            Reading(_option_place(name, top.findings), (), ()).attempt(
                "option name", partial(check_name, name, at[name])
            )
    for name, option in found.items():
        what = clash(option, flags, found.values())
        if what is not None:
            _option_place(name, top.findings).add("E35", at[name], option=name, what=what)
    return found


def _option_place(name: str, findings: Findings) -> Place:
    return Place(findings, f"options.{printable(name)}")


def _option(name: str, tree: Tree, findings: Findings) -> Option:
    """Return a declared option; one that cannot be read is a plain text option, so that it can still be named."""
    place = _option_place(name, findings)
    if tree.keys is None:
        expected_text = 'a map such as {"help": "what it does"}'
        place.add("E13", tree.at, key=name, expected=expected_text, got=shown(tree.data))
        return Option(name)
    return option_of(name, entries(tree, _OPTION, place), Reading(place, (), ()))
