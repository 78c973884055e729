"""What moves in a run: inbox, wheel, performer and feeds, wired to each other and to what a start found.

Laws: everything is made before anything moves; who decides when the run begins and ends is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import frozen

from cryocloud_core.engine.restrictions import Restrictions
from cryocloud_core.head.assemble import Parts
from cryocloud_core.head.blobs import Blobs
from cryocloud_core.head.cache import ResultCache
from cryocloud_core.head.dispatch import Dispatch
from cryocloud_core.head.feeds import Feeds
from cryocloud_core.head.inbox import Inbox
from cryocloud_core.head.observers import Observers
from cryocloud_core.head.perform import Performer
from cryocloud_core.head.recovery import next_seq
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.head.resume import Given
from cryocloud_core.head.settings import IsOurs, LoadInput, RunSettings
from cryocloud_core.head.status import Status
from cryocloud_core.head.story import Story
from cryocloud_core.head.telling import Telling
from cryocloud_core.head.wheel import Wheel
from cryocloud_core.sdk.scheduler import Scheduler, SchedulerSettings


@frozen(eq=False)
class Machinery:
    """The moving parts of one run."""

    inbox: Inbox
    story: Story
    performer: Performer
    wheel: Wheel
    feeds: Feeds

    @classmethod
    def build(
        cls,
        parts: Parts,
        given: Mapping[str, Given],
        settings: RunSettings,
        scheduler: Scheduler,
        *,
        telling: Telling,
        status: Status,
        observers: Observers,
        load_input: LoadInput,
        is_ours: IsOurs,
        input_ended: Callable[[bool], None],
    ) -> Machinery:
        """Return the parts wired together; `input_ended` is called when an input failed, True if at its start."""
        inbox = Inbox()
        story = Story(parts.ledger, parts.counters, parts.results, observers, telling)
        performer = _performer(parts, given, settings, scheduler, inbox=inbox, story=story, status=status)
        wheel = Wheel(
            parts.engine,
            parts.journal,
            parts.contexts,
            parts.ledger,
            graphs=parts.graphs,
            machine=settings.machine,
            next_seq=next_seq(parts.journal.reader),
            perform=performer.perform,
        )
        feeds = Feeds(
            parts, inbox, telling, once=settings.once, load_input=load_input, is_ours=is_ours, ended=input_ended
        )
        inbox.turn = wheel.turn
        story.arrived = feeds.durable
        return cls(inbox, story, performer, wheel, feeds)

    @property
    def is_moving(self) -> bool:
        """True while something has come in that is not durable yet."""
        return bool(len(self.inbox) or self.wheel.pending)


def _performer(
    parts: Parts,
    given: Mapping[str, Given],
    settings: RunSettings,
    scheduler: Scheduler,
    *,
    inbox: Inbox,
    story: Story,
    status: Status,
) -> Performer:
    blobs = Blobs(parts.journal.reader)
    workflows = [each.workflow for each in given.values()]
    performer = Performer(
        parts.engine,
        parts.gate,
        scheduler,
        inbox,
        counters=parts.counters,
        dispatch=Dispatch(blobs, parts.ledger, workflows, settings, parts.journal.start, veil=status.veil),
        story=story,
        cache=ResultCache(parts.journal.reader, [] if settings.nocache else workflows),
    )
    performer.task_over, performer.said = status.publisher.ended, status.said
    restrictions = Restrictions(workflows, status.board)
    if restrictions.channels():
        status.follow(restrictions.channels())
        performer.restraint = Restraint(restrictions, parts.gate, parts.ledger, parts.engine)
    return performer


def scheduler_settings(settings: RunSettings, state_dir: Path) -> SchedulerSettings:
    """Return what a scheduler is told of the run."""
    return SchedulerSettings(
        state_dir=state_dir,
        machine=settings.machine,
        workers=settings.workers,
        admin_workers=settings.admin_workers,
        gpus=settings.gpus,
        cancel_grace_s=settings.cancel_grace_s,
        log_level=settings.log_level,
        worker_config=settings.worker_config,
        routes=settings.routes,
        address=settings.address,
    )
