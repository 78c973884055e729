"""Archives that would fill the disk: refused by the limits of the worker's configuration, nothing left behind."""

from __future__ import annotations

from cryocloud_core.testing.case import Case


def _refused(title: str, members: dict[str, str], told: str) -> Case:
    return Case(
        title,
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"src": {"value": "$HERE/d/bomb.zip",'
        ' "type": "file", "unzip": true}}}',
        files={"d/bomb.zip": members},
        result="error",
        starts=(),
        errors={"A": told},
        exists={"$HERE/d/bomb.zip": True, "$HERE/d/bomb": False},
    )


CASES = (
    _refused("more members than may be", {f"{number}.txt": "" for number in range(11)}, "more than 10 entries"),
    _refused("more bytes than may be", {"a.txt": "x" * 900, "b.txt": "x" * 900}, "more than 1000 bytes"),
    Case(
        "as much as may be",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"src": {"value": "$HERE/d/full.zip",'
        ' "type": "file", "unzip": true}}}',
        files={"d/full.zip": {"a.txt": "x" * 500, "b.txt": "x" * 500}},
        args={"A": {"src": ["$HERE/d/full/a.txt", "$HERE/d/full/b.txt"]}},
    ),
)
SETTINGS = {"worker_config": {"unpack_max_entries": 10, "unpack_max_bytes": 1000}}
