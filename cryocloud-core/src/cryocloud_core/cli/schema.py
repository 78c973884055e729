"""`cryocloud schema`: the JSON Schema of workflows, for editors."""

from __future__ import annotations

import typer

from cryocloud_core.cli import flags


def schema(*, output: flags.Output = None) -> None:
    """Print the JSON Schema of workflows.

    Editors complete, explain and check workflows with it; the installed modules and their arguments are in it.
    """
    from cryocloud_core.cli.describing import write_schema

    raise typer.Exit(write_schema(output))
