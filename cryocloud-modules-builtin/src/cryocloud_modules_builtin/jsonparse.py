"""Module `jsonparse`: reads a JSON file, so that its content can be used by later nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryocloud_core.sdk.processor import Worker

ccmodule = {
    "description": "Read and parse a JSON file",
    "depends": [],
    "provides": [],
    "inputs": {"path": "The file"},
    "outputs": {"content": "What is in it"},
    "defaults": {"priority": 0, "runOn": "always"},
}


class _NoJsonError(Exception):
    """NaN or Infinity: Python would read it, nobody else."""


def process_task(worker: Worker, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: ARG001 - the contract
    """Return the content. Raises ValueError with file, line and column for what is no JSON, OSError for no file."""
    return 100, {"content": read_json(task["args"].get("path"), "jsonparse")}


def read_json(path: Any, module: str) -> Any:
    """Return what a JSON file holds. Raises ValueError or OSError naming module and file."""
    if not isinstance(path, str) or not path:
        raise ValueError(f"{module}: the path of a JSON file is missing, got {path!r}")
    try:
        return json.loads(Path(path).read_text("utf-8-sig"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"{module}: {path}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{module}: {path!r} is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise ValueError(f"{module}: {path!r} is nested too deeply") from error
    except _NoJsonError as error:
        raise ValueError(f"{module}: {path!r} holds {error}, which is no JSON") from error


def _refuse(word: str) -> Any:
    raise _NoJsonError(word)
