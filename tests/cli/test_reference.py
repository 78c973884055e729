"""Every flag is written down, tested, and known to those who must keep clear of it."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from cryocloud_core.api.reading import FLAGS
from cryocloud_core.cli import json_lines
from cryocloud_core.cli.flags import NOT_YET
from cryocloud_core.cli.reference import cli_page, commands, flags_of, json_page
from cryocloud_core.head.view import BlockedView, NodeView, RunView
from cryocloud_core.sdk.observed import LogRecord, PebbleSeen, RunSeen, TaskSeen

HERE = Path(__file__).parent
ALL_FLAGS = sorted(
    (command, name)
    for command, found in commands().items()
    for flag in flags_of(found)
    for name in (*flag.opts, *flag.secondary_opts)
)


@pytest.mark.parametrize(("command", "flag"), ALL_FLAGS, ids=str)
def test_every_flag_is_documented(command: str, flag: str) -> None:
    """The page names the flag in its command's section; a flag that is shown has a meaning."""
    section = next(part for part in cli_page().split("\n## ") if re.match(rf"`cryocloud {command}[ `]", part))

    assert f"`{flag}`" in section
    assert " |  |" not in section


@pytest.mark.parametrize("flag", sorted({flag for _, flag in ALL_FLAGS}))
def test_every_flag_is_tested(flag: str) -> None:
    """Some test here types the flag."""
    tests = [path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py") if path.name != Path(__file__).name]

    assert any(re.search(rf'["\s]{re.escape(flag)}["\s=]', text) for text in tests)


def test_workflow_options_must_keep_clear_of_every_flag_of_run() -> None:
    """The set that options are checked against is the set of flags that exist."""
    run = {name.removeprefix("--") for command, name in ALL_FLAGS if command == "run" and name.startswith("--")}

    assert run | {"help"} == FLAGS


def test_what_is_refused_is_hidden_and_nothing_else_is() -> None:
    """A hidden flag is one whose feature does not exist yet."""
    assert {flag.name for flag in flags_of(commands()["run"]) if flag.hidden} == set(NOT_YET)


def test_every_json_event_and_key_is_documented() -> None:
    """What is printed for each kind of record has exactly the keys of its section."""
    view = RunView(("w",), "running", 1.0, 0.0, (NodeView("w", "n", "m"),), blocked=(BlockedView("w", "n", 1, "why"),))
    waits = json_lines.Waits()
    wait = [*waits.look(view), *waits.look(attrs.evolve(view, at=99.0))][0]
    shown = [
        json_lines.line_of(RunSeen("w", "/s", 1.0)),
        json_lines.line_of(RunSeen("w", "/s", 1.0, 0)),
        json_lines.line_of(PebbleSeen("w", 1, "In", 1.0)),
        json_lines.line_of(PebbleSeen("w", 1, "In", 1.0, "success")),
        json_lines.line_of(TaskSeen("w", 1, "n", "1/n/1", "success", 1.0)),
        json_lines.line_of(LogRecord(1.0, "INFO", "x")),
        json_lines.line_of_counts(view),
        json_lines.line_of_wait(wait, 2.0),
        json_lines.line_of_wait(attrs.evolve(wait, over=True), 2.0),
    ]
    sections = {part.split("`", 1)[0]: part for part in json_page().split("\n## `")[1:]}

    for record in map(json_lines.json.loads, shown):
        keys = re.findall(r"^\| `(\w+)` \|", sections[record["event"]], re.MULTILINE)
        assert {"event", "at", *keys} == set(record)
