"""`cryocloud pebbles`: what is in flight and what is done."""

from __future__ import annotations

from typing import Annotated

import typer

from cryocloud_core.cli import flags

Word = Annotated[
    str | None,
    typer.Argument(metavar="[WORKFLOW|FILE]", help="A workflow by its name or file; else the one run there is."),
]


def pebbles(
    workflow: Word = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every pebble that is known.")] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Those that failed or timed out, not those that were cancelled.")
    ] = False,
    only_open: Annotated[bool, typer.Option("--open", help="Those in flight.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", metavar="N", min=1, help="At most so many; 50.")] = None,
    json: flags.Json = False,
    state_dir: flags.ReadStateDir = None,
) -> None:
    """List pebbles: those in flight, and the last that are done.

    Works beside a running head and without one.
    """
    given = dict(locals())
    from cryocloud_core.cli.pebbles_showing import show_pebbles

    raise typer.Exit(show_pebbles(given))
