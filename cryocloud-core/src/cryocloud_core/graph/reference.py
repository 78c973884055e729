"""The reference pages of the language: its keys and its findings, drawn from the tables that execute them.

Laws: what a page says of a key or a code stands in that one table; nothing here is said twice.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cryocloud_core.graph import expression
from cryocloud_core.graph.problems import CATALOGUE, STRICT
from cryocloud_core.graph.schema import KEYS, language_schema
from cryocloud_core.graph.settings import NODE_KEYS, SETTINGS
from cryocloud_core.graph.unsupported import REFUSED


def language_page(note: str) -> str:
    """Return the page of every key a workflow may hold; `note` stands below its title."""
    definitions = language_schema()["$defs"]
    parts = [
        "# The workflow language",
        note,
        _WORKFLOW,
        _properties(definitions["workflow"]["properties"]),
        "## Options\n\nEach entry of `options` becomes a flag of `cryocloud run FILE`.",
        _properties(definitions["option"]["properties"]),
        _NODES,
        _table(("key", "meaning", "module default", "old spellings"), _node_rows()),
        "Checked in full and refused (E38) until something executes it: " + ", ".join(_refused()) + ".",
        _ARGUMENTS,
        _properties(definitions["source"]["properties"]),
        "## Conditions\n\nThe text of a `runIf`:",
        f"```\n{_grammar()}\n```",
        _CONDITIONS,
    ]
    return "\n\n".join(parts) + "\n"


def problems_page(note: str) -> str:
    """Return the page of every finding's code and message; `note` stands below its title."""
    rows = [(code, f"`{text}`", "yes" if code in STRICT else "") for code, text in CATALOGUE.items()]
    errors = [(code, text) for code, text, _ in rows if code.startswith("E")]
    warnings = [row for row in rows if row[0].startswith("W")]
    parts = [
        "# Findings",
        note,
        "`cryocloud check FILE` and every run tell all findings at once, one a line, in document order:",
        '```\nflow.json:12:20: nodes[2] "Wind": E17 unknown argument "srcc" …\n```',
        "## Errors\n\nNothing is started while there is one.",
        _table(("code", "message"), errors),
        "## Warnings\n\nThe run goes on, unless `--strict` makes the warning an error.",
        _table(("code", "message", "error with `--strict`"), warnings),
    ]
    return "\n\n".join(parts) + "\n"


_WORKFLOW = """\
A document is a JSON object `{"workflow": {…}}` in UTF-8. Keys are matched exactly; one that differs only in case, `_`
or `-` is used with a warning, an unknown one is ignored with a warning. Control booleans may be written as
true/false, yes/no or 1/0, as text too.

## Workflow"""

_NODES = """\
## Nodes

A node's own key wins over its module's default, that one over the language's. Nodes without a name are called after
their module, `work`, `work-2` and so on; children run after the node that encloses them."""

_ARGUMENTS = """\
## Arguments

An argument is a value, delivered as it stands, or a map with exactly one source and any modifiers. A map without a
source is data, unless it holds nothing but modifiers and its `type` is one of those below. In `Node.key` the node is
the longest name that fits; `parent` is the node before this one. What yields nothing is the default, else null."""

_CONDITIONS = """\
Values count as the text that `str()` gives. `==` and `!=` compare numbers if a side is written as a number and both are
numbers; `<`, `<=`, `>` and `>=` compare numbers and do not hold, with a warning, if a side is none. A bare value does
not hold if its text is empty, `False`, `false`, `None` or `0`."""


def _properties(properties: Mapping[str, Mapping[str, Any]]) -> str:
    modern = {key: schema for key, schema in properties.items() if not schema.get("deprecated")}
    given = ((f"`{key}`", schema.get("description", "")) for key, schema in modern.items())
    return _table(("key", "meaning"), given)


def _node_rows() -> Iterator[tuple[str, ...]]:
    for key, (meaning, _) in KEYS.items():
        old = ", ".join(f"`{alias}`" for alias, name in NODE_KEYS.aliases.items() if name == key)
        yield f"`{key}`", meaning, "yes" if key in SETTINGS and SETTINGS[key].in_defaults else "", old


def _refused() -> Iterator[str]:
    for name, (key, _) in REFUSED.items():
        yield f"`{name}`" if name == key else name


def _grammar() -> str:
    return inspect.cleandoc(inspect.cleandoc(expression.__doc__ or "").split("::\n\n", 1)[1])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
