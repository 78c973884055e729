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
    """Give pebbles up.

    What runs is told to end, then their deferred nodes run and their tempdirs go.
    """
    given = dict(locals())
    from cryocloud_core.cli.steering import cancel_pebbles

    raise typer.Exit(cancel_pebbles(given))


def retry(words: Ids, *, json: flags.Json = False, state_dir: flags.ReadStateDir = None) -> None:
    """Let finished pebbles arrive again.

    New pebbles arrive with the values that the finished ones arrived with.
    """
    given = dict(locals())
    from cryocloud_core.cli.steering import retry_pebbles

    raise typer.Exit(retry_pebbles(given))


def stop(
    words: Word = None,
    *,
    wait: flags.Wait = False,
    timeout: flags.WaitTimeout = None,
    json: flags.Json = False,
    state_dir: flags.ReadStateDir = None,
) -> None:
    """Suspend a run; the next start goes on with it.

    It is what one SIGTERM does. Exits 0 when the run was told, with --wait when it has ended; 124 when it had not ended
    in time; 3 when no head runs.
    """
    given = dict(locals())
    from cryocloud_core.cli.steering import stop_run

    raise typer.Exit(stop_run(given, "stop"))


def drain(
    words: Word = None,
    *,
    wait: flags.Wait = False,
    timeout: flags.WaitTimeout = None,
    json: flags.Json = False,
    state_dir: flags.ReadStateDir = None,
) -> None:
    """Finish what is in flight, then end the run.

    Nothing new arrives meanwhile. Exits 0 when the run was told; with --wait as the run itself does: 0 when all of its
    pebbles succeeded, 1 when some did not, 3 when it was stopped before all had ended; 124 when it had not ended in
    time, which it goes on to do; 3 when no head runs.
    """
    given = dict(locals())
    from cryocloud_core.cli.steering import stop_run

    raise typer.Exit(stop_run(given, "drain"))
