"""Clean-ups that are owed: offered machine by machine."""

from __future__ import annotations

from typing import Any

from desk import Desk, nothing

from cryocloud_core.engine.commands import CleanUp
from cryocloud_core.head.cleaning import Cleaning
from cryocloud_core.task import Succeeded, Task


class _Here(Desk):
    """Takes tasks for one machine only, as many as there are places."""

    def offer(self, task: Task) -> bool:
        if "here" not in task.machines or len(self.offered) >= self.slots:
            return False
        self.offered.append(task)
        return True


def test_a_machine_that_is_gone_holds_up_no_other_clean_up() -> None:
    """A head that came back under another name pays the debts that it can pay, the oldest first."""
    paid: list[Any] = []
    desk = _Here(nothing, slots=1)
    cleaning = Cleaning(desk, lambda *debt: paid.append(debt), lambda *_: None)
    for pebble, machine in ((1, "gone"), (2, "here"), (3, "gone"), (4, "here")):
        cleaning.owe(CleanUp(pebble, f"n{pebble}", machine, (None,)))
    for _ in range(2):
        cleaning.hand_out()
        assert len(desk.offered) == 1
        cleaning.ended(desk.offered.pop().id, Succeeded({}))
    cleaning.hand_out()

    assert paid == [(2, "here"), (4, "here")]
    assert len(cleaning) == 2
