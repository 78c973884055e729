"""`cryocloud stage`: files brought here as a worker would bring them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cryocloud_core.cli import flags


def stage(
    urls: Annotated[
        list[str], typer.Argument(metavar="URL...", help="s3://, ssh://, http(s)://, file:// or an absolute path.")
    ],
    *,
    unzip: Annotated[bool, typer.Option("--unzip", help="Unpack archives; print what they hold.")] = False,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Bring them into this directory, to keep; else they are cached."),
    ] = None,
    profile: flags.Profile = None,
    json: flags.Json = False,
) -> None:
    """Bring files here, and print their local paths; what fails does not keep the others.

    A file is complete and verified, as for a worker, or not there at all; an interrupted transfer goes on where it was
    when the command is given again. What is on this machine is not copied, unless --to says where; what --to brought
    and is still current is not fetched again, and what changed at its origin replaces it. What stands there and was
    not brought so, or was changed since, is never replaced.
    """
    given = dict(locals())
    from cryocloud_core.cli.moving_files import stage_files

    raise typer.Exit(stage_files(given))
