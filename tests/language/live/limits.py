"""A limit for every task of the run, which a node's own limit replaces."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

CASES = (
    Case(
        "a node without a limit has the run's, a node with one has its own",
        """
        {"module": "nap", "name": "A", "downstreamOf": ["In"], "args": {"x": 60}},
        {"module": "nap", "name": "B", "downstreamOf": ["In"], "args": {"x": 1}, "timeout": 30}
        """,
        modules={"nap": {"inputs": {"x": "seconds"}, "outputs": {}}},
        code={"nap": 'return (50 if cancel_event.wait(args["x"]) else 100), None'},
        result="timeout",
        states={"A": "timeout", "B": "success"},
    ),
)
SETTINGS = {"max_task_time_s": 0.5}
