"""`cryocloud new-module`: a complete plugin package from the template."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def new_module(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The module's name in workflows: letters, digits, _.")],
    directory: Annotated[
        Path, typer.Option("--directory", metavar="DIR", help="Where the package's folder is made; else here.")
    ] = Path(),
) -> None:
    """Make a plugin package with one module.

    The package is installable, tested, and found by `cryocloud modules`.
    """
    from cryocloud_core.cli.scaffolding import make_package

    raise typer.Exit(make_package(name, directory))
