"""The reference pages of the command line, drawn from the typer app and from the records of a run.

Laws: a page is a function of the code alone; a flag without help, other than the refused ones, is a fault.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args

import attrs
import typer

from cryocloud_core.cli.app import app
from cryocloud_core.cli.flags import NOT_YET
from cryocloud_core.cli.json_lines import EVENTS, Event

NOTE = "<!-- Written by `python3 tasks.py docs` from the code; changes belong there. -->"
ALIASES = {
    "run": ("ccworkflow",),
    "run-module": ("cctestrun", "ccmockworker"),
    "log": ("cclog",),
    "status": ("ccstatus",),
    "config": ("ccconfig",),
}


def commands() -> dict[str, Any]:
    """Return the commands of core by name."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def flags_of(command: Any) -> Iterator[Any]:
    """Yield the flags of a command, hidden ones too."""
    for param in command.params:
        if param.param_type_name == "option":
            yield param


def cli_page() -> str:
    """Return the page of the commands and their flags."""
    front = f"""\
# The command line

{NOTE}

An error that a person can mend is one line and an exit code: 1 something failed, 2 a bad document, option or
configuration, 3 a run cannot start, 130 and 143 a run was stopped by SIGINT or SIGTERM. `-h` or `--help` shows each
command's help, `cryocloud --version` the version; `cryocloud --install-completion` sets up completion for your shell,
`cryocloud --show-completion` prints it."""
    return "\n\n".join([front, *(_section(name, command) for name, command in commands().items())]) + "\n"


def _section(name: str, command: Any) -> str:
    names = " and ".join(f"`{alias}`" for alias in ALIASES.get(name, ()))
    aliases = f"\n\nAlso called {names}." if names else ""
    arguments = (_argument(param) for param in command.params if param.param_type_name == "argument")
    typed = " ".join(["cryocloud", name, *arguments])
    rows = [_row(flag) for flag in flags_of(command) if not flag.hidden]
    table = "\n".join(["| flag | meaning |", "|---|---|", *rows]) if rows else ""
    help_text = inspect.cleandoc(command.help or "")
    parts = [f"## `{typed}`{aliases}", help_text, table]
    hidden = [f"`{NOT_YET[flag.name][0]}` ({NOT_YET[flag.name][1]})" for flag in flags_of(command) if flag.hidden]
    if hidden:
        parts.append(f"Refused until their features are built: {', '.join(hidden)}.")
    return "\n\n".join(part for part in parts if part)


def _argument(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _row(flag: Any) -> str:
    spelt = ", ".join(f"`{name}`" for name in (*flag.opts, *flag.secondary_opts))
    choices = "\\|".join(getattr(flag.type, "choices", ()))
    value = "" if flag.is_flag else f" {flag.metavar or choices or 'TEXT'}"
    return f"| {spelt}{value} | {flag.help} |"


def json_page() -> str:
    """Return the page of the JSON lines: every event and its keys."""
    front = f"""\
# JSON lines

{NOTE}

`cryocloud run --json` prints one JSON object a line. Each has `event`, one of the names below, and `at`, the time in
seconds UTC; the other keys depend on the event. Keys and events are added over time, never taken away: ignore what you
do not know. Non-ASCII characters are escaped, so that a line is always one line of ASCII. Addresses in them have dots
for their secrets ([what is covered](remote-places.md#secrets-in-addresses))."""
    return "\n\n".join([front, *map(_event_section, EVENTS)]) + "\n"


def _event_section(event: Event) -> str:
    rows = [f"| `{key}` | {kind} |" for key, kind in (*_record_keys(event.record), *event.more.items())]
    table = "\n".join(["| key | value |", "|---|---|", *rows])
    return f"## `{event.name}`\n\n{event.meaning}\n\n{table}" if rows else f"## `{event.name}`\n\n{event.meaning}"


def _record_keys(record: type | None) -> Iterator[tuple[str, str]]:
    if record is None:
        return
    attrs.resolve_types(record)
    for field in attrs.fields(record):
        if field.name != "at":
            yield field.name, _kind(field.type)


def _kind(kind: Any) -> str:
    words = {str: "text", int: "whole number", float: "number", type(None): "null", bool: "true or false"}
    return " or ".join(words[part] for part in get_args(kind) or (kind,))
