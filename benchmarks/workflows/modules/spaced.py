"""An input that makes one pebble at a time, with pauses in which the machine's own commits are timed."""

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

ccmodule = {
    "description": "Makes pebbles with pauses between, and times a commit of its own in each pause",
    "inputs": {"pebbles": "How many", "notes": "The file for the times; the commits go to a database beside it"},
    "outputs": {"n": "The number of the pebble"},
    "input_type": "singlerun",
}
#: until then the workers have started
WARM_S = 2.0
#: in such a pause a pebble goes through its chain, and a commit to the disk
PAUSE_S = 0.03
#: as much as the journal writes for one event of such a pebble
ROW = "x" * 300


def start(handler: Any, args: dict[str, Any], stop_event: threading.Event) -> None:
    """Make the pebbles, note when, and how long a commit of one row takes."""
    notes = Path(args["notes"])
    database = sqlite3.connect(notes.with_suffix(".db"), isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body TEXT)")
    sent, commits = {}, []
    stop_event.wait(WARM_S)
    for number in range(int(args["pebbles"])):
        began = time.perf_counter()
        database.execute("INSERT INTO rows VALUES (?, ?)", (number, ROW))
        commits.append(time.perf_counter() - began)
        if stop_event.wait(PAUSE_S):
            break
        began = time.perf_counter()
        sent[handler.onAdd({"n": number})] = began
        if stop_event.wait(PAUSE_S):
            break
    database.close()
    notes.write_text(json.dumps({"sent": sent, "commits": commits}))
