"""Finding log records: every condition, the last ones, what comes next."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.head.log_search import Follower, Wanted, last_records
from cryocloud_core.head.records import Records
from cryocloud_core.sdk.observed import LogRecord


def record(number: int, text: str = "said", **more: Any) -> LogRecord:
    """Return a log record."""
    return LogRecord(**{"at": float(number), "level": "INFO", "text": f"{text} {number}", "logger": "l", **more})


def write(directory: Path, *told: LogRecord, rotate_bytes: int = 10**9) -> None:
    """Write records and close."""
    directory.mkdir(exist_ok=True)
    records = Records(directory, rotate_bytes)
    records.start()
    for each in told:
        records.put(each)
    records.stop()


TOLD = (
    record(1, "Unpacking S1A", level="INFO", pebble=42, node="Unpack", task="42/Unpack/1", worker="Worker-a_0"),
    record(2, "no band", level="ERROR", pebble=42, node="Wind 1", task="42.1/Wind 1/1", worker="Worker-a_1"),
    record(3, "low disk", level="WARNING", logger="cryocloud.head", workflow="Ocean"),
    record(4, "odd", level="NOTICE", pebble=7, node="W[x]", task="7/W[x]/1"),
    record(5, "noise", level="DEBUG", pebble=420, node="Wind 2", task="420/Wind 2/1", module="fetch"),
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), [1, 2, 3, 4, 5]),
        (Wanted(("s1a", "OCEAN")), [1, 3]),
        (Wanted(("worker-a",)), [1, 2]),
        (Wanted(("error",)), [2]),
        (Wanted(("fetch",)), [5]),
        (Wanted(level="WARNING"), [2, 3, 4]),
        (Wanted(level="DEBUG"), [1, 2, 3, 4, 5]),
        (Wanted(since=3.0), [3, 4, 5]),
        (Wanted(pebble=42), [1, 2]),
        (Wanted(pebble=42, task="42.1/"), [2]),
        (Wanted(node="Wind 1"), [2]),
        (Wanted(node="Wind*"), [2, 5]),
        (Wanted(node="W[x]"), [4]),
        (Wanted(node="Wind"), []),
        (Wanted(worker="*_1"), [2]),
        (Wanted(grep=re.compile(r"^no|disk")), [2, 3, 5]),
        (Wanted(grep=re.compile(r"no \w+"), level="ERROR", pebble=42), [2]),
        (Wanted(("band",), node="Unpack"), []),
    ],
    ids=str,
)
def test_what_is_wanted_is_found(wanted: Wanted, found: list[int], tmp_path: Path) -> None:
    """Each condition alone and together; a level that nobody knows counts as serious."""
    write(tmp_path, *TOLD)

    assert [int(each.at) for each in last_records([tmp_path], wanted, 10)] == found


def test_the_last_ones_are_found_over_several_runs(tmp_path: Path) -> None:
    """In order of time; those of one moment in the order in which they were written."""
    write(tmp_path / "a", *(record(number, "a") for number in (1, 2, 3, 4)), record(9, "first"), record(9, "second"))
    write(tmp_path / "b", *(record(number, "b") for number in (2, 5, 6)))
    both = [tmp_path / "a", tmp_path / "b", tmp_path / "not there"]

    assert [each.text for each in last_records(both, Wanted(), 5)] == ["a 4", "b 5", "b 6", "first 9", "second 9"]
    assert [each.text for each in last_records(both, Wanted(("b 2",)), 5)] == ["b 2"]
    assert last_records(both, Wanted(), 0) == []


def test_records_are_found_while_they_are_written(tmp_path: Path) -> None:
    """A follower sees each wanted record once, also those that the file was put aside with."""
    records = Records(tmp_path, rotate_bytes=50_000)
    records.start()
    records.put(record(0))
    while not last_records([tmp_path], Wanted(), 1):
        time.sleep(0.01)
    follower = Follower(tmp_path, Wanted(("wanted",)))
    seen = []
    for number in range(1, 401):
        records.put(record(number, "wanted" if number % 2 else "other " + "x" * 400))
        if number % 10 == 0:
            time.sleep(0.003)
            seen += follower.fresh()
    records.stop()
    seen += follower.fresh()

    assert (tmp_path / "records.1.db").exists()
    assert [int(each.at) for each in seen] == list(range(1, 401, 2))


def test_what_a_file_was_put_aside_with_is_not_missed(tmp_path: Path) -> None:
    """A record written just before the change of files is seen, then those after it, each once."""
    write(tmp_path, record(1))
    follower = Follower(tmp_path, Wanted())
    write(tmp_path, record(2), rotate_bytes=1)
    write(tmp_path, record(3))

    assert [int(each.at) for each in follower.fresh()] == [2, 3]
    assert follower.fresh() == []
