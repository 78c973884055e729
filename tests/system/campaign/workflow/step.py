"""The work of the campaign: a step that leaves evidence, and fails, stalls and starts children on a schedule.

Laws: what it returns depends on its arguments alone, never on time, attempts or paths, so that a disturbed run must
return the same; what it does wrong depends on the pebble's number and the engine's attempt alone.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import evidence

ccmodule = {
    "description": "One step of the campaign",
    "depends": [],
    "provides": [],
    "inputs": {
        "evidence": "folder for evidence files",
        "number": "the pebble's number",
        "work_ms": "how long a normal step takes",
        "before": "what the steps before returned",
        "fails": "list of [modulus, remainder, times]",
        "stalls": "list of [modulus, remainder, seconds]",
        "family": "start child processes that outlive the step",
        "shared": "tempdir of the pebble",
        "put": "name of a file to make in `shared`",
        "want": "name of a file that must be in `shared`",
        "private": "tempdir of this node",
        "slots": "max_parallel of the node",
        "big": "return a big text every fifth number",
    },
    "outputs": {"value": "digest", "kind": "odd or even", "big": "a big text or nothing"},
    "defaults": {"runOn": "success"},
}

#: every process of a run that this module starts sleeps so long, far longer than any run
SLEEP_S = 900
_FAMILIES = (
    ["sleep"],
    ["setsid", "--fork", "sleep"],
    ["setsid", "sleep"],
    ["sh", "-c", 'trap "" TERM INT HUP; sleep "$1" & wait', "sh"],
)


def process_task(worker: Any, task: dict[str, Any], cancel_event: threading.Event) -> tuple[int, dict[str, Any]]:
    """Do the step; raise when its schedule says so."""
    args = task["args"]
    with evidence.attempt(args["evidence"], task, int(args.get("slots") or 0)) as this:
        return work(this, args, cancel_event)


def work(this: evidence.Attempt, args: dict[str, Any], cancel_event: threading.Event) -> tuple[int, dict[str, Any]]:
    """Do what the arguments say under the evidence of an attempt."""
    number = int(args["number"])
    if args.get("family"):
        start_family(this, number)
    keep_files(this, args)
    wait(cancel_event, float(args.get("work_ms") or 5) / 1000)
    for modulus, remainder, seconds in args.get("stalls") or ():
        if number % modulus == remainder:
            wait(cancel_event, seconds)
    for modulus, remainder, times in args.get("fails") or ():
        if number % modulus == remainder and this.engine_attempt <= times:
            raise RuntimeError(f"{this.node} of number {number} fails {times} times")
    told = [this.node, number, args.get("before")]
    value = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
    big = f"{value}-" * 5000 if args.get("big") and number % 5 == 0 else None
    return 100, {"value": value, "kind": "odd" if number % 2 else "even", "big": big}


def wait(cancel_event: threading.Event, seconds: float) -> None:
    """Wait, but not longer than the step is wanted."""
    if cancel_event.wait(seconds):
        raise RuntimeError("told to stop")


def keep_files(this: evidence.Attempt, args: dict[str, Any]) -> None:
    """Make and look for files in the tempdirs: they must last from the first step of a pebble to its last."""
    if args.get("put"):
        target = Path(args["shared"], args["put"])
        aside = target.with_suffix(f".{os.getpid()}")
        aside.write_text(str(args["number"]))
        aside.replace(target)
    if args.get("want"):
        found = Path(args["shared"], args["want"]).read_text()
        if found != str(args["number"]):
            raise RuntimeError(f"{this.node} of number {args['number']} found the file of number {found}")
    if args.get("private"):
        Path(args["private"], f"{this.attempt}-{time.monotonic_ns()}").touch()


def start_family(this: evidence.Attempt, number: int) -> None:
    """Start a child that inherits the lock and outlives the step, every other time in a session of its own."""
    os.set_inheritable(this.lock, True)
    command = [*_FAMILIES[number % len(_FAMILIES)], str(SLEEP_S)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(command, pass_fds=(this.lock,), **quiet)  # type: ignore[call-overload]
    os.set_inheritable(this.lock, False)
    if command[1] == "--fork":
        child.wait()
    # A worker that is killed here leaves a family without a father.
    time.sleep(0.03)
