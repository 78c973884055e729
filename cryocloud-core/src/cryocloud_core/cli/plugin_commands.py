"""Commands that installed packages offer through the hook `register_commands`.

Laws: looked at only for a name that core does not have; a package that does not load is named, never skipped
in silence.
"""

from __future__ import annotations

from typing import Any

import typer

from cryocloud_core.errors import PluginError
from cryocloud_core.sdk.registry import Registry, resolve


def find_command(name: str, registry: Registry | None = None) -> Any:
    """Return the command group or command of that name, None when nobody offers it.

    The name of a group is the one its typer app was made with, else the last part of its module's name.

    Raises:
        PluginError: an offered app cannot be imported or is no typer app.
    """
    for offered in (registry or Registry.installed()).commands():
        found = resolve(offered.offer)
        if not isinstance(found, typer.Typer):
            message = f"must be a typer app, got {type(found).__name__}"
            raise PluginError(message, subject=f"{offered.package}: command {offered.offer!r}")
        command: Any = typer.main.get_command(found)
        if name in (command.name, offered.offer.partition(":")[0].rpartition(".")[2]):
            return command
    return None
