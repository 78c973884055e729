"""The page of hooks: each hook's example is a plugin that is admitted and can be called."""

from __future__ import annotations

import inspect
import re
import types
from typing import Any

import attrs
import pytest

from cryocloud_core.sdk import hookspecs
from cryocloud_core.sdk.observed import PebbleSeen, RunSeen, TaskSeen
from cryocloud_core.sdk.registry import Registry

HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "cryocloud_spec")]
SEEN = {
    "run": RunSeen("flow", "/state", 1.0, 1),
    "pebble": PebbleSeen("flow", 1, "In", 1.0, "success"),
    "task": TaskSeen("flow", 1, "Wind", "1/Wind/1", "error", 1.0, error="no src"),
}


def example(hook: str) -> types.ModuleType:
    """Return the plugin module that a hook's docstring shows."""
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = types.ModuleType(f"example_{hook}")
    exec(code, module.__dict__)
    return module


@pytest.mark.parametrize("hook", HOOKS)
def test_each_example_is_a_plugin(hook: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What the page shows is accepted as it stands, and its hook can be called."""
    registry = Registry.of(example(hook))
    registry.check()

    if hook.startswith("register_"):
        assert getattr(registry.hook, hook)()[0]
    else:
        [observer] = registry.observers(hook)
        [argument] = inspect.signature(getattr(hookspecs, hook)).parameters
        observer.call(**{argument: SEEN[argument]})
        assert capsys.readouterr().out or "print" not in (inspect.getdoc(getattr(hookspecs, hook)) or "")


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_says_when_it_is_called_and_what_with(hook: str) -> None:
    """A section tells when, every argument or the return value, and since which version."""
    spec = getattr(hookspecs, hook)
    text = inspect.getdoc(spec) or ""

    assert re.search(r"Since \d+\.\d+\.", text)
    assert "\nWhen: " in text
    arguments = list(inspect.signature(spec).parameters)
    assert all(f"    {argument}: " in text for argument in arguments)
    assert bool(arguments) != ("\nReturns: " in text)


@pytest.mark.parametrize("record", [RunSeen, PebbleSeen, TaskSeen])
def test_what_observers_are_told_cannot_be_changed(record: Any) -> None:
    """Several observers share one record."""
    assert all(field.on_setattr is None for field in attrs.fields(record))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        next(seen for seen in SEEN.values() if isinstance(seen, record)).workflow = "other"  # type: ignore[misc]
