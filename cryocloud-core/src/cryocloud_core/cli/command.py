"""The class of every command: mistakes in its command line know which command they are about.

Laws: typer carries its parser inside itself since 0.26, so nothing here names a class of the parser; what a
mistake is called is taken from typer's own public class.
"""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand

#: What typer raises for any mistake in a command line; every bad parameter is one.
Mistake: Any = typer.BadParameter.__mro__[1]


class PlainCommand(TyperCommand):
    """A command whose mistakes name it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        try:
            return super().parse_args(ctx, args)
        except Mistake as mistake:
            mistake.ctx = mistake.ctx or ctx
            raise


def told(mistake: Any, program: str) -> str:
    """Return a mistake as one line: the command, what is wrong, the nearest right word, where to read on."""
    where = mistake.ctx.command_path if mistake.ctx is not None else program
    option = getattr(mistake, "option_name", None)
    if option and hasattr(mistake, "possibilities"):
        near = next(iter(mistake.possibilities or ()), None)
        what = f"no such option: {option}" + (f"; did you mean {near}?" if near else "")
    else:
        message = str(mistake.format_message()).strip().rstrip(".")
        what = message[:1].lower() + message[1:] + _meant(message)
    return f"{where}: {what} (see {where} --help)"


def _meant(message: str) -> str:
    """Return `; did you mean drop?` for a value that is nearly one of those a flag takes, as its message lists them."""
    given, _, choices = message.partition(" is not one of ")
    if not choices:
        return ""
    from cryocloud_core.graph.spelling import nearest

    near = nearest(given.rpartition(": ")[2].strip("'"), re.findall(r"'([^']*)'", choices))
    return "" if near is None else f"; did you mean {near}?"
