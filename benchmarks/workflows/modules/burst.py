"""An input that makes many pebbles at once."""

import threading
from typing import Any

ccmodule = {
    "description": "Makes many pebbles at once",
    "inputs": {"pebbles": "How many"},
    "outputs": {"n": "The number of the pebble"},
    "input_type": "singlerun",
}


def start(handler: Any, args: dict[str, Any], stop_event: threading.Event) -> None:
    """Make the pebbles, then return."""
    for number in range(int(args["pebbles"])):
        if stop_event.is_set():
            return
        handler.onAdd({"n": number})
