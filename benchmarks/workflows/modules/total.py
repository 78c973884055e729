"""A module that checks that a merged list is whole and in order."""

from typing import Any

ccmodule = {
    "description": "Checks a merged list",
    "inputs": {"items": "The list", "count": "How many items it must have"},
    "outputs": {"count": "How many items it has"},
}


def process_task(_worker: Any, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Raise unless the list counts up from 0."""
    items, count = task["args"]["items"], int(task["args"]["count"])
    if items != list(range(count)):
        raise ValueError(f"the merged list is not 0 to {count - 1} in order")
    return 100, {"count": len(items)}
