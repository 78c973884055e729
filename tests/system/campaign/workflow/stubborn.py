"""A step of the campaign that cannot be told to stop: it has no cancel event, so its process is killed at its limit."""

from __future__ import annotations

import threading
from typing import Any

import evidence
import step

ccmodule = {
    "description": "A step that cannot be told to stop",
    "inputs": {
        "evidence": "folder for evidence files",
        "number": "the pebble's number",
        "before": "what the steps before returned",
        "stalls": "list of [modulus, remainder, seconds]",
    },
    "outputs": {"value": "digest", "kind": "odd or even"},
    "defaults": {"runOn": "success"},
}


def process_task(worker: Any, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Do the step, deaf to everything."""
    with evidence.attempt(task["args"]["evidence"], task) as this:
        return step.work(this, task["args"], threading.Event())
