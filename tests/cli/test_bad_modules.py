"""What modules may do wrong, seen from the command line: one clear line each, and exit code 1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

HEAD = "import os, signal, subprocess, sys, time\nccmodule = {'description': 'Bad', 'inputs': {}}\n"

CASES = {
    "raises": ("raise ValueError('no band\\nand more')", "error: no band"),
    "raises nothing to read": ("raise KeyError", "error: KeyError"),
    "returns nothing": ("return None", "process_task must return (progress, return value)"),
    "returns half": ("return 50, {}", "returned progress 50, expected 100"),
    "returns what is no JSON": ("return 100, {'x': b'1'}", "x"),
    "exits": ("sys.exit(3)", "SystemExit"),
    "segfaults": ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    "takes too long": ("time.sleep(60)", "timeout: "),
    "forks and takes too long": ("subprocess.run(['sleep', 'SECONDS'])", "timeout: "),
    "prints escape codes and raises": (
        "print('\\x1b[2J'); raise ValueError('[red]\\x1b[31m')",
        r"error: [red]\x1b[31m",
    ),
}


def run(folder: Path, body: str) -> tuple[int, list[str], list[str]]:
    """Run a workflow whose one module does this; return the exit code and the lines of stdout and stderr."""
    (folder / "bad.py").write_text(f"{HEAD}\ndef process_task(worker, task):\n    {body}\n")
    nodes = [
        {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]},
        {"module": "bad", "name": "Bad", "downstreamOf": ["In"], "timeout": 1},
    ]
    workflow = {"name": "Flow", "description": "Tests", "nodes": nodes}
    (folder / "flow.json").write_text(json.dumps({"workflow": workflow}))
    command = [Path(sys.executable).parent / "cryocloud", "run", "flow.json", "--workers", "1", "--state-dir", "state"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


@pytest.mark.parametrize(("body", "said"), CASES.values(), ids=CASES.keys())
def test_each_fault_is_one_clear_line(body: str, said: str, tmp_path: Path) -> None:
    """The last line names pebble, node, result and reason; nothing on stderr; exit 1; no process is left."""
    # A number of our own, so that this process is not taken for another test's.
    seconds = f"{os.getpid()}.{time.monotonic_ns()}"
    code, out, err = run(tmp_path, body.replace("SECONDS", seconds))

    assert (code, err) == (1, [])
    assert out[-1].startswith("pebble 1: Bad: ")
    assert said in out[-1]
    assert not any("\x1b" in line for line in out)
    assert not any(seconds in words for words in command_lines())


def command_lines() -> list[str]:
    """Return the command line of every process that there is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            # The process ended meanwhile.
            continue
    return found


@pytest.mark.parametrize(
    ("document", "code", "said"),
    [
        ("{", 2, "flow.json:1:2: E01"),
        ("[]", 2, "E02"),
        ('{"workflow": {"name": "F", "description": "x", "nodes": []}}', 2, "E05"),
        (
            '{"workflow": {"name": "F", "description": "x", "nodes": [{"module": "cmdlin"}]}}',
            2,
            'did you mean "cmdline"',
        ),
    ],
    ids=["no JSON", "no object", "no nodes", "no module"],
)
def test_a_bad_document_starts_nothing(document: str, code: int, said: str, tmp_path: Path) -> None:
    """Problems go to stderr with their place; no state directory is made."""
    (tmp_path / "flow.json").write_text(document)
    command = [Path(sys.executable).parent / "cryocloud", "run", "flow.json", "--state-dir", "state"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert os.listdir(tmp_path) == ["flow.json"]  # noqa: PTH208 -- names are what is asked for
