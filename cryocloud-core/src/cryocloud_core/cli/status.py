"""`cryocloud status`: what runs, workers and machines publish, now and before; and setting a value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cryocloud_core.cli import flags

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[WORD]...",
        help="Show parameters with any of these words; CHANNEL:PARAMETER shows one value, with =VALUE it sets it; "
        "one that names a workflow, or its file, chooses its status.",
    ),
]


def status(
    words: Words = None,
    *,
    follow: flags.Follow = False,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="NAME", help="Of this channel; * and ? fit many.")
    ] = None,
    since: flags.Since = None,
    set_value: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", metavar="CHANNEL:PARAMETER=VALUE", help="Set a value; JSON is read as such."),
    ] = None,
    series: Annotated[
        Path | None, typer.Option("--series", metavar="FILE.csv", help="Write every change there; - is stdout.")
    ] = None,
    json: flags.Json = False,
    state_dir: flags.ReadStateDir = None,
) -> None:
    """Show what runs, their workers and machines publish.

    Counters of nodes, what each worker is in, processors, memory and disks, and what modules set. Addresses are shown
    without their secrets; with --json a value that is named is whole.
    """
    given = dict(locals())
    from cryocloud_core.cli.status_showing import show_status

    raise typer.Exit(show_status(given))
