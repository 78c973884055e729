"""`cryocloud config`: settings read, set and traced to their file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cryocloud_core.cli import flags

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[get|set|list|where] [NAME|NAME=VALUE]...",
        help="What to do, and with which settings; a NAME alone is read, NAME=VALUE is set, nothing lists all.",
    ),
]


def config(
    words: Words = None,
    *,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", metavar="DIR", help="Read as for a workflow in this directory; else here."),
    ] = None,
    user: Annotated[bool, typer.Option("--user", help="Set in your own file instead of the project's.")] = False,
    profile: flags.Profile = None,
    json: flags.Json = False,
) -> None:
    """Show and set the configuration.

    Names are dotted, as in Ocean.Wind.File; comments in a file survive a set; secrets are shown as dots.
    """
    given = dict(locals())
    from cryocloud_core.cli.config_showing import show_config

    raise typer.Exit(show_config(given))
