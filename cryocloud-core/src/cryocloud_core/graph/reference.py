"""The reference pages of the language: its keys and its findings, drawn from the tables that execute them.

Laws: what a page says of a key or a code stands in that one table; nothing here is said twice.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from cryocloud_core.graph import expression
from cryocloud_core.graph.problems import CATALOGUE, STRICT
from cryocloud_core.graph.schema import KEYS, language_schema
from cryocloud_core.graph.settings import NODE_KEYS, SETTINGS
from cryocloud_core.graph.unsupported import REFUSED
from cryocloud_core.graph.workflow import Node, Placement


def language_blocks() -> dict[str, str]:
    """Return the drawn parts of the language's page by name: its tables of keys, the grammar of conditions."""
    definitions = language_schema()["$defs"]
    retry, post = definitions["retry"]["anyOf"][1], definitions["post"]["anyOf"][0]
    return {
        "workflow keys": _properties(definitions["workflow"]["properties"]),
        "option keys": _properties(definitions["option"]["properties"]),
        "node keys": _table(("key", "takes", "without it", "meaning"), _node_rows()),
        "old spellings": ", ".join(_old_spellings()),
        "argument keys": _properties(definitions["source"]["properties"]),
        "retry keys": _properties(retry["properties"]),
        "cache keys": _properties(definitions["cache"]["properties"]),
        "post keys": _properties(post["properties"]),
        "condition grammar": f"```\n{_grammar()}\n```",
        "module defaults": ", ".join(f"`{key}`" for key, row in SETTINGS.items() if row.in_defaults),
        "refused keys": _refused(),
    }


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


def _properties(properties: Mapping[str, Mapping[str, Any]]) -> str:
    modern = {key: schema for key, schema in properties.items() if not schema.get("deprecated")}
    given = ((f"`{key}`", schema.get("description", "")) for key, schema in modern.items())
    return _table(("key", "meaning"), given)


def _node_rows() -> Iterator[tuple[str, ...]]:
    for key, (meaning, schema) in sorted(KEYS.items()):
        yield f"`{key}`", " or ".join(dict.fromkeys(_takes(schema))), _without(key), meaning


def _takes(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words what a schema takes; how else a number may be written is said once for all keys."""
    if "$ref" in schema:
        yield _REFERRED.get(schema["$ref"].rpartition("/")[2], "map")
        return
    if schema.get("anyOf", [{}])[0].get("type") == "boolean":
        yield "boolean"
        return
    for part in schema.get("anyOf", (schema,)):
        kinds = part.get("type", "text")
        if part is not schema:
            yield from _takes(part)
        else:
            yield from (_KINDS[kind] for kind in (kinds if isinstance(kinds, list) else [kinds]))


_KINDS = {"string": "text", "integer": "number", "number": "number", "array": "list", "object": "map", "null": "null"}
_KINDS |= {"text": "text"}
_REFERRED = {"source": "source", "retry": "number or map", "post": "list or map"}


def _without(key: str) -> str:
    """Return what holds for a node that neither has a key nor a module with a default for it; empty for nothing."""
    for holder in (Placement, Node):
        for field in attrs.fields(holder):
            if field.name == _FIELDS.get(key, spelling(key)):
                return _shown(field.default)
    return "the module's" if key in ("depends", "provides") else "false" if key in ("global", "gpu") else ""


_FIELDS = {"type": "kind", "runOnHead": "on_head"}


def spelling(key: str) -> str:
    """Return a key of the language as fields are spelt: `runOn` as `run_on`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def _shown(default: Any) -> str:
    if default is None or isinstance(default, attrs.Factory | tuple) or default is attrs.NOTHING:
        return ""
    if isinstance(default, frozenset):
        return ", ".join(sorted(default))
    return str(getattr(default, "value", default)).lower()


def _old_spellings() -> Iterator[str]:
    for alias, name in {**NODE_KEYS.aliases, "modules": "nodes", "options": "option", "run": "runOn"}.items():
        yield f"`{alias}` for `{name}`"


def _refused() -> str:
    names = ", ".join(f"`{name}`" if name == key else name for name, (key, _) in REFUSED.items())
    if not names:
        return "Every key on this page is executed."
    return f"Checked in full and refused (E38) until something executes them: {names}."


def _grammar() -> str:
    return inspect.cleandoc(inspect.cleandoc(expression.__doc__ or "").split("::\n\n", 1)[1])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
