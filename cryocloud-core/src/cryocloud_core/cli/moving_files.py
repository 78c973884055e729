"""What `cryocloud stage` and `cryocloud put` do: the machinery of the workers, for a person at a terminal.

Laws: paths and URLs alone go to stdout, warnings to stderr, progress too if that is a terminal; an interrupt leaves
nothing half under a final name and says what is kept; what came before it is printed as if nothing had happened.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from attrs import define, field, frozen

from cryocloud_core.cli.text import plain
from cryocloud_core.config import Config
from cryocloud_core.errors import CryoCloudError, ResolutionError, StagingError, TaskError, UsageError
from cryocloud_core.files.misspelt import misspelt_of_workers
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.service import FileService, existing
from cryocloud_core.files.targets import name_of
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.unpacked import plain_name
from cryocloud_core.head.settings import machine_name
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.url import Url
from cryocloud_core.task import Preparation, StagingKind
from cryocloud_core.url_secrets import shown_url

#: seconds for which an interrupted upload may take away its half file on the other side
_SETTLE_S = 3.0


class Interrupted(Exception):
    """The person at the terminal said stop."""


@define(eq=False)
class Ear:
    """Hears an interrupt."""

    _stop: threading.Event = field(factory=threading.Event)

    def check(self) -> None:
        """Raise Interrupted once an interrupt has come."""
        if self._stop.is_set():
            raise Interrupted

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let the first interrupt end what goes on in good order; a second one ends the process at once."""

        def stop(_number: int, _frame: Any) -> None:
            self._stop.set()
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@frozen
class Outcome:
    """What became of one source: its local paths, or why there are none. The source is as it may be shown."""

    source: str
    paths: list[str] = field(factory=list)
    error: CryoCloudError | None = None
    #: an interrupt came before its end, which people are told once for all
    is_cut: bool = False

    @classmethod
    def cut_short(cls, source: str) -> Self:
        """Return what became of a source that was interrupted."""
        shown = shown_url(source)
        return cls(shown, error=StagingError("interrupted", subject=shown), is_cut=True)

    @property
    def as_json(self) -> dict[str, Any]:
        """The object for programs."""
        failed = {} if self.error is None else {"error": str(self.error)}
        return {"url": self.source, "paths": self.paths, **failed}


def stage_files(given: Mapping[str, Any]) -> int:
    """Bring every URL here, print the paths and what failed, and return the exit code. Raises TaskError, UsageError."""
    way, is_told = Preparation(StagingKind.FILE, unzip=given["unzip"]), False
    done: dict[int, Outcome] = {}

    def work(files: FileService) -> int:
        nonlocal is_told
        if given["to"] is not None:
            _refuse_clashes(files, given["urls"], way)

        def bring(number: int) -> None:
            done[number] = _outcome(files, given["urls"][number], way, given["to"])

        try:
            with _unmade(given["to"]):
                files.together.each(bring, range(len(given["urls"])))
        except Interrupted:
            found = [done.get(number) or Outcome.cut_short(url) for number, url in enumerate(given["urls"])]
            _print_outcomes(found, as_json=given["json"])
            raise
        is_told = True
        return _print_outcomes([done[number] for number in sorted(done)], as_json=given["json"])

    def kept(moved: Collection[Moving]) -> str:
        is_any_here = any(outcome.paths for outcome in done.values())
        return _kept(moved) if moved or not is_any_here else "what is printed is whole; nothing of the rest had arrived"

    try:
        return _moving(given, work, kept)
    except CryoCloudError as error:
        if given["json"] and not is_told:
            _print_objects([Outcome(shown_url(url), error=error).as_json for url in given["urls"]])
        raise


def put_file(given: Mapping[str, Any]) -> int:
    """Send a file, print where it is, and return the exit code. Raises TaskError, UsageError."""
    path, url = given["path"].absolute(), given["url"]

    def work(files: FileService) -> int:
        try:
            sent = files.put(str(path), url)
        except Interrupted:
            if given["json"]:
                _print_objects([{"url": shown_url(url), "error": str(Outcome.cut_short(url).error)}])
            raise
        _print_objects([{"url": sent}]) if given["json"] else _print([sent])
        return 0

    def kept(_: Collection[Moving]) -> str:
        if path.is_dir():
            return f"{shown_url(url)}: what arrived below it is whole: the same command sends the rest"
        return f"{shown_url(url)} is what it was before"

    try:
        url = _destination(path, url)
        return _moving(given, work, kept)
    except CryoCloudError as error:
        if given["json"]:
            _print_objects([{"url": shown_url(url), "error": str(error)}])
        raise


