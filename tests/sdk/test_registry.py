"""The registry: what packages offer is found without importing it, what breaks the contract is told by name."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import PluginError
from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.observed import RunSeen, TaskSeen
from cryocloud_core.sdk.offers import ModuleOffer, SchedulerOffer, TransferOffer
from cryocloud_core.sdk.registry import Broken, Registry, resolve

Install = Callable[..., Path]

HEAD = """
from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import ModuleOffer, SchedulerOffer, TransferOffer
"""
WIND = f"""{HEAD}
@hookimpl
def register_processors():
    return [ModuleOffer("wind", "cc_wind.wind")]
"""
EXPLODES = "raise SystemExit('a listing must not import this')\n"


def broken_of(registry: Registry, package: str) -> list[Broken]:
    """Return what the registry says against one package."""
    return [each for each in registry.broken if each.package == package]


def test_an_installed_package_is_found_and_not_imported(install: Install) -> None:
    """A listing imports the entry point and nothing that it names."""
    install(
        "cc-wind", {"cc_wind/__init__.py": "", "cc_wind/plugin.py": WIND, "cc_wind/wind.py": EXPLODES}, "cc_wind.plugin"
    )

    offered = Registry.installed().processors()["wind"]

    assert (offered.package, offered.version, offered.kind) == ("cc-wind", "1.0", "processor")
    assert offered.offer == ModuleOffer("wind", "cc_wind.wind")
    assert "cc_wind.wind" not in sys.modules


def test_core_and_the_builtins_come_through_the_same_door() -> None:
    """What we ship is found by entry points, and keeps the contract."""
    registry = Registry.installed()

    assert registry.scheduler("local").package == "cryocloud-core"
    assert registry.modules()["noop"].package == "cryocloud-modules-builtin"
    assert (registry.inputs()["cmdline"].kind, "cmdline" in registry.processors()) == ("input", False)
    assert broken_of(registry, "cryocloud-core") == broken_of(registry, "cryocloud-modules-builtin") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "import nothing_of_that_name\n",
            "cannot be loaded: ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        ("raise SystemExit(3)\n", "cannot be loaded: SystemExit: 3"),
        ("def f(:\n", "cannot be loaded: SyntaxError: invalid syntax"),
        (f"{HEAD}@hookimpl\ndef register_procesors(): return []\n", "no hook 'register_procesors', did you mean"),
        (f"{HEAD}def register_processors(): return []\n", "register_processors is not marked with @hookimpl"),
        (f"{HEAD}@hookimpl\ndef task_ended(task, extra): ...\n", "a hook does not fit: .*extra"),
        (f"{HEAD}cryocloud_api = '2'\n{WIND}", "it needs plugin API 2, this is 1.0"),
        (f"{HEAD}cryocloud_api = '1.7'\n{WIND}", "it needs plugin API 1.7, this is 1.0"),
        (f"{HEAD}cryocloud_api = 'new'\n{WIND}", "cryocloud_api must be a version like '1.0', got 'new' (str)"),
        (
            f"{HEAD}@hookimpl\ndef register_processors(): return 1 / 0\n",
            "its register_processors fails: ZeroDivisionError",
        ),
        (
            f"{HEAD}@hookimpl\ndef register_processors(): return ModuleOffer('a', 'b')\n",
            "must return a list of ModuleOffer",
        ),
        (f"{HEAD}@hookimpl\ndef register_inputs(): return ['cmdline']\n", "which holds 'cmdline' (str)"),
        (f"{HEAD}@hookimpl\ndef register_commands(): return [1]\n", "must return a list of str, which holds 1 (int)"),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_told_and_leaves_the_others(install: Install, text: str, why: str) -> None:
    """It is listed with the reason, a run refuses to start, the other packages stay listed."""
    install("cc-bad", {"cc_bad.py": text}, "cc_bad")
    install("cc-wind", {"cc_wind/__init__.py": "", "cc_wind/plugin.py": WIND}, "cc_wind.plugin")

    registry = Registry.installed()

    assert "wind" in registry.modules()
    [broken] = broken_of(registry, "cc-bad")
    assert (broken.version, bool(broken.why)) == ("1.0", True)
    with pytest.raises(PluginError) as told:
        registry.check()
    assert "cc-bad 1.0: " in str(told.value)
    assert all(part in broken.why for part in why.split(".*"))


@pytest.mark.parametrize("api", ["1", "1.0"])
def test_a_plugin_may_insist_on_our_api(install: Install, api: str) -> None:
    """The present major version, and no newer minor one, is accepted."""
    install("cc-wind", {"cc_wind.py": f"cryocloud_api = {api!r}\n{WIND}"}, "cc_wind")

    assert "wind" in Registry.installed().processors()


def test_a_name_that_two_packages_offer_belongs_to_neither(install: Install) -> None:
    """The refusal names both packages; what else they offer stays."""
    both = WIND.replace("[ModuleOffer(", "[ModuleOffer({!r}, 'x'), ModuleOffer(")
    install("cc-wind", {"cc_wind.py": both.format("one")}, "cc_wind")
    install("cc-wave", {"cc_wave.py": both.format("two").replace("processors", "inputs")}, "cc_wave", version="2.1")

    registry = Registry.installed()

    assert {"one", "two"} <= set(registry.modules())
    assert "wind" not in registry.modules()
    with pytest.raises(
        PluginError, match=r"module 'wind': is offered by cc-\w+ \d.\d and by cc-\w+ \d.\d; uninstall one"
    ):
        registry.module("wind")
    with pytest.raises(PluginError, match=r"cc-wind 1\.0.*cc-wave 2\.1|cc-wave 2\.1.*cc-wind 1\.0"):
        registry.check()


def test_one_package_may_not_offer_a_name_twice(install: Install) -> None:
    """Two entry points of one package are as much of a conflict."""
    install("cc-wind", {"cc_wind.py": WIND, "cc_again.py": WIND}, "cc_wind", "cc_again")

    with pytest.raises(PluginError, match=r"offered by cc-wind 1\.0 and by cc-wind 1\.0"):
        Registry.installed().module("wind")


def test_schemes_and_schedulers_are_told_apart_by_name(install: Install) -> None:
    """A transfer is found by each of its schemes, a scheduler by its name; a clash is refused."""

    class Store:
        @hookimpl
        def register_transfers(self) -> list[TransferOffer]:
            return [TransferOffer("store", ("store", "stores"), "store:Store")]

        @hookimpl
        def register_schedulers(self) -> list[SchedulerOffer]:
            return [SchedulerOffer("cluster", "store:Cluster")]

    class Other(Store):
        @hookimpl
        def register_transfers(self) -> list[TransferOffer]:
            return [TransferOffer("other", ("stores",), "other:Store")]

        @hookimpl
        def register_schedulers(self) -> list[SchedulerOffer]:
            return []

    registry = Registry.of(Store(), Other())
    store = registry.transfer("store")

    assert store is not None
    assert (store.offer.name, store.package, registry.transfer("gopher")) == ("store", "Store", None)
    assert registry.scheduler("cluster").offer.reference == "store:Cluster"
    with pytest.raises(PluginError, match="transfer 'stores': is offered by Store and by Other"):
        registry.transfer("stores")
    with pytest.raises(
        PluginError, match="scheduler 'clutser': no installed package offers it; did you mean 'cluster'"
    ):
        registry.scheduler("clutser")


def test_commands_are_references(install: Install) -> None:
    """A command group is a text; whose it is stays known."""
    install(
        "cc-wind", {"cc_wind.py": f"{HEAD}@hookimpl\ndef register_commands(): return ['cc_wind.cli:app']\n"}, "cc_wind"
    )

    [command] = [each for each in Registry.installed().commands() if each.package == "cc-wind"]
    assert command.offer == "cc_wind.cli:app"


def test_observers_are_called_one_by_one_or_all_at_once() -> None:
    """An observer that fails can be left out; one that declares no argument is called without."""
    seen: list[Any] = []

    class Watching:
        @hookimpl
        def task_ended(self, task: TaskSeen) -> None:
            seen.append(task.node)

    class Counting:
        @hookimpl
        def task_ended(self) -> None:
            seen.append(1)

    registry = Registry.of(Watching(), Counting())
    task = TaskSeen("flow", 1, "Wind", "1/Wind/1", "success", 0.0)

    for observer in registry.observers("task_ended"):
        observer.call(task=task)
    assert {observer.package for observer in registry.observers("task_ended")} == {"Watching", "Counting"}
    assert registry.observers("run_started") == ()
    registry.hook.task_ended(task=task)
    registry.hook.run_started(run=RunSeen("flow", "/state", 0.0))
    assert sorted(seen, key=str) == [1, 1, "Wind", "Wind"]


def test_a_registry_of_modules_and_objects_is_checked_alike() -> None:
    """Tests and scripts make registries from plugin objects; faults are found there too."""
    plugin = types.ModuleType("my_plugin")
    plugin.register_inputs = lambda: ["mine"]  # type: ignore[attr-defined]

    with pytest.raises(PluginError, match="my_plugin: register_inputs is not marked with @hookimpl"):
        Registry.of(plugin).check()
    Registry.of().check()


def test_a_package_that_offers_nothing_is_listed_and_stops_nothing(install: Install) -> None:
    """Nothing that a run could need is missing, so it is no reason to refuse one."""
    install("cc-empty", {"cc_empty.py": "x = 1\n"}, "cc_empty")
    registry = Registry.installed()

    assert broken_of(registry, "cc-empty") == [Broken("cc-empty", "1.0", "it implements no hook", stops_runs=False)]
    Registry.of(types.ModuleType("empty")).check()


def test_a_reference_is_imported_on_demand() -> None:
    """`package.module:Class.attribute` gives the object; a failure names reference and cause."""
    assert resolve("cryocloud_core.sdk.registry:Registry.installed") == Registry.installed
    assert resolve("cryocloud_core.errors").PluginError is PluginError
    with pytest.raises(PluginError, match=r"'cryocloud_core\.errors:Nothing': cannot be imported: AttributeError"):
        resolve("cryocloud_core.errors:Nothing")
    with pytest.raises(PluginError, match="No module named 'nowhere'"):
        resolve("nowhere:Thing")
