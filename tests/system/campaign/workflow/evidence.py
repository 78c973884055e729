"""What a task leaves behind to prove that it ran: one pair of files an attempt, and a lock nobody else can hold.

Laws: a `.begin` file appears whole or not at all (written aside, then linked); the lock is a flock on an open file
that child processes inherit, so it is free only when the task and everything it started are dead; what should not
be is written down as a `.violation` file and the task goes on, so that one fault does not hide the next.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Attempt:
    """One attempt of one task: its names, and the descriptor of the lock it holds."""

    def __init__(self, folder: str, task: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.task = str(task["taskid"])
        self.pebble, self.node, attempt = self.task.split("/")
        #: the engine's own count, which a restart of the head does not change
        self.engine_attempt = int(attempt)
        #: what the module is told: restarts count
        self.attempt = int(task["attempt"])
        safe = self.node.replace("#", "+")
        self.scope = f"{self.pebble}-{safe}"
        self.name = f"{self.scope}-{self.attempt}-{os.getpid()}-{time.monotonic_ns()}"
        self.lock = -1

    def write(self, suffix: str, **more: Any) -> None:
        """Put one file into the folder, whole or not at all."""
        record = {
            "task": self.task,
            "attempt": self.attempt,
            "pid": os.getpid(),
            "at": time.time(),
            "monotonic_s": time.monotonic(),
            **more,
        }
        target = self.folder / f"{self.name}.{suffix}"
        aside = self.folder / f".{self.name}.{suffix}.aside"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(record, file)
        os.link(aside, target)
        aside.unlink()

    def hold(self, name: str) -> int:
        """Take a lock without waiting and return its descriptor; -1 when somebody holds it."""
        descriptor = os.open(self.folder / "locks" / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return -1
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{self.name} pid {os.getpid()}".encode(), 0)
        return descriptor


@contextmanager
def attempt(folder: str, task: Mapping[str, Any], slots: int = 0) -> Iterator[Attempt]:
    """Note that a task begins and, unless the process dies, that it ends; hold its locks in between.

    `slots` is the node's max_parallel: one of so many locks is held too.
    """
    this = Attempt(folder, task)
    this.lock = this.hold(this.scope)
    if this.lock < 0:
        holder = (this.folder / "locks" / this.scope).read_text()
        this.write("violation", what=f"two live copies: {this.scope} is held by {holder}")
    places = [this.hold(f"slot-{this.node}-{number}") for number in range(slots)]
    if slots and max(places) < 0:
        this.write("violation", what=f"more than {slots} tasks of {this.node} at once")
    for spare in [place for place in places if place >= 0][1:]:
        os.close(spare)
    this.write("begin")
    try:
        yield this
    finally:
        this.write("end")
        for descriptor in (this.lock, *[place for place in places if place >= 0][:1]):
            if descriptor >= 0:
                os.close(descriptor)
