"""`cryocloud graph`: a workflow's graph as text, or as a picture."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cryocloud_core.cli import flags


class Format(StrEnum):
    """How a graph is written down."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"


def graph(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A workflow file.")],
    *,
    form: Annotated[
        Format, typer.Option("--format", help="Indented text; a picture is svg, or dot or mermaid for other programs.")
    ] = Format.TEXT,
    output: flags.Output = None,
    profile: flags.Profile = None,
    module_paths: flags.ModulePaths = None,
    import_modules: flags.ImportModules = False,
    debug: flags.Debug = False,
) -> None:
    """Draw the graph of a workflow.

    SVG needs Graphviz, the program `dot`. The options that the workflow declares are flags too.
    """
    given = dict(locals())
    from cryocloud_core.cli.drawing import draw_file

    raise typer.Exit(draw_file(given))
