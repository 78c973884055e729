"""Scripts and notebooks load, check and run workflows with the functions that the command line uses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import cryocloud_core
from cryocloud_core import (
    CryoCloudError,
    DocumentError,
    OptionError,
    Reading,
    RunSettings,
    UsageError,
    check,
    load,
    run,
)
from cryocloud_core.api.options_told import told_of_options
from cryocloud_core.api.running import Run
from cryocloud_core.head.settings import Told
from cryocloud_core.head.view import RunView
from cryocloud_core.sdk.observed import PebbleSeen

NODES = [
    {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]},
    {"module": "noop", "name": "Work", "downstreamOf": ["In"], "args": {"time": {"option": "seconds"}}},
]


def write(path: Path, nodes: Sequence[dict[str, Any]] = NODES, name: str = "Flow") -> Path:
    """Write a workflow and return its path."""
    options = {"seconds": {"default": 0}, "force": {"type": "bool"}, "bands": {"type": "list"}}
    workflow = {"name": name, "description": "Tests", "options": options, "nodes": list(nodes)}
    path.write_text(json.dumps({"workflow": workflow}))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a sound workflow."""
    return write(tmp_path / "flow.json")


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    """Give settings of a small run in a directory of its own."""
    return RunSettings(state_dir=tmp_path / "state", workers=1, grace_s=1)


class Witness:
    """Remembers what it was told."""

    tick_s = 0.05
    hears_tasks = True

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.records: list[Told] = []
        self.closing: Sequence[str] = ()
        self.threads: set[str] = set()
        self.arrived = threading.Event()

    def _note(self, call: str) -> None:
        self.threads.add(threading.current_thread().name)
        if self.calls[-1:] != [call]:
            self.calls.append(call)

    def warned(self, line: str) -> None:
        """Note it."""
        self._note(f"warned {line}")

    def opened(self, view: RunView, opening: str) -> None:
        """Note it."""
        self._note(f"opened {view.workflows[0]}")

    def told(self, record: Told) -> None:
        """Keep the record."""
        self.records.append(record)
        if isinstance(record, PebbleSeen):
            self.arrived.set()

    def tick(self, view: RunView) -> None:
        """Note it."""
        self._note("tick")

    def closed(self, view: RunView | None, closing: Sequence[str]) -> None:
        """Note it."""
        self._note("closed" if view else "closed unseen")
        self.closing = closing


