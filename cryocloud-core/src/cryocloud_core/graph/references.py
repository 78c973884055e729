"""Checks every reference of every node against the graph and against what modules return.

Laws: a reference to a node that is not upstream would be a race, so it is an error unless a default or the
node's late phase makes it safe; each reference is judged by itself.
"""

from __future__ import annotations

from cryocloud_core.graph.draft import DraftNode
from cryocloud_core.graph.edges import Graph
from cryocloud_core.graph.reading import Use, node_of
from cryocloud_core.graph.refs import PARENT, Literal, OutputRef, StatRef
from cryocloud_core.graph.sites import Site
from cryocloud_core.graph.spelling import hint, listed

#: Every node has it, whether or not its module declares it.
ERROR_KEY = "error"


def check_references(graph: Graph) -> None:
    """Tell E18, E19, W09, W10, W11 (of outputs) and W13 for every node."""
    for site in graph.sites.values():
        for use in site.draft.uses:
            node = node_of(use.source)
            if node is None:
                continue
            if site.is_input:
                shown = "parent" if node == PARENT else node
                _no_node(site, use, shown, "cannot be used: input nodes have nothing upstream")
            elif node == PARENT:
                _check_parent(site, use, graph)
            else:
                _check_named(site, use, node, graph)
        _check_rendezvous(site)


def _no_node(site: Site, use: Use, node: str, what: str, guess: str = "") -> None:
    site.place.add("E18", use.at, subject=use.subject, node=node, what=what, hint=guess)


def _check_named(site: Site, use: Use, node: str, graph: Graph) -> None:
    if node not in graph.sites:
        _no_node(site, use, node, "not found", site.place.findings.guess(node, graph.sites))
        return
    _check_order(site, use, node, graph)
    if isinstance(use.source, OutputRef) and use.source.key != ERROR_KEY:
        _check_keys(site, use, use.source.key, [graph.sites[node]])


def _check_order(site: Site, use: Use, node: str, graph: Graph) -> None:
    what = _why_not_before(site, node, graph)
    if what and use.has_default:
        site.place.add("W10", use.at, subject=use.subject, node=node)
    elif what:
        _no_node(site, use, node, what)


def _why_not_before(site: Site, node: str, graph: Graph) -> str:
    """Return why a node cannot have run before this one, empty when it may have."""
    if node == site.name:
        return "is this node itself"
    if graph.is_upstream(node, site.name):
        return ""
    if graph.is_upstream(site.name, node):
        return "runs after this node"
    if site.name in graph.late or site.name not in graph.is_whole:
        return ""
    return "is not upstream of this node"


def _check_parent(site: Site, use: Use, graph: Graph) -> None:
    # What failed is known only when it fails; without parents the missing edge is told already.
    if site.is_global or not site.parents:
        return
    parents = [graph.sites[name] for name in site.parents]
    if isinstance(use.source, StatRef):
        _tell_ambiguous(site, use, use.source.name, [parent.name for parent in parents])
    elif isinstance(use.source, OutputRef) and use.source.key != ERROR_KEY:
        key = use.source.key
        _check_keys(site, use, key, parents)
        _tell_ambiguous(site, use, key, [p.name for p in parents if p.outputs is not None and key in p.outputs])


def _tell_ambiguous(site: Site, use: Use, key: str, parents: list[str]) -> None:
    # A rendezvous has one parent a pebble: there is nothing to choose from.
    one_parent = site.settings.get("resolveOnAny", False) or site.draft.module == "communicate"
    if len(parents) > 1 and not one_parent:
        site.place.add("W09", use.at, subject=use.subject, key=key, parents=listed(parents))


def _check_keys(site: Site, use: Use, key: str, sources: list[Site]) -> None:
    """Tell when none of the nodes may return the key."""
    for source in sources:
        if source.spec is not None and source.spec.outputs is None:
            parts = {"module": source.draft.module, "what": "outputs", "unchecked": "references to them go"}
            source.tell("W11", "module", **parts)
    known = [source.outputs for source in sources if source.outputs is not None]
    if len(known) < len(sources) or any(key in outputs for outputs in known):
        return
    module, outputs = sources[0].draft.module, list(dict.fromkeys(name for found in known for name in found))
    if use.has_default:
        what = f'module "{module}" has no output "{key}"; the default will be used'
        site.place.add("W13", use.at, subject=use.subject, what=what)
        return
    guess = hint(key, outputs)
    site.place.add("E19", use.at, subject=use.subject, module=module, key=key, outputs=listed(outputs), hint=guess)


def _check_rendezvous(site: Site) -> None:
    """The parent that a `communicate` node resolves on must be one of its parents."""
    argument = site.settings.get("args", {}).get("resolveOn")
    if site.draft.module != "communicate" or argument is None or not isinstance(argument.source, Literal):
        return
    name = argument.source.value
    if name is None or name in ("any", *site.parents) or site.name == "":
        return
    at = _argument_at(site.draft, "resolveOn")
    guess = hint(str(name), (*site.parents, "any"))
    site.place.add("E18", at, subject='argument "resolveOn"', node=name, what="is no parent of this node", hint=guess)


def _argument_at(node: DraftNode, name: str) -> int:
    tree = node.entries["args"].tree
    return (tree.keys or {})[name].at
