"""A module that hands its argument on."""

from typing import Any

ccmodule = {
    "description": "Hands its argument on",
    "inputs": {"n": "A number"},
    "outputs": {"n": "The same number"},
}


def process_task(_worker: Any, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return what came in."""
    return 100, {"n": task["args"]["n"]}
