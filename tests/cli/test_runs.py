"""Whole runs from the command line: real processes, real workers, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

BIN = Path(sys.executable).parent
STOPPED = "stopped; 1 pebble waits, the next start goes on (--fresh to start anew)"

STUB = """
import json, pathlib
ccmodule = {
    "description": "Stub of %(name)s", "depends": %(depends)s, "provides": [],
    "inputs": {"src": "", "configOverride": "", "program": "", "configFile": "", "product": ""},
    "outputs": {"product": "what it made"},
}


def process_task(worker, task):
    with pathlib.Path(__file__).with_name("evidence.jsonl").open("a") as evidence:
        evidence.write(json.dumps({"module": "%(name)s", "args": task["args"]}) + "\\n")
    return 100, {"product": "wind of " + str(task["args"].get("src"))}
"""

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Run]:
    """Give a function that starts `cryocloud` with these words, in a directory and a state directory of its own."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "TZ": "UTC"}
    started: list[subprocess.Popen[str]] = []

    def run(*words: object) -> subprocess.Popen[str]:
        command = [str(BIN / "cryocloud"), *map(str, words)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, env=environment))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str], list[str]]:
    """Wait for a command; return its exit code and the lines of stdout and stderr."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out.splitlines(), err.splitlines()


def write(folder: Path, *nodes: dict[str, Any], **more: Any) -> Path:
    """Write a workflow with one input and these nodes; return its path."""
    first = {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]}
    workflow = {"name": "Flow", "description": "Tests", "nodes": [first, *nodes], **more}
    (folder / "flow.json").write_text(json.dumps({"workflow": workflow}))
    return folder / "flow.json"


def wait(seconds: float) -> dict[str, Any]:
    """Return a node that waits."""
    return {"module": "noop", "name": "Wait", "downstreamOf": ["In"], "args": {"time": seconds}}


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """Read stdout up to the line with a word."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    pytest.fail(f"{word!r} was never printed: {process.communicate()}")


@pytest.fixture
def spec_example(tmp_path: Path) -> Path:
    """Give the first example of the language: a product arrives, is worked on, reported and removed."""
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "S1A.zip", "w") as archive:
        archive.writestr("S1A.SAFE/manifest.safe", "<xml/>")
    for name, depends in (("wind", ["Product"]), ("KSAT_report", [])):
        (tmp_path / f"{name}.py").write_text(STUB % {"name": name, "depends": depends})
    src = {"output": "parent.fullpath", "type": "file", "unzip": "true"}
    args = {"src": src, "configOverride": "", "program": "wind.sav", "configFile": {"config": "ConfigFile"}}
    nodes = [
        {"module": "dirwatcher", "name": "Input", "downstreamOf": ["entry"], "args": {"src": str(tmp_path / "in")}},
        {"module": "wind", "name": "Wind", "config": "CryoniteOcean.Wave", "args": args, "downstreamOf": ["Input"]},
        {
            "module": "KSAT_report",
            "runOn": "success",
            "downstreamOf": ["Wind"],
            "args": {"product": {"output": "parent.product"}},
        },
        {
            "module": "remove",
            "runOn": "always",
            "downstreamOf": ["Wind"],
            "args": {"src": {"output": "Input.fullpath"}},
        },
    ]
    workflow = {"name": "Simple test", "description": "This is a simple test workflow", "nodes": nodes}
    (tmp_path / "simple.json").write_text(json.dumps({"workflow": workflow}, indent=2))
    return tmp_path / "simple.json"


def test_the_first_example_is_sound_and_runs_every_node(start: Run, spec_example: Path) -> None:
    """`check` passes; `run --once` unpacks the product, gives it to wind, reports and removes the original."""
    assert ended(start("check", spec_example))[0] == 0

    code, out, err = ended(start("run", spec_example, "--once"))
    folder = spec_example.parent
    evidence = [json.loads(line) for line in (folder / "evidence.jsonl").read_text().splitlines()]
    product = str(folder / "in" / "S1A" / "S1A.SAFE")
    assert (code, err) == (0, [])
    assert out[-1].startswith("1 pebble done in ")
    assert [each["module"] for each in evidence] == ["wind", "KSAT_report"]
    assert evidence[0]["args"] == {
        "src": [product], "configOverride": "", "program": "wind.sav", "configFile": None
    }  # fmt: skip
    assert evidence[1]["args"] == {"product": f"wind of ['{product}']"}
    assert not (folder / "in" / "S1A.zip").exists()


def test_a_stop_is_told_and_the_next_start_goes_on(start: Run, tmp_path: Path) -> None:
    """SIGTERM suspends: exit 143 and the last line says what waits; the next start says so first, and finishes."""
    flow = write(tmp_path, wait(1.5))
    first = start("run", flow, "--grace", "0")
    read_until(first, "arrived")
    time.sleep(0.5)
    first.send_signal(signal.SIGTERM)
    code, out, _ = ended(first)
    assert code == 143
    assert out[-1] == STOPPED

    code, out, _ = ended(start("run", flow))
    assert code == 0
    assert "going on with 1 pebble" in out[0]
    assert out[-1].startswith("1 pebble done in ")