def test_public_names_are_there_when_asked_for() -> None:
    """Each name of `__all__` can be had, is listed, and costs nothing before."""
    code = "import sys, cryocloud_core; print('cryocloud_core.api' in sys.modules, dir(cryocloud_core))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert shown.startswith("False [")
    assert all(repr(name) in shown for name in cryocloud_core.__all__)
    assert all(getattr(cryocloud_core, name) for name in cryocloud_core.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'wrong'"):
        cryocloud_core.wrong  # noqa: B018 -- asking is the test


def test_load_returns_the_workflow(file: Path) -> None:
    """A sound file becomes a linked workflow."""
    workflow = load(file)

    assert workflow.name == "Flow"
    assert list(workflow.nodes) == ["In", "Work"]


def test_load_raises_every_problem_at_once(tmp_path: Path) -> None:
    """A file with problems raises one error that holds all of them as lines."""
    nodes = [*NODES, {"module": "nope", "downstreamOf": ["In"]}, {"module": "noop", "downstreamOf": ["Im"]}]
    file = write(tmp_path / "bad.json", nodes)

    with pytest.raises(DocumentError) as caught:
        load(file)
    assert [line.split(": ")[2][:3] for line in caught.value.problems] == ["E15", "E11"]
    assert all(line.startswith(f"{file}:1:") for line in caught.value.problems)
    assert "bad.json" in str(caught.value)


def test_check_returns_findings_and_raises_nothing_for_them(tmp_path: Path) -> None:
    """Warnings and errors are returned; --strict's switch makes errors of warnings."""
    file = write(tmp_path / "odd.json", [*NODES, {"module": "noop", "downstreamOf": ["In"], "maxParallel": 2}])

    assert [(problem.code, problem.is_error) for problem in check(file)] == [("W04", False)]
    assert [(problem.code, problem.is_error) for problem in check(file, reading=Reading(strict=True))] == [
        ("W04", True)
    ]


def test_options_may_be_texts_or_values(file: Path) -> None:
    """A text is read as on the command line, another value is taken as it is, an unknown name is refused."""
    assert check(file, {"seconds": "1", "force": True, "bands": ["a"]}) == ()
    assert check(file, {"seconds": 1.5, "force": "yes", "bands": "a,b"}) == ()
    with pytest.raises(OptionError, match=r"option 'secs'.*"):
        check(file, {"secs": 1})
    with pytest.raises(OptionError, match="force"):
        check(file, {"force": "perhaps"})


def test_a_missing_file_is_told_with_its_name(tmp_path: Path) -> None:
    """A file that cannot be read is a DocumentError with its path."""
    with pytest.raises(DocumentError, match=r"no\.json: cannot be read: No such file"):
        load(tmp_path / "no.json")


def test_run_goes_through_and_is_watched(file: Path, settings: RunSettings) -> None:
    """A run returns its exit code; the watcher is told of its start, its course and its end, in this order."""
    witness = Witness()

    assert run(file, {"seconds": 0.3}, settings, watcher=witness) == 0
    assert witness.calls[0] == "opened Flow"
    assert "tick" in witness.calls
    assert witness.calls[-1] == "closed"
    assert [type(record).__name__ for record in witness.records if not hasattr(record, "level")] == [
        *("RunSeen", "PebbleSeen", "TaskSeen", "PebbleSeen", "RunSeen")
    ]


def test_a_failed_pebble_is_exit_code_1_and_a_line(tmp_path: Path, settings: RunSettings) -> None:
    """The closing lines name pebble, node, result and error."""
    (tmp_path / "bad.py").write_text(
        "ccmodule = {'description': 'x', 'inputs': {}}\ndef process_task(w, t): raise ValueError('no band')\n"
    )
    file = write(tmp_path / "flow.json", [NODES[0], {"module": "bad", "name": "Bad", "downstreamOf": ["In"]}])
    witness = Witness()

    assert run(file, None, settings, watcher=witness) == 1
    assert list(witness.closing) == ["pebble 1: Bad: error: no band"]


def test_a_notebook_may_run_inside_its_loop(file: Path, settings: RunSettings) -> None:
    """Inside a running event loop the run gets a thread of its own and still returns its exit code."""
    witness = Witness()

    async def cell() -> int:
        return run(str(file), None, settings, watcher=witness)

    assert asyncio.run(cell()) == 0
    assert witness.threads == {"cryocloud-run"}


def test_errors_come_out_of_the_thread_too(file: Path, settings: RunSettings, tmp_path: Path) -> None:
    """What a run raises inside a notebook's loop reaches the caller."""
    (tmp_path / "state").write_text("in the way")

    async def cell() -> int:
        return run(file, None, settings)

    with pytest.raises(CryoCloudError):
        asyncio.run(cell())


def test_an_interrupt_suspends_a_run_in_a_notebook(file: Path, settings: RunSettings) -> None:
    """An interrupt of the waiting thread suspends the run; the next call goes on and finishes."""
    witness = Witness()

    def interrupt() -> None:
        witness.arrived.wait(20)
        os.kill(os.getpid(), signal.SIGINT)

    async def cell() -> int:
        threading.Thread(target=interrupt).start()
        return run(file, {"seconds": 30}, settings, watcher=witness)

    assert asyncio.run(cell()) == 130
    assert list(witness.closing) == ["stopped; 1 pebble waits, the next start goes on (--fresh to start anew)"]


def test_two_workflows_of_one_name_are_refused(tmp_path: Path) -> None:
    """One run needs names that differ; `name` renames a single workflow."""
    files = [write(tmp_path / "a.json"), write(tmp_path / "b.json")]

    with pytest.raises(UsageError, match="'Flow'"):
        Run.prepare(files, {}, Reading())
    prepared = Run.prepare(files[:1], {}, Reading(), name="Other")
    assert prepared.workflows[0].name == "Other"
    assert prepared.settings.state_dir is not None
    assert prepared.settings.state_dir.name == "Other"


def test_an_unknown_scheduler_is_a_usage_error(file: Path) -> None:
    """A misspelt scheduler is told with the nearest name and those there are, before anything is read."""
    with pytest.raises(UsageError, match=r'--scheduler locla: .*did you mean "local".*there is local'):
        run(file, scheduler="locla")


def test_an_option_that_nothing_answers_for_is_told_before_anything_starts(
    tmp_path: Path, settings: RunSettings
) -> None:
    """Else a watched directory is silent until the first file arrives and fails."""
    nodes = [NODES[0], {**NODES[1], "args": {"ignored": {"option": "bands"}, "time": {"option": "seconds"}}}]
    witness = Witness()

    assert run(write(tmp_path / "flow.json", nodes), settings=settings, watcher=witness) == 0
    assert witness.calls[0] == (
        "warned flow.json: option --bands was not given and has no default: Work.ignored will be null"
    )


WHAT = "Work: the post of 'dst'"
POSTS = [
    ({}, f"option --out was not given and has no default: {WHAT} will fail"),
    ({"out": "/far"}, f'option --out does not end with "/": {WHAT} appends file names to its last part'),
    ({"out": "/far/"}, None),
]


@pytest.mark.parametrize(("options", "line"), POSTS)
def test_a_post_that_cannot_go_well_is_told_before_anything_starts(
    tmp_path: Path, options: dict[str, str], line: str | None
) -> None:
    """Else each product is worked on before its results are lost."""
    target = {"output": "dst", "target": {"option": "out"}, "basename": True}
    copy = {"module": "copyfiles", "name": "Work", "downstreamOf": ["In"], "args": {"src": "/a", "dst": "/b"}}
    nodes = [NODES[0], {**copy, "post": [target]}]
    workflow = {"name": "Flow", "description": "Tests", "options": {"out": {"help": "where to"}}, "nodes": nodes}
    file = tmp_path / "flow.json"
    file.write_text(json.dumps({"workflow": workflow}))
    prepared = Run.prepare([file], options, Reading())

    told = told_of_options(prepared.workflows[0], prepared.files[0].options)
    assert told == ([] if line is None else [line])


def test_misspelt_settings_of_workers_are_told_before_anything_starts(tmp_path: Path, settings: RunSettings) -> None:
    """Once; the run goes on, because a module may read them."""
    (tmp_path / "cryocloud.toml").write_text(
        f'[CryoCloud.Worker]\ntempdir = "{tmp_path}/tmp"\ntransfer_retires = 1\ngpus = 2\n'
    )
    witness = Witness()

    assert run(write(tmp_path / "flow.json"), settings=settings, watcher=witness) == 0
    told = 'warned CryoCloud.Worker.transfer_retires is no setting of CryoCloud (did you mean "transfer_retries"?)'
    assert [call for call in witness.calls if call.startswith("warned")] == [told]
    assert witness.calls[0] == told


def test_places_that_can_never_work_are_told_before_anything_starts(tmp_path: Path, settings: RunSettings) -> None:
    """A literal target stops the start; an option's value is warned of, and the run goes on."""
    copy = {"module": "copyfiles", "name": "Work", "downstreamOf": ["In"], "args": {"src": "/a", "dst": "/b"}}
    file = tmp_path / "flow.json"

    def written(target: Any) -> Path:
        nodes = [NODES[0], {**copy, "post": [{"output": "dst", "target": target}]}]
        options = {"out": {"help": "where to"}}
        flow = {"name": "Flow", "description": "Tests", "options": options, "nodes": nodes}
        file.write_text(json.dumps({"workflow": flow}))
        return file

    with pytest.raises(DocumentError) as refused:
        Run.prepare([written("rel/out/")], {}, Reading(), settings=settings)
    witness = Witness()
    run(written({"option": "out"}), {"out": "rel/out/"}, settings=settings, watcher=witness)

    assert "E37" in refused.value.problems[0]
    assert "need absolute path" in refused.value.problems[0]
    assert "W17 post \"target\" (option --out) can never work: 'rel/out/': need absolute path" in witness.calls[0]
