"""Restrictions on status values that modules set."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_SAYS = {"says": {"inputs": {"x": "a level"}, "outputs": {}}, "nap": {"inputs": {"x": "seconds", "src": ""}}}
_CODE = {
    "says": 'worker.status["level"] = args["x"]\nreturn 100, None',
    "nap": 'time.sleep(args["x"])\nreturn 100, None',
}

CASES = (
    Case(
        "a task waits for a status value that another node's module sets",
        """
        {"module": "says", "name": "High", "downstreamOf": ["In"], "args": {"x": 3}, "children": [
            {"module": "work", "name": "Held", "restrictions": {"Worker-here_0:level": "<3"}},
            {"module": "nap", "name": "Nap", "args": {"x": 0.3}, "children": [
                {"module": "says", "name": "Low", "args": {"x": 2}}]}]}
        """,
        modules=_SAYS,
        code=_CODE,
        workers=1,
        starts=("High", "Nap", "Low", "Held"),
    ),
)
SETTINGS = {"machine": "here", "workers": 1}
