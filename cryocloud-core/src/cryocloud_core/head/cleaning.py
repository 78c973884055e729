"""Removing the tempdirs of pebbles: one admin task a machine, repeated until it is done.

Laws: clean-up runs outside every limit and every counter; what fails is tried again later and later, and
stays owed over any number of restarts.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from attrs import define

from cryocloud_core.engine.commands import CleanUp
from cryocloud_core.sdk.scheduler import Scheduler
from cryocloud_core.task import Code, Outcome, Succeeded, Task, TaskId

#: the name of the internal node; a workflow's nodes cannot have a colon in theirs
CLEAN_UP: Final = "cryocloud:clean_up"
_CODE: Final = Code(reference="cryocloud_core.files.tempdirs")
_FIRST_WAIT_S = 5.0
_LONGEST_WAIT_S = 60.0


@define(eq=False)
class _Debt:
    """A clean-up that is owed: `tries` so far, and the task that is out for it."""

    command: CleanUp
    tries: int = 0
    task: str = ""


class Cleaning:
    """All clean-ups that are owed; `paid` is called with pebble and machine when one is done."""

    def __init__(
        self, scheduler: Scheduler, paid: Callable[[int, str], None], complain: Callable[[CleanUp, str], None]
    ) -> None:
        self._scheduler = scheduler
        self._paid = paid
        self._complain = complain
        self._debts: dict[tuple[int, str], _Debt] = {}
        self._ready: dict[str, deque[_Debt]] = defaultdict(deque)
        self._out: dict[str, _Debt] = {}

    def __len__(self) -> int:
        """Return how many clean-ups are owed."""
        return len(self._debts)

    def owe(self, command: CleanUp) -> None:
        """Take a debt; one that is known is not taken twice."""
        key = (command.pebble, command.machine)
        if key not in self._debts:
            self._debts[key] = debt = _Debt(command)
            self._ready[command.machine].append(debt)

    def hand_out(self) -> None:
        """Offer what is ready, for each machine until the scheduler refuses."""
        for ready in self._ready.values():
            while ready:
                task = _task(ready[0])
                if not self._scheduler.offer(task):
                    break
                debt = ready.popleft()
                debt.task = task.id
                self._out[task.id] = debt

    def ended(self, task: str, outcome: Outcome) -> bool:
        """Take the end of a task; False when it is no clean-up."""
        debt = self._out.pop(task, None)
        if debt is None:
            return False
        command = debt.command
        if isinstance(outcome, Succeeded):
            del self._debts[command.pebble, command.machine]
            self._paid(command.pebble, command.machine)
        else:
            self._complain(command, getattr(outcome, "error", "") or getattr(outcome, "why", ""))
            wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**debt.tries)
            debt.tries += 1
            asyncio.get_running_loop().call_later(wait_s, self._again, debt)
        return True

    def _again(self, debt: _Debt) -> None:
        self._ready[debt.command.machine].append(debt)
        self.hand_out()


def _task(debt: _Debt) -> Task:
    """Return the admin task that pays a debt."""
    command = debt.command
    attempt = debt.tries + 1
    return Task(
        id=str(TaskId(command.pebble, f"{CLEAN_UP}:{command.machine}", attempt)),
        pebble=command.pebble,
        node=CLEAN_UP,
        module=CLEAN_UP,
        workflow="",
        code=_CODE,
        nonce=command.nonce,
        args={"nonce": command.nonce, "bases": list(command.bases)},
        attempt=attempt,
        kind="admin",
        machines=(command.machine,),
    )
