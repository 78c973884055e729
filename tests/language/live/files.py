"""Arguments that a worker prepares: real files, directories, archives, tempdirs."""

from __future__ import annotations

from typing import Any

from cryocloud_core.testing.case import Case

_ZIP = {"b.txt": "b", "a.txt": "a", "d/deep.txt": "deep", ".hidden": "h"}


def _given(title: str, definition: str, value: object, **then: Any) -> Case:
    """Return the case that an argument of A is delivered so; the folder holds `in/plain.txt` and `in/a.zip`."""
    return Case(
        title,
        f'{{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {{"x": {definition}}}}}',
        files={"in/plain.txt": "plain", "in/a.zip": _ZIP},
        args={"A": {"x": value}},
        **then,
    )


def _refused(title: str, definition: str, error: str, **then: Any) -> Case:
    """Return the case that an argument cannot be prepared: the module is never called."""
    return Case(
        title,
        f'{{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {{"x": {definition}}}}}',
        files={"in/plain.txt": "plain", "in/a.zip": _ZIP, "in/b.zip": _ZIP, "in/b/mine.txt": "not unpacked"},
        result="error",
        errors={"A": error},
        starts=(),
        **then,
    )


_UNPACKED = ["$HERE/in/a/a.txt", "$HERE/in/a/b.txt", "$HERE/in/a/d"]

CASES = (
    _given("a local file stays where it is", '{"value": "$HERE/in/plain.txt", "type": "file"}', "$HERE/in/plain.txt"),
    _given("a list of files", '{"value": ["$HERE/in/plain.txt", null], "type": "file"}', ["$HERE/in/plain.txt", None]),
    _given("a directory as a file", '{"value": "$HERE/in", "type": "file"}', "$HERE/in"),
    _given(
        "an archive is a file unless it is to be unpacked",
        '{"value": "$HERE/in/a.zip", "type": "file"}',
        "$HERE/in/a.zip",
        exists={"$HERE/in/a": False},
    ),
    _given(
        "an archive is delivered as the sorted list of what it holds",
        '{"value": "$HERE/in/a.zip", "type": "file", "unzip": "true"}',
        _UNPACKED,
        exists={"$HERE/in/a.zip": True, "$HERE/in/a/d/deep.txt": True},
    ),
    _given(
        "an archive that need not be kept",
        '{"value": "$HERE/in/a.zip", "type": "file", "unzip": true, "keep": false}',
        _UNPACKED,
        exists={"$HERE/in/a.zip": False},
    ),
    _given("unzip says false", '{"value": "$HERE/in/a.zip", "type": "file", "unzip": "false"}', "$HERE/in/a.zip"),
    _given(
        "what is no archive is a list of itself",
        '{"value": "$HERE/in/plain.txt", "type": "file", "unzip": true}',
        ["$HERE/in/plain.txt"],
    ),
    _given(
        "several are one flat list",
        '{"value": ["$HERE/in/plain.txt", null, "$HERE/in/a.zip"], "type": "file", "unzip": true}',
        ["$HERE/in/plain.txt", *_UNPACKED],
    ),
    _given("null stays null", '{"value": null, "type": "file"}', None),
    _given(
        "a directory is made with its parents",
        '{"value": "$HERE/new/deep", "type": "dir"}',
        "$HERE/new/deep",
        exists={"$HERE/new/deep": True},
    ),
    _given("a directory that is there is fine", '{"value": "$HERE/in", "type": "dir"}', "$HERE/in"),
    _given(
        "several directories",
        '{"value": ["$HERE/p", "$HERE/q"], "type": "dir"}',
        ["$HERE/p", "$HERE/q"],
        exists={"$HERE/p": True, "$HERE/q": True},
    ),
    _refused("a relative path", '{"value": "in/plain.txt", "type": "file"}', "absolute path", problems=("W17",)),
    _refused("a number", '{"value": 7, "type": "file"}', "'x'", problems=("W17",)),
    _refused("a map", '{"value": {"a": 1}, "type": "file"}', "'x'", problems=("W17",)),
    _refused("a file that is not there", '{"value": "$HERE/in/none.txt", "type": "file"}', "$HERE/in/none.txt"),
    _refused("a directory where a file is", '{"value": "$HERE/in/plain.txt", "type": "dir"}', "$HERE/in/plain.txt"),
    _refused(
        "an archive beside a directory of its name",
        '{"value": "$HERE/in/b.zip", "type": "file", "unzip": true}',
        "is not an unpacked copy",
        exists={"$HERE/in/b/mine.txt": True, "$HERE/in/b/a.txt": False},
    ),
    _refused("an unknown scheme", '{"value": "gopher://h/a", "type": "file"}', "scheme", problems=("W17",)),
    # tempdirs
    Case(
        "one tempdir for an id, private to its owner, another for every argument without one; all gone at the end",
        """
        {"module": "look", "name": "A", "downstreamOf": ["In"], "args": {
         "dir": {"value": "$HERE/t", "type": "tempdir", "id": "w"}, "x": {"value": "$HERE/t", "type": "tempdir"}}},
        {"module": "look", "name": "B", "downstreamOf": ["A"], "args": {
         "dir": {"value": "$HERE/t", "type": "tempdir", "id": "w"}, "x": {"value": "$HERE/t", "type": "tempdir"},
         "y": {"output": "A.dir"}, "z": {"output": "A.x"}}}
        """,
        modules={"look": {"inputs": dict.fromkeys(("dir", "x", "y", "z"), ""), "outputs": {"dir": "", "x": ""}}},
        code={
            "look": """
assert all(os.stat(args[name]).st_mode & 0o777 == 0o700 for name in ("dir", "x"))
assert "y" not in args or (args["y"] == args["dir"] and args["z"] != args["x"])
assert "y" not in args or os.path.exists(args["dir"] + "/from-A")
open(args["dir"] + "/from-" + TaskId.parse(task["taskid"]).node, "w").close()
with open(here + "/dirs", "a") as file:
    file.write(args["dir"] + "\\n" + args["x"] + "\\n")
return 100, {"dir": args["dir"], "x": args["x"]}
"""
        },
        gone="$HERE/dirs",
    ),
    Case(
        "a tempdir is there for a deferred node and goes after it, also after a failure",
        """
        {"module": "fail", "name": "A", "downstreamOf": ["In"],
         "args": {"dir": {"value": "$HERE/t", "type": "tempdir", "id": "w"}}},
        {"module": "tidier", "name": "D", "downstreamOf": ["A"], "deferred": true,
         "args": {"dir": {"value": "$HERE/t", "type": "tempdir", "id": "w"}}}
        """,
        modules={"fail": {"inputs": {"dir": ""}}, "tidier": {"inputs": {"dir": ""}, "defaults": {"runOn": "always"}}},
        code={
            "fail": 'open(args["dir"] + "/left", "w").close()\n'
            'open(here + "/dirs", "w").write(args["dir"] + "\\n")\nraise ValueError("no")',
            "tidier": 'assert os.path.exists(args["dir"] + "/left")\n'
            'open(here + "/seen", "w").close()\nreturn 100, None',
        },
        result="error",
        exists={"$HERE/seen": True},
        gone="$HERE/dirs",
    ),
)
