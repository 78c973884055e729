"""`cryocloud cancel`, `retry`, `stop` and `drain`: steering a run that goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from cryocloud_core.cli import flags

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID... [WORKFLOW|FILE]", help="Pebbles by number; the workflow where several run."),
]
Word = Annotated[
    list[str] | None,
    typer.Argument(metavar="[WORKFLOW|FILE]", help="A workflow by its name or file; else the one run there is."),
]


def cancel(
    words: Ids = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every pebble in flight.")] = False,
    json: flags.Json = False,
    state_dir: flags.ReadStateDir = None,
) -> None:
    """Give pebbles up: what runs is told to end, then their deferred nodes run and their tempdirs go."""
    given = dict(locals())
    from cryocloud_core.cli.steering import cancel_pebbles

    raise typer.Exit(cancel_pebbles(given))


def retry(words: Ids, *, json: flags.Json = False, state_dir: flags.ReadStateDir = None) -> None:
    """Let new pebbles arrive with the values that finished ones arrived with."""
    given = dict(locals())
    from cryocloud_core.cli.steering import retry_pebbles

    raise typer.Exit(retry_pebbles(given))


def stop(words: Word = None, *, json: flags.Json = False, state_dir: flags.ReadStateDir = None) -> None:
    """Suspend a run, as SIGTERM does: the next start goes on where it stopped."""
    given = dict(locals())
    from cryocloud_core.cli.steering import stop_run

    raise typer.Exit(stop_run(given, "stop"))


def drain(words: Word = None, *, json: flags.Json = False, state_dir: flags.ReadStateDir = None) -> None:
    """Let nothing new arrive, finish what is in flight, then end the run."""
    given = dict(locals())
    from cryocloud_core.cli.steering import stop_run

    raise typer.Exit(stop_run(given, "drain"))
