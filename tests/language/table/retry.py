"""Repeats, time limits and lost workers."""

from __future__ import annotations

from cryocloud_core.task import Declined, Failed, Lost, Succeeded, TimedOut
from cryocloud_core.testing.case import Case, End


def _repeated(title: str, retry: str, ends: list[End], state: str, waits: tuple[float, ...], **more: object) -> Case:
    """Return the case of a node A with this `retry` whose attempts end so; B below it uses its output."""
    notes = tuple("again in" for _ in waits)
    return Case(
        title,
        f"""
        {{"module": "work", "name": "A", "downstreamOf": ["In"], "retry": {retry}, "children": [
            {{"module": "work", "name": "B", "args": {{"x": {{"output": "A.n", "default": "none"}}}}}}]}}
        """,
        ends={"A": ends},
        states={"A": state, "B": "success" if state == "success" else "blocked"},
        result=state,
        waits=waits,
        **{"attempts": {"A": len(ends)}, "notes": notes, **more},  # type: ignore[arg-type]
    )


def _refused(title: str, retry: str, says: str) -> Case:
    return Case(
        title,
        f'{{"module": "work", "name": "A", "downstreamOf": ["In"], "retry": {retry}}}',
        problems=("E13",),
        says=(says,),
    )


CASES = (
    _repeated("a number says how often", "2", ["a", "b", {"n": 1}], "success", (1, 2), args={"B": {"x": 1}}),
    _repeated("the last attempt settles the node", "1", ["a", "b"], "error", (1,)),
    _repeated("a number in a text counts", '"1"', ["a", {}], "success", (1,)),
    _repeated("no repeats", "0", ["a"], "error", ()),
    _repeated(
        "delays grow by backoff up to the longest",
        '{"times": 4, "delay": 10, "backoff": 3, "max_delay": 60}',
        ["a", "b", "c", "d", "e"],
        "error",
        (10, 30, 60, 60),
    ),
    _repeated(
        "the same delay each time", '{"times": 2, "delay": 5, "backoff": 1}', ["a", "b", None], "success", (5, 5)
    ),
    _repeated("a timeout is repeated as well", "1", [TimedOut("over"), None], "success", (1,)),
    _repeated(
        "only timeouts, says the node", '{"times": 3, "on": ["timeout"]}', [TimedOut("over"), "no"], "error", (1,)
    ),
    _repeated("only errors, says the node", '{"times": 3, "on": "error"}', [TimedOut("over")], "timeout", ()),
    _repeated(
        "what cannot get better is not repeated", "3", [Failed("need absolute path", permanent=True)], "error", ()
    ),
    _repeated(
        "a lost worker does not count as a repeat",
        "1",
        [Lost("m1", "signal 9"), "a", Succeeded({"n": 2})],
        "success",
        (1,),
        notes=("placed again", "again in"),
        args={"B": {"x": 2}},
    ),
    _repeated(
        "a worker that cannot load the module sends the task elsewhere, once",
        "0",
        [Declined("No module named 'numpy'", "m1"), None],
        "success",
        (),
        notes=("declined by m1",),
    ),
    Case(
        "a module may ask for repeats and a time limit, a node may refuse them",
        """
        {"module": "either", "name": "A", "downstreamOf": ["In"]},
        {"module": "either", "name": "B", "downstreamOf": ["In"], "retry": 0, "timeout": 2}
        """,
        ends={"A": ["a", None], "B": "b"},
        attempts={"A": 2, "B": 1},
        tasks={"A": {"timeout_s": 30.0}, "B": {"timeout_s": 2.0}},
        notes=("again in",),
        result="error",
    ),
    Case(
        "a node waiting for its repeat holds up nothing beside it",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "retry": 1},
        {"module": "work", "name": "B", "downstreamOf": ["In"], "children": [{"module": "work", "name": "C"}]}
        """,
        ends={"A": ["a", None]},
        starts=("A", "B", "C", "A"),
        notes=("again in",),
    ),
    Case(
        "an argument that cannot be resolved is not repeated",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"]},
        {"module": "work", "name": "A", "downstreamOf": ["P"], "retry": 5,
         "args": {"dir": {"output": "P.n", "type": "tempdir"}}}
        """,
        ends={"P": {"n": [1]}},
        states={"A": "error"},
        starts=("P",),
        result="error",
    ),
    Case(
        "the branch for timeouts runs, the one for errors does not",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "timeout": 2, "children": [
            {"module": "work", "name": "T", "runOn": "timeout", "args": {"text": {"output": "A.error"}}},
            {"module": "work", "name": "E", "runOn": "error"}]}
        """,
        ends={"A": TimedOut("2 s are over")},
        states={"A": "timeout", "T": "success", "E": "skipped"},
        args={"T": {"text": "2 s are over"}},
        tasks={"A": {"timeout_s": 2.0}, "T": {"timeout_s": None}},
        result="timeout",
    ),
    _refused("fewer repeats than none", "-1", '"retry"'),
    _refused("half a repeat", "1.5", '"retry"'),
    _refused("a map without times", '{"delay": 1}', '"times"'),
    _refused("a negative delay", '{"times": 1, "delay": -1}', "retry.delay"),
    _refused("a backoff of nothing", '{"times": 1, "backoff": 0}', "retry.backoff"),
    _refused("a jitter above one", '{"times": 1, "jitter": 2}', "retry.jitter"),
    _refused("repeats on success", '{"times": 1, "on": ["success"]}', "retry.on"),
    Case(
        "a time limit of nothing",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "timeout": 0}',
        problems=("E13",),
    ),
)
