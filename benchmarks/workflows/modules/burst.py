"""An input that makes many pebbles at once."""

import threading
import time
from typing import Any

ccmodule = {
    "description": "Makes many pebbles at once",
    "inputs": {
        "pebbles": "How many",
        "warm": "So many more come first, two seconds before (default none)",
        "rate": "So many a second (default as fast as they are taken)",
    },
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
    rate, began = float(args.get("rate") or 0), time.monotonic()
    for number in range(int(args["pebbles"])):
        early = number / rate - (time.monotonic() - began) if rate else 0.0
        if stop_event.wait(early) if early > 0 else stop_event.is_set():
            return
        handler.onAdd({"n": warm + number})
