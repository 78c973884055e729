"""One worker: who goes first."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

CASES = (
    Case(
        "the more urgent node goes first, wherever it stands in the document",
        """
        {"module": "work", "name": "Gate", "downstreamOf": ["In"], "children": [
            {"module": "work", "name": "Low", "priority": 10},
            {"module": "work", "name": "High", "priority": 90},
            {"module": "work", "name": "Middle"}]}
        """,
        workers=1,
        starts=("Gate", "High", "Middle", "Low"),
    ),
)
SETTINGS = {"workers": 1}