def test_fresh_abandons_what_waited(start: Run, tmp_path: Path) -> None:
    """--fresh starts anew and says what became of the old pebbles."""
    flow = write(tmp_path, wait(1.0))
    first = start("run", flow, "--grace", "0")
    read_until(first, "arrived")
    first.kill()
    first.wait(10)

    code, out, _ = ended(start("run", flow, "--fresh"))
    assert code == 0
    assert "1 unfinished pebble" in out[0]
    assert "abandoned" in out[0]


def test_a_changed_workflow_is_refused_until_told_how_to_resume(start: Run, tmp_path: Path) -> None:
    """Unfinished pebbles of another version: one line and exit 3; --resume=drop gives them up."""
    first = start("run", write(tmp_path, wait(20)))
    read_until(first, "arrived")
    first.kill()
    first.wait(10)
    flow = write(tmp_path, wait(0), {"module": "noop", "name": "New", "downstreamOf": ["Wait"], "args": {"time": 0}})

    code, _, err = ended(start("run", flow))
    assert (code, len(err)) == (3, 1)
    assert "--resume" in err[0]
    assert ended(start("run", flow, "--resume", "drop"))[0] in (0, 1)


def test_two_heads_on_one_state_directory_are_refused(start: Run, tmp_path: Path) -> None:
    """The second start names the pid of the first, in one line, exit 3."""
    flow = write(tmp_path, wait(30))
    first = start("run", flow)
    read_until(first, "arrived")

    code, _, err = ended(start("run", flow))
    assert (code, len(err)) == (3, 1)
    assert str(first.pid) in err[0]


def test_json_lines_of_a_run(start: Run, tmp_path: Path) -> None:
    """Each line of --json is an object; the last one ends the run; a secret never shows."""
    bad = "ccmodule = {'description': 'x', 'inputs': {}}\ndef process_task(w, t): raise ValueError('no [red]band')\n"
    (tmp_path / "bad.py").write_text(bad)
    flow = write(tmp_path, {"module": "bad", "name": "Bad", "downstreamOf": ["In"]})

    code, out, err = ended(start("run", flow, "--json", "--name", "Night"))
    events = [json.loads(line) for line in out]
    assert (code, err) == (1, [])
    assert events[0]["event"] == "run_started"
    assert events[0]["workflow"] == "Night"
    assert events[-1] == {**events[-1], "event": "end", "lines": ["pebble 1: Bad: error: no [red]band"]}
    assert {"pebble_arrived", "task_ended", "pebble_finished", "log", "run_stopped", "counts"} <= {
        event["event"] for event in events
    }


def test_what_an_input_prints_stays_out_of_json_lines(start: Run, tmp_path: Path) -> None:
    """An input module runs in the head's process; its prints go to stderr."""
    (tmp_path / "talk.py").write_text(
        "ccmodule = {'description': 'x', 'inputs': {}}\n"
        "def start(handler, args, stop_event): print('hello'); handler.onAdd({})\n"
    )
    (tmp_path / "flow.json").write_text(
        json.dumps({"workflow": {"name": "F", "description": "x", "nodes": [{"module": "talk", "name": "In"}]}})
    )

    code, out, err = ended(start("run", "flow.json", "--json"))
    assert (code, err) == (0, ["hello"])
    assert all(json.loads(line)["event"] for line in out)


def test_two_workflows_share_one_run(start: Run, tmp_path: Path) -> None:
    """Several files: one head; each option goes to the workflow that declares it; pebble ids are unique."""
    node = {**wait(0), "args": {"time": {"option": "seconds"}}}
    one = write(tmp_path, node, options={"seconds": {}}, name="Day").rename(tmp_path / "day.json")
    two = write(tmp_path, wait(0), name="Night")

    code, out, err = ended(start("run", one, two, "--seconds", "0.1", "--name", "Both"))
    assert (code, err) == (0, [])
    assert sorted(line.split(" ", 1)[1] for line in out[:2]) == ["pebble 1 arrived at In", "pebble 2 arrived at In"]
    assert out[-1].startswith("2 pebbles done in ")
    assert (tmp_path / "state" / "cryocloud" / "Both").is_dir()


@pytest.mark.parametrize(
    ("state", "said"),
    [("flow.json", "flow.json"), ("/proc/nothing", "/proc/nothing")],
    ids=["a file is in the way", "cannot be made"],
)
def test_an_unusable_state_directory_is_one_line(start: Run, tmp_path: Path, state: str, said: str) -> None:
    """What cannot hold a journal is told with its path, exit 3."""
    code, out, err = ended(start("run", write(tmp_path, wait(0)), "--state-dir", state))

    assert (code, out, len(err)) == (3, [], 1)
    assert said in err[0]


def test_a_run_loads_nothing_for_remote_files(tmp_path: Path) -> None:
    """A run on local files imports no client of remote ones."""
    flow = write(tmp_path, wait(0))
    code = (
        "import sys; from cryocloud_core.cli.main import invoke;"
        f"code = invoke(['run', {str(flow)!r}, '--state-dir', {str(tmp_path / 's')!r}]);"
        "print(code, *sys.modules, file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    code_and_modules = shown.stderr.split()

    assert code_and_modules[0] == "0"
    assert set(code_and_modules) & {"s3fs", "sshfs", "asyncssh", "aiohttp", "jsonschema", "watchdog", "fsspec"} == set()
