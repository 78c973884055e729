"""Splits and merges: which nodes lie in the region of which split, and what may not be built with them.

Laws: a region is everything downstream of its split up to its merge; regions never nest and never cross; a
node outside reads a region only through its merge.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen

from cryocloud_core.graph.edges import Graph
from cryocloud_core.graph.reading import node_of
from cryocloud_core.graph.refs import PARENT
from cryocloud_core.graph.sites import Site


@frozen
class _Flow:
    """What comes out of a node: splits still open, and splits merged on the way (with the merge node)."""

    open: frozenset[str] = frozenset()
    merged: Mapping[str, str] = field(factory=dict)


@define
class Regions:
    """For each node the split it runs inside of, and each split's merge node."""

    inside: dict[str, str]
    merge_of: dict[str, str]


def check_regions(graph: Graph) -> Regions:
    """Return the regions; tells E26 to E29, E32 and W13 for what reads an unmerged region from outside."""
    regions = Regions({}, {})
    flows: dict[str, _Flow] = {}
    for name in graph.order:
        site = graph.sites[name]
        _check_machines(site)
        flows[name] = _through(site, _joined(site, flows), regions)
    for site in graph.sites.values():
        _check_outside(site, graph, regions)
    return regions


def _check_machines(site: Site) -> None:
    if not site.is_everywhere:
        return
    for key in ("splitOn", "loop", "runOnHead"):
        if site.settings.get(key):
            site.tell("E32", "ccnode", other=f'"{key}"')


def _joined(site: Site, flows: Mapping[str, _Flow]) -> _Flow:
    """Return what flows into a node; tells what must not meet there."""
    above = {parent: flows[parent] for parent in site.parents}
    is_open = frozenset[str]().union(*(flow.open for flow in above.values()))
    merged = {split: merge for flow in above.values() for split, merge in flow.merged.items()}
    for split in sorted(is_open & merged.keys()):
        loose = next(parent for parent, flow in above.items() if split in flow.open)
        what = f'merged "{merged[split]}" with unmerged "{loose}" of the same split'
        site.tell("E29", "downstreamOf", node=site.name, what=what)
    is_open -= merged.keys()
    if len(is_open) > 1:
        first, second = sorted(is_open)[:2]
        site.tell("E29", "downstreamOf", node=site.name, what=f'parts of the open splits "{first}" and "{second}"')
        is_open = frozenset({first})
    return _Flow(is_open, merged)


def _through(site: Site, into: _Flow, regions: Regions) -> _Flow:
    """Return what flows out of a node."""
    around = next(iter(into.open), None)
    splits = site.settings.get("splitOn") is not None
    if around is not None and (splits or site.is_everywhere):
        key = "splitOn" if splits else "ccnode"
        site.tell("E26", key, inner=site.name, outer=around)
    split = around or (site.name if splits else None)
    if split is not None:
        regions.inside[site.name] = split
    if not site.settings.get("merge", False):
        return _Flow(frozenset() if split is None else frozenset({split}), into.merged)
    if split is None:
        site.tell("E27", "merge", node=site.name)
        return into
    first = regions.merge_of.setdefault(split, site.name)
    if first != site.name:
        site.tell("E28", "merge", split=split, first=first, second=site.name)
    return _Flow(frozenset(), {**into.merged, split: site.name})


def _check_outside(site: Site, graph: Graph, regions: Regions) -> None:
    """A node that is not in a region sees what its merge folds; the rest of the region is many, so it is none."""
    for use in site.draft.uses:
        node = node_of(use.source)
        if node is None or node == PARENT or node not in regions.inside:
            continue
        split = regions.inside[node]
        merge = regions.merge_of.get(split)
        is_folded = merge is not None and (node == merge or graph.is_upstream(node, merge))
        if regions.inside.get(site.name) != split and not is_folded:
            what = f'node "{node}" runs once for each part of split "{split}" and is not merged; the value is null'
            site.place.add("W13", use.at, subject=use.subject, what=what)
