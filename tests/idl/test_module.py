"""The module idl with a real GDL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from cryocloud_core.modules.load import load
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.task import Code
from cryocloud_core.testing.processors import ProcessorConformance
from cryocloud_core.testing.worker import LocalWorker, task_of
from cryocloud_idl import module as idl
from cryocloud_idl import plugin

WORK = """\
pro work, name, n, key=key
  print, '[progress] 40'
  print, '[stage] reading'
  print, '<info> working on ' + name
  print, 'a plain line'
  print, 'dst=' + name + '.nc'
  print, 'ret={"n": ' + strtrim(n + 1, 2) + ', "key": "' + key + '"}'
  print, '[progress] 100'
end
"""
BAD = "pro bad\n  print, 'dst=half'\n  x = undefined_thing(3)\nend\n"
SILENT = "pro silent\n  wait, 60\nend\n"
LOUD = "pro loud\n  for i = 0, 600 do begin\n    print, 'tick'\n    wait, 0.1\n  endfor\nend\n"
GREEDY = "pro greedy\n  a = dblarr(40000000) + 1\n  print, 'full'\n  wait, 60\nend\n"


@pytest.fixture
def code(tmp_path: Path, program: Callable[[str], str]) -> str:
    """Give a directory with programs; skip without GDL."""
    program("idl")
    made = tmp_path / "my code"
    made.mkdir()
    for name, text in {"work": WORK, "bad": BAD, "silent": SILENT, "loud": LOUD, "greedy": GREEDY}.items():
        (made / f"{name}.pro").write_text(text)
    return str(made)


@pytest.fixture
def worker() -> Iterator[LocalWorker]:
    """Give a worker."""
    with LocalWorker() as made:
        yield made


def test_a_program_is_run_with_everything_it_tells(worker: LocalWorker, code: str) -> None:
    """Outputs, progress, status and log lines, with the switches that only IDL knows."""
    cmd = ["-IDL_STARTUP", "' '", "-IDL_PATH", "'<IDL_DEFAULT>'", "-e", "work, '/in/a b', 41, key='it''s'"]

    assert worker.run(idl, {"cmd": cmd, "dir": code}) == {
        "status": 0,
        "result": "ok",
        "dst": "/in/a b.nc",
        "n": 42,
        "key": "it's",
    }
    assert worker.status.history("progress") == [40, 100]
    assert worker.status.history("stage") == ["reading"]
    assert "working on /in/a b" in worker.records.texts("INFO")
    assert "a plain line" in worker.records.texts("DEBUG")


def test_lines_come_while_the_program_runs(worker: LocalWorker, code: str) -> None:
    """GDL's output is not held back until its end; cancel ends the program."""
    cancel = threading.Event()
    ended: list[Any] = []
    task = task_of(idl, {"cmd": "loud", "dir": code, "debug": "true"})
    thread = threading.Thread(target=lambda: ended.append(idl.process_task(worker, task, cancel)))
    thread.start()
    deadline = time.monotonic() + 30
    while worker.records.texts("INFO").count("tick") < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    cancel.set()
    thread.join(20)

    assert worker.records.texts("INFO").count("tick") >= 3
    assert ended[0][0] < 100


@pytest.mark.parametrize(
    ("cmd", "said"),
    [
        ("bad", "failed in gdl: .*UNDEFINED_THING.*Execution halted at: BAD 3"),
        ("nosuch", "Procedure not found: NOSUCH"),
        ("x = (3", "Parser syntax error"),
        ("message, 'boom'", "boom"),
        ("exit, status=3", "ended with exit code 3"),
    ],
)
def test_a_failure_is_an_error_whatever_the_exit_status(worker: LocalWorker, code: str, cmd: str, said: str) -> None:
    """The error tells what GDL complained about and where."""
    with pytest.raises(RuntimeError, match=said):
        worker.run(idl, {"cmd": cmd, "dir": code})


