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

    What arrived is verified; what stood there under its name is replaced by all of it or not at all.
    """
    given = dict(locals())
    from cryocloud_core.cli.moving_files import put_file

    raise typer.Exit(put_file(given))
