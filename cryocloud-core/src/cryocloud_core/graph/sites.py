"""A node together with what its module promises: the one place where key, default and language default meet.

Laws: a node's own key wins over its module's default, that one over the language's; a module that was not
found leaves its node in the graph, and silences only the checks that would need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import define, field

from cryocloud_core.graph.defaults import Defaults, read_defaults
from cryocloud_core.graph.draft import DraftNode, Found, Missing, Wanted
from cryocloud_core.graph.keys import Place
from cryocloud_core.graph.problems import Findings
from cryocloud_core.graph.refs import Literal
from cryocloud_core.graph.spec import PERMANENT, ModuleSpec
from cryocloud_core.graph.workflow import NodeKind
from cryocloud_core.task import Code

_UNASKED: Final = Missing("E15", "nobody looked for it")


@define(eq=False)
class Site:
    """One node while it is linked; `parents` and `is_whole` are set when the edges are drawn."""

    draft: DraftNode
    place: Place
    spec: ModuleSpec | None
    code: Code
    settings: dict[str, Any]
    more_outputs: Mapping[str, str]
    parents: tuple[str, ...] = ()
    #: all its parents are known; else checks of what lies upstream would only repeat that
    is_whole: bool = True
    provides: tuple[str, ...] | None = field(init=False)
    outputs: dict[str, str] | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Work out what this node provides and returns; None where the module was not found or says nothing."""
        spec = self.spec
        self.provides = self.settings.get("provides", None if spec is None else spec.provides)
        own = {**self.settings.get("outputs", {}), **self.more_outputs}
        self.outputs = None if spec is None or spec.outputs is None else {**spec.outputs, **own}

    @property
    def name(self) -> str:
        """The node's name."""
        return self.draft.name

    @property
    def is_global(self) -> bool:
        """Whether it is a handler for the whole workflow."""
        return bool(self.settings.get("global", False))

    @property
    def is_input(self) -> bool:
        """Whether its module is an input module, as far as that is known."""
        return self.spec is not None and self.spec.input_type is not None

    @property
    def is_permanent(self) -> bool:
        """Whether it is an input that goes on for ever."""
        return self.spec is not None and self.spec.input_type == PERMANENT

    @property
    def kind(self) -> NodeKind:
        """What makes it start."""
        if self.is_input:
            return NodeKind.INPUT
        return NodeKind.GLOBAL if self.is_global else NodeKind.ORDINARY

    @property
    def is_everywhere(self) -> bool:
        """Whether it runs on all machines at once."""
        machine = self.settings.get("ccnode")
        return machine is not None and machine.source == Literal("all")

    def at(self, key: str) -> int:
        """Return where a key stands, else where the module is named."""
        return self.draft.at_key(key)

    def tell(self, code: str, key: str, /, **parts: Any) -> None:
        """Note a finding about a key of this node."""
        self.place.add(code, self.at(key), **parts)


def sites_of(
    nodes: tuple[DraftNode, ...],
    found: Mapping[Wanted, Found | Missing],
    more_outputs: Mapping[str, Mapping[str, str]],
    findings: Findings,
) -> dict[str, Site]:
    """Return the nodes by name, in document order, with their modules; tells E15, E16, E36, W05 and W08."""
    sites: dict[str, Site] = {}
    read: dict[int, Defaults] = {}
    for node in nodes:
        place = Place(findings, node.place)
        module = _module(node, found, place)
        defaults = Defaults()
        if module is not None:
            # One module may stand for many nodes; its defaults are read once.
            defaults = read.setdefault(id(module.spec), read_defaults(module.spec.defaults))
            _tell_defaults(node, defaults, place)
        settings = _with_kind({**defaults.values, **node.settings}, node.settings, place, node)
        spec, code = (None, Code()) if module is None else (module.spec, module.code)
        sites[node.name] = Site(node, place, spec, code, settings, more_outputs.get(node.name, {}))
    return sites


def _module(node: DraftNode, found: Mapping[Wanted, Found | Missing], place: Place) -> Found | None:
    wanted = node.wanted
    if wanted is None:
        return None
    module = found.get(wanted, _UNASKED)
    at = node.at_key("module")
    if isinstance(module, Found):
        if module.shadows is not None:
            place.add("W08", at, module=node.module, other=module.shadows)
        return module
    if "workdir" in node.entries and "workdir" not in node.settings:
        return None  # where to look is wrong, and that is told already
    place.add(module.code, at, module=node.module, url=wanted.service_url or node.module, why=module.why)
    return None


def _tell_defaults(node: DraftNode, defaults: Defaults, place: Place) -> None:
    at = node.at_key("module")
    if defaults.wrong:
        place.add("E16", at, module=node.module, why=f"defaults: {'; '.join(defaults.wrong)}")
    for key in defaults.unknown:
        place.add("W05", at, key=key, what=f'in the defaults of module "{node.module}" is ignored', hint="")


def _with_kind(settings: dict[str, Any], own: Mapping[str, Any], place: Place, node: DraftNode) -> dict[str, Any]:
    """Turn `type: gpu` into `gpu: true`, whoever said it, the node's own words first."""
    if own.get("type") == "gpu" and own.get("gpu") is False:
        place.add("E12", node.at_key("gpu"), first="type", second="gpu")
    if settings.get("type") == "gpu":
        settings["type"] = "normal"
        settings.setdefault("gpu", True)
    return settings
