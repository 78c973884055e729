"""Modules that do everything wrong: each costs its own node, says so in one clear line, and harms nobody else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
from campaign.processes import marked

if TYPE_CHECKING:
    from tests.system.conftest import Place, Result

pytestmark = pytest.mark.system

HEAD = "import ctypes, os, signal, subprocess, sys, threading, time\nccmodule = {'inputs': {}, 'outputs': {'x': 'x'}}\n"
THREE = HEAD + "def process_task(worker, task, cancel_event):\n    open(__file__ + '.trace', 'a').write('begin ')\n    "
AFTER = {"module": "noop", "name": "Next", "downstreamOf": ["In"]}


def run_module(place: Place, body: str, within: float = 30.0, **node: object) -> Result:
    """Run a workflow with a node `Bad` of this body beside a node that is all right."""
    place.module("bad", text_of(body))
    return place.run(place.workflow({"module": "bad", "name": "Bad", **node}, AFTER), within=within)


def text_of(body: str) -> str:
    """Return a module's text; a body without functions is that of `process_task`."""
    return body if "def " in body else f"{THREE}{body}\n"


def failures_of(result: Result) -> list[str]:
    """Return the closing lines that tell of failed nodes."""
    return [line for line in result.out.splitlines() if line.startswith("pebble 1: ")]


def begins(place: Place, name: str = "bad") -> int:
    """Return how often the module began."""
    path = place.folder / f"{name}.py.trace"
    return path.read_text().count("begin") if path.exists() else 0


#: what a module does -> what the one line about it must say
FAILURES = {
    "raise ValueError('no band VX')": "no band VX",
    "raise KeyError": "KeyError",
    "raise SystemExit('enough')": "SystemExit: enough",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise BaseException('basic')": "basic",
    "raise ValueError('first line\\n\\x1b[31msecond\\rline')": "first line",
    "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})": "Mute",
    "raise type('Odd', (Exception,), {'__str__': lambda self: 7})": "Odd",
    "raise type('Lone', (Exception,), {})(chr(0xd800) + chr(0))": "",
    "process_task(worker, task, cancel_event)": "recursion",
    "sys.exit(0)": "SystemExit",
    "return None": "process_task must return",
    "return 50, {}": "progress 50",
    "return 'abc', {}": "progress",
    "return 100, {'x': {1, 2}}": "'x'",
    "return 100, {'x': float('nan')}": "'x'",
    "return 100, {'x': b'bytes'}": "'x'",
    "return 100, {'x': 'a' * 17_000_000}": "too large",
    "return 100, {'x': type('Liar', (dict,), {'items': lambda self: 1 / 0})()}": "division",
    "return 1, 2, 3, 4": "process_task must return",
    "import there_is_no_such_package": "there_is_no_such_package",
    HEAD + "import there_is_no_such_package\ndef process_task(w, t): pass": "there_is_no_such_package",
    HEAD + "raise OSError('at import')\ndef process_task(w, t): pass": "at import",
    HEAD + "def process_task(): pass": "process_task",
}
#: what a module does to its process -> what the line must say of its death
DEATHS = {
    "ctypes.string_at(0)": "SIGSEGV",
    "os._exit(3)": "3",
    "os.abort()": "SIGABRT",
    "os.kill(os.getpid(), signal.SIGKILL)": "SIGKILL",
    "os.closerange(0, 256); time.sleep(0.1); return 100, {}": "worker",
}


def run_all(place: Place, bodies: Iterable[str]) -> tuple[Result, dict[str, str]]:
    """Run one node for each body and a good one; return the result and the line about each node."""
    names = {f"bad{number}": body for number, body in enumerate(bodies)}
    for name, body in names.items():
        place.module(name, text_of(body))
    result = place.run(place.workflow(*({"module": name, "name": name} for name in names), AFTER), within=60)
    lines = failures_of(result)
    assert len(lines) == len(names), result.out
    told = {line.split(": ")[1]: line.partition(": error: ")[2] for line in lines}
    return result, {body: told[name] for name, body in names.items()}


