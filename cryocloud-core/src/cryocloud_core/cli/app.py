"""The command line as one typer app: which commands there are, and where those of plugins come from.

Laws: this file and the files of the commands import nothing heavy, so that help is quick; a command's body
imports what it needs when it runs; installed packages are searched for commands only when a name is unknown.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cryocloud_core.cli import (
    check,
    config,
    explain,
    graph,
    log,
    modules,
    new_module,
    pebbles,
    put,
    run,
    run_module,
    schema,
    stage,
    status,
    steer,
)
from cryocloud_core.cli.command import PlainCommand
from cryocloud_core.cli.module_help import ModuleCommand
from cryocloud_core.cli.workflow_options import WorkflowCommand


class Commands(TyperGroup):
    """The commands of core, then those that installed packages offer."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, None when nobody offers it. Raises PluginError."""
        found = super().get_command(ctx, cmd_name)
        if found is not None or cmd_name.startswith("-") or ctx.resilient_parsing:
            return found
        from cryocloud_core.cli.plugin_commands import find_command

        return find_command(cmd_name)


app = typer.Typer(
    name="cryocloud",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Installed packages may add commands: cryocloud modules tells what is installed.",
)
app.command("run", cls=WorkflowCommand)(run.run)
app.command("check", cls=WorkflowCommand)(check.check)
app.command("graph", cls=WorkflowCommand)(graph.graph)
app.command("schema", cls=PlainCommand)(schema.schema)
app.command("pebbles", cls=PlainCommand)(pebbles.pebbles)
app.command("explain", cls=PlainCommand)(explain.explain)
app.command("cancel", cls=PlainCommand)(steer.cancel)
app.command("retry", cls=PlainCommand)(steer.retry)
app.command("stop", cls=PlainCommand)(steer.stop)
app.command("drain", cls=PlainCommand)(steer.drain)
app.command("log", cls=PlainCommand)(log.log)
app.command("status", cls=PlainCommand)(status.status)
app.command("config", cls=PlainCommand)(config.config)
app.command("modules", cls=PlainCommand)(modules.modules)
app.command("run-module", cls=ModuleCommand)(run_module.run_module)
app.command("new-module", cls=PlainCommand)(new_module.new_module)
app.command("stage", cls=PlainCommand)(stage.stage)
app.command("put", cls=PlainCommand)(put.put)


def _version(value: bool) -> None:
    if value:
        from cryocloud_core import __version__

        print(f"cryocloud {__version__}")
        raise typer.Exit


@app.callback()
def _cryocloud(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Event-driven file processing: workflows of plugin modules that survive a power cut."""
