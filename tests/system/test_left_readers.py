"""Readers that leave: every command that prints ends quietly and well when nobody reads its output any more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from asking import feed, step, workflow

if TYPE_CHECKING:
    from tests.system.conftest import Place

pytestmark = pytest.mark.system

CRYOCLOUD = str(Path(sys.executable).with_name("cryocloud"))
#: commands by what they read: nothing, the state directory of a run, its workflow
FREE = (["--help"], ["modules"], ["config", "list"])
OF_A_RUN = (
    ["log"],
    ["log", "-f"],
    ["status"],
    ["status", "-f"],
    ["status", "--series", "-"],
    ["pebbles"],
    ["pebbles", "--json"],
    ["explain", "1"],
)
OF_A_FILE = (["check"], ["graph"], ["graph"], ["run", "--json"], ["run"])

CHATTY = """
ccmodule = {"inputs": {}, "outputs": {}}

def process_task(worker, task, cancel_event):
    worker.log.info("line after line " * 1000)
    open(__file__.replace("chatty.py", "said"), "a").write(".")
    return 100, {}
"""


def unread(place: Place, words: list[str]) -> tuple[int, str]:
    """Run a command whose output goes to a pipe that nobody reads; return its exit code and what it complains of."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [CRYOCLOUD, *words],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=30,
            env=place.environment,
            cwd=place.folder,
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def test_a_reader_that_leaves_is_no_failure(place: Place) -> None:
    """Exit 0 and not a word, however much or little is left to print; a run goes on to its end."""
    place.module("chatty", CHATTY)
    (place.folder / "cryocloud.toml").write_text("a = 1\n")
    flow = str(workflow(place, feed(2), step("A", module="chatty")))
    assert place.run(flow).status == 0
    state = ["--state-dir", str(place.state)]
    said = {" ".join(words): unread(place, words) for words in FREE}
    said |= {" ".join(words): unread(place, [*words, *state]) for words in OF_A_RUN}
    said |= {" ".join(words): unread(place, [*words, flow, *(state if "run" in words else [])]) for words in OF_A_FILE}

    assert said == dict.fromkeys(said, (0, ""))
    # Two pebbles in each of three runs.
    assert len((place.folder / "said").read_text()) == 2 * 3
