"""A module that hands its argument on, but hangs from a certain number on until a file is there."""

import threading
from pathlib import Path
from typing import Any

ccmodule = {
    "description": "Hands its argument on; hangs from a number on until a file is there",
    "inputs": {"n": "A number", "from": "The first number that hangs", "until": "The file that ends it"},
    "outputs": {"n": "The same number"},
}


def process_task(
    _worker: Any, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Return what came in, when the time has come."""
    args = task["args"]
    if args["n"] >= int(args["from"]):
        while not Path(args["until"]).exists():
            if cancel_event is not None and cancel_event.wait(0.02):
                raise RuntimeError("told to stop")
    return 100, {"n": args["n"]}
