"""Modules that workers declined: who gets them then, what is told meanwhile, and when they are offered again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.schedulers import withdrawn
from cryocloud_core.task import Declined, Succeeded

MISSING = "import no_such_package\n"
FINE = "def process_task(worker, task):\n    return {}\n"
#: declines in the first worker that has it, and works in every other one
PICKY = """
import os
def canrun():
    try:
        os.close(os.open(__file__ + ".met", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return True
    return False
def process_task(worker, task):
    return {"pid": os.getpid()}
"""
WAIT = """
import time
def process_task(worker, task, cancel):
    while not cancel.is_set():
        time.sleep(0.01)
"""


def lacking(floor: Any, code: Any, **fields: Any) -> str:
    """Return why a task of a module would have to wait."""
    said: str = floor.call(floor.scheduler.lacking, floor.task(code, **fields))
    return said


def test_a_module_that_all_workers_declined_is_lacking_and_others_are_not(opened: Callable[..., Any]) -> None:
    """Who declined it is named, and why; another module goes on."""
    floor = opened(workers=2)
    bad, fine = floor.module(MISSING), floor.module(FINE)

    assert isinstance(floor.run(bad).outcome, Declined)
    assert lacking(floor, bad) == ""
    assert isinstance(floor.run(bad).outcome, Declined)
    why = lacking(floor, bad)
    assert why.startswith("no normal worker offers module 'm': declined by Worker-here_0: ")
    assert "No module named 'no_such_package'" in why
    assert lacking(floor, fine) == ""
    assert floor.run(fine).outcome == Succeeded({})
    # An admin worker would be started for it.
    assert lacking(floor, bad, kind="admin") == ""


def test_a_declined_task_goes_to_another_worker(opened: Callable[..., Any]) -> None:
    """As often as it comes: the one that declined is asked no more while another may take it."""
    floor = opened(workers=2)
    picky = floor.module(PICKY)

    assert isinstance(floor.run(picky).outcome, Declined)
    pids = {floor.run(picky).outcome.outputs["pid"] for _ in range(4)}
    assert len(pids) == 1


def test_a_task_that_only_busy_workers_may_take_holds_nobody_up(opened: Callable[..., Any]) -> None:
    """The free worker declined it: it waits for the other one, and says so, so that other tasks pass it."""
    floor = opened(workers=2)
    picky = floor.module(PICKY)
    wait = floor.module(WAIT)
    assert isinstance(floor.run(picky).outcome, Declined)
    waiting = [floor.submit(floor.task(wait)) for _ in range(2)]
    at = {floor.begin_of(task)[1]: task for task in waiting}
    # Both are busy: it waits as any other task.
    assert lacking(floor, picky) == ""

    floor.call(floor.scheduler.cancel, at["Worker-here_0"].id, "enough")
    floor.end_of(at["Worker-here_0"])
    said = "no free normal worker offers module 'm': declined by Worker-here_0: module "
    assert lacking(floor, picky) == f"{said}{picky.path}: canrun() says that it cannot run here"
    floor.call(floor.scheduler.cancel, at["Worker-here_1"].id, "enough")
    floor.end_of(at["Worker-here_1"])
    assert lacking(floor, picky) == ""


def test_a_worker_that_was_replaced_has_declined_nothing(opened: Callable[..., Any]) -> None:
    """The new process is asked anew."""
    floor = opened(workers=1)
    bad = floor.module(MISSING)
    assert isinstance(floor.run(bad).outcome, Declined)
    assert lacking(floor, bad)

    floor.run("import os\ndef process_task(worker, task):\n    os._exit(1)\n")
    assert lacking(floor, bad) == ""


def test_a_changed_file_is_offered_again(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to wait for the pause when the author has mended it."""
    monkeypatch.setattr(withdrawn, "LOOK_S", 0.0)
    floor = opened(workers=1)
    code = floor.module(MISSING, "mended")
    assert isinstance(floor.run(code).outcome, Declined)
    assert lacking(floor, code)

    floor.module(FINE, "mended")
    assert lacking(floor, code) == ""
    assert floor.run(code).outcome == Succeeded({})

    floor.module(MISSING, "mended")
    assert isinstance(floor.run(code).outcome, Declined)
    assert lacking(floor, code)
    Path(code.path).unlink()
    assert lacking(floor, code) == ""


def test_the_pause_ends_and_grows(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was missing may have been installed meanwhile; a worker that goes on declining is asked less often."""
    monkeypatch.setattr(withdrawn, "FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr(withdrawn, "LAST_PAUSE_S", 0.4)
    floor = opened(workers=1)
    code = floor.module(MISSING)
    pauses = []
    for _ in range(3):
        assert isinstance(floor.run(code).outcome, Declined)
        begun = time.monotonic()
        while lacking(floor, code):
            time.sleep(0.01)
        pauses.append(time.monotonic() - begun)

    first, second, third = pauses
    assert 0.1 < first < 0.35 <= min(second, third)
