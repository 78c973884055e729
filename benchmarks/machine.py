"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import psutil

import cryocloud_core
from cryocloud_core.head.database import disk_type

ROOT = Path(__file__).resolve().parent.parent


def facts() -> dict[str, str]:
    """Return what a reader must know of the machine, by name, in the order of the table's head."""
    return {
        "cores": f"{len(os.sched_getaffinity(0))} of {_processor()}",
        "memory": f"{psutil.virtual_memory().total / 1e9:.1f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "state on": disk_type(Path(tempfile.gettempdir())) or "unknown",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "version": _version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version() -> str:
    """Return the commit of what is measured, with a plus when files differ from it; `unknown` outside a checkout."""
    command = ["git", "describe", "--always", "--dirty=+"]
    measured = Path(cryocloud_core.__file__).parent
    answer = subprocess.run(command, cwd=measured, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"
