"""`cryocloud log`: what a run said, while it goes on or after it."""

from __future__ import annotations

from typing import Annotated

import typer

from cryocloud_core.cli import flags

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[WORD]...",
        help="Show records with any of these words; one that names a workflow, or its file, chooses its log.",
    ),
]


def log(
    words: Words = None,
    *,
    follow: flags.Follow = False,
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=0, help="At most so many; 200.")] = 200,
    since: flags.Since = None,
    level: Annotated[
        flags.Level | None, typer.Option("--level", case_sensitive=False, help="This level and those above.")
    ] = None,
    pebble: Annotated[
        str | None, typer.Option("--pebble", metavar="ID", help="Of this pebble, or one part of it: 42, 42.1.")
    ] = None,
    node: Annotated[str | None, typer.Option("--node", metavar="NAME", help="Of this node; * and ? fit many.")] = None,
    worker: Annotated[
        str | None, typer.Option("--worker", metavar="NAME", help="Of this worker; * and ? fit many.")
    ] = None,
    grep: Annotated[
        str | None, typer.Option("--grep", metavar="REGEX", help="Whose text this regular expression finds.")
    ] = None,
    json: flags.Json = False,
    state_dir: flags.ReadStateDir = None,
) -> None:
    """Show what runs said.

    The last records of every run of yours on this machine, or of the workflow that a word names.
    """
    given = dict(locals())
    from cryocloud_core.cli.log_showing import show_log

    raise typer.Exit(show_log(given))
