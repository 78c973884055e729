"""What `process_task` may return and raise, and what its node then ends with."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_NODES = """
    {"module": "odd", "name": "A", "downstreamOf": ["In"], "children": [
        {"module": "work", "name": "Then", "args": {"x": {"output": "A.n", "default": "default"}}},
        {"module": "work", "name": "Else", "runOn": "error",
         "args": {"x": {"output": "A.n", "default": "default"}, "text": {"output": "A.error"}}}]}
"""
_ODD = {"odd": {"inputs": {"f": ""}, "outputs": {"n": "", "result": "", "error": ""}}}


def _good(title: str, body: str, value: object) -> Case:
    """Return the case that a body succeeds and its output `n` is this value."""
    return Case(title, _NODES, modules=_ODD, code={"odd": body}, args={"Then": {"x": value}}, starts=("A", "Then"))


def _bad(title: str, body: str, error: str, value: object = "default") -> Case:
    """Return the case that a body is an error with this text in it, and what its output `n` is all the same."""
    return Case(
        title,
        _NODES,
        modules=_ODD,
        code={"odd": body},
        result="error",
        errors={"A": error},
        args={"Else": {"x": value}},
        starts=("A", "Else"),
    )


CASES = (
    _good("the usual pair", 'return 100, {"n": 1}', 1),
    _good("a bare map", 'return {"n": 1}', 1),
    _good("a progress of 100.9 is 100", 'return 100.9, {"n": 1}', 1),
    _good("a list instead of a tuple", 'return [100, {"n": 1}]', 1),
    _good("no outputs", "return 100, None", "default"),
    _good("a text becomes result", 'return 100, "moved"', "default"),
    _good("a path is a text", 'from pathlib import Path\nreturn 100, {"n": Path("/a/b")}', "/a/b"),
    _good("tuples are lists, also deep inside", 'return 100, {"n": {"a": (1, (2,))}}', {"a": [1, [2]]}),
    _good("numbers as keys are texts", 'return 100, {"n": {1: "a"}}', {"1": "a"}),
    _good("what it did to its task does not count", 'args["n"] = 5\ntask.clear()\nreturn 100, {"n": 1}', 1),
    _good("an error that it returns itself is an output", 'return 100, {"error": "two left", "n": 2}', 2),
    _good("what it prints is no outcome", 'print("{retval} {}")\nprint("[progress] 3")\nreturn 100, {"n": 1}', 1),
    _bad("half done", 'return 50, {"n": 1}', "returned progress 50, expected 100", 1),
    _bad("almost done", 'return 99.9, {"n": 1}', "returned progress 99.9, expected 100", 1),
    _bad("a progress in words", 'return "100", {"n": 1}', "progress must be a number"),
    _bad("a progress of true", 'return True, {"n": 1}', "progress must be a number"),
    _bad("a forgotten return", "pass", "process_task must return (progress, return value)"),
    _bad("three things", 'return 100, {"n": 1}, 3', "process_task must return (progress, return value)"),
    _bad("more than fits", 'return 100, {"n": "x" * (17 * 1024 * 1024)}', "write a file and return its path"),
    _bad("a set", 'return 100, {"n": {1, 2}}', "'n'"),
    _bad("bytes", 'return 100, {"n": b"x"}', "'n'"),
    _bad("an object deep inside", 'return 100, {"n": {"a": [1, object()]}}', "n.a[1]"),
    _bad("not a number", 'return 100, {"n": float("nan")}', "'n'"),
    _bad("infinity", 'return 100, {"n": float("-inf")}', "'n'"),
    _bad("an exception", 'raise ValueError("no band VX")', "no band VX"),
    _bad("an exception without text", "raise KeyError", "KeyError"),
    _bad("a missing key", 'return {}["VX"]', "KeyError: 'VX'"),
    _bad("an exit", 'raise SystemExit("enough")', "SystemExit"),
    _bad("an exit that says all is well", "import sys\nsys.exit(0)", "SystemExit"),
    _bad("an interrupt of its own", "raise KeyboardInterrupt", "KeyboardInterrupt"),
    Case(
        "the whole outputs of a wrapped value",
        '{"module": "odd", "name": "A", "downstreamOf": ["In"], "children": ['
        '{"module": "work", "name": "Then", "args": {"x": {"output": "A.result"}}}]}',
        modules=_ODD,
        code={"odd": 'return 100, ["a", "b"]'},
        args={"Then": {"x": ["a", "b"]}},
    ),
    Case(
        "a module that kills its process is tried once more, then it is an error",
        _NODES,
        modules=_ODD,
        code={"odd": "import signal\nos.kill(os.getpid(), signal.SIGSEGV)\ntime.sleep(9)"},
        result="error",
        errors={"A": "SIGSEGV"},
        attempts={"A": 2, "Else": 1},
    ),
    Case(
        "a module that kills its process at first only",
        _NODES,
        modules=_ODD,
        code={"odd": 'if task["attempt"] == 1:\n    os._exit(3)\nreturn 100, {"n": task["attempt"]}'},
        args={"Then": {"x": 2}},
        attempts={"A": 2},
    ),
    Case(
        "a worker's directory, umask and environment are its own again for the next task",
        """
        {"module": "spoil", "name": "A", "downstreamOf": ["In"]},
        {"module": "look", "name": "B", "downstreamOf": ["A"]},
        {"module": "look", "name": "C", "downstreamOf": ["A"]}
        """,
        modules={"spoil": {"inputs": {}}, "look": {"inputs": {}}},
        problems=("W11", "W11", "W11"),
        code={
            "spoil": 'os.chdir("/")\nos.umask(0)\nos.environ["SPOILT"] = "1"\nreturn 100, None',
            "look": 'assert os.getcwd() != "/" and "SPOILT" not in os.environ\n'
            "mask = os.umask(0o22)\nos.umask(mask)\nassert mask != 0\nreturn 100, None",
        },
    ),
)
