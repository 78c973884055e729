"""A run looks at settings before anything starts: a wrong one ends it, a doubtful one is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core import RunSettings, run
from cryocloud_core.api.running import Nobody
from cryocloud_core.errors import ConfigError

NODES: list[dict[str, Any]] = [
    {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]},
    {"module": "noop", "name": "Work", "downstreamOf": ["In"], "args": {"time": 0}},
]


class Hearer(Nobody):
    """Remembers what it was warned of."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warned(self, line: str) -> None:
        """Note it."""
        self.lines.append(line)


def started(folder: Path, text: str, **more: object) -> list[str]:
    """Run a workflow, its work with `more`, beside a configuration of that text and return the warnings."""
    (folder / "cryocloud.toml").write_text(text)
    workflow = {"name": "Flow", "description": "Tests", "options": {}, "nodes": [NODES[0], {**NODES[1], **more}]}
    (folder / "flow.json").write_text(json.dumps({"workflow": workflow}))
    hearer = Hearer()
    settings = RunSettings(state_dir=folder / "state", workers=1, grace_s=1)
    assert run(folder / "flow.json", settings=settings, watcher=hearer) == 0
    return hearer.lines


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[HTTP]\nimutable = true", r'^HTTP\.imutable: is no setting \(did you mean "immutable"'),
        ("[CryoCloud.Worker]\ntransfer_retries = 'many'", r"^CryoCloud\.Worker\.transfer_retries: must be a number"),
        (
            "[HTTP]\nfast = 2\ntimeout = 0\nproxy = '::bad'",
            r"^HTTP\.fast: .* \(and 2 more, which `cryocloud check` tells\)$",
        ),
    ],
)
def test_a_wrong_setting_ends_a_run_before_anything_starts(tmp_path: Path, text: str, told: str) -> None:
    """Not even a state directory is made."""
    with pytest.raises(ConfigError, match=told):
        started(tmp_path, text)
    assert not (tmp_path / "state").exists()


def test_a_workflow_may_have_settings_of_its_own_where_a_transfer_has_its(tmp_path: Path) -> None:
    """It ran before anybody judged settings, and no server of that transfer is met."""
    assert started(tmp_path, "[SSH]\npause = 0\n", config="SSH", args={"time": {"config": "pause"}}) == []


def test_a_doubtful_setting_is_told_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that this machine has not, a table of nearly our name."""
    monkeypatch.delenv("NOT_SET_HERE", raising=False)
    lines = started(tmp_path, "[HTTP]\ntoken = {env = 'NOT_SET_HERE'}\n[HTPP]\ntimeout = 3\n")
    assert [line.partition(": ")[0] for line in lines] == [
        "HTTP.token",
        '[HTPP] is no table that CryoCloud reads (did you mean "HTTP"?)',
    ]
