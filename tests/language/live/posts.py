"""What is sent after success: real files, sent to directories of this machine."""

from __future__ import annotations

from typing import Any

from cryocloud_core.testing.case import Case

#: writes a file into its own folder, named by its argument, and returns its path
_WRITES = """
os.makedirs(here + "/made", exist_ok=True)
path = here + "/made/" + str(args.get("x") or "r.nc")
with open(path, "w") as file:
    file.write("result")
return 100, {"dst": path}
"""
_CODE = {"write": _WRITES}
_MODULES = {"write": {"inputs": {"x": "", "f": "", "dir": ""}, "outputs": {"dst": "", "log": ""}}}


def _post(title: str, post: str, **then: Any) -> Case:
    """Return the case that A writes a file, its output is sent so, and B is given what stands in its place."""
    return Case(
        title,
        f"""
        {{"module": "write", "name": "A", "downstreamOf": ["In"], "post": {post}}},
        {{"module": "work", "name": "B", "downstreamOf": ["A"], "args": {{"x": {{"output": "A.dst"}}}}}}
        """,
        **{"modules": _MODULES, "code": _CODE, **then},
    )


CASES = (
    _post(
        "under its own name",
        '[{"output": "dst", "target": "$HERE/out/", "basename": true}]',
        args={"B": {"x": "$HERE/out/r.nc"}},
        exists={"$HERE/out/r.nc": True, "$HERE/made/r.nc": True},
    ),
    _post(
        "under its whole path",
        '[{"output": "dst", "target": "$HERE/out/"}]',
        args={"B": {"x": "$HERE/out$HERE/made/r.nc"}},
        exists={"$HERE/out$HERE/made/r.nc": True},
    ),
    _post(
        "a target is a prefix",
        '[{"output": "dst", "target": "$HERE/out-", "basename": "yes"}]',
        problems=("W15",),
        args={"B": {"x": "$HERE/out-r.nc"}},
    ),
    _post(
        "to where a value says, and the file here is removed",
        '{"output": "dst", "target": {"value": "$HERE/out/"}, "basename": true, "remove": true}',
        args={"B": {"x": "$HERE/out/r.nc"}},
        exists={"$HERE/out/r.nc": True, "$HERE/made/r.nc": False},
    ),
    _post(
        "to two places, of which the nodes below are given the last",
        """[{"output": "dst", "target": "$HERE/first/", "basename": true, "remove": true},
            {"output": "dst", "target": "$HERE/last/", "basename": true}]""",
        args={"B": {"x": "$HERE/last/r.nc"}},
        exists={"$HERE/first/r.nc": True, "$HERE/last/r.nc": True, "$HERE/made/r.nc": False},
    ),
    Case(
        "to two places, each the value of an output that names the same file",
        """
        {"module": "write", "name": "A", "downstreamOf": ["In"], "post": [
            {"output": "dst", "target": "$HERE/first/", "basename": true, "remove": true},
            {"output": "log", "target": "$HERE/last/", "basename": true, "remove": true}]},
        {"module": "work", "name": "B", "downstreamOf": ["A"],
         "args": {"x": {"output": "A.dst"}, "y": {"output": "A.log"}}}
        """,
        modules=_MODULES,
        code={"write": _WRITES.replace('"dst": path', '"dst": path, "log": path')},
        args={"B": {"x": "$HERE/first/r.nc", "y": "$HERE/last/r.nc"}},
        exists={"$HERE/first/r.nc": True, "$HERE/last/r.nc": True, "$HERE/made/r.nc": False},
    ),
    _post(
        "what was not returned is skipped",
        '[{"output": "log", "target": "$HERE/out/"}]',
        args={"B": {"x": "$HERE/made/r.nc"}},
        exists={"$HERE/out": False},
    ),
    _post(
        "an upload that fails fails the task",
        '[{"output": "dst", "target": "$HERE/file/", "basename": true}]',
        files={"file": "no directory"},
        result="error",
        states={"A": "error", "B": "skipped"},
        errors={"A": "postprocessing 'dst' failed: "},
        exists={"$HERE/made/r.nc": True},
    ),
    _post(
        "a scheme that cannot be sent to, which only a value of the run shows",
        '[{"output": "dst", "target": {"option": "to"}, "basename": true}]',
        workflow={"options": {"to": {"default": "gopher://h/"}}},
        problems=("W17",),
        result="error",
        errors={"A": "unsupported scheme gopher://"},
    ),
    _post(
        "nothing is sent when the module fails",
        '[{"output": "dst", "target": "$HERE/out/"}]',
        code={"write": _WRITES.replace("return 100", "return 50")},
        result="error",
        errors={"A": "progress 50"},
        exists={"$HERE/made/r.nc": True, "$HERE/out": False},
    ),
    Case(
        "a loop's list goes item by item, nulls stay",
        """
        {"module": "write", "name": "A", "downstreamOf": ["In"], "loop": "x", "args": {"x": ["a", "skip", "b"]},
         "post": [{"output": "dst", "target": "$HERE/out/", "basename": true}]},
        {"module": "work", "name": "B", "downstreamOf": ["A"], "args": {"x": {"output": "A.dst"}}}
        """,
        modules=_MODULES,
        code={"write": 'if args["x"] == "skip":\n    return 100, {}\n' + _WRITES},
        args={"B": {"x": ["$HERE/out/a", None, "$HERE/out/b"]}},
        exists={"$HERE/out/a": True, "$HERE/out/b": True, "$HERE/out/skip": False},
    ),
    Case(
        "each part of a split sends its own",
        """
        {"module": "write", "name": "A", "downstreamOf": ["In"], "splitOn": "x", "args": {"x": ["a", "b"]},
         "merge": true, "post": [{"output": "dst", "target": "$HERE/out/", "basename": true}]},
        {"module": "work", "name": "B", "downstreamOf": ["A"], "args": {"x": {"output": "A.dst"}}}
        """,
        modules=_MODULES,
        code=_CODE,
        args={"B": {"x": ["$HERE/out/a", "$HERE/out/b"]}},
        exists={"$HERE/out/a": True, "$HERE/out/b": True},
    ),
    Case(
        "what lies in a tempdir is sent before that is removed",
        """
        {"module": "write", "name": "A", "downstreamOf": ["In"],
         "args": {"dir": {"value": "$HERE/t", "type": "tempdir"}},
         "post": [{"output": "dst", "target": "$HERE/out/", "basename": true}]}
        """,
        modules=_MODULES,
        code={
            "write": 'path = args["dir"] + "/r.nc"\nopen(path, "w").close()\n'
            'open(here + "/dirs", "w").write(args["dir"] + "\\n")\nreturn 100, {"dst": path}'
        },
        exists={"$HERE/out/r.nc": True},
        gone="$HERE/dirs",
    ),
    Case(
        "what was sent is staged like any other file",
        """
        {"module": "write", "name": "A", "downstreamOf": ["In"],
         "post": [{"output": "dst", "target": "file://$HERE/out/", "basename": true}]},
        {"module": "work", "name": "B", "downstreamOf": ["A"],
         "args": {"x": {"output": "A.dst", "type": "file"}, "y": {"output": "A.dst"}}}
        """,
        modules=_MODULES,
        code=_CODE,
        args={"B": {"x": "$HERE/out/r.nc", "y": "file://$HERE/out/r.nc"}},
    ),
    Case(
        "a retried task sends what its last attempt made",
        """
        {"module": "write", "name": "A", "downstreamOf": ["In"], "retry": {"times": 1, "delay": 0.01},
         "post": [{"output": "dst", "target": "$HERE/out/", "basename": true}]}
        """,
        modules=_MODULES,
        code={"write": 'if task["attempt"] == 1:\n    return 100, {"dst": "/no/such"}\n' + _WRITES},
        attempts={"A": 2},
        exists={"$HERE/out/r.nc": True},
    ),
)
