"""Checks what nodes give to their modules, and what modules need from upstream.

Laws: a module that declares no inputs is not checked; `depends` is matched against all ancestors, by exact
case, and never schedules anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.edges import Graph
from cryocloud_core.graph.refs import Literal
from cryocloud_core.graph.sites import Site
from cryocloud_core.graph.spelling import hint, listed, printable, shown
from cryocloud_core.task import StagingKind


def check_promises(graph: Graph) -> None:
    """Tell E17, E20, E25, E30 (of arguments), E31, E37, W11 and W14."""
    for site in graph.sites.values():
        _check_arguments(site, graph)
        _check_list_arguments(site)
        _check_post(site)
        _check_cache(site)
    _check_depends(graph)
    _check_tempdirs(graph.sites)


def argument_trees(site: Site) -> Mapping[str, Tree]:
    """Return the arguments of a node as written, by name."""
    entry = site.draft.entries.get("args")
    return (entry.tree.keys or {}) if entry is not None else {}


def _check_arguments(site: Site, graph: Graph) -> None:
    spec = site.spec
    if spec is not None and spec.inputs is None:
        site.tell("W11", "module", module=site.draft.module, what="inputs", unchecked="its arguments go")
    entry = site.draft.entries.get("args")
    key_at = (entry.tree.key_at or {}) if entry is not None else {}
    for name, tree in argument_trees(site).items():
        inputs = None if spec is None else spec.inputs
        if inputs is not None and name in inputs:
            continue
        if _is_reversed(name, tree, graph):
            modern = f'{{{shown(tree.data)}: {{"output": {shown(name)}}}}}'
            site.place.add("E20", key_at[name], modern=modern)
        elif inputs is not None:
            guess, known = hint(name, inputs), listed(inputs)
            site.place.add("E17", key_at[name], argument=name, module=site.draft.module, known=known, hint=guess)


def _is_reversed(name: str, tree: Tree, graph: Graph) -> bool:
    """Recognise the old form `{"Node.key": "argument"}`."""
    if not isinstance(tree.data, str):
        return False
    parts = name.split(".")
    fronts = (".".join(parts[:count]) for count in range(1, len(parts)))
    return any(front == "parent" or front in graph.sites for front in fronts)


def _check_list_arguments(site: Site) -> None:
    trees = argument_trees(site)
    for key in ("splitOn", "loop"):
        argument = site.settings.get(key)
        if argument is not None and argument not in trees:
            site.tell("E30", key, key=key, argument=argument, why="which is not in args", hint=hint(argument, trees))
    split = site.settings.get("splitOn")
    if split is None:
        return
    if split == site.settings.get("loop"):
        site.tell("E31", "splitOn", argument=split)
    found = site.settings.get("args", {}).get(split)
    if found is not None and found.preparation is not None and found.preparation.unzip:
        why = "which becomes a list only on the worker; unpack it in a node before, or use loop"
        site.tell("E30", "splitOn", key="splitOn", argument=split, why=why, hint="")


def _check_post(site: Site) -> None:
    if site.outputs is None:
        return
    for item in site.settings.get("post", ()):
        if item.output not in site.outputs:
            guess = hint(item.output, site.outputs)
            why = f'module "{site.draft.module}" has no output "{item.output}"{guess}; add it to "outputs"'
            site.tell("E37", "post", key="post", why=why)


def _check_cache(site: Site) -> None:
    rule = site.settings.get("cache")
    if rule is None or "cache" not in site.draft.entries:
        return
    for why in _cache_faults(site):
        site.tell("E37", "cache", key="cache", why=why)


def _cache_faults(site: Site) -> Iterator[str]:
    rule, args = site.settings["cache"], site.settings.get("args", {})
    inputs = None if site.spec is None else site.spec.inputs
    for name in rule.args:
        if inputs is not None and name not in inputs and name not in args:
            yield f'module "{site.draft.module}" has no argument "{name}"{hint(name, inputs)}'
        preparation = args[name].preparation if name in args else None
        if preparation is not None and preparation.kind is StagingKind.TEMPDIR:
            yield f'argument "{name}" is a tempdir, which is another one for every pebble'
    for name in rule.files:
        if site.outputs is not None and name not in site.outputs:
            yield f'module "{site.draft.module}" has no output "{name}"{hint(name, site.outputs)}'


def _check_depends(graph: Graph) -> None:
    """Follow what is provided down the graph; None once a module on the way is unknown."""
    gathered: dict[str, frozenset[str] | None] = {}
    for name in graph.order:
        site = graph.sites[name]
        above = [gathered[parent] for parent in site.parents]
        has = None if None in above else frozenset().union(*(found for found in above if found is not None))
        if has is not None and name in graph.is_whole and not site.is_input and not graph.handlers[name]:
            for thing in _depends(site):
                if thing not in has:
                    _tell_missing(site, thing, has)
        gathered[name] = None if has is None or site.provides is None else has.union(site.provides)


def _depends(site: Site) -> tuple[str, ...]:
    needed: tuple[str, ...] = site.settings.get("depends", () if site.spec is None else site.spec.depends)
    return tuple(thing for thing in needed if thing)


def _tell_missing(site: Site, thing: str, has: frozenset[str]) -> None:
    twin = next((found for found in sorted(has) if found.casefold() == thing.casefold()), None)
    guess = hint(thing, sorted(has)) if twin is None else f' ("{printable(twin)}" is written with other capitals)'
    provided, module = listed(sorted(has)), site.draft.module
    site.tell("E25", "depends", thing=thing, module=f'module "{module}"', provided=provided, hint=guess)


def _check_tempdirs(sites: Mapping[str, Site]) -> None:
    """One id names one directory; two bases written in the document cannot both be meant."""
    bases: dict[str, str] = {}
    for site in sites.values():
        for name, argument in site.settings.get("args", {}).items():
            preparation, source = argument.preparation, argument.source
            if preparation is None or preparation.id is None or not isinstance(source, Literal):
                continue
            base = source.value if source.value is not None else argument.default
            if isinstance(base, str) and bases.setdefault(preparation.id, base) != base:
                at = argument_trees(site)[name].at
                first = bases[preparation.id]
                site.place.add("W14", at, id=preparation.id, first=shown(first), second=shown(base))
