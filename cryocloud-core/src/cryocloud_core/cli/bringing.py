"""Bringing the sources of one `cryocloud stage` here: those of one server side by side, all others one by one.

Laws: a source that fails keeps no other from coming; what does not come side by side comes, or tells why it does not,
by the way for one; what came before an interrupt is known.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from operator import itemgetter
from pathlib import Path
from queue import Empty, PriorityQueue

from attrs import define, field, frozen

from cryocloud_core.cli.outcomes import Outcome
from cryocloud_core.errors import CryoCloudError, ResolutionError, TaskError, UsageError
from cryocloud_core.files.service import FileService, existing
from cryocloud_core.files.targets import name_of
from cryocloud_core.files.together import WIDTH
from cryocloud_core.files.unpacked import plain_name
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Preparation
from cryocloud_core.url_secrets import shown_url

logger = logging.getLogger(__name__)

#: seconds after which a thread that has nothing to do looks whether all are to stop
_LOOK_S = 0.02


@frozen(order=True)
class _Job:
    """Something to do, the sooner the smaller the number of the source that it begins with."""

    number: int
    work: Callable[[], None] = field(order=False)


@define(eq=False)
class Bringing:
    """What is brought: the sources in their order, what is wanted of them, a directory of the user's own if any.

    `done` fills with what became of each, by its number.
    """

    files: FileService
    sources: Sequence[str]
    way: Preparation
    to: Path | None
    done: dict[int, Outcome] = field(factory=dict)
    _places: dict[int, Path | Url] = field(factory=dict)
    #: what nobody has begun with; how many are not done yet
    _jobs: PriorityQueue[_Job] = field(factory=PriorityQueue)
    _left: int = 0
    _lock: threading.Lock = field(factory=threading.Lock)

    def run(self) -> None:
        """Bring all that can be had. Raises UsageError, and what `check` raises."""
        if self.to is not None:
            self._refuse_clashes()
        together = self.files.together
        with _unmade(self.to):
            together.each(self._find, range(len(self.sources)))
            groups, alone = self._groups()
            for group in groups:
                self._add(group[0], partial(self._bring_side_by_side, group))
            for number in alone:
                self._add(number, partial(self._bring, number))
            together.each(lambda _: self._work(), range(min(WIDTH, len(self._places))))

    def outcomes(self) -> list[Outcome]:
        """Return what became of each source; those of which nothing is known were interrupted."""
        return [self.done.get(number) or Outcome.cut_short(source) for number, source in enumerate(self.sources)]

    def _find(self, number: int) -> None:
        try:
            self._places[number] = self.files.find(self.sources[number], self.way)
        except CryoCloudError as error:
            self._fail(number, error)

    def _groups(self) -> tuple[list[list[int]], list[int]]:
        """Return the numbers of files that are not alone on their server, those of each one together; and the rest."""
        found: dict[str, list[int]] = {}
        for number, place in sorted(self._places.items(), key=itemgetter(0)):
            server = place.endpoint if isinstance(place, Url) and not self.way.unzip else ""
            found.setdefault(server, []).append(number)
        alone = found.pop("", [])
        groups = []
        for numbers in found.values():
            if len({self._places[number] for number in numbers}) > 1:
                groups.append(numbers)
            else:
                alone += numbers
        return groups, sorted(alone)

    def _add(self, number: int, job: Callable[[], None]) -> None:
        with self._lock:
            self._left += 1
        self._jobs.put(_Job(number, job))

    def _work(self) -> None:
        """Do jobs until none is left, those too that jobs under way add."""
        while self._left:
            self.files.how.check()
            with suppress(Empty):
                self._jobs.get(timeout=_LOOK_S).work()
                with self._lock:
                    self._left -= 1

    def _bring_side_by_side(self, numbers: Sequence[int]) -> None:
        """Bring what comes of the files of one server; each of the others is a job of its own."""
        places = {number: place for number in numbers if isinstance(place := self._places[number], Url)}
        came: dict[Url, Path] = {}
        try:
            self.files.remote.bring_small(dict.fromkeys(places.values()), self.to, came)
        except CryoCloudError as error:  # it is told of each when it is brought alone
            logger.debug("the files of one server are brought one by one: %s", error)
        finally:
            for number, url in places.items():
                if url in came:
                    self.done[number] = Outcome(shown_url(self.sources[number]), [str(came[url])])
        for number in numbers:
            if number not in self.done:
                self._add(number, partial(self._bring, number))

    def _bring(self, number: int) -> None:
        try:
            self.done[number] = Outcome(shown_url(self.sources[number]), self._brought(self._places[number]))
        except CryoCloudError as error:
            self._fail(number, error)

    def _brought(self, place: Path | Url) -> list[str]:
        if self.to is not None:
            source = place if isinstance(place, Url) else existing(place)
            return self.files.remote.keep(source, self.to.absolute(), unzip=self.way.unzip)
        return self.files.brought([place], self.way)[0] if isinstance(place, Url) else self.files.local(place, self.way)

    def _fail(self, number: int, error: CryoCloudError) -> None:
        told = usage(error) if isinstance(error, ResolutionError) else error
        self.done[number] = Outcome(shown_url(self.sources[number]), error=told)

    def _refuse_clashes(self) -> None:
        """Raise UsageError when what is brought into one directory would replace each other."""
        names: dict[str, str] = {}
        for source in dict.fromkeys(self.sources):
            try:
                place = self.files.find(source, self.way)
            except TaskError:  # it is told when it is brought
                continue
            name = name_of(place) if isinstance(place, Url) else place.name
            # Only its content tells whether it is an archive.
            for become in (name, plain_name(name)) if self.way.unzip else (name,):
                other = names.setdefault(become, source)
                if other != source:
                    raise UsageError(
                        f"{shown_url(other)} and {shown_url(source)} would both become {become}",
                        remedy="bring them one by one, into directories of their own",
                    )


def usage(error: ResolutionError) -> UsageError:
    """Return what can never work as a mistake in the command line."""
    return UsageError(error.message, subject=error.subject, place=error.place, remedy=error.remedy)


@contextmanager
def _unmade(to: Path | None) -> Iterator[None]:
    """When the work is over, remove the directories it made on the way to `to`, as far as they are empty."""
    folder = None if to is None else to.absolute()
    made = [] if folder is None else [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        yield
    finally:
        # What has arrived, in part too, is gone on with the next time.
        with suppress(OSError):
            for each in made:
                each.rmdir()
