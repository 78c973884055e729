"""An input that makes many pebbles at once."""

import threading
from typing import Any

ccmodule = {
    "description": "Makes many pebbles at once",
    "inputs": {"pebbles": "How many", "warm": "So many more come first, two seconds before (default none)"},
    "outputs": {"n": "The number of the pebble"},
    "input_type": "singlerun",
}
#: until then the workers have started and done what came first
WARM_S = 2.0


def start(handler: Any, args: dict[str, Any], stop_event: threading.Event) -> None:
    """Make the pebbles, then return."""
    warm = int(args.get("warm") or 0)
    for number in range(warm):
        handler.onAdd({"n": number})
    if warm and stop_event.wait(WARM_S):
        return
    for number in range(warm, warm + int(args["pebbles"])):
        if stop_event.is_set():
            return
        handler.onAdd({"n": number})
