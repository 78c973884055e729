"""`cryocloud check`: every problem of a workflow and its graph, with nothing started."""

from __future__ import annotations

import typer

from cryocloud_core.cli import flags


def check(
    ctx: typer.Context,
    files: flags.Files,
    *,
    strict: flags.Strict = False,
    profile: flags.Profile = None,
    module_paths: flags.ModulePaths = None,
    import_modules: flags.ImportModules = False,
    debug: flags.Debug = False,
) -> None:
    """Check workflows without running them.

    Every problem is printed, then the graph; the exit code is 2 when there is an error.
    The options that a workflow declares are flags too: `cryocloud check FILE --help` lists them.
    """
    given = dict(locals())
    from cryocloud_core.cli.checking import check_files

    raise typer.Exit(check_files(given))
