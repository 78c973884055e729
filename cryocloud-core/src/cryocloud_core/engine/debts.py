"""What a pebble owes the world: tempdirs to remove, and after a restart every command still unanswered.

Laws: a tempdir is owed from the moment a task that names it may have begun somewhere; a debt ends only with
CleanUpEnded of that machine.
"""

from __future__ import annotations

from cryocloud_core.engine.commands import CancelTask, CleanUp, Command, SetTimer, StartTask
from cryocloud_core.engine.events import TaskEnded
from cryocloud_core.engine.pebble import NodeRun, Pebble, Phase
from cryocloud_core.engine.states import State
from cryocloud_core.task import Cancelled, Declined, Lost, StagingKind

CLEAN_UP_TIMER = "clean-up"


def used_tempdirs(pebble: Pebble, run: NodeRun, event: TaskEnded) -> None:
    """Note the tempdirs that a task, now ended, may have made on its machine."""
    if event.stats is not None:
        _note(pebble, run, event.stats.node)
    elif isinstance(event.outcome, Lost):
        _note(pebble, run, event.outcome.node)
    elif not isinstance(event.outcome, Declined | Cancelled):
        _note(pebble, run, pebble.machine)


def used_at_birth(pebble: Pebble, run: NodeRun) -> None:
    """Note the tempdirs of a task nobody will report on: it may have begun where the pebble was made."""
    _note(pebble, run, pebble.machine)


def _note(pebble: Pebble, run: NodeRun, machine: str) -> None:
    if run.task is None:
        return
    for staging in run.task.staging:
        if staging.preparation.kind is StagingKind.TEMPDIR:
            pebble.tempdirs.setdefault(machine, {})[run.task.args[staging.argument]] = None


def clean_ups(pebble: Pebble) -> list[Command]:
    """Return the clean-ups the pebble owes, one a machine."""
    return [
        CleanUp(pebble.id, pebble.nonce, machine, tuple(bases)) for machine, bases in sorted(pebble.tempdirs.items())
    ]


def owed_by(pebble: Pebble) -> list[Command]:
    """Return every command of the pebble that has no answer yet."""
    owed: list[Command] = []
    for task, run in pebble.tasks.items():
        if run.state is State.CANCELLING:
            owed.append(CancelTask(pebble.id, task, pebble.given_up))
        elif run.task is not None:
            owed.append(StartTask(run.task))
    owed.extend(pebble.meetings.values())
    owed.extend(question.asked(pebble.id) for question in pebble.questions.values())
    owed.extend(SetTimer(pebble.id, timer, run.due_at) for timer, run in pebble.timers.items())
    if pebble.phase in (Phase.CLEANING, Phase.OWING):
        owed.extend(clean_ups(pebble))
    if pebble.phase is Phase.CLEANING:
        owed.append(SetTimer(pebble.id, CLEAN_UP_TIMER, pebble.clean_by))
    return owed
