"""The input of the campaign: numbered pebbles, as many as the driver allows so far.

Laws: each number has its own key, so that a feed that is started again makes no pebble twice; the next number
comes only when the one before is accepted.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

ccmodule = {
    "description": "Numbered pebbles, released by the number in a file",
    "input_type": "singlerun",
    "inputs": {"pebbles": "how many", "evidence": "the folder with the file `allowed`"},
    "outputs": {"number": "0, 1, 2 ..."},
}

_POLL_S = 0.02


def start(handler: Any, args: dict[str, Any], stop_event: threading.Event) -> None:
    """Add pebble after pebble until all are accepted or the run stops."""
    allowed = Path(args["evidence"]) / "allowed"
    for number in range(int(args["pebbles"])):
        while number >= int(allowed.read_text() or 0):
            if stop_event.wait(_POLL_S):
                return
        if stop_event.is_set():
            return
        handler.accepted(handler.onAdd({"caller": args["__name__"], "number": number}, key=f"number-{number}"))
