"""`cryocloud put`: a file sent as a node's `post` would send it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cryocloud_core.cli import flags


def put(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file, or a directory with all that is in it.")],
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="s3://, ssh:// or file:// and its new name; one that ends in / keeps FILE's name."
        ),
    ],
    *,
    profile: flags.Profile = None,
    json: flags.Json = False,
) -> None:
    """Send a file or directory, and print its URL.

    What arrived is verified. A file takes the place of what stood there under its name whole, or not at all. Of a
    directory each file does: those that are only there stay, and when something fails those that were sent stay too.
    """
    given = dict(locals())
    from cryocloud_core.cli.moving_files import put_file

    raise typer.Exit(put_file(given))
