"""What is installed: plugins found through entry points, what they offer, and what is wrong with them.

Laws: nothing offered is imported to be listed; our own plugins come through the same door as strangers';
a plugin that breaks the contract, and a name that two packages claim, are kept in `broken` with the reason,
so that `modules` can list them, and `check` turns them into a loud failure before a run starts.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import pluggy
from attrs import define, field, frozen

from cryocloud_core.errors import PluginError
from cryocloud_core.sdk import hookspecs
from cryocloud_core.sdk.admission import Plugin, admit, describe, implemented
from cryocloud_core.sdk.offers import ModuleOffer, SchedulerOffer, TransferOffer

GROUP = "cryocloud"

OfferT = TypeVar("OfferT", ModuleOffer, SchedulerOffer, TransferOffer, str)


@frozen
class Offered(Generic[OfferT]):
    """One thing a plugin offers: `kind` is `input processor transfer scheduler command`."""

    offer: OfferT
    package: str
    version: str
    kind: str


@frozen
class Broken:
    """A plugin, or one of its offers, that cannot be used; `why` names every party."""

    package: str
    version: str
    why: str
    #: a package that offers nothing at all is listed, but takes nothing from a run
    stops_runs: bool = True


@frozen
class Observer:
    """One plugin's implementation of an observing hook."""

    package: str
    call: Callable[..., Any]


@define(eq=False)
class Registry:
    """Everything the installed plugins offer; made by `installed` or, from plugin objects, by `of`."""

    _plugins: pluggy.PluginManager
    _known: dict[str, Plugin]
    _broken: list[Broken]
    _offers: dict[str, dict[str, Offered[Any]]] = field(factory=dict, init=False)
    #: names that several packages claim, by kind of name
    _claimed: dict[str, dict[str, str]] = field(factory=dict, init=False)

    @classmethod
    def installed(cls) -> Registry:
        """Return the plugins of the entry-point group `cryocloud`; those that fail are listed in `broken`."""
        registry = cls._empty()
        for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
            package, version = (point.dist.name, point.dist.version) if point.dist else (point.value, "")
            try:
                plugin = point.load()
            except (Exception, SystemExit) as error:  # noqa: BLE001 -- a plugin may raise anything when imported
                why = f"its entry point {point.name} = {point.value} cannot be loaded: {type(error).__name__}: {error}"
                registry.refuse(Broken(package, version, why))
            else:
                registry.add(plugin, package, version)
        return registry

    @classmethod
    def of(cls, *plugins: object) -> Registry:
        """Return a registry of these plugin objects (modules, instances with hooks): for tests and scripts."""
        registry = cls._empty()
        for plugin in plugins:
            registry.add(plugin, str(getattr(plugin, "__name__", type(plugin).__name__)))
        return registry

    @classmethod
    def _empty(cls) -> Registry:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        return cls(manager, {}, [])

    def add(self, plugin: object, package: str, version: str = "") -> None:
        """Take a plugin object in, or note in `broken` why it is refused."""
        asked = Plugin(plugin, package, version)
        why = admit(self._plugins, asked)
        if why:
            self.refuse(Broken(package, version, why))
            return
        self._known[asked.key] = asked
        if not implemented(self._plugins, asked):
            self.refuse(Broken(package, version, "it implements no hook", stops_runs=False))

    def refuse(self, broken: Broken) -> None:
        """Note something that cannot be used."""
        self._broken.append(broken)

    @property
    def hook(self) -> pluggy.HookRelay:
        """All implementations of every hook, as one call each."""
        return self._plugins.hook

    @property
    def broken(self) -> tuple[Broken, ...]:
        """What cannot be used and why, after looking at every offer."""
        for kind in ("module", "transfer", "scheduler", "command"):
            self._offered(kind)
        return tuple(self._broken)

    def check(self) -> None:
        """Raise PluginError naming every broken plugin, so that a run never starts with half of what is installed."""
        broken = [each for each in self.broken if each.stops_runs]
        if broken:
            told = "; ".join(f"{_title(each.package, each.version)}: {each.why}" for each in broken)
            raise PluginError(told, subject="plugins", remedy="repair, update or uninstall what is named here")

    def modules(self) -> Mapping[str, Offered[ModuleOffer]]:
        """Return input modules and processors by name."""
        return self._offered("module")

    def inputs(self) -> Mapping[str, Offered[ModuleOffer]]:
        """Return the input modules by name."""
        return {name: each for name, each in self.modules().items() if each.kind == "input"}

    def processors(self) -> Mapping[str, Offered[ModuleOffer]]:
        """Return the processors by name."""
        return {name: each for name, each in self.modules().items() if each.kind == "processor"}

    def module(self, name: str) -> Offered[ModuleOffer] | None:
        """Return the module of that name, None when nobody offers it. Raises PluginError when several packages do."""
        found: Offered[ModuleOffer] | None = self._one("module", name)
        return found

    def schedulers(self) -> Mapping[str, Offered[SchedulerOffer]]:
        """Return the schedulers by name."""
        return self._offered("scheduler")

    def scheduler(self, name: str) -> Offered[SchedulerOffer]:
        """Return the scheduler of that name. Raises PluginError when nobody or several packages offer it."""
        found: Offered[SchedulerOffer] | None = self._one("scheduler", name)
        if found is None:
            known = sorted(self.schedulers())
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known) or 'none'}"
            raise PluginError("no installed package offers it", subject=f"scheduler {name!r}", remedy=hint)
        return found

    def transfers(self) -> Mapping[str, Offered[TransferOffer]]:
        """Return the transfers by URL scheme."""
        return self._offered("transfer")

    def transfer(self, scheme: str) -> Offered[TransferOffer] | None:
        """Return who serves the URL scheme, None when nobody does. Raises PluginError when several packages do."""
        found: Offered[TransferOffer] | None = self._one("transfer", scheme)
        return found

    def commands(self) -> tuple[Offered[str], ...]:
        """Return the command groups, as `package.module:app` texts."""
        return tuple(self._offered("command").values())

    def observers(self, hook: str) -> tuple[Observer, ...]:
        """Return each plugin's implementation of an observing hook, so that one that fails can be left out."""
        caller: pluggy.HookCaller = getattr(self._plugins.hook, hook)
        return tuple(
            Observer(self._known[each.plugin_name].title, _with_all_arguments(each)) for each in caller.get_hookimpls()
        )

    def _one(self, kind: str, name: str) -> Any:
        offers = self._offered(kind)
        claim = self._claimed[kind].get(name)
        if claim is not None:
            raise PluginError(claim, subject=f"{kind} {name!r}", remedy="uninstall one of them")
        return offers.get(name)

    def _offered(self, kind: str) -> dict[str, Offered[Any]]:
        """Return what is offered under the names of `kind`; a name with several owners belongs to none of them."""
        if kind not in self._offers:
            claims: dict[str, list[Offered[Any]]] = {}
            for hook, names in _HOOKS[kind].items():
                for offered in self._gather(hook, names.kind, names.type):
                    for name in names.names(offered.offer):
                        claims.setdefault(name, []).append(offered)
            self._claimed[kind] = {
                name: f"is offered by {' and by '.join(_title(c.package, c.version) for c in claimants)}"
                for name, claimants in claims.items()
                if len(claimants) > 1
            }
            for name, why in self._claimed[kind].items():
                first = claims[name][0]
                self._broken.append(Broken(first.package, first.version, f"{kind} {name!r} {why}"))
            self._offers[kind] = {name: each[0] for name, each in claims.items() if len(each) == 1}
        return self._offers[kind]

    def _gather(self, hook: str, kind: str, wanted: type) -> list[Offered[Any]]:
        gathered: list[Offered[Any]] = []
        caller: pluggy.HookCaller = getattr(self._plugins.hook, hook)
        for implementation in caller.get_hookimpls():
            plugin = self._known[implementation.plugin_name]
            offers, why = _ask(implementation.function, hook, wanted)
            if why:
                self._broken.append(Broken(plugin.package, plugin.version, why))
            gathered.extend(Offered(offer, plugin.package, plugin.version, kind) for offer in offers)
        return gathered


