"""Where the commands begin: the command line is read, errors become one line and an exit code.

Laws: what CryoCloud raises on purpose is one line on stderr (all of them, for a workflow with problems) and the
error's own exit code; anything else is a bug and keeps its traceback; every text printed is made plain first.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import Any

import typer

from cryocloud_core.cli.app import app
from cryocloud_core.cli.command import Mistake, told
from cryocloud_core.errors import CryoCloudError, DocumentError

#: when Python looks for circles of dead objects: a head with thousands of open pebbles makes none, but at Python's own
#: 700 objects each look walks over all of them, a tenth of the time a small task costs
COLLECT_AT = (20_000, 10, 10)


def main() -> None:
    """Run `cryocloud`."""
    _start(None, "cryocloud")


def workflow_main() -> None:
    """Run `ccworkflow`: another name of `cryocloud run`."""
    _start("run", "ccworkflow")


def run_module_main() -> None:
    """Run `cctestrun` and `ccmockworker`: other names of `cryocloud run-module`."""
    _start("run-module", os.path.basename(sys.argv[0]) or "cctestrun")  # noqa: PTH119 -- pathlib costs 3 ms here


def log_main() -> None:
    """Run `cclog`: another name of `cryocloud log`."""
    _start("log", "cclog")


def status_main() -> None:
    """Run `ccstatus`: another name of `cryocloud status`."""
    _start("status", "ccstatus")


def config_main() -> None:
    """Run `ccconfig`: another name of `cryocloud config`."""
    _start("config", "ccconfig")


def _start(command: str | None, program: str) -> None:
    gc.set_threshold(*COLLECT_AT)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(invoke(sys.argv[1:], command, program))


def invoke(args: list[str], command: str | None = None, program: str = "cryocloud") -> int:
    """Run the command line `args` and return the exit code; `command` names the subcommand that they belong to."""
    entered: Any = typer.main.get_command(app)
    if command is not None:
        group, entered = entered, entered.commands[command]
        # An alias has no group above it to take these from.
        entered.context_settings = {**group.context_settings, **entered.context_settings}
    code: Any = 0
    try:
        code = entered.main(args, prog_name=program, standalone_mode=False)
        # Here, where a reader that has left can still be met in silence.
        if sys.stdout is not None:
            sys.stdout.flush()
    except Mistake as error:
        return _tell_mistake(error, program)
    except CryoCloudError as error:
        return _tell(error, debug="--debug" in args)
    except typer.Abort:
        return 130
    except (BrokenPipeError, SystemExit) as error:
        # typer turns the first into the second.
        if not isinstance(error, BrokenPipeError) and not isinstance(error.__context__, BrokenPipeError):
            raise
        _silence()
    return code if isinstance(code, int) else 0


def _silence() -> None:
    """The reader of our output left (`… | head`) and has what it wanted: no failure, and nothing to say about it."""
    # Python must not complain again while it shuts down.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _tell(error: CryoCloudError, *, debug: bool) -> int:
    from cryocloud_core.cli.text import plain

    if debug:
        traceback.print_exception(error)
    lines = error.problems if isinstance(error, DocumentError) and error.problems else (str(error),)
    for line in lines:
        print(plain(line), file=sys.stderr)
    return error.exit_code


def _tell_mistake(mistake: Any, program: str) -> int:
    """Print a mistake in the command line as one line; an empty command line gets the help instead."""
    from cryocloud_core.cli.text import plain

    if mistake.ctx is not None and type(mistake).__name__.startswith("NoArgs"):
        print(mistake.ctx.get_help(), file=sys.stderr)
    else:
        print(plain(told(mistake, program)), file=sys.stderr)
    return int(mistake.exit_code)
