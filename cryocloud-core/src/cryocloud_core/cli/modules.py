"""`cryocloud modules`: what is installed, and one module's whole definition."""

from __future__ import annotations

from typing import Annotated

import typer


def modules(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this module's whole definition.")] = None,
) -> None:
    """Show the installed modules.

    Kind, package and what each does; and what could not be loaded, and why.
    """
    from cryocloud_core.cli.listing import list_modules, show_module

    raise typer.Exit(list_modules() if name is None else show_module(name))
