"""Flags of `run` become settings; what cannot be done is refused before anything starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from cryocloud_core.api.reading import Reading
from cryocloud_core.cli import main as cli
from cryocloud_core.head.settings import RunSettings
from cryocloud_core.schedulers.local import LocalScheduler
from cryocloud_core.worker.ahead import KeeperProcess

NODES = [{"module": "cmdline", "name": "In", "downstreamOf": ["entry"]}]


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Give a workflow file."""
    path = tmp_path / "flow.json"
    path.write_text(json.dumps({"workflow": {"name": "Flow", "description": "x", "nodes": NODES}}))
    return str(path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, Any]]]:
    """Give what `api.run` is called with, without a run: (settings, everything else)."""
    calls: list[tuple[Any, dict[str, Any]]] = []

    def note(paths: Any, options: Any, settings: Any, **more: Any) -> int:
        calls.append((settings, {"paths": paths, "options": options, **more}))
        return 7

    monkeypatch.setattr("cryocloud_core.api.run", note)
    return calls


@pytest.mark.parametrize(
    ("flags", "change"),
    [
        ("", {}),
        ("--state-dir /s", {"state_dir": Path("/s")}),
        ("--once", {"once": True}),
        ("--fresh", {"fresh": True}),
        ("--resume continue", {"resume": "continue"}),
        ("--resume=drop", {"resume": "drop"}),
        ("--workers 3", {"workers": 3}),
        ("--threads 3", {"workers": 3}),
        ("--admin-workers 2", {"admin_workers": 2}),
        ("--gpus 0", {"gpus": 0}),
        ("--node seer3", {"node": "seer3"}),
        ("--grace 5", {"grace_s": 5.0}),
        ("--max-task-time 60", {"max_task_time_s": 60.0}),
        ("--force-inputs", {"force_inputs": True}),
        ("--reset-counters", {"reset_counters": True}),
        ("--nocache", {"nocache": True}),
        ("--metrics-port 9090", {"metrics_port": 9090}),
        ("--loglevel warning", {"log_level": "WARNING"}),
        ("--debug", {"log_level": "DEBUG"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_flags_become_settings(flags: str, change: dict[str, Any], file: str, asked: list[Any]) -> None:
    """Each flag changes the setting it stands for and nothing else; the exit code is the run's."""
    assert cli.invoke(["run", *flags.split(), file]) == 7
    assert asked[0][0] == evolve(RunSettings(), **change)


@pytest.mark.parametrize(
    ("flags", "key", "value"),
    [
        ("--strict", "reading", Reading(strict=True)),
        ("--profile night", "reading", Reading(profile="night")),
        ("--import-modules", "reading", Reading(import_modules=True)),
        ("--module-paths a:b --module-paths c", "reading", Reading(module_paths=("a", "b", "c"))),
        ("--scheduler far", "scheduler", "far"),
        ("--name Night", "name", "Night"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_flags_reach_the_run(flags: str, key: str, value: Any, file: str, asked: list[Any]) -> None:
    """How files are read, where tasks run and under which name come from their flags."""
    cli.invoke(["run", *flags.split(), file])

    assert asked[0][1][key] == value


@pytest.mark.parametrize("flags", ["", "--scheduler local", "--standalone"])
def test_the_local_scheduler_gets_a_keeper_that_ends_with_a_run_that_never_was(
    flags: str, file: str, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started before the head is loaded, and gone when nobody took it over."""
    started: list[KeeperProcess] = []
    begin = KeeperProcess.__init__

    def note(self: KeeperProcess) -> None:
        begin(self)
        started.append(self)

    monkeypatch.setattr(KeeperProcess, "__init__", note)
    cli.invoke(["run", *flags.split(), file])

    assert isinstance(asked[0][1]["scheduler"], LocalScheduler)
    (keeper,) = started
    assert keeper.process.returncode is not None


def test_the_screen_fits_where_stdout_goes(file: str, asked: list[Any]) -> None:
    """JSON lines on demand, plain lines where stdout is no terminal."""
    cli.invoke(["run", file, "--json"])
    cli.invoke(["run", file])

    assert [type(more["watcher"]).__name__ for _, more in asked] == ["JsonScreen", "LineScreen"]


@pytest.mark.parametrize("flag", ["--address x", "--kubernetes", "--estimate", "--allow-stub-code"])
def test_what_is_not_built_is_refused(
    flag: str, file: str, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag whose feature does not exist is refused by name, never ignored."""
    assert cli.invoke(["run", file, *flag.split()]) == 2
    assert f"{flag.split(maxsplit=1)[0]} is not supported yet" in capsys.readouterr().err
    assert asked == []


def test_contradictions_are_refused(file: str, asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    """--standalone with another scheduler is refused."""
    assert cli.invoke(["run", file, "--standalone", "--scheduler", "far"]) == 2
    assert "--standalone" in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize("flags", ["--workers 0", "--grace -1", "--loglevel LOUD", "--resume maybe", "--gpus x"])
def test_values_out_of_range_are_refused(flags: str, file: str, asked: list[Any]) -> None:
    """A value that means nothing is a usage error."""
    assert cli.invoke(["run", file, *flags.split()]) == 2
    assert asked == []