def test_silence_for_too_long_kills_it(worker: LocalWorker, code: str) -> None:
    """The limit max_time counts from the last line of output."""
    began = time.monotonic()

    with pytest.raises(RuntimeError, match="no output for too long"):
        worker.run(idl, {"cmd": "silent", "dir": code, "max_time": "1.5"})
    assert time.monotonic() - began < 20


def test_too_much_memory_kills_it(worker: LocalWorker, code: str) -> None:
    """320 MB are more than 200 MB."""
    with pytest.raises(RuntimeError, match="memory limit"):
        worker.run(idl, {"cmd": "greedy", "dir": code, "max_memory": 200_000_000})


def test_the_environment_reaches_the_program(worker: LocalWorker, code: str) -> None:
    """A map of variables, beside the worker's own."""
    args = {"cmd": ["-e", "print, 'who=' + getenv('WHO') & print, 'home=' + getenv('HOME')"], "dir": code}
    outputs = worker.run(idl, {**args, "env": {"WHO": "it's me"}})

    assert outputs["who"] == "it's me"
    assert outputs["home"]


def test_a_file_module_uses_it_by_import(worker: LocalWorker, code: str, tmp_path: Path) -> None:
    """`import idl` in a single file finds the installed module, as modules of the original system do."""
    (tmp_path / "wind.py").write_text(
        "import idl\n\n"
        "def process_task(worker, task, cancel_event=None):\n"
        '    src = task["args"]["fullPath"] = task["args"]["src"]\n'
        '    task["args"]["cmd"] = ["-IDL_STARTUP", "\' \'", "-e", "work, \'%s\', 1, key=\'k\'" % src]\n'
        "    p, ret = idl.process_task(worker, task, cancel_event=cancel_event)\n"
        "    return p, ret\n"
    )
    wind = load(Code(path=str(tmp_path / "wind.py")))

    assert worker.run(wind, {"src": "/in/x", "dir": code})["dst"] == "/in/x.nc"


def test_without_an_interpreter_it_says_what_is_missing(
    worker: LocalWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both when it is offered and when it is run."""
    monkeypatch.setenv("PATH", str(tmp_path))

    for attempt in (idl.canrun, lambda: worker.run(idl, {"cmd": "x"})):
        with pytest.raises(RuntimeError, match=r"neither idl nor gdl is on PATH here; install IDL, or GDL \(Debian"):
            attempt()


def test_idl_is_preferred_to_gdl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: LocalWorker) -> None:
    """A program named idl is called with IDL's own words, in the program's directory."""
    (tmp_path / "idl").write_text('#!/bin/sh\necho "words=$*"\necho "here=$(pwd)"\n')
    (tmp_path / "idl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    outputs = worker.run(idl, {"cmd": ["-IDL_STARTUP", "'x'", "-e", "p, 'a b'"], "dir": str(tmp_path)})

    assert outputs == {"status": 0, "result": "ok", "words": "-IDL_STARTUP x -e p, 'a b'", "here": str(tmp_path)}


def test_the_package_offers_idl() -> None:
    """Through the hook that every plugin uses."""
    registry = Registry.of(plugin)
    registry.check()

    assert sorted(registry.processors()) == ["idl"]


class TestConformance(ProcessorConformance):
    """The contract of processors."""

    has_undeclared_outputs = True
    bad_args = (
        ({}, "cmd"),
        ({"cmd": "x", "dir": "/none"}, "dir"),
        ({"cmd": "x", "env": "A=b"}, "env"),
        ({"cmd": "x", "max_time": "long"}, "max_time"),
        ({"cmd": "x", "max_memory": 0}, "max_memory"),
    )
    long_args: ClassVar = {"cmd": "wait, 10"}

    @pytest.fixture(autouse=True)
    def needs_gdl(self, program: Callable[[str], str]) -> None:
        """Skip without GDL."""
        program("idl")

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return idl

    @pytest.fixture
    def good_args(self, code: str) -> dict[str, Any]:
        """A program."""
        return {"cmd": ["-e", "work, 'a', 1, key='k'"], "dir": code}
