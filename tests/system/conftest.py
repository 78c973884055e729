"""A place to run the real program in: workflows and modules, a HOME of its own, no process left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from campaign.processes import MARK, end_all, wait_until_gone

CRYOCLOUD = str(Path(sys.executable).parent / "cryocloud")
#: longest time that anything awaited here may take, seconds
PATIENCE_S = 30.0

#: a module that writes down its begin and end, and waits for a file named `go-<node>` if its argument `wait` says so
STEP = """
import os, time

ccmodule = {
    "inputs": {"wait": "wait for the file", "tmp": "a tempdir", "deaf": "do not listen", "before": "any"},
    "outputs": {"value": "a number", "tmp": "the tempdir"},
}

def process_task(worker, task, cancel_event):
    args, node = task["args"], task["taskid"].split("/")[1]
    def trace(what):
        with open(os.path.join(os.path.dirname(__file__), "trace"), "a") as file:
            file.write(f"{what} {node} {task['attempt']}\\n")
    trace("begin")
    go = os.path.join(os.path.dirname(__file__), "go-" + node)
    while args.get("wait") and not os.path.exists(go):
        time.sleep(0.02)
        if cancel_event.is_set() and not args.get("deaf"):
            trace("cancelled")
            raise RuntimeError("told to stop")
    trace("end")
    return 100, {"value": 7, "tmp": args.get("tmp")}
"""


@dataclass(frozen=True)
class Result:
    """How a program ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What was said on stdout, line by line, without the times of day."""
        return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in self.out.splitlines() if line.strip()]


class Started:
    """A `cryocloud` that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid

    def await_line(self, *parts: str) -> str:
        """Return the next line on stdout that has one of the parts in it."""
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, ""):
            if any(part in line for part in parts):
                return line
        pytest.fail(f"no line with {parts} was said")

    def drop(self) -> None:
        """End it if a test left it alone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to the head."""
        self.process.send_signal(signum)

    def end(self, within: float = PATIENCE_S) -> Result:
        """Wait for its end and return what it said."""
        try:
            out, err = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            pytest.fail(f"cryocloud was still there after {within} s; it said:\n{out}\n{err}")
        return Result(self.process.returncode, out, err)


class Place:
    """A folder with workflows and modules, and the program in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.mark = f"{folder}-{time.monotonic_ns()}"
        home = folder / "home"
        home.mkdir()
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "CRYOCLOUD_"))}
        self.environment = {**clean, "HOME": str(home), MARK: self.mark}
        self.workers = 2
        self.started: list[Started] = []

    def module(self, name: str, text: str) -> Path:
        """Write a module beside the workflows."""
        path = self.folder / f"{name}.py"
        path.write_text(text)
        return path

    def workflow(self, *nodes: dict[str, Any], name: str = "flow", file: str = "flow.json", **more: Any) -> Path:
        """Write a workflow; its input is `In`, a cmdline, and nodes without a parent follow it."""
        first = {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]}
        rest = [
            node if "downstreamOf" in node or "global" in node else {**node, "downstreamOf": ["In"]} for node in nodes
        ]
        document = {"workflow": {"name": name, "description": "A test.", "nodes": [first, *rest], **more}}
        path = self.folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=1))
        return path

    def start(self, *words: str | Path, state: Path | None = None, **environment: str) -> Started:
        """Start `cryocloud run` with the state directory of this place."""
        return self.other("run", "--workers", str(self.workers), *words, state=state, **environment)

    def other(self, command: str, *words: str | Path, state: Path | None = None, **environment: str) -> Started:
        """Start another command of `cryocloud` on the run of this place."""
        line = [CRYOCLOUD, command, "--state-dir", str(state or self.state), *map(str, words)]
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **environment},
            cwd=self.folder,
        )
        self.started.append(Started(process))
        return self.started[-1]

    def run(self, *words: str | Path, within: float = PATIENCE_S, state: Path | None = None) -> Result:
        """Run to the end."""
        return self.start(*words, state=state).end(within)

    def trace(self) -> list[str]:
        """Return what the steps wrote down: `begin A 1`, `end A 1`."""
        path = self.folder / "trace"
        return path.read_text().splitlines() if path.exists() else []

    def allow(self, node: str) -> None:
        """Let a waiting step go on."""
        (self.folder / f"go-{node}").touch()

    def await_trace(self, line: str) -> None:
        """Wait until a step has written a line."""
        self.until(lambda: line in self.trace(), f"no step wrote {line!r}, only {self.trace()}")

    def until(self, is_so: Callable[[], object], why: str) -> None:
        """Wait until something is so; fail with `why` when it is not after a while."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline:
                pytest.fail(why)
            time.sleep(0.02)

    def alive(self, within: float = 3.0) -> list[str]:
        """Return the commands of this place's processes that still live after a while."""
        return [f"{process.pid} {process.command}" for process in wait_until_gone(self.mark, within)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a place to run in; afterwards no process of it may be alive."""
    place = Place(tmp_path)
    place.module("step", STEP)
    yield place
    for each in place.started:
        each.drop()
    alive = place.alive()
    end_all(place.mark)
    shutil.rmtree(place.state, ignore_errors=True)
    assert alive == []
