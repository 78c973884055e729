"""The JSON Schema of the language, for editors: every key with its help, and the installed modules in it.

Laws: a schema helps while typing and never decides; it accepts everything that the loader accepts without a
warning in its modern spelling, and marks a key that nobody knows; each key of the tables of keys has its line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cryocloud_core.graph.options import KINDS
from cryocloud_core.graph.refs import STAT_NAMES
from cryocloud_core.graph.settings import NODE_KEYS, RESULTS
from cryocloud_core.graph.spec import ModuleSpec

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_TEXTS: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_BOOLEAN: Final[Schema] = {
    "anyOf": [
        {"type": "boolean"},
        {"enum": [0, 1]},
        # Editors know no flag for "in any case".
        {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|0|1)$"},
    ],
}
_MAP: Final[Schema] = {"type": "object"}
_COUNT: Final[Schema] = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]+$"}]}
_SOURCE: Final[Schema] = {"$ref": "#/$defs/source"}
_ANY: Final[Schema] = {}
_CLOSED: Final[Schema] = {"additionalProperties": False}


def _either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


#: node key -> what it means, what it takes
KEYS: Final[dict[str, tuple[str, Schema]]] = {
    "args": ("The module's arguments: a value, or where it comes from.", {"$ref": "#/$defs/args"}),
    "cache": ("When an earlier result with the same arguments is used again.", {"$ref": "#/$defs/cache"}),
    "ccnode": (
        'The machine to run on: a name, a pool of names, "all", or a source such as {"stat": "parent.node"}.',
        _either({"type": ["string", "null"]}, _TEXTS, _SOURCE),
    ),
    "children": ("Nodes that run after this one.", {"type": "array", "items": {"$ref": "#/$defs/node"}}),
    "config": ('The root in front of every {"config": key} of this node.', _TEXT),
    "deferred": ("Run when all other nodes of the pebble are done, also after a failure.", _BOOLEAN),
    "depends": ("What nodes upstream must provide; replaces the module's own list.", _TEXTS),
    "docker": ("Image to run the module's source in.", _TEXT),
    "downstreamOf": ('The nodes this one runs after; "entry" for an input.', _either(_TEXT, _TEXTS)),
    "global": ("Run once for every node that fails.", _BOOLEAN),
    "gpu": ("Only workers with a GPU take it.", _BOOLEAN),
    "image": ("Image that serves this module on Kubernetes.", _TEXT),
    "loop": ("Argument whose items one task goes through in order.", _TEXT),
    "max_parallel": ("How many tasks of this node may run at once.", _COUNT),
    "merge": ("Fold the parts of the split upstream into lists.", _BOOLEAN),
    "module": ("The module that does the work.", _TEXT),
    "name": ("What references call this node; the module's name if left out.", _TEXT),
    "outputs": ("Outputs beside those the module declares, with their descriptions.", _either(_MAP, _TEXTS)),
    "post": ("What is uploaded after success.", {"$ref": "#/$defs/post"}),
    "priority": (
        "Higher goes first: a number, or high (100), normal (50), low (20), bulk (0).",
        _either({"type": "integer"}, {"type": "string"}),
    ),
    "provides": ("What this node provides to those below; replaces the module's own list.", _TEXTS),
    "replicas": ("How many containers serve the image.", _COUNT),
    "resolveOnAny": ("Run once, when the first parent has a result it accepts.", _BOOLEAN),
    "restrictions": (
        'Conditions on status values that hold its tasks back: {"channel:parameter": "<3"}.',
        {"type": "object", "additionalProperties": {"type": "string", "pattern": "^\\s*(<=?|>=?|==|!=)"}},
    ),
    "retry": ("How often a failed attempt is repeated, and when.", {"$ref": "#/$defs/retry"}),
    "runIf": ("Run only if this holds, as in output:Check.kind != 'wind' and option:n > 10.", _TEXT),
    "runOn": (
        "The results of its parents it runs on: success, error, timeout, cancelled or a list of these; always; never.",
        _either({"enum": [*RESULTS, "always", "never"]}, {"type": "array", "items": {"enum": list(RESULTS)}}),
    ),
    "runOnHead": ("Run on the head's own machine, in a small pool of its own.", _BOOLEAN),
    "serviceURL": ("The service that does the work.", {"type": "string", "pattern": "^https?://"}),
    "splitOn": ("Argument whose items become parallel parts.", _TEXT),
    "timeout": (
        "Seconds after which an attempt is stopped.",
        _either({"type": "number", "exclusiveMinimum": 0}, {"type": "string"}),
    ),
    "type": ("The class of worker that takes it: normal, admin or gpu.", {"enum": ["normal", "admin", "gpu"]}),
    "volumes": (
        "Directories to mount into the container: [source, dest] or [source, dest, mode].",
        {"type": "array", "items": {"type": "array", "minItems": 2, "maxItems": 3}},
    ),
    "workdir": ("The directory the module runs in and is looked up in.", _either(_TEXT, _SOURCE)),
}

_MODIFIERS: Final[Schema] = {
    "default": {"description": "Delivered when the source has no value."},
    "type": {
        "enum": ["file", "dir", "tempdir"],
        "description": "Prepare the value on the worker: file, dir or tempdir.",
    },
    "id": {**_TEXT, "description": "Name of a tempdir that several nodes share."},
    "proto": {"enum": ["ssh", "http"], "description": "How a path on another machine is fetched."},
    "copy": {**_BOOLEAN, "description": "Whether the file may be fetched (true)."},
    "unzip": {**_BOOLEAN, "description": "Deliver an archive as the list of its entries (false)."},
    "keep": {**_BOOLEAN, "description": "Keep a local archive after unpacking (true)."},
}

_SOURCES: Final[Schema] = {
    "output": {**_TEXT, "description": "A return value, as Node.key or parent.key."},
    "option": {**_TEXT, "description": "An option of the workflow."},
    "config": {**_TEXT, "description": "A configuration key below the node's root."},
    "stat": {
        "type": "string",
        "pattern": f"\\.({'|'.join(STAT_NAMES)})$",
        "description": f"A run statistic of a node, as Node.{STAT_NAMES[0]}; also {', '.join(STAT_NAMES[1:])}.",
    },
    "value": {"description": "A literal value."},
}
_OLD_SOURCE: Final[Schema] = {"options": {**_TEXT, "deprecated": True, "description": "An old spelling of option."}}


def language_schema(modules: Mapping[str, ModuleSpec] | None = None) -> Schema:
    """Return the JSON Schema (2020-12) of a workflow document.

    With `modules`, a node's `module` is offered from their names (others stay allowed) and the arguments of
    a node with such a module from its inputs.
    """
    known = modules or {}
    return {
        "$schema": DIALECT,
        "title": "CryoCloud workflow",
        "type": "object",
        "required": ["workflow"],
        "properties": {"workflow": {"$ref": "#/$defs/workflow"}},
        "$defs": {
            "workflow": _workflow(),
            "node": _node(known),
            "args": {"type": "object", "additionalProperties": {"$ref": "#/$defs/argument"}},
            # Any value is an argument, and an editor offers the map form; a map with a source can hold nothing else.
            "argument": {
                **_either(_SOURCE, _ANY),
                "if": {"type": "object", **_either(*({"required": [source]} for source in _SOURCES))},
                "then": _SOURCE,
            },
            "source": {"type": "object", "properties": {**_SOURCES, **_OLD_SOURCE, **_MODIFIERS}, **_CLOSED},
            "option": _option(),
            **_RULES,
        },
    }


def _workflow() -> Schema:
    nodes = {
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/node"},
        "description": "The nodes of the graph.",
    }
    return {
        "type": "object",
        "required": ["name", "description"],
        **_either({"required": ["nodes"]}, {"required": ["modules"]}),
        "properties": {
            "name": {**_TEXT, "pattern": "^[^:]+$", "description": "The workflow's name."},
            "description": {"type": "string", "description": "The text of --help."},
            "config": {**_TEXT, "description": "The configuration root of nodes without one."},
            "options": {
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/option"},
                "description": "Options by name; each becomes a flag.",
            },
            "nodes": nodes,
            "modules": {"deprecated": True, **nodes, "description": "An old spelling of nodes."},
        },
        **_CLOSED,
    }


def _node(modules: Mapping[str, ModuleSpec]) -> Schema:
    properties: Schema = {key: {"description": text, **schema} for key, (text, schema) in KEYS.items()}
    if modules:
        names = [{"const": name, "description": spec.description} for name, spec in sorted(modules.items())]
        properties["module"] = {"description": KEYS["module"][0], **_either(*names, _TEXT)}
    node: Schema = {
        "type": "object",
        "required": ["module"],
        "properties": {**properties, **{alias: _old(key) for alias, key in NODE_KEYS.aliases.items()}},
        # Authors switch a key off with an "f" before it.
        "patternProperties": {f"^f({'|'.join(KEYS)})$": True},
        **_CLOSED,
    }
    cases = [_arguments_of(name, spec) for name, spec in sorted(modules.items()) if spec.inputs is not None]
    return {**node, "allOf": cases} if cases else node


def _old(key: str) -> Schema:
    return {"deprecated": True, "description": f"An old spelling of {key}.", "$ref": f"#/$defs/node/properties/{key}"}


def _arguments_of(name: str, spec: ModuleSpec) -> Schema:
    inputs = {key: {"description": text, "$ref": "#/$defs/argument"} for key, text in (spec.inputs or {}).items()}
    return {
        "if": {"required": ["module"], "properties": {"module": {"const": name}}},
        "then": {"properties": {"args": {"properties": inputs, **_CLOSED}}},
    }


def _option() -> Schema:
    return {
        "type": "object",
        "properties": {
            "help": {"type": ["string", "null"], "description": "What the option does."},
            "type": {"enum": [*KINDS, None], "description": "bool, list or json; left out, the value is text."},
            "default": {"description": "The value when the option is not given."},
            "secret": {**_BOOLEAN, "description": "Never show the value."},
        },
        **_CLOSED,
    }


_NUMBER: Final = _either({"type": "number"}, {"type": "string"})
_FAILURE: Final[Schema] = {"enum": ["error", "timeout"]}
_POST_ITEM: Final[Schema] = {
    "type": "object",
    "required": ["output", "target"],
    "properties": {
        "output": {**_TEXT, "description": "The output that holds the path, or a list of paths."},
        "target": {**_either(_TEXT, _SOURCE), "description": "What is put in front of the path."},
        "basename": {**_BOOLEAN, "description": "Append the file's name only."},
        "remove": {**_BOOLEAN, "description": "Delete the local file afterwards."},
    },
    **_CLOSED,
}
_RULES: Final[Schema] = {
    "retry": _either(
        {"type": ["integer", "string"]},
        {
            "type": "object",
            "required": ["times"],
            "properties": {
                "times": {"type": ["integer", "string"], "description": "Repeats after the first attempt."},
                "delay": {**_NUMBER, "description": "Seconds before the first repeat (1)."},
                "backoff": {**_NUMBER, "description": "Factor for each further repeat (2)."},
                "max_delay": {**_NUMBER, "description": "Longest wait in seconds (600)."},
                "jitter": {**_NUMBER, "description": "Share of the wait to vary it by (0)."},
                "on": {
                    **_either(_FAILURE, {"type": "array", "items": _FAILURE}),
                    "description": "What is repeated: error, timeout or a list of them (both).",
                },
            },
            **_CLOSED,
        },
    ),
    "cache": {
        "type": "object",
        "required": ["args"],
        "properties": {
            "args": {**_TEXTS, "description": "The arguments that make two tasks the same."},
            "expires": {**_NUMBER, "description": "Seconds a result may be used; below 100 000 000 counted from now."},
            "files": {**_TEXTS, "description": "Outputs whose files must still exist."},
            "lookup": {**_BOOLEAN, "description": "Only look up, never store."},
        },
        **_CLOSED,
    },
    "post": _either(_POST_ITEM, {"type": "array", "items": _POST_ITEM}),
}
