"""Nodes that run on the head: no other worker is needed, at most two at once, the same contract."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_NAP = {"nap": {"inputs": {"x": "seconds", "f": ""}, "outputs": {}}}
_CODE = {"nap": 'return (50 if cancel_event.wait(args["x"]) else 100), None'}

CASES = (
    Case(
        "a node on the head needs no worker and runs on the head's machine",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "runOnHead": true},
        {"module": "check", "name": "B", "downstreamOf": ["A"], "runOnHead": true, "args": {
            "node": {"stat": "A.node"}, "head": {"stat": "In.node"}, "worker": {"stat": "A.worker"}}}
        """,
        modules={"check": {"inputs": dict.fromkeys(("node", "head", "worker"), "")}},
        code={
            "check": "assert args['node'] == args['head']\n"
            "assert args['worker'] in {f\"HeadWorker-{args['node']}_{n}\" for n in (0, 1)}, args\n"
            "return 100, None"
        },
        states={"B": "success"},
    ),
    Case(
        "what runs on the head is called off when its time is over",
        '{"module": "nap", "name": "A", "downstreamOf": ["In"], "runOnHead": true, "args": {"x": 60}, "timeout": 0.3}',
        modules=_NAP,
        code=_CODE,
        result="timeout",
        states={"A": "timeout"},
    ),
    Case(
        "a pebble given up ends what runs on the head",
        '{"module": "nap", "name": "A", "downstreamOf": ["In"], "runOnHead": true, "args": {"x": 60}}',
        modules=_NAP,
        code=_CODE,
        cancel="A",
        result="cancelled",
    ),
    Case(
        "a crash on the head's side costs the task alone",
        """
        {"module": "die", "name": "A", "downstreamOf": ["In"], "runOnHead": true},
        {"module": "work", "name": "B", "downstreamOf": ["In"], "runOnHead": true}
        """,
        modules={"die": {"inputs": {}}},
        code={"die": "os.abort()"},
        result="error",
        states={"A": "lost", "B": "success"},
        errors={"A": "was killed by SIGABRT"},
    ),
    Case(
        "two at once, no more",
        '{"module": "count", "name": "A", "downstreamOf": ["In"], "runOnHead": true, "splitOn": "f",'
        ' "args": {"f": [1, 2, 3, 4, 5]}}',
        modules={"count": {"inputs": {"f": ""}}},
        code={
            "count": "mark = f\"{here}/{task['args']['f']}.busy\"\nopen(mark, 'w').close()\n"
            "busy = [name for name in os.listdir(here) if name.endswith('.busy')]\n"
            "time.sleep(0.1)\nos.unlink(mark)\nassert len(busy) <= 2, busy\nreturn 100, None"
        },
    ),
)
SETTINGS = {"workers": 0, "admin_workers": 0}
