"""Starting heads as a user does, and reading from the journal what they did.

Laws: every head is a fresh process with a state directory of its own choice; what is timed is read from the journal,
whose times are those of the events themselves; a head that fails shows what it said.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

FLOWS = Path(__file__).parent / "workflows"
CRYOCLOUD = Path(sys.executable).with_name("cryocloud")
WORKERS = 2
#: seconds after which something that was to happen will not
PATIENCE_S = 1800.0


def start(flow: str, state: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a head on one of our workflows; what it prints goes to a file in `state`'s parent."""
    command = [str(CRYOCLOUD), "run", str(FLOWS / flow), f"--workers={WORKERS}", "--state-dir", str(state), *words]
    with said(state).open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)


def said(state: Path) -> Path:
    """Return the file that holds what the last head printed."""
    return state.with_name(state.name + ".said")


def finish(head: subprocess.Popen[bytes], state: Path) -> None:
    """Wait for a head that ends by itself. Raises RuntimeError with what it printed when it does not end well."""
    if head.wait(PATIENCE_S) != 0:
        raise RuntimeError(
            f"the head ended with {head.returncode}:\n{said(state).read_text('utf-8', 'replace')[-4000:]}"
        )


def run(flow: str, state: Path, *words: str) -> None:
    """Run a workflow to its end."""
    finish(start(flow, state, *words), state)


def kill(head: subprocess.Popen[bytes]) -> None:
    """Kill -9; its workers die with it."""
    os.kill(head.pid, signal.SIGKILL)
    head.wait()


def until(is_so: Callable[[], bool], head: subprocess.Popen[bytes], state: Path) -> None:
    """Return once something is so. Raises RuntimeError when the head ends before or it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if head.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not come to pass:\n{said(state).read_text('utf-8', 'replace')[-4000:]}")
        time.sleep(0.05)


def ask(state: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    """Return what the journal answers; nothing while there is none yet."""
    path = state / "journal.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.OperationalError:
        return []  # its tables are being made
    finally:
        connection.close()


def count(state: Path, query: str, *values: object) -> int:
    """Return the one number that the journal answers with, 0 for none."""
    rows = ask(state, query, *values)
    return int(str(rows[0][0])) if rows and rows[0][0] is not None else 0


def first_begin(state: Path) -> float:
    """Return when the first task began that ended in the last start of a head, in seconds UTC."""
    newest = "SELECT body FROM events WHERE start = (SELECT max(start) FROM heads) ORDER BY seq"
    ends = (json.loads(str(body)) for (body,) in ask(state, newest) if '"TaskEnded"' in str(body))
    return min(float(end["stats"]["began_at"]) for end in ends if end.get("stats"))
