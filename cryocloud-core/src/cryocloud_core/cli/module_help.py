"""The help of a command that is given a module: the arguments that this module takes.

Laws: help is help: a module that cannot be found or read is told in it, and never makes it fail.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryocloud_core.cli.command import PlainCommand
from cryocloud_core.cli.workflow_options import names_of, words_of

if TYPE_CHECKING:
    from cryocloud_core.graph.draft import Found

#: Where a context keeps the words it was given.
_GIVEN = "cryocloud.given"


class ModuleCommand(PlainCommand):
    """A command whose first argument is a module; its help lists what that module takes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line, and remember it for the help."""
        ctx.meta[_GIVEN] = list(args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the module's arguments under a heading of their own, above the command's flags."""
        given = ctx.meta.get(_GIVEN, [])
        name = self._module_in(ctx, given)
        if name is not None:
            _write_arguments(formatter, name, _paths(given))
        super().format_options(ctx, formatter)

    def _module_in(self, ctx: Any, given: Sequence[str]) -> str | None:
        params: list[Any] = list(self.get_params(ctx))
        takes_value = {flag: not param.is_flag for param in params for flag in names_of(param)}
        return next((word for word, _ in words_of(given, takes_value)), None)


def _paths(given: Sequence[str]) -> list[str]:
    """Return the directories that `--module-paths` names, wherever it stands."""
    flag = "--module-paths"
    values = [after for word, after in pairwise(given) if word == flag]
    return values + [word.partition("=")[2] for word in given if word.startswith(f"{flag}=")]


def _write_arguments(formatter: Any, name: str, paths: Sequence[str]) -> None:
    from cryocloud_core.cli.text import plain
    from cryocloud_core.errors import CryoCloudError

    try:
        spec = _found(name, paths).spec
    except CryoCloudError as error:
        formatter.write_paragraph()
        formatter.write_text(plain(str(error)))
        return
    records = [(plain(key), plain(text)) for key, text in (spec.inputs or {}).items()]
    with formatter.section(f"Arguments of {plain(spec.name)}"):
        if records:
            formatter.write_dl(records)
        else:
            formatter.write_text("not declared: any is taken" if spec.inputs is None else "none")


def _found(name: str, paths: Sequence[str]) -> Found:
    from cryocloud_core.cli.single import find_module
    from cryocloud_core.modules.find import Finder
    from cryocloud_core.sdk.registry import Registry

    folders = tuple(Path(path) for given in paths for path in given.split(os.pathsep) if path)
    return find_module(name, Finder(Path.cwd(), Registry.installed(), folders))
