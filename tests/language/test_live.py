"""The language with real worker processes: rows as workflows of one head, judged by what their modules wrote down."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from cryocloud_core.head.settings import RunSettings
from cryocloud_core.task import Failed, Succeeded
from cryocloud_core.testing import live
from cryocloud_core.testing.case import INPUT, Case, outcome_of
from cryocloud_core.testing.live import Stage, differences, perform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

pytestmark = pytest.mark.system

#: what a row may not name to be run beside the others: its demands hold for the hand-driven engine only
_SPECIAL = re.compile(
    r'"(loop|stat|gpu|type|workdir|dir|retry|timeout|max_parallel|ccnode|node)"|stat:|"module": "either"'
)


def is_plain(case: Case) -> bool:
    """Tell whether a row of the tables needs nothing but modules that return or raise."""
    outcomes = [outcome_of(end) for ends in case.ends.values() for end in (ends if isinstance(ends, list) else [ends])]
    given = (
        case.document,
        case.order,
        case.cancel,
        case.awaits,
        case.options,
        case.modules,
        case.status,
        case.changes,
        case.blocked,
    )
    return (
        case.runs
        and case.input == INPUT
        and not any(given)
        and len(case.arrivals) == 1
        and not case.arrivals[0][1]
        and case.workers > 1
        and not _SPECIAL.search(case.nodes)
        and all(isinstance(end, Succeeded) or end == Failed(getattr(end, "error", "")) for end in outcomes)
    )


def write_config(cases: Sequence[Case], path: Path) -> None:
    """Write what the cases say of the configuration into one file; two that contradict each other cannot share it."""
    settings: dict[str, Any] = {}
    for case in cases:
        for name, value in case.config.items():
            assert settings.setdefault(name, value) == value, f"{name} is configured twice"
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))


def test_rows_of_the_tables_hold_with_real_workers(
    cases: Mapping[str, Case], modules: Mapping[str, Any], tmp_path: Path
) -> None:
    """Many workflows under one head: each comes out as with the hand-driven engine."""
    plain = [case for case in cases.values() if is_plain(case)]
    write_config(plain, tmp_path / "cryocloud.toml")
    stages = [Stage.build(case, tmp_path / f"c{n}", f"flow{n}", modules) for n, case in enumerate(plain)]
    ear = perform(stages, RunSettings(state_dir=tmp_path / "state", workers=2, admin_workers=1))
    found = [line for stage in stages for line in differences(stage, ear)]

    assert not found, "\n".join(found)
    assert len(plain) > 100
    assert ear.exit_code == 1


def test_a_table_holds_with_real_workers(table: dict[str, Any], modules: Mapping[str, Any], tmp_path: Path) -> None:
    """Rows that only real modules, files, processes and clocks can show, as workflows of one head, or one by one."""
    cases: tuple[Case, ...] = table["CASES"]
    stages = [Stage.build(case, tmp_path / f"c{n}", f"flow{n}", modules) for n, case in enumerate(cases)]
    runs = [[stage] for stage in stages] if table.get("ALONE") else [stages]
    asked = {"workers": 2, "admin_workers": 1, "cancel_grace_s": 0.5, **table.get("SETTINGS", {})}
    found: list[str] = []
    for number, together in enumerate(runs):
        ear = perform(together, RunSettings(state_dir=tmp_path / f"state{number}", **asked))
        found += [line for stage in together for line in differences(stage, ear)]

    assert not found, "\n".join(found)


def test_a_run_in_which_nothing_happens_is_given_up_and_says_what_it_waited_for(
    modules: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that would wait for ever fails with words."""
    monkeypatch.setattr(live, "STUCK_S", 0.5)
    waits = Case(
        "waits",
        '{"module": "nap", "name": "A", "downstreamOf": ["In"]}',
        modules={"nap": {"inputs": {}}},
        code={"nap": "cancel_event.wait(60)\nreturn 100, None"},
    )
    stage = Stage.build(waits, tmp_path / "c", "flow", modules)
    ear = perform([stage], RunSettings(state_dir=tmp_path / "state", workers=1))

    assert "nothing happened for 0.5 s" in ear.stuck
    assert "'flow A'" in ear.stuck
    assert "results are ['cancelled']" in "\n".join(differences(stage, ear))
