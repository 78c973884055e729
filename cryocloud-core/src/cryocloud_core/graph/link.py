"""Draft and looked-up modules to a Workflow: all checks that need both, then the frozen nodes.

Laws: every check runs, whatever the others found; a workflow is made only when none of them found an
error; what is refused as not supported yet is checked in full first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from attrs import evolve

from cryocloud_core.graph.draft import Draft, Found, Linked, Missing, Wanted
from cryocloud_core.graph.edges import Graph, draw
from cryocloud_core.graph.effects import check_effects
from cryocloud_core.graph.foretold import Foresight, check_foretold
from cryocloud_core.graph.problems import Findings, in_order
from cryocloud_core.graph.promises import check_promises
from cryocloud_core.graph.reading import node_of
from cryocloud_core.graph.references import check_references
from cryocloud_core.graph.refs import PARENT, Argument, Literal
from cryocloud_core.graph.regions import check_regions
from cryocloud_core.graph.settings import RESULTS
from cryocloud_core.graph.sites import Site, sites_of
from cryocloud_core.graph.spelling import shown
from cryocloud_core.graph.unsupported import REFUSED
from cryocloud_core.graph.watched import check_watched
from cryocloud_core.graph.workflow import Node, NodeKind, Placement, WorkerKind, Workflow

_FAILURES: Final = frozenset({"error", "timeout"})


def link(
    draft: Draft,
    found: Mapping[Wanted, Found | Missing],
    *,
    refuse: Collection[str] = tuple(REFUSED),
    more_outputs: Mapping[str, Mapping[str, str]] | None = None,
    kubernetes: bool = False,
    foresight: Foresight | None = None,
) -> Linked:
    """Return the workflow a draft means with the modules that were `found`, and every finding.

    `refuse` names the keys that are refused as not supported yet; `more_outputs` adds declared outputs to
    nodes by name (the properties of a netwatcher's schema); `kubernetes` says how it will run;
    `foresight` judges the files and places that are named, which go unjudged without it.
    """
    findings = Findings(draft.spot, draft.strict, list(draft.problems))
    sites = sites_of(draft.nodes, found, more_outputs or {}, findings)
    graph = draw(sites)
    _check_start(sites, findings)
    check_references(graph)
    check_promises(graph)
    check_regions(graph)
    check_watched(graph)
    for site in sites.values():
        check_effects(site, kubernetes)
        _check_handler(site)
    if foresight is not None:
        check_foretold(graph, foresight, draft.options)
    nodes = {name: _node(site, graph) for name, site in sites.items()}
    for name, node in nodes.items():
        _refuse(sites[name], node, refuse)
    problems = in_order(findings.found)
    if any(problem.is_error for problem in problems):
        return Linked(None, problems)
    return Linked(Workflow(draft.name, draft.description, nodes, dict(draft.options)), problems)


def _check_start(sites: Mapping[str, Site], findings: Findings) -> None:
    """A graph of nothing but handlers is sound and never starts."""
    roots = [site for site in sites.values() if not site.parents]
    if roots and all(site.kind is NodeKind.GLOBAL and site.is_whole for site in roots):
        findings.add("E05", roots[0].draft.at, "", missing="input node")


def _check_handler(site: Site) -> None:
    words = site.draft.settings.get("runOn", ())
    if site.is_global and not set(words) <= {"error", "timeout", "always", "never"}:
        site.tell(
            "E13", "runOn", key="runOn", expected="error, timeout, always or never on a global node", got=shown(words)
        )


def _refuse(site: Site, node: Node, refuse: Collection[str]) -> None:
    for name in refuse:
        key, asks = REFUSED[name]
        if asks(node):
            site.tell("E38", key, key=name)


def _run_on(site: Site) -> frozenset[str]:
    """Return the results a node runs on; a handler listens to its own words only, never to its module's."""
    if site.kind is NodeKind.INPUT:
        return frozenset({"success"})
    if site.kind is NodeKind.GLOBAL:
        return _handled(set(site.draft.settings.get("runOn", ("error",))))
    words = set(site.settings.get("runOn", ("success",)))
    if "always" in words:
        return frozenset(RESULTS)
    return frozenset(words - {"never"})


def _handled(words: set[str]) -> frozenset[str]:
    if words & {"error", "always"}:
        return _FAILURES
    return frozenset(words) & _FAILURES


def _node(site: Site, graph: Graph) -> Node:
    own = site.settings
    plain: dict[str, Any] = {
        "run_if": own.get("runIf"),
        "resolve_on_any": own.get("resolveOnAny", False),
        "deferred": own.get("deferred", False),
        "priority": own.get("priority", 50),
        "max_parallel": own.get("max_parallel"),
        "restrictions": own.get("restrictions", ()),
        "retry": own.get("retry"),
        "timeout_s": own.get("timeout"),
        "workdir": own.get("workdir"),
        "split_on": own.get("splitOn"),
        "merge": own.get("merge", False),
        "loop": own.get("loop"),
        "post": tuple(evolve(item, target=_timeless(item.target, site, graph)) for item in own.get("post", ())),
        "cache": own.get("cache"),
    }
    return Node(
        name=site.name,
        module=site.draft.module,
        code=site.code,
        kind=site.kind,
        parents=site.parents,
        args={name: _timeless(argument, site, graph) for name, argument in own.get("args", {}).items()},
        outputs=dict(site.outputs if site.outputs is not None else own.get("outputs", {})),
        permanent=site.is_permanent,
        run_on=_run_on(site),
        placement=_placement(own),
        **plain,
    )


def _timeless(argument: Argument, site: Site, graph: Graph) -> Argument:
    """Return the argument; a reference to a node that is not upstream is its default, whoever happens to run first."""
    node = node_of(argument.source)
    if node in (None, PARENT) or site.name in graph.late or graph.is_upstream(str(node), site.name):
        return argument
    return evolve(argument, source=Literal(None))


def _placement(own: Mapping[str, Any]) -> Placement:
    kind = WorkerKind.GPU if own.get("gpu", False) else WorkerKind(own.get("type", "normal"))
    return Placement(
        kind=kind,
        machine=own.get("ccnode"),
        on_head=own.get("runOnHead", False),
        docker=own.get("docker"),
        image=own.get("image"),
        replicas=own.get("replicas", 1),
        volumes=own.get("volumes", ()),
        service_url=own.get("serviceURL"),
    )
