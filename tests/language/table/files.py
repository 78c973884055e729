"""Arguments that a worker prepares: files, directories, tempdirs."""

from __future__ import annotations

from cryocloud_core.task import Cancelled, TimedOut
from cryocloud_core.testing.case import Case

_P = '{"module": "work", "name": "P", "downstreamOf": ["In"]},'


def _staged(title: str, definition: str, staging: str, **then: object) -> Case:
    """Return the case that an argument of A, below P that returned a path, is prepared so."""
    return Case(
        title,
        _P + f'{{"module": "work", "name": "A", "downstreamOf": ["P"], "args": {{"x": {definition}}}}}',
        workflow={"options": {"o": {"default": "/o/a.zip"}}},
        ends={"P": {"dst": "/p/a.zip"}},
        **{"staged": {"A": {"x": staging}}, **then},  # type: ignore[arg-type]
    )


def _refused(title: str, definition: str, *problems: str) -> Case:
    return Case(
        title,
        _P + f'{{"module": "work", "name": "A", "downstreamOf": ["P"], "args": {{"x": {definition}}}}}',
        problems=problems,
    )


CASES = (
    _staged("a file lies where the node that returned it ran", '{"output": "P.dst", "type": "file"}', "file @m1"),
    _staged("so for the parent", '{"output": "parent.dst", "type": "file"}', "file @m1"),
    _staged("a file named by an option lies on the head", '{"option": "o", "type": "file"}', "file @head"),
    _staged("a file written down lies on the head", '{"value": "/d/a.zip", "type": "file"}', "file @head"),
    _staged(
        "a default lies on the head",
        '{"output": "P.e", "default": "/d/a", "type": "file"}',
        "file @head",
        args={"A": {"x": "/d/a"}},
    ),
    _staged(
        "with every word",
        '{"output": "P.dst", "type": "file", "proto": "http", "unzip": "true", "copy": "no", "keep": false}',
        "file unzip no-copy drop http @m1",
    ),
    _staged("a path without a type is a text like any other", '{"output": "P.dst"}', "nothing", staged={}),
    _staged("a directory to be made", '{"value": "/d/new", "type": "dir"}', "dir"),
    _staged(
        "null stays null",
        '{"output": "P.e", "type": "file"}',
        "file @head",
        args={"A": {"x": None}},
        notes=("argument 'x' is null",),
    ),
    _staged("a tempdir needs no source", '{"type": "tempdir"}', "tempdir", args={"A": {"x": None}}, cleaned=(None,)),
    _staged(
        "a tempdir with a base of its own",
        '{"value": "/fast", "type": "tempdir", "id": "w"}',
        "tempdir w",
        args={"A": {"x": "/fast"}},
        cleaned=("/fast",),
    ),
    Case(
        "one id is one directory for every node, removed once",
        _P
        + """
        {"module": "work", "name": "A", "downstreamOf": ["P"], "args": {"dir": {"type": "tempdir", "id": "w"}}},
        {"module": "work", "name": "B", "downstreamOf": ["A"], "args": {"dir": {"type": "tempdir", "id": "w"}}}
        """,
        staged={"A": {"dir": "tempdir w"}, "B": {"dir": "tempdir w"}},
        cleaned=(None,),
    ),
    Case(
        "tempdirs go after a failure, a timeout and a cancel as well",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"dir": {"value": "/a", "type": "tempdir"}}},
        {"module": "work", "name": "B", "downstreamOf": ["In"], "args": {"dir": {"value": "/b", "type": "tempdir"}}},
        {"module": "work", "name": "C", "downstreamOf": ["In"], "args": {"dir": {"value": "/c", "type": "tempdir"}}}
        """,
        ends={"A": "no", "B": TimedOut("over"), "C": Cancelled("Worker killed")},
        cleaned=("/a", "/b", "/c"),
        result="error",
    ),
    Case(
        "a node that never ran left nothing to remove",
        _P + '{"module": "work", "name": "A", "downstreamOf": ["P"], "args": {"dir": {"type": "tempdir"}}}',
        ends={"P": "no"},
        cleaned=(),
        result="error",
    ),
    Case(
        "a tempdir whose base is an option that nobody gave is made where the worker likes",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], '
        '"args": {"dir": {"option": "tmpdir", "type": "tempdir", "id": "work"}}}',
        workflow={"options": {"tmpdir": {}}},
        args={"A": {"dir": None}},
        notes=("option 'tmpdir' was not given",),
        cleaned=(None,),
    ),
    Case(
        "a base that is no path",
        _P + '{"module": "work", "name": "A", "downstreamOf": ["P"], '
        '"args": {"dir": {"output": "P.n", "type": "tempdir"}}}',
        ends={"P": {"n": 5}},
        states={"A": "error"},
        result="error",
    ),
    Case(
        "two bases for one id",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"],
         "args": {"dir": {"value": "/a", "type": "tempdir", "id": "w"}}},
        {"module": "work", "name": "B", "downstreamOf": ["In"],
         "args": {"dir": {"value": "/b", "type": "tempdir", "id": "w"}}}
        """,
        problems=("W14",),
        cleaned=("/a", "/b"),
    ),
    _staged(
        "a modifier of files beside a tempdir",
        '{"type": "tempdir", "unzip": true}',
        "tempdir",
        problems=("W07",),
        cleaned=(None,),
    ),
    _staged("an id without a tempdir", '{"output": "P.dst", "id": "w"}', "nothing", staged={}, problems=("W07",)),
    _refused("another protocol", '{"output": "P.dst", "type": "file", "proto": "ftp"}', "E13"),
    *(
        _staged(
            f"{what} as a file", f'{{"value": {value}, "type": "file"}}', "file @head", problems=("W17",), says=(says,)
        )
        for what, value, says in (
            ("a relative path", '"d/a"', "argument \"x\" can never work: 'd/a': need absolute path"),
            ("a number", "7", "must be a path, got int"),
            ("a map", '{"a": 1}', "must be a path, got dict"),
            ("a scheme that nobody serves", '"htp://h/a"', 'unsupported scheme htp:// (did you mean "http"?)'),
            ("a URL with one slash", '"http:/h/a"', "a URL has two slashes: write http://"),
            ("a password", '"http://u:p@h/a"', "holds a password"),
            ("a port that there is not", '"ssh://h:99999/a"', "has no valid port"),
            ("a server without a bucket", '"s3://h"', "names no bucket"),
            ("a directory of a web server", '"http://h/dir/"', "http cannot list one"),
        )
    ),
    _staged("a remote file is its own address", '{"value": "s3://store:9000/in/a.zip", "type": "file"}', "file @head"),
    _staged(
        "a remote file in a list",
        '{"value": ["/d/a", "https://h/a"], "default": "ssh://h/a", "type": "file"}',
        "file @head",
        args={"A": {"x": ["/d/a", "https://h/a"]}},
    ),
    Case(
        "a merged list lies on the machine of each item",
        """
        {"module": "work", "name": "S", "downstreamOf": ["In"], "splitOn": "f", "args": {"f": [1, 2, 3]}},
        {"module": "work", "name": "M", "downstreamOf": ["S"], "merge": true},
        {"module": "work", "name": "A", "downstreamOf": ["M"],
         "args": {"x": {"output": "S.dst", "type": "file"}, "y": {"output": "M.dst", "type": "file"}}}
        """,
        ends={"S": {"dst": "/s"}, "M": {"dst": ["/m", "/n"]}},
        machines=("m1",),
        args={"A": {"x": ["/s", "/s", "/s"], "y": [["/m", "/n"], ["/m", "/n"], ["/m", "/n"]]}},
        staged={"A": {"x": "file @m1 @m1 @m1", "y": "file @m1 @m1 @m1"}},
    ),
)