def test_each_failure_is_one_line(place: Place) -> None:
    """Whatever modules raise or return: exit 1, one closing line each with its reason, the good node runs."""
    result, told = run_all(place, FAILURES)

    assert result.status == 1
    assert {body: line for body, line in told.items() if FAILURES[body] not in line or not line} == {}
    assert "\x1b" not in result.out
    assert "Traceback" not in result.err


def test_a_module_that_ends_its_process_is_tried_once_more(place: Place) -> None:
    """A dead worker costs the task it was in, which runs once more, then is an error that says how it died."""
    result, told = run_all(place, DEATHS)

    assert result.status == 1
    assert {body: line for body, line in told.items() if DEATHS[body] not in line} == {}
    assert [begins(place, f"bad{number}") for number in range(len(DEATHS))] == [2] * len(DEATHS)


def test_a_module_that_cannot_be_told_is_killed_at_its_limit(place: Place) -> None:
    """Without a third parameter the process is killed when its time is up: a timeout, no repeat."""
    body = (
        HEAD
        + "def process_task(worker, task):\n    open(__file__ + '.trace', 'a').write('begin ')\n    time.sleep(600)"
    )
    result = run_module(place, body, 8.0, timeout=0.5)

    assert result.status == 1
    assert failures_of(result)[0].startswith("pebble 1: Bad: timeout: ")
    assert begins(place) == 1


@pytest.mark.parametrize(
    "body",
    [
        "while True: time.sleep(1)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    while True: time.sleep(1)",
        "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(600)",
        "subprocess.run(['sleep', '600'])",
    ],
)
def test_a_module_that_ignores_cancel_is_killed_after_the_grace(place: Place, body: str) -> None:
    """Told to stop, a deaf module gets the grace, then its process group is killed."""
    place.module("bad", THREE + body + "\n")
    workflow = place.workflow({"module": "bad", "name": "Bad", "timeout": 0.5}, AFTER)
    script = (
        "import sys, pathlib; from cryocloud_core.api import run\n"
        "from cryocloud_core.head.settings import RunSettings\n"
        "settings = RunSettings(state_dir=pathlib.Path(sys.argv[2]), cancel_grace_s=0.5, workers=1)\n"
        "sys.exit(run([sys.argv[1]], {}, settings))\n"
    )
    command = [sys.executable, "-c", script, str(workflow), str(place.state)]
    ended = subprocess.run(command, env=place.environment, cwd=place.folder, timeout=12, check=False)

    assert ended.returncode == 1
    assert begins(place) == 1
    assert place.alive() == []


@pytest.mark.parametrize("session", ["", "start_new_session=True", "process_group=0"])
def test_children_of_a_task_die_with_it(place: Place, session: str) -> None:
    """A child process that outlives its task is killed when the task ends, not only when the run does."""
    place.module("bad", THREE + f"subprocess.Popen(['sleep', '654'], {session}); return 100, {{}}\n")
    watch = HEAD + (
        "def process_task(worker, task):\n"
        "    found = [p for p in os.listdir('/proc') if p.isdigit() and is_sleep(p)]\n"
        "    return 100, {'x': None} if not found else 1 / 0\n"
        "def is_sleep(pid):\n"
        "    try: return open(f'/proc/{pid}/cmdline').read() == 'sleep\\0654\\0' and mark(pid)\n"
        "    except OSError: return False\n"
        "def mark(pid): return os.environ['CRYOCLOUD_CAMPAIGN_MARK'] in open(f'/proc/{pid}/environ').read()\n"
    )
    place.module("watch", watch)
    workflow = place.workflow({"module": "bad", "name": "Bad"}, {"module": "watch", "downstreamOf": ["Bad"]})
    result = place.run(workflow)

    assert result.status == 0, result
    assert marked(place.mark) == []


