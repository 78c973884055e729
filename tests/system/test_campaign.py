"""A small campaign in every test run; `python3 tasks.py campaign` runs the big one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from campaign.driver import run_campaign
from campaign.settings import Plan
from campaign.table import table

pytestmark = pytest.mark.system


@pytest.mark.timeout(180)
def test_a_run_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Kills of head, workers and all at once, polite stops: journal, evidence and an undisturbed run agree."""
    seed = int(os.environ.get("CRYOCLOUD_CAMPAIGN_SEED", "7"))
    plan = Plan(tmp_path, seed=seed, pebbles=20, kills=10, stops=2, work_ms=5, backlog=8)

    report = run_campaign(plan)

    assert report.breaches == [], table(report)
    assert report.kills.total() == 12
    assert report.pebbles == 20
    assert report.results["success"] > 0
    assert report.results["error"] > 0
    assert report.repeats > 0
