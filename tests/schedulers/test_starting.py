"""Workers that die before they are ready: they are started again, less and less often, and their tasks wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.schedulers import pool
from cryocloud_core.schedulers.keeping import Keeping
from cryocloud_core.task import Succeeded

FINE = "def process_task(worker, task):\n    return {}\n"


@pytest.mark.parametrize("kind", ["normal", "admin", "head"])
def test_a_worker_that_dies_before_it_is_ready_is_started_again_after_a_growing_pause(
    kind: str, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No busy circle of starts; the task that wanted it runs when one comes up at last."""
    monkeypatch.setattr(pool, "_FIRST_PAUSE_S", 0.1)
    starts: list[float] = []
    spawn = Keeping.spawn

    def broken(self: Keeping, key: int, env: dict[str, Any], stderr: Path) -> Any:
        if Path(stderr).exists():
            pytest.fail("a key was used twice")
        starts.append(time.monotonic())
        # No environment holds a number: the process that is to become the worker ends with a traceback.
        return spawn(self, key, {**env, "BROKEN": 3} if len(starts) <= 3 else env, stderr)

    monkeypatch.setattr(Keeping, "spawn", broken)
    floor = opened(workers=1 if kind == "normal" else 0, admin_workers=1)
    end = floor.run(FINE, kind=kind, on_head=kind == "head")

    assert end.outcome == Succeeded({})
    assert len(starts) == 4
    pauses = [after - before for before, after in pairwise(starts)]
    assert all(pause > least for pause, least in zip(pauses, (0.2, 0.4, 0.8), strict=True)), pauses
    said = [record.text for record in floor.ear.records if "ended with exit code 1" in record.text]
    assert len(said) == 3
    assert all("TypeError: str expected, not int" in text for text in said)