@frozen
class _Names:
    kind: str
    type: type
    names: Callable[[Any], Sequence[str]]


def _own_name(offer: ModuleOffer | SchedulerOffer) -> Sequence[str]:
    return (offer.name,)


_HOOKS = {
    "module": {
        "register_inputs": _Names("input", ModuleOffer, _own_name),
        "register_processors": _Names("processor", ModuleOffer, _own_name),
    },
    "transfer": {"register_transfers": _Names("transfer", TransferOffer, lambda offer: offer.schemes)},
    "scheduler": {"register_schedulers": _Names("scheduler", SchedulerOffer, _own_name)},
    "command": {"register_commands": _Names("command", str, lambda offer: (offer,))},
}


def _ask(function: Callable[[], Any], hook: str, wanted: type) -> tuple[Sequence[Any], str]:
    """Call a registering hook; return its offers, or none and what is wrong."""
    try:
        offers = function()
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- a plugin may raise anything
        return (), f"its {hook} fails: {type(error).__name__}: {error}"
    if not isinstance(offers, list | tuple):
        return (), f"its {hook} must return a list of {wanted.__name__}, got {describe(offers)}"
    wrong = [offer for offer in offers if not isinstance(offer, wanted)]
    if wrong:
        return (), f"its {hook} must return a list of {wanted.__name__}, which holds {describe(wrong[0])}"
    return offers, ""


def _with_all_arguments(implementation: pluggy.HookImpl) -> Callable[..., Any]:
    """Return the implementation as a function that takes every argument of the hook, however few it declares."""

    def call(**arguments: Any) -> Any:
        return implementation.function(*(arguments[name] for name in implementation.argnames))

    return call


def _title(package: str, version: str) -> str:
    return f"{package} {version}".strip()


def resolve(reference: str) -> Any:
    """Import what `package.module` or `package.module:attribute` names. Raises PluginError with the cause."""
    name, _, attribute = reference.partition(":")
    try:
        found: Any = importlib.import_module(name)
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        message = f"cannot be imported: {type(error).__name__}: {error}"
        raise PluginError(message, subject=f"plugin reference {reference!r}") from error
    return found
