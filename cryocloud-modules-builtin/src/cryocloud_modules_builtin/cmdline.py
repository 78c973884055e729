"""Input `cmdline`: one pebble at start; its values come from the workflow's options."""

from __future__ import annotations

import threading
from typing import Any

from cryocloud_core.sdk.inputs import InputHandler

ccmodule = {
    "description": "Start one pebble; what it works on comes from the command line's options",
    "depends": [],
    "provides": [],
    "inputs": {},
    "outputs": {},
    "defaults": {"priority": 0},
    "input_type": "singlerun",
}


def start(handler: InputHandler, args: dict[str, Any], stop_event: threading.Event) -> None:  # noqa: ARG001 - the contract
    """Make the one pebble and return when its arrival is on disk. Outputs that the node declares are null."""
    handler.accepted(handler.onAdd({}))
