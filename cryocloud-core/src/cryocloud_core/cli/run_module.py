"""`cryocloud run-module`: one module, once, outside a workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run_module(
    module: Annotated[str, typer.Argument(metavar="NAME", help="An installed module, or the path of a module file.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARG=VALUE]...", help="Arguments; a value that is JSON is read as such."),
    ] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", metavar="FILE", help='Take the task, {"args": {...}}, from a JSON file.'),
    ] = None,
    task: Annotated[
        str | None, typer.Option("-t", "--task", metavar="JSON", help='Take the task, {"args": {...}}, from this text.')
    ] = None,
    args: Annotated[
        str | None, typer.Option("--args", metavar="JSON", help="Take the arguments from this JSON object.")
    ] = None,
    module_paths: Annotated[
        list[str] | None,
        typer.Option(
            "--module-paths", metavar="DIR", help="Search modules here too; repeat it, or separate with a colon."
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show DEBUG records, and where an error comes from.")] = False,
) -> None:
    """Run one module once, outside a workflow.

    Its log and status appear on the terminal; the exit code is 1 when it fails. run-module NAME --help lists the
    module's arguments.
    """
    given = dict(locals())
    from cryocloud_core.cli.single import run_once

    raise typer.Exit(run_once(given))
