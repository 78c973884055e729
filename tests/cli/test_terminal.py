"""The live picture on a real terminal, looked at through tmux."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.services.httpserver import HttpServer

pytestmark = pytest.mark.system

HOSTILE = "[red]x\x1b[31m\x07\n\u202eé日本.zip"


class Terminal:
    """A tmux session of a fixed size that runs one command."""

    def __init__(self, tmux: str, size: tuple[int, int], command: str, folder: Path) -> None:
        self._tmux = [tmux, "-L", f"cryocloud-{uuid4().hex[:8]}", "-f", "/dev/null"]
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "XDG_STATE_HOME": str(folder / "state"), "TZ": "UTC"}
        width, height = map(str, size)
        # The shell survives Ctrl-C, what it starts does not inherit that.
        shell = f"trap : INT; env TERM=screen-256color sh -c {shlex.quote(command)}; echo exit $?; cat"
        subprocess.run(
            [*self._tmux, "new-session", "-d", "-x", width, "-y", height, shell],
            check=True,
            env=environment,
            cwd=folder,
        )

    def screen(self) -> list[str]:
        """Return what the terminal shows, line by line."""
        shown = subprocess.run([*self._tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True)
        return shown.stdout.splitlines()

    def wait_for(self, *words: str, seconds: float = 30.0) -> list[str]:
        """Return the screen as soon as it shows all the words."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lines = self.screen()
            if all(any(word in line for line in lines) for word in words):
                return lines
            time.sleep(0.1)
        pytest.fail(f"{words} never shown together:\n" + "\n".join(self.screen()))

    def press(self, key: str) -> None:
        """Press a key, for example C-c."""
        subprocess.run([*self._tmux, "send-keys", key], check=True)

    def close(self) -> None:
        """End the session and all that runs in it."""
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)


Open = Callable[[tuple[int, int], str], Terminal]


@pytest.fixture
def terminal(program: Callable[[str], str], tmp_path: Path) -> Iterator[Open]:
    """Give a function that opens a terminal of some size with a `cryocloud` command in it."""
    tmux = program("tmux")
    opened: list[Terminal] = []

    def open_one(size: tuple[int, int], words: str) -> Terminal:
        command = f"{Path(sys.executable).parent}/cryocloud {words}"
        opened.append(Terminal(tmux, size, command, tmp_path))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def flow(folder: Path) -> str:
    """Write a workflow that keeps three nodes busy and one waiting, on hostile file names; return its path."""
    (folder / "in").mkdir()
    for number in range(6):
        (folder / "in" / f"{number}{HOSTILE}").write_text("x")
    args = {"src": str(folder / "in"), "stabilize": 0.1}
    nodes = [
        {"module": "dirwatcher", "name": "Watch", "downstreamOf": ["entry"], "args": args},
        {"module": "noop", "name": HOSTILE.replace("\n", " "), "downstreamOf": ["Watch"], "args": {"time": 3}},
        {"module": "noop", "name": "One", "downstreamOf": ["Watch"], "max_parallel": 1, "args": {"time": 3}},
        {"module": "noop", "name": "Two", "downstreamOf": ["Watch"], "args": {"time": 3}},
    ]
    workflow = {"name": "Coast", "description": "Live", "nodes": nodes}
    (folder / "flow.json").write_text(json.dumps({"workflow": workflow}))
    return str(folder / "flow.json")


@pytest.mark.parametrize("size", [(100, 30), (160, 45), (60, 15)], ids=str)
def test_the_picture_stands_still_and_names_are_harmless(terminal: Open, size: tuple[int, int], tmp_path: Path) -> None:
    """While counts change, the headings stay where they are, the waiting node says why, no name acts."""
    opened = terminal(size, f"run {flow(tmp_path)} --once --workers 4")
    shots = [opened.wait_for("Coast · running", "── active", "━", "max_parallel: 1 of 1")]
    for _ in range(10):
        time.sleep(0.2)
        shots.append(opened.screen())

    headings = {tuple(number for number, line in enumerate(shot) if line.startswith("── ")) for shot in shots}
    assert len(headings) == 1
    assert all(shot[0].startswith("Coast · running") for shot in shots)
    assert any(r"[red]x\x1b[31m" in line for line in shots[-1])


def test_interrupts_leave_a_whole_terminal(terminal: Open, tmp_path: Path) -> None:
    """Ctrl-C suspends: the picture gives way to the counters, then the last line, then the exit code."""
    opened = terminal((100, 30), f"run {flow(tmp_path)} --workers 2 --grace 0")
    opened.wait_for("Coast · running", "━")
    opened.press("C-c")
    shown = opened.wait_for("exit 130")

    told = [line for line in shown if line.strip()]
    assert told[-2].startswith("stopped; ")
    assert told[-2].endswith("the next start goes on (--fresh to start anew)")
    assert not any(line.startswith("── ") for line in told)


def test_why_a_transfer_waits_is_shown(terminal: Open) -> None:
    """Each repeat has its line, so that nobody takes a wait for a stillstand; the error comes last."""
    opened = terminal((100, 30), "stage http://127.0.0.1:1/a")
    shown = [line for line in opened.wait_for("exit 1") if line.strip()]

    assert sum(line.rstrip().endswith(" s") and "; again in " in line for line in shown) == 4
    assert any("127.0.0.1:1 cannot be reached" in line for line in shown[-3:])


def test_a_transfer_shows_a_bar_and_harmless_names(terminal: Open, http_server: HttpServer, tmp_path: Path) -> None:
    """What is on its way, how much, how fast; the path of the copy stands alone at the end."""
    name = HOSTILE.replace("/", "")
    (http_server.files / name).write_bytes(b"x" * 5_000_000)
    opened = terminal((100, 30), f"stage {shlex.quote(http_server.url(name))} --to out")
    shown = opened.wait_for("5.0/5.0 MB", "exit 0")

    assert any(line.startswith("%5Bred%5Dx") for line in shown)
    assert any(str(tmp_path / "out") in line for line in shown)
