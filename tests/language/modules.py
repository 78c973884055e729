"""The modules that the tables speak of: plain `ccmodule` dicts, as an author writes them."""

from __future__ import annotations

from typing import Any, Final

_TAKES: Final = {name: f"some {name}" for name in ("src", "x", "y", "z", "f", "dir", "text")}
_GIVES: Final = {name: f"some {name}" for name in ("n", "e", "zz", "x", "dst", "files", "kind", "product")}

MODULES: Final[dict[str, dict[str, Any]]] = {
    # inputs
    "cmdline": {"description": "one pebble at start", "inputs": {}, "outputs": {}, "input_type": "singlerun"},
    "watch": {
        "description": "a pebble for every file",
        "inputs": {"src": "a directory"},
        "outputs": {"fullpath": "", "relpath": "", "datasize": ""},
        "provides": ["Input", "Product"],
        "input_type": "permanent",
    },
    # processors
    "work": {"description": "does something", "inputs": _TAKES, "outputs": _GIVES},
    "tidy": {
        "description": "tidies up",
        "inputs": {"src": "a path"},
        "outputs": {"errors": ""},
        "defaults": {"runOn": "always", "type": "admin", "priority": 7},
    },
    "either": {"inputs": _TAKES, "outputs": _GIVES, "defaults": {"resolveOnAny": True, "retry": 1, "timeout": 30}},
    "oldstyle": {"Inputs": {"src": ""}, "outputs": {}, "defaults": {"run": "error"}, "job_type": "permanent"},
    "wind": {"inputs": _TAKES, "outputs": {"product": ""}, "depends": ["Product"], "provides": ["SarWind"]},
    "unpack": {"inputs": {"src": ""}, "outputs": {"files": ""}, "depends": ["Product"], "provides": ["Product"]},
    "report": {"inputs": {"product": ""}, "outputs": {}, "depends": ["SarWind"]},
    "silent": {"description": "declares nothing"},
    "communicate": {"inputs": {"msgid": "", "resolveOn": ""}, "outputs": {}, "defaults": {"runOn": "always"}},
}
