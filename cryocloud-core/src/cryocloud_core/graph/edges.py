"""The edges of the graph: who is whose parent, what leads to what, and what is wrong with that.

Laws: children come before `downstreamOf`, each edge counts once; an edge that is wrong is told and left
out, so that every later check meets a graph without cycles and without unknown names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attrs import define, frozen

from cryocloud_core.graph.sites import Site
from cryocloud_core.graph.spelling import shown

ENTRY: Final = "entry"


@frozen(eq=False)
class Graph:
    """The nodes by name, an order in which parents come first, and all that lies upstream of each.

    `above` maps a name to a set of bits, one for each node upstream; `late` are the nodes that may refer to
    any node, because they run last or for a failure: deferred ones, handlers, and what lies below them;
    `handlers` names the handlers each node lies below, itself included.
    """

    sites: Mapping[str, Site]
    order: tuple[str, ...]
    bits: Mapping[str, int]
    above: Mapping[str, int]
    late: frozenset[str]
    handlers: Mapping[str, frozenset[str]]
    is_whole: frozenset[str]

    def is_upstream(self, upper: str, lower: str) -> bool:
        """Tell whether `upper` lies upstream of `lower`."""
        return bool(self.above[lower] & self.bits[upper])


def draw(sites: Mapping[str, Site]) -> Graph:
    """Set every site's parents and return the graph; tells E08 to E11, E14 and W12."""
    for site in sites.values():
        site.parents = tuple(_parents(site, sites))
    _cut_cycles(sites)
    order = tuple(_parents_first(sites))
    bits = {name: 1 << number for number, name in enumerate(sites)}
    above: dict[str, int] = {}
    late, whole = set[str](), set[str]()
    handlers: dict[str, frozenset[str]] = {}
    for name in order:
        site = sites[name]
        above[name] = 0
        for parent in site.parents:
            above[name] |= above[parent] | bits[parent]
        handlers[name] = _handlers(site, handlers)
        if site.settings.get("deferred") or handlers[name] or any(parent in late for parent in site.parents):
            late.add(name)
        if site.is_whole and all(parent in whole for parent in site.parents):
            whole.add(name)
    return Graph(sites, order, bits, above, frozenset(late), handlers, frozenset(whole))


def _handlers(site: Site, above: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the handlers above a node; tells E13 when a node joins what no one firing has all of."""
    if site.is_global:
        return frozenset({site.name})
    found = [above[parent] for parent in site.parents]
    if len(set(found)) > 1:
        expected = "nodes below the same global handler, or none"
        site.tell("E13", "downstreamOf", key="downstreamOf", expected=expected, got=shown(list(site.parents)))
    return frozenset[str]().union(*found)


def _parents(site: Site, sites: Mapping[str, Site]) -> Iterator[str]:
    draft = site.draft
    listed = dict.fromkeys(([] if draft.enclosing is None else [draft.enclosing]) + list(draft.parents))
    known: list[str] = []
    for parent in listed:
        if parent in sites:
            known.append(parent)
        elif parent != ENTRY:
            site.is_whole = False
            site.place.add(
                "E11", draft.parents[parent], parent=parent, hint=site.place.findings.guess(parent, (*sites, ENTRY))
            )
    if site.is_global:
        if listed:
            site.tell("W12", "downstreamOf")
        if site.is_input:
            site.tell("E13", "global", key="global", expected="false for an input module", got="true")
        return
    if _is_connected(site, known, ENTRY in listed):
        yield from known


def _is_connected(site: Site, known: list[str], under_entry: bool) -> bool:
    """Tell what is wrong with the kind of parents; return whether the known ones count."""
    module = site.draft.module
    if site.is_input:
        if known:
            site.tell("E10", "downstreamOf", module=module)
        return False
    if site.spec is None:
        site.is_whole = site.is_whole and bool(known)
        return True
    if under_entry:
        site.is_whole = False
        site.place.add("E09", site.draft.parents[ENTRY], module=module)
    elif not known and site.is_whole:
        site.is_whole = False
        _tell_unconnected(site)
    return True


def _tell_unconnected(site: Site) -> None:
    entry = site.draft.entries.get("downstreamOf")
    # A list that could not be read is told already; only a missing or an empty one leaves the node alone.
    if entry is None or entry.tree.items == []:
        site.place.add("E08", site.draft.at)


@define
class _Walk:
    """A walk from a node to its parents: the open path, and where each open node looks next."""

    path: list[str]
    waiting: list[Iterator[str]]


def _cut_cycles(sites: Mapping[str, Site]) -> None:
    """Tell each cycle once, and take out the edge that closes it."""
    done: set[str] = set()
    for start in sites:
        if start in done:
            continue
        walk = _Walk([start], [iter(sites[start].parents)])
        while walk.path:
            _step(walk, sites, done)


def _step(walk: _Walk, sites: Mapping[str, Site], done: set[str]) -> None:
    here = walk.path[-1]
    parent = next(walk.waiting[-1], None)
    if parent is None:
        done.add(here)
        walk.path.pop()
        walk.waiting.pop()
    elif parent in walk.path:
        _cut(here, parent, walk.path[walk.path.index(parent) :], sites)
    elif parent not in done:
        walk.path.append(parent)
        walk.waiting.append(iter(sites[parent].parents))


def _cut(child: str, parent: str, climb: list[str], sites: Mapping[str, Site]) -> None:
    """Tell the cycle that a climb from `parent` up to `child` and on to `parent` makes; remove that last edge."""
    flow = climb[::-1]
    numbers = {name: number for number, name in enumerate(sites)}
    start = flow.index(min(flow, key=numbers.__getitem__))
    round_trip = [*flow[start:], *flow[:start], flow[start]]
    first = sites[flow[start]]
    first.tell("E14", "downstreamOf", nodes=" -> ".join(round_trip))
    lower = sites[child]
    lower.is_whole = False
    lower.parents = tuple(name for name in lower.parents if name != parent)


def _parents_first(sites: Mapping[str, Site]) -> Iterable[str]:
    children: dict[str, list[str]] = {name: [] for name in sites}
    missing = {name: len(site.parents) for name, site in sites.items()}
    for name, site in sites.items():
        for parent in site.parents:
            children[parent].append(name)
    ready = [name for name, count in missing.items() if not count]
    for name in ready:  # grows while it is read: a queue
        yield name
        for child in children[name]:
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