def test_megabytes_of_output_are_swallowed(place: Place) -> None:
    """What a module prints goes to the log, cut; the run ends well and says little."""
    noise = (
        "print('x' * 1_000_000); sys.stderr.write('y' * 1_000_000 + chr(10)); os.write(1, b'z' * 1_000_000)\n"
        "    for i in range(20_000): print('line', i, '\\x1b[31m', chr(0xdcff), flush=False)\n"
        "    os.system('head -c 5000000 /dev/zero; head -c 1000000 /dev/urandom >&2'); return 100, {}"
    )
    result = run_module(place, noise)

    assert result.status == 0, result.out[-2000:]
    assert len(result.out) + len(result.err) < 10_000
    assert sum(path.stat().st_size for path in place.state.rglob("*") if path.is_file()) < 100_000_000


def test_what_a_module_changes_in_its_process_is_gone_for_the_next(place: Place) -> None:
    """Working directory, environment, umask, signal handlers and sys.path are as before for the next task."""
    place.workers = 1
    spoil = (
        "os.chdir('/'); os.environ.clear(); os.environ['SPOILT'] = '1'; os.umask(0o777)\n"
        "    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD): signal.signal(s, signal.SIG_IGN)\n"
        "    sys.path.clear(); sys.stdout = None; sys.argv[:] = []; return 100, {}"
    )
    place.module("bad", THREE + spoil + "\n")
    look = HEAD + (
        "def process_task(worker, task):\n"
        "    os.umask(mask := os.umask(0o22))\n"
        "    assert mask == int(os.environ['WANTED_UMASK']), oct(mask)\n"
        "    assert os.getcwd() != '/' and 'SPOILT' not in os.environ and 'PATH' in os.environ, os.getcwd()\n"
        "    assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL, signal.getsignal(signal.SIGCHLD)\n"
        "    assert signal.getsignal(signal.SIGTERM) != signal.SIG_IGN\n"
        "    print('still here'); import json.tool; return 100, {}\n"
    )
    place.module("look", look)
    place.environment["WANTED_UMASK"] = str(current_umask())
    after = {"module": "look", "name": "Look", "downstreamOf": ["Bad"]}
    result = place.run(place.workflow({"module": "bad", "name": "Bad"}, after))

    assert result.status == 0, result


def current_umask() -> int:
    """Return this process's umask."""
    command = [sys.executable, "-c", "import os; print(os.umask(0))"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    "thread",
    [
        "threading.Thread(target=time.sleep, args=(600,)).start()",
        "threading.Thread(target=lambda: [time.sleep(0.01) for _ in range(60_000)]).start()",
        "import multiprocessing; multiprocessing.get_context('fork').Process(target=time.sleep, args=(600,)).start()",
    ],
)
def test_threads_that_a_module_leaves_do_not_hold_the_run(place: Place, thread: str) -> None:
    """A thread or process that never ends keeps neither the next task nor the end of the run waiting."""
    place.workers = 1
    result = run_module(place, f"{thread}; return 100, {{}}", within=15.0)

    assert result.status == 0, result


def test_a_module_that_kills_its_siblings_harms_only_their_attempts(place: Place) -> None:
    """A module that kills every other worker costs their tasks one attempt; the run ends by itself."""
    slaughter = (
        "me, mark = os.getpid(), os.environ['CRYOCLOUD_CAMPAIGN_MARK']\n"
        "    for p in [int(p) for p in os.listdir('/proc') if p.isdigit()]:\n"
        "        try: line = open(f'/proc/{p}/cmdline').read(); env = open(f'/proc/{p}/environ').read()\n"
        "        except OSError: continue\n"
        "        if p != me and 'cryocloud_core.worker' in line.split(chr(0)) and mark in env:\n"
        "            os.kill(p, 9)\n"
        "    return 100, {}"
    )
    result = run_module(place, slaughter)

    assert result.status == 0, result
