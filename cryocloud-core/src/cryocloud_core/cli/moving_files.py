"""What `cryocloud stage` and `cryocloud put` do: the machinery of the workers, for a person at a terminal.

Laws: paths and URLs alone go to stdout, warnings to stderr, progress too if that is a terminal; an interrupt leaves
nothing half under a final name and says what is kept; what came before it is printed as if nothing had happened.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from cryocloud_core.cli.bringing import Bringing, usage
from cryocloud_core.cli.ear import Ear, Interrupted
from cryocloud_core.cli.outcomes import Outcome, print_lines, print_objects, print_outcomes
from cryocloud_core.cli.text import plain
from cryocloud_core.config import Config
from cryocloud_core.errors import CryoCloudError, ResolutionError, UsageError
from cryocloud_core.files.misspelt import misspelt_of_workers
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.head.settings import machine_name
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.task import Preparation, StagingKind
from cryocloud_core.url_secrets import shown_url

#: seconds for which an interrupted upload may take away its half file on the other side
_SETTLE_S = 3.0


def stage_files(given: Mapping[str, Any]) -> int:
    """Bring every URL here, print the paths and what failed, and return the exit code. Raises TaskError, UsageError."""
    way, is_told = Preparation(StagingKind.FILE, unzip=given["unzip"]), False
    done: dict[int, Outcome] = {}

    def work(files: FileService) -> int:
        nonlocal is_told
        bringing = Bringing(files, given["urls"], way, given["to"], done)
        try:
            bringing.run()
        except Interrupted:
            print_outcomes(bringing.outcomes(), as_json=given["json"])
            raise
        is_told = True
        return print_outcomes(bringing.outcomes(), as_json=given["json"])

    def kept(moved: Collection[Moving]) -> str:
        is_any_here = any(outcome.paths for outcome in done.values())
        return _kept(moved) if moved or not is_any_here else "what is printed is whole; nothing of the rest had arrived"

    try:
        return _moving(given, work, kept)
    except CryoCloudError as error:
        if given["json"] and not is_told:
            print_objects([Outcome(shown_url(url), error=error).as_json for url in given["urls"]])
        raise


def put_file(given: Mapping[str, Any]) -> int:
    """Send a file, print where it is, and return the exit code. Raises TaskError, UsageError."""
    path, url = given["path"].absolute(), given["url"]

    def work(files: FileService) -> int:
        try:
            sent = files.put(str(path), url)
        except Interrupted:
            if given["json"]:
                print_objects([{"url": shown_url(url), "error": str(Outcome.cut_short(url).error)}])
            raise
        print_objects([{"url": sent}]) if given["json"] else print_lines([sent])
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
            print_objects([{"url": shown_url(url), "error": str(error)}])
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

    ear, moved = Ear(), dict[tuple[str, bool], Moving]()
    with bar(sys.stderr) as show, ear.open():

        def told(moving: Moving) -> None:
            if moving.has_figures:
                moved[moving.key] = moving
                show(moving)

        files = _service(given, told, ear.check)
        try:
            code = work(files)
            files.remote.release()
        except Interrupted:
            begun = [each for each in moved.values() if each.files]  # a batch of which nothing came has none
            print(f"interrupted; {plain(kept(begun))}", file=sys.stderr)
            files.remote.settle(_SETTLE_S)
            return 130
        except ResolutionError as error:
            raise usage(error) from error
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


def _destination(path: Path, url: str) -> str:
    """Return the URL of a file's new place: a directory, or a bucket alone, keeps the file's name."""
    if url.startswith("s3://"):
        server, _, key = url.removeprefix("s3://").partition("/")
        if not key.strip("/"):
            raise UsageError("names no bucket", subject=url, remedy=f"write s3://{server or 'SERVER'}/BUCKET/")
        if "/" not in key.rstrip("/"):
            url = f"{url.rstrip('/')}/"
    return f"{url}{path.name}" if url.endswith("/") else url
