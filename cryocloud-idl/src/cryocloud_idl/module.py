"""Module `idl`: runs a program in IDL, or in GDL (GNU Data Language) where there is no IDL.

Modules of one's own use it: `import idl`, then `idl.process_task(worker, task, cancel_event=cancel_event)` with the
words after `idl` in `task["args"]["cmd"]`.
"""

from __future__ import annotations

import os
import shutil
import threading
from typing import Any

from attrs import define, field

from cryocloud_core.sdk.lines import LogLine, PlainLine, ReturnLine, StatusLine, number, read_line
from cryocloud_core.sdk.processor import Worker, as_list, flag
from cryocloud_core.sdk.program import Completed, run_program
from cryocloud_idl.command import Command, Dialect, command_for
from cryocloud_idl.reading import Complaints, Results

ccmodule = {
    "description": "Run a program in IDL or GDL",
    "depends": ["Product"],
    "provides": ["Product"],
    "inputs": {
        "cmd": "The words after idl, a list: -e and a statement; or just the statement",
        "dir": "Where the program is and runs (default: the working directory)",
        "env": "Environment variables, a map",
        "debug": "Log what the program prints at level INFO instead of DEBUG (default false)",
        "max_time": "Kill it after this many seconds without any output (default: never)",
        "max_memory": "Kill it when it takes more bytes of memory than this (default: no limit)",
    },
    "outputs": {
        "status": "Exit status of the interpreter",
        "result": "ok, unless the program told a result of its own",
        "ret": "What the program told as ret= when that was no map; the values of a map are outputs of their own",
    },
    "defaults": {"priority": 50},
    "status": {"progress": "What the program told as [progress] N"},
}


def canrun() -> bool:
    """Tell whether there is an interpreter; raises RuntimeError saying what is missing."""
    return bool(find_interpreter())


def find_interpreter() -> tuple[Dialect, str]:
    """Return IDL where it is installed, else GDL, and the program's path. Raises RuntimeError when there is neither."""
    for dialect in (Dialect.IDL, Dialect.GDL):
        program = shutil.which(dialect.value)
        if program is not None:
            return dialect, program
    raise RuntimeError(
        "idl: neither idl nor gdl is on PATH here; install IDL, or GDL (Debian: gnudatalanguage gdl-astrolib)"
    )


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Run the program; its outputs are the lines `key=value`, `ret={...}` and `{retval} {...}` that it prints.

    Raises RuntimeError with the interpreter's complaint when the program fails or passes a limit, ValueError for wrong
    arguments.
    """
    args = task["args"]
    folder = os.path.abspath(args.get("dir") or os.getcwd())
    if not os.path.isdir(folder):
        raise ValueError(f"idl: dir {args.get('dir')!r} is no directory")
    max_idle_s, max_memory = _limit(args, "max_time"), _limit(args, "max_memory")
    dialect, command = _command(args, folder)
    ear = _Ear(worker, "INFO" if flag(args.get("debug"), name="debug") else "DEBUG")
    worker.log.debug("idl: %s", command.argv)
    done = run_program(
        command.argv,
        cancel_event=cancel_event,
        cwd=folder,
        env=command.env,
        on_line=ear.hear,
        on_error_line=ear.hear_error,
        max_idle_s=max_idle_s,
        max_memory_bytes=None if max_memory is None else int(max_memory),
    )
    if cancel_event is not None and cancel_event.is_set():
        return min(ear.progress, 99), ear.results.values
    _refuse_failure(done, ear.complaints, dialect)
    return ear.progress, {"status": done.returncode, "result": "ok", **ear.results.values}


def _command(args: dict[str, Any], folder: str) -> tuple[Dialect, Command]:
    dialect, program = find_interpreter()
    around = {name: os.environ[name] for name in ("GDL_PATH", "IDL_PATH") if name in os.environ}
    env = {**around, **_environment(args.get("env"))}
    words = as_list(args.get("cmd"))
    return dialect, command_for(dialect, program, words, folder=folder, env=env, unbuffer=shutil.which("stdbuf"))


@define
class _Ear:
    """Passes on what the program says while it runs."""

    worker: Worker
    plain_level: str
    results: Results = field(factory=Results)
    complaints: Complaints = field(factory=Complaints)
    #: of a program that tells none: all
    progress: int = 100

    def hear(self, text: str) -> None:
        match read_line(text):
            case StatusLine("progress", value) if (percent := number(value)) is not None:
                self.progress = int(percent)
                self.worker.progress(percent)
            case StatusLine(name, value):
                self.worker.status[name] = value
            case LogLine(level, said):
                self._log(level, said)
            case ReturnLine() as line:
                self.results.take_return(line)
            case PlainLine(said):
                if not self.results.take(said):
                    self._log(self.plain_level, said)

    def hear_error(self, text: str) -> None:
        self._log(self.complaints.take(text), text)

    def _log(self, level: str, text: str) -> None:
        getattr(self.worker.log, level.lower())("%s", text)


def _refuse_failure(done: Completed, complaints: Complaints, dialect: Dialect) -> None:
    """Raise RuntimeError unless the program went through: GDL's exit status alone does not tell."""
    if done.stopped is None and done.returncode == 0 and not complaints.failed:
        return
    how = f"the program failed in {dialect.value}" if complaints.failed and not done.returncode else done.describe()
    said = complaints.text or "; ".join(done.stderr_tail[-3:])
    raise RuntimeError(f"idl: {how}: {said}" if said else f"idl: {how}")


def _environment(value: Any) -> dict[str, str]:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"idl: env must be a map of environment variables, got {value!r}")
    return {str(name): str(content) for name, content in (value or {}).items()}


def _limit(args: dict[str, Any], name: str) -> float | None:
    if args.get(name) is None:
        return None
    limit = number(str(args[name]))
    if limit is None or limit <= 0:
        raise ValueError(f"idl: {name} must be a number above 0, got {args[name]!r}")
    return limit
