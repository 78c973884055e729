"""Whether a plugin keeps the contract: its hooks exist, take the right arguments and are marked, its API fits.

Laws: a fault is told in words for whoever reads `cryocloud modules`, never raised; a refused plugin leaves no
trace in the plugin manager.
"""

from __future__ import annotations

import difflib
import inspect

import pluggy
from attrs import frozen

from cryocloud_core.sdk import hookspecs


@frozen(eq=False)
class Plugin:
    """A plugin object and the distribution it came from."""

    plugin: object
    package: str
    version: str

    @property
    def key(self) -> str:
        """The name in the plugin manager, different for two plugins of one package."""
        return f"{self.title} #{id(self.plugin)}"

    @property
    def title(self) -> str:
        """The package and its version, for people."""
        return f"{self.package} {self.version}".strip()


def admit(manager: pluggy.PluginManager, plugin: Plugin) -> str:
    """Register the plugin and return nothing, or return why it was refused."""
    why = _wrong_api(plugin.plugin) or _unmarked(plugin.plugin)
    if why:
        return why
    try:
        key = manager.register(plugin.plugin, name=plugin.key)
    except pluggy.PluginValidationError as error:
        if manager.has_plugin(plugin.key):  # pluggy before 1.7 keeps what it refused
            manager.unregister(name=plugin.key)
        return f"a hook does not fit: {' '.join(str(error).split())}"
    except ValueError:
        return "its entry point is listed twice"
    why = _unknown_hooks(manager, plugin)
    if why or key is None:
        manager.unregister(plugin.plugin)
    return why


def implemented(manager: pluggy.PluginManager, plugin: Plugin) -> list[str]:
    """Return the names of the hooks that a registered plugin implements."""
    return [caller.name for caller in manager.get_hookcallers(plugin.plugin) or ()]


def _wrong_api(plugin: object) -> str:
    """Return why the API that the plugin insists on (`cryocloud_api = "1"` or `"1.2"`) is not ours."""
    wanted = getattr(plugin, "cryocloud_api", None)
    if wanted is None:
        return ""
    try:
        numbers = [int(part) for part in str(wanted).split(".")]
    except ValueError:
        return f"cryocloud_api must be a version like {hookspecs.API_VERSION!r}, got {describe(wanted)}"
    ours = [int(part) for part in hookspecs.API_VERSION.split(".")]
    fits = numbers[0] == ours[0] and numbers[1:] <= ours[1:]
    return "" if fits else f"it needs plugin API {wanted}, this is {hookspecs.API_VERSION}"


def _unmarked(plugin: object) -> str:
    """Return which functions look like hooks but lack the marker; without it they would be ignored in silence."""
    known = _hook_names()
    unmarked = [
        name
        for name, member in inspect.getmembers(plugin, callable)
        if (name in known or name.startswith("register_")) and not hasattr(member, f"{hookspecs.PROJECT}_impl")
    ]
    return "" if not unmarked else f"{', '.join(unmarked)} is not marked with @hookimpl"


def _unknown_hooks(manager: pluggy.PluginManager, plugin: Plugin) -> str:
    known = _hook_names()
    for name in implemented(manager, plugin):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            return f"there is no hook {name!r}" + (f", did you mean {near[0]!r}?" if near else "")
    return ""


def _hook_names() -> list[str]:
    return [name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")]


def describe(value: object) -> str:
    """Return a value as short text for an error: its repr, cut, and its type."""
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