def _kept(moved: Collection[Moving]) -> str:
    """Say what an interrupted transfer leaves to be gone on with; `moved` has the last that was told of each file."""
    begun = [each for each in moved if each.files_done < each.files]
    if all(each.is_kept for each in begun):
        return "what arrived is kept: the same command goes on from there" if moved else "nothing had arrived"
    anew = "the same command may have to begin anew: the server does not say that it can go on"
    is_any_whole = len(begun) < len(moved) or any(each.files_done for each in begun)
    return f"what arrived whole is kept; with the rest {anew}" if is_any_whole else anew


def _moving(
    given: Mapping[str, Any], work: Callable[[FileService], int], kept: Callable[[Collection[Moving]], str]
) -> int:
    """Do the work with this machine's file service, a bar on a terminal, and an ear for interrupts."""
    from cryocloud_core.cli.transfer_bar import bar

    ear, moved = Ear(), dict[str, Moving]()
    with bar(sys.stderr) as show, ear.open():

        def told(moving: Moving) -> None:
            if moving.has_figures:
                moved[moving.url.text] = moving
                show(moving)

        files = _service(given, told, ear.check)
        try:
            code = work(files)
            files.remote.release()
        except Interrupted:
            print(f"interrupted; {plain(kept(moved.values()))}", file=sys.stderr)
            files.remote.settle(_SETTLE_S)
            return 130
        except ResolutionError as error:
            raise _usage(error) from error
        finally:
            files.remote.release(sweep=False)
            files.remote.transfers.close()
        return code


def _service(given: Mapping[str, Any], show: Callable[[Moving], None], check: Callable[[], None]) -> FileService:
    config = Config.load(Path.cwd(), given["profile"])
    transfers = Transfers(Routes.of(Registry.installed(), config.subtree))
    settings = config.subtree("CryoCloud.Worker")
    for line in misspelt_of_workers(settings):
        print(plain(line), file=sys.stderr)
    return FileService.of(settings, machine_name(), transfers, check, show)


def _outcome(files: FileService, source: str, way: Preparation, to: Path | None) -> Outcome:
    try:
        return Outcome(shown_url(source), _staged(files, source, way, to))
    except ResolutionError as error:
        return Outcome(shown_url(source), error=_usage(error))
    except CryoCloudError as error:
        return Outcome(shown_url(source), error=error)


def _usage(error: ResolutionError) -> UsageError:
    """Return what can never work as a mistake in the command line."""
    return UsageError(error.message, subject=error.subject, place=error.place, remedy=error.remedy)


def _staged(files: FileService, source: str, way: Preparation, to: Path | None) -> list[str]:
    place = files.find(source, way)
    if to is None:
        return files.brought([place], way)[0] if isinstance(place, Url) else files.local(place, way)
    return files.remote.keep(place if isinstance(place, Url) else existing(place), to.absolute(), unzip=way.unzip)


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


def _refuse_clashes(files: FileService, sources: list[str], way: Preparation) -> None:
    """Raise UsageError when what is brought into one directory would replace each other."""
    names: dict[str, str] = {}
    for source in dict.fromkeys(sources):
        try:
            place = files.find(source, way)
        except TaskError:  # it is told when it is brought
            continue
        name = name_of(place) if isinstance(place, Url) else place.name
        # Only its content tells whether it is an archive.
        for become in (name, plain_name(name)) if way.unzip else (name,):
            other = names.setdefault(become, source)
            if other != source:
                raise UsageError(
                    f"{shown_url(other)} and {shown_url(source)} would both become {become}",
                    remedy="bring them one by one, into directories of their own",
                )


def _destination(path: Path, url: str) -> str:
    """Return the URL of a file's new place: a directory, or a bucket alone, keeps the file's name."""
    if url.startswith("s3://"):
        server, _, key = url.removeprefix("s3://").partition("/")
        if not key.strip("/"):
            raise UsageError("names no bucket", subject=url, remedy=f"write s3://{server or 'SERVER'}/BUCKET/")
        if "/" not in key.rstrip("/"):
            url = f"{url.rstrip('/')}/"
    return f"{url}{path.name}" if url.endswith("/") else url


def _print_outcomes(outcomes: list[Outcome], *, as_json: bool) -> int:
    """Print what came, and a line for all that did not; return the exit code."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None and not outcome.is_cut]
    if as_json:
        _print_objects([outcome.as_json for outcome in outcomes])
    else:
        _print([path for outcome in outcomes for path in outcome.paths])
    for error in errors:
        print(plain(str(error)), file=sys.stderr)
    codes = {error.exit_code for error in errors}
    return max(codes, default=0) if len(codes) < 2 else 1


def _print_objects(objects: list[dict[str, Any]]) -> None:
    for each in objects:
        print(json.dumps(each), flush=True)


def _print(lines: list[str]) -> None:
    if sys.stdout.isatty():
        for line in lines:
            print(plain(line))
        return
    # A name may hold bytes that are no text: a program that reads it gets them as they are.
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(os.fsencode(line) + b"\n" for line in lines))
    sys.stdout.buffer.flush()
