"""A module that makes a list to split."""

from typing import Any

ccmodule = {"description": "Makes a list", "inputs": {"count": "How many items"}, "outputs": {"items": "The list"}}


def process_task(_worker: Any, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return the numbers from 0."""
    return 100, {"items": list(range(int(task["args"]["count"])))}
