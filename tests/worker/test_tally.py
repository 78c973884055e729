"""What the log says was fetched and sent: how much, from where, how much of it anew; nothing when nothing was."""

from __future__ import annotations

import pytest
from attrs import evolve

from cryocloud_core.files.moving import Moving, Step
from cryocloud_core.sdk.url import Url
from cryocloud_core.worker.tally import Tally


@pytest.fixture
def tally() -> Tally:
    """Give a tally whose clock goes on by two seconds each time it is looked at."""
    seconds = iter(range(0, 1000, 2))
    made = Tally(lambda: float(next(seconds)))
    made.begin()
    return made


def complete(url: str, size: int = 1000, files: int = 1, step: Step = Step.MOVES) -> Moving:
    """Return a transfer that has ended, or a copy that is used again."""
    return Moving(Url.parse(url), size, size, files, files, step=step)


def test_where_nothing_is_complete_there_is_no_line(tally: Tally) -> None:
    """Nothing was told, a URL was only asked, or files are still on their way."""
    url = Url.parse("http://web/a")
    for step in (Step.ASKED, Step.AGAIN, Step.OVER):
        tally.told(Moving(url, step=step))
    tally.told(Moving(url, 5, 10))
    tally.told(Moving(url, 0, 0, 0, 0))
    assert tally.fetched() == tally.sent() == ""


def test_one_file_is_named(tally: Tally) -> None:
    """Without the secrets of its URL."""
    tally.told(complete("https://web:8443/d/a.nc?token=Zq123", 3_210_000))
    assert tally.fetched() == "fetched a.nc, 3.2 MB, from https://web:8443 (2.0 s)"
    assert tally.sent() == "sent a.nc, 3.2 MB, to https://web:8443/d/a.nc?token=••• (4.0 s)"
    tally.begin()
    tally.told(complete("s3://store/b/a.nc?x", 873, step=Step.REUSED))
    assert tally.fetched() == "fetched a.nc?x, 873 B, not anew, from s3://store (2.0 s)"


def test_several_files_are_counted(tally: Tally) -> None:
    """A batch is told under the name of its first file, which may come alone; what is brought and then used is anew."""
    tally.told(evolve(complete("http://web/f00", 40_000, 40), is_batch=True))
    tally.told(complete("http://web/f00", 1000))
    tally.told(complete("http://web/f00", 1000, step=Step.REUSED))
    tally.told(complete("http://web/f50", 1000, step=Step.REUSED))
    tally.told(complete("ssh://me@far/x/tree/", 8000, 8))
    assert tally.fetched() == "fetched 50 files, 50.0 kB, 49 of them anew, from http://web, ssh://me@far (2.0 s)"
    tally.begin()
    for number in range(2):
        tally.told(complete(f"s3://store/b/{number}", step=Step.REUSED))
    assert tally.fetched() == "fetched 2 files, 2.0 kB, none of them anew, from s3://store (2.0 s)"
    tally.begin()
    tally.told(evolve(complete("s3://store/b/tree/", 2000, 2), is_kept=True))
    assert tally.sent() == "sent 2 files, 2.0 kB, to s3://store/b/tree/ (2.0 s)"
