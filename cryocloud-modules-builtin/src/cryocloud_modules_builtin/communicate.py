"""Let pebbles wait for each other: one of those that meet goes on with the values of all.

Laws: nothing of it runs in a worker; the head brings pebbles together by their message id.
"""

from __future__ import annotations

from typing import Any, NoReturn

ccmodule = {
    "description": "Wait for another pebble with the same message id; one of them goes on with the values of both",
    "inputs": {
        "msgid": "What pebbles that belong together have in common, for example a product's name",
        "resolveOn": "The parent whose pebble goes on; 'any' or nothing: the one that came last",
    },
    "outputs": {},
    "defaults": {"runOn": "always"},
}


def process_task(_worker: Any, task: dict[str, Any]) -> NoReturn:
    """Raise: a rendezvous has no meaning for one task alone."""
    raise RuntimeError(f"communicate brings the pebbles of a run together; task {task['id']} is alone here")
